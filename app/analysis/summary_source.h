// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/analysis/campaign_analysis.h"
#include "storage/reader.h"

#include <functional>

namespace quantscope::analysis {

/// Summaries of one database again and again, as a window wants them while samples stream in: reads and
/// computes only what has changed since the last time, and nothing at all where nothing was stored.
/// Belongs to the reader's thread.
class SummarySource {
  public:
    /// What the status of a campaign is now: a stored "running" may be of a process that has died.
    using LiveStatus = std::function<storage::RunStatus(const storage::Campaign&)>;

    /// `campaignId` 0 is the newest; a summary of campaign 0 says that there is none.
    storage::Expected<storage::CampaignSummary> summary(storage::Reader& reader, storage::Id campaignId,
                                                        storage::Id baselineRunId,
                                                        const LiveStatus& liveStatus);

  private:
    storage::Expected<> read(storage::Reader& reader, storage::Id campaignId);

    qint64 version_ = -1; ///< the database's when `data_` was read
    storage::Id asked_ = 0;
    storage::Id baseline_ = 0;
    CampaignData data_;
    Summarizer summarizer_;
    std::optional<storage::CampaignSummary> last_;
};

} // namespace quantscope::analysis
