// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/desktop/summary_service.h"

#include "app/analysis/summary_source.h"
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
        const auto summary = open().and_then([&](storage::Reader* reader) {
            return source_.summary(*reader, campaignId, baselineRunId, [this](const storage::Campaign& one) {
                return campaign::liveStatus(database_, one);
            });
        });
        if (!summary) {
            Q_EMIT service_.summaryMissing(summary.error().message, summary.error().hint);
        } else if (summary->campaign.id == 0) {
            Q_EMIT service_.summaryMissing({}, {});
        } else {
            Q_EMIT service_.summaryReady(*summary);
        }
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

    SummaryService& service_;
    QString database_;
    std::unique_ptr<storage::Reader> reader_;
    analysis::SummarySource source_;
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
