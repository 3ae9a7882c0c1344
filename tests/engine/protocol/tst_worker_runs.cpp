// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/protocol/worker_fixture.h"

#include <QTest>
#include <algorithm>
#include <map>
#include <set>

using namespace quantscope;
using namespace quantscope::protocol;

namespace {

/// (task, sample index) -> completion; a sample that comes twice is a failure.
std::map<std::pair<std::string, int>, std::string> completions(const WorkerClient& client,
                                                               const std::string& run) {
    std::map<std::pair<std::string, int>, std::string> found;
    for (const SampleEvent& sample : client.all<SampleEvent>()) {
        if (sample.run == run) {
            const bool fresh =
                found.emplace(std::pair(sample.task_id, sample.sample_index), sample.completion).second;
            if (!fresh) {
                qFatal("%s came twice", sample.task_id.c_str());
            }
        }
    }
    return found;
}

} // namespace

/// Runs of the real worker: demo model, demo problems, real sandbox.
class TestWorkerRuns : public QObject {
    Q_OBJECT

    std::unique_ptr<WorkerClient> worker_;

  private Q_SLOTS:
    void initTestCase() {
        worker_ = start_worker();
        const auto hello = worker_->wait_for<HelloEvent>();
        QVERIFY(hello);
        if (!hello->sandbox.available) {
            QSKIP("no sandbox on this machine: runs would be unscored");
        }
        worker_->send(demo_load({"fp16", "int8", "w4a4-rot"}));
        QVERIFY(worker_->wait_for<LoadedEvent>());
    }
    void init() { worker_->clear(); }

    void an_eval_sends_problems_samples_and_metrics() {
        worker_->send(demo_eval("a", "int8", 8, 4));
        QCOMPARE(status_of(*worker_, "a"), std::string("ok"));
        const auto problems = worker_->all<ProblemsEvent>();
        QCOMPARE(problems.size(), std::size_t(1));
        QCOMPARE(problems[0].count, 8);
        QCOMPARE(problems[0].problems.size(), std::size_t(8));
        std::set<std::string> asked;
        for (const ProblemText& problem : problems[0].problems) {
            asked.insert(problem.task_id);
        }
        const auto samples = worker_->all<SampleEvent>();
        QCOMPARE(samples.size(), std::size_t(8));
        for (const SampleEvent& sample : samples) {
            QVERIFY(asked.erase(sample.task_id) == 1);
            QVERIFY2(sample.verdict == "passed" || !sample.detail.empty(), sample.verdict.c_str());
            QVERIFY(sample.verdict != "unscored");
            QVERIFY(sample.prompt_tokens > 4 && sample.completion_tokens > 0);
            QVERIFY(sample.ttft_ms > 0.0 && sample.total_ms >= sample.ttft_ms);
        }
        const auto metrics = worker_->all<MetricEvent>().at(0).values;
        const double bytes_per_weight = metrics.at("linear_weight_bytes") / metrics.at("linear_weight_count");
        QVERIFY2(bytes_per_weight > 0.99 && bytes_per_weight < 1.03,
                 std::to_string(bytes_per_weight).c_str());
        const auto last = worker_->all<ProgressEvent>().back();
        QCOMPARE(last.done, 8);
        QCOMPARE(last.total, 8);
        QCOMPARE(last.eta_s.value(), 0.0);
        QVERIFY(last.tokens_per_s > 0.0);
    }

    void completions_do_not_depend_on_the_batch() {
        for (const int batch : {1, 3, 4}) {
            worker_->send(demo_eval("batch" + std::to_string(batch), "w4a4-rot", 6, batch));
            QCOMPARE(status_of(*worker_, "batch" + std::to_string(batch)), std::string("ok"));
        }
        QCOMPARE(completions(*worker_, "batch1").size(), std::size_t(6));
        QVERIFY(completions(*worker_, "batch1") == completions(*worker_, "batch3"));
        QVERIFY(completions(*worker_, "batch1") == completions(*worker_, "batch4"));
    }

