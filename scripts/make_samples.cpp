// make_samples: writes PNG icons with alpha and JPEG photographs into a folder. See --help.
#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "sample_pictures.hpp"

namespace {

struct Wanted {
  std::string folder;
  std::uint32_t icons = 12;
  std::uint32_t photos = 4;
  std::uint32_t size = 0;  // 0: by kind
  std::uint64_t seed = 1;
};

constexpr std::uint32_t kIconSide = 96;
constexpr std::uint32_t kPhotoSide = 1600;

void write(const std::filesystem::path& path, const std::vector<std::uint8_t>& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw std::runtime_error(fmt::format("cannot write '{}'", path.string()));
}

void make(const Wanted& wanted) {
  namespace samples = sluice::samples;
  std::filesystem::path folder = wanted.folder;
  std::filesystem::create_directories(folder);
  for (std::uint32_t i = 0; i < wanted.icons; ++i) {
    std::uint32_t side = wanted.size != 0 ? wanted.size : kIconSide;
    write(folder / fmt::format("icon-{:05}.png", i), samples::to_png(samples::make_icon(wanted.seed + i, side)));
  }
  for (std::uint32_t i = 0; i < wanted.photos; ++i) {
    std::uint32_t width = wanted.size != 0 ? wanted.size : kPhotoSide;
    std::uint32_t height = std::max(1u, width * 3 / 4);
    write(folder / fmt::format("photo-{:05}.jpg", i),
          samples::to_jpeg(samples::make_photo(wanted.seed + i, width, height), 90));
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Writes sample pictures: icon-00000.png ... (square, RGBA with soft edges and shadows) and\n"
      "photo-00000.jpg ... (4:3 landscapes with grain, JPEG quality 90). The same seed gives the same\n"
      "files. Existing files of these names are written over.\n\n"
      "Example: make_samples graphics/icons --icons 1000 --photos 0"};
  Wanted wanted;
  app.add_option("OUT_DIR", wanted.folder, "Folder to write into; made if it is not there")->required();
  app.add_option("--icons", wanted.icons, "How many icons")->capture_default_str()->check(CLI::Range(0u, 100000u));
  app.add_option("--photos", wanted.photos, "How many photographs")->capture_default_str()->check(CLI::Range(0u, 10000u));
  app.add_option("--size", wanted.size,
                 "Longer side in pixels, of icons and photographs alike; default: 96 for icons, 1600 for photographs")
      ->check(CLI::Range(8u, 8192u));
  app.add_option("--seed", wanted.seed, "Number of the first picture")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 64;
  }
  try {
    make(wanted);
  } catch (const std::exception& error) {
    fmt::print(stderr, "make_samples: error: {}\n", error.what());
    return 74;
  }
}
