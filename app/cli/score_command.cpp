// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/commands.h"
#include "app/cli/demo_files.h"
#include "app/cli/output.h"
#include "engine/eval/canonical_check.h"
#include "engine/eval/score.h"
#include "engine/files/output_file.h"

#include <QThread>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <unistd.h>

namespace quantscope::cli {
namespace {

std::atomic<bool> cancelled{false};

void onInterrupt(int /*number*/) {
    if (cancelled.exchange(true)) {
        _exit(4); // asked twice: at once
    }
}

void showProgress(const char* what, int done, int total) {
    if (isatty(STDERR_FILENO) != 0) {
        std::fprintf(stderr, "\r%d of %d %s%s", done, total, what, done == total ? "\n" : "");
        std::fflush(stderr);
    }
}

QJsonObject reportJson(const eval::ScoreReport& report) {
    QJsonObject passAtK;
    for (const auto& [k, value] : report.pass_at_k) {
        passAtK.insert(QString::number(k), value);
    }
    return {{QStringLiteral("format"), QStringLiteral("quantscope.score/1")},
            {QStringLiteral("results_file"), QString::fromStdString(report.results_file.string())},
            {QStringLiteral("problems"), report.problems},
            {QStringLiteral("attempted"), report.attempted},
            {QStringLiteral("samples"), report.samples},
            {QStringLiteral("passed"), report.passed},
            {QStringLiteral("failed"), report.failed},
            {QStringLiteral("timed_out"), report.timed_out},
            {QStringLiteral("errors"), report.errors},
            {QStringLiteral("unscored"), report.unscored},
            {QStringLiteral("unjudged_problems"), report.unjudged_problems},
            {QStringLiteral("set_aside"), static_cast<qint64>(report.set_aside.lines)},
            {QStringLiteral("pass_at_k"), passAtK}};
}

QString reportText(const eval::ScoreReport& report) {
    QString text = QStringLiteral("%1/%2 passed (%3 failed, %4 timed out, %5 ended early, %6 unscored)\n")
                       .arg(report.passed)
                       .arg(report.samples)
                       .arg(report.failed)
                       .arg(report.timed_out)
                       .arg(report.errors)
                       .arg(report.unscored);
    for (const auto& [k, value] : report.pass_at_k) {
        text +=
            QStringLiteral("pass@%1: %2 %\n").arg(QString::number(k), QString::number(value * 100.0, 'f', 2));
    }
    return text;
}

/// Results on stdout have it for themselves: the figures go to stderr then.
void printReport(const eval::ScoreReport& report) {
    if (is_standard_output(report.results_file)) {
        printNote(reportText(report).trimmed());
    } else {
        print(reportText(report) +
              QStringLiteral("Results: %1\n").arg(QString::fromStdString(report.results_file.string())));
    }
}

} // namespace

int scoreSamples(const ScoreOptions& options) {
    const auto file = problemFile(options.problems);
    if (!file) {
        return fail(file.error(), options.json);
    }
    const auto problems = eval::read_problems(file->toStdString());
    if (!problems) {
        return fail(problems.error(), options.json);
    }
    eval::ScoreOptions scoring;
    scoring.pool.threads = options.threads > 0 ? options.threads : std::max(1, QThread::idealThreadCount());
    scoring.results_file = options.outFile.toStdString();
    scoring.strict = options.strict;
    scoring.on_check = [](int done, int total) { showProgress("canonical solutions checked", done, total); };
    scoring.on_progress = [](int done, int total) { showProgress("samples scored", done, total); };
    scoring.canonical_cache = eval::canonical_check_cache();
    if (!options.python.isEmpty()) {
        const auto python = interpreterFile(options.python);
        if (!python) {
            return fail(python.error(), options.json);
        }
        scoring.sandbox.python = python->toStdString();
    }
    scoring.cancel = &cancelled;
    std::signal(SIGINT, onInterrupt);
    std::signal(SIGTERM, onInterrupt);
    std::signal(SIGHUP, onInterrupt); // a closed terminal: leave nothing half-written
    const auto report = eval::score_samples(*problems, options.samples.toStdString(), scoring);
    if (!report) {
        return fail(report.error(), options.json);
    }
    for (const std::string& warning : report->warnings) {
        printNote(QString::fromStdString(warning));
    }
    if (options.json) {
        printJson(reportJson(*report));
    } else {
        printReport(*report);
    }
    return report->samples > 0 && report->unscored == report->samples ? 5 : 0;
}

} // namespace quantscope::cli
