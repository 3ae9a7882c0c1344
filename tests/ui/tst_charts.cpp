// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"
#include "ui/charts/chart_export.h"
#include "ui/charts/chart_scene.h"
#include "ui/charts/chart_theme.h"
#include "ui/charts/row_model.h"
#include "ui/charts/trade_off_model.h"

#include <QDir>
#include <QFile>
#include <QPainter>
#include <QSvgRenderer>
#include <QTemporaryDir>
#include <QTest>
#include <QXmlStreamReader>

#include <set>

using namespace quantscope;
using namespace quantscope::ui;

namespace {

const TradeOffPoint* pointOf(const TradeOffModel& model, storage::Id run) {
    for (const TradeOffPoint& point : model.points)
        if (point.runId == run)
            return &point;
    return nullptr;
}

QStringList legendTexts(const ChartScene& scene) {
    QStringList texts;
    for (const LegendEntry& entry : scene.legend()->entries())
        texts += entry.text;
    return texts;
}

/// Pixels that are clearly of this colour.
int pixelsLike(const QImage& image, const QColor& colour) {
    int count = 0;
    for (int y = 0; y < image.height(); ++y)
        for (int x = 0; x < image.width(); ++x) {
            const QColor at = image.pixelColor(x, y);
            if (std::abs(at.red() - colour.red()) + std::abs(at.green() - colour.green()) +
                    std::abs(at.blue() - colour.blue()) <
                24)
                ++count;
        }
    return count;
}

QString svgText(const QByteArray& svg) {
    QXmlStreamReader reader(svg);
    QString text;
    while (!reader.atEnd())
        if (reader.readNext() == QXmlStreamReader::Characters)
            text += reader.text().toString() + u'\n';
    return reader.hasError() ? QString() : text;
}

} // namespace

class TestCharts : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void ticksAreRound();
    void pointsCarryValuesAndIntervals();
    void frontKeepsUnbeatenRuns();
    void frontFlipsWhereMoreIsBetter();
    void budgetStandsOnItsOwnAxisOnly();
    void logAxisDropsAndCountsZeros();
    void runsWithoutDataAreCountedNotDrawn();
    void emptyStatesSayWhatIsMissing();
    void everyMetricHasAUnit();
    void rowsFollowTheCampaign();
    void legendNamesEverySchemeAndBatch();
    void legendIsNeverCut();
    void pngShowsEveryScheme();
    void svgParsesAndKeepsInside();
    void pdfIsOnePage();
    void csvIsTheTableTwin();
    void csvQuotesWhatItMust();
    void saveWritesAtomicallyAndSaysWhyNot();
};

void TestCharts::ticksAreRound() {
    const AxisTicks linear = linearTicks(0.0, 9.7, 7);
    QCOMPARE(linear.low, 0.0);
    QCOMPARE(linear.high, 10.0);
    QCOMPARE(linear.ticks.first().text, QStringLiteral("0"));
    QCOMPARE(linear.ticks.last().text, QStringLiteral("10"));
    QCOMPARE(linearTicks(0.0, 0.9, 6).ticks[1].text, QStringLiteral("0.2"));
    const AxisTicks log = logTicks(3.0, 150.0);
    QCOMPARE(log.low, 2.0);
    QCOMPARE(log.high, 200.0);
    QCOMPARE(log.ticks.size(), 7); // 2 5 10 20 50 100 200
    QVERIFY(!log.contains(0.0));
    QVERIFY(qAbs(log.fraction(20.0) - 0.5) < 1e-9);
    QVERIFY(linearTicks(5.0, 5.0).high > 5.0); // no width asked for: some is given
}

