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
    const char* problems = nullptr; ///< of the folder; else the usual ones
};

constexpr Case cases[] = {
    {"samples-nan-in-extra-key.jsonl", 2, 0},
    {"samples-lone-surrogate.jsonl", 2, 0},
    {"samples-null-completion.jsonl", 1, 1},
    {"samples-evalplus.jsonl", 1, 0},
    {"samples-bigcode-generations.json", 2, 0},
    {"stdlib-imports.jsonl", 3, 0},
    {"threads-and-output.jsonl", 2, 0},
    {"problems-numpy-canonical.jsonl", 3, 0, "problems-numpy-tests.jsonl"},
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
    const QString usedProblems =
        expected.problems == nullptr ? problems : folder + u'/' + QLatin1String(expected.problems);
    const auto read = read_problems(usedProblems.toStdString());
    QVERIFY2(read, read ? "" : read.error().message.c_str());
    const QTemporaryDir out;
    ScoreOptions options;
    options.results_file = out.filePath(QStringLiteral("results.jsonl")).toStdString();
    const auto report = score_samples(*read, file.toStdString(), options);
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    if (expected.problems != nullptr && report->unscored > 0) { // without numpy: never 0 %, and the reason
        QCOMPARE(report->unscored, report->samples);
        QVERIFY(!report->warnings.empty());
        QSKIP("the sandbox's Python has no numpy: its samples are unscored, as they must be");
    }
    QCOMPARE(report->passed, expected.passed);
    QCOMPARE(report->failed, expected.failed);
    QCOMPARE(report->samples, expected.passed + expected.failed);
    QCOMPARE(report->set_aside.lines, std::size_t{0});
}

/// A case that is new in the folder is seen, not passed over.
void TestCases::theFolderIsKnown() {
    if (!QDir(shared).exists())
        QSKIP("../shared/cases is not there");
    for (const QString& file : QDir(shared).entryList({QStringLiteral("*.json*")}, QDir::Files)) {
        const bool known = std::any_of(std::begin(cases), std::end(cases), [&](const Case& each) {
            return file == QLatin1String(each.file) ||
                   (each.problems != nullptr && file == QLatin1String(each.problems));
        });
        QVERIFY2(known, qPrintable(QStringLiteral("%1 has no right value here").arg(file)));
    }
}

QTEST_APPLESS_MAIN(TestCases)
#include "tst_cases.moc"
