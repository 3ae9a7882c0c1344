// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/event_stream.h"

#include <QFile>
#include <QTest>
#include <random>

using namespace quantscope;
using namespace quantscope::protocol;

namespace {

constexpr const char* kHello =
    R"({"event":"hello","seq":1,"protocol":1,"version":"0.1.0","devices":[],"schemes":[],"sandbox":{"available":true}})"
    "\n";

std::string done(int seq, const std::string& run = "r") {
    return encode_event({seq, DoneEvent{run, "eval", "ok"}});
}

struct Outcome {
    std::vector<std::int64_t> seqs;
    std::string error; ///< empty: none
    ErrorCode code = ErrorCode::internal;
};

void drain(EventStream& stream, Outcome& outcome) {
    while (auto item = stream.next()) {
        if (*item) {
            outcome.seqs.push_back((*item)->seq);
        } else {
            outcome.error = item->error().message;
            outcome.code = item->error().code;
        }
    }
}

Outcome read_all(const std::string& bytes, std::size_t chunk = std::string::npos) {
    EventStream stream;
    Outcome outcome;
    for (std::size_t i = 0; i < bytes.size(); i += std::min(chunk, bytes.size())) {
        stream.feed(std::string_view(bytes).substr(i, chunk));
        drain(stream, outcome);
    }
    stream.finish();
    drain(stream, outcome);
    return outcome;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

class TestEventStream : public QObject {
    Q_OBJECT

    std::string recorded_;

  private Q_SLOTS:
    void initTestCase() {
        QFile file(QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl"));
        QVERIFY2(file.open(QIODevice::ReadOnly), qPrintable(file.fileName()));
        recorded_ = file.readAll().toStdString();
    }

    void a_recorded_stream_reads_the_same_in_any_pieces() {
        const Outcome whole = read_all(recorded_);
        QCOMPARE(whole.error, std::string());
        QVERIFY(whole.seqs.size() > 50);
        for (const std::size_t chunk : {1, 2, 3, 7, 64, 4096}) {
            const Outcome pieces = read_all(recorded_, chunk);
            QCOMPARE(pieces.error, std::string());
            QVERIFY(pieces.seqs == whole.seqs);
        }
    }

    void a_recorded_stream_encodes_to_the_same_bytes() {
        EventStream stream;
        stream.feed(recorded_);
        std::string again;
        while (auto event = stream.next()) {
            QVERIFY(event->has_value());
            again += encode_event(**event);
        }
        QVERIFY(again == recorded_);
    }

    void split_at_every_byte() {
        const std::string bytes = "banner\n" + std::string(kHello) + done(2) + done(3);
        for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
            EventStream stream;
            Outcome outcome;
            stream.feed(std::string_view(bytes).substr(0, cut));
            drain(stream, outcome);
            stream.feed(std::string_view(bytes).substr(cut));
            drain(stream, outcome);
            QCOMPARE(outcome.error, std::string());
            QCOMPARE(outcome.seqs.size(), std::size_t(3));
        }
    }

    void truncated_at_every_byte_is_an_error_or_ends_between_lines() {
        const std::string bytes = std::string(kHello) + done(2) + done(3);
        for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
            const Outcome outcome = read_all(bytes.substr(0, cut));
            const bool between_lines = cut > 0 && bytes[cut - 1] == '\n';
            QCOMPARE(outcome.error.empty(), between_lines);
            if (!between_lines && cut > std::string(kHello).size()) {
                QVERIFY2(contains(outcome.error, "middle of a line"), outcome.error.c_str());
            }
        }
    }

    void banners_are_skipped_up_to_a_limit() {
        const std::string banner = "Last login: Monday\r\n{\"motd\": \"hello\"}\n\n";
        const Outcome fine = read_all(banner + kHello + done(2));
        QCOMPARE(fine.error, std::string());
        QCOMPARE(fine.seqs.size(), std::size_t(2));

        std::string endless;
        while (endless.size() <= kMaxBannerBytes) {
            endless += "noise, noise and a quote \"\n";
        }
        const Outcome refused = read_all(endless + kHello);
        QVERIFY(refused.seqs.empty());
        QVERIFY2(contains(refused.error, "no hello within its first 64 KiB"), refused.error.c_str());
    }

    void an_end_without_hello_tells_the_last_line() {
        const Outcome outcome =
            read_all("Warning: something\nssh: connect to host gpu: Connection refused\n");
        QVERIFY2(contains(outcome.error, "before it said hello"), outcome.error.c_str());
        QVERIFY2(contains(outcome.error, "Connection refused"), outcome.error.c_str());
        QVERIFY(contains(read_all("").error, "before it said hello."));
    }

    void another_version_is_refused_by_name() {
        const Outcome outcome = read_all(R"({"event":"hello","seq":1,"protocol":2,"greeting":"new style"})"
                                         "\n");
        QVERIFY(outcome.code == ErrorCode::unsupported);
        QCOMPARE(outcome.error,
                 std::string("The worker speaks protocol version 2, this program speaks version 1."));
    }

    void a_gap_a_repeat_and_a_second_start_are_errors() {
        for (const int seq : {0, 1, 3, 4, -7}) {
            const Outcome outcome = read_all(kHello + done(seq) + done(2));
            QCOMPARE(outcome.seqs.size(), std::size_t(1));
            QVERIFY2(contains(outcome.error, "expected event 2"), outcome.error.c_str());
        }
        QVERIFY(contains(
            read_all(
                R"({"event":"hello","seq":4,"protocol":1,"version":"","devices":[],"schemes":[],"sandbox":{"available":true}})"
                "\n")
                .error,
            "must be event 1"));
    }

    void garbage_after_hello_ends_the_stream() {
        const Outcome outcome = read_all(kHello + std::string("\x01\xff not json\n") + done(2));
        QCOMPARE(outcome.seqs.size(), std::size_t(1));
        QVERIFY2(contains(outcome.error, "broken after event 1"), outcome.error.c_str());
    }

    void an_oversize_line_is_an_error_and_takes_no_memory() {
        EventStream stream;
        Outcome outcome;
        stream.feed(kHello);
        const std::string block(1 << 16, 'x');
        for (int i = 0; i < 1000; ++i) {
            stream.feed(block);
            drain(stream, outcome);
        }
        QVERIFY2(contains(outcome.error, "longer than 1048576 bytes"), outcome.error.c_str());
        QVERIFY(stream.failed());
    }

    void a_line_of_exactly_the_limit_passes() {
        LineSplitter lines(16);
        lines.feed("123456789012345\n1234567890123456\nok\n");
        QCOMPARE(lines.next()->value(), std::string("123456789012345"));
        QVERIFY(!lines.next()->has_value());
        QCOMPARE(lines.next()->value(), std::string("ok"));
        QVERIFY(!lines.next().has_value());
        lines.feed("12345678901234567"); // too long already, its end comes later
        QVERIFY(!lines.next()->has_value());
        QVERIFY(!lines.next().has_value());
        lines.feed("890\nnext\n");
        QCOMPARE(lines.next()->value(), std::string("next"));
    }

    void random_bytes_never_crash_and_never_pass() {
        std::mt19937 random(20260101);
        for (int round = 0; round < 300; ++round) {
            std::string noise(random() % 3000, '\0');
            for (char& c : noise) {
                c = static_cast<char>(random());
            }
            QVERIFY(!read_all(noise, 1 + random() % 200).error.empty());
            static_cast<void>(decode_request(noise));
        }
    }

    void damaged_streams_never_crash() {
        std::mt19937 random(7);
        const std::string start = recorded_.substr(0, 20000);
        for (int round = 0; round < 400; ++round) {
            std::string damaged = start;
            for (int i = 0; i < 3; ++i) {
                damaged[random() % damaged.size()] = static_cast<char>(random());
            }
            const Outcome outcome = read_all(damaged, 1 + random() % 5000);
            for (std::size_t i = 0; i < outcome.seqs.size(); ++i) {
                QCOMPARE(outcome.seqs[i], std::int64_t(i + 1)); // whatever was read is without a gap
            }
        }
    }

    void deeply_nested_json_is_only_an_error() {
        const std::string deep(500000, '[');
        QVERIFY(!decode_event(deep).has_value());
        const std::string closed =
            R"({"event":"done","seq":2,"run":)" + std::string(200000, '[') + std::string(200000, ']') + "}";
        QVERIFY(!decode_event(closed).has_value());
    }
};

QTEST_GUILESS_MAIN(TestEventStream)
#include "tst_event_stream.moc"
