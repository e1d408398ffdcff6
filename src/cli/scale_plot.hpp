// A simulation as a picture: messages, metric and workers over time, one above the other. SVG with
// its own colours for light and dark. Its size has a bound, whatever the number of samples: of
// those that fall into one column of pixels, the first, the least, the greatest and the last are
// drawn.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scaling/simulator.hpp"

namespace sluice::core {

/// One thread.
class ScalePlot {
 public:
  /// `simulation` borrowed.
  ScalePlot(const ScalingSimulation& simulation, std::string title);

  /// The next sample.
  void add(const SimulatedSample& simulated);
  std::string svg() const;

  static constexpr int kColumns = 860;  ///< width of a panel in pixels

 private:
  struct Point {
    double seconds, value;
  };
  /// Values over time, thinned out.
  class Trace {
   public:
    Trace() : columns_(kColumns) {}
    void add(std::size_t column, Point point);
    std::vector<Point> points() const;  ///< in the order of time
    double greatest() const { return greatest_; }  ///< or 0
    double least() const { return least_; }        ///< or 0

   private:
    struct Column {
      Point first, least, greatest, last;
    };
    std::vector<std::optional<Column>> columns_;
    double greatest_ = 0, least_ = 0;
  };
  struct Mark {
    Point point;
    bool is_out;
    std::string text;
  };
  struct Axes;

  std::string messages_panel() const;
  std::string metric_panel() const;
  std::string workers_panel() const;
  std::string time_axis() const;
  std::string line(const Axes& axes, const Trace& trace, const char* name) const;
  std::string steps(const Axes& axes, const Trace& trace, const char* name, double from) const;
  std::string frame(const Axes& axes, const std::string& unit,
                    const std::vector<std::pair<const char*, std::string>>& legend) const;
  std::string threshold(const Axes& axes, const char* name, double value) const;
  double x_of(double seconds) const;

  const ScalingSimulation& simulation_;
  const std::string title_;
  const double seconds_;  ///< width of the picture, > 0
  Trace visible_, in_flight_, metric_, workers_;
  std::vector<Mark> marks_;  ///< scale-outs and scale-ins, at most one of each in a few pixels
  double last_mark_[2];      ///< x of the last one: in, out
};

}  // namespace sluice::core
