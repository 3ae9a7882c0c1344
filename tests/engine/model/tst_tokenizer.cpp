// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer.h"
#include "model_files.h"

#include <fcntl.h>
#include <unistd.h>

using namespace quantscope;
using namespace quantscope::test;

namespace {

using Ids = std::vector<std::int32_t>;

std::shared_ptr<const Tokenizer> open_fixture(const std::string& name) {
    return Tokenizer::open(fixture(name)).value_or(nullptr);
}

/// A text that HumanEval-like prompts are made of, and what they are not: other scripts and emoji.
const char* const code = "\n\ndef  add(a, b):\n    \"\"\"Return é € 😀 語.\"\"\"\n\treturn a + b\n";

Ids first(const Ids& ids, std::size_t count) {
    return {ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(count)};
}

Ids rest(const Ids& ids, std::size_t count) {
    return {ids.begin() + static_cast<std::ptrdiff_t>(count), ids.end()};
}

/// What a child library writes to stdout while `action` runs.
template<class Action>
std::string captured_stdout(const Action& action) {
    const ScratchFolder folder;
    std::fflush(stdout);
    const int saved = ::dup(STDOUT_FILENO);
    const int file = ::open((folder / "out").c_str(), O_CREAT | O_WRONLY, 0600);
    ::dup2(file, STDOUT_FILENO);
    action();
    std::fflush(stdout);
    ::dup2(saved, STDOUT_FILENO);
    ::close(saved);
    ::close(file);
    return read_file(folder / "out");
}

} // namespace