    void skipped_samples_are_not_made_again_and_the_others_stay_the_same() {
        EvalRequest eval = demo_eval("all", "int8", 3, 2);
        eval.sampling.samples = 3;
        eval.sampling.temperature = 2.0; // a small model is sure of itself
        eval.sampling.top_p = 0.99;
        eval.sampling.seed = 42;
        worker_->send(eval);
        QCOMPARE(status_of(*worker_, "all"), std::string("ok"));
        auto expected = completions(*worker_, "all");
        QCOMPARE(expected.size(), std::size_t(9));
        std::set<std::string> different;
        for (const auto& [key, text] : expected) {
            different.insert(text);
        }
        QVERIFY(different.size() > 3); // it did sample

        eval.run = "rest";
        eval.batch_size = 4;
        const auto skipped = {std::next(expected.begin(), 1)->first, std::next(expected.begin(), 5)->first};
        for (const auto& key : skipped) {
            eval.skip.push_back({key.first, key.second});
            expected.erase(key);
        }
        worker_->send(eval);
        QCOMPARE(status_of(*worker_, "rest"), std::string("ok"));
        QVERIFY(completions(*worker_, "rest") == expected);
        QCOMPARE(worker_->all<ProgressEvent>().back().total, 7);
    }

    void an_eval_with_nothing_left_is_done_at_once() {
        EvalRequest eval = demo_eval("none", "int8", 1, 1);
        worker_->send(eval);
        QCOMPARE(status_of(*worker_, "none"), std::string("ok"));
        eval.skip = {{worker_->all<SampleEvent>().at(0).task_id, 0}};
        worker_->clear();
        worker_->send(eval);
        QCOMPARE(status_of(*worker_, "none"), std::string("ok"));
        QVERIFY(worker_->all<SampleEvent>().empty());
    }

    void latency_cells_take_turns() {
        LatencyRequest latency{{{"A", "fp16"}, {"B", "int8"}, {"C", "w4a4-rot"}}, 2, 24, 6, 4, 0};
        worker_->send(latency);
        QCOMPARE(status_of(*worker_, "C"), std::string("ok"));
        std::string order;
        for (const LatencyEvent& round : worker_->all<LatencyEvent>()) {
            order += round.run;
            QCOMPARE(round.requests.size(), std::size_t(2));
            for (const LatencyTimes& times : round.requests) {
                QCOMPARE(times.prompt_tokens, 24);
                QCOMPARE(times.itl_ms.size(), std::size_t(5));
                double sum = times.ttft_ms;
                for (const double gap : times.itl_ms) {
                    QVERIFY(gap > 0.0);
                    sum += gap;
                }
                QVERIFY(qAbs(sum - times.e2e_ms) < 0.01);
            }
        }
        QCOMPARE(order, std::string("ABCABCABCABC"));
        QCOMPARE(worker_->all<DoneEvent>().size(), std::size_t(3));
        int with_bandwidth = 0;
        for (const MetricEvent& metric : worker_->all<MetricEvent>()) {
            with_bandwidth += metric.values.contains("bytes_per_s") ? 1 : 0;
        }
        QCOMPARE(with_bandwidth, 3);
    }

    void latency_resumes_behind_the_stored_rounds() {
        worker_->send(LatencyRequest{{{"A", "int8"}}, 1, 8, 4, 5, 3});
        QCOMPARE(status_of(*worker_, "A"), std::string("ok"));
        std::vector<int> rounds;
        for (const LatencyEvent& round : worker_->all<LatencyEvent>()) {
            rounds.push_back(round.round);
        }
        QVERIFY((rounds == std::vector<int>{3, 4}));
    }

    void long_rounds_come_in_several_events_of_legal_length() {
        worker_->send(LatencyRequest{{{"L", "w4a4-rot"}}, 4, 8, 1000, 1, 0});
        QCOMPARE(status_of(*worker_, "L", 120000), std::string("ok"));
        std::set<int> slots;
        for (const LatencyEvent& round : worker_->all<LatencyEvent>()) {
            for (const LatencyTimes& times : round.requests) {
                QCOMPARE(times.itl_ms.size(), std::size_t(999));
                slots.insert(times.request);
            }
        }
        QCOMPARE(slots.size(), std::size_t(4));
    }

    void a_latency_run_that_cannot_fit_fails_alone() {
        worker_->send(LatencyRequest{{{"big", "int8"}}, 1, 1000, 1000, 1, 0});
        QCOMPARE(status_of(*worker_, "big"), std::string("failed"));
        QVERIFY(worker_->all<ErrorEvent>().at(0).error.message.find("context") != std::string::npos);
        worker_->send(LatencyRequest{{{"1", "nonesuch"}, {"2", "int8"}}, 1, 8, 4, 1, 0});
        QCOMPARE(status_of(*worker_, "2"), std::string("ok"));
        for (const DoneEvent& done : worker_->all<DoneEvent>()) {
            QCOMPARE(done.status, std::string(done.run == "2" ? "ok" : "failed"));
        }
    }

