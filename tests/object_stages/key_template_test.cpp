#include "support/key_template.hpp"

#include <gtest/gtest.h>

#include <string>

#include "object_stages/harness.hpp"
#include "support/uuid.hpp"

namespace sluice::support {
namespace {

class Templates : public testing::Test {
 protected:
  /// The text, or "missing: ..." or "wrong: ...".
  std::string expand(std::string_view text, const test::Attributes& attributes,
                     std::optional<std::string_view> body = std::nullopt) {
    const auto parsed = KeyTemplate::parse(text);
    if (!parsed)
      return "wrong: " + parsed.error();
    test::Messages messages;
    const std::uint32_t index = messages.add("", attributes);
    const auto result =
        parsed->expand({Message(&messages[index]), body, "resize-16-3", 1'767'225'600'123});
    return result ? *result : "missing: " + result.error();
  }
};

TEST_F(Templates, each_name_stands_for_its_value) {
  const test::Attributes photo = {{"s3.key", "icons/a/b c.tar.gz"},
                                  {"s3.prefix", "icons/"},
                                  {"event", "signup"},
                                  {"width", "16"},
                                  {"height", "8"}};
  struct Case {
    const char* text;
    const char* expected;
  };
  for (const Case& one : {
           Case{"plain", "plain"},
           Case{"{key}", "icons/a/b c.tar.gz"},
           Case{"icons-size-16/{key_after_prefix}", "icons-size-16/a/b c.tar.gz"},
           Case{"{key_dir}|{key_base}|{key_ext}", "icons/a|b c.tar|gz"},
           Case{"{key_dir}/{key_base}.{key_ext}", "icons/a/b c.tar.gz"},
           Case{"{attribute:event}/{width}x{height}", "signup/16x8"},
           Case{"{id}", "00010203-0405-0607-0809-0a0b0c0d0e0f"},
           Case{"{now} {now_ms}", "2026-01-01T00:00:00.123Z 1767225600123"},
           Case{"{worker}/{receive_count}", "resize-16-3/1"},
           Case{"{{key}} {{{key_ext}}} {{", "{key} {gz} {"},
           Case{"a}b", "a}b"},
       }) {
    EXPECT_EQ(expand(one.text, photo), one.expected) << one.text;
  }
}

TEST_F(Templates, a_key_without_folder_or_extension_leaves_no_trace_of_them) {
  struct Case {
    const char* key;
    const char* expected;
  };
  for (const Case& one : {Case{"a.png", "a.png"}, Case{"a", "a"}, Case{"x/.bashrc", "x/.bashrc"},
                          Case{"x/y/a", "x/y/a"}, Case{"..a", "..a"}}) {
    EXPECT_EQ(expand("{key_dir}/{key_base}.{key_ext}", {{"s3.key", one.key}}), one.expected);
  }
}

TEST_F(Templates, the_prefix_decides_what_comes_after_it) {
  EXPECT_EQ(expand("{key_after_prefix}", {{"s3.key", "a/b/c"}, {"s3.prefix", "a/b"}}), "/c");
  EXPECT_EQ(expand("{key_after_prefix}", {{"s3.key", "a/b/c"}, {"s3.prefix", ""}}), "a/b/c");
  EXPECT_EQ(expand("{key_after_prefix}", {{"s3.key", "a/b/c"}}), "b/c");
  EXPECT_EQ(expand("{key_after_prefix}", {{"s3.key", "a/b/c"}, {"s3.prefix", "other/"}}), "b/c");
  EXPECT_EQ(expand("{key_after_prefix}", {{"s3.key", "abc"}}), "abc");
}

TEST_F(Templates, braces_in_a_value_stay_what_they_are) {
  EXPECT_EQ(expand("x/{key}", {{"s3.key", "{id}{{y}}{attribute:z}"}}), "x/{id}{{y}}{attribute:z}");
}

TEST_F(Templates, a_scalar_of_the_body_is_found_by_its_pointer) {
  const std::string body = R"({"a":{"b~/c":["x",7,1.5,true,null,{}]},"big":18446744073709551615})";
  EXPECT_EQ(expand("{body:/a/b~0~1c/0}", {}, body), "x");
  EXPECT_EQ(expand("{body:/a/b~0~1c/1}-{body:/a/b~0~1c/2}", {}, body), "7-1.5");
  EXPECT_EQ(expand("{body:/a/b~0~1c/3}", {}, body), "true");
  EXPECT_EQ(expand("{body:/big}", {}, body), "18446744073709551615");
  EXPECT_EQ(expand("{body:}", {}, "\"whole\""), "whole");
  for (const char* text :
       {"{body:/a}", "{body:/a/b~0~1c/4}", "{body:/a/b~0~1c/5}", "{body:/none}"}) {
    EXPECT_NE(expand(text, {}, body).find("missing: the message has no scalar at"),
              std::string::npos);
  }
  EXPECT_NE(expand("{body:/a}", {}, "{broken").find("missing"), std::string::npos);
  EXPECT_NE(expand("{body:/a}", {}).find("missing"), std::string::npos);
}

TEST_F(Templates, the_whole_body_stands_for_itself_whatever_it_is) {
  EXPECT_EQ(expand("<{body}>", {}, "no {json}, \n\xff"), "<no {json}, \n\xff>");
  EXPECT_EQ(expand("{uuid5:{body}}", {}, "a/k"), to_text(uuid5(kNameSpace, "a/k")));
  EXPECT_EQ(expand("{body}", {}), "missing: the message has no body in memory");
  EXPECT_TRUE(KeyTemplate::parse("{uuid5:{body}}")->needs_body());
  EXPECT_FALSE(KeyTemplate::parse("{{body}")->needs_body());
}

TEST_F(Templates, a_missing_value_is_named) {
  EXPECT_EQ(expand("{key}", {}), "missing: the message has no attribute \"s3.key\"");
  EXPECT_EQ(expand("x{attribute:event}", {}), "missing: the message has no attribute \"event\"");
  EXPECT_EQ(expand("{width}", {}), "missing: the message has no attribute \"width\"");
  EXPECT_EQ(expand("{uuid5:{key}}", {}), "missing: the message has no attribute \"s3.key\"");
  EXPECT_EQ(expand("<{attribute:event}>", {{"event", ""}}), "<>");
}

TEST_F(Templates, uuids_are_random_or_follow_from_their_text) {
  EXPECT_EQ(expand("{uuid5:a/{key}}", {{"s3.key", "k"}}), to_text(uuid5(kNameSpace, "a/k")));
  const std::string random = expand("{uuid}", {});
  EXPECT_EQ(random.size(), 36U);
  EXPECT_EQ(random[14], '4');
  EXPECT_NE(random, expand("{uuid}", {}));
}

TEST_F(Templates, a_wrong_template_is_refused_with_its_place) {
  struct Case {
    const char* text;
    const char* fault;
  };
  for (const Case& one : {
           Case{"", "is empty"},
           Case{"a/{kye}", "unknown name \"kye\" (known: key key_after_prefix"},
           Case{"a/{kye}", "at character 3"},
           Case{"{}", "unknown name \"\""},
           Case{"{key", "without \"}\""},
           Case{"abc{", "at character 4"},
           Case{"{key{id}}", "without \"}\""},
           Case{"{attribute}", "needs an argument"},
           Case{"{attribute:}", "needs the attribute's name"},
           Case{"{attribute:x", "without \"}\""},
           Case{"{body:a}", "is no JSON pointer"},
           Case{"{body:/a~2}", "is no JSON pointer"},
           Case{"{key:x}", "unknown name \"key\""},
           Case{"{uuid5:{key}", "without \"}\""},
           Case{"{uuid5:{uuid5:{uuid5:{uuid5:{uuid5:x}}}}}", "nested too deeply"},
       }) {
    const std::string result = expand(one.text, {});
    EXPECT_EQ(result.find("wrong: "), 0U) << one.text;
    EXPECT_NE(result.find(one.fault), std::string::npos) << one.text << " gave " << result;
  }
}

// seed-systems.md and csv-import.md give these ids, made by another program.
TEST(Uuids, version_5_agrees_with_the_vectors) {
  const std::string name(
      "bucket/todos.csv\0\"9b2cf535f27731c974343645a3985328\"\0"
      "1",
      53);
  EXPECT_EQ(to_text(uuid5(kNameSpace, name)), "f051ba35-3d8c-56bb-a2c0-2b9594d0e9be");
}

}  // namespace
}  // namespace sluice::support
