// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QTableView>

class QSortFilterProxyModel;

namespace quantscope::ui {

class RunsModel;

/// The runs table: sortable, copied as TSV, with "Use as baseline" in its context menu.
class RunsView : public QTableView {
    Q_OBJECT

  public:
    explicit RunsView(QWidget* parent = nullptr);

    void setSummary(const storage::CampaignSummary& summary);
    /// Selects a run's row without emitting; 0 clears.
    void selectRun(storage::Id runId);
    [[nodiscard]] storage::Id currentRun() const;
    [[nodiscard]] RunsModel* runsModel() const { return model_; }

    /// The selected rows (all when none is selected) with the headers, as they are sorted now.
    [[nodiscard]] QString tabSeparated() const;

  public Q_SLOTS:
    void copySelection() const;
    /// Asks for the current run as the baseline, unless it is.
    void useCurrentAsBaseline();

  Q_SIGNALS:
    void runSelected(quantscope::storage::Id runId);
    void baselineRequested(quantscope::storage::Id runId);

  protected:
    void contextMenuEvent(QContextMenuEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void changeEvent(QEvent* event) override;

  private:
    void fitColumns();
    [[nodiscard]] int neededWidth(int column) const;

    RunsModel* model_;
    QSortFilterProxyModel* sorted_;
    storage::Id shownCampaign_ = -1;
    storage::Id baseline_ = 0;
};

} // namespace quantscope::ui
