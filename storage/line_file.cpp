// SPDX-License-Identifier: Apache-2.0
#include "storage/line_file.h"

#include <QFileInfo>
#include <QJsonDocument>
#include <QStorageInfo>

namespace quantscope::storage {

LineFile::LineFile(const QString& path) : file_(path) {
    // QSaveFile would put a file in the place of a device or a pipe.
    const QFileInfo there(path);
    if (!there.exists() || there.isFile())
        (void)file_.open(QIODevice::WriteOnly); // a failure stays in the file, and commit() reports it
}

void LineFile::write(const QJsonObject& object) {
    write(QJsonDocument(object).toJson(QJsonDocument::Compact) + '\n');
}

void LineFile::write(const QByteArray& line) {
    writeHeader(line);
    ++lines_;
}

void LineFile::writeHeader(const QByteArray& line) {
    if (file_.isOpen() && file_.error() == QFileDevice::NoError)
        file_.write(line);
}

Expected<int> LineFile::commit() {
    if (file_.isOpen() && file_.flush() && file_.commit())
        return lines_;
    const QString path = file_.fileName();
    const QString folder = QFileInfo(path).absolutePath();
    if (!QFileInfo(folder).isDir())
        return makeError(
            ErrorKind::NotFound,
            QStringLiteral("The file %1 cannot be written: the folder %2 does not exist.").arg(path, folder),
            QStringLiteral("Create the folder, or choose another one."));
    if (const QFileInfo there(path); there.exists() && !there.isFile())
        return makeError(
            ErrorKind::BadInput,
            QStringLiteral("%1 cannot be written: expected a file or a new name, found a folder or a device.")
                .arg(path),
            QStringLiteral("Choose another file name."));
    const QStorageInfo disk(folder);
    const bool full = file_.error() == QFileDevice::ResourceError || file_.error() == QFileDevice::WriteError;
    return makeError(
        full ? ErrorKind::DiskFull : ErrorKind::Io,
        QStringLiteral("The file %1 cannot be written: %2 (%3 KiB free).")
            .arg(path, file_.errorString(), QString::number(disk.bytesAvailable() / 1024)),
        full ? QStringLiteral("Free some space on that disk; what was there before is unchanged.")
             : QStringLiteral("Check the permissions of the folder; what was there before is unchanged."));
}

} // namespace quantscope::storage
