// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "app/cli/summary_json.h"
#include "app/cli/summary_table.h"

namespace quantscope::cli {

int showCampaign(const ShowOptions& options) {
    const auto summary = loadSummary(options.database, options.campaignId);
    if (!summary) {
        return fail(summary.error(), options.json);
    }
    if (options.json) {
        printJson(summaryJson(*summary));
        return 0;
    }
    print(campaignLines(summary->campaign) + QLatin1Char('\n') + runTable(*summary).toText() +
          QLatin1Char('\n') + summary->headline + QLatin1Char('\n'));
    for (const storage::RunSummary& run : summary->runs) {
        if (!run.run.error.isEmpty()) {
            print(QStringLiteral("%1, batch %2: %3\n")
                      .arg(run.run.schemeId, QString::number(run.run.batchSize), run.run.error));
        }
    }
    return 0;
}

int compareRuns(const CompareOptions& options) {
    const bool json = options.format == TableFormat::Json;
    const auto summary = loadSummary(options.database, options.campaignId, options.baseline);
    if (!summary) {
        return fail(summary.error(), json);
    }
    switch (options.format) {
    case TableFormat::Json: printJson(summaryJson(*summary)); return 0;
    case TableFormat::Csv: print(comparisonCsvTable(*summary).toCsv()); return 0;
    case TableFormat::Table: break;
    }
    const TextTable table = comparisonTable(*summary);
    if (table.isEmpty()) {
        print(QStringLiteral(
            "No run can be compared: none has the baseline's scheme beside it at its batch size.\n"));
        return 0;
    }
    print(table.toText() + QLatin1Char('\n') + comparisonNote(*summary) + QLatin1Char('\n') +
          summary->headline + QLatin1Char('\n'));
    return 0;
}

} // namespace quantscope::cli
