// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>

namespace quantscope::ui {

/// The `quantscope run …` command that makes this campaign again, quoted for a POSIX shell.
QString reproduceCommand(const storage::CampaignSpec& spec);

} // namespace quantscope::ui
