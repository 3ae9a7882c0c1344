// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/model_host.h"

#include <QTest>

using namespace quantscope;
using worker::ModelHost;

/// Which schemes stay in memory together.
class TestModelHost : public QObject {
    Q_OBJECT

    static std::unique_ptr<ModelHost> open(std::int64_t budget_bytes) {
        auto host =
            ModelHost::open(QUANTSCOPE_SOURCE_DIR "/resources/demo/model", "cpu", {2, 256}, budget_bytes);
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

        auto second = host->use("w4a8");
        QVERIFY(second.has_value() && runs(**second));
        QVERIFY(!host->in_memory("int8"));
        auto first = host->use("int8");
        QVERIFY(first.has_value() && runs(**first));
        QVERIFY(!host->in_memory("w4a8"));
    }

    void what_was_never_loaded_cannot_be_used() {
        const auto host = open(0);
        const auto unknown = host->load("w2a2");
        QVERIFY(!unknown.has_value());
        QVERIFY(unknown.error().hint.find("fp16, int8") != std::string::npos);
        const auto absent = host->use("int8");
        QVERIFY(!absent.has_value());
        QVERIFY(absent.error().code == ErrorCode::bad_input);
    }

    void a_context_beyond_the_model_is_refused() {
        const auto host = ModelHost::open(QUANTSCOPE_SOURCE_DIR "/resources/demo/model", "cpu", {1, 1 << 20});
        QVERIFY(!host.has_value());
        QVERIFY(host.error().message.find("1048576") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestModelHost)
#include "tst_model_host.moc"
