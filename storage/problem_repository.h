// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

class Database;

/// Problem sets, kept once a hash and shared by campaigns.
class ProblemRepository {
  public:
    explicit ProblemRepository(Database& database) : database_(database) {}

    /// Stores problems of the set `problemsHash`, a batch or all, in one transaction. What is there already
    /// is compared: Conflict when a task or position differs under the same hash.
    [[nodiscard]] Expected<> store(const QString& problemsHash, const QList<Problem>& problems);

    [[nodiscard]] Expected<QList<Problem>> list(const QString& problemsHash); ///< by position
    [[nodiscard]] Expected<int> count(const QString& problemsHash);

  private:
    [[nodiscard]] Expected<> storeOne(const QString& problemsHash, const Problem& problem);
    Database& database_;
};

} // namespace quantscope::storage
