// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/progress_printer.h"

#include "app/cli/output.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

namespace quantscope::cli {
namespace {

constexpr int redrawMs = 100;
constexpr int awaitedAgainMs = 60'000; // a queue may last for hours: a line a minute …
constexpr int awaitedNewsMs = 10'000;  // … and sooner where something else came

int terminalWidth() {
    winsize size{};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

void writeRaw(const QString& text) {
    std::fputs(text.toUtf8().constData(), stderr);
    std::fflush(stderr);
}

} // namespace

ProgressPrinter::ProgressPrinter(const campaign::CampaignController& controller, bool isTerminal,
                                 QObject* parent)
    : QObject(parent), isTerminal_(isTerminal) {
    using campaign::CampaignController;
    connect(&controller, &CampaignController::progressed, this, &ProgressPrinter::showProgress);
    connect(&controller, &CampaignController::awaiting, this, &ProgressPrinter::showAwaited);
    connect(&controller, &CampaignController::notice, this, &ProgressPrinter::showLine);
    connect(&controller, &CampaignController::measureFinished, this,
            [this](const campaign::RunRecord& run, campaign::Measure measure) {
                showLine(measureLine(run, measure));
            });
}

void ProgressPrinter::finish() {
    if (barShown_) {
        writeRaw(QStringLiteral("\r\x1b[K"));
        barShown_ = false;
    }
}

void ProgressPrinter::showProgress(const storage::Progress& progress) {
    if (!isTerminal_ ||
        (progress.phase == lastPhase_ && lastDrawn_.isValid() && lastDrawn_.elapsed() < redrawMs)) {
        return;
    }
    lastPhase_ = progress.phase;
    lastDrawn_.start();
    writeRaw(QStringLiteral("\r%1\x1b[K").arg(progressBar(progress, terminalWidth() - 1)));
    barShown_ = true;
}

void ProgressPrinter::showLine(const QString& line) {
    finish();
    printNote(line);
}

void ProgressPrinter::showAwaited(const QString& sentence, const QString& lastWords) {
    if (sentence.isEmpty()) {
        awaitedShown_.invalidate();
        return;
    }
    const int pauseMs = lastWords == awaitedWords_ ? awaitedAgainMs : awaitedNewsMs;
    if (awaitedShown_.isValid() && awaitedShown_.elapsed() < pauseMs) {
        return;
    }
    awaitedShown_.start();
    awaitedWords_ = lastWords;
    showLine(sentence + QStringLiteral(" Still waiting; Ctrl+C stops."));
}

QString progressBar(const storage::Progress& progress, int width) {
    constexpr int cells = 20;
    const double fraction = progress.total > 0 ? static_cast<double>(progress.done) / progress.total : 0.0;
    const int full = std::clamp(static_cast<int>(fraction * cells), 0, cells);
    QString line =
        QStringLiteral("[%1%2] %3 %  %4")
            .arg(QString(full, QLatin1Char('#')), QString(cells - full, QLatin1Char('-')),
                 QString::number(static_cast<int>(fraction * 100.0)).rightJustified(3), progress.phase);
    if (progress.total > 0) {
        line += QStringLiteral("  %1 of %2").arg(progress.done).arg(progress.total);
    }
    if (progress.etaSeconds) {
        line += QStringLiteral("  %1 left").arg(ui::formatDuration(*progress.etaSeconds));
    }
    if (progress.tokensPerSecond > 0.0) {
        line += QStringLiteral("  %1 tokens/s").arg(ui::formatNumber(progress.tokensPerSecond));
    }
    if (const QString device = ui::deviceReadings(progress.device); !device.isEmpty()) {
        line += QStringLiteral("  ") + device;
    }
    return line.left(width);
}

QString measureLine(const campaign::RunRecord& run, campaign::Measure measure) {
    const QString name =
        QStringLiteral("%1, batch %2").arg(run.run.schemeId, QString::number(run.run.batchSize));
    const bool isEval = measure == campaign::Measure::Eval;
    const storage::RunStatus status = isEval ? run.run.evalStatus : run.run.latencyStatus;
    const QString what = isEval ? QStringLiteral("problems") : QStringLiteral("latency");
    if (status == storage::RunStatus::Failed) {
        return QStringLiteral("%1: %2 failed: %3").arg(name, what, run.run.error);
    }
    if (status != storage::RunStatus::Done) {
        return QStringLiteral("%1: %2 %3").arg(name, what, ui::statusWord(status));
    }
    if (!isEval) {
        return QStringLiteral("%1: latency measured").arg(name);
    }
    return run.scored > 0 ? QStringLiteral("%1: %2 of %3 samples passed")
                                .arg(name, QString::number(run.passed), QString::number(run.scored))
                          : QStringLiteral("%1: %2 samples stored, unscored")
                                .arg(name, QString::number(run.samples.size()));
}

} // namespace quantscope::cli
