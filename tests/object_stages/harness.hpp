// Real plugins on the real host, without queues: components made from options, a receiver that
// keeps what they emit, messages made by hand.
#pragma once

#include <gtest/gtest.h>
#include <sluice/plugin.hpp>

#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/json.hpp"
#include "plugin/handles.hpp"
#include "plugin/host.hpp"
#include "plugin/options.hpp"
#include "plugin/out.hpp"
#include "plugin/registry.hpp"

namespace sluice::test {

using Attributes = std::map<std::string, std::string>;

/// A bucket, source or stage of the build's plugin folder.
class Plugins {
 public:
  /// The instance; faults of its options or its start fail the test and give nothing.
  std::unique_ptr<core::Instance> make(std::string_view kind, std::string_view type,
                                       const std::string& name, std::string_view options,
                                       const std::string& state = {}) {
    auto made = try_make(kind, type, name, options, state);
    if (made)
      return std::make_unique<core::Instance>(*std::move(made));
    ADD_FAILURE() << made.error().message;
    return nullptr;
  }

  core::Result<core::Instance> try_make(std::string_view kind, std::string_view type,
                                        const std::string& name, std::string_view options,
                                        const std::string& state) {
    auto config = complete(kind, type, name, options, state);
    if (config == nullptr)
      return core::fail(core::Errc::config, faults_);
    return core::Instance::create(std::move(config));
  }

  /// What is wrong with the options; empty: nothing.
  std::string faults(std::string_view kind, std::string_view type, std::string_view options) {
    complete(kind, type, "tested", options, {});
    return faults_;
  }

  /// A directory bucket that components can name from now on.
  core::Instance& add_directory(const std::string& name, const std::string& path) {
    buckets_[name] = make("bucket", "directory", name, R"({"path":")" + path + R"("})");
    sluice_bucket_ref& ref = refs_[name];
    ref.functions = &buckets_[name]->functions<sluice_bucket>();
    ref.self = buckets_[name]->self();
    ref.bucket = name;
    return *buckets_[name];
  }

  /// A table that components can name from now on.
  core::Instance& add_table(const std::string& name, std::string_view type, std::string_view options) {
    tables_[name] = make("table", type, name, options);
    add_table(name, tables_[name]->functions<sluice_table>(), tables_[name]->self());
    return *tables_[name];
  }
  /// The same of a table that the test has made itself.
  void add_table(const std::string& name, const sluice_table& functions, void* self) {
    table_refs_[name] = {&functions, self, name};
  }
  sluice_table_ref* table(const std::string& name) { return &table_refs_.at(name); }

 private:
  std::unique_ptr<sluice_config> complete(std::string_view kind, std::string_view type,
                                          const std::string& name, std::string_view options,
                                          const std::string& state) {
    faults_.clear();
    const auto component = registry_.find(kind, type);
    if (!component) {
      faults_ = component.error().message;
      return nullptr;
    }
    const auto json = core::parse_json(options);
    auto config = core::complete_options(**component, {name, "/", state}, &*json, {},
                                         [this](std::string_view at, std::string text) {
                                           faults_ += std::string(at) + ": " + text + "\n";
                                         });
    if (config == nullptr)
      return nullptr;
    config->bucket = [this](std::string_view reference) -> sluice_bucket_ref* {
      const auto found = refs_.find(std::string(reference));
      return found == refs_.end() ? nullptr : &found->second;
    };
    config->table = [this](std::string_view reference) -> sluice_table_ref* {
      const auto found = table_refs_.find(std::string(reference));
      return found == table_refs_.end() ? nullptr : &found->second;
    };
    return config;
  }

  core::Registry registry_{{std::string(std::getenv("SLUICE_BUILD_ROOT")) + "/plugins"}};
  std::map<std::string, std::unique_ptr<core::Instance>> buckets_, tables_;
  std::map<std::string, sluice_bucket_ref> refs_;
  std::map<std::string, sluice_table_ref> table_refs_;
  std::string faults_;
};

/// Keeps what a stage or source emits.
class Receiver final : public sluice_out {
 public:
  struct Emitted {
    std::uint32_t parent;
    std::string body;
    bool streamed;
    std::uint64_t cookie;
    std::string id;  ///< 16 bytes, or empty
    Attributes attributes;
    std::map<std::string, std::uint32_t> types;
    std::string deduplication_id = {};
    std::int64_t delay_ms = 0;
  };
  struct Outcome {
    std::int32_t status;
    std::string reason, detail;
    std::int64_t retry_after_ms = -1;
  };

  std::vector<Emitted> emitted;
  std::map<std::uint32_t, Outcome> outcomes;
  std::vector<std::uint32_t> ignored;
  int flushes = 0;
  int exhausted_calls = 0;
  std::int32_t emit_status = SLUICE_OK;         ///< what emit answers
  std::int32_t progress_status = SLUICE_OK;     ///< what progress answers
  int progress_calls = 0;
  std::function<void(const Emitted&)> on_emit;  ///< after each
  std::function<void()> on_exhausted;

