// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

#include <QSet>
#include <utility>

namespace quantscope::storage {

class Database;

struct UnscoredReason {
    QString detail;
    int problems = 0; ///< with a sample that is unscored for this reason
};

using SampleKey = std::pair<QString, int>; ///< task id, sample index

struct SampleCounts {
    int stored = 0;
    int scored = 0;
    int passed = 0;
    int timedOut = 0;
    friend bool operator==(const SampleCounts&, const SampleCounts&) = default;
};

/// Completions with their verdicts; (run, task, sample index) is unique.
class SampleRepository {
  public:
    explicit SampleRepository(Database& database) : database_(database) {}

    /// True when the sample is new, false when the same is stored already (same completion and verdict; times
    /// may differ). Conflict when another completion or verdict is stored under its key: the stored one
    /// stays.
    [[nodiscard]] Expected<bool> insert(const Sample& sample);

    /// Scores a stored sample anew, e.g. one that was unscored for want of a sandbox.
    [[nodiscard]] Expected<> setVerdict(Id runId, const SampleKey& key, Verdict verdict,
                                        const QString& detail);

    [[nodiscard]] Expected<QList<Sample>> list(Id runId); ///< in the order they were stored
    /// Verdicts without the completions, of those stored after the sample `afterId`; in that order.
    [[nodiscard]] Expected<QList<SampleVerdict>> verdicts(Id runId, Id afterId = 0);
    [[nodiscard]] Expected<Sample> load(Id runId, const SampleKey& key);
    [[nodiscard]] Expected<QSet<SampleKey>> keys(Id runId); ///< what a resume skips
    [[nodiscard]] Expected<QMap<Id, SampleCounts>>
    counts(Id campaignId); ///< by run; runs without samples are absent
    [[nodiscard]] Expected<QList<UnscoredReason>> unscoredReasons(Id campaignId);

  private:
    Database& database_;
};

} // namespace quantscope::storage
