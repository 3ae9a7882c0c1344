// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

namespace quantscope::cli {

/// "interactive": MLPerf Inference's Llama-2-70B interactive scenario (TTFT p99 450 ms, TPOT p99 40 ms).
/// "inline": code completion while typing (200 ms for the prompt and 30 tokens). Anything else: no limits.
storage::Budget budgetPreset(const QString& name);

} // namespace quantscope::cli
