// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QAbstractTableModel>

namespace quantscope::ui {

/// The runs of a campaign, one a row, in the campaign's order. The columns are those of runColumns().
class RunsModel : public QAbstractTableModel {
    Q_OBJECT

  public:
    enum Role { SortRole = Qt::UserRole, RunIdRole };

    explicit RunsModel(QObject* parent = nullptr);

    /// Keeps rows (and so selections) where the runs are the same as before.
    void setSummary(const storage::CampaignSummary& summary);
    /// Which of the two sets of scheme colours the swatches take.
    void setDark(bool dark);

    [[nodiscard]] int rowCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] int columnCount(const QModelIndex& parent = {}) const override;
    [[nodiscard]] QVariant data(const QModelIndex& index, int role) const override;
    [[nodiscard]] QVariant headerData(int section, Qt::Orientation orientation, int role) const override;

  private:
    [[nodiscard]] QVariant toolTip(const storage::RunSummary& run, int column) const;

    storage::CampaignSummary summary_;
    QStringList schemes_;
    bool dark_ = false;
};

} // namespace quantscope::ui
