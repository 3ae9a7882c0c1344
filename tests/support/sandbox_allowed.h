// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QFileInfo>
#include <QProcess>

namespace quantscope::test {

/// Whether this machine lets bubblewrap make namespaces, asked without any code of ours: where it does, a
/// sandbox that cannot be made is a defect and no reason to skip a test. True, too, where bubblewrap is
/// missing, which ./check installs.
inline bool sandboxAllowed() {
    const QString bwrap = QStringLiteral("/usr/bin/bwrap");
    if (!QFileInfo::exists(bwrap))
        return true;
    QProcess process;
    process.start(bwrap, {QStringLiteral("--unshare-all"), QStringLiteral("--ro-bind"), QStringLiteral("/"),
                          QStringLiteral("/"), QStringLiteral("--dev"), QStringLiteral("/dev"),
                          QStringLiteral("--tmpfs"), QStringLiteral("/tmp"), QStringLiteral("/bin/true")});
    return process.waitForFinished(20'000) && process.exitStatus() == QProcess::NormalExit &&
           process.exitCode() == 0;
}

} // namespace quantscope::test
