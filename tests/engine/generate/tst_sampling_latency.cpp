// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/latency.h"
#include "engine/generate/sampler.h"
#include "golden_model.h"

#include <QtTest>
#include <limits>

using namespace quantscope;
using namespace quantscope::test;

/// Token choice, and the latency measurement's bookkeeping.
class SamplingLatencyTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void uniformIsAFunctionOfItsArguments();
    void greedyTakesTheLowestOfEqualLogits();
    void samplesFollowTheDistribution();
    void topPCutsTheTail();
    void sessionsTakeTurns();
    void roundsHaveEveryGap();
    void resumedRoundsAreNotRunAgain();
    void plansThatDoNotFitAreRefused();
    void latencyCanBeCancelled();
};

void SamplingLatencyTest::uniformIsAFunctionOfItsArguments() {
    const RandomKey key{.seed = 1, .problem = 2, .sample = 3};
    QCOMPARE(uniform(key, 5), uniform(key, 5));
    QVERIFY(uniform(key, 5) != uniform(key, 6));
    QVERIFY(uniform(key, 5) != uniform({.seed = 1, .problem = 3, .sample = 2}, 5));
    QVERIFY(uniform({.seed = 0, .problem = 1, .sample = 0}, 0) !=
            uniform({.seed = 1, .problem = 0, .sample = 0}, 0));
    double sum = 0.0;
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        const double draw = uniform({.seed = 9, .problem = i / 100, .sample = i % 100}, 0);
        QVERIFY(draw >= 0.0 && draw < 1.0);
        sum += draw;
    }
    QVERIFY(std::fabs(sum / 10'000 - 0.5) < 0.012); // 4 standard errors
}

void SamplingLatencyTest::greedyTakesTheLowestOfEqualLogits() {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    QCOMPARE(argmax(std::vector<float>{nan, 1.0F, 3.0F, 3.0F}), 2);
    Sampler sampler;
    QCOMPARE(sampler.choose(std::vector<float>{0.0F, 2.0F, 2.0F}, {.temperature = 0.0}, {}, 0), 1);
}

void SamplingLatencyTest::samplesFollowTheDistribution() {
    const std::vector<float> logits{std::log(0.5F), std::log(0.3F), std::log(0.2F), -1000.0F};
    std::array<int, 4> counts{};
    Sampler sampler;
    const int draws = 20'000;
    for (int i = 0; i < draws; ++i) {
        const std::int32_t id =
            sampler.choose(logits, {.temperature = 1.0, .top_p = 1.0},
                           {.seed = 4, .problem = static_cast<std::uint64_t>(i), .sample = 0}, 0);
        ++counts[static_cast<std::size_t>(id)];
    }
    QVERIFY(std::abs(counts[0] - 10'000) < 350); // 5 standard deviations
    QVERIFY(std::abs(counts[1] - 6'000) < 330);
    QVERIFY(std::abs(counts[2] - 4'000) < 290);
    QCOMPARE(counts[3], 0);
}

void SamplingLatencyTest::topPCutsTheTail() {
    const std::vector<float> logits{std::log(0.2F), std::log(0.5F), std::log(0.3F)};
    Sampler sampler;
    std::array<int, 3> counts{};
    for (std::uint64_t i = 0; i < 4'000; ++i) {
        ++counts[static_cast<std::size_t>(sampler.choose(logits, {.temperature = 1.0, .top_p = 0.6},
                                                         {.seed = 1, .problem = i, .sample = 0}, 3))];
    }
    QCOMPARE(counts[0], 0);
    QVERIFY(std::abs(counts[1] - 2'500) < 155); // 0.5 of 0.8
    for (std::uint64_t i = 0; i < 100; ++i) {
        QCOMPARE(sampler.choose(logits, {.temperature = 1.0, .top_p = 0.0},
                                {.seed = i, .problem = 0, .sample = 0}, 0),
                 1);
    }
}

void SamplingLatencyTest::sessionsTakeTurns() {
    const auto checkpoint = open_model("rotatable");
    const auto a = open_session(*checkpoint, *find_scheme("fp16"), 2);
    const auto b = open_session(*checkpoint, *find_scheme("w4a4-rot"), 2);
    const std::array<Session*, 2> sessions{a.get(), b.get()};
    std::vector<std::pair<std::size_t, int>> order;
    value(measure_latency(
        sessions, {.batch_size = 2, .prompt_tokens = 10, .output_tokens = 4, .rounds = 3},
        [&](std::size_t session, const LatencyRound& round) { order.emplace_back(session, round.round); }));
    QVERIFY(
        (order == std::vector<std::pair<std::size_t, int>>{{0, 0}, {1, 0}, {0, 1}, {1, 1}, {0, 2}, {1, 2}}));
}

void SamplingLatencyTest::roundsHaveEveryGap() {
    const auto checkpoint = open_model("rotatable");
    const auto session = open_session(*checkpoint, *find_scheme("int8"), 3);
    const auto round =
        value(run_latency_round(*session, {.batch_size = 3, .prompt_tokens = 20, .output_tokens = 6}, 4));
    QCOMPARE(round.round, 4);
    QCOMPARE(round.requests.size(), std::size_t{3});
    for (const LatencyRequest& request : round.requests) {
        QCOMPARE(request.prompt_tokens, 20);
        QCOMPARE(request.output_tokens, 6);
        QCOMPARE(request.itl_ms.size(), std::size_t{5});
        QVERIFY(request.ttft_ms > 0.0);
        const double gaps = std::accumulate(request.itl_ms.begin(), request.itl_ms.end(), 0.0);
        QVERIFY(std::fabs(request.ttft_ms + gaps - request.e2e_ms) < 1e-6);
        QVERIFY(std::fabs(request.tpot_ms() - gaps / 5) < 1e-12);
        QVERIFY(std::fabs(round.tokens_per_s - 18.0 / (request.e2e_ms * 1e-3)) < 1e-6);
        double bytes = 0.0;
        for (int context = 21; context <= 25; ++context) {
            bytes += static_cast<double>(session->bytes_per_decode_step(3, context));
        }
        QVERIFY(std::fabs(round.decode_bytes_per_s * gaps * 1e-3 / bytes - 1.0) < 1e-6);
    }
    QCOMPARE(session->length(0), 25);
}

void SamplingLatencyTest::resumedRoundsAreNotRunAgain() {
    const auto checkpoint = open_model("rotatable");
    const auto session = open_session(*checkpoint, *find_scheme("fp16"), 1);
    const std::array<Session*, 1> sessions{session.get()};
    std::vector<int> rounds;
    value(measure_latency(sessions, {.prompt_tokens = 4, .output_tokens = 1, .rounds = 5, .first_round = 3},
                          [&](std::size_t, const LatencyRound& round) { rounds.push_back(round.round); }));
    QVERIFY((rounds == std::vector<int>{3, 4}));
}

void SamplingLatencyTest::plansThatDoNotFitAreRefused() {
    const auto checkpoint = open_model("rotatable");
    const auto session = open_session(*checkpoint, *find_scheme("fp16"), 2);
    const auto refusal = [&](LatencyPlan plan) {
        const auto result = run_latency_round(*session, plan, 0);
        return result ? std::string() : result.error().message;
    };
    QCOMPARE(refusal({.batch_size = 3}),
             std::string("A batch size of 3 was asked for; this session has 2 slots."));
    QCOMPARE(refusal({.prompt_tokens = 60, .output_tokens = 6}),
             std::string("A prompt of 60 and an output of 6 tokens do not fit the context of 64."));
    QCOMPARE(refusal({.prompt_tokens = 60, .output_tokens = 5}), std::string());
    QCOMPARE(
        refusal({.output_tokens = 0}),
        std::string("A latency run needs a batch, a prompt and an output of at least 1; got 1, 128 and 0."));
}

void SamplingLatencyTest::latencyCanBeCancelled() {
    const auto checkpoint = open_model("rotatable");
    const auto session = open_session(*checkpoint, *find_scheme("fp16"), 1);
    const std::array<Session*, 1> sessions{session.get()};
    std::stop_source source;
    int rounds = 0;
    const auto result = measure_latency(
        sessions, {.prompt_tokens = 4, .output_tokens = 2, .rounds = 100},
        [&](std::size_t, const LatencyRound&) {
            ++rounds;
            source.request_stop();
        },
        source.get_token());
    QVERIFY(!result);
    QCOMPARE(result.error().code, ErrorCode::cancelled);
    QCOMPARE(rounds, 1);
}

QTEST_APPLESS_MAIN(SamplingLatencyTest)
#include "tst_sampling_latency.moc"
