// SPDX-License-Identifier: Apache-2.0
#include "storage/export.h"

#include "storage/csv.h"
#include "storage/line_file.h"
#include "storage/repositories.h"
#include "storage/sample_files.h"
#include "storage/words.h"

#include <QJsonArray>

namespace quantscope::storage {
namespace {

using LineOfSample = QJsonObject (*)(const Sample&, const Run&, const Campaign&);

Expected<int> exportRun(Repositories& repositories, Id runId, const QString& path, LineOfSample line) {
    const auto run = repositories.runs.load(runId);
    if (!run)
        return tl::unexpected(run.error());
    const auto campaign = repositories.campaigns.load(run->campaignId);
    if (!campaign)
        return tl::unexpected(campaign.error());
    const auto samples = repositories.samples.list(runId);
    if (!samples)
        return tl::unexpected(samples.error());
    LineFile file(path);
    for (const Sample& sample : *samples)
        file.write(line(sample, *run, *campaign));
    return file.commit();
}

/// Calls `each(run)` for every run of an existing campaign.
template<class Function>
Expected<> forEachRun(Repositories& repositories, Id campaignId, Function each) {
    if (auto campaign = repositories.campaigns.load(campaignId); !campaign)
        return tl::unexpected(campaign.error());
    const auto runs = repositories.runs.list(campaignId);
    if (!runs)
        return tl::unexpected(runs.error());
    for (const Run& run : *runs)
        if (Expected<> done = each(run); !done)
            return done;
    return {};
}

QStringList sampleCells(const Run& run, const Sample& sample) {
    return {csvNumber(run.id),
            csvText(run.schemeId),
            csvNumber(run.batchSize),
            csvText(sample.taskId),
            csvNumber(sample.sampleIndex),
            word(sample.verdict),
            csvText(sample.detail),
            csvText(sample.stopReason),
            csvNumber(sample.promptTokens),
            csvNumber(sample.completionTokens),
            csvNumber(sample.ttftMs),
            csvNumber(sample.totalMs)};
}

QStringList latencyCells(const Run& run, const LatencySample& sample) {
    QStringList gaps;
    for (const double gap : sample.itlMs)
        gaps << csvNumber(gap);
    return {csvNumber(run.id),
            csvText(run.schemeId),
            csvNumber(run.batchSize),
            csvNumber(sample.round),
            csvNumber(sample.request),
            csvNumber(sample.promptTokens),
            csvNumber(sample.outputTokens),
            csvNumber(sample.ttftMs),
            csvNumber(sample.e2eMs),
            gaps.join(QLatin1Char(';'))};
}

QJsonObject latencyLine(const Run& run, const LatencySample& sample) {
    QJsonArray gaps;
    for (const double gap : sample.itlMs)
        gaps << gap;
    return {{QStringLiteral("run"), run.id},
            {QStringLiteral("scheme"), run.schemeId},
            {QStringLiteral("batch_size"), run.batchSize},
            {QStringLiteral("round"), sample.round},
            {QStringLiteral("request"), sample.request},
            {QStringLiteral("prompt_tokens"), sample.promptTokens},
            {QStringLiteral("output_tokens"), sample.outputTokens},
            {QStringLiteral("ttft_ms"), sample.ttftMs},
            {QStringLiteral("e2e_ms"), sample.e2eMs},
            {QStringLiteral("itl_ms"), gaps}};
}

} // namespace

Expected<int> exportSamples(Repositories& repositories, Id runId, const QString& path) {
    return exportRun(repositories, runId, path, sampleLine);
}

Expected<int> exportResults(Repositories& repositories, Id runId, const QString& path) {
    return exportRun(repositories, runId, path, resultLine);
}

Expected<int> exportResultsCsv(Repositories& repositories, Id campaignId, const QString& path) {
    LineFile file(path);
    file.writeHeader("run,scheme,batch_size,task_id,sample_index,verdict,detail,stop_reason,prompt_tokens,"
                     "completion_tokens,ttft_ms,total_ms\r\n");
    return forEachRun(repositories, campaignId,
                      [&](const Run& run) {
                          return repositories.samples.list(run.id).map([&](const QList<Sample>& samples) {
                              for (const Sample& sample : samples)
                                  file.write(csvLine(sampleCells(run, sample)));
                          });
                      })
        .and_then([&] { return file.commit(); });
}

Expected<int> exportLatencyCsv(Repositories& repositories, Id campaignId, const QString& path) {
    LineFile file(path);
    file.writeHeader(
        "run,scheme,batch_size,round,request,prompt_tokens,output_tokens,ttft_ms,e2e_ms,itl_ms\r\n");
    return forEachRun(repositories, campaignId,
                      [&](const Run& run) {
                          return repositories.latencies.list(run.id).map(
                              [&](const QList<LatencySample>& samples) {
                                  for (const LatencySample& sample : samples)
                                      file.write(csvLine(latencyCells(run, sample)));
                              });
                      })
        .and_then([&] { return file.commit(); });
}

Expected<int> exportLatencyJsonl(Repositories& repositories, Id campaignId, const QString& path) {
    LineFile file(path);
    return forEachRun(repositories, campaignId,
                      [&](const Run& run) {
                          return repositories.latencies.list(run.id).map(
                              [&](const QList<LatencySample>& samples) {
                                  for (const LatencySample& sample : samples)
                                      file.write(latencyLine(run, sample));
                              });
                      })
        .and_then([&] { return file.commit(); });
}

} // namespace quantscope::storage
