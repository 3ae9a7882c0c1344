// SPDX-License-Identifier: GPL-3.0-or-later
// Draws the window and the charts with made-up numbers, for eyes: ui_screenshots FOLDER.
#include "tests/ui/synthetic_campaign.h"
#include "ui/charts/chart_export.h"
#include "ui/main_window.h"
#include "ui/report/html_report.h"
#include "ui/results/chart_tabs.h"

#include <QApplication>
#include <QDir>
#include <QScrollArea>
#include <QScrollBar>
#include <QStandardPaths>
#include <QTabWidget>
#include <QTableView>
#include <QTest>

using namespace quantscope;

namespace {

QDir out;

void shoot(ui::MainWindow& window, const char* name, QSize size) {
    window.resize(size);
    window.show();
    window.flushUpdates();
    QTest::qWait(50);
    window.grab().save(out.filePath(QString::fromLatin1(name) + QStringLiteral(".png")));
}

QPalette darkPalette() {
    QPalette palette;
    palette.setColor(QPalette::Window, QColor(0x26, 0x2b, 0x31));
    palette.setColor(QPalette::WindowText, QColor(0xe6, 0xe9, 0xed));
    palette.setColor(QPalette::Base, QColor(0x1e, 0x22, 0x27));
    palette.setColor(QPalette::AlternateBase, QColor(0x24, 0x29, 0x2f));
    palette.setColor(QPalette::Text, QColor(0xe6, 0xe9, 0xed));
    palette.setColor(QPalette::Button, QColor(0x33, 0x39, 0x41));
    palette.setColor(QPalette::ButtonText, QColor(0xe6, 0xe9, 0xed));
    palette.setColor(QPalette::ToolTipBase, QColor(0x33, 0x39, 0x41));
    palette.setColor(QPalette::ToolTipText, QColor(0xe6, 0xe9, 0xed));
    palette.setColor(QPalette::PlaceholderText, QColor(0x8f, 0x9a, 0xa6));
    palette.setColor(QPalette::Highlight, QColor(0x2f, 0x6f, 0xb5));
    palette.setColor(QPalette::HighlightedText, Qt::white);
    for (const auto role : {QPalette::WindowText, QPalette::Text, QPalette::ButtonText})
        palette.setColor(QPalette::Disabled, role, QColor(0x7a, 0x84, 0x8f));
    return palette;
}

void shootStates() {
    ui::MainWindow window;
    shoot(window, "window-first-start", {1440, 900});
    window.setHostInfo(test::syntheticHost());
    shoot(window, "window-empty", {1440, 900});
    const auto campaign = test::syntheticCampaign();
    window.setCampaigns({campaign.campaign});
    window.setSummary(campaign);
    shoot(window, "window-1440x900", {1440, 900});
    shoot(window, "window-1024x700", {1024, 700});
    auto* tabs = window.findChild<QTabWidget*>();
    tabs->setCurrentIndex(1);
    shoot(window, "window-latency", {1440, 900});
    tabs->setCurrentIndex(2);
    shoot(window, "window-memory", {1280, 800});
    tabs->setCurrentIndex(0);
    auto* charts = window.findChild<ui::ChartTabs*>();
    charts->setAxis(ui::XMetric::Energy, false);
    shoot(window, "window-energy", {1024, 700});
    shoot(window, "window-energy-wide", {1700, 900});
    auto without = campaign;
    for (auto& run : without.runs)
        run.metrics.remove(QStringLiteral("energy_per_token_j"));
    window.setSummary(without);
    shoot(window, "window-energy-none", {1440, 900});
    charts->setAxis(ui::XMetric::TpotP50, false);
    window.setSummary(test::fewRounds(campaign));
    shoot(window, "window-few-rounds", {1440, 900});
    window.setSummary(campaign);
    auto* form = window.findChild<QScrollArea*>();
    form->verticalScrollBar()->setValue(form->verticalScrollBar()->maximum());
    window.findChild<QTableView*>()->selectRow(4);
    window.setCampaignSpec({});
    window.showError(
        QStringLiteral("The worker stopped while loading W4A4 rotated."),
        QStringLiteral("The model needs 14.2 GiB and the device has 11.9 GiB free: close other programs that "
                       "use it, or untick FP16."));
    shoot(window, "window-error", {1440, 900});
}

void shootRunning() {
    ui::MainWindow window;
    window.setHostInfo(test::syntheticHost());
    const auto campaign = test::syntheticCampaignAfter(6);
    window.setCampaigns({campaign.campaign});
    window.setRunning(true);
    window.setSummary(campaign);
    window.setProgress({7,
                        107,
                        QStringLiteral("Problems, W4A4 round-to-nearest, batch 1"),
                        1075,
                        1740,
                        71.0,
                        512.0,
                        {{QStringLiteral("power_w"), 611.7},
                         {QStringLiteral("sm_clock_mhz"), 1980.0},
                         {QStringLiteral("temperature_c"), 54.0}}});
    shoot(window, "window-running-1024x700", {1024, 700});
    shoot(window, "window-running", {1440, 900});
}

} // namespace

int main(int argc, char** argv) {
    QStandardPaths::setTestModeEnabled(true);
    QApplication app(argc, argv);
    QApplication::setOrganizationName(
        QStringLiteral("quantscope-screenshots-%1").arg(QCoreApplication::applicationPid()));
    out = QDir(QApplication::arguments().value(1, QStringLiteral(".")));
    shootStates();
    shootRunning();
    const auto campaign = test::syntheticCampaign();
    ui::chartImage(campaign, ui::ChartKind::TradeOff)
        .save(out.filePath(QStringLiteral("chart-trade-off.png")));
    const QString error = ui::saveHtmlReport(out.filePath(QStringLiteral("report.html")), campaign);
    if (!error.isEmpty())
        qWarning("%s", qPrintable(error));
    const QPalette light = QApplication::palette();
    QApplication::setPalette(darkPalette());
    {
        ui::MainWindow window;
        window.setHostInfo(test::syntheticHost());
        window.setSummary(campaign);
        window.setCampaigns({campaign.campaign});
        window.showNotice(QStringLiteral("Saved /home/me/demo-trade-off.png."));
        shoot(window, "window-dark", {1440, 900});
        QApplication::setPalette(light);
        shoot(window, "window-dark-to-light", {1440, 900});
    }
    return 0;
}
