// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/planner.h"
#include "engine/protocol/messages.h"
#include "storage/repositories.h"

#include <QSet>

namespace quantscope::campaign {

/// One run with what is stored of it: what a resume skips, and what progress counts.
struct RunRecord {
    storage::Run run;
    QSet<storage::SampleKey> samples;
    int scored = 0;
    int passed = 0;
    int nextRound = 0;    ///< latency rounds stored
    int openRound = -1;   ///< the round that came last from this worker: more of its requests may follow
    int openRequests = 0; ///< of that round: the requests below this number have come
};

/// A campaign in memory while it runs: it answers what is still to do and builds the requests for it.
/// Plain values: made by a storage job, then owned by the controller.
struct CampaignRecord {
    storage::Campaign campaign;
    Plan plan;
    QList<RunRecord> runs; ///< one per plan.cells, in that order
    int problemCount = 0;  ///< of the campaign, after its limit; 0 until the worker has told

    [[nodiscard]] RunRecord* find(storage::Id runId);
    [[nodiscard]] protocol::Request request(const Step& step) const;
    [[nodiscard]] int unitsTotal(const Step& step) const; ///< samples, or latency rounds of all cells
    [[nodiscard]] int unitsDone(const Step& step) const;
    [[nodiscard]] storage::RunStatus status(const Step& step, int cell) const;
    /// Done when all is; Planned, Partial or Failed otherwise.
    [[nodiscard]] storage::RunStatus overallStatus() const;
    [[nodiscard]] int samplesScored() const;
};

/// Jobs for the storage thread. `schemes` gives the labels and the bits, which are stored as metrics of the
/// runs.
storage::Expected<CampaignRecord> createRecord(storage::Repositories& repositories,
                                               const storage::Campaign& provenance,
                                               const QList<storage::SchemeInfo>& schemes);
storage::Expected<CampaignRecord> loadRecord(storage::Repositories& repositories, storage::Id campaignId);

} // namespace quantscope::campaign
