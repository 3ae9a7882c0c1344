// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/export_actions.h"

#include "ui/charts/chart_export.h"
#include "ui/charts/chart_view.h"
#include "ui/report/html_report.h"
#include "ui/results/chart_tabs.h"
#include "ui/results/results_panel.h"

#include <QDir>
#include <QFileDialog>
#include <QFileInfo>
#include <QRegularExpression>
#include <QSettings>

namespace quantscope::ui {

namespace {

const QString folderKey = QStringLiteral("export/folder");

} // namespace

ExportActions::ExportActions(ResultsPanel* results, QWidget* window)
    : QObject(window), results_(results), window_(window) {}

QString ExportActions::suggestedName(const QString& what, const QString& suffix) const {
    QString name = results_->summary().campaign.spec.name;
    name.replace(QRegularExpression(QStringLiteral("[^A-Za-z0-9._-]+")), QStringLiteral("-"));
    if (name.isEmpty())
        name = QStringLiteral("quantscope");
    const QString folder = QSettings().value(folderKey, QDir::homePath()).toString();
    return QDir(folder).filePath(QStringLiteral("%1-%2.%3").arg(name, what, suffix));
}

bool ExportActions::report(const QString& fileName, const QString& error) {
    if (!error.isEmpty()) {
        Q_EMIT failed(QStringLiteral("The export failed."), error);
        return false;
    }
    QSettings().setValue(folderKey, QFileInfo(fileName).absolutePath());
    Q_EMIT saved(QStringLiteral("Saved %1.").arg(QDir::toNativeSeparators(fileName)));
    return true;
}

bool ExportActions::saveChartTo(const QString& fileName) {
    const ChartView* chart = results_->charts()->currentChart();
    ChartOptions options = chart->options();
    options.dark = false; // paper is white, whatever the window looks like
    options.showTitle = true;
    options.size = ChartOptions().size;
    return report(fileName, saveChart(fileName, results_->summary(), chart->kind(), options));
}

bool ExportActions::saveReportTo(const QString& fileName) {
    return report(fileName, saveHtmlReport(fileName, results_->summary()));
}

void ExportActions::askForChart() {
    const QString what = results_->charts()->tabText(results_->charts()->currentIndex()).toLower();
    QString filter;
    QString name = QFileDialog::getSaveFileName(
        window_, QStringLiteral("Export the chart"), suggestedName(what, QStringLiteral("png")),
        QStringLiteral("PNG image (*.png);;SVG drawing (*.svg);;PDF page (*.pdf);;CSV table (*.csv)"),
        &filter);
    if (name.isEmpty())
        return;
    if (QFileInfo(name).suffix().isEmpty()) // the filter says what an ending would
        name += u'.' + filter.section(u'.', -1).chopped(1);
    saveChartTo(name);
}

void ExportActions::askForReport() {
    QString name = QFileDialog::getSaveFileName(
        window_, QStringLiteral("Export the report"),
        suggestedName(QStringLiteral("report"), QStringLiteral("html")), QStringLiteral("Web page (*.html)"));
    if (name.isEmpty())
        return;
    if (QFileInfo(name).suffix().isEmpty())
        name += QStringLiteral(".html");
    saveReportTo(name);
}

} // namespace quantscope::ui
