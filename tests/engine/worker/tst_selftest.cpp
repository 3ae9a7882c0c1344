// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/backend.h"
#include "engine/worker/bench.h"
#include "engine/worker/humaneval_lengths.h"
#include "engine/worker/random_checkpoint.h"
#include "engine/worker/selftest.h"

#include <QtTest>

using namespace quantscope;

/// Selftest and bench on the CPU engine, and what a machine without an NVIDIA driver answers.
class TestSelftest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void cpuEnginePasses();
    void wrongModelIsNamed();
    void cudaAnswersOrSaysWhyNot();
    void benchTimesEveryCell();
    void benchGoesOnWhereABatchDoesNotFit();
    void benchGeneratesRequests();
    void benchRefusesUnknownNames();
    void promptLengthsAreHumanEvals();
    void randomTensorsAreFiniteAndDiffer();
};

void TestSelftest::cpuEnginePasses() {
    worker::SelftestOptions options;
    options.backend = "cpu";
    options.model = QUANTSCOPE_SOURCE_DIR "/resources/demo/model";
    options.problems = QUANTSCOPE_SOURCE_DIR "/resources/demo/problems.jsonl";
    options.limit = 2;
    std::size_t count = 0;
    const auto device = worker::run_selftest(options, [&](const DeviceCheck& check) {
        ++count;
        QVERIFY2(check.passed, (check.name + ": " + check.detail).c_str());
    });
    QVERIFY(device);
    QCOMPARE(count, 2 * all_schemes().size()); // batch invariance and out of memory of each
}

void TestSelftest::wrongModelIsNamed() {
    worker::SelftestOptions options;
    options.backend = "cpu";
    options.model = "/nowhere/at-all";
    options.problems = QUANTSCOPE_SOURCE_DIR "/resources/demo/problems.jsonl";
    const auto device = worker::run_selftest(options, [](const DeviceCheck&) {});
    QVERIFY(!device);
    QVERIFY(QString::fromStdString(device.error().message).contains(QStringLiteral("/nowhere/at-all")));
}

void TestSelftest::cudaAnswersOrSaysWhyNot() {
    const auto cuda = make_backend("cuda");
    if (!cuda) {
        QVERIFY(cuda.error().code == ErrorCode::unsupported);
        QVERIFY(cuda.error().message.find("CUDA") != std::string::npos);
        QVERIFY(!cuda.error().hint.empty());
    }
    const auto automatic = make_backend("auto");
    QVERIFY(automatic);
    QCOMPARE((*automatic)->device().backend, std::string(cuda ? "cuda" : "cpu"));
    QCOMPARE(list_devices().size(), std::size_t{cuda ? 2U : 1U});
}

void TestSelftest::benchTimesEveryCell() {
    worker::BenchOptions options;
    options.backend = "cpu";
    options.shape = "tiny";
    options.schemes = {"int8", "w4a4-rot"};
    options.batch_sizes = {1, 3};
    options.prompt_tokens = 9;
    options.output_tokens = 4;
    options.rounds = 2;
    int started = 0;
    std::vector<worker::BenchCell> cells;
    const auto done = worker::run_bench(
        options, [&](const worker::BenchHeader&) { ++started; },
        [&](const worker::BenchCell& cell) { cells.push_back(cell); });
    QVERIFY(done);
    QCOMPARE(started, 1);
    QCOMPARE(cells.size(), std::size_t{4});
    QCOMPARE(cells[3].scheme, std::string("w4a4-rot"));
    QCOMPARE(cells[3].batch_size, 3);
    QCOMPARE(cells[2].scheme, std::string("int8")); // the schemes take turns at each batch size
    QCOMPARE(cells[2].batch_size, 3);
    for (const worker::BenchCell& cell : cells) {
        QVERIFY(cell.ttft_ms > 0.0 && cell.tpot_p50_ms > 0.0 && cell.tokens_per_s > 0.0 &&
                cell.bytes_per_s > 0.0);
        QVERIFY(cell.tpot_p50_ms <= cell.tpot_p90_ms && cell.tpot_p90_ms <= cell.tpot_p99_ms);
        QVERIFY(!cell.fraction_of_read_ceiling); // no ceiling is measured for a CPU
        QVERIFY(!cell.energy && !cell.error && !cell.generation);
        QVERIFY(cell.memory.linear_weight_bytes > 0 && cell.final_bytes() > cell.memory.kv_cache_bytes);
    }
}

