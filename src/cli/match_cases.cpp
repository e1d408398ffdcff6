#include "cli/match_cases.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "cli/input_files.hpp"
#include "cli/match_lines.hpp"
#include "cli/match_policy.hpp"
#include "cli/output.hpp"

namespace sluice::core {
namespace {

constexpr std::string_view kInvalidPolicy = "invalid-policy";

/// A line of the file.
struct Case {
  std::string id;
  std::string scope;
  std::string policy;  ///< text
  MessageText message;
  std::optional<bool> matches;       ///< what is expected; nullopt: the policy is refused ...
  std::optional<std::string> error;  ///< ... and this is part of the reason
  std::vector<FilterProfile> profiles;
  bool is_contested = false;  ///< tier C: told, and not counted
};

std::string name_of(FilterProfile profile) {
  return profile == FilterProfile::sns ? "sns" : "extended";
}

/// A string's characters; anything else as JSON.
std::string text_of(const Json& value) {
  return value.type == Json::Type::string ? value.text : to_text(value);
}

std::unexpected<Error> no_case(std::string text) {
  return fail(Errc::bad_data, "no case: " + std::move(text));
}

Result<std::vector<FilterProfile>> profiles_from(const Json& name) {
  if (name.type == Json::Type::string) {
    if (name.text == "both")
      return std::vector{FilterProfile::sns, FilterProfile::extended};
    if (name.text == "sns")
      return std::vector{FilterProfile::sns};
    if (name.text == "ruler" || name.text == "extended")
      return std::vector{FilterProfile::extended};
  }
  return no_case("\"profile\" must be \"both\", \"sns\" or \"ruler\"");
}

Result<Case> case_from(const Json& json) {
  if (json.type != Json::Type::object)
    return no_case("it is no JSON object");
  for (const char* key : {"id", "scope", "policy", "message", "expect", "profile"}) {
    if (json.find(key) == nullptr)
      return no_case(fmt::format("it has no \"{}\"", key));
  }
  Case found{.id = text_of(*json.find("id")),
             .scope = text_of(*json.find("scope")),
             .policy = text_of(*json.find("policy"))};
  const Json& expected = *json.find("expect");
  if (expected.type == Json::Type::boolean) {
    found.matches = expected.boolean;
  } else if (expected.type != Json::Type::string || expected.text != kInvalidPolicy) {
    return no_case("\"expect\" must be true, false or \"invalid-policy\"");
  }
  if (const Json* error = json.find("error"))
    found.error = text_of(*error);
  const Json* tier = json.find("tier");
  found.is_contested = tier != nullptr && tier->text == "C";
  auto profiles = profiles_from(*json.find("profile"));
  if (!profiles)
    return std::unexpected(profiles.error());
  found.profiles = std::move(*profiles);
  const Json& given = *json.find("message");
  if (given.type != Json::Type::object)
    return no_case("\"message\" must be an object");
  auto message = message_from_json(given);
  if (!message && found.matches)  // a policy that is refused meets no message
    return no_case("its message: " + message.error().message);
  found.message = std::move(message).value_or(MessageText());
  return found;
}

/// What came out otherwise than expected.
struct Disagreement {
  std::string got;  ///< one line
  std::vector<std::string> reasons;

  bool operator==(const Disagreement&) const = default;
};

std::optional<Disagreement> refused(const Case& tried, const std::string& text) {
  if (tried.matches)
    return Disagreement{fmt::format("{}: {}", kInvalidPolicy, text), {}};
  if (tried.error && text.find(*tried.error) == std::string::npos)
    return Disagreement{fmt::format("{}, but: {}", kInvalidPolicy, text), {}};
  return std::nullopt;
}

std::optional<Disagreement> try_case(const Case& tried, FilterProfile profile) {
  const std::optional<FilterScope> scope = filter_scope_from(tried.scope);
  if (!scope) {
    return refused(tried, fmt::format("FilterPolicyScope: Invalid value [{}]. Please use either "
                                      "MessageBody or MessageAttributes",
                                      tried.scope));
  }
  auto trial = PolicyTrial::create(tried.policy, *scope, profile);
  if (!trial)
    return refused(tried, with_position(trial.error(), tried.policy));
  PolicyTrial::Answer answer = (*trial)->ask(tried.message, true);
  if (tried.matches == answer.matches)
    return std::nullopt;
  return Disagreement{answer.matches ? "true" : "false", std::move(answer.reasons)};
}

std::string expectation(const Case& tried) {
  if (tried.matches)
    return *tried.matches ? "true" : "false";
  return std::string(kInvalidPolicy) + (tried.error ? " with " + json_quote(*tried.error) : "");
}

std::string without_controls(std::string text) {
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  std::ranges::replace_if(text, is_control, '?');
  return text;
}

/// A disagreement under one profile, or the same one under both.
struct Outcome {
  std::string profiles;
  Disagreement disagreement;
};

std::vector<Outcome> outcomes_of(const Case& tried) {
  std::vector<Outcome> outcomes;
  for (const FilterProfile profile : tried.profiles) {
    std::optional<Disagreement> found = try_case(tried, profile);
    if (found && !outcomes.empty() && outcomes.back().disagreement == *found) {
      outcomes.back().profiles += " and " + name_of(profile);
    } else if (found) {
      outcomes.push_back({name_of(profile), std::move(*found)});
    }
  }
  return outcomes;
}

/// "ID: expected E, got G under PROFILE (why)", and where all is told, the reasons on lines below.
std::string told(const Case& tried, const std::vector<Outcome>& outcomes, bool explained) {
  std::string line = fmt::format("{}{}: expected {}", tried.is_contested ? "contested: " : "",
                                 tried.id, expectation(tried));
  std::string below;
  for (const auto& [profiles, disagreement] : outcomes) {
    line += fmt::format(", got {} under {}", disagreement.got, profiles);
    if (explained) {
      for (const std::string& reason : disagreement.reasons)
        below += fmt::format("  {}\n", reason);
    } else if (!disagreement.reasons.empty()) {
      line += fmt::format(" ({})", fmt::join(disagreement.reasons, " | "));
    }
  }
  return without_controls(line) + "\n" + below;
}

struct Tally {
  std::size_t passed = 0;
  std::size_t failed = 0;
};

}  // namespace

Result<int> run_match_cases(const std::string& file, bool explained) {
  const Result<void> readable = check_files({file});
  if (!readable)
    return std::unexpected(readable.error());
  Tally counted, contested;
  const Result<std::size_t> faults = read_json_lines(file, [&](const Json& json) -> Result<void> {
    const Result<Case> tried = case_from(json);
    if (!tried)
      return std::unexpected(tried.error());
    const std::vector<Outcome> outcomes = outcomes_of(*tried);
    Tally& tally = tried->is_contested ? contested : counted;
    ++(outcomes.empty() ? tally.passed : tally.failed);
    if (!outcomes.empty())
      print(told(*tried, outcomes, explained));
    return {};
  });
  if (!faults)
    return std::unexpected(faults.error());
  counted.failed += *faults;  // each line counts once
  if (contested.passed + contested.failed > 0) {
    print(fmt::format("contested (tier C, not counted): {} agree, {} do not\n", contested.passed,
                      contested.failed));
  }
  print(fmt::format("{} passed, {} failed\n", counted.passed, counted.failed));
  return counted.failed > 0 ? 1 : 0;
}

}  // namespace sluice::core