void TestCharts::pointsCarryValuesAndIntervals() {
    const auto model = tradeOffModel(test::syntheticCampaign(), XMetric::TpotP50, false);
    QCOMPARE(model.points.size(), 10);
    const TradeOffPoint* baseline = pointOf(model, 101);
    QVERIFY(baseline != nullptr);
    QVERIFY(baseline->baseline && pointOf(model, 102)->baseline);
    QVERIFY(!pointOf(model, 103)->baseline);
    QCOMPARE(baseline->x, 4.78);
    QVERIFY(qAbs(baseline->y - 100.0 * 118 / 164) < 1e-9);
    QVERIFY(baseline->low < baseline->y && baseline->y < baseline->high);
    for (const TradeOffPoint& point : model.points) {
        QVERIFY(model.x.contains(point.x));
        QVERIFY(model.y.contains(point.low) && model.y.contains(point.high));
    }
    QVERIFY(pointOf(model, 102)->budget == storage::BudgetVerdict::Outside);
    QVERIFY(pointOf(model, 101)->budget == storage::BudgetVerdict::Inside);
    QVERIFY(pointOf(model, 103)->toolTip.contains(QStringLiteral("INT8 (W8A8), batch 1")));
}

void TestCharts::frontKeepsUnbeatenRuns() {
    const auto model = tradeOffModel(test::syntheticCampaign(), XMetric::TpotP50, false);
    // By TPOT and pass@1: W4A4-rtn is the fastest, then W4A8, INT8 and FP16, all at batch 1.
    std::set<storage::Id> front;
    for (const TradeOffPoint& point : model.points)
        if (point.onFront)
            front.insert(point.runId);
    QCOMPARE(front, (std::set<storage::Id>{101, 103, 105, 107}));
    QCOMPARE(model.front.size(), 7); // four runs, three corners
    for (qsizetype i = 1; i < model.front.size(); ++i) {
        QVERIFY(model.front[i].x() >= model.front[i - 1].x());
        QVERIFY(model.front[i].y() >= model.front[i - 1].y());
    }
    QCOMPARE(model.front[1], QPointF(model.front[2].x(), model.front[0].y())); // flat first, then up
}

void TestCharts::frontFlipsWhereMoreIsBetter() {
    const auto model = tradeOffModel(test::syntheticCampaign(), XMetric::TokensPerSecond, false);
    QVERIFY(pointOf(model, 108)->onFront); // W4A4-rtn at batch 8 has the most tokens a second
    QVERIFY(!pointOf(model, 107)->onFront);
    for (qsizetype i = 1; i < model.front.size(); ++i)
        QVERIFY(model.front[i].y() <= model.front[i - 1].y());
}

void TestCharts::budgetStandsOnItsOwnAxisOnly() {
    const auto campaign = test::syntheticCampaign();
    QCOMPARE(tradeOffModel(campaign, XMetric::TpotP50, false).budgetX, std::optional(8.0));
    QCOMPARE(tradeOffModel(campaign, XMetric::TtftP50, false).budgetX, std::optional(250.0));
    QCOMPARE(tradeOffModel(campaign, XMetric::TokensPerSecond, false).budgetX, std::optional<double>());
    QCOMPARE(tradeOffModel(campaign, XMetric::Memory, false).budgetX, std::optional<double>());
}

void TestCharts::logAxisDropsAndCountsZeros() {
    auto campaign = test::syntheticCampaign();
    campaign.runs[0].tpotMs.p50 = 0.0;
    const auto log = tradeOffModel(campaign, XMetric::TpotP50, true);
    QCOMPARE(log.nonPositive, 1);
    QCOMPARE(log.points.size(), 9);
    QVERIFY(log.x.low > 0.0);
    QCOMPARE(tradeOffModel(campaign, XMetric::TpotP50, false).points.size(), 10);
}

void TestCharts::runsWithoutDataAreCountedNotDrawn() {
    const auto model = tradeOffModel(test::syntheticCampaignAfter(6), XMetric::TpotP50, false);
    QCOMPARE(model.points.size(), 7);
    QCOMPARE(model.runsWithoutData, 3);
    QVERIFY(pointOf(model, 107)->partial);
    QCOMPARE(model.schemes.size(), 5); // the legend knows them from the start
}

