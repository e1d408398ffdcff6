// Where a server listens.
#include <gtest/gtest.h>

#include "base/listen_address.hpp"

namespace sluice::test {
namespace {

TEST(ListenAddress, is_an_ip_address_and_a_port) {
  for (const char* text : {"127.0.0.1:9640", "0.0.0.0:0", "[::1]:65535", "[::]:80"}) {
    const core::Result<core::ListenAddress> address = core::parse_listen_address(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(core::to_text(*address), text);
  }
  EXPECT_EQ(core::to_text(*core::parse_listen_address("localhost:1")), "127.0.0.1:1");
}

TEST(ListenAddress, refuses_the_rest) {
  for (const char* text : {"", ":", "9640", ":9640", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:1x",
                           "256.0.0.1:1", "::1:80", "[127.0.0.1]:80", "[::1", "example.com:80", "127.0.0.1 :80"}) {
    const core::Result<core::ListenAddress> address = core::parse_listen_address(text);
    ASSERT_FALSE(address) << text;
    EXPECT_NE(address.error().message.find("127.0.0.1:9640"), std::string::npos);
  }
}

TEST(ListenAddress, knows_whether_others_reach_it) {
  for (const char* text : {"127.0.0.1:1", "127.255.0.9:1", "[::1]:1", "[0:0:0:0:0:0:0:1]:1", "[::0.0.0.1]:1", "[::ffff:127.0.0.1]:1",
                           "[::FFFF:7f00:2]:1"}) {
    EXPECT_TRUE(core::parse_listen_address(text)->is_loopback()) << text;
  }
  for (const char* text : {"0.0.0.0:1", "128.0.0.1:1", "[::]:1", "[::2]:1", "[1::1]:1", "[::ffff:10.0.0.1]:1", "[::127.0.0.1]:1"}) {
    EXPECT_FALSE(core::parse_listen_address(text)->is_loopback()) << text;
  }
}

}  // namespace
}  // namespace sluice::test