    void cancel_ends_everything() {
        EvalRequest eval = demo_eval("long", "int8", 0, 4);
        eval.sampling.samples = 50;
        eval.sampling.temperature = 1.0;
        worker_->send(eval);
        worker_->send(demo_eval("queued", "int8", 0, 4));
        worker_->send(LatencyRequest{{{"queued too", "int8"}}, 1, 8, 4, 1, 0});
        QVERIFY(worker_->wait_for<SampleEvent>());
        worker_->send(CancelRequest{});
        QCOMPARE(status_of(*worker_, "long"), std::string("cancelled"));
        for (const SampleEvent& sample : worker_->all<SampleEvent>()) {
            QVERIFY(sample.verdict != "unscored"); // what was cut off is not sent
        }
        std::map<std::string, std::string> status;
        for (const DoneEvent& done : worker_->all<DoneEvent>()) {
            QVERIFY(status.emplace(done.run, done.status).second);
        }
        QCOMPARE(status["queued"], std::string("cancelled"));
        QCOMPARE(status["queued too"], std::string("cancelled"));

        worker_->send(demo_eval("after", "int8", 1, 1));
        QCOMPARE(status_of(*worker_, "after"), std::string("ok"));
    }

    void cancel_acts_within_a_second() {
        qint64 fastest_ms = 1000000;
        for (int attempt = 0; attempt < 3 && fastest_ms >= 1000;
             ++attempt) { // a busy machine may be slow once
            worker_->clear();
            EvalRequest eval = demo_eval("long", "fp16", 0, 1);
            eval.sampling.samples = 50;
            worker_->send(eval);
            QVERIFY(worker_->wait_for<SampleEvent>());
            QElapsedTimer timer;
            timer.start();
            worker_->send(CancelRequest{"long"});
            QCOMPARE(status_of(*worker_, "long"), std::string("cancelled"));
            fastest_ms = std::min(fastest_ms, timer.elapsed());
        }
        QVERIFY2(fastest_ms < 1000, std::to_string(fastest_ms).c_str());
    }

    void one_run_can_be_cancelled_among_others() {
        worker_->send(LatencyRequest{{{"keep", "int8"}, {"drop", "fp16"}}, 1, 64, 200, 20, 0});
        QVERIFY(worker_->wait_for<LatencyEvent>());
        worker_->send(CancelRequest{"drop"});
        QCOMPARE(status_of(*worker_, "drop"), std::string("cancelled"));
        worker_->send(CancelRequest{"keep"});
        QCOMPARE(status_of(*worker_, "keep"), std::string("cancelled"));
    }

    void progress_comes_at_least_twice_a_second() {
        EvalRequest eval = demo_eval("p", "fp16", 0, 1);
        eval.sampling.samples = 50;
        worker_->send(eval);
        QVERIFY(worker_->wait_for<ProgressEvent>());
        QElapsedTimer timer;
        timer.start();
        for (int i = 0; i < 4; ++i) {
            QVERIFY(worker_->wait_for<ProgressEvent>());
        }
        QVERIFY2(timer.elapsed() < 2500, std::to_string(timer.elapsed()).c_str());
        worker_->send(CancelRequest{"p"});
        QCOMPARE(status_of(*worker_, "p"), std::string("cancelled"));
    }

    void a_problem_too_long_for_the_context_is_an_error_verdict() {
        LoadRequest load = demo_load({"int8"}, 2);
        load.context_length = 8;
        worker_->send(load);
        QVERIFY(worker_->wait_for<LoadedEvent>());
        worker_->send(demo_eval("tight", "int8", 3, 2));
        QCOMPARE(status_of(*worker_, "tight"), std::string("ok"));
        const auto samples = worker_->all<SampleEvent>();
        QCOMPARE(samples.size(), std::size_t(3));
        QCOMPARE(samples[0].verdict, std::string("error"));
        QVERIFY2(samples[0].detail.find("context holds 8") != std::string::npos, samples[0].detail.c_str());
    }

    void cleanupTestCase() { QCOMPARE(worker_->close_stdin(), 0); }
};

QTEST_GUILESS_MAIN(TestWorkerRuns)
#include "tst_worker_runs.moc"
