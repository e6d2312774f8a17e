#include "tools/load/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "tools/load/report_files.h"

namespace turnpike::load {
namespace {

constexpr double kWidth = 760, kHeight = 260;
constexpr double kLeft = 70, kRight = 34, kTop = 40, kBottom = 45;

// Frame maps values to pixels.
struct Frame {
  double x_low = 0, x_high = 1, y_high = 1;

  double X(double x) const {
    return kLeft + (kWidth - kLeft - kRight) * (x - x_low) / (x_high - x_low);
  }
  double Y(double y) const { return kHeight - kBottom - (kHeight - kTop - kBottom) * y / y_high; }
};

Frame FrameOf(const Plot& plot) {
  Frame frame;
  bool first = true;
  double y_high = 0;
  for (const Series& series : plot.series) {
    for (const auto& [x, y] : series.points) {
      frame.x_low = first ? x : std::min(frame.x_low, x);
      frame.x_high = first ? x : std::max(frame.x_high, x);
      y_high = std::max(y_high, y);
      first = false;
    }
  }
  if (frame.x_high <= frame.x_low) frame.x_high = frame.x_low + 1;
  const double step = NiceStep(y_high > 0 ? y_high : 1, 5);
  frame.y_high = std::max(step, std::ceil(y_high / step) * step);
  return frame;
}

std::string Text(double x, double y, std::string_view anchor, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     EscapeXml(text));
}

std::string Grid(const Plot& plot, const Frame& frame) {
  std::string svg;
  const double step = NiceStep(frame.y_high, 5);
  for (int i = 0; i * step <= frame.y_high * 1.0001; ++i) {
    const double y = i * step;
    svg += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" class=\"grid\"/>\n",
                       kLeft, kWidth - kRight, frame.Y(y), frame.Y(y));
    svg += Text(kLeft - 6, frame.Y(y) + 4, "end", fmt::format("{:g}", y));
  }
  auto labels = plot.x_labels;
  if (labels.empty()) {
    const double x_step = NiceStep(frame.x_high - frame.x_low, 10);
    const double first = std::ceil(frame.x_low / x_step) * x_step;
    for (int i = 0; first + i * x_step <= frame.x_high; ++i) {
      const double x = first + i * x_step;
      labels.emplace_back(x, fmt::format("{:g}", x));
    }
  }
  for (const auto& [x, label] : labels) {
    svg += Text(frame.X(x), kHeight - kBottom + 16, "middle", label);
  }
  svg += Text((kLeft + kWidth - kRight) / 2, kHeight - 8, "middle", plot.x_title);
  svg += Text(8, kTop - 8, "start", plot.y_title);
  return svg;
}

}  // namespace

double NiceStep(double range, int most) {
  const double raw = range / most;
  const double power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw * 0.9999) return factor * power;
  }
  return 10 * power;
}

std::string DrawSvg(const Plot& plot) {
  const Frame frame = FrameOf(plot);
  std::string svg = fmt::format("<svg viewBox=\"0 0 {} {}\" role=\"img\">\n<title>{}</title>\n",
                                kWidth, kHeight, EscapeXml(plot.title));
  svg += fmt::format("<text x=\"{}\" y=\"16\" class=\"title\">{}</text>\n", kLeft,
                     EscapeXml(plot.title));
  svg += Grid(plot, frame);
  double legend = kWidth - kRight;
  for (const Series& series : plot.series) {
    std::string points;
    for (const auto& [x, y] : series.points) {
      points += fmt::format("{:.1f},{:.1f} ", frame.X(x), frame.Y(y));
    }
    svg +=
        fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\"/>\n",
                    points, series.color);
    svg += fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"{}\">{}</text>\n",
                       legend, 16, series.color, EscapeXml(series.name));
    constexpr double kCharacter = 8;
    legend -= kCharacter * static_cast<double>(series.name.size()) + 16;
  }
  return svg + "</svg>\n";
}

}  // namespace turnpike::load