void TestCharts::emptyStatesSayWhatIsMissing() {
    QVERIFY(tradeOffModel({}, XMetric::TpotP50, false).emptyText.contains(QStringLiteral("press Start")));
    auto campaign = test::syntheticCampaignAfter(0);
    campaign.runs[0].samplesScored = 0;
    QVERIFY(tradeOffModel(campaign, XMetric::TpotP50, false).emptyText.contains(QStringLiteral("verdict")));
    campaign = test::syntheticCampaign();
    for (auto& run : campaign.runs)
        run.tpotMs.count = 0;
    QVERIFY(tradeOffModel(campaign, XMetric::TpotP50, false).emptyText.contains(QStringLiteral("timed")));
    for (auto& run : campaign.runs)
        run.metrics.remove(QStringLiteral("energy_per_token_j"));
    QVERIFY(tradeOffModel(campaign, XMetric::Energy, false).emptyText.contains(QStringLiteral("driver")));
    QVERIFY(!latencyRows({}, XMetric::TpotP50, false).emptyText.isEmpty());
    QVERIFY(!memoryRows({}).emptyText.isEmpty());
}

void TestCharts::everyMetricHasAUnit() {
    const auto campaign = test::syntheticCampaign();
    QVERIFY(tradeOffModel(campaign, XMetric::TpotP50, false).xTitle.contains(QStringLiteral("ms")));
    QVERIFY(tradeOffModel(campaign, XMetric::Memory, false).xTitle.contains(QStringLiteral("MiB")));
    const auto energy = tradeOffModel(campaign, XMetric::Energy, false);
    QVERIFY(energy.xTitle.contains(QStringLiteral("joules")));
    QVERIFY(qAbs(pointOf(energy, 101)->x - 4.78 * 0.5) < 1e-9);
    QVERIFY(pointOf(energy, 101)->toolTip.contains(QStringLiteral("J/token")));
    const auto memory = tradeOffModel(campaign, XMetric::Memory, false);
    const double bytes = 8.4e6 * 2.0 + 2.1e6 + 1.6e6 + 0.9e6;
    QVERIFY(qAbs(pointOf(memory, 101)->x - bytes / 1048576.0) < 1e-9);
}

void TestCharts::rowsFollowTheCampaign() {
    const auto latency = latencyRows(test::syntheticCampaign(), XMetric::TtftP50, false);
    QCOMPARE(latency.rows.size(), 10);
    QCOMPARE(latency.rows[0].label, QStringLiteral("FP16 · b1"));
    QCOMPARE(latency.rows[0].values[0], 31.2);
    QVERIFY(latency.rows[0].values[0] <= latency.rows[0].values[1]);
    QVERIFY(latency.rows[0].values[1] <= latency.rows[0].values[2]);
    QCOMPARE(latency.y.ticks.last().text, latency.rows[0].label); // the first row is on top
    const auto memory = memoryRows(test::syntheticCampaign());
    QCOMPARE(memory.parts, (QStringList{QStringLiteral("weights"), QStringLiteral("KV cache"),
                                        QStringLiteral("workspace")}));
    QCOMPARE(memory.rows[0].values.size(), 3);
}

void TestCharts::legendNamesEverySchemeAndBatch() {
    ChartScene scene(ChartKind::TradeOff);
    scene.setStyle(ChartTheme::light(), QFont());
    scene.setSummary(test::syntheticCampaign(), {});
    const QStringList texts = legendTexts(scene);
    for (const char* expected : {"FP16", "INT8 (W8A8)", "W4A8", "W4A4 round-to-nearest", "W4A4 rotated",
                                 "batch 1", "batch 8", "baseline", "Pareto front", "outside the budget"})
        QVERIFY2(texts.contains(QString::fromUtf8(expected)), expected);
    QVERIFY(texts.join(u' ').contains(QStringLiteral("TPOT p99 ≤ 8")));
    QVERIFY(!texts.contains(QStringLiteral("partial run")));
    scene.setSummary(test::syntheticCampaignAfter(6), {});
    QVERIFY(legendTexts(scene).contains(QStringLiteral("partial run")));
    const QString unknown = QStringLiteral("not enough requests for the budget");
    QVERIFY(!legendTexts(scene).contains(unknown));
    scene.setSummary(test::fewRounds(test::syntheticCampaign()), {});
    QVERIFY(legendTexts(scene).contains(unknown));
}

