// Line plots as inline SVG.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace turnpike::load {

// Series is one line of a plot: points (x, y) in the order of x.
struct Series {
  std::string name;
  std::string color;  // of CSS
  std::vector<std::pair<double, double>> points;
};

// Plot is what a plot shows. The y axis begins at 0; x ticks are labelled with their numbers, or
// with `x_labels` where there are any.
struct Plot {
  std::string title;
  std::string x_title;
  std::string y_title;
  std::vector<Series> series;
  std::vector<std::pair<double, std::string>> x_labels;
};

// DrawSvg renders a plot as one <svg> element.
std::string DrawSvg(const Plot& plot);

// NiceStep returns a step of 1, 2 or 5 times a power of ten that cuts `range` in at most `most`
// parts.
double NiceStep(double range, int most);

}  // namespace turnpike::load
