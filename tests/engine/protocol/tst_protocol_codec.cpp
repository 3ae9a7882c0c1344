// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/codec.h"

#include <QTest>
#include <limits>

using namespace quantscope;
using namespace quantscope::protocol;

namespace {

SampleEvent sample_event() {
    return {"7",         "HumanEval/3", 2,      "    return \"h\u00e9\" \\ \n\t1",
            "timed_out", "wall limit",  "stop", 131,
            17,          12.3456,       99.5};
}

template<class T>
T round_trip(const T& body, std::int64_t seq = 5) {
    const Expected<Event> event = decode_event(encode_event({seq, body}));
    if (!event) {
        qFatal("%s", event.error().message.c_str());
    }
    if (event->seq != seq) {
        qFatal("seq was lost");
    }
    return std::get<T>(event->body);
}

std::string refused(std::string_view line) {
    const Expected<Request> request = decode_request(line);
    return request ? "accepted" : request.error().message;
}

} // namespace

class TestCodec : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void hello_keeps_all_fields() {
        HelloEvent hello;
        hello.version = "0.1.0+arith1";
        hello.git = "abc";
        hello.devices = {{"cpu", "cpu", "Some CPU", 1LL << 40, "AVX"}};
        hello.schemes = {{"w4a4-rot", "W4A4 rotated", "summary", 4, 4, 16, {"cpu", "cuda"}}};
        hello.sandbox = {false, "no user namespaces", "turn them on"};
        hello.host = {"Debian", "CPU"};
        const HelloEvent back = round_trip(hello, 1);
        QCOMPARE(back.protocol, kVersion);
        QCOMPARE(back.version, hello.version);
        QCOMPARE(back.devices.at(0).memory_bytes, 1LL << 40);
        QCOMPARE(back.schemes.at(0).id, hello.schemes.at(0).id);
        QCOMPARE(back.schemes.at(0).weight_bits, 4);
        QCOMPARE(back.schemes.at(0).backends.size(), std::size_t(2));
        QVERIFY(!back.sandbox.available);
        QCOMPARE(back.sandbox.hint, hello.sandbox.hint);
        QCOMPARE(back.host.os, hello.host.os);
    }

    void sample_keeps_all_fields() {
        const SampleEvent sent = sample_event();
        const SampleEvent back = round_trip(sent);
        QCOMPARE(back.run, sent.run);
        QCOMPARE(back.task_id, sent.task_id);
        QCOMPARE(back.sample_index, sent.sample_index);
        QCOMPARE(back.completion, sent.completion);
        QCOMPARE(back.verdict, sent.verdict);
        QCOMPARE(back.detail, sent.detail);
        QCOMPARE(back.stop_reason, sent.stop_reason);
        QCOMPARE(back.prompt_tokens, sent.prompt_tokens);
        QCOMPARE(back.completion_tokens, sent.completion_tokens);
        QCOMPARE(back.ttft_ms, sent.ttft_ms);
        QCOMPARE(back.total_ms, sent.total_ms);
    }

    void other_events_keep_their_fields() {
        const LatencyEvent latency = round_trip(LatencyEvent{"r", 4, {{1, 64, 3, 5.5, 9.25, {1.5, 2.25}}}});
        QCOMPARE(latency.round, 4);
        QCOMPARE(latency.requests.at(0).itl_ms, (std::vector<double>{1.5, 2.25}));
        const ProgressEvent open = round_trip(ProgressEvent{"r", "eval", 1, 9, std::nullopt, 12.5});
        QVERIFY(!open.eta_s.has_value());
        QCOMPARE(round_trip(ProgressEvent{"r", "latency", 1, 9, 3.5, 12.5}).eta_s.value(), 3.5);
        const ProblemsEvent problems =
            round_trip(ProblemsEvent{"r", "hash", 40, 32, {{"a/1", "def f():\n", "f"}}, "1 problem"});
        QCOMPARE(problems.offset, 32);
        QCOMPARE(problems.notice, std::string("1 problem"));
        QCOMPARE(problems.problems.at(0).entry_point, std::string("f"));
        QCOMPARE(round_trip(MetricEvent{"r", {{"load_s", 0.5}}}).values.at("load_s"), 0.5);
        QCOMPARE(round_trip(TelemetryEvent{{{"power_w", 300.0}}}).values.size(), std::size_t(1));
        QCOMPARE(round_trip(DoneEvent{"r", "eval", "cancelled"}).status, std::string("cancelled"));
        const LoadedEvent loaded = round_trip(
            LoadedEvent{"h", {"m", 7000000000, 32, 4096, 32000, 4096}, {}, {"int8"}, {"a notice"}});
        QCOMPARE(loaded.model.parameters, std::int64_t(7000000000));
        QCOMPARE(loaded.schemes.at(0), std::string("int8"));
        const ErrorEvent error =
            round_trip(ErrorEvent{"", "w4a8", {ErrorCode::out_of_memory, "needs more", "less"}, true});
        QVERIFY(error.error.code == ErrorCode::out_of_memory);
        QCOMPARE(error.scheme, std::string("w4a8"));
        QVERIFY(error.fatal);
    }

    void every_error_code_survives_the_wire() {
        for (const ErrorCode code :
             {ErrorCode::bad_input, ErrorCode::io, ErrorCode::unsupported, ErrorCode::out_of_memory,
              ErrorCode::device, ErrorCode::sandbox_unavailable, ErrorCode::cancelled, ErrorCode::internal}) {
            QVERIFY(error_code_from(to_string(code)) == code);
        }
        QVERIFY(error_code_from("from the future") == ErrorCode::internal);
    }

    void requests_round_trip() {
        EvalRequest eval{"run 1", "int8", "demo", 20, 8, {3, 0.8, 0.95, 18446744073709551615ULL, 64}, {}};
        eval.skip = {{"a", 0}, {"a", 1}, {"a", 2}, {"b", 5}, {"c", 0}, {"c", 2}};
        const auto line = encode_request(eval);
        QVERIFY(line.has_value());
        QVERIFY(line->find(R"([["a",0,2],["b",5],["c",0],["c",2]])") != std::string::npos);
        const auto back = std::get<EvalRequest>(decode_request(*line).value());
        QVERIFY(back.skip == eval.skip);
        QCOMPARE(back.sampling.seed, eval.sampling.seed);
        QCOMPARE(back.sampling.top_p, 0.95);
        QCOMPARE(back.batch_size, 8);

        const LatencyRequest latency{{{"1", "fp16"}, {"2", "int8"}}, 4, 100, 20, 7, 3};
        const auto again = std::get<LatencyRequest>(decode_request(encode_request(latency).value()).value());
        QCOMPARE(again.cells.at(1).scheme, std::string("int8"));
        QCOMPARE(again.first_round, 3);
        const auto load = std::get<LoadRequest>(
            decode_request(encode_request(LoadRequest{"/m", {"int8"}, "cpu", 8, 512}).value()).value());
        QCOMPARE(load.max_batch, 8);
        QVERIFY(std::holds_alternative<PingRequest>(*decode_request(encode_request(PingRequest{}).value())));
        QVERIFY(
            std::get<CancelRequest>(*decode_request(encode_request(CancelRequest{}).value())).run.empty());
    }

    void a_request_too_long_for_a_line_is_refused_by_the_sender() {
        LoadRequest load{std::string(kMaxLineBytes, 'x'), {"int8"}, "auto", 1, 0};
        const auto line = encode_request(load);
        QVERIFY(!line.has_value());
        QVERIFY(line.error().message.find("longer than") != std::string::npos);
    }

    void wrong_requests_get_a_sentence_data() {
        QTest::addColumn<QByteArray>("line");
        QTest::addColumn<QByteArray>("part");
        QTest::newRow("no json") << QByteArray("nonsense {") << QByteArray("one JSON object");
        QTest::newRow("a list") << QByteArray("[1]") << QByteArray("one JSON object");
        QTest::newRow("no name") << QByteArray("{}") << QByteArray("request'");
        QTest::newRow("unknown") << QByteArray(R"({"request":"dance"})") << QByteArray("dance");
        QTest::newRow("name type") << QByteArray(R"({"request":7})") << QByteArray("expected a string");
        QTest::newRow("no model") << QByteArray(R"({"request":"load","schemes":["int8"]})")
                                  << QByteArray("model'");
        QTest::newRow("no scheme") << QByteArray(R"({"request":"load","model":"m","schemes":[]})")
                                   << QByteArray("at least one scheme");
        QTest::newRow("backend") << QByteArray(
                                        R"({"request":"load","model":"m","schemes":["a"],"backend":"tpu"})")
                                 << QByteArray("one of auto, cpu, cuda");
        QTest::newRow("batch 0")
            << QByteArray(R"({"request":"eval","run":"1","scheme":"a","problems":"p","batch_size":0})")
            << QByteArray("from 1 to");
        QTest::newRow("batch text")
            << QByteArray(R"({"request":"eval","run":"1","scheme":"a","problems":"p","batch_size":"8"})")
            << QByteArray("found \"8\"");
        QTest::newRow("batch fraction")
            << QByteArray(R"({"request":"eval","run":"1","scheme":"a","problems":"p","batch_size":1.5})")
            << QByteArray("an integer from");
        QTest::newRow("huge integer")
            << QByteArray(
                   R"({"request":"eval","run":"1","scheme":"a","problems":"p","limit":18446744073709551615})")
            << QByteArray("limit'");
        QTest::newRow("temperature")
            << QByteArray(
                   R"({"request":"eval","run":"1","scheme":"a","problems":"p","sampling":{"temperature":-1}})")
            << QByteArray("temperature'");
        QTest::newRow("top_p")
            << QByteArray(
                   R"({"request":"eval","run":"1","scheme":"a","problems":"p","sampling":{"top_p":0}})")
            << QByteArray("top_p'");
        QTest::newRow("negative seed")
            << QByteArray(
                   R"({"request":"eval","run":"1","scheme":"a","problems":"p","sampling":{"seed":-3}})")
            << QByteArray("at least 0");
        QTest::newRow("skip")
            << QByteArray(R"({"request":"eval","run":"1","scheme":"a","problems":"p","skip":[["t"]]})")
            << QByteArray("[task_id, index]");
        QTest::newRow("skip bomb")
            << QByteArray(
                   R"({"request":"eval","run":"1","scheme":"a","problems":"p","skip":[["t",0,4000000000]]})")
            << QByteArray("[task_id, index]");
        // Each entry is small enough, all of them are not: a line of 1 MiB could ask for gigabytes.
        QByteArray entries;
        for (int i = 0; i < 11; ++i) {
            entries += (i > 0 ? "," : "") + QByteArray(R"(["t",0,99999])");
        }
        QTest::newRow("skip bomb in parts")
            << R"({"request":"eval","run":"1","scheme":"a","problems":"p","skip":[)" + entries + "]}"
            << QByteArray("1000000 samples in all");
        QTest::newRow("deep") << R"({"request":)" + QByteArray(100000, '[') << QByteArray("one JSON object");
        QTest::newRow("twice") << QByteArray(R"({"request":"ping","request":"shutdown"})")
                               << QByteArray("one JSON object");
        QTest::newRow("empty run") << QByteArray(R"({"request":"eval","run":"","scheme":"a","problems":"p"})")
                                   << QByteArray("run'");
        QTest::newRow("no cells") << QByteArray(R"({"request":"latency","cells":[]})")
                                  << QByteArray("at least one cell");
        QTest::newRow("cell") << QByteArray(R"({"request":"latency","cells":[{"run":"1"}]})")
                              << QByteArray("'cells[0].scheme': expected a string");
    }
    void wrong_requests_get_a_sentence() {
        QFETCH(QByteArray, line);
        QFETCH(QByteArray, part);
        const std::string message = refused(line.toStdString());
        QVERIFY2(message.find(part.toStdString()) != std::string::npos, message.c_str());
    }

    void a_refused_request_still_names_its_runs() {
        const RefusedRequest eval = peek_request(R"({"request":"eval","run":"7","batch_size":0})");
        QCOMPARE(eval.name, std::string("eval"));
        QCOMPARE(eval.runs, std::vector<std::string>{"7"});
        const RefusedRequest latency =
            peek_request(R"({"request":"latency","cells":[{"run":"1"},3,{"run":"2"}]})");
        QCOMPARE(latency.runs, (std::vector<std::string>{"1", "2"}));
        QVERIFY(peek_request("}{").runs.empty());
    }

    void unknown_fields_and_events_are_ignored() {
        const auto done =
            decode_event(R"({"event":"done","seq":2,"run":"1","measure":"eval","status":"ok","new":[1]})");
        QVERIFY(done.has_value());
        const auto later = decode_event(R"({"event":"perplexity","seq":3,"value":5.47})");
        QVERIFY(later.has_value());
        QCOMPARE(std::get<UnknownEvent>(later->body).name, std::string("perplexity"));
    }

    void wrong_types_in_events_name_the_field() {
        const auto wrong = decode_event(R"({"event":"done","seq":2,"run":1,"measure":"eval","status":"ok"})");
        QVERIFY(!wrong.has_value());
        QCOMPARE(wrong.error().message,
                 std::string(R"(event "done" (seq 2): 'run': expected a string, found 1.)"));
        QVERIFY(!decode_event(R"({"event":"done","seq":"2"})").has_value());
        QVERIFY(!decode_event(R"({"event":"sample","seq":2})").has_value());
    }

    void broken_utf8_becomes_the_replacement_character() {
        SampleEvent sample = sample_event();
        sample.completion = "a\xff\xc3(\xe2\x82z";
        const std::string line = encode_event({9, sample});
        QCOMPARE(QString::fromUtf8(line.data(), int(line.size())).toUtf8().toStdString(), line);
        const SampleEvent back = round_trip(sample);
        QCOMPARE(back.completion,
                 std::string("a\u00ef\u00bf\u00bd").substr(0, 1) + "\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbdz");
    }

    void an_oversize_completion_is_cut_and_says_so() {
        SampleEvent sample = sample_event();
        for (int i = 0; i < 700000; ++i) {
            sample.completion += "\x01\xc3\xa9"; // seven and two bytes once encoded
        }
        const std::string line = encode_event({9, sample});
        QVERIFY(line.size() <= kMaxLineBytes);
        QVERIFY(line.back() == '\n');
        const SampleEvent back = round_trip(sample);
        QVERIFY(back.completion.size() > 10000);
        QVERIFY(back.completion.find("[cut here") != std::string::npos);
        QCOMPARE(back.task_id, sample.task_id);
        QCOMPARE(back.verdict, sample.verdict);
    }

    void numbers_that_do_not_fit_become_an_error_of_the_run() {
        LatencyEvent latency{"r9", 0, {{0, 1, 400001, 1.0, 1.0, std::vector<double>(400000, 1.2345)}}};
        const std::string line = encode_event({3, latency});
        QVERIFY(line.size() <= kMaxLineBytes);
        const auto error = std::get<ErrorEvent>(decode_event(line).value().body);
        QCOMPARE(error.run, std::string("r9"));
    }

    void not_a_number_never_reaches_the_wire() {
        const double nan = std::numeric_limits<double>::quiet_NaN();
        const MetricEvent back = round_trip(MetricEvent{"r", {{"good", 1.0}, {"bad", nan}}});
        QCOMPARE(back.values.size(), std::size_t(1));
        QVERIFY(!round_trip(ProgressEvent{"r", "eval", 0, 1, nan, nan}).eta_s.has_value());
    }
};

QTEST_GUILESS_MAIN(TestCodec)
#include "tst_protocol_codec.moc"
