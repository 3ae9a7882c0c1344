// SPDX-License-Identifier: Apache-2.0
#include "storage/line_file.h"

#include "storage/engine_error.h"

#include <QFile>
#include <QJsonDocument>

namespace quantscope::storage {

LineFile::LineFile(const QString& path) : file_(OutputFile::create(QFile::encodeName(path).toStdString())) {}

void LineFile::write(const QJsonObject& object) {
    write(QJsonDocument(object).toJson(QJsonDocument::Compact) + '\n');
}

void LineFile::write(const QByteArray& line) {
    writeHeader(line);
    ++lines_;
}

void LineFile::writeHeader(const QByteArray& line) {
    if (file_)
        (void)file_->write({line.constData(), static_cast<std::size_t>(line.size())}); // kept for commit()
}

Expected<int> LineFile::commit() {
    if (!file_)
        return tl::unexpected(storageError(file_.error()));
    if (const auto committed = file_->commit(); !committed)
        return tl::unexpected(storageError(committed.error()));
    return lines_;
}

} // namespace quantscope::storage
