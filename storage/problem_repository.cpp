// SPDX-License-Identifier: Apache-2.0
#include "storage/problem_repository.h"

#include "storage/database.h"

namespace quantscope::storage {
namespace {

const QString kStoring = QStringLiteral("storing problems");
const QString kReading = QStringLiteral("reading problems");

} // namespace

Expected<> ProblemRepository::storeOne(const QString& problemsHash, const Problem& problem) {
    const QVariantList values{problemsHash, problem.position, problem.taskId, problem.prompt,
                              problem.entryPoint};
    auto inserted = database_.execute(QStringLiteral("INSERT INTO problem (problems_hash, position, task_id, "
                                                     "prompt, entry_point) VALUES (?, ?, ?, ?, ?) "
                                                     "ON CONFLICT DO NOTHING"),
                                      values, kStoring);
    if (!inserted)
        return tl::unexpected(inserted.error());
    if (inserted->numRowsAffected() > 0)
        return {};
    auto same = database_.scalar(
        QStringLiteral("SELECT count(*) FROM problem WHERE problems_hash = ? AND position = ? AND "
                       "task_id = ? AND prompt = ? AND entry_point = ?"),
        values, kStoring);
    if (!same)
        return tl::unexpected(same.error());
    if (same->toInt() == 1)
        return {};
    return makeError(
        ErrorKind::Conflict,
        QStringLiteral("Problem %1 (position %2) differs from the one stored for the same problem set %3.")
            .arg(problem.taskId, QString::number(problem.position), problemsHash),
        QStringLiteral(
            "The worker's hash of the problem file does not cover its content; update the worker."));
}

Expected<> ProblemRepository::store(const QString& problemsHash, const QList<Problem>& problems) {
    auto transaction = Transaction::begin(database_, kStoring);
    if (!transaction)
        return tl::unexpected(transaction.error());
    for (const Problem& problem : problems)
        if (auto stored = storeOne(problemsHash, problem); !stored)
            return stored;
    return transaction->commit();
}

Expected<QList<Problem>> ProblemRepository::list(const QString& problemsHash) {
    auto rows =
        database_.execute(QStringLiteral("SELECT id, task_id, prompt, entry_point, position FROM problem "
                                         "WHERE problems_hash = ? ORDER BY position"),
                          {problemsHash}, kReading);
    if (!rows)
        return tl::unexpected(rows.error());
    QList<Problem> problems;
    while (rows->next())
        problems << Problem{rows->value(0).toLongLong(), rows->value(1).toString(), rows->value(2).toString(),
                            rows->value(3).toString(), rows->value(4).toInt()};
    return database_.finished(*rows, kReading).map([&] { return problems; });
}

Expected<int> ProblemRepository::count(const QString& problemsHash) {
    return database_
        .scalar(QStringLiteral("SELECT count(*) FROM problem WHERE problems_hash = ?"), {problemsHash},
                kReading)
        .map([](const QVariant& value) { return value.toInt(); });
}

} // namespace quantscope::storage
