// Components for the tests of the configuration and of the command line: options of every type, and
// stages that do one plain thing each.
#include <sluice/plugin.hpp>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string>
#include <vector>

namespace {

using sluice::Batch;
using sluice::Config;
using sluice::Failure;
using sluice::Out;

constexpr sluice_option option(const char* name, const char* type, const char* by_default,
                               bool required, const char* help, const char* minimum = nullptr,
                               const char* maximum = nullptr, const char* choices = nullptr) {
  return {sizeof(sluice_option),
          name,
          type,
          by_default,
          required ? 1U : 0U,
          minimum,
          maximum,
          choices,
          help};
}

// --- bucket: every key holds `content`
// -------------------------------------------------------------

constexpr sluice_option kPath = option("path", "path", nullptr, false, "Its folder.");
constexpr sluice_option kContent =
    option("content", "string", "\"content\"", false, "What every object holds.");
const sluice_option* const kBucketOptions[] = {&kPath, &kContent, nullptr};

class TestBucket {
 public:
  class Reader {
   public:
    explicit Reader(std::string content) : content_(std::move(content)) {}
    std::size_t read(std::span<uint8_t> into) {
      const std::size_t count = std::min(into.size(), content_.size() - at_);
      std::memcpy(into.data(), content_.data() + at_, count);
      at_ += count;
      return count;
    }

   private:
    std::string content_;
    std::size_t at_ = 0;
  };
  class Writer {
   public:
    void write(std::span<const uint8_t>) {
      throw Failure(SLUICE_UNAVAILABLE, "the test bucket takes no objects");
    }
    void commit() {}
  };
  class Watch {
   public:
    int32_t next(int64_t, const sluice::detail::Each&) { return SLUICE_END; }
    void cancel() {}
  };
  explicit TestBucket(const Config& config) : content_(config.text("content")) {
    if (content_ == "unavailable")
      throw Failure(SLUICE_UNAVAILABLE, "the store is down");
  }
  std::unique_ptr<Reader> open(std::string_view, std::string_view, uint64_t, uint64_t* size) {
    *size = content_.size();
    return std::make_unique<Reader>(content_);
  }
  std::unique_ptr<Writer> begin(std::string_view, std::string_view) {
    return std::make_unique<Writer>();
  }
  void remove(std::string_view) {}
  int32_t list(std::string_view, std::string_view, const sluice::detail::Each&) {
    return SLUICE_OK;
  }
  std::unique_ptr<Watch> watch(std::string_view, int64_t) { return std::make_unique<Watch>(); }

 private:
  std::string content_;
};

// --- table: as many items as it is told to have
// -------------------------------------------------------------

constexpr sluice_option kItems =
    option("items", "int", "3", false, "How many items it has, with the keys 0, 1, ...", "0", "100000");
const sluice_option* const kTableOptions[] = {&kItems, nullptr};

class TestTable {
 public:
  explicit TestTable(const Config& config) : items_(config.integer("items")) {}
  void put(const sluice::PutItems& items, sluice::PutMode, sluice::PutResult& result) {
    for (uint32_t i = 0; i < items.size(); ++i) {
      if (items[i] != "good")
        result.fail(i, SLUICE_INVALID, "the test table takes \"good\" only");
    }
  }
  std::optional<std::string> get(std::string_view key_json) {
    for (int64_t i = 0; i < items_; ++i) {
      if (key_json == "\"" + std::to_string(i) + "\"" || key_json == item(i))
        return item(i);
    }
    return std::nullopt;
  }
  /// At most two at once, whatever the limit.
  bool list(uint32_t limit, std::string_view next_token, const sluice::EachItem& each) {
    if (next_token == "broken")
      throw Failure(SLUICE_UNAVAILABLE, "the table is down");
    int64_t i = next_token.empty() ? 0 : std::stoll(std::string(next_token));
    for (uint32_t told = 0; i < items_ && told < std::min(limit, 2U); ++told, ++i)
      each(item(i), std::to_string(i + 1));
    return i < items_;
  }

