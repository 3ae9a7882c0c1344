// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QJsonObject>

namespace quantscope::cli {

/// What `--json` prints and `summary.json` holds. Fractions are 0..1, times ms, sizes bytes; what is not
/// known is null, so that every key is always there.
QJsonObject campaignJson(const storage::Campaign& campaign);
QJsonObject runJson(const storage::RunSummary& run);
QJsonObject summaryJson(const storage::CampaignSummary& summary);

} // namespace quantscope::cli
