// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"

#include <QJsonObject>
#include <QSaveFile>

namespace quantscope::storage {

/// A text file that appears under its name only when it is complete.
class LineFile {
  public:
    explicit LineFile(const QString& path);
    void write(const QJsonObject& object);    ///< one JSON line
    void write(const QByteArray& line);       ///< as it is, with its line end
    void writeHeader(const QByteArray& line); ///< not counted
    /// How many lines were written; an error names the file and leaves what was there before.
    [[nodiscard]] Expected<int> commit();

  private:
    QSaveFile file_;
    int lines_ = 0;
};

} // namespace quantscope::storage
