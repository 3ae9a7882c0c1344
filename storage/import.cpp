// SPDX-License-Identifier: Apache-2.0
#include "storage/import.h"

#include "storage/database.h"
#include "storage/repositories.h"
#include "storage/sample_files.h"

#include <QFileInfo>

namespace quantscope::storage {
namespace {

Run describeRun(Id campaignId, const SampleFile& file, const QString& path, const QString& name) {
    const QString shown = !name.isEmpty()          ? name
                          : !file.scheme.isEmpty() ? file.scheme
                                                   : QFileInfo(path).completeBaseName();
    Run run;
    run.campaignId = campaignId;
    run.schemeId = QStringLiteral("imported:") + shown;
    run.schemeLabel = shown + QStringLiteral(" (imported)");
    run.batchSize = file.batchSize;
    run.evalStatus = RunStatus::Done;
    run.importedFrom = QFileInfo(path).fileName();
    return run;
}

} // namespace

Expected<Imported> importSampleFile(Database& database, Id campaignId, const QString& path,
                                    const QString& name) {
    const auto file = readSampleFile(path);
    if (!file)
        return tl::unexpected(file.error());
    Repositories repositories(database);
    auto transaction = Transaction::begin(database, QStringLiteral("importing %1").arg(path));
    if (!transaction)
        return tl::unexpected(transaction.error());
    if (auto campaign = repositories.campaigns.load(campaignId); !campaign)
        return tl::unexpected(campaign.error());
    auto run = repositories.runs.add(describeRun(campaignId, *file, path, name));
    if (!run)
        return tl::unexpected(run.error());
    Imported imported{*run, 0, 0};
    for (Sample sample : file->samples) {
        sample.runId = run->id;
        if (auto stored = repositories.samples.insert(sample); !stored)
            return tl::unexpected(stored.error());
        ++imported.samples;
        imported.scored += sample.verdict == Verdict::Unscored ? 0 : 1;
    }
    return transaction->commit().map([&] { return imported; });
}

} // namespace quantscope::storage
