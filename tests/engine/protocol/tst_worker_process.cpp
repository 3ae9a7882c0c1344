// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/protocol/worker_fixture.h"

#include <QDir>
#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

using namespace quantscope;
using namespace quantscope::protocol;

namespace {

struct Finished {
    int code = -1;
    QByteArray out, err;
};

Finished run_command(const QStringList& arguments) {
    QProcess process;
    process.start(kWorkerBinary, arguments);
    process.closeWriteChannel();
    if (!process.waitForFinished(60000) || process.exitStatus() != QProcess::NormalExit) {
        return {};
    }
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

/// Processes whose parent is `pid`, by /proc.
int children_of(qint64 pid) {
    int count = 0;
    for (const QString& entry : QDir("/proc").entryList(QDir::Dirs)) {
        QFile stat("/proc/" + entry + "/stat");
        if (entry.toInt() > 0 && stat.open(QIODevice::ReadOnly)) {
            const QByteArray line = stat.readAll();
            count += line.mid(line.lastIndexOf(')') + 2).split(' ').value(1).toLongLong() == pid ? 1 : 0;
        }
    }
    return count;
}

EvalRequest endless_eval() {
    EvalRequest eval = demo_eval("long", "int8", 0, 4);
    eval.sampling.samples = 200;
    eval.sampling.temperature = 1.0;
    return eval;
}

} // namespace

/// The worker as a process: greeting, wrong requests, ends of every kind, and its other commands.
class TestWorkerProcess : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void hello_tells_what_the_worker_can_do() {
        auto worker = start_worker({}); // serve is the default
        const auto hello = worker->wait_for<HelloEvent>();
        QVERIFY(hello);
        QVERIFY(hello->version.find("arithmetic") != std::string::npos);
        QVERIFY(!hello->git.empty());
        QCOMPARE(hello->devices.back().id, std::string("cpu"));
        QVERIFY(hello->devices.back().memory_bytes > 0);
        QVERIFY(!hello->host.os.empty());
        QCOMPARE(hello->schemes.front().id, std::string("fp16"));
        for (const SchemeInfo& scheme : hello->schemes) {
            QVERIFY(!scheme.label.empty() && !scheme.summary.empty());
            QVERIFY(scheme.weight_bits == 16 || scheme.weight_bits == 8 || scheme.weight_bits == 4);
        }
        QVERIFY(hello->sandbox.available || !hello->sandbox.message.empty());
    }

    void wrong_requests_are_answered_and_survived() {
        auto worker = start_worker();
        const auto refused = [&](const QByteArray& line, const char* part) {
            worker->send_raw(line + '\n');
            const auto error = worker->wait_for<ErrorEvent>();
            return error && error->error.message.find(part) != std::string::npos && !error->fatal;
        };
        QVERIFY(refused("not json", "one JSON object"));
        QVERIFY(refused("\xff\x00\x01", "one JSON object"));
        QVERIFY(refused(R"({"request":"explode"})", "explode"));
        QVERIFY(refused(R"({"request":"load","model":"demo","schemes":"int8"})", "expected a list"));
        QVERIFY(refused(QByteArray(3 << 20, 'x'), "longer than"));
        QVERIFY(
            refused(R"({"request":"load","model":"/no/such/model","schemes":["int8"]})", "/no/such/model"));
        worker->send_raw("\n  \n"); // blank lines are nothing
        worker->send(PingRequest{});
        QVERIFY(worker->wait_for<PongEvent>());
        QCOMPARE(worker->close_stdin(), 0);
    }

