// What stands at a JSON pointer of a body, and what is no body at all.
#include "attributes/pointers.hpp"

#include <gtest/gtest.h>
#include <sluice/plugin.h>

namespace sluice::attributes {
namespace {

/// "TYPE:VALUE" of what `pointer` finds, "-" for nothing, "!" where the body is no JSON.
std::string at(std::string_view pointer, std::string_view body) {
  const auto pointers = Pointers::parse(R"({"a":")" + std::string(pointer) + R"("})");
  if (!pointers)
    return pointers.error();
  support::JsonReader reader;
  std::vector<Found> found;
  if (!pointers->read(reader, body, found))
    return "!";
  return found[0].there ? std::to_string(found[0].type) + ":" + found[0].value : "-";
}

TEST(Pointers, the_json_type_decides_the_attribute_type) {
  EXPECT_EQ(at("/x", R"({"x":"signup"})"), "1:signup");
  EXPECT_EQ(at("/x", R"({"x":"a\u00e9\n"})"), "1:aé\n");
  EXPECT_EQ(at("/x", R"({"x":true})"), "1:true");
  EXPECT_EQ(at("/x", R"({"x":-1.50})"), "2:-1.50");
  EXPECT_EQ(at("/x", R"({"x":12345678901234567890123456789012345678})"),
            "2:12345678901234567890123456789012345678");
  EXPECT_EQ(at("/x", R"({"x":[ "a" , 1, null, "[{" ]})"), R"(3:["a",1,null,"[{"])");
  EXPECT_EQ(at("/x", R"({"x":[]})"), "3:[]");
}

TEST(Pointers, what_no_attribute_can_be_counts_as_missing) {
  for (const char* body : {R"({"x":null})", R"({})", R"({"y":1})", R"({"x":{}})", R"({"x":[[1]]})",
                           R"({"x":[{"y":1}]})", R"([1])", R"("x")", "5"}) {
    EXPECT_EQ(at("/x", body), "-") << body;
  }
}

TEST(Pointers, lead_through_objects_and_arrays_as_rfc_6901_says) {
  EXPECT_EQ(at("/a/b/1", R"({"a":{"b":[1,"two"],"c":2}})"), "1:two");
  EXPECT_EQ(at("/a/b", R"({"a":{"b":[1,"two"]}})"), R"(3:[1,"two"])");
  EXPECT_EQ(at("", R"(["x"])"), R"(3:["x"])");
  EXPECT_EQ(at("", R"("x")"), "1:x");
  EXPECT_EQ(at("/a~1b/~0", R"({"a/b":{"~":7}})"), "2:7");
  EXPECT_EQ(at("/", R"({"":7})"), "2:7");
  EXPECT_EQ(at("/event", R"({"\u0065vent":7})"), "2:7");
  EXPECT_EQ(at("/01", R"(["a","b"])"), "-");
  EXPECT_EQ(at("/a", R"({"a":1,"a":2})"), "2:2");
}

TEST(Pointers, a_list_and_an_item_of_it_can_both_be_asked_for) {
  const auto pointers = Pointers::parse(R"({"all":"/l","one":"/l/0","same":"/l"})");
  ASSERT_TRUE(pointers);
  support::JsonReader reader;
  std::vector<Found> found;
  ASSERT_TRUE(pointers->read(reader, R"({"l": [ "x", 2 ] , "m": 1})", found));
  EXPECT_EQ(found[0].value, R"(["x",2])");
  EXPECT_EQ(found[1].value, "x");
  EXPECT_EQ(found[2].value, R"(["x",2])");
}

TEST(Pointers, a_body_that_is_broken_anywhere_is_no_json) {
  for (const char* body :
       {"", " ", "oops", "{", R"({"x":1)", R"({"x":1}})", R"({"x":1} {})", R"({"x":1,})", "1 2",
        "1,2", "],[", R"({"x":1,"y":tru})", R"({"x":1,"y":01})", R"({"x":1,"y":"\q"})",
        R"({"x":1 "y":2})", "{\"x\":\"\xff\"}", R"({"x":"\ud800"})", R"({"x":1,"y":[1,{"z":}]})",
        "\"a"}) {
    EXPECT_EQ(at("/x", body), "!") << body;
  }
  EXPECT_EQ(at("/x", std::string(1000, '[')), "!");
  EXPECT_EQ(at("/x", std::string(1000, '[') + std::string(1000, ']')), "!");
}

TEST(Pointers, options_that_make_no_sense_are_refused) {
  for (const char* bad : {"[]", R"("x")", R"({"":"/x"})", R"({"a":"x"})", R"({"a":"/~2"})",
                          R"({"a":"/~"})", R"({"a":5})", R"({"a":"/x","a":"/y"})"}) {
    EXPECT_FALSE(Pointers::parse(bad)) << bad;
  }
}

}  // namespace
}  // namespace sluice::attributes