void TestCharts::legendIsNeverCut() {
    auto campaign = test::syntheticCampaign();
    for (int i = 0; i < 12; ++i) {
        auto run = campaign.runs[0];
        run.run.id = 200 + i;
        run.run.schemeId = QStringLiteral("custom-%1").arg(i);
        run.run.schemeLabel = QStringLiteral("A scheme with a rather long label, number %1").arg(i);
        campaign.runs += run;
    }
    ChartScene scene(ChartKind::TradeOff);
    scene.setStyle(ChartTheme::light(), QFont());
    scene.setSummary(campaign, {});
    for (const qreal width : {360.0, 700.0, 1400.0}) {
        scene.layOut({width, 400.0});
        scene.layOut({width, std::max(400.0, scene.minimumHeight())});
        const QRectF legend = scene.legend()->sceneBoundingRect();
        QVERIFY(scene.sceneRect().contains(legend));
        QVERIFY(scene.layer()->boundingRect().height() >= 100.0); // the plot keeps its room
    }
}

void TestCharts::pngShowsEveryScheme() {
    const QByteArray png = renderChart(test::syntheticCampaign(), ChartKind::TradeOff, ChartFormat::Png);
    const QImage image = QImage::fromData(png, "PNG");
    QCOMPARE(image.size(), QSize(2400, 1440));
    for (int scheme = 0; scheme < 5; ++scheme)
        QVERIFY2(pixelsLike(image, ChartTheme::light().scheme(scheme)) > 300,
                 qPrintable(QString::number(scheme)));
    QCOMPARE(image.pixelColor(2, 2), QColor(Qt::white));
    ChartOptions dark;
    dark.dark = true;
    QVERIFY(
        QImage::fromData(renderChart(test::syntheticCampaign(), ChartKind::Memory, ChartFormat::Png, dark))
            .pixelColor(2, 2)
            .lightness() < 60);
}

void TestCharts::svgParsesAndKeepsInside() {
    for (const ChartKind kind : {ChartKind::TradeOff, ChartKind::Latency, ChartKind::Memory}) {
        const QByteArray svg = renderChart(test::syntheticCampaign(), kind, ChartFormat::Svg);
        QSvgRenderer renderer;
        QVERIFY(renderer.load(svg));
        QCOMPARE(renderer.viewBox().size(), ChartOptions().size);
        const QString text = svgText(svg);
        QVERIFY(text.contains(QStringLiteral("Demo campaign")));
        QVERIFY(text.contains(QStringLiteral("not HumanEval")));
        QVERIFY(svg.contains("sans-serif"));
        QImage image(ChartOptions().size, QImage::Format_RGB32);
        image.fill(Qt::white);
        QPainter painter(&image);
        renderer.render(&painter);
        painter.end();
        QVERIFY(pixelsLike(image, ChartTheme::light().scheme(1)) > 60);
    }
}

void TestCharts::pdfIsOnePage() {
    const QByteArray pdf = renderChart(test::syntheticCampaign(), ChartKind::TradeOff, ChartFormat::Pdf);
    QVERIFY(pdf.startsWith("%PDF-"));
    QVERIFY(pdf.trimmed().endsWith("%%EOF"));
    QVERIFY(pdf.size() > 4000);
    QCOMPARE(pdf.count("/Type /Page\n"), 1);
    QVERIFY(pdf.contains("/MediaBox [0 0 900.000000 540.000000]") || pdf.contains("/MediaBox [0 0 900 540]"));
}

