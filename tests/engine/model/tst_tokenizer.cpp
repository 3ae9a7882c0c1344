// SPDX-License-Identifier: Apache-2.0
#include "engine/model/tokenizer.h"
#include "model_files.h"

#include <map>

#include <fcntl.h>
#include <nlohmann/json.hpp>
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

/// The demo model's tokenizer beside other settings.
class SettingsFolder {
  public:
    using Files = std::map<std::string, std::string>;
    explicit SettingsFolder(const Files& files) {
        const fs::path demo = fs::path(QUANTSCOPE_SOURCE_DIR) / "resources/demo/model";
        fs::copy_file(demo / "tokenizer.model", folder_ / "tokenizer.model");
        for (const auto& [name, text] : files) {
            write_file(folder_ / name, text);
        }
    }
    Expected<std::shared_ptr<const Tokenizer>> open() const { return Tokenizer::open(folder_.path()); }

  private:
    ScratchFolder folder_;
};

constexpr auto config_file = "tokenizer_config.json";

/// Of tokenizer_config.json: the pieces' own special tokens, and four behind the 1280 pieces.
constexpr auto added_tokens = R"("added_tokens_decoder": {
    "0": {"content": "<unk>", "special": true}, "1": {"content": "<s>", "special": true},
    "2": {"content": "</s>", "special": true}, "1280": {"content": "<|im_start|>", "special": false},
    "1281": {"content": "<|end|>", "special": true}, "1282": {"content": "[N]", "normalized": true},
    "1283": {"content": "<L>", "lstrip": true, "rstrip": true}})";

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

    /// The ids are those of transformers 5.24.
    void settings_beside_the_model_data() {
        QTest::addColumn<QByteArray>("config");
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QList<int>>("ids");
        const QByteArray demo = R"("bos_token": "<s>", "add_bos_token": true, "add_prefix_space": false)";
        const QByteArray llama = R"("tokenizer_class": "LlamaTokenizer", "add_bos_token": false)";
        const QByteArray more = QByteArray(", ") + added_tokens;
        const QList<int> code_ids = {281, 1213, 1227, 1214, 1220, 3, 261, 309, 333};
        const QByteArray code = "def f(x):\n    return x";
        QTest::newRow("BOS") << demo << code << QList<int>({1, 311}) + code_ids;
        QTest::newRow("no BOS") << llama << code << QList<int>({551}) + code_ids;
        QTest::newRow("no BOS, no text") << llama << QByteArray() << QList<int>();
        QTest::newRow("BOS is null") << QByteArray(R"("bos_token": null, "add_prefix_space": false)") << code
                                     << QList<int>({311}) + code_ids;
        QTest::newRow("another BOS") << QByteArray(R"("bos_token": "</s>", "add_prefix_space": false)")
                                     << code << QList<int>({2, 311}) + code_ids;
        QTest::newRow("BOS as an object")
            << QByteArray(R"("bos_token": {"__type": "AddedToken", "content": "<s>"})") << code
            << QList<int>({1, 311}) + code_ids;
        QTest::newRow("no prefix space")
            << llama + R"(, "add_prefix_space": false)" << code << QList<int>({311}) + code_ids;
        QTest::newRow("added tokens") << demo + more << QByteArray("x<|im_start|>y <|im_start|> z")
                                      << QList<int>({1, 1227, 1280, 1232, 1195, 1280, 794});
        QTest::newRow("added tokens that take spaces")
            << demo + more << QByteArray("q <|end|> r[N]s  <L>  t")
            << QList<int>({1, 1264, 1195, 1281, 1195, 1198, 1282, 1199, 1283, 1197});
        QTest::newRow("special tokens in a text")
            << demo + more << QByteArray("a <s> b</s>") << QList<int>({1, 1205, 1195, 1, 304, 2});
        QTest::newRow("a prefix space before the first text only")
            << llama + more << QByteArray("x<|im_start|>y <|im_start|> z")
            << QList<int>({333, 1280, 1232, 1195, 1280, 794});
        QTest::newRow("none behind an added token")
            << llama + more << QByteArray("<|im_start|>def") << QList<int>({1280, 311});
        QTest::newRow("but in legacy mode") << llama + R"(, "legacy": true)" + more
                                            << QByteArray("<|im_start|>def") << QList<int>({1280, 551});
    }
    void settings_beside_the_model() {
        QFETCH(QByteArray, config);
        QFETCH(QByteArray, text);
        QFETCH(QList<int>, ids);
        const auto tokenizer =
            SettingsFolder(SettingsFolder::Files{{config_file, QByteArray("{" + config + "}").toStdString()}})
                .open();
        QVERIFY2(tokenizer, told(tokenizer).c_str());
        const Ids found = *(*tokenizer)->encode_prompt(text.toStdString());
        QCOMPARE(QList<int>(found.begin(), found.end()), ids);
    }

    void added_tokens_decode_to_their_text() {
        const std::string prefix = std::string(R"({"tokenizer_class": "LlamaTokenizer", )") + added_tokens;
        for (const std::string& config : {prefix + "}", prefix + R"(, "add_prefix_space": false})"}) {
            const auto tokenizer = *SettingsFolder(SettingsFolder::Files{{config_file, config}}).open();
            QCOMPARE(tokenizer->vocab_size(), 1284);
            QCOMPARE(tokenizer->text_vocab_size(), 1280);
            const std::string prompt = "x<|im_start|>y <|im_start|> z";
            const Ids ids = *tokenizer->encode_prompt(prompt);
            QCOMPARE(*tokenizer->decode(ids), prompt);
            // Special ones give no text, and do not end a character.
            QCOMPARE(*tokenizer->decode(Ids{1, 311, 1281, 1282, 2}), std::string("def[N]"));
            QCOMPARE(*tokenizer->completion_text(prompt, ids, Ids{1280, 311, 1281}),
                     std::string("<|im_start|>def"));
        }
    }

    void added_tokens_of_older_folders() {
        const auto tokenizer =
            *SettingsFolder(
                 SettingsFolder::Files{
                     {"added_tokens.json", R"({"<|im_start|>": 1280, "<PAD>": 1281})"},
                     {"special_tokens_map.json", R"({"pad_token": "<PAD>", "bos_token": "</s>"})"}})
                 .open();
        QCOMPARE(*tokenizer->encode_prompt("<|im_start|>def"), (Ids{2, 1280, 311}));
        QCOMPARE(*tokenizer->decode(Ids{1280, 1281, 311}), std::string("<|im_start|>def"));
        // A token that was added and has no row in the embedding is no reason to refuse the model.
        ModelConfig config;
        config.vocab_size = 1280;
        QVERIFY(tokenizer->check_fits(config));
        config.vocab_size = 1279;
        QVERIFY(!tokenizer->check_fits(config));
    }

    void end_of_sequence_after_a_prompt() {
        const auto tokenizer =
            *SettingsFolder(SettingsFolder::Files{{config_file, R"({"add_eos_token": true})"}}).open();
        QCOMPARE(tokenizer->encode_prompt("def")->back(), 311);
        QCOMPARE(tokenizer->notices().size(), std::size_t{1});
        QVERIFY(tokenizer->notices().front().find("'add_eos_token' is true") != std::string::npos);
    }

    void wrong_settings_data() {
        QTest::addColumn<QString>("file");
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("sentence");
        QTest::newRow("no JSON") << config_file << QByteArray("{") << "tokenizer_config.json: expected JSON";
        QTest::newRow("a flag") << config_file << QByteArray(R"({"add_bos_token": "no"})")
                                << "'add_bos_token': expected true or false, found \"no\".";
        QTest::newRow("a token")
            << config_file << QByteArray(R"({"eos_token": 2})")
            << "'eos_token': expected a token's text, or an object with 'content', found 2.";
        QTest::newRow("an id") << config_file
                               << QByteArray(R"({"added_tokens_decoder": {"-1": {"content": "x"}}})")
                               << "'added_tokens_decoder.-1': expected a token id from 0 to";
        QTest::newRow("no content") << config_file << QByteArray(R"({"added_tokens_decoder": {"7": "x"}})")
                                    << "'added_tokens_decoder.7': expected an object with 'content', found";
        QTest::newRow("a huge id") << "added_tokens.json" << QByteArray(R"({"x": 18446744073709551615})")
                                   << "added_tokens.json: 'x': expected a token id from 0 to 4194303, found";
        QTest::newRow("a list") << "special_tokens_map.json" << QByteArray("[]")
                                << "found a list of 0 values.";
    }
    void wrong_settings() {
        QFETCH(QString, file);
        QFETCH(QByteArray, text);
        QFETCH(QString, sentence);
        QUANTSCOPE_REFUSED(
            SettingsFolder(SettingsFolder::Files{{file.toStdString(), text.toStdString()}}).open(),
            ErrorCode::bad_input, sentence.toStdString());
    }

    void missing() {
        const ScratchFolder folder;
        QUANTSCOPE_REFUSED(Tokenizer::open(folder.path()), ErrorCode::bad_input,
                           "expected a tokenizer, found neither tokenizer.model nor tokenizer.json.");
        write_file(folder / "tokenizer.json", "{}");
        QUANTSCOPE_REFUSED(Tokenizer::open(folder.path()), ErrorCode::bad_input,
                           "tokenizer.json: 'model': expected an object, found nothing.");
        fs::create_directory(folder / "tokenizer.model");
        QUANTSCOPE_REFUSED(Tokenizer::open(folder.path()), ErrorCode::io,
                           "expected a file, found a directory.");
    }

    /// tokenizer.model wins, and a notice says so and whether the two agree.
    void bothFiles() {
        const fs::path llama = fixture("../tokenizers/llama");
        const ScratchFolder folder;
        const auto notice = [&]() -> std::string {
            const auto tokenizer = Tokenizer::open(folder.path());
            return tokenizer && (*tokenizer)->path() == folder / "tokenizer.model" &&
                           (*tokenizer)->notices().size() == 1
                       ? (*tokenizer)->notices().front()
                       : told(tokenizer);
        };
        fs::copy_file(llama / "tokenizer.model", folder / "tokenizer.model");
        fs::copy_file(llama / "tokenizer.json", folder / "tokenizer.json");
        QVERIFY2(notice().ends_with("is used, not the tokenizer.json beside it; no difference was found."),
                 notice().c_str());
        auto changed = nlohmann::json::parse(read_file(llama / "tokenizer.json"));
        changed["normalizer"] = nullptr;
        write_file(folder / "tokenizer.json", changed.dump());
        QVERIFY2(notice().find("Warning: they do not agree: the ids of one and the same text differ from "
                               "place 1 on (") != std::string::npos,
                 notice().c_str());
        write_file(folder / "tokenizer.json", "{}");
        QVERIFY2(notice().find("which was not compared: ") != std::string::npos, notice().c_str());
    }

    /// The demo's model with a table of normalization behind it: a trie of 256 units and one replacement.
    void damaged_normalization_data() {
        QTest::addColumn<uint>("root");
        QTest::addColumn<uint>("leaf");
        QTest::addColumn<QByteArray>("replacements");
        QTest::addColumn<QString>("sentence");
        constexpr uint to_first = 1U << 10U | 1U << 8U; // its children begin at unit 1, the leaf
        constexpr uint leaf_bit = 1U << 31U;
        QTest::newRow("sound") << to_first << leaf_bit << QByteArray("x\0", 2) << QString();
        QTest::newRow("a unit far away") << (200000U << 10U) << leaf_bit << QByteArray("x\0", 2)
                                         << "leads out of itself: unit 0 of its 256 leads to unit 200191.";
        QTest::newRow("a replacement far away") << to_first << (leaf_bit | 2U) << QByteArray("x\0", 2)
                                                << "unit 1 names byte 2 of 2 bytes of replacements.";
        QTest::newRow("no end") << to_first << leaf_bit << QByteArray("xy")
                                << "its last replacement has no end.";
        QTest::newRow("no replacement")
            << to_first << leaf_bit << QByteArray() << "its trie has 1024 bytes of 1024.";
    }
    void damaged_normalization() {
        QFETCH(uint, root);
        QFETCH(uint, leaf);
        QFETCH(QByteArray, replacements);
        QFETCH(QString, sentence);
        std::vector<std::uint32_t> units(256, 1U << 31U);
        units[0] = root;
        units[1] = leaf;
        std::string map(4, '\0');
        map[1] = 4; // 1024 bytes
        map.append(reinterpret_cast<const char*>(units.data()), units.size() * sizeof units[0]);
        map += replacements.toStdString();
        const auto field = [](char key, const std::string& bytes) {
            std::string text{key};
            text.push_back(static_cast<char>(0x80U | (bytes.size() & 0x7FU)));
            text.push_back(static_cast<char>(bytes.size() >> 7U));
            return text + bytes;
        };
        const ScratchFolder folder;
        const fs::path demo = fs::path(QUANTSCOPE_SOURCE_DIR) / "resources/demo/model/tokenizer.model";
        write_file(folder / "tokenizer.model", read_file(demo) + field(0x1A, field(0x12, map)));
        const auto tokenizer = Tokenizer::open(folder.path());
        if (sentence.isEmpty()) {
            QVERIFY2(tokenizer, told(tokenizer).c_str());
            QVERIFY((*tokenizer)->encode("def f"));
        } else {
            QUANTSCOPE_REFUSED(tokenizer, ErrorCode::bad_input, sentence.toStdString());
            QVERIFY(tokenizer.error().message.starts_with((folder / "tokenizer.model").string()));
        }
    }

    void a_vocabulary_of_tiktoken() {
        const ScratchFolder folder;
        write_file(folder / "tokenizer.model", "IQ== 0\nIg== 1\nIw== 2\n");
        const auto refused = Tokenizer::open(folder.path());
        QUANTSCOPE_REFUSED(refused, ErrorCode::unsupported,
                           "tokenizer.model: expected a SentencePiece model, found a tiktoken vocabulary.");
        QVERIFY(refused.error().hint.find("T.from_pretrained('" + folder.path().string()) !=
                std::string::npos);
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
