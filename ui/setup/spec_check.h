// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QStringList>

namespace quantscope::ui {

/// What keeps a campaign from starting, one sentence each with what to do; empty when it may start.
/// Paths are looked up only for campaigns on this machine.
QStringList specProblems(const storage::CampaignSpec& spec, const QStringList& unknownSchemes);

} // namespace quantscope::ui
