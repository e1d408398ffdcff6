// What asks an engine, against peers that answer as they are told, or not at all.
#include "admin/remote.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "admin/address_file.hpp"

namespace sluice::test {
namespace {

using core::Remote;

const std::string kHealthy = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

/// Gives one of `answers` to each connection. Later ones are taken, as the system does it for a
/// process that is stopped, and hear nothing.
class Peer {
 public:
  explicit Peer(std::vector<std::string> answers = {})
      : listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, any, size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    EXPECT_EQ(::getsockname(listener_, any, &size), 0);
    port_ = std::to_string(ntohs(address.sin_port));
    thread_ = std::jthread([this, answers = std::move(answers)] {
      for (const std::string& answer : answers) {
        const int connection = ::accept(listener_, nullptr, nullptr);
        (void)hear(connection, "\r\n\r\n");
        (void)::send(connection, answer.data(), answer.size(), MSG_NOSIGNAL);
        ::close(connection);
      }
    });
  }
  ~Peer() {
    ::shutdown(listener_, SHUT_RDWR);  // the thread waits no more
    thread_.join();
    ::close(listener_);
  }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& port() const { return port_; }
  /// All that the next connection said which heard nothing; nullopt: there is none.
  std::optional<std::string> unheard() const {
    pollfd waiting{listener_, POLLIN, 0};
    if (::poll(&waiting, 1, 0) == 0)
      return std::nullopt;
    const int connection = ::accept(listener_, nullptr, nullptr);
    std::string text = hear(connection, "");
    ::close(connection);
    return text;
  }

 private:
  /// Until `end` was said, or until the other side closes.
  static std::string hear(int connection, const std::string& end) {
    std::string text;
    char block[4096];
    for (ssize_t got; (got = ::recv(connection, block, sizeof block, 0)) > 0;) {
      text.append(block, static_cast<std::size_t>(got));
      if (!end.empty() && text.find(end) != std::string::npos)
        break;
    }
    return text;
  }

  const int listener_;
  std::string port_;
  std::jthread thread_;
};

TEST(Remote, says_soon_of_whom_takes_connections_and_never_answers_what_may_be_wrong) {
  const Peer peer;
  const core::Result<core::Json> answer =
      Remote("127.0.0.1", peer.port(), {.alive_ms = 50}).ask("GET", "/api/v1/queues");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, core::Errc::unavailable);
  EXPECT_EQ(answer.error().message,
            "no answer from the admin address 127.0.0.1:" + peer.port() +
                " within 50ms: sluice is stopped there (`kill -CONT PID` lets it go on), still "
                "starts, or is busy: try again later");
}

TEST(Remote, asks_nothing_of_whom_shows_no_life_that_he_would_do_later) {
  const Peer peer;
  EXPECT_FALSE(
      Remote("127.0.0.1", peer.port(), {.alive_ms = 50}).ask("POST", "/api/v1/queues/jobs/purge"));
  const std::optional<std::string> said = peer.unheard();
  ASSERT_TRUE(said);
  EXPECT_TRUE(said->starts_with("GET /healthz ")) << *said;
  EXPECT_FALSE(peer.unheard());
}

TEST(Remote, gives_whom_is_alive_a_time_of_its_own_to_answer) {
  const Peer peer({kHealthy});
  const core::Result<core::Json> answer =
      Remote("127.0.0.1", peer.port(), {.alive_ms = 60'000, .answer_ms = 50})
          .ask("POST", "/api/v1/queues/jobs/purge");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, core::Errc::unavailable);
  EXPECT_NE(answer.error().message.find(" to POST /api/v1/queues/jobs/purge within 50ms, while it "
                                        "is alive: what was asked may still be done"),
            std::string::npos)
      << answer.error().message;
}

TEST(Remote, asks_whom_answers_at_all_also_one_that_stops) {
  const Peer peer({"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n\r\n{}",
                   "HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{\"queues\":[]}"});
  const core::Result<core::Json> answer =
      Remote("127.0.0.1", peer.port()).ask("GET", "/api/v1/queues");
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_NE(answer->find("queues"), nullptr);
}

TEST(Remote, asks_nothing_of_another_engine_than_was_meant) {
  const std::string other = R"({"status":"ok","pipeline":"p","instance":"2"})";
  for (const std::string& health : {other, std::string("{}"), std::string("no sluice")}) {
    const Peer peer({"HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(health.size()) +
                     "\r\n\r\n" + health});
    const core::Result<core::Json> answer =
        Remote("127.0.0.1", peer.port(), {}, "1").ask("POST", "/api/v1/queues/jobs/purge");
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, core::Errc::unavailable);
    EXPECT_NE(answer.error().message.find("another sluice answers"), std::string::npos)
        << answer.error().message;
    EXPECT_FALSE(peer.unheard());
  }
}

TEST(AddressFile, says_where_an_engine_answers_and_which_one_while_it_runs) {
  std::string folder = (std::filesystem::temp_directory_path() / "sluice-address-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  {
    const core::AddressFile file(folder, core::EngineAddress{{"127.0.0.1", 9640}, "1a"});
    const std::optional<core::EngineAddress> engine = core::read_address_file(folder);
    ASSERT_TRUE(engine);
    EXPECT_EQ(core::to_text(engine->address), "127.0.0.1:9640");
    EXPECT_EQ(engine->instance, "1a");
  }
  EXPECT_FALSE(core::read_address_file(folder));
  std::ofstream(folder + "/admin") << "127.0.0.1:9640\n";
  EXPECT_FALSE(core::read_address_file(folder)) << "it may be anybody's";
  std::filesystem::remove_all(folder);
}

TEST(Remote, waits_for_5_seconds_and_then_for_60) {
  EXPECT_EQ(core::RemoteLimits().alive_ms, 5'000);
  EXPECT_EQ(core::RemoteLimits().answer_ms, 60'000);
}

}  // namespace
}  // namespace sluice::test
