// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/errors.h"
#include "app/cli/artifacts.h"
#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "engine/files/output_file.h"

#include <QFileInfo>

namespace quantscope::cli {
namespace {

Expected<QStringList> exportFiles(const ExportOptions& options) {
    auto reader = openDatabase(options.database);
    if (!reader) {
        return tl::unexpected(reader.error());
    }
    const auto data = loadCampaign(**reader, options.campaignId);
    if (!data) {
        return tl::unexpected(data.error());
    }
    if (const auto made = makeFolder(options.outDir); !made) {
        return tl::unexpected(made.error());
    }
    const storage::CampaignSummary summary = analysis::summarize(*data);
    if (options.what == QLatin1String("charts")) {
        return writeCharts(summary, options.outDir, options.format);
    }
    if (options.format == QLatin1String("jsonl") && options.what != QLatin1String("latency")) {
        return writeSamples(**reader, summary, options.outDir, options.what == QLatin1String("results"));
    }
    return writeTable(**reader, summary.campaign.id, options.outDir, options.what, options.format);
}

} // namespace

int exportCampaign(const ExportOptions& options) {
    const auto files = exportFiles(options);
    if (!files) {
        return fail(files.error());
    }
    if (files->isEmpty()) {
        printNote(QStringLiteral("The campaign has no %1 to write.").arg(options.what));
    }
    for (const QString& file : *files) {
        print(file + QLatin1Char('\n'));
    }
    return 0;
}

int writeReport(const ReportOptions& options) {
    const auto summary = loadSummary(options.database, options.campaignId);
    if (!summary) {
        return fail(summary.error());
    }
    if (const auto made = makeFolder(QFileInfo(options.outFile).absolutePath()); !made) {
        return fail(made.error());
    }
    if (const auto saved = writeHtmlReport(*summary, options.outFile, options.database); !saved) {
        return fail(saved.error());
    }
    if (!is_standard_output(options.outFile.toStdString())) {
        print(options.outFile + QLatin1Char('\n'));
    }
    return 0;
}

} // namespace quantscope::cli
