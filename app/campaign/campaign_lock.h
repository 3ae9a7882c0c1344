// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "storage/values.h"

#include <QLockFile>

#include <memory>

namespace quantscope::campaign {

/// Held by the process that runs a campaign, as a file beside the database. A process that was killed holds
/// nothing: the lock knows its owner's process id.
class CampaignLock {
  public:
    /// Errors: bad_input, naming the process that runs the campaign now.
    static Expected<CampaignLock> take(const QString& database, storage::Id campaignId);

  private:
    explicit CampaignLock(std::unique_ptr<QLockFile> file) : file_(std::move(file)) {}
    std::unique_ptr<QLockFile> file_;
};

/// What a campaign's status is now: one that says "running" while nobody runs it was cut off, and is partial.
storage::RunStatus liveStatus(const QString& database, const storage::Campaign& campaign);

} // namespace quantscope::campaign
