// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/event_stream.h"

#include <QFile>
#include <QTest>
#include <algorithm>
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

    void hello_is_found_behind_a_banner_without_a_line_end() {
        for (const char* banner :
             {"Last login: today from a terminal ", "\x1b]0;host\a\x1b[1;32mmotd\x1b[0m ", "\xEF\xBB\xBF",
              "half {\"event\": and {\"event\":\"hello\" of one ", "\x1b[?2004h"}) {
            const std::string bytes = banner + std::string(kHello) + done(2) + done(3);
            for (const std::size_t chunk : {std::size_t(1), std::size_t(7), bytes.size()}) {
                const Outcome outcome = read_all(bytes, chunk);
                QVERIFY2(outcome.error.empty(), (banner + outcome.error).c_str());
                QCOMPARE(outcome.seqs.size(), std::size_t(3));
            }
        }
    }

    void labels_are_taken_off_every_line_data() {
        QTest::addColumn<QByteArray>("first");
        QTest::addColumn<QByteArray>("later");
        QTest::addColumn<QByteArray>("end");
        QTest::newRow("srun --label") << QByteArray("0: ") << QByteArray("0: ") << QByteArray("\n");
        QTest::newRow("srun of many") << QByteArray("000: ") << QByteArray("000: ") << QByteArray("\n");
        QTest::newRow("mpirun") << QByteArray("[1,0]<stdout>:") << QByteArray("[1,0]<stdout>:")
                                << QByteArray("\r\n");
        QTest::newRow("times") << QByteArray("Dec 01 03:00:01 ") << QByteArray("Dec 01 03:00:02 ")
                               << QByteArray("\n");
        QTest::newRow("a terminal") << QByteArray("\x1b[33m") << QByteArray("\x1b[33m")
                                    << QByteArray("\x1b[0m\r\r\n");
    }

    void labels_are_taken_off_every_line() {
        QFETCH(QByteArray, first);
        QFETCH(QByteArray, later);
        QFETCH(QByteArray, end);
        std::string bytes = "0: module load cuda\n";
        std::string_view rest = recorded_;
        const std::size_t lines = static_cast<std::size_t>(std::count(rest.begin(), rest.end(), '\n'));
        for (bool hello = true; !rest.empty(); hello = false) {
            const std::size_t newline = rest.find('\n');
            bytes += (hello ? first : later).toStdString() + std::string(rest.substr(0, newline)) +
                     end.toStdString();
            rest.remove_prefix(newline + 1);
        }
        for (const std::size_t chunk : {std::size_t(1), std::size_t(1000), bytes.size()}) {
            const Outcome outcome = read_all(bytes, chunk);
            QCOMPARE(outcome.error, std::string());
            QCOMPARE(outcome.seqs.size(), lines);
        }
    }

    /// srun --label ends and labels every message of a task, which is at most about 1 KiB: long lines arrive
    /// in pieces (write_labelled_message() of Slurm).
    void labelled_pieces_are_put_together_data() {
        QTest::addColumn<QByteArray>("banner");
        QTest::newRow("alone") << QByteArray();
        // In one message with hello: what stands before hello is not the label of the later pieces.
        QTest::newRow("behind a banner without a line end")
            << QByteArray("Last login: today from a terminal ");
    }
    void labelled_pieces_are_put_together() {
        QFETCH(QByteArray, banner);
        const std::string sent = banner.toStdString() + recorded_;
        for (const std::size_t message : {std::size_t(16), std::size_t(1024), std::size_t(4096)}) {
            if (message < static_cast<std::size_t>(banner.size()) + 16) {
                continue; // hello's own beginning would be in pieces
            }
            std::string bytes;
            for (std::size_t at = 0; at < sent.size(); at += message) {
                std::string_view piece = std::string_view(sent).substr(at, message);
                while (!piece.empty()) {
                    const std::size_t newline = std::min(piece.find('\n'), piece.size());
                    bytes += "0: " + std::string(piece.substr(0, newline)) + "\n";
                    piece.remove_prefix(std::min(newline + 1, piece.size()));
                }
            }
            const Outcome plain = read_all(recorded_);
            const Outcome outcome = read_all(bytes, 777);
            QCOMPARE(outcome.error, std::string());
            QVERIFY(outcome.seqs == plain.seqs);
            const Outcome cut = read_all(bytes.substr(0, bytes.size() - 10));
            QVERIFY2(contains(cut.error, "middle of a line"), cut.error.c_str());
        }
    }

    void two_workers_on_one_stream_are_named() {
        const std::string both = "0: " + std::string(kHello) + "1: " + kHello + "0: " + done(2);
        QVERIFY2(contains(read_all(both).error, "second worker"), read_all(both).error.c_str());
        const std::string bare = std::string(kHello) + kHello;
        QVERIFY2(contains(read_all(bare).error, "second worker"), read_all(bare).error.c_str());
    }

    void what_we_wrote_may_come_back() {
        const std::string echo = encode_request(ShutdownRequest{}).value();
        const Outcome outcome = read_all(echo + kHello + echo + done(2) + echo + done(3));
        QCOMPARE(outcome.error, std::string());
        QCOMPARE(outcome.seqs.size(), std::size_t(3));
    }

    void a_banner_without_any_line_end_is_limited_too() {
        EventStream stream;
        Outcome outcome;
        for (int i = 0; i < 64 && outcome.error.empty(); ++i) {
            stream.feed(std::string(4096, 'y'));
            drain(stream, outcome);
        }
        QVERIFY2(contains(outcome.error, "no hello within its first 64 KiB"), outcome.error.c_str());
        QVERIFY(stream.banner().size() <= 2 * kMaxBannerBytes);
    }

    void hostile_banners_take_linear_time() {
        std::string start;
        while (start.size() < kMaxBannerBytes - 100) {
            start += R"({"event":"hello")";
        }
        const Outcome outcome = read_all(start + "\n" + kHello + done(2), 512);
        QCOMPARE(outcome.error, std::string());
        QCOMPARE(outcome.seqs.size(), std::size_t(2));
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
