#include "cli/stage_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/spelling.hpp"
#include "config/diagnostics.hpp"
#include "plugin/options.hpp"

namespace sluice::core {
namespace {

/// "--max-pixels=5": its name with underscores, and the value if there is one.
struct Word {
  std::string name;
  std::optional<std::string> value;
};

Word split(const std::string& word) {
  const std::size_t equals = word.find('=');
  Word result{word.substr(2, equals == std::string::npos ? equals : equals - 2), std::nullopt};
  if (equals != std::string::npos)
    result.value = word.substr(equals + 1);
  std::replace(result.name.begin(), result.name.end(), '-', '_');
  return result;
}

bool is_option(const std::string& word) {
  return word.size() > 2 && word.starts_with("--");
}

/// Walks over the words.
class WordReader {
 public:
  WordReader(const std::vector<std::string>& words,
             const std::function<Result<const Component*>(const std::string&)>& find)
      : words_(words), find_(find) {
    call_.options.type = Json::Type::object;
  }

  Result<StageCall> read() {
    for (; at_ < words_.size(); ++at_) {
      Result<void> result = read_word(words_[at_]);
      if (!result)
        return std::unexpected(result.error());
    }
    if (call_.component == nullptr && !call_.help) {
      return fail(Errc::usage,
                  "stage takes a TYPE first, such as: sluice stage image_resize --width 64 "
                  "--height 64 photo.jpg");
    }
    return std::move(call_);
  }

 private:
  Result<void> read_word(const std::string& word) {
    if (!options_ended_ && word == "--") {
      options_ended_ = true;
      return {};
    }
    if (!options_ended_ && (word == "--help" || word == "-h")) {
      call_.help = true;
      return {};
    }
    if (!options_ended_ && is_option(word))
      return read_option(split(word));
    if (!options_ended_ && word.size() > 1 && word[0] == '-') {
      return fail(Errc::usage,
                  fmt::format("options begin with \"--\", not as {} (see sluice stage --help)",
                              in_quotes(word)));
    }
    if (call_.component != nullptr) {
      call_.files.push_back(word);
      return {};
    }
    Result<const Component*> found = find_(word);
    if (!found)
      return std::unexpected(found.error());
    call_.component = *found;
    return {};
  }

  Result<void> read_option(const Word& word) {
    if (word.name == "jsonl") {
      if (word.value)
        return fail(Errc::usage, "--jsonl takes no value");
      call_.jsonl = true;
      return {};
    }
    if (word.name == "plugin_dir" || word.name == "config" || word.name == "attribute")
      return read_host_option(word);
    if (call_.component == nullptr) {
      return fail(
          Errc::usage,
          fmt::format("the TYPE comes before its options: sluice stage TYPE --{}", word.name));
    }
    return read_stage_option(word);
  }

  Result<void> read_host_option(const Word& word) {
    const Result<std::string> value = value_of(word);
    if (!value)
      return std::unexpected(value.error());
    if (word.name == "config")
      call_.config = *value;
    if (word.name != "attribute")
      return {};  // --plugin-dir: see plugin_dirs_of()
    const std::size_t equals = value->find('=');
    if (equals == std::string::npos || equals == 0) {
      return fail(Errc::usage,
                  fmt::format("--attribute takes NAME=VALUE, not {}", in_quotes(*value)));
    }
    call_.attributes.emplace_back(value->substr(0, equals), value->substr(equals + 1));
    return {};
  }

  Result<void> read_stage_option(const Word& word) {
    const sluice_component& stage = *call_.component->descriptor;
    const sluice_option* option = find_option(stage, word.name);
    if (option == nullptr && word.name.starts_with("no_"))
      return read_negated(stage, word);
    if (option == nullptr)
      return unknown(stage, word.name);
    if (std::string_view(option->type) == "bool") {
      set(*option, flag_value(word));
      return {};
    }
    const Result<std::string> text = value_of(word);
    if (!text)
      return std::unexpected(text.error());
    set(*option, *text);
    return {};
  }

  /// --no-FLAG
  Result<void> read_negated(const sluice_component& stage, const Word& word) {
    const sluice_option* option = find_option(stage, word.name.substr(3));
    if (option == nullptr)
      return unknown(stage, word.name);
    if (std::string_view(option->type) != "bool") {
      return fail(Errc::usage, fmt::format("--{}: \"{}\" of stage {} is no flag, it takes a value",
                                           word.name, option->name, stage.type));
    }
    if (word.value) {
      return fail(Errc::usage, fmt::format("--{0} takes no value: --{0} is --{1}=false", word.name,
                                           option->name));
    }
    set(*option, "false");
    return {};
  }

  /// Of a flag: what stands behind '=', or a next word that is true or false, or true.
  std::string flag_value(const Word& word) {
    if (word.value)
      return *word.value;
    const bool given =
        at_ + 1 < words_.size() && (words_[at_ + 1] == "true" || words_[at_ + 1] == "false");
    return given ? words_[++at_] : "true";
  }

  /// The last of several counts.
  void set(const sluice_option& option, const std::string& text) {
    std::erase_if(call_.options.members,
                  [&](const JsonMember& member) { return member.name == option.name; });
    call_.options.members.push_back({option.name, 0, option_from_text(option, text)});
  }

  /// What stands behind '=', or else the next word.
  Result<std::string> value_of(const Word& word) {
    if (word.value)
      return *word.value;
    if (at_ + 1 >= words_.size())
      return fail(Errc::usage, fmt::format("--{} takes a value", word.name));
    return words_[++at_];
  }

  static std::unexpected<Error> unknown(const sluice_component& stage, const std::string& name) {
    std::vector<std::string_view> known{"jsonl", "config", "attribute", "plugin_dir", "help"};
    for (auto option = stage.options; option != nullptr && *option != nullptr; ++option)
      known.push_back((*option)->name);
    const std::string near = name.size() > 100 ? "" : did_you_mean(nearest_name(name, known));
    return fail(Errc::usage, fmt::format("stage {} has no option {}{}", stage.type,
                                         in_quotes("--" + name), near));
  }

  const std::vector<std::string>& words_;
  const std::function<Result<const Component*>(const std::string&)>& find_;
  StageCall call_;
  std::size_t at_ = 0;
  bool options_ended_ = false;
};

}  // namespace

std::vector<std::string> plugin_dirs_of(const std::vector<std::string>& words) {
  std::vector<std::string> folders;
  for (std::size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
    if (!is_option(words[i]))
      continue;
    const Word word = split(words[i]);
    if (word.name != "plugin_dir")
      continue;
    if (word.value)
      folders.push_back(*word.value);
    if (!word.value && i + 1 < words.size())
      folders.push_back(words[i + 1]);
  }
  return folders;
}

Result<StageCall> parse_stage_words(
    const std::vector<std::string>& words,
    const std::function<Result<const Component*>(const std::string& type)>& find) {
  return WordReader(words, find).read();
}

}  // namespace sluice::core
