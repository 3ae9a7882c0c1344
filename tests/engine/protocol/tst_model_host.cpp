// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/model_host.h"

#include <QTest>

using namespace quantscope;
using worker::ModelHost;

/// Which schemes stay in memory together.
class TestModelHost : public QObject {
    Q_OBJECT

    static std::unique_ptr<ModelHost> open(std::int64_t budget_bytes, SessionLimits limits = {2, 256}) {
        auto host =
            ModelHost::open(QUANTSCOPE_SOURCE_DIR "/resources/demo/model", "cpu", limits, budget_bytes);
        if (!host) {
            qFatal("%s", host.error().message.c_str());
        }
        return *std::move(host);
    }

    static bool runs(worker::LoadedScheme& loaded) {
        const std::int32_t token = 5;
        std::int32_t next = -1;
        loaded.session->reset(0);
        const SlotInput input{0, std::span(&token, 1)};
        return loaded.session->step_greedy(std::span(&input, 1), std::span(&next, 1)).has_value() &&
               next >= 0;
    }

    static std::int64_t kv_bytes_a_token() {
        const auto host = open(0);
        const ModelConfig& config = host->checkpoint().config();
        return std::int64_t{2} * 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim;
    }

  private Q_SLOTS:
    void all_schemes_stay_where_there_is_room() {
        const auto host = open(0);
        for (const char* id : {"fp16", "int8", "w4a8"}) {
            QVERIFY(host->load(id).has_value());
            QVERIFY(host->in_memory(id));
        }
        QCOMPARE(host->schemes().size(), std::size_t(3));
        QVERIFY(host->load("int8").has_value()); // again: nothing happens
        QCOMPARE(host->schemes().size(), std::size_t(3));
    }

    void without_room_one_is_put_away_for_the_other() {
        const auto host = open(1);
        QVERIFY(host->load("int8").has_value()); // the first one is always tried
        QVERIFY(host->load("w4a8").has_value());
        QVERIFY(host->in_memory("int8"));
        QVERIFY(!host->in_memory("w4a8"));
        QVERIFY((host->schemes() == std::vector<std::string>{"int8", "w4a8"}));

        auto second = host->use("w4a8", {});
        QVERIFY(second.has_value() && runs(**second));
        QVERIFY(!host->in_memory("int8"));
        auto first = host->use("int8", {});
        QVERIFY(first.has_value() && runs(**first));
        QVERIFY(!host->in_memory("w4a8"));
    }

    void what_was_never_loaded_cannot_be_used() {
        const auto host = open(0);
        const auto unknown = host->load("w2a2");
        QVERIFY(!unknown.has_value());
        QVERIFY(unknown.error().hint.find("fp16, int8") != std::string::npos);
        const auto absent = host->use("int8", {});
        QVERIFY(!absent.has_value());
        QVERIFY(absent.error().code == ErrorCode::bad_input);
    }

    void the_context_is_the_runs_need() {
        const auto host = open(0, {2, 0}); // the model goes up to 4096
        QVERIFY(host->load("int8").has_value());
        const auto loaded = host->use("int8", {2, 100});
        QVERIFY(loaded.has_value());
        const Session* const first = (*loaded)->session.get();
        QCOMPARE(first->context_length(), ModelHost::first_context);
        QVERIFY(host->use("int8", {1, 1024}).has_value());
        QCOMPARE((*loaded)->session.get(), first); // enough for it
        QVERIFY(!host->in_memory("int8", {1, 1500}));
        QVERIFY(host->use("int8", {1, 1500}).has_value());
        QCOMPARE((*loaded)->session->context_length(), 1500);
        QCOMPARE((*loaded)->session->max_slots(), 2);
        QVERIFY(host->use("int8", {1, 10000}).has_value()); // what the model has, and no more
        QCOMPARE((*loaded)->session->context_length(), 4096);
        QVERIFY(runs(**loaded));
    }

    void without_room_the_context_is_cut_and_then_the_slots() {
        const std::int64_t weights = 4'500'000; // about int8's, a token's keys and values being kv bytes
        const std::int64_t kv = kv_bytes_a_token();
        const auto host = open(weights + 40 * 300 * kv, {40, 0});
        QVERIFY(host->load("int8").has_value());
        auto loaded = host->use("int8", {40, 50});
        QVERIFY(loaded.has_value());
        const int context = (*loaded)->session->context_length();
        QVERIFY2(context >= 128 && context < 400, std::to_string(context).c_str());
        QCOMPARE((*loaded)->session->max_slots(), 40);
        loaded = host->use("int8", {4, 900}); // 40 slots of it do not fit
        QVERIFY(loaded.has_value() && runs(**loaded));
        QVERIFY((*loaded)->session->context_length() >= 900);
        QCOMPARE((*loaded)->session->max_slots(), 4);
        loaded = host->use("int8", {40, 50}); // and back
        QVERIFY(loaded.has_value());
        QCOMPARE((*loaded)->session->max_slots(), 40);
    }

    void what_cannot_fit_is_refused_with_the_numbers() {
        const auto host = open(0, {1 << 30, 0});
        QVERIFY(host->load("int8").has_value()); // for a batch of 1
        const auto loaded = host->use("int8", {1 << 30, 100});
        QVERIFY(!loaded.has_value());
        QVERIFY(loaded.error().code == ErrorCode::out_of_memory);
        QVERIFY(loaded.error().message.find("1073741824 slots of 100 tokens") != std::string::npos);
        const auto small = host->use("int8", {2, 100});
        QVERIFY(small.has_value() && runs(**small));
    }

    void runs_that_take_turns_are_gathered() {
        const auto host = open(0, {2, 0});
        QVERIFY(host->load("int8").has_value());
        QVERIFY(host->load("w4a8").has_value());
        QVERIFY(host->gather({"int8", "w4a8", "nowhere"}, {2, 2000}).has_value());
        QVERIFY(host->in_memory("int8", {2, 2000}));
        QVERIFY(host->in_memory("w4a8", {2, 2000}));
    }

    void turns_are_taken_with_less_context_rather_than_alone() {
        const std::int64_t weights = 5'000'000;
        const auto host = open(2 * weights + 40 * 500 * kv_bytes_a_token(), {40, 0});
        QVERIFY(host->load("int8").has_value());
        QVERIFY(host->load("w4a8").has_value());
        QVERIFY(!host->in_memory("w4a8"));
        QVERIFY(host->gather({"int8", "w4a8"}, {40, 100}).has_value());
        QVERIFY(host->in_memory("int8", {40, 100}) && host->in_memory("w4a8", {40, 100}));
        QVERIFY(host->gather({"int8", "w4a8"}, {40, 400}).has_value()); // no room for two of these
        QVERIFY(host->in_memory("int8", {40, 400}) != host->in_memory("w4a8", {40, 400}));
    }

    void a_context_beyond_the_model_is_refused() {
        const auto host = ModelHost::open(QUANTSCOPE_SOURCE_DIR "/resources/demo/model", "cpu", {1, 1 << 20});
        QVERIFY(!host.has_value());
        QVERIFY(host.error().message.find("1048576") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestModelHost)
#include "tst_model_host.moc"