    void every_run_gets_its_done() {
        auto worker = start_worker();
        worker->send_raw(R"({"request":"eval","run":"r1","scheme":"int8","problems":"demo","batch_size":0})"
                         "\n");
        QCOMPARE(status_of(*worker, "r1"), std::string("failed"));
        worker->send(demo_eval("r2", "int8", 1, 1));
        QCOMPARE(status_of(*worker, "r2"), std::string("failed"));
        QVERIFY(worker->all<ErrorEvent>().back().error.message.find("No model is loaded") !=
                std::string::npos);
        worker->send(demo_load({"int8"}, 2));
        QVERIFY(worker->wait_for<LoadedEvent>());
        EvalRequest eval = demo_eval("r3", "int8", 1, 1);
        eval.problems = "/no/such/problems.jsonl";
        worker->send(eval);
        QCOMPARE(status_of(*worker, "r3"), std::string("failed"));
        QVERIFY(worker->all<ErrorEvent>().back().error.message.find("/no/such/problems.jsonl") !=
                std::string::npos);
        worker->send(demo_eval("r4", "int8", 1, 3));
        QCOMPARE(status_of(*worker, "r4"), std::string("failed"));
        QVERIFY(worker->all<ErrorEvent>().back().error.message.find("at most 2") != std::string::npos);
        worker->send(demo_eval("r5", "fp16", 1, 1));
        QCOMPARE(status_of(*worker, "r5"), std::string("failed"));
        QVERIFY(worker->all<ErrorEvent>().back().error.message.find("not loaded") != std::string::npos);
    }

    void a_scheme_that_fails_leaves_the_others() {
        auto worker = start_worker();
        worker->send(demo_load({"int8", "w2a2", "w4a8"}));
        const auto loaded = worker->wait_for<LoadedEvent>();
        QVERIFY(loaded);
        QVERIFY((loaded->schemes == std::vector<std::string>{"int8", "w4a8"}));
        QCOMPARE(loaded->model_hash.size(), std::size_t(32));
        QVERIFY(loaded->model.layers > 0 && loaded->model.parameters > 1000000);
        const auto errors = worker->all<ErrorEvent>();
        QCOMPARE(errors.size(), std::size_t(1));
        QCOMPARE(errors[0].scheme, std::string("w2a2"));
        worker->send(demo_load({"fp16"})); // joins those of the same model
        QCOMPARE(worker->wait_for<LoadedEvent>()->schemes.size(), std::size_t(3));
    }

    void a_session_that_cannot_fit_is_out_of_memory() {
        QTemporaryDir folder;
        const QDir demo(QUANTSCOPE_SOURCE_DIR "/resources/demo/model");
        for (const QString& name : demo.entryList(QDir::Files)) {
            QVERIFY(QFile::copy(demo.filePath(name), folder.filePath(name)));
        }
        QFile config(folder.filePath("config.json"));
        QVERIFY(config.open(QIODevice::ReadWrite));
        QJsonObject values = QJsonDocument::fromJson(config.readAll()).object();
        values["max_position_embeddings"] = 1 << 20;
        QVERIFY(config.resize(0) && config.seek(0));
        config.write(QJsonDocument(values).toJson());
        config.close();

        auto worker = start_worker();
        LoadRequest load = demo_load({"fp16"}, 1024);
        load.model = folder.path().toStdString();
        load.context_length = 1 << 20; // times 1024 slots: terabytes of KV cache
        worker->send(load);
        const auto error = worker->wait_for<ErrorEvent>();
        QVERIFY(error);
        QVERIFY(error->error.code == ErrorCode::out_of_memory);
        QCOMPARE(error->scheme, std::string("fp16"));
        QVERIFY(worker->wait_for<LoadedEvent>()->schemes.empty());
    }

    void heartbeats_come_while_nothing_happens() {
        auto worker = start_worker();
        QVERIFY(worker->wait_for<HelloEvent>());
        QElapsedTimer timer;
        timer.start();
        QVERIFY(worker->wait_for<HeartbeatEvent>({}, 5000));
        QVERIFY(timer.elapsed() <= 5000);
    }

