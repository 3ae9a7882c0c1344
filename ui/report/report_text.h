// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QStringList>

/// The report's sentences, generated from a campaign's numbers; plain text, one paragraph each.
namespace quantscope::ui {

QString reportTitle(const storage::CampaignSummary& summary);
QString abstractText(const storage::CampaignSummary& summary);
QString questionText(const storage::CampaignSummary& summary);
QStringList methodText(const storage::CampaignSummary& summary);
QStringList limitationsText(const storage::CampaignSummary& summary);
QString demoWarning(); ///< demo, not HumanEval

} // namespace quantscope::ui