 private:
  static std::string item(int64_t i) { return "{\"id\":" + std::to_string(i) + "}"; }
  int64_t items_;
};

// --- sources
// ----------------------------------------------------------------------------------------

constexpr sluice_option kWatched =
    option("bucket", "bucket", nullptr, true, "The bucket to watch.");
constexpr sluice_option kPrefix =
    option("prefix", "string", "\"\"", false, "Keys that do not begin with it are passed over.");
constexpr sluice_option kInterval =
    option("poll_interval", "duration", "\"10s\"", false, "Time between looks.", "1s", "1h");
const sluice_option* const kWatchOptions[] = {&kWatched, &kPrefix, &kInterval, nullptr};
const sluice_option* const kNoOptions[] = {nullptr};

class SilentSource {
 public:
  explicit SilentSource(const Config&) {}
  int32_t run(Out&) { return SLUICE_END; }
};

// --- stages
// -----------------------------------------------------------------------------------------

constexpr sluice_option kWidth =
    option("width", "int", nullptr, true, "Pixels from left to right.", "1", "65535");
constexpr sluice_option kFit = option("fit", "enum", "\"inside\"", false, "How it is made to fit.",
                                      nullptr, nullptr, "inside cover fill");
constexpr sluice_option kEnlarge =
    option("enlarge", "bool", "true", false, "Whether small ones grow.");
constexpr sluice_option kSharpness =
    option("sharpness", "float", "0.5", false, "How sharp.", "0", "1");
constexpr sluice_option kLimit =
    option("limit", "size", "\"64MiB\"", false, "Most bytes taken.", "1KiB", "1GiB");
constexpr sluice_option kSizes = option("sizes", "json", nullptr, false, "A list of sizes.");
const sluice_option* const kShapeOptions[] = {&kWidth, &kFit,   &kEnlarge, &kSharpness,
                                              &kLimit, &kSizes, nullptr};

/// Prints its options into the body.
class Shape {
 public:
  explicit Shape(const Config& config)
      : text_("width=" + std::to_string(config.integer("width")) +
              " fit=" + std::string(config.text("fit")) +
              " enlarge=" + std::to_string(config.integer("enlarge")) +
              " limit=" + std::to_string(config.integer("limit")) +
              " sizes=" + std::string(config.find_json("sizes").value_or("none"))) {}
  static bool check(const Config& config) {
    if (config.integer("width") != 13)
      return true;
    config.error("width", "13 brings bad luck");
    return false;
  }
  void process(const Batch& batch, Out& out) {
    for (uint32_t i = 0; i < batch.size(); ++i) {
      (void)out.emit(i, {reinterpret_cast<const uint8_t*>(text_.data()), text_.size()});
    }
  }

 private:
  std::string text_;
};

constexpr sluice_option kCopies =
    option("copies", "int", "1", false, "Emissions per message.", "0", "1000");
const sluice_option* const kUpperOptions[] = {&kCopies, nullptr};

/// Upper case; the bodies "reject", "retry" and "fatal" fail so.
class Upper {
 public:
  explicit Upper(const Config& config) : copies_(config.integer("copies")) {}
  void process(const Batch& batch, Out& out) {
    for (uint32_t i = 0; i < batch.size(); ++i) {
      std::string body(batch[i].text());
      if (body == "fatal")
        throw Failure(SLUICE_FATAL, "no way on");
      std::transform(body.begin(), body.end(), body.begin(),
                     [](unsigned char c) { return std::toupper(c); });
      const std::string copies = body == "BYTES" ? "\xff" : std::to_string(copies_);
      const sluice_attribute attribute = sluice::attribute("copies", copies, SLUICE_NUMBER);
      const sluice_attribute* const attributes[] = {&attribute};
      sluice_emission emission = sluice::emission(i);
      emission.body = reinterpret_cast<const uint8_t*>(body.data());
      emission.body_size = body.size();
      emission.attribute_count = 1;
      emission.attributes = attributes;
      for (int64_t copy = 0; copy < copies_; ++copy) {
        const int32_t status = out.emit(emission);
        if (status == SLUICE_TOO_LARGE)
          out.reject(i, "too_many");
        if (status == SLUICE_INVALID)
          out.reject(i, "invalid");
      }
      if (body == "REJECT")
        out.reject(i, "damaged", "at byte 3");
      if (body == "RETRY")
        out.retry(i, "busy");
    }
  }

 private:
  int64_t copies_;
};

/// Counts the bytes of a streamed body.
class Count {
 public:
  explicit Count(const Config&) {}
  void process(const Batch& batch, Out& out) {
    for (uint32_t i = 0; i < batch.size(); ++i) {
      std::vector<uint8_t> buffer(1 << 16);
      uint64_t total = 0, got = 0;
      while (sluice::host().read(batch[i]->reader, buffer.data(), buffer.size(), &got) == SLUICE_OK)
        total += got;
      const std::string text = std::to_string(total);
      (void)out.emit(i, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
    }
  }
};

constexpr sluice_option kRead = option("bucket", "bucket", nullptr, true, "The bucket to read.");
const sluice_option* const kReadOptions[] = {&kRead, nullptr};

/// Emits the object named by attribute `key` as a stream.
class ReadObject {
 public:
  explicit ReadObject(const Config& config) : bucket_(config.bucket("bucket")) {}
  void process(const Batch& batch, Out& out) {
    for (uint32_t i = 0; i < batch.size(); ++i) {
      sluice::Reader reader = bucket_.open(batch[i].attribute("key").value_or("none"));
      sluice_emission emission = sluice::emission(i);
      emission.reader = reader.release();
      (void)out.emit(emission);
    }
  }

