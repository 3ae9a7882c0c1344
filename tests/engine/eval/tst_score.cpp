// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/score.h"
#include "tests/engine/eval/leftovers.h"

#include <QtTest>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

const std::string test = "def check(c):\n    assert c(2) == 4\n    assert c(3) == 9\n";
const std::vector<Problem> problems = {{"T/0", "def square(x):\n", "square", "    return x * x\n", test},
                                       {"T/1", "def f(x):\n", "f", "    return x ** 2\n", test}};

std::string line(const std::string& task, const std::string& completion) {
    return json{{"task_id", task}, {"completion", completion}}.dump() + "\n";
}

std::vector<json> read_lines(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::vector<json> lines;
    for (std::string text; std::getline(in, text);)
        lines.push_back(json::parse(text, nullptr, false));
    return lines;
}

} // namespace

class TestScore : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void init() { dir_ = std::make_unique<QTemporaryDir>(); }
    void cleanup();
    void writesWhatHumanEvalWrites();
    void canonicalSolutionsScoreFull();
    void severalSamplesGivePassAtK();
    void missingProblemsAreSaid();
    void keepsWhatPythonWrites();
    void acceptsFormat_data();
    void acceptsFormat();
    void resultsAreSamplesAgain();
    void setsBadLinesAside();
    void refusesFilesWithoutSamples_data();
    void refusesFilesWithoutSamples();
    void refusesUnwritableResults();
    void cancelLeavesNothing();
    void withoutSandboxNothingIsScored();

  private:
    std::filesystem::path write(const std::string& text);
    [[nodiscard]] int filesInFolder() const {
        return static_cast<int>(QDir(dir_->path()).entryList(QDir::Files | QDir::Hidden).size());
    }
    std::unique_ptr<QTemporaryDir> dir_;
};

void TestScore::initTestCase() {
    adopt_orphans();
    const SandboxStatus status = probe_sandbox();
    if (!status.available)
        QSKIP(("no sandbox here: " + status.message + ". " + status.hint).c_str());
}

void TestScore::cleanup() {
    QVERIFY2(no_children_left(), "a process was left behind");
}

std::filesystem::path TestScore::write(const std::string& text) {
    std::filesystem::path file = dir_->filePath(QStringLiteral("samples.jsonl")).toStdString();
    std::ofstream(file) << text;
    return file;
}

void TestScore::writesWhatHumanEvalWrites() {
    const std::string extra =
        R"({"seed": 7, "task_id": "T/1", "completion": "    return x * 2\n", "é": [1, {"a": null}]})";
    const auto file =
        write(line("T/0", "    return x * x\n") + "\n" + extra + "\n" +
              line("T/0", "    while True: pass\n") + line("T/1", "    import os; os._exit(0)\n") +
              R"({"task_id": "T/1", "completion": "    return x*x", "result": "old", "passed": false})");
    ScoreOptions options;
    options.pool.first_wall_limit = 1s;
    options.pool.rerun_wall_limit = 1s;
    int last_done = -1;
    options.on_progress = [&](int done, int total) {
        QVERIFY(done >= last_done && done <= total && total == 5);
        last_done = done;
    };
    const auto report = score_samples(problems, file, options);
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    QCOMPARE(last_done, 5);
    QCOMPARE(report->results_file.string(), file.string() + "_results.jsonl");
    QCOMPARE(std::vector({report->samples, report->passed, report->failed, report->timed_out, report->errors,
                          report->unscored, report->attempted, report->problems}),
             std::vector({5, 2, 1, 1, 1, 0, 2, 2}));
    QVERIFY(std::abs(report->pass_at_k.at(1) - (1.0 / 2 + 1.0 / 3) / 2) < 1e-12);
    QVERIFY(report->warnings.empty());

    const auto lines = read_lines(report->results_file);
    QCOMPARE(lines.size(), std::size_t{5});
    const std::vector<std::string> results = {"passed", "failed: AssertionError (line ", "timed out",
                                              "failed: ended without finishing check()", "passed"};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const std::string result = lines[i]["result"];
        QVERIFY2(result.starts_with(results[i]), result.c_str());
        QCOMPARE(lines[i]["passed"].get<bool>(), result == "passed");
    }
    QCOMPARE(lines[1]["seed"].get<int>(), 7);
    QCOMPARE(lines[1]["é"].dump(), std::string(R"([1,{"a":null}])"));
    QCOMPARE(filesInFolder(), 2); // samples and results: no temporary file
}

void TestScore::canonicalSolutionsScoreFull() {
    const auto official = read_problems(QUANTSCOPE_SOURCE_DIR "/../shared/data/HumanEval.jsonl.gz");
    if (!official)
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    std::string text;
    for (const Problem& problem : *official)
        text += line(problem.task_id, problem.canonical_solution);
    const auto report = score_samples(*official, write(text));
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    QCOMPARE(report->passed, 164);
    QCOMPARE(report->pass_at_k.at(1), 1.0);
    QCOMPARE(report->pass_at_k.size(), std::size_t{1}); // one sample each: no pass@10
}

