// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/options.h"

#include <QStandardPaths>

namespace quantscope::cli {

bool drawsCharts(const Command& command) {
    if (const auto* run = std::get_if<RunOptions>(&command)) {
        return !run->outDir.isEmpty();
    }
    if (const auto* exporting = std::get_if<ExportOptions>(&command)) {
        return exporting->what == QLatin1String("charts");
    }
    return std::holds_alternative<ReportOptions>(command);
}

QString defaultDatabase() {
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) +
           QStringLiteral("/quantscope/quantscope.db");
}

} // namespace quantscope::cli
