// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "storage/database.h"
#include "storage/repositories.h"

#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

namespace quantscope::storage::test {

/// What went wrong, or nothing. (QVERIFY2 evaluates its message even when all is well.)
template<class T>
QByteArray sentenceOf(const Expected<T>& expected) {
    return expected ? QByteArray() : expected.error().message.toUtf8();
}

/// `auto& NAME = ` the value of an Expected, or the test fails with the error's sentence.
#define GET(NAME, ...)                                                                                       \
    auto NAME##Expected = (__VA_ARGS__);                                                                     \
    QVERIFY2(NAME##Expected.has_value(), sentenceOf(NAME##Expected).constData());                            \
    auto& NAME = *NAME##Expected

/// An Expected without a value of interest must have succeeded.
#define OK(...)                                                                                              \
    do {                                                                                                     \
        const auto& done = (__VA_ARGS__);                                                                    \
        QVERIFY2(done.has_value(), sentenceOf(done).constData());                                            \
    } while (false)

/// An Expected must have failed in that way, with a sentence that holds all the given parts.
#define FAILS(KIND, EXPECTED, ...)                                                                           \
    do {                                                                                                     \
        const auto& result = (EXPECTED);                                                                     \
        QVERIFY(!result.has_value());                                                                        \
        QVERIFY2(result.error().kind == (KIND), qPrintable(result.error().message));                         \
        for (const QString& fragment : QStringList{__VA_ARGS__})                                             \
            QVERIFY2(result.error().message.contains(fragment), qPrintable(result.error().message));         \
    } while (false)

inline CampaignSpec exampleSpec() {
    CampaignSpec spec;
    spec.name = QStringLiteral("Example");
    spec.model = QStringLiteral("demo");
    spec.problems = QStringLiteral("demo");
    spec.schemes = {QStringLiteral("fp16"), QStringLiteral("int8")};
    spec.batchSizes = {1, 8};
    return spec;
}

inline Sample exampleSample(Id runId, int number) {
    Sample sample;
    sample.runId = runId;
    sample.taskId = QStringLiteral("HumanEval/%1").arg(number);
    sample.completion = QStringLiteral("    return %1\n").arg(number);
    sample.verdict = number % 3 == 0 ? Verdict::Passed : Verdict::Failed;
    sample.detail = number % 3 == 0 ? QString() : QStringLiteral("AssertionError");
    sample.stopReason = QStringLiteral("stop");
    sample.promptTokens = 100 + number;
    sample.completionTokens = 5;
    sample.ttftMs = 12.25;
    sample.totalMs = 40.1;
    return sample;
}

inline QByteArray bytesOf(const QString& path) {
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

inline bool writeBytes(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    return file.open(QIODevice::WriteOnly) && file.write(bytes) == bytes.size();
}

/// Runs SQL on a file behind Quantscope's back.
inline bool rawSql(const QString& path, const QStringList& statements) {
    const QString name = QStringLiteral("raw");
    bool ok = false;
    {
        QSqlDatabase raw = QSqlDatabase::addDatabase(QStringLiteral("QSQLITE"), name);
        raw.setDatabaseName(path);
        ok = raw.open();
        for (const QString& statement : statements)
            ok = ok && QSqlQuery(raw).exec(statement);
    }
    QSqlDatabase::removeDatabase(name);
    return ok;
}

inline QString childProgram() {
    return QCoreApplication::applicationDirPath() + QStringLiteral("/storage_child");
}

} // namespace quantscope::storage::test
