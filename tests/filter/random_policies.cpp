#include "filter/random_policies.hpp"

#include <fmt/format.h>
#include <sluice/plugin.h>

#include <algorithm>
#include <functional>
#include <string_view>
#include <vector>

namespace sluice::test {

namespace {

/// One of `texts`.
std::string one_of(std::initializer_list<std::string_view> texts) {
  return std::string(*rc::gen::elementOf(std::vector<std::string_view>(texts)));
}

/// Evenly below `end`, whatever rapidcheck's size: small cases come from few members, not from
/// zeros.
int below(int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(0, end));
}

std::string name() {
  return one_of({R"("k")", R"("m")", R"("p")", R"("k.m")"});
}

std::string string() {
  return one_of({R"("a")", R"("ab")", R"("A")", R"("x.y")", R"("a*b")", R"("é")", R"("É")",
                 R"("1")", R"("10.0.0.1")", R"("::1")", R"("true")", R"("\u0000\"")"});
}

std::string number() {
  return one_of({"0", "-0.0", "1", "2.5", "1e3", "-7.25", "9007199254740993", "1e400"});
}

std::string list(int most, const std::function<std::string()>& element) {
  std::string text = "[" + element();
  for (int more = below(most); more > 0; --more) {
    text += "," + element();
  }
  return text + "]";
}

std::string wildcard() {
  return one_of({R"("*")", R"("a*")", R"("*b")", R"("*a*b*")", R"("a\\*b")", R"("x*y*\\\\")"});
}

std::string numeric() {
  return one_of(
      {R"(["=",1])", R"(["<",1])", R"([">=",0])", R"([">",-8,"<=",2.5])", R"([">=",0,"<",1e3])"});
}

std::string excluded() {
  switch (below(5)) {
    case 0:
      return list(3, string);
    case 1:
      return list(3, number);
    case 2:
      return fmt::format(R"({{"prefix":{}}})", one_of({R"("a")", R"(["a","x"])"}));
    case 3:
      return fmt::format(R"({{"equals-ignore-case":{}}})", list(2, string));
    default:
      return fmt::format(R"({{"wildcard":{}}})", list(2, wildcard));
  }
}

std::string element() {
  switch (below(11)) {
    case 0:
      return number();
    case 1:
      return one_of({"true", "false", "null"});
    case 2:
      return fmt::format(R"({{"{}":{}}})", one_of({"prefix", "suffix"}), string());
    case 3:
      return fmt::format(R"({{"equals-ignore-case":{}}})", string());
    case 4:
      return fmt::format(R"({{"wildcard":{}}})", wildcard());
    case 5:
      return fmt::format(R"({{"numeric":{}}})", numeric());
    case 6:
      return fmt::format(R"({{"exists":{}}})", one_of({"true", "false"}));
    case 7:
      return fmt::format(R"({{"cidr":"{}"}})", one_of({"10.0.0.0/8", "::/0", "0.0.0.0/0"}));
    case 8:
      return fmt::format(R"({{"anything-but":{}}})", excluded());
    default:
      return string();
  }
}

std::string object(int depth, bool nested) {
  std::string text;
  for (int members = 1 + below(depth == 0 ? 3 : 2); members > 0; --members) {
    text += text.empty() ? "{" : ",";
    const int form = depth == 0 ? 0 : below(4);
    if (form == 3) {
      text += "\"$or\":[" + object(depth - 1, nested) + "," + object(depth - 1, nested) + "]";
    } else if (form == 2 && nested) {
      text += name() + ":" + object(depth - 1, nested);
    } else {
      text += name() + ":" + list(3, element);
    }
  }
  return text + "}";
}

std::string body_value(int depth);

std::string body_object(int depth) {
  std::string text;
  for (int members = below(4); members > 0; --members) {
    text += (text.empty() ? "" : ",") + name() + ":" + body_value(depth);
  }
  return "{" + text + "}";
}

std::string body_value(int depth) {
  switch (below(depth == 0 ? 4 : 8)) {
    case 0:
      return number();
    case 1:
      return one_of({"true", "false", "null", "[]", "{}"});
    case 2:
    case 3:
      return string();
    case 4:
    case 5:
      return body_object(depth - 1);
    default:
      return list(3, [depth] { return body_value(depth - 1); });
  }
}

std::string elements_value(int depth, bool twice);

std::string elements_object(int depth, bool twice) {
  std::string text;
  for (const char* member : {"a", "b", "c"}) {
    for (int times = below(twice && below(4) == 0 ? 3 : 2); times > 0; --times) {
      text += (text.empty() ? "" : ",") + fmt::format(R"("{}":)", member) +
              elements_value(depth, twice);
    }
  }
  return "{" + text + "}";
}

std::string elements_value(int depth, bool twice) {
  if (depth == 0 || below(3) == 0) {
    return one_of({"1", "1", "2"});
  }
  const auto inner = [&] {
    return below(3) == 0 ? elements_value(depth - 1, twice) : elements_object(depth - 1, twice);
  };
  return below(4) == 0 ? inner() : list(3, inner);
}

std::string scalar() {
  return below(3) == 0 ? number()
                       : one_of({"true", "false", "null", R"("a")", R"("ab")", R"("A")", R"("1")",
                                 R"("x.y")"});
}

}  // namespace

rc::Gen<std::string> arbitrary_attribute(std::uint32_t type) {
  return rc::gen::exec([type]() -> std::string {
    if (below(16) == 0) {
      return one_of({"x", "[", "[1,]", "{}", "[[1]]", "1x", "null"});
    }
    if (type == SLUICE_STRING_ARRAY) {
      return below(5) == 0 ? "[]" : list(3, scalar);
    }
    return type == SLUICE_NUMBER
               ? number()
               : one_of({"a", "ab", "A", "x.y", "a*b", "é", "10.0.0.1", "1", "true", ""});
  });
}

rc::Gen<std::string> arbitrary_body() {
  return rc::gen::exec([] { return body_object(3); });
}

rc::Gen<std::string> arbitrary_elements(bool twice) {
  return rc::gen::exec([twice] { return elements_object(3, twice); });
}

rc::Gen<std::string> arbitrary_element_policy() {
  return rc::gen::exec([] {
    std::string text;
    for (int members = 3 + below(4); members > 0; --members) {
      std::string path;
      for (int steps = 1 + below(3); steps > 0; --steps) {
        path += (path.empty() ? "" : ".") + one_of({"a", "b", "c"});
      }
      const std::string matchers = one_of({"[1]", "[1]", "[2]", R"([{"exists":false}])",
                                           R"([1,{"exists":false}])", R"([{"exists":true}])"});
      text += fmt::format(R"({}"{}":{})", text.empty() ? "" : ",", path, matchers);
    }
    return "{" + text + "}";
  });
}

rc::Gen<std::string> arbitrary_pattern() {
  return rc::gen::exec([] {
    std::string text = "\"", part;
    for (int parts = below(6); parts > 0; --parts) {
      part = part == "*" ? one_of({"a", "b", "ab", R"(\\*)", R"(\\\\)"})
                         : one_of({"a", "b", "*", "*", R"(\\*)", R"(\\\\)"});
      text += part;
    }
    return text + "\"";
  });
}

rc::Gen<std::string> arbitrary_policy(bool nested) {
  return rc::gen::exec([nested] { return object(2, nested); });
}

rc::Gen<std::string> mutation_of(std::string text) {
  return rc::gen::exec([text] {
    std::string changed = text;
    for (int rounds = 1 + below(8); rounds > 0 && !changed.empty(); --rounds) {
      const auto size = static_cast<int>(changed.size());
      const auto at = static_cast<std::size_t>(below(size));
      const auto length = static_cast<std::size_t>(1 + below(8));
      switch (below(4)) {
        case 0:
          changed[at] = *rc::gen::arbitrary<char>();
          break;
        case 1:
          changed.erase(at, length);
          break;
        case 2:
          changed.insert(static_cast<std::size_t>(below(size)), changed.substr(at, length));
          break;
        default:
          changed[at] = R"({}[]",:$\*0-)"[below(12)];
          break;
      }
    }
    return changed;
  });
}

}  // namespace sluice::test
