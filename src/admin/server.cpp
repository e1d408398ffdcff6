#include "admin/server.hpp"

#include <fmt/format.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "admin/beast.hpp"
#include "base/atomic.hpp"
#include "base/log.hpp"
#include "base/random.hpp"
#include "config/topology.hpp"

namespace sluice::core {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using Parser = http::request_parser<http::string_body>;

constexpr std::uint32_t kHeaderBytesMax = 8 << 10;
constexpr std::uint64_t kBodyBytesMax = 64 << 10;
constexpr std::size_t kReadBytes = 4 << 10;
constexpr std::chrono::seconds kReadTimeout{10}, kWriteTimeout{60};
constexpr std::uint32_t kConnectionsMax = 32;
/// Refused ones that stay open, unread. One that is closed before it was read is reset, which may
/// take its answer along; so it is closed when so many more were refused.
constexpr std::size_t kRefusedMax = 32;
/// One may be reading a long file of dead letters while the other answers for health.
constexpr int kThreads = 2;
/// Each connection may hold an answer, and each thread makes one, in two pieces, beside a message,
/// in two pieces, whose bytes may take six as JSON.
static_assert((kConnectionsMax + kThreads * (2 + 2 * 6)) * kPeekBytesMax <= kAdminBytesMax);

std::string_view view(beast::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

struct AdminServer::State {
  explicit State(const ListenAddress& used_address) : address(used_address), acceptor(context) {}

  ListenAddress address;
  const std::string instance = fmt::format("{:016x}", Random().next());
  std::optional<AdminSubject> subject;
  asio::io_context context;
  tcp::acceptor acceptor;
  Atomic<std::uint32_t> connections{0};
  std::vector<std::jthread> threads;

  Result<void> listen() {
    error_code error;
    const tcp::endpoint endpoint(asio::ip::make_address(address.host, error), address.port);
    if (!error)
      acceptor.open(endpoint.protocol(), error);
    if (!error)
      acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error)
      acceptor.bind(endpoint, error);
    if (!error)
      acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) {
      return fail(
          Errc::unavailable,
          fmt::format("admin cannot listen on {}: {}; choose another \"listen\"{}",
                      to_text(address), error.message(),
                      error == asio::error::address_in_use ? ", or stop what listens there" : ""));
    }
    address.port = acceptor.local_endpoint().port();
    return {};
  }

