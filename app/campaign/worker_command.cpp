// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/worker_command.h"

#include <QCoreApplication>
#include <QDir>
#include <QProcess>

namespace quantscope::campaign {

WorkerCommand workerCommand(const QStringList& launcher, const QString& python) {
    const QString name = QStringLiteral("quantscope-worker");
    const QString chosen = qEnvironmentVariable("QUANTSCOPE_WORKER");
    QStringList serve{QStringLiteral("serve")};
    if (!python.isEmpty()) {
        serve << QStringLiteral("--python") << python;
    }
    if (launcher.isEmpty()) {
        const QString beside = QDir(QCoreApplication::applicationDirPath()).filePath(name);
        const QString program = chosen.isEmpty() ? beside : chosen;
        return {program, serve, false, {}, program};
    }
    const QString there = chosen.isEmpty() ? name : chosen;
    return {launcher.first(), launcher.mid(1) + QStringList{there} + serve, true, launcher, there};
}

QString waitingSentence(const QStringList& launcher, int seconds, const QString& lastWords) {
    const QString who = launcher.isEmpty()
                            ? QStringLiteral("The worker")
                            : QStringLiteral("The worker behind \"%1\"").arg(launcher.join(QLatin1Char(' ')));
    return QStringLiteral("%1 has not said hello after %2 s. %3")
        .arg(who, QString::number(seconds),
             lastWords.isEmpty() ? QStringLiteral("Nothing came from it yet.") : lastWords);
}

QStringList splitLauncher(const QString& text) {
    // QProcess::splitCommand knows double quotes only; a shell user expects single ones too.
    QString normal;
    bool single = false;
    for (const QChar c : text) {
        if (c == QLatin1Char('\'')) {
            single = !single;
            normal += QLatin1Char('"');
        } else {
            normal += c;
        }
    }
    return QProcess::splitCommand(normal);
}

} // namespace quantscope::campaign
