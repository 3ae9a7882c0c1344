// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QSize>

namespace quantscope::ui {

enum class ChartKind {
    TradeOff, ///< pass@1 (y, Wilson 95 %) against a cost (x), one point a run
    Latency,  ///< p50, p90 and p99 of one latency, a group of bars a run
    Memory,   ///< bytes by part, one stacked bar a run
};

/// What stands on the x axis of the trade-off chart; TpotP50 and TtftP50 also choose the latency of the
/// latency chart.
enum class XMetric { TpotP50, TtftP50, TokensPerSecond, Memory, Energy };

struct ChartOptions {
    QSize size{1200, 720}; ///< pixels; SVG and PDF keep the shape
    bool dark = false;
    XMetric xMetric = XMetric::TpotP50;
    bool logX = false;
    bool showTitle =
        true; ///< the campaign's name and model above the chart (off in the window, which shows both)
};

} // namespace quantscope::ui
