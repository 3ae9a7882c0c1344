// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/run_figures.h"
#include "storage/repositories.h"

namespace quantscope::analysis {

/// All that is stored of a campaign that its figures need: verdicts without completions.
struct CampaignData {
    storage::Campaign campaign;
    int problemCount = 0; ///< stored problems of its problem file, before the limit
    QList<RunData> runs;
    QList<storage::UnscoredReason> unscored = {}; ///< why samples have no verdict
};

storage::Expected<CampaignData> loadCampaignData(storage::Repositories& repositories, storage::Id campaignId);

/// Brings `data` to what is stored now: reads of each run only what was added since, or the whole run where
/// something else has changed. Where `data` is of another campaign, as loadCampaignData(). After an error
/// `data` is as it was.
storage::Expected<> refreshCampaignData(storage::Repositories& repositories, storage::Id campaignId,
                                        CampaignData& data);

/// The first run of that scheme (smallest batch size first), 0 when there is none.
storage::Id runOfScheme(const CampaignData& data, const QString& schemeId);

} // namespace quantscope::analysis
