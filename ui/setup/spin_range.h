// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/limits/campaign_limits.h"

#include <QSpinBox>

namespace quantscope::ui {

inline void setRange(QSpinBox* box, const limits::WholeRange& range) {
    box->setRange(range.low, range.high);
}

} // namespace quantscope::ui
