// SPDX-License-Identifier: Apache-2.0
// A verdict program that cannot run is not a wrong answer.
#include "engine/eval/canonical_check.h"
#include "engine/eval/score.h"
#include "tests/engine/eval/leftovers.h"

#include <QProcess>
#include <QtTest>
#include <fstream>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;

namespace {

const std::filesystem::path cases = QUANTSCOPE_SOURCE_DIR "/tests/fixtures/cases";

Problem problem(const std::string& id, const std::string& solution, const std::string& test) {
    return {id, "def f(x):\n", "f", solution, test};
}

const std::string square_test = "def check(c):\n    assert c(3) == 9\n";

} // namespace

class TestCanonicalCheck : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }
    void cleanup() { QVERIFY2(no_children_left(), "a process was left behind"); }
    void tellsWhatCannotBeJudged();
    void passesAreRemembered();
    void cancels();
    void samplesOfUnjudgedProblemsAreUnscored();
    void numpyIsReachable();
    void withoutNumpyNothingIsScored();
    void libraryCasesPass_data();
    void libraryCasesPass();
    void anotherInterpreter();

  private:
    Expected<std::vector<ProblemCheck>> check(const std::vector<Problem>& problems,
                                              const CanonicalCheckOptions& options = {}) {
        VerdictPool pool(*sandbox_);
        return check_canonical_solutions(pool, *sandbox_, problems, options);
    }
    [[nodiscard]] std::filesystem::path file(const char* name) const {
        return dir_->filePath(QString::fromLatin1(name)).toStdString();
    }
    std::optional<Sandbox> sandbox_;
    std::unique_ptr<QTemporaryDir> dir_;
};

void TestCanonicalCheck::initTestCase() {
    adopt_orphans();
    auto sandbox = Sandbox::open();
    if (!sandbox)
        QSKIP(("no sandbox here: " + sandbox.error().message + ". " + sandbox.error().hint).c_str());
    sandbox_.emplace(std::move(*sandbox));
}

void TestCanonicalCheck::tellsWhatCannotBeJudged() {
    const auto checks = check(
        {problem("right", "    return x * x\n", square_test), problem("wrong", "    return x\n", square_test),
         problem("no package", "    return x * x\n", "import no_such_package\n" + square_test),
         problem("no solution", " \n", square_test),
         problem("no solution, no package", "", "import no_such_package\n" + square_test)});
    QVERIFY(checks);
    std::vector<bool> judged;
    for (const ProblemCheck& found : *checks)
        judged.push_back(found.judging.has_value());
    QCOMPARE(judged, (std::vector<bool>{true, false, false, true, false}));
    QVERIFY(checks->at(1).reason.starts_with("AssertionError (line "));
    QCOMPARE(unjudged_sentence(*checks),
             std::string("3 problems cannot be judged here: ModuleNotFoundError: No "
                         "module named 'no_such_package', and other reasons"));
    QCOMPARE(unjudged_sentence(std::span(*checks).first(1)), std::string());
}

void TestCanonicalCheck::passesAreRemembered() {
    CanonicalCheckOptions options;
    options.cache = file("cache");
    std::vector<Problem> problems = {problem("right", "    return x * x\n", square_test),
                                     problem("wrong", "    return x\n", square_test)};
    const auto checked_anew = [&] {
        int total = -1;
        options.on_progress = [&](int, int all) { total = all; };
        // Slow enough to be seen, and no longer than that.
        problems.push_back(problem("slow" + std::to_string(problems.size()), "    return x * x\n",
                                   "import time; time.sleep(0.3)\n" + square_test));
        [[maybe_unused]] const auto checks = check(problems, options);
        return total;
    };
    QCOMPARE(checked_anew(), 3);
    QCOMPARE(checked_anew(), 2); // what did not pass, and the new one
    problems[0].test += "# changed\n";
    QCOMPARE(checked_anew(), 3);
    std::ofstream(QDir(dir_->filePath(QStringLiteral("cache")))
                      .entryInfoList(QDir::Files)
                      .first()
                      .filePath()
                      .toStdString())
        << "not a cache\n";
    QCOMPARE(checked_anew(), 6);
}

void TestCanonicalCheck::cancels() {
    CanonicalCheckOptions options;
    options.cancelled = [] { return true; };
    const auto checks = check({problem("loop", "    while True: pass\n", square_test)}, options);
    QVERIFY(!checks);
    QCOMPARE(checks.error().code, ErrorCode::cancelled);
}

