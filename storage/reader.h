// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/database.h"
#include "storage/repositories.h"

namespace quantscope::storage {

/// A connection for reading, beside the writer's (WAL: neither waits for the other). Belongs to the thread
/// that opened it. Each read sees what was committed when it began; `snapshot` pins one moment for several
/// reads.
class Reader {
  public:
    /// Opens an existing file; one of an older version is migrated first, which needs it writable.
    [[nodiscard]] static Expected<std::unique_ptr<Reader>> open(const QString& path,
                                                                int busyTimeoutMs = 2000);

    /// Until the result is destroyed, all reads see the same moment.
    [[nodiscard]] Expected<Transaction> snapshot();

    /// Another number whenever another connection has committed since; ask outside of a snapshot.
    [[nodiscard]] Expected<qint64> dataVersion();

    [[nodiscard]] Database& database() { return *database_; }

  private:
    explicit Reader(std::unique_ptr<Database> database)
        : database_(std::move(database)), repositories(*database_) {}
    std::unique_ptr<Database> database_;

  public:
    Repositories repositories;
};

} // namespace quantscope::storage
