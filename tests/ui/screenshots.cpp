// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/ui/synthetic_campaign.h"
#include "ui/charts/chart_export.h"

#include <QApplication>
#include <QDir>

using namespace quantscope;

int main(int argc, char** argv) {
    const QApplication app(argc, argv);
    const QDir out(app.arguments().value(1, QStringLiteral(".")));
    const auto campaign = test::syntheticCampaign();
    ui::ChartOptions options;
    const auto save = [&](const char* name, ui::ChartKind kind) {
        ui::chartImage(campaign, kind, options).save(out.filePath(QString::fromLatin1(name)));
    };
    save("c-tradeoff.png", ui::ChartKind::TradeOff);
    save("c-latency.png", ui::ChartKind::Latency);
    save("c-memory.png", ui::ChartKind::Memory);
    options.dark = true;
    options.logX = true;
    save("c-tradeoff-dark-log.png", ui::ChartKind::TradeOff);
    ui::chartImage({}, ui::ChartKind::TradeOff, {}).save(out.filePath(QStringLiteral("c-empty.png")));
    return 0;
}
