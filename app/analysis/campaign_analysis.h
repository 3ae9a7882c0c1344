// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/campaign_data.h"
#include "app/analysis/headline.h"
#include "app/analysis/run_comparison.h"

#include <QHash>
#include <QSet>

#include <memory>
#include <utility>

namespace quantscope::analysis {

/// Figures, comparisons and the headline, which also says why samples have no verdict. Each run is compared
/// with the baseline scheme's run at the same batch size, where there is one. The baseline is that of run
/// `baselineRunId`; 0 or an unknown id: the first "fp16" run, else the first run. Pure: the same data give
/// the same summary.
storage::CampaignSummary summarize(const CampaignData& data, storage::Id baselineRunId = 0);

/// The same, for data that are refreshed again and again: remembers the figures of each run and of each pair,
/// and computes those anew whose run has another revision. Of one campaign; another one starts afresh.
class Summarizer {
  public:
    storage::CampaignSummary summarize(const CampaignData& data, storage::Id baselineRunId = 0);

  private:
    struct Figures {
        int revision = -1;
        QSet<QString> tasks; ///< with a sample, scored or not
        TaskResults results;
        storage::RunSummary summary;
    };
    struct Pair {
        int baselineRevision = -1;
        int revision = -1;
        PairedRuns runs;
        double level = 0.0; ///< that `interval` was computed at; 0: at none
        stats::Interval interval;
    };
    struct Pairing {
        int run = 0;
        int baseline = 0;
        Pair* pair = nullptr;
    };

    void bringUpToDate(const CampaignData& data);
    Pairing pairOf(const CampaignData& data, int run, int baseline);
    QList<Pairing> comparePairs(const CampaignData& data, const QString& baselineScheme,
                                const std::optional<HeadlinePair>& headlineRuns);
    [[nodiscard]] bool askTheSame(const CampaignData& data, const Pairing& a, const Pairing& b) const;

    storage::Id campaignId_ = 0;
    int problemsTotal_ = 0;
    QHash<storage::Id, Figures> figures_;
    QHash<std::pair<storage::Id, storage::Id>, std::shared_ptr<Pair>> pairs_; ///< by run, baseline
};

} // namespace quantscope::analysis
