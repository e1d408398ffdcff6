#include "admin/remote.hpp"

#include <fmt/format.h>

#include <chrono>

#include "admin/beast.hpp"
#include "base/units.hpp"

namespace sluice::core {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;

/// More than any answer has: a peek brings kPeekBytesMax, a list less than a KiB for each queue.
constexpr std::uint64_t kAnswerBytesMax = 64 << 20;

/// Runs one request to its end on a context of its own.
class Exchange {
 public:
  error_code run(const std::string& host, const std::string& port,
                 const http::request<http::string_body>& request, std::int64_t limit_ms) {
    parser_.body_limit(kAnswerBytesMax);
    stream_.expires_after(std::chrono::milliseconds(limit_ms));
    resolver_.async_resolve(
        host, port, [this, &request](error_code error, const tcp::resolver::results_type& found) {
          if (!failed(error))
            stream_.async_connect(found, [this, &request](error_code fault, const tcp::endpoint&) {
              send(fault, request);
            });
        });
    context_.run();
    return error_;
  }
  const http::response<http::string_body>& answer() const { return parser_.get(); }

 private:
  bool failed(error_code error) {
    error_ = error;
    return error.failed();
  }
  void send(error_code error, const http::request<http::string_body>& request) {
    if (failed(error))
      return;
    http::async_write(stream_, request, [this](error_code fault, std::size_t) {
      if (!failed(fault))
        http::async_read(stream_, buffer_, parser_,
                         [this](error_code wrong, std::size_t) { failed(wrong); });
    });
  }

  asio::io_context context_;
  tcp::resolver resolver_{context_};
  beast::tcp_stream stream_{context_};
  beast::flat_buffer buffer_;
  http::response_parser<http::string_body> parser_;
  error_code error_;
};

/// What the engine refuses comes back as the error that it was.
Error error_of(const Json& json, unsigned status) {
  const Json* text = json.find("error");
  const Json* exit = json.find("exit");
  for (const Errc code :
       {Errc::usage, Errc::bad_data, Errc::missing_input, Errc::unavailable, Errc::io}) {
    if (text != nullptr && exit != nullptr && exit->integer == exit_code(code))
      return {code, text->text};
  }
  return {Errc::unavailable,
          text != nullptr ? text->text : fmt::format("the engine answers with status {}", status)};
}

/// Which engine says so of its health; empty: none that would be asked for.
std::string instance_of(const std::string& health) {
  const std::expected<Json, JsonError> json = parse_json(health);
  const Json* instance = json ? json->find("instance") : nullptr;
  return instance != nullptr ? instance->text : std::string();
}

}  // namespace

Result<Json> Remote::ask(std::string_view method, const std::string& path,
                         const std::string& body) const {
  http::request<http::string_body> request(http::verb::get, "/healthz", 11);
  request.set(http::field::host, host_.find(':') == std::string::npos
                                     ? fmt::format("{}:{}", host_, port_)
                                     : fmt::format("[{}]:{}", host_, port_));
  request.set(http::field::connection, "close");
  const auto no_answer = [&](const std::string& why) {
    return fail(Errc::unavailable,
                fmt::format("no answer from the admin address {}:{}{}", host_, port_, why));
  };
  Exchange alive;
  if (const error_code error = alive.run(host_, port_, request, limits_.alive_ms)) {
    return no_answer(error != beast::error::timeout
                         ? ": " + error.message()
                         : fmt::format(" within {}: sluice is stopped there (`kill -CONT PID` lets "
                                       "it go on), still starts, or is busy: try again later",
                                       format_duration(limits_.alive_ms)));
  }
  if (!instance_.empty() && instance_of(alive.answer().body()) != instance_) {
    const std::expected<Json, JsonError> refused = parse_json(alive.answer().body());
    if (refused && refused->find("error") != nullptr)  // all its connections are in use
      return std::unexpected(error_of(*refused, alive.answer().result_int()));
    return fail(Errc::unavailable,
                fmt::format("at the admin address {}:{} another sluice answers than the one that uses "
                            "the state folder, which is about to start or stop, or has no admin "
                            "address: try again later",
                            host_, port_));
  }
  request.method(http::string_to_verb({method.data(), method.size()}));
  request.target(path);
  request.body() = body;
  request.prepare_payload();
  Exchange exchange;
  if (const error_code error = exchange.run(host_, port_, request, limits_.answer_ms)) {
    return no_answer(error != beast::error::timeout
                         ? ": " + error.message()
                         : fmt::format(" to {} {} within {}, while it is alive: what was asked may "
                                       "still be done, so look before you ask again",
                                       method, path, format_duration(limits_.answer_ms)));
  }
  const http::response<http::string_body>& answer = exchange.answer();
  std::expected<Json, JsonError> json = parse_json(answer.body(), kAnswerBytesMax);
  if (!json) {
    return fail(Errc::unavailable, fmt::format("{}:{} does not answer as sluice does: {}", host_,
                                               port_, json.error().message));
  }
  if (answer.result_int() >= 300)
    return std::unexpected(error_of(*json, answer.result_int()));
  return std::move(*json);
}

std::unexpected<Error> Remote::not_sluice(std::string_view missing) const {
  return fail(Errc::unavailable,
              fmt::format("{}:{} does not answer as sluice does: \"{}\" is missing", host_, port_,
                          missing));
}

}  // namespace sluice::core
