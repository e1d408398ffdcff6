#include "image_resize/fault.hpp"

namespace sluice::image_resize {

const char* code_name(Code code) {
  switch (code) {
    case Code::unsupported_format: return "unsupported_format";
    case Code::unsupported_feature: return "unsupported_feature";
    case Code::bad_header: return "bad_header";
    case Code::limit_exceeded: return "limit_exceeded";
    case Code::truncated: return "truncated";
    case Code::corrupt_data: return "corrupt_data";
    case Code::bad_request: return "bad_request";
    case Code::encode_failed: return "encode_failed";
    case Code::out_of_memory: return "out_of_memory";
    case Code::cancelled: return "cancelled";
  }
  return "corrupt_data";
}

}  // namespace sluice::image_resize
