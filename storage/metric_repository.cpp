// SPDX-License-Identifier: Apache-2.0
#include "storage/metric_repository.h"

#include "storage/database.h"
#include "storage/words.h"

#include <cmath>

namespace quantscope::storage {
namespace {

const QString kStoringMetrics = QStringLiteral("storing metrics");
const QString kStoringTelemetry = QStringLiteral("storing telemetry");
const QString kReading = QStringLiteral("reading metrics");

Expected<> checkFinite(const QMap<QString, double>& values) {
    for (auto it = values.begin(); it != values.end(); ++it)
        if (!std::isfinite(it.value()))
            return makeError(ErrorKind::BadInput,
                             QStringLiteral("Metric %1: expected a finite number, found %2.")
                                 .arg(it.key(), QString::number(it.value())));
    return {};
}

} // namespace

Expected<> MetricRepository::set(Id runId, const QMap<QString, double>& values) {
    if (auto checked = checkFinite(values); !checked)
        return checked;
    auto transaction = Transaction::begin(database_, kStoringMetrics);
    if (!transaction)
        return tl::unexpected(transaction.error());
    for (auto it = values.begin(); it != values.end(); ++it)
        if (auto done = database_.execute(
                QStringLiteral("INSERT INTO metric (run_id, name, value) VALUES (?, ?, ?) "
                               "ON CONFLICT (run_id, name) DO UPDATE SET value = excluded.value"),
                {runId, it.key(), it.value()}, kStoringMetrics);
            !done)
            return tl::unexpected(done.error());
    return transaction->commit();
}

Expected<QMap<QString, double>> MetricRepository::values(Id runId) {
    auto rows = database_.execute(QStringLiteral("SELECT name, value FROM metric WHERE run_id = ?"), {runId},
                                  kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QMap<QString, double> values;
    while (rows->next())
        values.insert(rows->value(0).toString(), rows->value(1).toDouble());
    return database_.finished(*rows, kReading).map([&] { return values; });
}

Expected<QMap<Id, QMap<QString, double>>> MetricRepository::valuesOfCampaign(Id campaignId) {
    auto rows = database_.execute(QStringLiteral("SELECT m.run_id, m.name, m.value FROM metric m JOIN run r "
                                                 "ON r.id = m.run_id WHERE r.campaign_id = ?"),
                                  {campaignId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QMap<Id, QMap<QString, double>> values;
    while (rows->next())
        values[rows->value(0).toLongLong()].insert(rows->value(1).toString(), rows->value(2).toDouble());
    return database_.finished(*rows, kReading).map([&] { return values; });
}

Expected<> MetricRepository::addTelemetry(const Telemetry& telemetry) {
    if (auto checked = checkFinite(telemetry.values); !checked)
        return checked;
    auto transaction = Transaction::begin(database_, kStoringTelemetry);
    if (!transaction)
        return tl::unexpected(transaction.error());
    const QVariant run = telemetry.runId ? QVariant(telemetry.runId) : QVariant();
    for (auto it = telemetry.values.begin(); it != telemetry.values.end(); ++it)
        if (auto done = database_.execute(
                QStringLiteral("INSERT INTO telemetry (campaign_id, run_id, measured_at, name, value) VALUES "
                               "(?, ?, ?, ?, ?)"),
                {telemetry.campaignId, run, timeText(telemetry.measuredAt), it.key(), it.value()},
                kStoringTelemetry);
            !done)
            return tl::unexpected(done.error());
    return transaction->commit();
}

Expected<QList<Telemetry>> MetricRepository::telemetry(Id campaignId) {
    auto rows = database_.execute(
        QStringLiteral("SELECT campaign_id, run_id, measured_at, name, value FROM telemetry "
                       "WHERE campaign_id = ? ORDER BY measured_at, id"),
        {campaignId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<Telemetry> list;
    while (rows->next()) {
        const Telemetry next{rows->value(0).toLongLong(),
                             rows->value(1).toLongLong(),
                             timeFromText(rows->value(2).toString()),
                             {}};
        if (list.isEmpty() || list.last().measuredAt != next.measuredAt || list.last().runId != next.runId)
            list << next;
        list.last().values.insert(rows->value(3).toString(), rows->value(4).toDouble());
    }
    return database_.finished(*rows, kReading).map([&] { return list; });
}

} // namespace quantscope::storage