class TestTokenizer : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void facts() {
        const auto tokenizer = open_fixture("tied");
        QVERIFY(tokenizer);
        QCOMPARE(tokenizer->vocab_size(), 128);
        QCOMPARE(tokenizer->bos_id(), 1);
        QCOMPARE(tokenizer->eos_id(), 2);
    }

    void round_trip_data() {
        QTest::addColumn<QString>("text");
        int row = 0;
        for (const char* text : {"", " ", "   ", "def add(a, b):\n    return a + b\n", " leading space",
                                 "trailing  ", "\n\n\n", "\t\r\n", code, "<s> </s> <unk>", "\u2581 itself"}) {
            QTest::addRow("%d", row++) << QString::fromUtf8(text);
        }
    }
    void round_trip() {
        QFETCH(QString, text);
        const auto tokenizer = open_fixture("tokenizer-bytes");
        const std::string utf8 = text.toStdString();
        const auto ids = tokenizer->encode(utf8);
        QVERIFY2(ids, told(ids).c_str());
        const auto prompt = tokenizer->encode_prompt(utf8);
        QCOMPARE(prompt->size(), ids->size() + 1);
        QCOMPARE(prompt->front(), tokenizer->bos_id());
        // U+2581 stands for a space inside SentencePiece, and comes back as one.
        const std::string expected = QString(text).replace(QChar(0x2581), ' ').toStdString();
        QCOMPARE(*tokenizer->decode(*ids), expected);
        QCOMPARE(*tokenizer->decode(*prompt), expected);
    }

    void control_symbols_in_a_text_are_text() {
        const auto tokenizer = open_fixture("tokenizer-bytes");
        const Ids ids = *tokenizer->encode("a</s>");
        QVERIFY(std::find(ids.begin(), ids.end(), tokenizer->eos_id()) == ids.end());
    }

    void a_longer_sequence_continues_the_text() {
        const auto tokenizer = open_fixture("tokenizer-bytes");
        const Ids ids = *tokenizer->encode_prompt(code);
        std::string before;
        for (std::size_t count = 1; count <= ids.size(); ++count) {
            const auto text = tokenizer->decode(first(ids, count));
            QVERIFY2(text, told(text).c_str());
            QVERIFY2(text->starts_with(before), text->c_str());
            QVERIFY2(std::string(code).starts_with(*text), text->c_str());
            before = *text;
        }
        QCOMPARE(before, std::string(code));
    }

    void completion_at_every_cut() {
        const auto tokenizer = open_fixture("tokenizer-bytes");
        const std::string prompt = "\ndef f(é):\n    ";
        const Ids prompt_ids = *tokenizer->encode_prompt(prompt);
        const Ids added = *tokenizer->encode("return '😀'\n\n x");
        std::string before;
        for (std::size_t count = 0; count <= added.size(); ++count) {
            const auto text = tokenizer->completion_text(prompt, prompt_ids, first(added, count));
            QVERIFY2(text, told(text).c_str());
            QVERIFY2(text->starts_with(before), text->c_str());
            QVERIFY2(QString::fromStdString(*text).toStdString() == *text, "not UTF-8");
            before = *text;
        }
        QCOMPARE(before, std::string(" return '😀'\n\n x"));
    }

    void the_first_space_survives() {
        const auto tokenizer = open_fixture("tied");
        const std::string prompt = "def add(a, b):\n";
        const Ids prompt_ids = *tokenizer->encode_prompt(prompt);
        const Ids all = *tokenizer->encode_prompt(prompt + " return a\n");
        const Ids added = rest(all, prompt_ids.size());
        QCOMPARE(*tokenizer->decode(added),
                 std::string("return a\n")); // why the continuation is not decoded alone
        QCOMPARE(*tokenizer->completion_text(prompt, prompt_ids, added), std::string(" return a\n"));
    }

    void eos_gives_no_text() {
        const auto tokenizer = open_fixture("tokenizer-bytes");
        const Ids prompt_ids = *tokenizer->encode_prompt("a");
        QCOMPARE(*tokenizer->completion_text("a", prompt_ids, {}), std::string());
        QCOMPARE(*tokenizer->completion_text("a", prompt_ids, Ids{tokenizer->eos_id()}), std::string());
        // The unfinished character before it is left out all the same.
        const Ids emoji = *tokenizer->encode("😀");
        QVERIFY(emoji.size() >= 4);
        Ids cut = first(emoji, emoji.size() - 1);
        cut.push_back(tokenizer->eos_id());
        QCOMPARE(*tokenizer->completion_text("a", prompt_ids, cut), std::string(" "));
    }

    void a_prompt_that_does_not_come_back() {
        const auto tokenizer = open_fixture("tokenizer-strips");
        const std::string prompt = "def   add(a,   b):\n    é";
        const Ids prompt_ids = *tokenizer->encode_prompt(prompt);
        QVERIFY(*tokenizer->decode(prompt_ids) != prompt);
        const auto text = tokenizer->completion_text(prompt, prompt_ids, *tokenizer->encode("return a"));
        QVERIFY2(text, told(text).c_str());
        QCOMPARE(*text, std::string(" return a"));
    }

    void ids_beyond_the_vocabulary() {
        const auto tokenizer = open_fixture("tied");
        const auto text = tokenizer->decode(Ids{1, 128, -5, 1 << 30});
        QVERIFY2(text, told(text).c_str());
        QCOMPARE(*text, *tokenizer->decode(Ids{1, 0, 0, 0}));
    }

    void bytes_that_are_no_text() {
        const auto tokenizer = open_fixture("tokenizer-bytes");
        for (const std::string& text :
             {std::string("\xFF\xC3"), std::string("a\0b", 3), std::string("\xE2\x82")}) {
            const auto ids = tokenizer->encode(text);
            QVERIFY2(ids, told(ids).c_str());
            QVERIFY(tokenizer->decode(*ids));
            QVERIFY(tokenizer->completion_text(text, *ids, *ids));
        }
        // Continuation bytes alone, and more of them than a character has.
        Ids stray;
        for (int i = 0; i < 6; ++i) {
            const Ids euro = *tokenizer->encode("€");
            stray.push_back(euro.back());
            QVERIFY(tokenizer->decode(stray));
        }
    }

    void vocabulary_against_config() {
        const auto tokenizer = open_fixture("tied");
        ModelConfig config;
        config.vocab_size = 128;
        QVERIFY(tokenizer->check_fits(config));
        config.vocab_size = 256;
        QVERIFY(tokenizer->check_fits(config));
        config.vocab_size = 127;
        QUANTSCOPE_REFUSED(
            tokenizer->check_fits(config), ErrorCode::bad_input,
            "tokenizer.model: expected at most 127 tokens (vocab_size in config.json), found 128.");
    }

    void missing() {
        const ScratchFolder folder;
        QUANTSCOPE_REFUSED(Tokenizer::open(folder.path()), ErrorCode::io,
                           "tokenizer.model: expected a SentencePiece tokenizer, found no such file.");
        write_file(folder / "tokenizer.json", "{}");
        QUANTSCOPE_REFUSED(
            Tokenizer::open(folder.path()), ErrorCode::unsupported,
            "tokenizer.model: expected a SentencePiece tokenizer, found only tokenizer.json, which is "
            "not supported.");
        fs::create_directory(folder / "tokenizer.model");
        QUANTSCOPE_REFUSED(Tokenizer::open(folder.path()), ErrorCode::io,
                           "expected a file, found a directory.");
    }

    void corrupt_data() {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("sentence");
        const auto good = QByteArray::fromStdString(read_file(fixture("tied") / "tokenizer.model"));
        QTest::newRow("empty") << QByteArray() << "expected a SentencePiece model, found an empty file.";
        QTest::newRow("text") << QByteArray("not a model") << "found 11 bytes that are none.";
        QTest::newRow("truncated") << good.left(good.size() / 2) << "bytes that are none.";
        QTest::newRow("zeros") << QByteArray(4096, '\0') << "found 4096 bytes that are none.";
        QTest::newRow("a git LFS pointer")
            << QByteArray("version https://git-lfs.github.com/spec/v1\n") << "bytes that are none.";
    }
    void corrupt() {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, sentence);
        const ScratchFolder folder;
        write_file(folder / "tokenizer.model", bytes.toStdString());
        Expected<std::shared_ptr<const Tokenizer>> tokenizer = nullptr;
        const std::string printed = captured_stdout([&] { tokenizer = Tokenizer::open(folder.path()); });
        QUANTSCOPE_REFUSED(tokenizer, ErrorCode::bad_input, sentence.toStdString());
        QCOMPARE(printed, std::string()); // the worker's stdout is protocol only
    }
};

QTEST_APPLESS_MAIN(TestTokenizer)
#include "tst_tokenizer.moc"
