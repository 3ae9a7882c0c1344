// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/summary_source.h"

namespace quantscope::analysis {

storage::Expected<> SummarySource::read(storage::Reader& reader, storage::Id campaignId) {
    const auto pinned = reader.snapshot();
    if (!pinned) {
        return tl::unexpected(pinned.error());
    }
    if (campaignId == 0) {
        const auto campaigns = reader.repositories.campaigns.list();
        if (!campaigns) {
            return tl::unexpected(campaigns.error());
        }
        if (campaigns->isEmpty()) {
            data_ = {};
            return {};
        }
        campaignId = campaigns->first().id;
    }
    return refreshCampaignData(reader.repositories, campaignId, data_);
}

storage::Expected<storage::CampaignSummary> SummarySource::summary(storage::Reader& reader,
                                                                   storage::Id campaignId,
                                                                   storage::Id baselineRunId,
                                                                   const LiveStatus& liveStatus) {
    const auto version = reader.dataVersion(); // before the snapshot: what comes between is read again
    if (!version) {
        return tl::unexpected(version.error());
    }
    if (!last_ || *version != version_ || asked_ != campaignId || baseline_ != baselineRunId) {
        last_.reset();
        if (auto done = read(reader, campaignId); !done) {
            return tl::unexpected(done.error());
        }
        last_ =
            data_.campaign.id != 0 ? summarizer_.summarize(data_, baselineRunId) : storage::CampaignSummary();
        version_ = *version;
        asked_ = campaignId;
        baseline_ = baselineRunId;
    }
    storage::CampaignSummary summary = *last_;
    if (summary.campaign.id != 0) {
        summary.campaign.status = liveStatus(data_.campaign); // a process may die without a word to storage
    }
    return summary;
}

} // namespace quantscope::analysis
