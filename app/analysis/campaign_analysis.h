// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/run_figures.h"
#include "storage/repositories.h"

namespace quantscope::analysis {

/// All that is stored of a campaign that its figures need.
struct CampaignData {
    storage::Campaign campaign;
    int problemCount = 0; ///< stored problems of its problem file, before the limit
    QList<RunData> runs;
};

storage::Expected<CampaignData> loadCampaignData(storage::Repositories& repositories, storage::Id campaignId);

/// The first run of that scheme (smallest batch size first), 0 when there is none.
storage::Id runOfScheme(const CampaignData& data, const QString& schemeId);

/// Figures, comparisons and the headline. Each run is compared with the baseline scheme's run at the same
/// batch size, where there is one. The baseline is that of run `baselineRunId`; 0 or an unknown id: the first
/// "fp16" run, else the first run. Pure: the same data give the same summary.
storage::CampaignSummary summarize(const CampaignData& data, storage::Id baselineRunId = 0);

} // namespace quantscope::analysis
