// SPDX-License-Identifier: Apache-2.0
// Samples files as people have them, each with its right value: our own copies, and the folder of cases
// beside the repository where it is present.
#include "engine/eval/score.h"

#include <QtTest>
#include <algorithm>
#include <iterator>

using namespace quantscope;
using namespace quantscope::eval;

namespace {

struct Case {
    const char* file;
    int passed;
    int failed;
};

constexpr Case cases[] = {
    {"samples-nan-in-extra-key.jsonl", 2, 0},   {"samples-lone-surrogate.jsonl", 2, 0},
    {"samples-null-completion.jsonl", 1, 1},    {"samples-evalplus.jsonl", 1, 0},
    {"samples-bigcode-generations.json", 2, 0},
};

const QString own = QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/cases");
const QString shared = QStringLiteral(QUANTSCOPE_SOURCE_DIR "/../shared/cases");
const QString official = QStringLiteral(QUANTSCOPE_SOURCE_DIR "/../shared/data/HumanEval.jsonl.gz");

} // namespace

class TestCases : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void hasItsRightValue_data();
    void hasItsRightValue();
    void theFolderIsKnown();
};

void TestCases::initTestCase() {
    const SandboxStatus status = probe_sandbox();
    if (!status.available)
        QSKIP(("no sandbox here: " + status.message + ". " + status.hint).c_str());
}

void TestCases::hasItsRightValue_data() {
    QTest::addColumn<QString>("folder");
    QTest::addColumn<QString>("problems");
    QTest::addColumn<int>("index");
    for (int i = 0; i < static_cast<int>(std::size(cases)); ++i) {
        QTest::addRow("own %s", cases[i].file) << own << own + QStringLiteral("/problems.jsonl") << i;
        QTest::addRow("shared %s", cases[i].file) << shared << official << i;
    }
}

void TestCases::hasItsRightValue() {
    QFETCH(QString, folder);
    QFETCH(QString, problems);
    QFETCH(int, index);
    const Case& expected = cases[index];
    const QString file = folder + u'/' + QLatin1String(expected.file);
    if (folder == shared && !(QFile::exists(file) && QFile::exists(problems)))
        QSKIP("../shared/cases or ../shared/data is not there");
    const auto read = read_problems(problems.toStdString());
    QVERIFY2(read, read ? "" : read.error().message.c_str());
    const QTemporaryDir out;
    ScoreOptions options;
    options.results_file = out.filePath(QStringLiteral("results.jsonl")).toStdString();
    const auto report = score_samples(*read, file.toStdString(), options);
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    QCOMPARE(report->passed, expected.passed);
    QCOMPARE(report->failed, expected.failed);
    QCOMPARE(report->samples, expected.passed + expected.failed);
    QCOMPARE(report->set_aside.lines, std::size_t{0});
}

/// A case that is new in the folder is seen, not passed over.
void TestCases::theFolderIsKnown() {
    if (!QDir(shared).exists())
        QSKIP("../shared/cases is not there");
    for (const QString& file : QDir(shared).entryList({QStringLiteral("samples-*")}, QDir::Files)) {
        const bool known = std::any_of(std::begin(cases), std::end(cases),
                                       [&](const Case& each) { return file == QLatin1String(each.file); });
        QVERIFY2(known, qPrintable(QStringLiteral("%1 has no right value here").arg(file)));
    }
}

QTEST_APPLESS_MAIN(TestCases)
#include "tst_cases.moc"
