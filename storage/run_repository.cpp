// SPDX-License-Identifier: Apache-2.0
#include "storage/run_repository.h"

#include "storage/database.h"
#include "storage/words.h"

namespace quantscope::storage {
namespace {

const QString kReading = QStringLiteral("reading runs");

Error noRun(const Database& database, Id id) {
    return {ErrorKind::NotFound,
            QStringLiteral("The database %1 has no run %2.").arg(database.path(), QString::number(id)),
            QStringLiteral("`quantscope show` shows a campaign's runs.")};
}

Run fromRow(const QSqlQuery& row) {
    Run run;
    run.id = row.value(0).toLongLong();
    run.campaignId = row.value(1).toLongLong();
    run.schemeId = row.value(2).toString();
    run.schemeLabel = row.value(3).toString();
    run.batchSize = row.value(4).toInt();
    run.evalStatus = statusFromWord(row.value(5).toString()).value_or(RunStatus::Failed);
    run.latencyStatus = statusFromWord(row.value(6).toString()).value_or(RunStatus::Failed);
    run.error = row.value(7).toString();
    run.importedFrom = row.value(8).toString();
    return run;
}

} // namespace

Expected<QList<Run>> RunRepository::select(const QString& where, Id id) {
    auto rows = database_.execute(
        QStringLiteral("SELECT id, campaign_id, scheme_id, scheme_label, batch_size, eval_status, "
                       "latency_status, error, imported_from FROM run WHERE %1 = ? ORDER BY id")
            .arg(where),
        {id}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<Run> runs;
    while (rows->next())
        runs << fromRow(*rows);
    return database_.finished(*rows, kReading).map([&] { return runs; });
}

Expected<QList<Run>> RunRepository::list(Id campaignId) {
    return select(QStringLiteral("campaign_id"), campaignId);
}

Expected<Run> RunRepository::load(Id id) {
    return select(QStringLiteral("id"), id).and_then([&](const QList<Run>& found) -> Expected<Run> {
        if (found.isEmpty())
            return tl::unexpected(noRun(database_, id));
        return found.first();
    });
}

Expected<> RunRepository::setStatus(const QString& column, Id id, RunStatus status, const QString& error) {
    // The sentence stays while the other measure is the failed one.
    const QString other = column == QLatin1String("eval_status") ? QStringLiteral("latency_status")
                                                                 : QStringLiteral("eval_status");
    const auto updated = database_.execute(
        QStringLiteral(
            "UPDATE run SET %1 = ?, error = CASE WHEN ? THEN ? WHEN %2 = 'failed' THEN error ELSE '' END "
            "WHERE id = ?")
            .arg(column, other),
        {word(status), status == RunStatus::Failed || !error.isEmpty(), error, id},
        QStringLiteral("storing a run's status"));
    if (!updated)
        return tl::unexpected(updated.error());
    if (updated->numRowsAffected() == 0)
        return tl::unexpected(noRun(database_, id));
    return {};
}

Expected<> RunRepository::setEvalStatus(Id id, RunStatus status, const QString& error) {
    return setStatus(QStringLiteral("eval_status"), id, status, error);
}

Expected<> RunRepository::setLatencyStatus(Id id, RunStatus status, const QString& error) {
    return setStatus(QStringLiteral("latency_status"), id, status, error);
}

Expected<Run> RunRepository::add(const Run& run) {
    const QString doing = QStringLiteral("adding a run to campaign %1").arg(run.campaignId);
    auto taken = database_.scalar(
        QStringLiteral("SELECT count(*) FROM run WHERE campaign_id = ? AND scheme_id = ? AND batch_size = ?"),
        {run.campaignId, run.schemeId, run.batchSize}, doing);
    if (!taken)
        return tl::unexpected(taken.error());
    if (taken->toInt() > 0)
        return makeError(
            ErrorKind::BadInput,
            QStringLiteral("Campaign %1 has a run of %2 at batch size %3 already.")
                .arg(QString::number(run.campaignId), run.schemeId, QString::number(run.batchSize)),
            QStringLiteral("Give the new run another name."));
    auto inserted = database_.execute(
        QStringLiteral(
            "INSERT INTO run (campaign_id, scheme_id, scheme_label, batch_size, eval_status, latency_status, "
            "error, imported_from) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"),
        {run.campaignId, run.schemeId, run.schemeLabel, run.batchSize, word(run.evalStatus),
         word(run.latencyStatus), run.error, run.importedFrom},
        doing);
    if (!inserted)
        return tl::unexpected(inserted.error());
    Run stored = run;
    stored.id = inserted->lastInsertId().toLongLong();
    return stored;
}

} // namespace quantscope::storage
