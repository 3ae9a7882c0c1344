// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/worker_command.h"

#include <QCoreApplication>
#include <QDir>
#include <QProcess>

namespace quantscope::campaign {

WorkerCommand workerCommand(const QStringList& launcher) {
    const QString name = QStringLiteral("quantscope-worker");
    const QString chosen = qEnvironmentVariable("QUANTSCOPE_WORKER");
    const QStringList serve{QStringLiteral("serve")};
    if (launcher.isEmpty()) {
        const QString beside = QDir(QCoreApplication::applicationDirPath()).filePath(name);
        return {chosen.isEmpty() ? beside : chosen, serve, false};
    }
    const QStringList remote = launcher.mid(1) + QStringList{chosen.isEmpty() ? name : chosen} + serve;
    return {launcher.first(), remote, true};
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