void TestScore::severalSamplesGivePassAtK() {
    std::string text;
    for (int i = 0; i < 10; ++i) {
        text += line("T/0", i < 3 ? "    return x * x\n" : "    return x\n");
        text += line("T/1", i < 1 ? "    return x * x\n" : "    return x\n");
    }
    const auto report = score_samples(problems, write(text));
    QVERIFY(report);
    QVERIFY(std::abs(report->pass_at_k.at(1) - 0.2) < 1e-12);
    QCOMPARE(report->pass_at_k.at(10), 1.0);
    QVERIFY(!report->pass_at_k.contains(100));
}

void TestScore::missingProblemsAreSaid() {
    const auto report = score_samples(problems, write(line("T/1", "    return x * x\n")));
    QVERIFY(report);
    QCOMPARE(report->attempted, 1);
    QCOMPARE(report->pass_at_k.at(1), 1.0);
    QCOMPARE(report->warnings,
             std::vector<std::string>{"1 of 2 problems have no sample; pass@k is over the 1 attempted ones"});
}

void TestScore::keepsWhatPythonWrites() {
    const std::string text = R"({"task_id": "T/0", "completion": "    return x * x\n", "logprob": NaN,)"
                             R"( "low": -Infinity, "id": 123456789012345678901234567890, "e": 0.1})"
                             "\n"
                             R"({"task_id": "T/0", "completion": "    s = '\ud83d'\n    return x * x\n"})"
                             "\n"
                             R"({"task_id": "T/1", "completion": null, "result": "old"})";
    const auto report = score_samples(problems, write(text));
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    QCOMPARE(report->passed, 2);
    QCOMPARE(report->failed, 1);
    QCOMPARE(report->set_aside.lines, std::size_t{0});
    std::ifstream in(report->results_file);
    std::string first, second, third;
    std::getline(in, first);
    std::getline(in, second);
    std::getline(in, third);
    QCOMPARE(first, std::string(R"({"task_id": "T/0", "completion": "    return x * x\n", "logprob": NaN,)"
                                R"( "low": -Infinity, "id": 123456789012345678901234567890, "e": 0.1,)"
                                R"( "result": "passed", "passed": true})"));
    QVERIFY(second.find(R"('\ud83d')") != std::string::npos); // as it was written
    QCOMPARE(third, std::string(R"({"task_id": "T/1", "completion": null,)"
                                R"( "result": "failed: no completion: the samples file says null",)"
                                R"( "passed": false})"));
    QCOMPARE(report->warnings.size(), std::size_t{1});
    QVERIFY(report->warnings[0].find("lone surrogate escape was read as U+FFFD (line 2)") !=
            std::string::npos);
}

void TestScore::acceptsFormat_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<int>("passed");
    QTest::addColumn<int>("samples");
    const QByteArray whole = R"("def square(x):\n    return x * x\n")";
    QTest::newRow("evalplus") << R"({"task_id": "T/0", "solution": )" + whole + "}" << 1 << 1;
    QTest::newRow("solution wins") << R"({"task_id": "T/0", "completion": "    return 0", "solution": )" +
                                          whole + "}"
                                   << 1 << 1;
    QTest::newRow("integer ids") << QByteArray(R"({"task_id": 0, "completion": "    return x * x"})"
                                               "\n"
                                               R"({"task_id": "1", "completion": "    return x * x"})")
                                 << 2 << 2;
    QTest::newRow("bigcode") << "[[" + whole + ", \"\"], [\"def f(x): return x * x\"]]" << 2 << 3;
    QTest::newRow("bigcode, fewer problems") << "\n [[" + whole + "]]\n" << 1 << 1;
    QTest::newRow("list of samples") << QByteArray(
                                            R"([{"task_id": "T/0", "completion": "    return x * x"}])")
                                     << 1 << 1;
    QTest::newRow("byte order mark, CR LF, no last line end")
        << QByteArray("\xef\xbb\xbf{\"task_id\": \"T/0\", \"completion\": \"    return x * x\"}\r\n\r\n"
                      "{\"task_id\": \"T/1\", \"completion\": \"    return 1\"}")
        << 1 << 2;
    QTest::newRow("key twice: the last counts")
        << QByteArray(R"({"task_id": "T/0", "completion": "", "completion": "    return x * x"})") << 1 << 1;
}

void TestScore::acceptsFormat() {
    QFETCH(QByteArray, text);
    const auto report = score_samples(problems, write(text.toStdString()));
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    QTEST(report->passed, "passed");
    QTEST(report->samples, "samples");
    QCOMPARE(report->set_aside.lines, std::size_t{0});
}

void TestScore::resultsAreSamplesAgain() {
    const auto first = score_samples(problems, write(R"([["def square(x): return x * x", null], ["x ="]])"));
    QVERIFY2(first, first ? "" : first.error().message.c_str());
    const auto lines = read_lines(first->results_file);
    QCOMPARE(lines.size(), std::size_t{3});
    QCOMPARE(lines[0]["task_id"].get<std::string>(), std::string("T/0"));
    QVERIFY(lines[1]["solution"].is_null());
    const auto again = score_samples(problems, first->results_file);
    QVERIFY2(again, again ? "" : again.error().message.c_str());
    QCOMPARE(again->passed, 1);
    QCOMPARE(again->failed, 2);
}

