// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/chart_scene.h"

#include "ui/charts/row_layer.h"
#include "ui/charts/row_model.h"
#include "ui/charts/trade_off_layer.h"
#include "ui/charts/trade_off_model.h"
#include "ui/numbers/run_numbers.h"

#include <QCategoryAxis>
#include <QChart>
#include <QFontMetricsF>
#include <QGraphicsLayout>
#include <QGraphicsRectItem>
#include <QGraphicsTextItem>
#include <QLineSeries>
#include <QTextDocument>
#include <QTextOption>

#include <algorithm>
#include <cmath>

namespace quantscope::ui {

namespace {

constexpr qreal margin = 10.0;
constexpr qreal rowPitch = 20.0;
constexpr qreal leastPlotHeight = 110.0;

double axisPosition(const AxisTicks& axis, double value) {
    return axis.log ? std::log10(value) : value;
}

void setTicks(QCategoryAxis* axis, const AxisTicks& ticks) {
    const QStringList old = axis->categoriesLabels();
    for (const QString& label : old)
        axis->remove(label);
    axis->setRange(axisPosition(ticks, ticks.low), axisPosition(ticks, ticks.high));
    axis->setStartValue(axisPosition(ticks, ticks.low) - 1.0);
    for (const AxisTicks::Tick& tick : ticks.ticks) {
        QString label = tick.text;
        while (
            axis->categoriesLabels().contains(label)) // Qt Charts refuses a second category of the same name
            label += QChar(0x200B);
        axis->append(label, axisPosition(ticks, tick.value));
    }
}

bool sameTicks(const AxisTicks& a, const AxisTicks& b) {
    return a.low == b.low && a.high == b.high && a.log == b.log &&
           std::equal(a.ticks.begin(), a.ticks.end(), b.ticks.begin(), b.ticks.end(),
                      [](const auto& s, const auto& t) { return s.value == t.value && s.text == t.text; });
}

using Sign = LegendEntry::Sign;

void addSchemes(QList<LegendEntry>& entries, const QStringList& schemes) {
    if (schemes.isEmpty())
        return;
    entries += {Sign::Heading, QStringLiteral("Scheme")};
    for (qsizetype i = 0; i < schemes.size(); ++i)
        entries += {Sign::Swatch, schemes[i], static_cast<int>(i)};
}

void addBatches(QList<LegendEntry>& entries, const QStringList& batches) {
    if (batches.isEmpty())
        return;
    entries += {Sign::Heading, QStringLiteral("Marker")};
    for (qsizetype i = 0; i < batches.size(); ++i)
        entries += {Sign::Marker, batches[i], static_cast<int>(i)};
}

} // namespace

ChartScene::ChartScene(ChartKind kind, QObject* parent)
    : QGraphicsScene(parent), kind_(kind), theme_(ChartTheme::light()), chart_(new QChart),
      axisX_(new QCategoryAxis), axisY_(new QCategoryAxis), frontSeries_(new QLineSeries),
      budgetSeries_(new QLineSeries), beyondBudget_(new QGraphicsRectItem), layer_(nullptr),
      legend_(new ChartLegend), title_(new QGraphicsTextItem), empty_(new QGraphicsTextItem) {
    chart_->legend()->hide();
    chart_->setBackgroundVisible(false);
    chart_->setMargins(QMargins(0, 0, 4, 0));
    chart_->addSeries(frontSeries_);
    chart_->addSeries(budgetSeries_);
    for (QCategoryAxis* axis : {axisX_, axisY_}) {
        axis->setLabelsPosition(QCategoryAxis::AxisLabelsPositionOnValue);
        axis->setTruncateLabels(false);
        chart_->addAxis(axis, axis == axisX_ ? Qt::AlignBottom : Qt::AlignLeft);
        frontSeries_->attachAxis(axis);
        budgetSeries_->attachAxis(axis);
    }
    axisY_->setGridLineVisible(kind == ChartKind::TradeOff);
    if (kind == ChartKind::TradeOff)
        layer_ = new TradeOffLayer;
    else
        layer_ = new RowLayer;
    beyondBudget_->setPen(Qt::NoPen);
    for (QGraphicsItem* item :
         {static_cast<QGraphicsItem*>(beyondBudget_), static_cast<QGraphicsItem*>(chart_),
          static_cast<QGraphicsItem*>(layer_), static_cast<QGraphicsItem*>(legend_),
          static_cast<QGraphicsItem*>(title_), static_cast<QGraphicsItem*>(empty_)})
        addItem(item);
    title_->document()->setDocumentMargin(0);
    empty_->document()->setDefaultTextOption(QTextOption(Qt::AlignHCenter));
}

void ChartScene::setStyle(const ChartTheme& theme, const QFont& font) {
    theme_ = theme;
    font_ = font;
    setBackgroundBrush(theme.background);
    legend_->setStyle(theme, font);
    layer_->setStyle(theme, font);
    title_->setDefaultTextColor(theme.text);
    title_->setFont(font);
    empty_->setDefaultTextColor(theme.mutedText);
    empty_->setFont(font);
    beyondBudget_->setBrush(theme.budgetFill);
    frontSeries_->setPen(QPen(theme.front, 2.0));
    budgetSeries_->setPen(QPen(theme.budget, 1.6, Qt::DashLine));
    styleAxes();
}

void ChartScene::styleAxes() {
    for (QCategoryAxis* axis : {axisX_, axisY_}) {
        axis->setLabelsColor(axis == axisY_ && kind_ != ChartKind::TradeOff ? theme_.text : theme_.mutedText);
        axis->setLabelsFont(font_);
        axis->setTitleFont(font_);
        axis->setTitleBrush(theme_.text);
        axis->setLinePen(QPen(theme_.axis, 1.0));
        axis->setGridLinePen(QPen(theme_.grid, 1.0));
    }
}

void ChartScene::setAxes(const AxisTicks& x, const AxisTicks& y, const QString& xTitle,
                         const QString& yTitle) {
    if (!sameTicks(x, x_))
        setTicks(axisX_, x);
    if (!sameTicks(y, y_))
        setTicks(axisY_, y);
    x_ = x;
    y_ = y;
    axisX_->setTitleText(xTitle);
    axisY_->setTitleText(yTitle);
    axisY_->setTitleVisible(!yTitle.isEmpty());
}

void ChartScene::setBudget(std::optional<double> budgetX, const QString& text, QList<LegendEntry>& entries) {
    budgetX_.reset();
    QList<QPointF> line;
    if (budgetX) {
        const bool shown = x_.contains(*budgetX);
        entries += {Sign::BudgetLine, shown ? text : text + QStringLiteral(" (beyond this axis)")};
        if (shown) {
            budgetX_ = budgetX;
            const double at = axisPosition(x_, *budgetX);
            line = {{at, y_.low}, {at, y_.high}};
        }
    }
    budgetSeries_->replace(line);
}

void ChartScene::setTitle(const storage::CampaignSummary& summary, bool shown) {
    title_->setVisible(shown);
    if (!shown)
        return;
    const auto& spec = summary.campaign.spec;
    const QString name = spec.name.isEmpty() ? modelName(spec) : spec.name;
    QStringList facts{modelName(spec), problemsName(spec)};
    facts.removeAll(QString());
    if (!summary.campaign.deviceName.isEmpty())
        facts += summary.campaign.deviceName;
    title_->setHtml(QStringLiteral("<b>%1</b><br>%2")
                        .arg(name.toHtmlEscaped(), facts.join(QStringLiteral(" · ")).toHtmlEscaped()));
}

void ChartScene::setEmptyText(const QString& text) {
    empty_->setPlainText(text);
    empty_->setVisible(!text.isEmpty());
    // Axes without data would show made-up numbers. Not setVisible(): Qt Charts lays a hidden chart's axes
    // out as empty, and keeps that when it is shown again.
    chart_->setOpacity(text.isEmpty() ? 1.0 : 0.0);
}

QString ChartScene::emptyText() const {
    return empty_->isVisible() ? empty_->toPlainText() : QString();
}

void ChartScene::showTradeOff(const TradeOffModel& model) {
    setAxes(model.x, model.y, model.xTitle, model.yTitle);
    static_cast<TradeOffLayer*>(layer_)->setModel(model);
    QList<QPointF> front;
    for (const QPointF& corner : model.front)
        front += QPointF(axisPosition(model.x, corner.x()), corner.y());
    frontSeries_->replace(front);

    QList<LegendEntry> entries;
    addSchemes(entries, model.schemes);
    addBatches(entries, model.batches);
    const auto any = [&](auto&& test) { return std::any_of(model.points.begin(), model.points.end(), test); };
    QList<LegendEntry> signs;
    if (any([](const auto& point) { return point.baseline; }))
        signs += {Sign::Ring, QStringLiteral("baseline")};
    if (!model.front.isEmpty())
        signs += {Sign::FrontLine, QStringLiteral("Pareto front")};
    const auto anyOf = [&](storage::BudgetVerdict verdict) {
        return any([verdict](const auto& point) { return point.budget == verdict; });
    };
    if (anyOf(storage::BudgetVerdict::Outside))
        signs += {Sign::HollowMarker, QStringLiteral("outside the budget")};
    if (anyOf(storage::BudgetVerdict::NotEnoughRequests))
        signs += {Sign::DottedMarker, QStringLiteral("not enough requests for the budget")};
    if (any([](const auto& point) { return point.partial; }))
        signs += {Sign::DottedInterval, QStringLiteral("partial run")};
    setBudget(model.budgetX, model.budgetText, signs);
    if (!model.points.isEmpty())
        signs.prepend({Sign::Interval, QStringLiteral("95 % interval (Wilson)")});
    legend_->setEntries(entries + signs);
    setEmptyText(model.emptyText);
}

void ChartScene::showRows(const RowModel& model) {
    setAxes(model.x, model.y, model.xTitle, {});
    static_cast<RowLayer*>(layer_)->setModel(model);
    rowCount_ = static_cast<int>(model.rows.size());
    QList<LegendEntry> entries;
    if (!model.rows.isEmpty() && model.kind == ChartKind::Latency) {
        entries += {Sign::Heading, QStringLiteral("Marker: p50, thin stroke: p90, thick stroke: p99")};
        for (qsizetype i = 0; i < model.batches.size(); ++i)
            entries += {Sign::Marker, model.batches[i], static_cast<int>(i)};
    } else if (!model.rows.isEmpty()) {
        entries += {Sign::Heading, QStringLiteral("Parts")};
        for (qsizetype i = 0; i < model.parts.size(); ++i)
            entries += {Sign::Swatch, model.parts[i], -1, RowLayer::partOpacity(i)};
    }
    setBudget(model.budgetX, model.budgetText, entries);
    legend_->setEntries(entries);
    setEmptyText(model.emptyText);
}

void ChartScene::setSummary(const storage::CampaignSummary& summary, const ChartOptions& options) {
    setTitle(summary, options.showTitle);
    if (kind_ == ChartKind::TradeOff)
        showTradeOff(tradeOffModel(summary, options.xMetric, options.logX));
    else if (kind_ == ChartKind::Latency)
        showRows(latencyRows(summary, options.xMetric, options.logX));
    else
        showRows(memoryRows(summary));
    if (!sceneRect().isEmpty())
        layOut(sceneRect().size());
}

qreal ChartScene::minimumHeight() const {
    const qreal lines = 4.0 * QFontMetricsF(font_).height();
    const qreal titleHeight = title_->isVisible() ? title_->boundingRect().height() : 0.0;
    return titleHeight + legend_->boundingRect().height() + lines + 3.0 * margin +
           std::max(leastPlotHeight, rowCount_ * rowPitch);
}

void ChartScene::layOut(const QSizeF& size) {
    setSceneRect(QRectF(QPointF(), size));
    const qreal width = size.width() - 2.0 * margin;
    qreal top = margin;
    if (title_->isVisible()) {
        title_->setTextWidth(width);
        title_->setPos(margin, top);
        top += title_->boundingRect().height() + margin / 2.0;
    }
    const qreal legendHeight = legend_->layOut(width);
    const qreal legendTop = size.height() - legendHeight - margin / 2.0;
    legend_->setPos(margin, legendTop);
    chart_->setGeometry(QRectF(margin, top, width, std::max(10.0, legendTop - top)));
    chart_->layout()->activate();

    PlotFrame frame{chart_->mapToScene(chart_->plotArea()).boundingRect(), x_, y_};
    layer_->setFrame(frame);
    beyondBudget_->setVisible(budgetX_.has_value());
    if (budgetX_)
        beyondBudget_->setRect(
            QRectF(QPointF(frame.atX(*budgetX_), frame.area.top()), frame.area.bottomRight()));
    empty_->setTextWidth(std::min(420.0, width));
    empty_->setPos(QPointF(size.width(), top + legendTop) / 2.0 - empty_->boundingRect().center());
}

} // namespace quantscope::ui
