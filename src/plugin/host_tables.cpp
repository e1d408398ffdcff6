// Tables for components.
#include <fmt/format.h>

#include "base/json.hpp"
#include "plugin/host.hpp"
#include "plugin/host_calls.hpp"

namespace sluice::core::host_calls {

namespace {

int32_t no_argument() {
  return failed(SLUICE_INVALID, "a table call was given NULL where it needs an object");
}

int32_t told(int32_t status, sluice_str error, const sluice_table_ref& ref, std::string_view what) {
  return status == SLUICE_OK
             ? SLUICE_OK
             : failed_in(status, error,
                         fmt::format("table {}: cannot {}", json_quote(ref.table), what));
}

void ignore_reason(void*, uint32_t, sluice_str) {}

}  // namespace

int32_t table_put(sluice_table_ref* ref, uint32_t count, const sluice_str* const* items_json,
                  int32_t mode, int32_t* status, void* user,
                  void (*reason)(void* user, uint32_t item, sluice_str text)) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || (count > 0 && (items_json == nullptr || status == nullptr))) {
      return no_argument();
    }
    if (mode < 0 || mode > 2) {
      return failed(SLUICE_INVALID, fmt::format("table {}: mode {} is none of 0, 1, 2",
                                                json_quote(ref->table), mode));
    }
    const auto tell = reason == nullptr ? ignore_reason : reason;
    return told(ref->functions->put(ref->self, count, items_json, mode, status, user, tell), {},
                *ref, "put items");
  });
}

int32_t table_get(sluice_table_ref* ref, sluice_str key_json, void* user,
                  void (*item)(void* user, sluice_str json)) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || item == nullptr) {
      return no_argument();
    }
    sluice_str error{};
    return told(ref->functions->get(ref->self, key_json, user, item, &error), error, *ref,
                "get an item");
  });
}

int32_t table_list(sluice_table_ref* ref, uint32_t limit, sluice_str next_token, void* user,
                   void (*item)(void* user, sluice_str json, sluice_str token)) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || item == nullptr) {
      return no_argument();
    }
    sluice_str error{};
    const int32_t status = ref->functions->list(ref->self, limit, next_token, user, item, &error);
    return status == SLUICE_END ? status : told(status, error, *ref, "list its items");
  });
}

}  // namespace sluice::core::host_calls
