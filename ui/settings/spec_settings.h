// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

class QSettings;

namespace quantscope::ui {

/// What the window starts with before anything was ever chosen: the demo, three schemes, batch 1 and 8.
storage::CampaignSpec defaultSpec();

void saveSpec(QSettings& settings, const storage::CampaignSpec& spec);

/// What was saved; defaultSpec()'s value for every key that is missing or out of range.
storage::CampaignSpec loadSpec(const QSettings& settings);

} // namespace quantscope::ui
