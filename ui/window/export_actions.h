// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QObject>

namespace quantscope::ui {

class ResultsPanel;

/// Saving what is shown. The dialogs ask for a name; the save functions do the work and say how it went by
/// signal.
class ExportActions : public QObject {
    Q_OBJECT

  public:
    ExportActions(ResultsPanel* results, QWidget* window);

    /// The chart that is shown now, with its axis, on a light ground; by the name's ending. False: failed()
    /// was emitted.
    bool saveChartTo(const QString& fileName);
    bool saveReportTo(const QString& fileName);

  public Q_SLOTS:
    void askForChart();
    void askForReport();

  Q_SIGNALS:
    void saved(const QString& message);
    void failed(const QString& message, const QString& hint);

  private:
    [[nodiscard]] QString suggestedName(const QString& what, const QString& suffix) const;
    bool report(const QString& fileName, const QString& error);

    ResultsPanel* results_;
    QWidget* window_;
};

} // namespace quantscope::ui