    void the_recording_is_the_stream() {
        QTemporaryDir folder;
        const QString file = folder.filePath("stream.jsonl");
        auto worker = start_worker({"serve", "--record", file, "--log", folder.filePath("log.txt")});
        worker->send(demo_load({"int8"}));
        worker->send(demo_eval("r", "int8", 3, 2));
        QCOMPARE(status_of(*worker, "r"), std::string("ok"));
        QCOMPARE(worker->close_stdin(), 0);
        QFile recorded(file);
        QVERIFY(recorded.open(QIODevice::ReadOnly));
        QVERIFY(!worker->bytes().isEmpty());
        QCOMPARE(recorded.readAll(), worker->bytes());
        QVERIFY(QFile::exists(folder.filePath("log.txt")));
    }

    void the_end_of_stdin_ends_a_busy_worker_and_its_sandboxes() {
        auto worker = start_worker();
        worker->send(demo_load({"int8"}));
        worker->send(endless_eval());
        QVERIFY(worker->wait_for<SampleEvent>());
        const qint64 pid = worker->process().processId();
        QElapsedTimer timer;
        timer.start();
        QCOMPARE(worker->close_stdin(), 0);
        QVERIFY2(timer.elapsed() < 5000, std::to_string(timer.elapsed()).c_str());
        QCOMPARE(children_of(pid), 0);
    }

    void shutdown_ends_a_busy_worker() {
        auto worker = start_worker();
        worker->send(demo_load({"int8"}));
        worker->send(endless_eval());
        QVERIFY(worker->wait_for<SampleEvent>());
        worker->send(ShutdownRequest{});
        QVERIFY(worker->process().waitForFinished(5000));
        QCOMPARE(worker->process().exitCode(), 0);
    }

    void a_client_that_no_longer_reads_ends_the_worker() {
        QProcess shell; // head closes the worker's stdout after the hello, stdin stays open
        shell.start(
            "/bin/sh",
            {"-c",
             QString("exec 3<&0; { \"%1\" serve <&3; echo worker $? >&2; } | head -n 1").arg(kWorkerBinary)});
        QVERIFY(shell.waitForStarted());
        QVERIFY(shell.waitForFinished(15000)); // the next heartbeat finds out
        QVERIFY2(shell.readAllStandardError().contains("worker 0"), "the worker did not end well");
    }

    void commands_data() {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("code");
        QTest::addColumn<QByteArray>("part");
        const QString nowhere = "/no/such/folder";
        QTest::newRow("version") << QStringList{"--version"} << 0 << QByteArray("arithmetic");
        QTest::newRow("help") << QStringList{"--help"} << 0 << QByteArray("generate");
        QTest::newRow("unknown") << QStringList{"frobnicate"} << 2 << QByteArray("frobnicate");
        QTest::newRow("no prompt") << QStringList{"generate"} << 2 << QByteArray("--prompt");
        QTest::newRow("scheme") << QStringList{"generate", "--prompt", "a", "--scheme", "w2"} << 3
                                << QByteArray("w4a8");
        QTest::newRow("model") << QStringList{"tokenize", "--model", nowhere, "a"} << 3 << nowhere.toUtf8();
        QTest::newRow("record") << QStringList{"serve", "--record", nowhere + "/f"} << 1 << nowhere.toUtf8();
        QTest::newRow("generate") << QStringList{"generate", "--prompt", "def f(", "--max-new-tokens", "4"}
                                  << 0 << QByteArray("prompt tokens");
    }
    void commands() {
        QFETCH(QStringList, arguments);
        QFETCH(int, code);
        QFETCH(QByteArray, part);
        const Finished finished = run_command(arguments);
        QVERIFY2((finished.out + finished.err).contains(part), (finished.out + finished.err).constData());
        QCOMPARE(finished.code, code);
    }

    void tokenize_prints_ids_behind_bos() {
        const Finished one = run_command({"tokenize", "return x"});
        const QList<QByteArray> ids = one.out.trimmed().split(' ');
        QVERIFY2(ids.size() >= 2, one.out.constData());
        QCOMPARE(ids.at(0), QByteArray("1"));
    }
};

QTEST_GUILESS_MAIN(TestWorkerProcess)
#include "tst_worker_process.moc"
