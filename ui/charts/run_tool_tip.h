// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>

namespace quantscope::ui {

/// A run's numbers as a small HTML table, for the pointer.
QString runToolTip(const storage::RunSummary& run);

} // namespace quantscope::ui