void TestScore::setsBadLinesAside() {
    const std::string good = line("T/0", "    return x * x\n");
    const std::string text = good + "{broken\n" + line("X/9", "") + "{\"task_id\": \"T/0\"}\n[1, 2]\n" +
                             good + "{\"task_id\": \"T/0\", \"completion\": 7}\n{\"completion\": \"\xff\"}\n";
    const auto report = score_samples(problems, write(text));
    QVERIFY2(report, report ? "" : report.error().message.c_str());
    QCOMPARE(report->passed, 2);
    QCOMPARE(report->samples, 2);
    QCOMPARE(report->set_aside.lines, std::size_t{6});
    const QString said = QString::fromStdString(report->warnings.at(0));
    QVERIFY2(said.contains("6 lines of ") && said.contains(" were set aside: ") &&
                 said.contains("samples.jsonl, line 2: expected JSON, but it is not valid JSON (column 2)") &&
                 said.contains("line 3: task_id \"X/9\" is not in the problem file.") &&
                 said.contains(
                     "line 4: 'completion': expected a string or null (or a 'solution'), found nothing."),
             qPrintable(said));
    ScoreOptions options;
    options.strict = true;
    const auto strict = score_samples(problems, write(text), options);
    QVERIFY(!strict);
    QCOMPARE(exit_code(strict.error().code), 3);
    QVERIFY(QString::fromStdString(strict.error().message).contains("6 lines of "));
}

void TestScore::refusesFilesWithoutSamples_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("says");
    QTest::newRow("empty") << QByteArray() << "samples.jsonl: holds no sample";
    QTest::newRow("all broken")
        << QByteArray("{broken\n")
        << "samples.jsonl, line 1: expected JSON, but it is not valid JSON (column 2)";
    QTest::newRow("unknown task") << QByteArray::fromStdString(line("X/9", ""))
                                  << "samples.jsonl, line 1: task_id \"X/9\" is not in the problem file";
    QTest::newRow("no task_id") << QByteArray("{\"completion\": \"\"}")
                                << "line 1: 'task_id': expected a string or a whole number, found nothing";
    QTest::newRow("completion is a list")
        << QByteArray("{\"task_id\": \"T/0\", \"completion\": []}")
        << "'completion': expected a string or null, found a list of 0 values";
    QTest::newRow("too many lists")
        << QByteArray(R"([["a"], ["b"], ["c"]])")
        << "expected a list of at most 2 lists of programs, one a problem, found 3";
    QTest::newRow("broken list") << QByteArray("[[\"a\"]") << "samples.jsonl: expected JSON";
    QTest::newRow("UTF-16") << QByteArray("\xff\xfe{\0}\0", 6) << "expected UTF-8 text, found UTF-16";
    QTest::newRow("truncated gzip") << QByteArray("\x1f\x8b\x08\0", 4) << "the gzip data ends early";
}

void TestScore::refusesFilesWithoutSamples() {
    QFETCH(QByteArray, text);
    QFETCH(QString, says);
    const auto report = score_samples(problems, write(text.toStdString()));
    QVERIFY(!report);
    QCOMPARE(report.error().code, ErrorCode::bad_input);
    QVERIFY2(QString::fromStdString(report.error().message).contains(says), report.error().message.c_str());
    QCOMPARE(filesInFolder(), 1);
}

void TestScore::refusesUnwritableResults() {
    ScoreOptions options;
    options.results_file = "/nowhere/results.jsonl";
    const auto report = score_samples(problems, write(line("T/0", "")), options);
    QVERIFY(!report);
    QCOMPARE(report.error().code, ErrorCode::io);
    QCOMPARE(report.error().message,
             std::string("/nowhere/results.jsonl: cannot be written: No such file or directory."));
}

void TestScore::cancelLeavesNothing() {
    std::atomic<bool> cancel{false};
    ScoreOptions options;
    options.pool.first_wall_limit = 60s;
    options.cancel = &cancel;
    options.on_progress = [&](int, int) { cancel = true; };
    const auto report = score_samples(problems, write(line("T/0", "    while True: pass\n")), options);
    QVERIFY(!report);
    QCOMPARE(report.error().code, ErrorCode::cancelled);
    QCOMPARE(filesInFolder(), 1);
}

void TestScore::withoutSandboxNothingIsScored() {
    ScoreOptions options;
    options.sandbox.bwrap = "/nowhere/bwrap";
    const auto report = score_samples(problems, write(line("T/0", "    return x * x\n")), options);
    QVERIFY(!report);
    QCOMPARE(report.error().code, ErrorCode::sandbox_unavailable);
    QCOMPARE(exit_code(report.error().code), 5);
    QCOMPARE(filesInFolder(), 1);
}

QTEST_APPLESS_MAIN(TestScore)
#include "tst_score.moc"
