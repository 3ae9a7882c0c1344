// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/runs_view.h"

#include "ui/charts/chart_theme.h"
#include "ui/runs/run_columns.h"
#include "ui/runs/runs_model.h"

#include <QClipboard>
#include <QContextMenuEvent>
#include <QGuiApplication>
#include <QHeaderView>
#include <QMenu>
#include <QSignalBlocker>
#include <QSortFilterProxyModel>

#include <algorithm>

namespace quantscope::ui {

namespace {

/// Rows without data stay last, whichever way the column is sorted.
class SortedRuns : public QSortFilterProxyModel {
  public:
    using QSortFilterProxyModel::QSortFilterProxyModel;

  protected:
    [[nodiscard]] bool lessThan(const QModelIndex& left, const QModelIndex& right) const override {
        const QVariant a = left.data(RunsModel::SortRole);
        const QVariant b = right.data(RunsModel::SortRole);
        if (a.isValid() != b.isValid())
            return a.isValid() == (sortOrder() == Qt::AscendingOrder);
        return QVariant::compare(a, b) == QPartialOrdering::Less;
    }
};

} // namespace

RunsView::RunsView(QWidget* parent)
    : QTableView(parent), model_(new RunsModel(this)), sorted_(new SortedRuns(this)) {
    sorted_->setSourceModel(model_);
    setModel(sorted_);
    setSortingEnabled(true);
    sortByColumn(-1, Qt::AscendingOrder); // the campaign's own order until a header is pressed
    setSelectionBehavior(SelectRows);
    setSelectionMode(ExtendedSelection);
    setAlternatingRowColors(true);
    setShowGrid(false);
    setWordWrap(false);
    setHorizontalScrollMode(ScrollPerPixel);
    setTabKeyNavigation(false);
    verticalHeader()->hide();
    verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
    horizontalHeader()->setHighlightSections(false);
    horizontalHeader()->setSectionsMovable(true);
    setAccessibleName(QStringLiteral("Runs of the campaign"));
    model_->setDark(isDark(palette()));
    fitColumns();
    connect(selectionModel(), &QItemSelectionModel::currentRowChanged, this,
            [this] { Q_EMIT runSelected(currentRun()); });
}

int RunsView::neededWidth(int column) const {
    constexpr int padding = 14;
    const QString header = model_->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    const int headerWidth = horizontalHeader()->fontMetrics().size(0, header).width();
    return std::max(headerWidth, sizeHintForColumn(column)) + padding;
}

void RunsView::fitColumns() {
    // Without the room for a sort arrow that the header asks for in each of its many columns.
    for (int column = 0; column < model_->columnCount(); ++column)
        setColumnWidth(column, neededWidth(column));
}

void RunsView::setSummary(const storage::CampaignSummary& summary) {
    const storage::Id selected = currentRun();
    baseline_ = summary.baselineRunId;
    model_->setSummary(summary);
    for (int column = 0; column < model_->columnCount(); ++column)
        if (const auto& shown = runColumns()[column].shown)
            setColumnHidden(column, !shown(summary));
    // Columns only ever grow while a campaign is shown: numbers that come in must not make the table jitter.
    const bool other = shownCampaign_ != summary.campaign.id;
    shownCampaign_ = summary.campaign.id;
    if (other)
        fitColumns();
    else
        for (int column = 0; column < model_->columnCount(); ++column)
            setColumnWidth(column, std::max(columnWidth(column), neededWidth(column)));
    if (currentRun() != selected)
        selectRun(selected);
}

storage::Id RunsView::currentRun() const {
    return currentIndex().data(RunsModel::RunIdRole).toLongLong();
}

void RunsView::selectRun(storage::Id runId) {
    const QSignalBlocker blocker(this);
    for (int row = 0; row < sorted_->rowCount(); ++row)
        if (sorted_->index(row, 0).data(RunsModel::RunIdRole).toLongLong() == runId) {
            setCurrentIndex(sorted_->index(row, 1));
            selectRow(row);
            return;
        }
    clearSelection();
}

QString RunsView::tabSeparated() const {
    QList<int> rows;
    for (const QModelIndex& index : selectionModel()->selectedRows())
        rows += index.row();
    std::sort(rows.begin(), rows.end());
    if (rows.isEmpty())
        for (int row = 0; row < sorted_->rowCount(); ++row)
            rows += row;
    const auto line = [this](auto&& cell) {
        QStringList cells;
        for (int column = 0; column < sorted_->columnCount(); ++column)
            if (!isColumnHidden(column))
                cells += cell(column);
        return cells.join(u'\t') + u'\n';
    };
    QString text = line([this](int column) {
        return sorted_->headerData(column, Qt::Horizontal).toString().replace(u'\n', u' ');
    });
    for (const int row : rows)
        text += line([this, row](int column) {
            const int role = column == 0 ? int(Qt::AccessibleTextRole) : int(Qt::DisplayRole);
            return sorted_->index(row, column).data(role).toString().replace(u'\t', u' ');
        });
    return text;
}

void RunsView::copySelection() const {
    QGuiApplication::clipboard()->setText(tabSeparated());
}

void RunsView::useCurrentAsBaseline() {
    const storage::Id run = currentRun();
    if (run != 0 && run != baseline_)
        Q_EMIT baselineRequested(run);
}

void RunsView::contextMenuEvent(QContextMenuEvent* event) {
    const storage::Id run = currentRun();
    QMenu menu(this);
    QAction* useAsBaseline = menu.addAction(QStringLiteral("Use as &baseline"));
    useAsBaseline->setEnabled(run != 0 && run != baseline_);
    connect(useAsBaseline, &QAction::triggered, this, &RunsView::useCurrentAsBaseline);
    QAction* copy = menu.addAction(QStringLiteral("&Copy as table (TSV)"));
    copy->setShortcut(QKeySequence::Copy);
    connect(copy, &QAction::triggered, this, &RunsView::copySelection);
    menu.exec(event->globalPos());
}

void RunsView::keyPressEvent(QKeyEvent* event) {
    if (event->matches(QKeySequence::Copy))
        copySelection();
    else
        QTableView::keyPressEvent(event);
}

void RunsView::changeEvent(QEvent* event) {
    QTableView::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && model_)
        model_->setDark(isDark(palette()));
}

} // namespace quantscope::ui
