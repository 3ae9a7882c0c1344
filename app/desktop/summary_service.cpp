// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/summary_service.h"

#include "app/analysis/campaign_analysis.h"
#include "app/campaign/campaign_lock.h"
#include "storage/reader.h"

namespace quantscope::desktop {

/// Lives on the service's thread, where its connection belongs.
class SummaryService::Worker : public QObject {
  public:
    Worker(SummaryService& service, QString database) : service_(service), database_(std::move(database)) {}

    void sendCampaigns() {
        auto campaigns =
            open().and_then([](storage::Reader* reader) { return reader->repositories.campaigns.list(); });
        if (!campaigns) {
            Q_EMIT service_.summaryMissing(campaigns.error().message, campaigns.error().hint);
            return;
        }
        for (storage::Campaign& one : *campaigns) {
            one.status = campaign::liveStatus(database_, one);
        }
        Q_EMIT service_.campaignsReady(*campaigns);
    }

    void sendSummary(storage::Id campaignId, storage::Id baselineRunId) {
        const auto data = open().and_then([&](storage::Reader* reader) { return load(*reader, campaignId); });
        if (!data) {
            Q_EMIT service_.summaryMissing(data.error().message, data.error().hint);
            return;
        }
        if (data->campaign.id == 0) {
            Q_EMIT service_.summaryMissing({}, {});
            return;
        }
        Q_EMIT service_.summaryReady(analysis::summarize(*data, baselineRunId));
    }

  private:
    storage::Expected<storage::Reader*> open() {
        if (!reader_) {
            auto reader = storage::Reader::open(database_);
            if (!reader) {
                return tl::unexpected(reader.error());
            }
            reader_ = *std::move(reader);
        }
        return reader_.get();
    }

    storage::Expected<analysis::CampaignData> load(storage::Reader& reader, storage::Id campaignId) {
        const auto pinned = reader.snapshot();
        if (!pinned) {
            return tl::unexpected(pinned.error());
        }
        if (campaignId == 0) {
            const auto campaigns = reader.repositories.campaigns.list();
            if (!campaigns || campaigns->isEmpty()) {
                return campaigns ? storage::Expected<analysis::CampaignData>()
                                 : tl::unexpected(campaigns.error());
            }
            campaignId = campaigns->first().id;
        }
        auto data = analysis::loadCampaignData(reader.repositories, campaignId);
        if (data) {
            data->campaign.status = campaign::liveStatus(database_, data->campaign);
        }
        return data;
    }

    SummaryService& service_;
    QString database_;
    std::unique_ptr<storage::Reader> reader_;
};

SummaryService::SummaryService(const QString& database, QObject* parent)
    : QObject(parent), worker_(new Worker(*this, database)) {
    thread_.setObjectName(QStringLiteral("summaries"));
    worker_->moveToThread(&thread_);
    connect(&thread_, &QThread::finished, worker_, &QObject::deleteLater);
    thread_.start();
}

SummaryService::~SummaryService() {
    thread_.quit();
    thread_.wait();
}

void SummaryService::requestCampaigns() {
    QMetaObject::invokeMethod(
        worker_, [this] { worker_->sendCampaigns(); }, Qt::QueuedConnection);
}

void SummaryService::requestSummary(storage::Id campaignId, storage::Id baselineRunId) {
    QMetaObject::invokeMethod(
        worker_, [this, campaignId, baselineRunId] { worker_->sendSummary(campaignId, baselineRunId); },
        Qt::QueuedConnection);
}

} // namespace quantscope::desktop
