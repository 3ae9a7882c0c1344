// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/protocol/worker_client.h"

#include <QTest>

using namespace quantscope;
using namespace quantscope::protocol;

/// The stand-in that UI and app tests rely on.
class TestFakeWorker : public QObject {
    Q_OBJECT

    static QProcessEnvironment with(const QMap<QString, QString>& settings) {
        QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
        environment.insert("QUANTSCOPE_FAKE_STREAM",
                           QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl"));
        for (auto it = settings.begin(); it != settings.end(); ++it) {
            environment.insert(it.key(), it.value());
        }
        return environment;
    }
    static constexpr const char* kBinary = QUANTSCOPE_BIN_DIR "/quantscope-fake-worker";

    static EvalRequest eval(const std::string& run, const std::string& scheme) {
        EvalRequest request;
        request.run = run;
        request.scheme = scheme;
        request.problems = "demo";
        return request;
    }

  private Q_SLOTS:
    void it_answers_under_the_names_asked_for() {
        WorkerClient client(kBinary, {}, with({}));
        QVERIFY(client.wait_for<HelloEvent>());
        client.send(LoadRequest{"demo", {"int8"}, "auto", 1, 0});
        QCOMPARE(client.wait_for<LoadedEvent>()->schemes, std::vector<std::string>{"int8"});
        EvalRequest request = eval("mine", "int8");
        client.send(request);
        QCOMPARE(client.wait_for<DoneEvent>()->run, std::string("mine"));
        const auto samples = client.all<SampleEvent>();
        QVERIFY(samples.size() > 2);
        QCOMPARE(samples[0].run, std::string("mine"));

        request.skip = {{samples[0].task_id, samples[0].sample_index}};
        client.clear();
        client.send(request);
        QVERIFY(client.wait_for<DoneEvent>());
        QCOMPARE(client.all<SampleEvent>().size(), samples.size() - 1);

        client.clear();
        client.send(LatencyRequest{{{"l1", "fp16"}, {"l2", "int8"}}, 1, 16, 8, 5, 1});
        QVERIFY(client.wait_for<DoneEvent>());
        QVERIFY(client.wait_for<DoneEvent>([](const DoneEvent& done) { return done.run == "l2"; }));
        QCOMPARE(client.all<LatencyEvent>().front().round, 1);
        QCOMPARE(client.close_stdin(), 0);
    }

    void faults_data() {
        QTest::addColumn<QString>("fault");
        QTest::addColumn<QByteArray>("message");
        QTest::newRow("truncate") << "truncate" << QByteArray("middle of a line");
        QTest::newRow("garbage") << "garbage" << QByteArray("broken after event");
        QTest::newRow("gap") << "gap" << QByteArray("has a gap");
        QTest::newRow("version") << "version" << QByteArray("protocol version 99");
    }
    void faults() {
        QFETCH(QString, fault);
        QFETCH(QByteArray, message);
        WorkerClient client(kBinary, {},
                            with({{"QUANTSCOPE_FAKE_FAULT", fault}, {"QUANTSCOPE_FAKE_AFTER", "5"}}));
        client.send(LoadRequest{"demo", {"int8"}, "auto", 1, 0});
        client.send(eval("1", "int8"));
        QVERIFY(!client.wait_for<DoneEvent>());
        QVERIFY2(client.error().find(message.toStdString()) != std::string::npos, client.error().c_str());
    }

    void a_crash_is_a_crash() {
        WorkerClient client(kBinary, {},
                            with({{"QUANTSCOPE_FAKE_FAULT", "crash"}, {"QUANTSCOPE_FAKE_AFTER", "3"}}));
        client.send(LoadRequest{"demo", {"int8"}, "auto", 1, 0});
        QVERIFY(client.process().waitForFinished(5000));
        QCOMPARE(client.process().exitStatus(), QProcess::CrashExit);
    }

    void cancel_ends_a_slow_run() {
        WorkerClient client(kBinary, {}, with({{"QUANTSCOPE_FAKE_DELAY_MS", "200"}}));
        client.send(eval("1", "int8"));
        QVERIFY(client.wait_for<SampleEvent>());
        client.send(CancelRequest{});
        QCOMPARE(client.wait_for<DoneEvent>()->status, std::string("cancelled"));
    }
};

QTEST_GUILESS_MAIN(TestFakeWorker)
#include "tst_fake_worker.moc"
