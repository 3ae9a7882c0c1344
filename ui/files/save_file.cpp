// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/files/save_file.h"

#include <QSaveFile>

namespace quantscope::ui {

QString saveFile(const QString& fileName, const QByteArray& bytes) {
    QSaveFile file(fileName);
    if (file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size() && file.commit())
        return {};
    return QStringLiteral("%1 was not written: %2. Choose a folder that exists, may be written and has room; "
                          "a file that was there before is unchanged.")
        .arg(fileName, file.errorString());
}

} // namespace quantscope::ui