  int32_t emit(const sluice_emission& emission, bool) override {
    if (emit_status != SLUICE_OK)
      return emit_status;
    Emitted one{emission.parent, {}, emission.reader != nullptr, emission.cookie, {}, {}, {}};
    if (emission.reader != nullptr) {
      EXPECT_EQ(core::read_all(*emission.reader, UINT64_MAX, &one.body), SLUICE_OK);
      host().close(emission.reader);
    } else {
      one.body.assign(reinterpret_cast<const char*>(emission.body), emission.body_size);
    }
    return keep(std::move(one), &emission);
  }
  int32_t reserve(uint64_t size, uint8_t** body) override {
    if (emit_status != SLUICE_OK)
      return emit_status;
    reserved_.assign(size, '\0');
    *body = reinterpret_cast<uint8_t*>(reserved_.data());
    return SLUICE_OK;
  }
  int32_t commit(uint64_t size, const sluice_emission* emission) override {
    return keep({0, reserved_.substr(0, size), false, 0, {}, {}, {}}, emission);
  }
  int32_t flush() override {
    ++flushes;
    return SLUICE_OK;
  }
  int32_t reject_part(const sluice_emission&, sluice_str, sluice_str) override {
    return SLUICE_INVALID;
  }
  int32_t settle(uint32_t index, int32_t status, int64_t after_ms, sluice_str reason,
                 sluice_str detail) override {
    outcomes[index] = {status, std::string(view(reason)), std::string(view(detail)), after_ms};
    return SLUICE_OK;
  }
  int32_t progress(uint32_t, uint64_t, uint64_t) override {
    ++progress_calls;
    return progress_status;
  }
  int32_t ignore(uint32_t index) override {
    ignored.push_back(index);
    return SLUICE_OK;
  }
  int32_t exhausted() override {
    ++exhausted_calls;
    if (on_exhausted)
      on_exhausted();
    return SLUICE_OK;
  }

 private:
  static const sluice_host& host() { return core::host(); }

  int32_t keep(Emitted one, const sluice_emission* emission) {
    if (emission != nullptr) {
      one.deduplication_id = view(emission->deduplication_id);
      one.delay_ms = emission->delay_ms;
      if (emission->id != nullptr)
        one.id.assign(reinterpret_cast<const char*>(emission->id), 16);
      for (std::uint32_t i = 0; i < emission->attribute_count; ++i) {
        const sluice_attribute& attribute = *emission->attributes[i];
        one.attributes[std::string(view(attribute.name))] = view(attribute.value);
        one.types[std::string(view(attribute.name))] = attribute.type;
      }
    }
    emitted.push_back(std::move(one));
    if (on_emit)
      on_emit(emitted.back());
    return SLUICE_OK;
  }

  std::string reserved_;
};

/// Messages to give to a stage or a template.
class Messages {
 public:
  /// `streamed`: the body is given as a reader. Returns the message's index.
  std::uint32_t add(std::string body, const Attributes& attributes, bool streamed = false) {
    auto& one = *held_.emplace_back(std::make_unique<Held>());
    one.body = std::move(body);
    one.texts = attributes;
    for (const auto& [name, value] : one.texts)
      one.attributes.push_back(attribute(name, value));
    for (const sluice_attribute& each : one.attributes)
      one.pointers.push_back(&each);
    one.message.struct_size = sizeof one.message;
    one.message.receive_count = 1;
    for (std::uint8_t i = 0; i < 16; ++i)
      one.message.id[i] = i;
    one.message.body_size = one.body.size();
    if (streamed) {
      one.message.reader = core::memory_reader(one.body);
    } else {
      one.message.body = reinterpret_cast<const std::uint8_t*>(one.body.data());
    }
    one.message.attribute_count = static_cast<std::uint32_t>(one.pointers.size());
    one.message.attributes = one.pointers.data();
    return static_cast<std::uint32_t>(held_.size()) - 1;
  }
  sluice_message& operator[](std::uint32_t index) { return held_[index]->message; }

  std::int32_t process(core::Instance& stage, Receiver& out) {
    std::vector<const sluice_message*> pointers;
    for (const auto& one : held_)
      pointers.push_back(&one->message);
    const sluice_batch batch = {sizeof(sluice_batch), static_cast<std::uint32_t>(pointers.size()),
                                0, pointers.data()};
    return stage.functions<sluice_stage>().process(stage.self(), &batch, &out);
  }

 private:
  struct Held {
    std::string body;
    Attributes texts;
    std::vector<sluice_attribute> attributes;
    std::vector<const sluice_attribute*> pointers;
    sluice_message message{};
    ~Held() {
      if (message.reader != nullptr)
        core::host().close(message.reader);
    }
  };
  std::vector<std::unique_ptr<Held>> held_;
};

}  // namespace sluice::test
