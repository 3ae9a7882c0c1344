// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/files/save_file.h"

#include "engine/base/sentence.h"
#include "engine/files/output_file.h"

#include <QFile>

namespace quantscope::ui {

QString saveFile(const QString& fileName, const QByteArray& bytes) {
    const auto saved = write_file(QFile::encodeName(fileName).toStdString(),
                                  {bytes.constData(), static_cast<std::size_t>(bytes.size())});
    return saved ? QString() : QString::fromStdString(sentence(saved.error()));
}

} // namespace quantscope::ui
