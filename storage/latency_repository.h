// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

class Database;

/// Timed requests; (run, round, request) is unique.
class LatencyRepository {
  public:
    explicit LatencyRepository(Database& database) : database_(database) {}

    /// Stores the requests of one round in one transaction: all or none. A request that is stored already
    /// stays as it is (measuring again never gives the same times). Returns how many were new.
    [[nodiscard]] Expected<int> insert(const QList<LatencySample>& requests);

    /// From round `fromRound` on; by round, then request.
    [[nodiscard]] Expected<QList<LatencySample>> list(Id runId, int fromRound = 0);
    [[nodiscard]] Expected<int> nextRound(Id runId);                 ///< 0 when there is none yet
    [[nodiscard]] Expected<QMap<Id, int>> nextRounds(Id campaignId); ///< of each run

  private:
    [[nodiscard]] Expected<bool> insertOne(const LatencySample& sample);
    Database& database_;
};

} // namespace quantscope::storage
