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

/// The campaign's problems in their order; empty while it knows none.
Expected<QStringList> tasksOf(Repositories& repositories, Id campaignId) {
    const auto campaign = repositories.campaigns.load(campaignId);
    if (!campaign)
        return tl::unexpected(campaign.error());
    if (campaign->problemsHash.isEmpty())
        return QStringList();
    return repositories.problems.list(campaign->problemsHash).map([](const QList<Problem>& problems) {
        QStringList tasks;
        for (const Problem& problem : problems)
            tasks << problem.taskId;
        return tasks;
    });
}

} // namespace

Expected<Imported> importSampleFile(Database& database, Id campaignId, const QString& path,
                                    const ImportSettings& settings) {
    Repositories repositories(database);
    const auto tasks = tasksOf(repositories, campaignId);
    if (!tasks)
        return tl::unexpected(tasks.error());
    const auto file = readSampleFile(path, *tasks, settings.strict);
    if (!file)
        return tl::unexpected(file.error());
    auto transaction = Transaction::begin(database, QStringLiteral("importing ") + path);
    if (!transaction)
        return tl::unexpected(transaction.error());
    auto run = repositories.runs.add(describeRun(campaignId, *file, path, settings.name));
    if (!run)
        return tl::unexpected(run.error());
    Imported imported{*run, 0, 0, file->notes};
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
