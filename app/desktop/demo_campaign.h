// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "storage/values.h"

#include <optional>

namespace quantscope::desktop {

/// The campaign that the first start shows: the shipped model on the shipped problems under every 4- and
/// 8-bit scheme beside FP16. A demo, not HumanEval.
storage::CampaignSpec demoSpec();

/// The newest stored campaign with that matrix; nothing when there is none.
Expected<std::optional<storage::Campaign>> storedDemo(const QString& database);

} // namespace quantscope::desktop