void TestCharts::csvIsTheTableTwin() {
    const QString csv = chartCsv(test::syntheticCampaign(), ChartKind::TradeOff);
    const QStringList lines = csv.split(QStringLiteral("\r\n"), Qt::SkipEmptyParts);
    QCOMPARE(lines.size(), 11);
    const QStringList header = lines[0].split(u',');
    const QStringList first = lines[1].split(u',');
    QCOMPARE(first.size(), header.size());
    const auto cell = [&](const char* name) { return first[header.indexOf(QString::fromLatin1(name))]; };
    QCOMPARE(cell("scheme"), QStringLiteral("fp16"));
    QCOMPARE(cell("baseline"), QStringLiteral("1"));
    QCOMPARE(cell("samples_passed"), QStringLiteral("118"));
    QVERIFY(qAbs(cell("pass_at_1").toDouble() - 118.0 / 164.0) < 1e-9);
    QCOMPARE(cell("tpot_ms_p50"), QStringLiteral("4.78"));
    QCOMPARE(cell("weight_bytes").toDouble(), 8.4e6 * 2.0 + 2.1e6);
    QCOMPARE(cell("inside_budget"), QStringLiteral("1"));
    QCOMPARE(cell("energy_per_token_j"), QStringLiteral("2.39"));
    const QStringList planned = chartCsv(test::syntheticCampaignAfter(2), ChartKind::TradeOff)
                                    .split(QStringLiteral("\r\n"))[10]
                                    .split(u',');
    QCOMPARE(planned.size(), header.size());
    QVERIFY(planned[header.indexOf(QStringLiteral("pass_at_1"))].isEmpty());
    QVERIFY(planned[header.indexOf(QStringLiteral("tpot_ms_p50"))].isEmpty());
    QCOMPARE(chartCsv(test::syntheticCampaign(), ChartKind::Memory).count(QStringLiteral("\r\n")), 11);
}

void TestCharts::csvQuotesWhatItMust() {
    auto campaign = test::syntheticCampaign();
    campaign.runs[0].run.schemeLabel = QStringLiteral("a,\"b\"");
    campaign.runs[1].run.schemeLabel = QStringLiteral("=cmd()");
    const QString csv = chartCsv(campaign, ChartKind::TradeOff);
    QVERIFY(csv.contains(QStringLiteral("fp16,\"a,\"\"b\"\"\",1")));
    QVERIFY(csv.contains(QStringLiteral("fp16,'=cmd(),8")));
}

void TestCharts::saveWritesAtomicallyAndSaysWhyNot() {
    const QTemporaryDir folder;
    const auto campaign = test::syntheticCampaign();
    for (const char* name : {"c.png", "c.SVG", "c.pdf", "c.csv"}) {
        const QString path = folder.filePath(QString::fromLatin1(name));
        QCOMPARE(saveChart(path, campaign, ChartKind::TradeOff), QString());
        QVERIFY(QFile(path).size() > 500);
    }
    const QString unknown =
        saveChart(folder.filePath(QStringLiteral("c.bmp")), campaign, ChartKind::TradeOff);
    QVERIFY(unknown.contains(QStringLiteral("“bmp”")) && unknown.contains(QStringLiteral(".svg")));
    const QString missing =
        saveChart(folder.filePath(QStringLiteral("no/such/c.png")), campaign, ChartKind::TradeOff);
    QVERIFY(missing.contains(QStringLiteral("no/such/c.png")) && missing.contains(QStringLiteral("folder")));
    QCOMPARE(QDir(folder.path()).entryList(QDir::Files).size(), 4); // nothing half-written is left
    const QString full = saveChart(QStringLiteral("/dev/full/c.png"), campaign, ChartKind::TradeOff);
    QVERIFY(!full.isEmpty());
}

QTEST_MAIN(TestCharts)
#include "tst_charts.moc"
