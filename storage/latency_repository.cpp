// SPDX-License-Identifier: Apache-2.0
#include "storage/latency_repository.h"

#include "engine/json/json_document.h"
#include "storage/database.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <algorithm>
#include <cmath>

namespace quantscope::storage {
namespace {

const QString kStoring = QStringLiteral("storing a latency round");
const QString kReading = QStringLiteral("reading latencies");

bool possible(double value) {
    return value >= 0 && std::isfinite(value);
}

Expected<> checkNumbers(const LatencySample& sample) {
    const bool usable = sample.round >= 0 && sample.request >= 0 && sample.promptTokens >= 0 &&
                        sample.outputTokens >= 0 && possible(sample.ttftMs) && possible(sample.e2eMs) &&
                        std::all_of(sample.itlMs.begin(), sample.itlMs.end(), possible);
    if (usable)
        return {};
    return makeError(
        ErrorKind::BadInput,
        QStringLiteral("Request %1 in latency round %2 of run %3 has an impossible number: expected finite "
                       "times and counts of 0 or more.")
            .arg(sample.request)
            .arg(sample.round)
            .arg(sample.runId));
}

/// Shortest digits that read back as the same double.
QString toText(const QList<double>& gaps) {
    QJsonArray array;
    for (const double gap : gaps)
        array << gap;
    return QString::fromLatin1(QJsonDocument(array).toJson(QJsonDocument::Compact));
}

QList<double> fromText(const QByteArray& text) {
    const auto array = parse_json({text.constData(), static_cast<std::size_t>(text.size())}, "itl_ms");
    QList<double> gaps;
    if (!array || !array->is_array())
        return gaps;
    gaps.reserve(static_cast<qsizetype>(array->size()));
    for (const auto& gap : *array)
        gaps << (gap.is_number() ? gap.get<double>() : 0.0);
    return gaps;
}

} // namespace

Expected<bool> LatencyRepository::insertOne(const LatencySample& sample) {
    if (auto checked = checkNumbers(sample); !checked)
        return tl::unexpected(checked.error());
    return database_
        .execute(
            QStringLiteral(
                "INSERT INTO latency (run_id, round, request, prompt_tokens, output_tokens, ttft_ms, e2e_ms, "
                "itl_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (run_id, round, request) DO NOTHING"),
            {sample.runId, sample.round, sample.request, sample.promptTokens, sample.outputTokens,
             sample.ttftMs, sample.e2eMs, toText(sample.itlMs)},
            kStoring)
        .map([](const QSqlQuery& query) { return query.numRowsAffected() > 0; });
}

Expected<int> LatencyRepository::insert(const QList<LatencySample>& requests) {
    auto transaction = Transaction::begin(database_, kStoring);
    if (!transaction)
        return tl::unexpected(transaction.error());
    int added = 0;
    for (const LatencySample& request : requests) {
        const auto isNew = insertOne(request);
        if (!isNew)
            return tl::unexpected(isNew.error());
        added += *isNew ? 1 : 0;
    }
    return transaction->commit().map([&] { return added; });
}

Expected<QList<LatencySample>> LatencyRepository::list(Id runId, int fromRound) {
    auto rows = database_.execute(QStringLiteral("SELECT run_id, round, request, prompt_tokens, "
                                                 "output_tokens, ttft_ms, e2e_ms, itl_ms FROM latency "
                                                 "WHERE run_id = ? AND round >= ? ORDER BY round, request"),
                                  {runId, fromRound}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<LatencySample> samples;
    while (rows->next())
        samples << LatencySample{rows->value(0).toLongLong(), rows->value(1).toInt(),
                                 rows->value(2).toInt(),      rows->value(3).toInt(),
                                 rows->value(4).toInt(),      rows->value(5).toDouble(),
                                 rows->value(6).toDouble(),   fromText(rows->value(7).toByteArray())};
    return database_.finished(*rows, kReading).map([&] { return samples; });
}

Expected<int> LatencyRepository::nextRound(Id runId) {
    return database_
        .scalar(QStringLiteral("SELECT coalesce(max(round) + 1, 0) FROM latency WHERE run_id = ?"), {runId},
                kReading)
        .map([](const QVariant& value) { return value.toInt(); });
}

Expected<QMap<Id, int>> LatencyRepository::nextRounds(Id campaignId) {
    // A subquery a run, not one grouped query: max() of a key's last part is a seek, a group reads every row,
    // gaps and all.
    auto rows = database_.execute(
        QStringLiteral("SELECT r.id, (SELECT coalesce(max(round) + 1, 0) FROM latency WHERE run_id = r.id) "
                       "FROM run r WHERE r.campaign_id = ?"),
        {campaignId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QMap<Id, int> rounds;
    while (rows->next())
        rounds.insert(rows->value(0).toLongLong(), rows->value(1).toInt());
    return database_.finished(*rows, kReading).map([&] { return rounds; });
}

} // namespace quantscope::storage
