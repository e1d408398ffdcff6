#include "plugin/templates.hpp"

#include <gtest/gtest.h>

namespace sluice::core {
namespace {

TEST(Templates, every_name_of_the_contract_is_known) {
  for (std::string_view text :
       {"", "plain", "icons-16/{key_after_prefix}", "{key}{key_dir}{key_base}{key_ext}",
        "{id}{uuid}{now}{now_ms}", "{hostname}{worker}{receive_count}{width}{height}",
        "{attribute:s3.key}", "{attribute:a:b}", "{body}", "{body:}", "{body:/a/0/b~1c}", "{uuid5:text}",
        "{uuid5:{key}-{width}}", "{{literal}", "{{{key}", "a}b"}) {
    EXPECT_EQ(template_fault(text).value_or(""), "") << text;
  }
}

TEST(Templates, faults_say_what_and_what_to_do) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"{kye}", "did you mean \"key\"?"},
      {"{}", "unknown name \"{}\""},
      {"{ key }", "unknown name"},
      {"a{key", "'{' without its '}' at character 2"},
      {"{uuid5:{key}", "without its '}'"},
      {"{attribute}", "write {attribute:...}"},
      {"{attribute:}", "without the attribute's name"},
      {"{key:x}", "takes none"},
      {"{body:a}", "no JSON pointer"},
      {"{uuid5:{kee}}", "did you mean \"key\"?"},
      {"{uuid5:{uuid5:{uuid5:{uuid5:{uuid5:x}}}}}", "nested"}};
  for (const auto& [text, says] : cases) {
    EXPECT_NE(template_fault(text).value_or("").find(says), std::string::npos)
        << text << ": " << template_fault(text).value_or("no fault");
  }
}

TEST(Templates, a_hostile_template_is_judged_in_bounded_depth) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) {
    text += "{uuid5:";
  }
  EXPECT_TRUE(template_fault(text).has_value());
  EXPECT_TRUE(template_fault(text + std::string(100'000, '}')).has_value());
}

}  // namespace
}  // namespace sluice::core
