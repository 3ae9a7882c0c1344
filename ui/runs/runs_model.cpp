// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/runs_model.h"

#include "ui/charts/chart_theme.h"
#include "ui/charts/run_tool_tip.h"
#include "ui/charts/trade_off_model.h"
#include "ui/numbers/run_numbers.h"
#include "ui/runs/run_columns.h"

#include <QFont>

#include <algorithm>

namespace quantscope::ui {

namespace {

constexpr int baselineColumn = 0;
constexpr int schemeColumn = 1;

bool sameRuns(const QList<storage::RunSummary>& a, const QList<storage::RunSummary>& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const auto& s, const auto& t) { return s.run.id == t.run.id; });
}

} // namespace

RunsModel::RunsModel(QObject* parent) : QAbstractTableModel(parent) {}

void RunsModel::setSummary(const storage::CampaignSummary& summary) {
    const bool same = sameRuns(summary_.runs, summary.runs);
    if (!same)
        beginResetModel();
    summary_ = summary;
    schemes_ = schemeOrder(summary);
    if (!same)
        endResetModel();
    else if (!summary_.runs.isEmpty())
        Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
}

void RunsModel::setDark(bool dark) {
    if (dark_ == dark)
        return;
    dark_ = dark;
    if (!summary_.runs.isEmpty())
        Q_EMIT dataChanged(index(0, schemeColumn), index(rowCount() - 1, schemeColumn), {Qt::DecorationRole});
}

int RunsModel::rowCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(summary_.runs.size());
}

int RunsModel::columnCount(const QModelIndex& parent) const {
    return parent.isValid() ? 0 : static_cast<int>(runColumns().size());
}

QVariant RunsModel::toolTip(const storage::RunSummary& run, int column) const {
    if (!run.run.error.isEmpty() && runColumns()[column].header == QLatin1String("Status"))
        return run.run.error;
    return runToolTip(run);
}

QVariant RunsModel::data(const QModelIndex& index, int role) const {
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const storage::RunSummary& run = summary_.runs[index.row()];
    const RunColumn& column = runColumns()[index.column()];
    const bool baseline = isBaseline(summary_, run.run.id);
    switch (role) {
    case Qt::DisplayRole: return column.text(summary_, run);
    case Qt::AccessibleTextRole:
        if (index.column() == baselineColumn)
            return baseline ? QStringLiteral("baseline") : QString();
        return column.text(summary_, run);
    case Qt::ToolTipRole: return toolTip(run, index.column());
    case Qt::TextAlignmentRole: return static_cast<int>(column.alignment | Qt::AlignVCenter);
    case Qt::DecorationRole:
        if (index.column() == schemeColumn)
            return (dark_ ? ChartTheme::darkGround() : ChartTheme::light())
                .scheme(static_cast<int>(schemes_.indexOf(run.run.schemeId)));
        return {};
    case SortRole: return column.sortKey(summary_, run);
    case RunIdRole: return run.run.id;
    default: return {};
    }
}

QVariant RunsModel::headerData(int section, Qt::Orientation orientation, int role) const {
    if (orientation != Qt::Horizontal || section < 0 || section >= columnCount())
        return {};
    const RunColumn& column = runColumns()[section];
    if (role == Qt::DisplayRole)
        return column.header;
    if (role == Qt::ToolTipRole)
        return column.toolTip;
    if (role == Qt::TextAlignmentRole)
        return static_cast<int>(column.alignment | Qt::AlignVCenter);
    return {};
}

} // namespace quantscope::ui
