// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/html_report.h"

#include "ui/charts/chart_export.h"
#include "ui/files/save_file.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"
#include "ui/report/html.h"
#include "ui/report/report_tables.h"
#include "ui/report/report_text.h"
#include "ui/report/reproduce.h"

namespace quantscope::ui {

using storage::CampaignSummary;

namespace {

QString chartFigure(const CampaignSummary& summary, ChartKind kind, XMetric metric, const QString& id,
                    const QString& caption) {
    ChartOptions options;
    options.size = QSize(1080, kind == ChartKind::TradeOff ? 620 : 460);
    options.showTitle = false; // the caption says it
    options.xMetric = metric;
    const QString note = usesDemoProblems(summary.campaign.spec)
                             ? QStringLiteral(" Demo problems, not HumanEval.")
                             : QString();
    return html::figure(renderChart(summary, kind, ChartFormat::Svg, options), id, caption + note);
}

QString resultsSection(const CampaignSummary& summary) {
    const auto& spec = summary.campaign.spec;
    QString content;
    if (spec.evalEnabled)
        content += accuracyTable(summary);
    if (spec.evalEnabled && spec.latency.enabled)
        content += chartFigure(
            summary, ChartKind::TradeOff, XMetric::TpotP50, QStringLiteral("chart-trade-off"),
            QStringLiteral("pass@1 with Wilson 95 % intervals against the median time per output token."));
    if (!spec.latency.enabled)
        return content;
    content += latencyTable(summary);
    content += chartFigure(summary, ChartKind::Latency, XMetric::TpotP50, QStringLiteral("chart-tpot"),
                           QStringLiteral("Time per output token: p50, p90 and p99."));
    content += chartFigure(summary, ChartKind::Latency, XMetric::TtftP50, QStringLiteral("chart-ttft"),
                           QStringLiteral("Time to first token: p50, p90 and p99."));
    content += memoryTable(summary);
    return content + chartFigure(summary, ChartKind::Memory, XMetric::Memory, QStringLiteral("chart-memory"),
                                 QStringLiteral("Memory by part."));
}

QString comparisonsSection(const CampaignSummary& summary) {
    const QString flipped = flippedTasks(summary);
    QString content = comparisonTable(summary);
    if (!flipped.isEmpty())
        content +=
            html::paragraph(QStringLiteral("Tasks whose verdict differs from the baseline's:")) + flipped;
    return content;
}

QString reproduceSection(const CampaignSummary& summary, const ReportOptions& options) {
    QString content = html::paragraph(QStringLiteral("The same campaign again, on the command line:")) +
                      QStringLiteral("<pre><code>") + html::escaped(reproduceCommand(summary.campaign.spec)) +
                      QStringLiteral("</code></pre>\n");
    if (!options.databasePath.isEmpty())
        content +=
            html::paragraph(QStringLiteral("Every sample and timing behind this report is campaign %1 in %2.")
                                .arg(summary.campaign.id)
                                .arg(options.databasePath));
    return content;
}

QString headBlock(const CampaignSummary& summary, const QDateTime& createdAt) {
    QString head = QStringLiteral("<h1>") + html::escaped(reportTitle(summary)) +
                   QStringLiteral("</h1>\n<p class=\"facts\">") +
                   html::escaped(QStringLiteral("Report of %1, written by Quantscope %2.")
                                     .arg(formatDateTime(createdAt), summary.campaign.quantscopeVersion)) +
                   QStringLiteral("</p>\n");
    if (usesDemoProblems(summary.campaign.spec))
        head +=
            QStringLiteral("<p class=\"demo\">") + html::escaped(demoWarning()) + QStringLiteral("</p>\n");
    return head;
}

QString paragraphs(const QStringList& texts) {
    QString content;
    for (const QString& text : texts)
        content += html::paragraph(text);
    return content;
}

QString bullets(const QStringList& texts) {
    QString items;
    for (const QString& text : texts)
        items += QStringLiteral("<li>") + html::escaped(text) + QStringLiteral("</li>\n");
    return QStringLiteral("<ul>\n") + items + QStringLiteral("</ul>\n");
}

} // namespace

QString htmlReport(const CampaignSummary& summary, const ReportOptions& options) {
    const QDateTime createdAt =
        options.createdAt.isValid() ? options.createdAt : QDateTime::currentDateTime();
    QString body = headBlock(summary, createdAt);
    body += html::section(QStringLiteral("abstract"), QStringLiteral("Abstract"),
                          QStringLiteral("<p class=\"abstract\">") + html::escaped(abstractText(summary)) +
                              QStringLiteral("</p>\n"));
    body += html::section(QStringLiteral("question"), QStringLiteral("Research question"),
                          html::paragraph(questionText(summary)));
    body += html::section(QStringLiteral("method"), QStringLiteral("Method"),
                          paragraphs(methodText(summary)) + environmentTable(summary));
    body += html::section(QStringLiteral("results"), QStringLiteral("Results"), resultsSection(summary));
    if (summary.campaign.spec.evalEnabled)
        body += html::section(QStringLiteral("comparisons"), QStringLiteral("Comparisons"),
                              comparisonsSection(summary));
    body += html::section(QStringLiteral("limitations"), QStringLiteral("Limitations"),
                          bullets(limitationsText(summary)));
    body += html::section(QStringLiteral("reproduce"), QStringLiteral("How to reproduce"),
                          reproduceSection(summary, options));
    return html::page(reportTitle(summary), body);
}

QString saveHtmlReport(const QString& fileName, const CampaignSummary& summary,
                       const ReportOptions& options) {
    return saveFile(fileName, htmlReport(summary, options).toUtf8());
}

} // namespace quantscope::ui
