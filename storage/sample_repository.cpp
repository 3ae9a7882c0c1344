// SPDX-License-Identifier: Apache-2.0
#include "storage/sample_repository.h"

#include "storage/database.h"
#include "storage/words.h"

#include <cmath>

namespace quantscope::storage {
namespace {

const QString kReading = QStringLiteral("reading samples");
const QString kColumns =
    QStringLiteral("run_id, task_id, sample_index, completion, verdict, detail, stop_reason, "
                   "prompt_tokens, completion_tokens, ttft_ms, total_ms");

/// Lone surrogates cannot be UTF-8; replaced here, what is stored equals what is read back.
QString wellFormed(const QString& text) {
    return QString::fromUtf8(text.toUtf8());
}

QString nameOf(Id runId, const QString& taskId, int sampleIndex) {
    return QStringLiteral("sample %1 #%2 of run %3")
        .arg(taskId, QString::number(sampleIndex), QString::number(runId));
}

Sample fromRow(const QSqlQuery& row) {
    Sample sample;
    sample.runId = row.value(0).toLongLong();
    sample.taskId = row.value(1).toString();
    sample.sampleIndex = row.value(2).toInt();
    sample.completion = row.value(3).toString();
    sample.verdict = verdictFromWord(row.value(4).toString()).value_or(Verdict::Unscored);
    sample.detail = row.value(5).toString();
    sample.stopReason = row.value(6).toString();
    sample.promptTokens = row.value(7).toInt();
    sample.completionTokens = row.value(8).toInt();
    sample.ttftMs = row.value(9).toDouble();
    sample.totalMs = row.value(10).toDouble();
    return sample;
}

Expected<> checkNumbers(const Sample& sample) {
    const QString name = nameOf(sample.runId, sample.taskId, sample.sampleIndex);
    if (sample.taskId.isEmpty() || sample.sampleIndex < 0)
        return makeError(
            ErrorKind::BadInput,
            QStringLiteral("The %1 has no usable key: expected a task id and an index from 0.").arg(name));
    for (const double value :
         {sample.ttftMs, sample.totalMs, double(sample.promptTokens), double(sample.completionTokens)})
        if (!(value >= 0 && std::isfinite(value)))
            return makeError(
                ErrorKind::BadInput,
                QStringLiteral("The %1 has an impossible time or token count: expected 0 or more, found %2.")
                    .arg(name, QString::number(value)));
    return {};
}

/// A sample that was there before: the same again is fine, anything else is a conflict.
Expected<bool> compareWithStored(const Sample& stored, const Sample& sample) {
    const QString difference = stored.completion != wellFormed(sample.completion)
                                   ? QStringLiteral("completion")
                               : stored.verdict != sample.verdict ? QStringLiteral("verdict")
                                                                  : QString();
    if (difference.isEmpty())
        return false;
    return makeError(
        ErrorKind::Conflict,
        QStringLiteral("The %1 is stored already with another %2; the stored one was kept.")
            .arg(nameOf(sample.runId, sample.taskId, sample.sampleIndex), difference),
        QStringLiteral("Start a new campaign: model, scheme or sampling differ from when this one began."));
}

} // namespace

Expected<bool> SampleRepository::insert(const Sample& sample) {
    if (auto checked = checkNumbers(sample); !checked)
        return tl::unexpected(checked.error());
    const QString doing =
        QStringLiteral("storing ") + nameOf(sample.runId, sample.taskId, sample.sampleIndex);
    auto inserted = database_.execute(
        QStringLiteral("INSERT INTO sample (%1, stored_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                       "ON CONFLICT (run_id, task_id, sample_index) DO NOTHING")
            .arg(kColumns),
        {sample.runId, sample.taskId, sample.sampleIndex, wellFormed(sample.completion), word(sample.verdict),
         wellFormed(sample.detail), sample.stopReason, sample.promptTokens, sample.completionTokens,
         sample.ttftMs, sample.totalMs, timeText(QDateTime::currentDateTimeUtc())},
        doing);
    if (!inserted)
        return tl::unexpected(inserted.error());
    if (inserted->numRowsAffected() > 0)
        return true;
    return load(sample.runId, {sample.taskId, sample.sampleIndex}).and_then([&](const Sample& stored) {
        return compareWithStored(stored, sample);
    });
}

Expected<> SampleRepository::setVerdict(Id runId, const SampleKey& key, Verdict verdict,
                                        const QString& detail) {
    const QString name = nameOf(runId, key.first, key.second);
    auto updated = database_.execute(QStringLiteral("UPDATE sample SET verdict = ?, detail = ? WHERE run_id "
                                                    "= ? AND task_id = ? AND sample_index = ?"),
                                     {word(verdict), wellFormed(detail), runId, key.first, key.second},
                                     QStringLiteral("scoring ") + name);
    if (!updated)
        return tl::unexpected(updated.error());
    if (updated->numRowsAffected() == 0)
        return makeError(ErrorKind::NotFound, QStringLiteral("There is no %1 to score.").arg(name));
    return {};
}

Expected<QList<Sample>> SampleRepository::list(Id runId) {
    auto rows =
        database_.execute(QStringLiteral("SELECT %1 FROM sample WHERE run_id = ? ORDER BY id").arg(kColumns),
                          {runId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<Sample> samples;
    while (rows->next())
        samples << fromRow(*rows);
    return database_.finished(*rows, kReading).map([&] { return samples; });
}

Expected<QList<SampleVerdict>> SampleRepository::verdicts(Id runId, Id afterId) {
    auto rows = database_.execute(QStringLiteral("SELECT id, task_id, sample_index, verdict FROM sample "
                                                 "WHERE run_id = ? AND id > ? ORDER BY id"),
                                  {runId, afterId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<SampleVerdict> verdicts;
    while (rows->next())
        verdicts << SampleVerdict{rows->value(0).toLongLong(), rows->value(1).toString(),
                                  rows->value(2).toInt(),
                                  verdictFromWord(rows->value(3).toString()).value_or(Verdict::Unscored)};
    return database_.finished(*rows, kReading).map([&] { return verdicts; });
}

Expected<Sample> SampleRepository::load(Id runId, const SampleKey& key) {
    auto rows = database_.execute(
        QStringLiteral("SELECT %1 FROM sample WHERE run_id = ? AND task_id = ? AND sample_index = ?")
            .arg(kColumns),
        {runId, key.first, key.second}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    if (!rows->next())
        return makeError(ErrorKind::NotFound,
                         QStringLiteral("There is no %1.").arg(nameOf(runId, key.first, key.second)));
    return fromRow(*rows);
}

Expected<QSet<SampleKey>> SampleRepository::keys(Id runId) {
    auto rows = database_.execute(QStringLiteral("SELECT task_id, sample_index FROM sample WHERE run_id = ?"),
                                  {runId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QSet<SampleKey> keys;
    while (rows->next())
        keys << SampleKey(rows->value(0).toString(), rows->value(1).toInt());
    return database_.finished(*rows, kReading).map([&] { return keys; });
}

Expected<QMap<Id, SampleCounts>> SampleRepository::counts(Id campaignId) {
    auto rows = database_.execute(
        QStringLiteral("SELECT s.run_id, s.verdict, count(*) FROM sample s JOIN run r ON r.id = s.run_id "
                       "WHERE r.campaign_id = ? GROUP BY s.run_id, s.verdict"),
        {campaignId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QMap<Id, SampleCounts> counts;
    while (rows->next()) {
        SampleCounts& run = counts[rows->value(0).toLongLong()];
        const Verdict verdict = verdictFromWord(rows->value(1).toString()).value_or(Verdict::Unscored);
        const int number = rows->value(2).toInt();
        run.stored += number;
        run.scored += verdict == Verdict::Unscored ? 0 : number;
        run.passed += verdict == Verdict::Passed ? number : 0;
        run.timedOut += verdict == Verdict::TimedOut ? number : 0;
    }
    return database_.finished(*rows, kReading).map([&] { return counts; });
}

Expected<QList<UnscoredReason>> SampleRepository::unscoredReasons(Id campaignId) {
    auto rows = database_.execute(
        QStringLiteral(
            "SELECT s.detail, count(DISTINCT s.task_id) FROM sample s JOIN run r ON r.id = s.run_id "
            "WHERE r.campaign_id = ? AND s.verdict = 'unscored' GROUP BY s.detail"),
        {campaignId}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<UnscoredReason> reasons;
    while (rows->next())
        reasons << UnscoredReason{rows->value(0).toString(), rows->value(1).toInt()};
    return database_.finished(*rows, kReading).map([&] { return reasons; });
}

} // namespace quantscope::storage