void TestSelftest::benchGoesOnWhereABatchDoesNotFit() {
    worker::BenchOptions options;
    options.backend = "cpu";
    options.shape = "tiny";
    options.schemes = {"w4a4-rtn"};
    options.batch_sizes = {1, 1 << 30};
    options.prompt_tokens = 2;
    options.output_tokens = 8;
    options.rounds = 1;
    std::vector<worker::BenchCell> cells;
    QVERIFY(worker::run_bench(
        options, [](const worker::BenchHeader&) {},
        [&](const worker::BenchCell& cell) { cells.push_back(cell); }));
    QCOMPARE(cells.size(), std::size_t{2});
    QVERIFY(cells[0].error && cells[0].error->code == ErrorCode::out_of_memory);
    QCOMPARE(cells[0].batch_size, 1 << 30);
    QVERIFY(!cells[1].error && cells[1].tpot_p50_ms > 0.0);
}

void TestSelftest::benchGeneratesRequests() {
    worker::BenchOptions options;
    options.backend = "cpu";
    options.shape = "tiny";
    options.schemes = {"int8"};
    options.batch_sizes = {4};
    options.output_tokens = 7;
    options.requests = 9;
    std::vector<worker::BenchCell> cells;
    const auto run = [&] {
        cells.clear();
        return worker::run_bench(
            options, [](const worker::BenchHeader&) {},
            [&](const worker::BenchCell& cell) { cells.push_back(cell); });
    };
    QVERIFY(run());
    QCOMPARE(cells.size(), std::size_t{1});
    const worker::BenchGeneration& made = cells[0].generation.value();
    QCOMPARE(made.requests, 9);
    QCOMPARE(made.new_tokens, std::int64_t{9 * 7}); // forced: nothing stops early
    QCOMPARE(made.steps, std::int64_t{3 * 7});      // 4, 4 and 1 at a time
    std::int64_t prompts = 0;
    for (int i = 0; i < 9; ++i) {
        prompts += worker::humaneval_prompt_tokens(i);
    }
    QCOMPARE(made.prompt_tokens, prompts);
    QVERIFY(made.host_seconds > 0.0 && made.host_seconds < made.seconds);

    options.problems = QUANTSCOPE_SOURCE_DIR "/resources/demo/problems.jsonl";
    QVERIFY(!run()); // no tokenizer
    options.model = QUANTSCOPE_SOURCE_DIR "/resources/demo/model";
    options.requests = 3;
    QVERIFY(run());
    QCOMPARE(cells[0].generation->new_tokens, std::int64_t{3 * 7});
    QVERIFY(cells[0].generation->prompt_tokens != prompts);
}

void TestSelftest::promptLengthsAreHumanEvals() {
    int sum = 0;
    for (int i = 0; i < 32; ++i) {
        const int tokens = worker::humaneval_prompt_tokens(i);
        QVERIFY(tokens >= 60 && tokens <= 450);
        QCOMPARE(worker::humaneval_prompt_tokens(i + 32), tokens);
        sum += tokens;
    }
    QCOMPARE(sum / 32, 152);
}

void TestSelftest::benchRefusesUnknownNames() {
    worker::BenchOptions options;
    options.backend = "cpu";
    options.batch_sizes = {1};
    options.schemes = {"w3a3"};
    const auto ignore_start = [](const worker::BenchHeader&) {};
    const auto ignore_cell = [](const worker::BenchCell&) {};
    const auto scheme = worker::run_bench(options, ignore_start, ignore_cell);
    QVERIFY(!scheme && scheme.error().message.find("w3a3") != std::string::npos);
    options.schemes = {"int8"};
    options.shape = "llama-9";
    const auto shape = worker::run_bench(options, ignore_start, ignore_cell);
    QVERIFY(!shape && shape.error().message.find("llama-9") != std::string::npos);
}

void TestSelftest::randomTensorsAreFiniteAndDiffer() {
    const auto checkpoint = worker::random_checkpoint("tiny");
    QVERIFY(checkpoint);
    const int hidden = (*checkpoint)->config().hidden_size;
    const std::array<std::int64_t, 2> shape{hidden, hidden};
    const auto q = (*checkpoint)->tensor("model.layers.0.self_attn.q_proj.weight", shape);
    const auto o = (*checkpoint)->tensor("model.layers.0.self_attn.o_proj.weight", shape);
    QVERIFY(q && o);
    QVERIFY(check_finite(*q).has_value());
    QVERIFY(!std::equal(q->data.begin(), q->data.end(), o->data.begin()));
}

QTEST_GUILESS_MAIN(TestSelftest)
#include "tst_selftest.moc"
