// Tables for components.
#include <fmt/format.h>

#include <algorithm>

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

/// Passes reasons on, and keeps the first one: the text of a put that fails as a whole.
struct Reasons {
  void* user;
  void (*reason)(void* user, uint32_t item, sluice_str text);
  std::string first;

  static void tell(void* self, uint32_t item, sluice_str text) {
    auto& to = *static_cast<Reasons*>(self);
    guarded([&]() -> int32_t {
      if (to.first.empty()) {
        to.first = view(text).substr(0, 4096);
      }
      return SLUICE_OK;
    });
    if (to.reason != nullptr) {
      to.reason(to.user, item, text);
    }
  }
};

/// Why these cannot be items; empty: they can.
std::string items_fault(uint32_t count, const sluice_str* const* items) {
  for (uint32_t i = 0; i < count; ++i) {
    if (items[i] == nullptr || (items[i]->data == nullptr && items[i]->size != 0)) {
      return fmt::format("item {} is NULL", i);
    }
  }
  return {};
}

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
    if (const std::string fault = items_fault(count, items_json); !fault.empty()) {
      return failed(SLUICE_INVALID, fmt::format("table {}: {}", json_quote(ref->table), fault));
    }
    if (count == 0) {
      return SLUICE_OK;
    }
    std::fill_n(status, count, SLUICE_FATAL);  // of what the table says nothing about
    Reasons reasons{user, reason, {}};
    const int32_t answer =
        ref->functions->put(ref->self, count, items_json, mode, status, &reasons, Reasons::tell);
    if (answer != SLUICE_OK) {
      std::fill_n(status, count, answer);
    }
    return told(answer, str(reasons.first), *ref, "put items");
  });
}

int32_t table_get(sluice_table_ref* ref, sluice_str key_json, void* user,
                  void (*item)(void* user, sluice_str json)) {
  return guarded([&]() -> int32_t {
    if (ref == nullptr || item == nullptr || is_torn(key_json)) {
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
    if (ref == nullptr || item == nullptr || is_torn(next_token)) {
      return no_argument();
    }
    if (limit == 0) {
      return failed(SLUICE_INVALID,
                    fmt::format("table {}: a list of at most 0 items", json_quote(ref->table)));
    }
    sluice_str error{};
    const int32_t status = ref->functions->list(ref->self, limit, next_token, user, item, &error);
    return status == SLUICE_END ? status : told(status, error, *ref, "list its items");
  });
}

}  // namespace sluice::core::host_calls