  asio::awaitable<void> accept() {
    const std::string too_many = too_many_connections();
    std::array<std::optional<tcp::socket>, kRefusedMax> refused;
    for (std::size_t next = 0;;) {
      error_code error;
      tcp::socket socket =
          co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error == asio::error::operation_aborted)
        co_return;
      if (error) {  // out of descriptors, most likely: others may be given back
        log_warning("", "admin: cannot accept a connection: {}", error.message());
        asio::steady_timer pause(context, std::chrono::seconds(1));
        co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
        continue;
      }
      if (connections.fetch_add(1, std::memory_order_relaxed) >= kConnectionsMax) {
        connections.fetch_sub(1, std::memory_order_relaxed);
        refused[next].emplace(std::move(socket));
        tell_and_end(*refused[next], too_many);
        next = (next + 1) % kRefusedMax;
        continue;
      }
      asio::co_spawn(context, serve(beast::tcp_stream(std::move(socket))), asio::detached);
    }
  }

  /// The requests of one connection, one after the other.
  asio::awaitable<void> serve(beast::tcp_stream stream) {
    beast::flat_buffer buffer;
    bool goes_on = true;
    while (goes_on) {
      Parser parser;
      stream.expires_after(kReadTimeout);
      error_code error = co_await read_request(stream, buffer, parser);
      if (error && !is_bad_request(error))
        break;
      AdminAnswer reply = error ? refusal(error) : reply_to(parser.get());
      goes_on = !error && parser.get().keep_alive();
      http::response<http::string_body> response(static_cast<http::status>(reply.status),
                                                 parser.get().version());
      response.set(http::field::content_type,
                   beast::string_view(reply.type.data(), reply.type.size()));
      response.set(http::field::cache_control, "no-store");
      if (!reply.allow.empty())
        response.set(http::field::allow,
                     beast::string_view(reply.allow.data(), reply.allow.size()));
      response.keep_alive(goes_on);
      response.body() = std::move(reply.body);
      response.body() += '\n';
      response.prepare_payload();
      if (parser.get().method() == http::verb::head)
        response.body().clear();  // its length stays
      stream.expires_after(kWriteTimeout);
      co_await http::async_write(stream, response,
                                 asio::redirect_error(asio::use_awaitable, error));
      goes_on = goes_on && !error;
    }
    error_code ignored;
    stream.socket().shutdown(tcp::socket::shutdown_send, ignored);
    connections.fetch_sub(1, std::memory_order_relaxed);
  }

  /// One request; what came behind it stays in `buffer`. The parser bounds the length of a field
  /// and of a body, but neither the number of fields, nor what frames chunks, nor their trailer: so
  /// all bytes of the request are counted.
  static asio::awaitable<error_code> read_request(beast::tcp_stream& stream,
                                                  beast::flat_buffer& buffer, Parser& parser) {
    parser.header_limit(kHeaderBytesMax);
    parser.body_limit(kBodyBytesMax);
    parser.eager(true);
    for (std::size_t parsed = 0;;) {
      error_code error;
      if (buffer.size() != 0) {
        const std::size_t used = parser.put(buffer.data(), error);
        buffer.consume(used);
        parsed += used;
      }
      if (parser.is_done())
        co_return is_framed(parser) ? error : http::error::bad_transfer_encoding;
      if (error && error != http::error::need_more)
        co_return error;
      const bool in_header = !parser.is_header_done();
      if (parsed + buffer.size() >= kHeaderBytesMax + (in_header ? 0 : kBodyBytesMax))
        co_return in_header ? http::error::header_limit : http::error::body_limit;
      const std::size_t got = co_await stream.async_read_some(
          buffer.prepare(kReadBytes), asio::redirect_error(asio::use_awaitable, error));
      if (error)
        co_return error;
      buffer.commit(got);
    }
  }

  /// Where another coding than chunked is the last, or HTTP/1.0 has any, nobody knows where the
  /// body ends (RFC 9112, 6.1 and 6.3): what seems to be the next request may be of it.
  static bool is_framed(const Parser& parser) {
    return parser.get().count(http::field::transfer_encoding) == 0 ||
           (parser.chunked() && parser.get().version() >= 11);
  }

  /// The answer to whatever a connection beyond the limit asks.
  static std::string too_many_connections() {
    const Error error{Errc::unavailable,
                      fmt::format("all {} connections of the admin address are in use; try again, "
                                  "or close one",
                                  kConnectionsMax)};
    const std::string body = error_json(error) + '\n';
    return fmt::format(
        "HTTP/1.1 503 Service Unavailable\r\n"
        "Content-Type: application/json\r\n"
        "Cache-Control: no-store\r\n"
        "Retry-After: 1\r\n"
        "Connection: close\r\n"
        "Content-Length: {}\r\n\r\n{}",
        body.size(), body);
  }

  /// Waits for nothing: the buffer of a new connection takes the whole text.
  static void tell_and_end(tcp::socket& socket, const std::string& text) {
    error_code ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(text), ignored);
    socket.shutdown(tcp::socket::shutdown_send, ignored);
  }

  /// Something was sent, and it was no request that is taken.
  static bool is_bad_request(const error_code& error) {
    return error.category() == http::make_error_code(http::error::bad_method).category();
  }

  static AdminAnswer refusal(const error_code& error) {
    const int status = error == http::error::body_limit     ? 413
                       : error == http::error::header_limit ? 431
                                                            : 400;
    return {.status = status,
            .body = error_json({Errc::usage, "the request is refused: " + error.message()})};
  }

  AdminAnswer reply_to(const http::request<http::string_body>& request) const try {
    if (request.count(http::field::host) > 1)  // RFC 9112, 3.2
      return {.status = 400, .body = error_json({Errc::usage, "the request has more than one Host"})};
    return answer(*subject, {view(request.method_string()), view(request.target()),
                             view(request[http::field::host]), view(request[http::field::origin]),
                             request.body()});
  } catch (const std::exception& exception) {  // no memory for so much
    return {.status = 500, .body = error_json({Errc::internal, exception.what()})};
  }
};

AdminServer::AdminServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

AdminServer::~AdminServer() {
  state_->context.stop();
}

Result<std::unique_ptr<AdminServer>> AdminServer::listen(const ListenAddress& address) {
  auto state = std::make_unique<State>(address);
  if (Result<void> listening = state->listen(); !listening)
    return std::unexpected(listening.error());
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(state)));
}

Result<void> AdminServer::serve(std::string pipeline, QueueControl& queues,
                                ServiceControl& services, std::function<Snapshot()> snapshot,
                                std::function<bool()> is_stopping) {
  state_->subject.emplace(AdminSubject{std::move(pipeline), queues, services, std::move(snapshot),
                                       state_->address.is_loopback(), std::move(is_stopping),
                                       state_->instance});
  asio::co_spawn(state_->context, state_->accept(), asio::detached);
  try {
    for (int i = 0; i < kThreads; ++i)
      state_->threads.emplace_back([context = &state_->context] { context->run(); });
  } catch (const std::system_error& error) {
    return fail(Errc::unavailable,
                fmt::format("admin cannot start a thread: {}", error.code().message()));
  }
  return {};
}

const ListenAddress& AdminServer::address() const {
  return state_->address;
}

const std::string& AdminServer::instance() const {
  return state_->instance;
}

}  // namespace sluice::core
