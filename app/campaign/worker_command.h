// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>
#include <QStringList>

namespace quantscope::campaign {

/// The argv that starts a worker.
struct WorkerCommand {
    QString program;
    QStringList arguments;
    bool remote = false;  ///< behind a launcher: start-up may take minutes (a queue, a login)
    QStringList launcher; ///< the words in front of `worker`, for messages
    QString worker;       ///< what is started, here or there
};

/// The worker behind an optional launcher prefix such as {"ssh", "gpu-host"}. Without a launcher it is the
/// `quantscope-worker` beside this executable; behind one it is looked up on the other host's PATH. The
/// environment variable QUANTSCOPE_WORKER names another program in both cases. `python`: the interpreter that
/// programs are judged with; empty: the worker's default.
WorkerCommand workerCommand(const QStringList& launcher, const QString& python = {});

/// "The worker behind "srun -N1" has not said hello after 15 s. Last on its stderr: ...": what is awaited,
/// for how long, and what came so far.
QString waitingSentence(const QStringList& launcher, int seconds, const QString& lastWords);

/// "ssh -p 22 'my host'" as argv: spaces separate, quotes and backslashes hold together.
QStringList splitLauncher(const QString& text);

} // namespace quantscope::campaign
