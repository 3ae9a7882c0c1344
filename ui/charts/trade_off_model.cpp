// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/trade_off_model.h"

#include "ui/charts/run_tool_tip.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <algorithm>
#include <cmath>

namespace quantscope::ui {

using storage::CampaignSummary;
using storage::RunSummary;

namespace {

/// x is a cost or a gain; pass@1 is a gain. Runs that tie in both stay on the front together.
bool beats(const TradeOffPoint& a, const TradeOffPoint& b, bool largerX) {
    const double ax = largerX ? -a.x : a.x;
    const double bx = largerX ? -b.x : b.x;
    return ax <= bx && a.y >= b.y && (ax < bx || a.y > b.y);
}

void markFront(QList<TradeOffPoint>& points, bool largerX) {
    for (TradeOffPoint& point : points)
        point.onFront = std::none_of(points.begin(), points.end(), [&](const TradeOffPoint& other) {
            return beats(other, point, largerX);
        });
}

/// Between two front runs the step keeps the worse of both: what is reached for certain, nothing
/// interpolated.
QList<QPointF> frontSteps(const QList<TradeOffPoint>& points, bool largerX) {
    QList<QPointF> front;
    for (const TradeOffPoint& point : points)
        if (point.onFront)
            front += QPointF(point.x, point.y);
    std::sort(front.begin(), front.end(), [](const QPointF& a, const QPointF& b) { return a.x() < b.x(); });
    front.erase(std::unique(front.begin(), front.end()), front.end());
    QList<QPointF> steps;
    for (qsizetype i = 0; i < front.size(); ++i) {
        if (i > 0)
            steps +=
                largerX ? QPointF(front[i - 1].x(), front[i].y()) : QPointF(front[i].x(), front[i - 1].y());
        steps += front[i];
    }
    return front.size() > 1 ? steps : QList<QPointF>();
}

AxisTicks percentAxis(const QList<TradeOffPoint>& points) {
    double low = 100.0;
    double high = 0.0;
    for (const TradeOffPoint& point : points) {
        low = std::min(low, point.low);
        high = std::max(high, point.high);
    }
    if (points.isEmpty())
        return linearTicks(0.0, 100.0, 5);
    // At least ten points wide, so that a single run's interval is not blown up to look like a result.
    const double pad = std::max(1.0, (10.0 - (high - low)) / 2.0);
    return linearTicks(std::max(0.0, low - pad), std::min(100.0, high + pad), 6);
}

AxisTicks costAxis(const QList<TradeOffPoint>& points, bool logX) {
    if (points.isEmpty())
        return logX ? logTicks(1.0, 100.0) : linearTicks(0.0, 100.0, 5);
    const auto [least, most] = std::minmax_element(points.begin(), points.end(),
                                                   [](const auto& a, const auto& b) { return a.x < b.x; });
    if (logX)
        return logTicks(least->x / 1.1, most->x * 1.1);
    return linearTicks(0.0, most->x * 1.05, 7);
}

QString axisTitle(XMetric metric, const ByteUnit& unit) {
    switch (metric) {
    case XMetric::TpotP50: return QStringLiteral("TPOT p50, ms per output token (lower is better)");
    case XMetric::TtftP50: return QStringLiteral("TTFT p50, ms to the first token (lower is better)");
    case XMetric::TokensPerSecond: return QStringLiteral("Throughput, tokens per second (higher is better)");
    case XMetric::Memory:
        return QStringLiteral("Memory: weights, KV cache and workspace, %1 (lower is better)").arg(unit.name);
    case XMetric::Energy:
        return QStringLiteral("Energy, joules per output token, prompts included (lower is better)");
    }
    return {};
}

void addBudget(TradeOffModel& model, const storage::Budget& budget, XMetric metric) {
    if (metric == XMetric::TpotP50 && budget.tpotP99Ms) {
        model.budgetX = budget.tpotP99Ms;
        model.budgetText = QStringLiteral("Budget: TPOT p99 ≤ %1").arg(formatLimit(*budget.tpotP99Ms));
    } else if (metric == XMetric::TtftP50 && budget.ttftP99Ms) {
        model.budgetX = budget.ttftP99Ms;
        model.budgetText = QStringLiteral("Budget: TTFT p99 ≤ %1").arg(formatLimit(*budget.ttftP99Ms));
    }
}

QString emptyTextFor(const CampaignSummary& summary, const TradeOffModel& model, XMetric metric) {
    if (summary.runs.isEmpty())
        return QStringLiteral(
            "No campaign yet.\nTick schemes and batch sizes on the left, then press Start.");
    if (model.nonPositive > 0)
        return QStringLiteral("No run has a number above zero, which a logarithmic axis needs.");
    const auto& spec = summary.campaign.spec;
    if (!spec.evalEnabled)
        return QStringLiteral("This campaign measured no pass@1, so there is nothing to trade off.");
    const bool anyScored = std::any_of(summary.runs.begin(), summary.runs.end(),
                                       [](const RunSummary& run) { return run.samplesScored > 0; });
    if (!anyScored)
        return QStringLiteral(
            "No sample has a verdict yet.\nRuns appear here as soon as they have one and a latency.");
    if (metric == XMetric::Energy)
        return QStringLiteral(
            "No run has an energy.\nIt is measured with the latency, on GPUs whose driver tells it.");
    return QStringLiteral("No run has this latency yet.\nRuns appear here as soon as they are timed.");
}

TradeOffPoint makePoint(const RunSummary& run, double x, const QStringList& schemes,
                        const QList<int>& batches) {
    TradeOffPoint point;
    point.runId = run.run.id;
    point.scheme = static_cast<int>(schemes.indexOf(run.run.schemeId));
    point.batch = static_cast<int>(batches.indexOf(run.run.batchSize));
    point.x = x;
    point.y = run.passAt1 * 100.0;
    point.low = run.passAt1Interval.low * 100.0;
    point.high = run.passAt1Interval.high * 100.0;
    point.partial = run.partial;
    point.budget = run.budget;
    point.toolTip = runToolTip(run);
    return point;
}

ByteUnit memoryUnit(const CampaignSummary& summary) {
    double largest = 1.0;
    for (const RunSummary& run : summary.runs)
        if (const auto parts = memoryParts(run))
            largest = std::max(largest, parts->total());
    return byteUnitFor(largest);
}

} // namespace

std::optional<double> xValue(const RunSummary& run, XMetric metric) {
    switch (metric) {
    case XMetric::TpotP50: return run.tpotMs.count > 0 ? std::optional(run.tpotMs.p50) : std::nullopt;
    case XMetric::TtftP50: return run.ttftMs.count > 0 ? std::optional(run.ttftMs.p50) : std::nullopt;
    case XMetric::TokensPerSecond: return tokensPerSecond(run);
    case XMetric::Memory:
        if (const auto parts = memoryParts(run))
            return parts->total();
        return std::nullopt;
    case XMetric::Energy: return energyPerToken(run);
    }
    return std::nullopt;
}

bool largerIsBetter(XMetric metric) {
    return metric == XMetric::TokensPerSecond;
}

QStringList schemeOrder(const CampaignSummary& summary) {
    QStringList ids = summary.campaign.spec.schemes;
    for (const RunSummary& run : summary.runs)
        ids += run.run.schemeId;
    ids.removeDuplicates();
    return ids;
}

QList<int> batchOrder(const CampaignSummary& summary) {
    QList<int> sizes = summary.campaign.spec.batchSizes;
    for (const RunSummary& run : summary.runs)
        sizes += run.run.batchSize;
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}

QString schemeLabel(const CampaignSummary& summary, const QString& schemeId) {
    for (const RunSummary& run : summary.runs)
        if (run.run.schemeId == schemeId)
            return schemeName(run.run);
    return schemeId;
}

TradeOffModel tradeOffModel(const CampaignSummary& summary, XMetric metric, bool logX) {
    TradeOffModel model;
    const QStringList ids = schemeOrder(summary);
    const QList<int> sizes = batchOrder(summary);
    for (const QString& id : ids)
        model.schemes += schemeLabel(summary, id);
    for (const int size : sizes)
        model.batches += QStringLiteral("batch %1").arg(size);

    const ByteUnit unit = memoryUnit(summary);
    for (const RunSummary& run : summary.runs) {
        const auto x = xValue(run, metric);
        if (!x || !std::isfinite(*x) || run.samplesScored == 0)
            ++model.runsWithoutData;
        else if (logX && *x <= 0.0)
            ++model.nonPositive;
        else {
            model.points += makePoint(run, metric == XMetric::Memory ? *x / unit.bytes : *x, ids, sizes);
            model.points.last().baseline = isBaseline(summary, run.run.id);
        }
    }
    markFront(model.points, largerIsBetter(metric));
    model.front = frontSteps(model.points, largerIsBetter(metric));
    model.x = costAxis(model.points, logX);
    model.y = percentAxis(model.points);
    model.xTitle = axisTitle(metric, unit);
    model.yTitle = QStringLiteral("pass@1, %");
    addBudget(model, summary.campaign.spec.budget, metric);
    if (model.points.isEmpty())
        model.emptyText = emptyTextFor(summary, model, metric);
    return model;
}

} // namespace quantscope::ui
