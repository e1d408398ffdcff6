// What is no policy: SNS's words, and the place.
#include "filter/policies.hpp"

namespace sluice::test {
namespace {

struct Fault {
  std::string_view element;  ///< of the array at "k", which begins at column 7
  std::string_view error;
};

void expect_faults(std::initializer_list<Fault> faults, core::FilterProfile profile = kExtended) {
  for (const Fault& f : faults) {
    const std::string policy = "{\"k\":[" + std::string(f.element) + "]}";
    EXPECT_EQ(fault_of(policy, kBody, profile), f.error) << policy;
  }
}

TEST(PolicyError, names_what_is_wrong_with_the_objects_and_where) {
  const Fault faults[] = {
      {"5", "1:1: Filter is not an object"},
      {"\n  []", "2:3: Filter is not an object"},
      {R"({"a":{}})", "1:6: Empty objects are not allowed"},
      {R"({"a":[]})", "1:6: Empty arrays are not allowed"},
      {"{\"a\":[1],\n \"b\":{\"c\":null}}", "2:11: \"c\" must be an object or an array"},
      {R"({"$or":5})", "1:8: \"$or\" must be an object or an array"},
      {R"({"$or":[{"a":[1]},{}]})", "1:19: Empty objects are not allowed"},
      {R"({"$or":[{"a":[1]}]})", "1:10: Unrecognized match type a"},
      {R"({"$or":[]})", "1:8: Empty arrays are not allowed"},
      {R"({"a":["x"])", "1:11: the document ends inside an array or object"},
      {R"({'a':['x']})", "1:2: expected a member name, ',' or '}', not '''"},
      {R"({"a":[01]})", "1:7: \"01\" is no JSON value"}};
  for (const Fault& f : faults) {
    EXPECT_EQ(fault_of(f.element), f.error) << f.element;
  }
}

TEST(PolicyError, names_what_is_no_matcher) {
  expect_faults(
      {{R"(1,[2])", "1:9: Match value must be String, number, true, false, or null"},
       {"{}", "1:7: Match expression name not found"},
       {R"({"Prefix":"x"})", "1:8: Unrecognized match type Prefix"},
       {R"({"suffix":"x","prefix":"y"})", "1:21: Only one key allowed in match expression"},
       {R"({"prefix":1})", "1:17: prefix match pattern must be a string"},
       {R"({"suffix":null})", "1:17: suffix match pattern must be a string"},
       {R"({"equals-ignore-case":["x"]})",
        "1:29: equals-ignore-case match pattern must be a string"},
       {R"({"exactly":1})", "1:18: exact match pattern must be a string"},
       {R"({"prefix":{"wildcard":"x"}})", "1:18: Unsupported prefix pattern: wildcard"},
       {R"({"suffix":{}})", "1:17: Suffix expression name not found"},
       {R"({"suffix":{"equals-ignore-case":1}})",
        "1:39: equals-ignore-case match pattern must be a string"},
       {R"({"exists":"no"})", "1:17: exists match pattern must be either true or false."}});
}

TEST(PolicyError, names_what_is_no_wildcard) {
  expect_faults({{R"({"wildcard":1})", "1:19: wildcard match pattern must be a string"},
                 {R"({"wildcard":"arn:**"})", "1:19: Consecutive wildcard characters at pos 5"},
                 {R"({"wildcard":"a\\"})", "1:19: Invalid escape character at pos 2"},
                 {R"({"wildcard":"\\x"})", "1:19: Invalid escape character at pos 1"}});
}

TEST(PolicyError, names_what_is_no_numeric_expression) {
  expect_faults(
      {{R"({"numeric":1})", "1:18: Value of numeric must be an array."},
       {R"({"numeric":[]})", "1:18: Invalid member in numeric match: ]"},
       {R"({"numeric":[1.0]})", "1:19: Invalid member in numeric match: 1.0"},
       {R"({"numeric":["!=",1]})", "1:19: Unrecognized numeric range operator: !="},
       {R"({"numeric":["="]})", "1:18: Value of equals must be numeric"},
       {R"({"numeric":["<=","1"]})", "1:24: Value of <= must be numeric"},
       {R"({"numeric":["<",1,">",0]})", "1:25: Too many elements in numeric expression"},
       {R"({"numeric":[">",1,2]})", "1:25: Bad value in numeric range: 2"},
       {R"({"numeric":[">",1,">",2]})", "1:25: Bad numeric range operator: >"},
       {R"({"numeric":[">",1,"<"]})", "1:18: Value of < must be numeric"},
       {R"({"numeric":[">=",1,"<=",1]})", "1:31: Bottom must be less than top"},
       {R"({"numeric":[">",1,"<",2,3]})", "1:31: Too many terms in numeric range expression"},
       {R"({"numeric":[">",1e400]})", "1:23: Cannot compare number : 1e400"}});
}

TEST(PolicyError, names_what_is_no_address_block) {
  expect_faults(
      {{R"({"cidr":["x"]})", "1:15: prefix match pattern must be a string"},
       {R"({"cidr":"10.0.0.0"})", "1:15: Malformed CIDR, one '/' required"},
       {R"({"cidr":"10.0.0.0/8/8"})", "1:15: Malformed CIDR, one '/' required"},
       {R"({"cidr":"10.0.0.0/"})", "1:15: Malformed CIDR, one '/' required"},
       {R"({"cidr":"10.0.0.0/8x"})", "1:15: Malformed CIDR, mask bits must be an integer"},
       {R"({"cidr":"10.0.0.0/-1"})", "1:15: Malformed CIDR, mask bits must not be negative"},
       {R"({"cidr":"::ffff:10.0.0.1/8"})", "1:15: Nonstandard IP address: ::ffff:10.0.0.1"},
       {R"({"cidr":"/8"})", "1:15: Nonstandard IP address: "},
       {R"({"cidr":"10.0.0.1/32"})", "1:15: IPv4 mask bits must be < 32"},
       {R"({"cidr":"::1/128"})", "1:15: IPv6 mask bits must be < 128"}});
}

TEST(PolicyError, names_what_cannot_stand_under_anything_but) {
  constexpr std::string_view kNeither =
      "1:23: Value of anything-but must be an array or single string/number value.";
  constexpr std::string_view kMixed =
      "1:23: Inside anything but list, either all values are number or string, mixed type is not "
      "supported";
  expect_faults(
      {{R"({"anything-but":null})", kNeither},
       {R"({"anything-but":["a",null]})",
        "1:28: Inside anything but list, start|null|boolean is not supported."},
       {R"({"anything-but":["a",1]})", kMixed},
       {R"({"anything-but":[]})", kMixed},
       {R"({"anything-but":{}})", "1:23: Anything-But expression name not found"},
       {R"({"anything-but":{"cidr":"x"}})", "1:24: Unsupported anything-but pattern: cidr"},
       {R"({"anything-but":{"prefix":""}})", "1:33: Null prefix/suffix not allowed"},
       {R"({"anything-but":{"suffix":["a",1]}})",
        "1:38: prefix/suffix match pattern must be a string"},
       {R"({"anything-but":{"prefix":[]}})", "1:33: Empty arrays are not allowed"},
       {R"({"anything-but":{"wildcard":[1]}})", "1:36: wildcard match pattern must be a string"},
       {R"({"anything-but":{"prefix":"a","x":1}})",
        "1:37: Only one key allowed in match expression"}});
}

TEST(PolicyError, of_sns_refuses_the_operators_that_only_event_ruler_knows) {
  expect_faults(
      {{R"({"prefix":{"equals-ignore-case":"x"}})", "1:17: prefix match pattern must be a string"},
       {R"({"suffix":{"equals-ignore-case":"x"}})", "1:17: suffix match pattern must be a string"},
       {R"({"anything-but":{"suffix":"x"}})", "1:24: Unsupported anything-but pattern: suffix"},
       {R"({"anything-but":{"equals-ignore-case":"x"}})",
        "1:24: Unsupported anything-but pattern: equals-ignore-case"},
       {R"({"anything-but":{"prefix":["x"]}})", "1:33: prefix match pattern must be a string"},
       {R"({"anything-but":{"prefix":"x"}})", ""},
       {R"({"anything-but":{"wildcard":["x*"]}})", ""},
       {R"({"wildcard":"*x*"})", ""}},
      kSns);
}

}  // namespace
}  // namespace sluice::test
