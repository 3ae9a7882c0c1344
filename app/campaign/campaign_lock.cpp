// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/campaign_lock.h"

namespace quantscope::campaign {
namespace {

std::unique_ptr<QLockFile> lockFile(const QString& database, storage::Id campaignId) {
    auto file = std::make_unique<QLockFile>(
        QStringLiteral("%1.campaign-%2.lock").arg(database, QString::number(campaignId)));
    file->setStaleLockTime(0); // only a dead owner makes it stale: a campaign may take days
    return file;
}

} // namespace

Expected<CampaignLock> CampaignLock::take(const QString& database, storage::Id campaignId) {
    auto file = lockFile(database, campaignId);
    if (file->tryLock(0) || file->error() != QLockFile::LockFailedError) {
        // A folder where no lock file can be made holds no second writer either: SQLite would fail there
        // first.
        return CampaignLock(std::move(file));
    }
    qint64 owner = 0;
    QString host;
    QString application;
    file->getLockInfo(&owner, &host, &application);
    return make_error(ErrorCode::bad_input,
                      QStringLiteral("Campaign %1 is being run by process %2 (%3 on %4).")
                          .arg(QString::number(campaignId), QString::number(owner), application, host)
                          .toStdString(),
                      "Wait for it, or stop it there.");
}

storage::RunStatus liveStatus(const QString& database, const storage::Campaign& campaign) {
    if (campaign.status != storage::RunStatus::Running) {
        return campaign.status;
    }
    const bool isFree = CampaignLock::take(database, campaign.id).has_value();
    return isFree ? storage::RunStatus::Partial : storage::RunStatus::Running;
}

} // namespace quantscope::campaign
