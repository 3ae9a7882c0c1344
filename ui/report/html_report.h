// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>

namespace quantscope::ui {

struct ReportOptions {
    QString databasePath; ///< named in "how to reproduce" when set
    QDateTime createdAt;  ///< of the report; now when invalid
};

/// The campaign as one self-contained HTML page in a paper's shape: abstract, question, method, results
/// (tables and inline SVG charts), comparisons, limitations, how to reproduce. It loads nothing from outside
/// and runs no script. Needs a QApplication (the charts are drawn with it) and the GUI thread.
QString htmlReport(const storage::CampaignSummary& summary, const ReportOptions& options = {});

/// Writes htmlReport() atomically. Returns an empty string, or the sentence that says what went wrong.
[[nodiscard]] QString saveHtmlReport(const QString& fileName, const storage::CampaignSummary& summary,
                                     const ReportOptions& options = {});

} // namespace quantscope::ui
