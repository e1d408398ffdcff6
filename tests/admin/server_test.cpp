// The admin address over a real socket: what it answers, and what it does with bad clients.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "admin/remote_queues.hpp"
#include "admin/server.hpp"
#include "stored.hpp"
#include "support/no_threads.hpp"

namespace sluice::test {
namespace {

using core::AdminServer;

/// A connection that says what it is told.
class Client {
 public:
  explicit Client(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ =
        ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  ~Client() { ::close(descriptor_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return connected_; }
  void say(const std::string& text) const {
    (void)!::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// All until the server closes.
  std::string hear() const {
    std::string text;
    char block[4096];
    for (ssize_t got; (got = ::recv(descriptor_, block, sizeof block, 0)) > 0;) {
      text.append(block, static_cast<std::size_t>(got));
    }
    return text;
  }

 private:
  int descriptor_;
  bool connected_;
};

class Server : public testing::Test {
 protected:
  Server() {
    core::Result<std::unique_ptr<AdminServer>> listening = AdminServer::listen({"127.0.0.1", 0});
    EXPECT_TRUE(listening);
    server = std::move(*listening);
    EXPECT_TRUE(server->serve(
        "p", *stored.queues, services, [] { return core::Snapshot(); }, [] { return false; }));
    port = server->address().port;
  }

  Stored stored;
  StoppedServices services;
  std::unique_ptr<AdminServer> server;
  std::uint16_t port;
};

TEST(ServerWithoutThreads, is_unavailable) {
  Stored stored;
  StoppedServices services;
  const core::Result<std::unique_ptr<AdminServer>> listening = AdminServer::listen({"127.0.0.1", 0});
  ASSERT_TRUE(listening);
  const NoThreads none;
  const core::Result<void> served = (*listening)->serve(
      "p", *stored.queues, services, [] { return core::Snapshot(); }, [] { return false; });
  ASSERT_FALSE(served);
  EXPECT_EQ(served.error().code, core::Errc::unavailable);
  EXPECT_EQ(served.error().message, "admin cannot start a thread: Resource temporarily unavailable");
}

TEST_F(Server, answers_the_same_as_the_queues_themselves) {
  core::RemoteQueues remote("127.0.0.1", std::to_string(port));
  const core::Result<std::vector<core::QueueFacts>> all = remote.list();
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 2u);
  EXPECT_EQ((*all)[1].visible, 2u);
  const core::Result<core::Peeked> letters = remote.peek("jobs-dead", 1);
  ASSERT_TRUE(letters);
  ASSERT_EQ(letters->messages.size(), 1u);
  EXPECT_EQ(letters->messages[0] + "\n", Stored::letter(1, "damaged"));
  EXPECT_FALSE(letters->more);
  EXPECT_EQ(remote.redrive("jobs-dead", {.reason = "denied"})->marked, 1u);
  EXPECT_EQ(remote.redrive_status("jobs-dead")->marked, 1u);
  EXPECT_EQ(remote.cancel_redrive("jobs-dead")->state, core::RedriveState::cancelled);
  EXPECT_EQ(*remote.purge("jobs-dead"), 2u);
}

TEST_F(Server, does_only_what_is_asked_of_the_engine_that_it_is) {
  const std::string port_text = std::to_string(port);
  core::RemoteQueues killed("127.0.0.1", port_text, "of an engine that had the address before");
  const core::Result<std::uint64_t> refused = killed.purge("jobs-dead");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, core::Errc::unavailable);
  core::RemoteQueues meant("127.0.0.1", port_text, server->instance());
  EXPECT_EQ(*meant.purge("jobs-dead"), 2u);
  EXPECT_NE((*AdminServer::listen({"127.0.0.1", 0}))->instance(), server->instance());
}

TEST_F(Server, says_that_there_is_more_than_a_peek_shows) {
  std::string text;
  for (int number : {1, 2, 3}) {
    std::string letter = Stored::letter(number, "damaged");
    text += letter.replace(letter.find("body "), 5, std::string(600 << 10, 'x'));
  }
  stored.storage.put("state/dead-letters/jobs-dead.jsonl", text);
  const core::Result<core::Peeked> letters =
      core::RemoteQueues("127.0.0.1", std::to_string(port)).peek("jobs-dead", 10);
  ASSERT_TRUE(letters);
  EXPECT_EQ(letters->messages.size(), 1u);
  EXPECT_TRUE(letters->more);
}

TEST_F(Server, passes_errors_on_as_they_are) {
  core::RemoteQueues remote("127.0.0.1", std::to_string(port));
  EXPECT_EQ(remote.peek("job", 1).error().code, core::Errc::missing_input);
  EXPECT_EQ(remote.redrive("jobs", {}).error().code, core::Errc::usage);
  server.reset();
  EXPECT_EQ(remote.list().error().code, core::Errc::unavailable);
}

TEST_F(Server, keeps_a_connection_for_further_requests) {
  Client client(port);
  client.say(
      "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /api/v1/queues HTTP/1.1\r\nHost: "
      "127.0.0.1\r\nConnection: close\r\n\r\n");
  const std::string heard = client.hear();
  EXPECT_NE(heard.find("\"status\":\"ok\""), std::string::npos) << heard;
  EXPECT_NE(heard.find("\"pipeline\":\"p\""), std::string::npos) << heard;
}

TEST_F(Server, answers_head_without_a_body) {
  Client client(port);
  client.say(
      "HEAD /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: "
      "127.0.0.1\r\nConnection: close\r\n\r\n");
  const std::string heard = client.hear();
  const std::size_t second = heard.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos) << heard;
  EXPECT_EQ(heard.substr(second - 4, 4), "\r\n\r\n") << heard;
}

TEST_F(Server, names_the_methods_that_would_do) {
  Client client(port);
  client.say("PUT /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n");
  EXPECT_NE(client.hear().find("\r\nAllow: GET, HEAD\r\n"), std::string::npos);
}

TEST_F(Server, refuses_what_is_no_request_and_what_is_too_long_and_goes_on) {
  const std::pair<const char*, std::string> cases[] = {
      {"400", "hello\r\n\r\n"},
      {"400", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"},
      {"400",
       "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n"},
      {"413", "POST /api/v1/queues/jobs/redrive HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n{"},
      {"431", "GET /healthz HTTP/1.1\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"}};
  for (const auto& [status, said] : cases) {
    Client client(port);
    client.say(said);
    const std::string heard = client.hear();
    EXPECT_TRUE(heard.starts_with(std::string("HTTP/1.1 ") + status))
        << said.substr(0, 40) << "...: " << heard;
  }
  Client(port).say("GET /hea");  // and gone
  EXPECT_TRUE(core::RemoteQueues("127.0.0.1", std::to_string(port)).list());
}

TEST_F(Server, bounds_all_of_a_request_and_not_its_parts_alone) {
  const std::string post =
      "POST /api/v1/queues/jobs-dead/redrive HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string fields = "GET /healthz HTTP/1.1\r\n";
  for (int i = 0; i < 100; ++i)  // so whole fields are all that a read brings
    fields += "X: " + std::string(512 - (i == 0 ? fields.size() : 0) - 5, 'x') + "\r\n";
  const std::pair<const char*, std::string> cases[] = {
      {"431", fields + "Connection: close\r\n\r\n"},
      {"413", post + "1;" + std::string(200'000, 'x')},         // a chunk's extension
      {"413", post + "0\r\nX: " + std::string(200'000, 'x')}};  // the trailer
  for (const auto& [status, said] : cases) {
    Client client(port);
    client.say(said);
    const std::string heard = client.hear();
    EXPECT_TRUE(heard.starts_with(std::string("HTTP/1.1 ") + status)) << heard;
  }
}

TEST_F(Server, takes_a_body_of_64_kib_and_none_that_is_longer) {
  for (const std::size_t size : {64 << 10, (64 << 10) + 1}) {
    Client client(port);
    client.say(
        "POST /api/v1/queues/jobs-dead/redrive HTTP/1.1\r\nConnection: close\r\nContent-Length: " +
        std::to_string(size) + "\r\n\r\n" + std::string(size, ' '));
    const std::string heard = client.hear();
    EXPECT_NE(heard.find(size == 64 << 10 ? "the body is no JSON" : "HTTP/1.1 413 "),
              std::string::npos)
        << heard;
  }
}

TEST_F(Server, takes_a_body_in_chunks_and_the_request_behind_it) {
  Client client(port);
  client.say(
      "POST /api/v1/queues/jobs-dead/redrive HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "a;why=not\r\n{\"reason\":\r\na\r\n\"damaged\"}\r\n0\r\nX: y\r\n\r\n"
      "GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n");
  const std::string heard = client.hear();
  EXPECT_TRUE(heard.starts_with("HTTP/1.1 202 ")) << heard;
  EXPECT_NE(heard.find("\"marked\":1"), std::string::npos) << heard;
  EXPECT_NE(heard.find("\"status\":\"ok\""), std::string::npos) << heard;
}

TEST_F(Server, takes_nothing_of_a_body_whose_end_is_unknown_for_the_next_request) {
  const std::string purge = "POST /api/v1/queues/jobs-dead/purge HTTP/1.1\r\n\r\n";
  for (const char* header :
       {"1.1\r\nTransfer-Encoding: gzip\r\n", "1.1\r\nTransfer-Encoding: chunked, gzip\r\n",
        "1.1\r\nTransfer-Encoding: gzip\r\nContent-Length: 0\r\n",
        "1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: identity\r\n"}) {
    Client client(port);
    client.say("GET /healthz HTTP/" + std::string(header) + "\r\n" + purge);
    const std::string heard = client.hear();
    EXPECT_TRUE(heard.starts_with("HTTP/1.1 400 ") || heard.starts_with("HTTP/1.0 400 ")) << heard;
    EXPECT_NE(heard.find("bad Transfer-Encoding"), std::string::npos) << heard;
    EXPECT_EQ(heard.find("purged"), std::string::npos) << heard;
  }
}

TEST_F(Server, answers_503_beyond_its_limit_of_connections_and_serves_again_when_others_are_gone) {
  std::vector<std::unique_ptr<Client>> idle;
  for (int i = 0; i < 32; ++i) {
    idle.push_back(std::make_unique<Client>(port));
    ASSERT_TRUE(idle.back()->connected());
  }
  core::RemoteQueues remote("127.0.0.1", std::to_string(port));
  for (int i = 0; i < 100; ++i) {  // more than it keeps open for their answer
    Client late(port);
    late.say("GET /healthz HTTP/1.1\r\n\r\n");
    const std::string heard = late.hear();
    ASSERT_TRUE(heard.starts_with("HTTP/1.1 503 ")) << heard;
    EXPECT_NE(heard.find("\r\nRetry-After: 1\r\n"), std::string::npos) << heard;
    EXPECT_TRUE(heard.ends_with("}\n")) << heard;
  }
  EXPECT_NE(remote.list().error().message.find("all 32 connections"), std::string::npos);
  core::RemoteQueues of_this_engine("127.0.0.1", std::to_string(port), "1");
  EXPECT_NE(of_this_engine.list().error().message.find("all 32 connections"), std::string::npos)
      << "not that it is another engine";
  idle.clear();
  bool served = false;
  for (int i = 0; i < 1000 && !served; ++i) {
    served = remote.list().has_value();  // the closed ones are noticed one by one
  }
  EXPECT_TRUE(served);
}

TEST(AdminServer, says_that_an_address_is_taken) {
  core::Result<std::unique_ptr<AdminServer>> first = AdminServer::listen({"127.0.0.1", 0});
  ASSERT_TRUE(first);
  core::Result<std::unique_ptr<AdminServer>> second = AdminServer::listen((*first)->address());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, core::Errc::unavailable);
  EXPECT_NE(second.error().message.find("choose another"), std::string::npos);
}

}  // namespace
}  // namespace sluice::test
