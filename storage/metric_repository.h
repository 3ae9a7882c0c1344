// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/error.h"
#include "storage/values.h"

namespace quantscope::storage {

class Database;

/// Single numbers about a run, and what the device reported meanwhile.
class MetricRepository {
  public:
    explicit MetricRepository(Database& database) : database_(database) {}

    /// Stores the values in one transaction; a later value of the same name replaces the earlier. BadInput
    /// for a value that is not finite.
    [[nodiscard]] Expected<> set(Id runId, const QMap<QString, double>& values);
    [[nodiscard]] Expected<> set(const Metric& metric) {
        return set(metric.runId, {{metric.name, metric.value}});
    }
    [[nodiscard]] Expected<QMap<QString, double>> values(Id runId);
    [[nodiscard]] Expected<QMap<Id, QMap<QString, double>>>
    valuesOfCampaign(Id campaignId); ///< by run; runs without any are absent

    [[nodiscard]] Expected<> addTelemetry(const Telemetry& telemetry);
    [[nodiscard]] Expected<QList<Telemetry>> telemetry(Id campaignId); ///< by time

  private:
    Database& database_;
};

} // namespace quantscope::storage