 private:
  sluice::Bucket bucket_;
};

/// A line is a row; "bad" is a part that is rejected alone.
class Split {
 public:
  explicit Split(const Config&) {}
  void process(const Batch& batch, Out& out) {
    for (uint32_t i = 0; i < batch.size(); ++i) {
      std::string_view rest = batch[i].text();
      for (int line = 1; !rest.empty(); ++line) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const std::string row(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (row != "bad") {
          (void)out.emit(i, {reinterpret_cast<const uint8_t*>(row.data()), row.size()});
          continue;
        }
        const std::string record =
            "{\"line\":" + std::to_string(line) + ",\"row\":" + std::to_string(line) + "}";
        sluice_emission part = sluice::emission(i);
        part.body = reinterpret_cast<const uint8_t*>(record.data());
        part.body_size = record.size();
        sluice::host().reject_part(out.get(), &part, sluice::str("type"), sluice::str("not a row"));
      }
    }
  }
};

constexpr sluice_option kWrite = option("bucket", "bucket", nullptr, true, "The bucket to write.");
constexpr sluice_option kKey = option("key", "template", "\"{key}\"", false, "The object's key.");
const sluice_option* const kSinkOptions[] = {&kWrite, &kKey, nullptr};

class Sink {
 public:
  explicit Sink(const Config&) {}
  void process(const Batch&, Out&) {}
};

constexpr sluice_option kPutInto = option("table", "table", nullptr, true, "The table to put into.");
const sluice_option* const kStoreOptions[] = {&kPutInto, nullptr};

/// Puts bodies into a table.
class Store {
 public:
  explicit Store(const Config& config) : table_(config.table("table")) {}
  void process(const Batch& batch, Out& out) {
    std::vector<std::string_view> items;
    for (uint32_t i = 0; i < batch.size(); ++i)
      items.push_back(batch[i].text());
    table_.put(items, sluice::PutMode::upsert, [&](uint32_t item, int32_t, std::string_view reason) {
      out.reject(item, "refused", reason);
    });
  }

 private:
  sluice::Table table_;
};

const sluice_component kBucket = sluice::bucket<TestBucket>(
    "test_bucket", "Objects that all hold the same. For tests.", SLUICE_BLOCKS, kBucketOptions);
const sluice_component kWatch = sluice::source<SilentSource>(
    "test_watch", "Watches nothing. For tests.", SLUICE_REPEATS, kWatchOptions);
const sluice_component kSource =
    sluice::source<SilentSource>("test_source", "Brings nothing. For tests.", 0, kNoOptions);
const sluice_component kShape =
    sluice::stage<Shape>("test_shape", "Prints its options. For tests.", 0, kShapeOptions);
const sluice_component kUpper = sluice::stage<Upper>(
    "test_upper", "Makes bodies upper case. For tests.", SLUICE_MAY_RETRY, kUpperOptions);
const sluice_component kCount =
    sluice::stage<Count>("test_count", "Counts bytes. For tests.", SLUICE_STREAMS, kNoOptions);
const sluice_component kReadObject = sluice::stage<ReadObject>(
    "test_read", "Reads an object. For tests.", SLUICE_BLOCKS, kReadOptions);
const sluice_component kSplit = sluice::stage<Split>("test_split", "Emits lines. For tests.",
                                                     SLUICE_BLOCKS | SLUICE_SPLITS, kNoOptions);
const sluice_component kSink = sluice::stage<Sink>("test_sink", "Drops everything. For tests.",
                                                   SLUICE_BLOCKS | SLUICE_SINK, kSinkOptions);

const sluice_component kTable =
    sluice::table<TestTable>("test_table", "Numbered items. For tests.", 0, kTableOptions);
const sluice_component kStore = sluice::stage<Store>(
    "test_store", "Puts into a table. For tests.", SLUICE_BLOCKS | SLUICE_SINK, kStoreOptions);

}  // namespace

SLUICE_PLUGIN("org.sluice.tests", "1.0.0", &kBucket, &kWatch, &kSource, &kShape, &kUpper, &kCount,
              &kReadObject, &kSplit, &kSink, &kTable, &kStore)
