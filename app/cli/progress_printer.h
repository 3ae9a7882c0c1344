// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/campaign/campaign_controller.h"

#include <QElapsedTimer>
#include <QObject>

namespace quantscope::cli {

/// A controller's progress on stderr: one bar that moves, on a terminal; else one line a run.
class ProgressPrinter : public QObject {
    Q_OBJECT

  public:
    ProgressPrinter(const campaign::CampaignController& controller, bool isTerminal,
                    QObject* parent = nullptr);

    void finish(); ///< takes the bar away

  private:
    void showProgress(const storage::Progress& progress);
    void showLine(const QString& line);
    void showAwaited(const QString& sentence, const QString& lastWords);

    bool isTerminal_;
    bool barShown_ = false;
    QElapsedTimer lastDrawn_;
    QString lastPhase_;
    QElapsedTimer awaitedShown_;
    QString awaitedWords_;
};

/// "[######--------------]  31 %  Problems, INT8, batch 8  510 of 1640  1 min 10 s left", at most `width`
/// wide.
QString progressBar(const storage::Progress& progress, int width);

/// "int8, batch 8: 97 of 164 samples passed"; "int8, batch 8: latency measured".
QString measureLine(const campaign::RunRecord& run, campaign::Measure measure);

} // namespace quantscope::cli
