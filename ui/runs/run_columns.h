// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>
#include <QVariant>

#include <functional>

namespace quantscope::ui {

/// A column of the runs table as data: what it shows and what it is sorted by.
struct RunColumn {
    QString header;
    QString toolTip;
    Qt::AlignmentFlag alignment = Qt::AlignRight;
    std::function<QString(const storage::CampaignSummary&, const storage::RunSummary&)> text;
    /// Invalid where there is no data: such rows sort last.
    std::function<QVariant(const storage::CampaignSummary&, const storage::RunSummary&)> sortKey;
    /// Hidden while this is false; empty: always shown.
    std::function<bool(const storage::CampaignSummary&)> shown = {};
};

/// Left to right. The first is the baseline's marker, the second the scheme's name.
const QList<RunColumn>& runColumns();

} // namespace quantscope::ui
