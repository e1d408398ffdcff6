// `match`: a filter policy tried on messages, or on a file of cases (match_cases.hpp).
#include <fmt/format.h>

#include "cli/commands.hpp"
#include "cli/input_files.hpp"
#include "cli/match_cases.hpp"
#include "cli/match_lines.hpp"
#include "cli/match_policy.hpp"
#include "cli/output.hpp"

namespace sluice::core {
namespace {

struct PolicyText {
  std::string name;  ///< in errors
  std::string text;
};

/// What --policy gives: JSON if it begins as such, else a file. Nothing is a policy too.
Result<PolicyText> policy_text(const std::string& argument) {
  const std::size_t begin = argument.find_first_not_of(" \t\r\n");
  if (argument.empty() ||
      (begin != std::string::npos &&
       (argument[begin] == '{' || argument[begin] == '[' || argument[begin] == '"'))) {
    return PolicyText{"--policy", argument};
  }
  Result<std::string> text = read_file(argument, kPolicyBytesMax);
  if (!text) {
    return fail(
        text.error().code,
        fmt::format("--policy {} (a policy given as text begins with {{)", text.error().message));
  }
  return PolicyText{argument, std::move(*text)};
}

Result<int> try_messages(const MatchArguments& arguments) {
  const std::vector<std::string> files =
      arguments.files.empty() ? std::vector<std::string>{"-"} : arguments.files;
  const Result<void> readable = check_files(files);
  if (!readable)
    return std::unexpected(readable.error());
  const Result<PolicyText> policy = policy_text(*arguments.policy);
  if (!policy)
    return std::unexpected(policy.error());
  const auto trial = PolicyTrial::create(policy->text, arguments.scope, arguments.profile);
  if (!trial) {
    const PolicyError& error = trial.error();
    print_raw_error(render(
        Diagnostic{.place = place_in(policy->name, policy->text, error.offset), .text = error.text},
        colour_on_stderr()));
    return exit_code(Errc::bad_data);
  }
  bool all_good = true;
  for (const std::string& file : files) {
    const Result<std::size_t> faults = read_json_lines(file, [&](const Json& json) -> Result<void> {
      const Result<MessageText> message = message_from(json);
      if (!message)
        return std::unexpected(message.error());
      const PolicyTrial::Answer answer = (*trial)->ask(*message, arguments.explain);
      print(answer.matches ? "true\n" : "false\n");
      for (const std::string& reason : answer.reasons)
        print(fmt::format("  {}\n", reason));
      return {};
    });
    if (!faults)
      return std::unexpected(faults.error());
    all_good &= *faults == 0;
  }
  return all_good ? 0 : exit_code(Errc::bad_data);
}

}  // namespace

int try_policy(const MatchArguments& arguments) {
  const Result<int> exit = arguments.cases ? run_match_cases(*arguments.cases, arguments.explain)
                                           : try_messages(arguments);
  return exit ? *exit : report(exit.error());
}

}  // namespace sluice::core
