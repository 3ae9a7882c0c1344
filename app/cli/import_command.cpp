// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/errors.h"
#include "app/cli/commands.h"
#include "app/cli/output.h"
#include "app/cli/stored_campaign.h"
#include "storage/import.h"

namespace quantscope::cli {
namespace {

Expected<storage::Imported> importFile(const ImportOptions& options) {
    storage::Id campaignId = options.campaignId;
    {
        auto reader = openDatabase(options.database);
        if (!reader) {
            return tl::unexpected(reader.error());
        }
        const auto data = loadCampaign(**reader, campaignId);
        if (!data) {
            return tl::unexpected(data.error());
        }
        campaignId = data->campaign.id;
    }
    auto database = campaign::appExpected(storage::Database::open(options.database));
    if (!database) {
        return tl::unexpected(database.error());
    }
    return campaign::appExpected(
        storage::importSampleFile(**database, campaignId, options.file, {options.name, options.strict}));
}

} // namespace

int importSamples(const ImportOptions& options) {
    const auto imported = importFile(options);
    if (!imported) {
        return fail(imported.error());
    }
    for (const QString& note : imported->notes) {
        printNote(note);
    }
    print(imported->run.schemeId +
          QStringLiteral(": %1 samples imported into campaign %2, %3 of them scored.\n")
              .arg(QString::number(imported->samples), QString::number(imported->run.campaignId),
                   QString::number(imported->scored)));
    return 0;
}

} // namespace quantscope::cli