void TestCanonicalCheck::samplesOfUnjudgedProblemsAreUnscored() {
    const std::vector<Problem> problems = {
        problem("T/0", "    return x * x\n", square_test),
        problem("T/1", "    return x * x\n", "import no_such_package\n" + square_test)};
    std::ofstream(file("samples.jsonl")) << R"({"task_id": "T/0", "completion": "    return x ** 2\n"})"
                                         << "\n"
                                         << R"({"task_id": "T/1", "completion": "    return x ** 2\n"})"
                                         << "\n";
    const auto report = score_samples(problems, file("samples.jsonl"));
    QVERIFY(report);
    QCOMPARE(report->passed, 1);
    QCOMPARE(report->unscored, 1);
    QCOMPARE(report->failed, 0);
    QCOMPARE(report->unjudged_problems, 1);
    QVERIFY(std::find(
                report->warnings.begin(), report->warnings.end(),
                "1 problem cannot be judged here: ModuleNotFoundError: No module named 'no_such_package'") !=
            report->warnings.end());
    std::ifstream results(report->results_file);
    const std::string text(std::istreambuf_iterator<char>(results), {});
    QVERIFY2(text.find("unscored: cannot be judged here, as the canonical solution does not pass: "
                       "ModuleNotFoundError: No module named 'no_such_package' (line ") != std::string::npos,
             text.c_str());
}

void TestCanonicalCheck::numpyIsReachable() {
    if (sandbox_->python().site_packages.empty())
        QSKIP("python3-numpy is not installed");
    const auto problems = read_problems(cases / "problems-numpy-tests.jsonl");
    QVERIFY(problems);
    ScoreOptions options;
    options.results_file = file("results.jsonl");
    const auto report = score_samples(*problems, cases / "problems-numpy-canonical.jsonl", options);
    QVERIFY(report);
    QCOMPARE(report->passed, 3);
    QCOMPARE(report->unjudged_problems, 0);
}

void TestCanonicalCheck::withoutNumpyNothingIsScored() {
    const auto problems = read_problems(cases / "problems-numpy-tests.jsonl");
    QVERIFY(problems);
    ScoreOptions options;
    options.results_file = file("results.jsonl");
    options.sandbox.packages.clear();
    const auto report = score_samples(*problems, cases / "problems-numpy-canonical.jsonl", options);
    QVERIFY(report);
    QCOMPARE(report->unscored, 3);
    QCOMPARE(report->unjudged_problems, 3);
}

void TestCanonicalCheck::libraryCasesPass_data() {
    QTest::addColumn<QString>("name");
    QTest::addColumn<int>("count");
    QTest::newRow("stdlib-imports") << "stdlib-imports.jsonl" << 3;
    QTest::newRow("threads-and-output") << "threads-and-output.jsonl" << 2;
}

void TestCanonicalCheck::libraryCasesPass() {
    QFETCH(QString, name);
    QFETCH(int, count);
    auto problems = read_problems(cases / "problems-numpy-tests.jsonl");
    QVERIFY(problems);
    problems->front().test = "def check(candidate):\n    assert candidate(2, 3) == 5\n"; // HumanEval/53
    ScoreOptions options;
    options.results_file = file("results.jsonl");
    const auto report = score_samples(*problems, cases / name.toStdString(), options);
    QVERIFY(report);
    QCOMPARE(report->passed, count);
}

void TestCanonicalCheck::anotherInterpreter() {
    QProcess venv;
    venv.start(QString::fromStdString(sandbox_->config().python),
               {QStringLiteral("-I"), QStringLiteral("-m"), QStringLiteral("venv"),
                QStringLiteral("--without-pip"), dir_->filePath(QStringLiteral("venv"))});
    if (!venv.waitForFinished(60000) || venv.exitCode() != 0)
        QSKIP("no virtual environment can be made here (python3-venv is not installed)");
    const auto site =
        QDir(dir_->filePath(QStringLiteral("venv/lib"))).entryInfoList(QDir::Dirs | QDir::NoDotAndDotDot);
    const auto packages = std::filesystem::path(site.first().filePath().toStdString()) / "site-packages";
    for (const char* name : {"numpy", "another"}) {
        std::filesystem::create_directories(packages / name);
        std::ofstream(packages / name / "__init__.py") << "here = True\n";
    }
    std::filesystem::permissions(dir_->path().toStdString(), std::filesystem::perms(0755));
    SandboxConfig config;
    config.python = dir_->filePath(QStringLiteral("venv/bin/python")).toStdString();
    const auto sandbox = Sandbox::open(config);
    QVERIFY2(sandbox, sandbox ? "" : sandbox.error().message.c_str());
    QVERIFY(sandbox->identity() != sandbox_->identity());
    const auto outcome = sandbox->run("import numpy\nassert numpy.here\n"
                                      "try: import another\nexcept ImportError: pass\nelse: assert False\n"
                                      "try: import ctypes\nexcept ImportError: pass\nelse: assert False\n",
                                      20s);
    QVERIFY2(outcome.completed, outcome.exception.c_str());
}

QTEST_APPLESS_MAIN(TestCanonicalCheck)
#include "tst_canonical_check.moc"
