// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "storage/values.h"

#include <QObject>
#include <QThread>

#include <memory>

namespace quantscope::storage {
class Reader;
}

namespace quantscope::desktop {

/// Reads and sums up campaigns on a thread of its own, so that the window never waits. Requests are answered
/// in order by signal.
class SummaryService : public QObject {
    Q_OBJECT

  public:
    explicit SummaryService(const QString& database, QObject* parent = nullptr);
    ~SummaryService() override; ///< waits for the request at work

    void requestCampaigns();
    /// `campaignId` 0 is the newest; `baselineRunId` 0 the default.
    void requestSummary(storage::Id campaignId, storage::Id baselineRunId = 0);

  Q_SIGNALS:
    void campaignsReady(const QList<quantscope::storage::Campaign>& campaigns);
    void summaryReady(const quantscope::storage::CampaignSummary& summary);
    /// No summary: there is no campaign yet, or `message` says what is wrong with the file.
    void summaryMissing(const QString& message, const QString& hint);

  private:
    class Worker;
    QThread thread_;
    Worker* worker_;
};

} // namespace quantscope::desktop
