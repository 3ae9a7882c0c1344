// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

/// The report's tables as HTML.
namespace quantscope::ui {

QString environmentTable(const storage::CampaignSummary& summary);
QString accuracyTable(const storage::CampaignSummary& summary);
QString latencyTable(const storage::CampaignSummary& summary);
/// Empty without memory figures.
QString memoryTable(const storage::CampaignSummary& summary);
QString comparisonTable(const storage::CampaignSummary& summary);
/// The tasks whose verdict differs from the baseline's, a list a run; empty without any.
QString flippedTasks(const storage::CampaignSummary& summary);

} // namespace quantscope::ui
