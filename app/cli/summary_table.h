// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/cli/text_table.h"
#include "storage/values.h"

namespace quantscope::cli {

/// One line a run: pass@1 with its interval, TPOT and TTFT, tokens/s, memory, each with its ratio to the
/// baseline.
TextTable runTable(const storage::CampaignSummary& summary);

/// One line a comparison: difference with interval, p before and after Holm, flipped problems,
/// ratios.
TextTable comparisonTable(const storage::CampaignSummary& summary);

/// What comparisonTable()'s intervals and verdicts hold over, as a sentence; empty without a comparison.
QString comparisonNote(const storage::CampaignSummary& summary);

/// comparisonTable() for programs: plain numbers, units in the column names, empty where there is no data.
TextTable comparisonCsvTable(const storage::CampaignSummary& summary);

/// What a campaign is of, as lines of "key: value".
QString campaignLines(const storage::Campaign& campaign);

} // namespace quantscope::cli
