// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

class Database;

/// Campaigns with their environment and model.
class CampaignRepository {
  public:
    explicit CampaignRepository(Database& database) : database_(database) {}

    /// Stores the campaign and its planned runs, schemes x batch sizes in the spec's order, in one
    /// transaction. `schemeLabels` (id -> label) comes from the worker's hello; a missing label is the id
    /// itself.
    [[nodiscard]] Expected<Campaign> create(const CampaignSpec& spec,
                                            const QMap<QString, QString>& schemeLabels = {});

    [[nodiscard]] Expected<QList<Campaign>> list(); ///< newest first
    [[nodiscard]] Expected<Campaign> load(Id id);   ///< NotFound when there is none

    [[nodiscard]] Expected<> setStatus(Id id, RunStatus status);

    /// Stores what became known after `create`: versions, protocol, model and problem hashes, device, host.
    [[nodiscard]] Expected<> setProvenance(const Campaign& campaign);

    /// After a crash: what this campaign still calls running is partial. Only for a campaign that no live
    /// process runs.
    [[nodiscard]] Expected<> markInterrupted(Id id);

    [[nodiscard]] Expected<> rename(Id id, const QString& name);
    [[nodiscard]] Expected<> remove(Id id); ///< with its runs, samples, latencies, metrics and telemetry

  private:
    [[nodiscard]] Expected<QList<Campaign>> select(const QString& where, const QVariantList& values);
    [[nodiscard]] Expected<> updateOne(const QString& sql, const QVariantList& values, Id id,
                                       const QString& doing);
    Database& database_;
};

} // namespace quantscope::storage
