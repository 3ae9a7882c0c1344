// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

class Database;

/// The cells of a campaign.
class RunRepository {
  public:
    explicit RunRepository(Database& database) : database_(database) {}

    [[nodiscard]] Expected<QList<Run>> list(Id campaignId); ///< in the order of the campaign's spec
    [[nodiscard]] Expected<Run> load(Id id);                ///< NotFound when there is none

    /// `error` is kept with status Failed, and cleared when neither measure is failed any more.
    [[nodiscard]] Expected<> setEvalStatus(Id id, RunStatus status, const QString& error = {});
    [[nodiscard]] Expected<> setLatencyStatus(Id id, RunStatus status, const QString& error = {});

    /// Adds one run; its id in the result. BadInput when the campaign has that scheme and batch size already.
    [[nodiscard]] Expected<Run> add(const Run& run);

  private:
    [[nodiscard]] Expected<QList<Run>> select(const QString& where, Id id);
    [[nodiscard]] Expected<> setStatus(const QString& column, Id id, RunStatus status, const QString& error);
    Database& database_;
};

} // namespace quantscope::storage
