// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/atomic_file.h"
#include "engine/eval/score.h"
#include "tests/engine/eval/leftovers.h"

#include <QtTest>
#include <cmath>
#include <csignal>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

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
    void refusesBadSamples_data();
    void refusesBadSamples();
    void refusesUnwritableResults();
    void fullDiskLeavesNothing();
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

void TestScore::refusesBadSamples_data() {
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("says");
    const QByteArray good = QByteArray::fromStdString(line("T/0", "    return x * x\n"));
    QTest::newRow("empty") << QByteArray() << "samples.jsonl: holds no sample";
    QTest::newRow("not JSON")
        << good + "\n{broken\n"
        << "samples.jsonl, line 3: not valid JSON: expected one object a line, found \"{broken\"";
    QTest::newRow("unknown task") << good + QByteArray::fromStdString(line("X/9", ""))
                                  << "samples.jsonl, line 2: task_id \"X/9\" is not in the problem file";
    QTest::newRow("no completion") << good + "{\"task_id\": \"T/0\"}"
                                   << "samples.jsonl, line 2: the key \"completion\" is missing";
    QTest::newRow("no task_id") << QByteArray("{\"completion\": \"\"}")
                                << "samples.jsonl, line 1: the key \"task_id\" is missing";
    QTest::newRow("completion is a list")
        << QByteArray("{\"task_id\": \"T/0\", \"completion\": []}")
        << "samples.jsonl, line 1: \"completion\" must be a string, found array";
    QTest::newRow("truncated gzip") << QByteArray("\x1f\x8b\x08\0", 4) << "the gzip data ends early";
}

void TestScore::refusesBadSamples() {
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
             std::string("/nowhere/results.jsonl: cannot be written: No such file or directory"));
}

void TestScore::fullDiskLeavesNothing() {
    // A file size limit refuses writes in the same place as a full disk does.
    rlimit before{};
    QVERIFY(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit small{100000, before.rlim_max};
    QVERIFY(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::filesystem::path target = dir_->filePath(QStringLiteral("results.jsonl")).toStdString();
    Expected<> written;
    {
        auto file = AtomicFile::create(target);
        QVERIFY(file);
        for (int i = 0; i < 20 && written; ++i)
            written = file->write(std::string(10000, 'x'));
        if (written)
            written = file->commit();
    }
    QVERIFY(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, old_handler);
    QVERIFY(!written);
    QCOMPARE(written.error().code, ErrorCode::io);
    QCOMPARE(written.error().message,
             target.string() + ": writing failed: File too large; nothing was left behind");
    QCOMPARE(filesInFolder(), 0);
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
