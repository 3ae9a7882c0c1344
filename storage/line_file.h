// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/files/output_file.h"
#include "storage/error.h"

#include <QJsonObject>

namespace quantscope::storage {

/// A text file of lines, written as OutputFile writes: whole or not at all, and into what is no regular file.
class LineFile {
  public:
    explicit LineFile(const QString& path);
    void write(const QJsonObject& object);    ///< one JSON line
    void write(const QByteArray& line);       ///< as it is, with its line end
    void writeHeader(const QByteArray& line); ///< not counted
    /// How many lines were written; an error names the file and leaves what was there before.
    [[nodiscard]] Expected<int> commit();

  private:
    quantscope::Expected<OutputFile> file_; ///< keeps the first failure until commit() reports it
    int lines_ = 0;
};

} // namespace quantscope::storage
