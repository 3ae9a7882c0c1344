// SPDX-License-Identifier: Apache-2.0
// tokenizer.json: the ids are those of the `tokenizers` library, and what is not known is refused by name.
#include "engine/model/tokenizer_json.h"
#include "model_files.h"

#include <algorithm>
#include <array>

using namespace quantscope;
using namespace quantscope::test;
using nlohmann::json;

namespace {

using Ids = std::vector<std::int32_t>;
using Opened = Expected<std::shared_ptr<const Tokenizer>>;

fs::path tokenizers() {
    return fs::path(QUANTSCOPE_SOURCE_DIR) / "tests/fixtures/tokenizers";
}

json document(const fs::path& path) {
    return json::parse(read_file(path));
}

std::shared_ptr<const Tokenizer> tokenizer_of(const std::string& name) {
    return open_tokenizer_json(tokenizers() / name / "tokenizer.json").value_or(nullptr);
}

Opened made_of(const json& changed, const TokenizerSettings& settings = {}) {
    return make_bpe_tokenizer(changed, "tokenizer.json", settings);
}

/// A tokenizer with these members instead of gpt2's.
json gpt2_with(const json& patch) {
    json changed = document(tokenizers() / "gpt2/tokenizer.json");
    changed.merge_patch(patch);
    return changed;
}

std::string shown(const std::string& text, const Ids& found, const Ids& expected) {
    return json{{"text", text}, {"found", found}, {"expected", expected}}.dump();
}

} // namespace

class TestTokenizerJson : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void families_data() {
        QTest::addColumn<QString>("name");
        for (const char* name : {"gpt2", "llama3", "qwen2", "smollm", "llama", "llama-metaspace", "demo"}) {
            QTest::newRow(name) << name;
        }
    }
    void families() {
        QFETCH(QString, name);
        const fs::path folder = tokenizers() / name.toStdString();
        const auto tokenizer = open_tokenizer_json(folder / "tokenizer.json");
        QVERIFY2(tokenizer, told(tokenizer).c_str());
        const json golden = document(folder / "golden.json");
        QCOMPARE((*tokenizer)->vocab_size(), golden["vocab_size"].get<int>());
        QVERIFY(golden["cases"].size() > 50);
        for (const json& one : golden["cases"]) {
            const auto text = one["text"].get<std::string>();
            const auto ids = (*tokenizer)->encode(text);
            QVERIFY2(ids, told(ids).c_str());
            QVERIFY2(*ids == one["ids"].get<Ids>(), shown(text, *ids, one["ids"].get<Ids>()).c_str());
            QCOMPARE(*(*tokenizer)->decode(*ids), one.value("decoded", text));
        }
        const json& prompt = golden["prompt"];
        QCOMPARE(*(*tokenizer)->encode_prompt(prompt["text"].get<std::string>()), prompt["ids"].get<Ids>());
    }

    void components() {
        const json golden = document(tokenizers() / "components.json");
        QVERIFY(golden["cases"].size() > 60);
        for (const json& one : golden["cases"]) {
            json changed = {{"model", golden["models"][one["model"].get<std::string>()]}};
            changed["model"].merge_patch(one["options"]);
            for (const char* part : {"normalizer", "pre_tokenizer", "decoder", "added_tokens"}) {
                changed[part] = one[part];
            }
            const auto name = one["name"].get<std::string>();
            const Opened tokenizer = made_of(changed);
            QVERIFY2(tokenizer, (name + ": " + told(tokenizer)).c_str());
            for (std::size_t i = 0; i < golden["texts"].size(); ++i) {
                const auto text = golden["texts"][i].get<std::string>();
                const auto ids = (*tokenizer)->encode(text);
                QVERIFY2(ids, (name + ": " + told(ids)).c_str());
                QVERIFY2(*ids == one["ids"][i].get<Ids>(),
                         (name + ": " + shown(text, *ids, one["ids"][i].get<Ids>())).c_str());
                if (!one["decoded"].is_null()) {
                    QCOMPARE(*(*tokenizer)->decode(*ids), one["decoded"][i].get<std::string>());
                }
            }
        }
    }

    /// A folder whose class is LlamaTokenizer gets SentencePiece's own ids, in both forms of the file.
    void llamaGetsTheIdsOfSentencePiece_data() {
        QTest::addColumn<QString>("name");
        QTest::newRow("normalizer") << "llama";
        QTest::newRow("Metaspace") << "llama-metaspace";
    }
    void llamaGetsTheIdsOfSentencePiece() {
        QFETCH(QString, name);
        const json golden = document(tokenizers() / "llama/sentencepiece.json");
        TokenizerSettings settings;
        settings.tokenizer_class = "LlamaTokenizer";
        const auto tokenizer =
            made_of(document(tokenizers() / name.toStdString() / "tokenizer.json"), settings);
        QVERIFY2(tokenizer, told(tokenizer).c_str());
        for (const json& one : golden["cases"]) {
            const auto text = one["text"].get<std::string>();
            const Ids ids = *(*tokenizer)->encode(text);
            QVERIFY2(ids == one["ids"].get<Ids>(), shown(text, ids, one["ids"].get<Ids>()).c_str());
        }
        // Behind a special token as at the start.
        Ids behind = {1};
        const Ids section = *(*tokenizer)->encode(" def");
        behind.insert(behind.end(), section.begin(), section.end());
        QCOMPARE(*(*tokenizer)->encode("<s> def"), behind);
    }

    void textGrowsWithItsIds_data() { families_data(); }
    void textGrowsWithItsIds() {
        QFETCH(QString, name);
        const auto tokenizer = tokenizer_of(name.toStdString());
        const std::string text = "def f(x):\n    return '€ 😀 語' + \"é\"\n";
        const Ids ids = *tokenizer->encode(text);
        QVERIFY(ids.size() < text.size());
        std::string before;
        for (std::size_t count = 0; count <= ids.size(); ++count) {
            const auto now = tokenizer->decode(std::span(ids).first(count));
            QVERIFY2(now && now->starts_with(before), told(now).c_str());
            QVERIFY(text.starts_with(*now));
            before = *now;
        }
        QCOMPARE(before, text);
        // The continuation alone, cut at every place.
        for (std::size_t cut = 1; cut < ids.size(); ++cut) {
            const auto all = std::span(ids);
            const std::string prompt = *tokenizer->decode(all.first(cut));
            QCOMPARE(*tokenizer->completion_text(prompt, all.first(cut), all.subspan(cut)),
                     text.substr(prompt.size()));
        }
    }

    void everyByteComesBack() {
        for (const char* name : {"gpt2", "llama3", "smollm", "llama"}) {
            const auto tokenizer = tokenizer_of(name);
            for (char32_t c = 1; c < 0x11000; c += c < 0x900 ? 1 : 61) {
                if (c >= 0xD800 && c < 0xE000) {
                    continue;
                }
                const std::string text = QString::fromUcs4(&c, 1).toStdString() + "x";
                const Ids ids = *tokenizer->encode(text);
                const std::string decoded = *tokenizer->decode(ids);
                QVERIFY2(decoded == (c == 0x2581 && name == std::string("llama") ? " x" : text),
                         qPrintable(QString("%1: U+%2").arg(name).arg(static_cast<uint>(c), 0, 16)));
            }
        }
    }

    void textThatIsNotUtf8() {
        const auto tokenizer = tokenizer_of("gpt2");
        QCOMPARE(*tokenizer->encode("a\xFF\xE2\x82z"), *tokenizer->encode("a\uFFFD\uFFFDz"));
        QCOMPARE(*tokenizer->encode("\xED\xA0\x80"), *tokenizer->encode("\uFFFD\uFFFD\uFFFD"));
    }

    void idsWithoutText() {
        const auto gpt2 = tokenizer_of("gpt2");
        QCOMPARE(*gpt2->decode(Ids{-1, 1 << 30, gpt2->vocab_size(), 0}), std::string());
        const auto llama = tokenizer_of("llama");
        const Ids euro = *llama->encode("€");
        QCOMPARE(*llama->decode(Ids(euro.begin(), euro.end() - 1)), std::string());
        Ids stray(euro.rbegin(), euro.rend());
        QVERIFY(llama->decode(stray)->find("\uFFFD") != std::string::npos);
    }

    void beginningOfSequence() {
        const json llama = document(tokenizers() / "llama/tokenizer.json");
        const json plain = document(tokenizers() / "gpt2/tokenizer.json");
        QCOMPARE((*made_of(llama))->bos_id(), 1);
        QCOMPARE((*made_of(plain))->bos_id(), -1);
        TokenizerSettings settings;
        settings.eos_token = "</s>";
        settings.add_bos_token = false;
        const auto without = *made_of(llama, settings);
        QCOMPARE(without->eos_id(), 2);
        QCOMPARE(*without->encode_prompt("a"), *without->encode("a"));
        settings = {};
        settings.bos_token = "<|endoftext|>";
        QCOMPARE((*made_of(plain, settings))->encode_prompt("")->size(), std::size_t{0});
        settings.add_bos_token = true;
        QCOMPARE(*(*made_of(plain, settings))->encode_prompt(""), (Ids{0}));
    }

    void endOfSequenceIsNotPutBehindAPrompt() {
        json changed = document(tokenizers() / "llama/tokenizer.json");
        changed["post_processor"]["single"].push_back({{"SpecialToken", {{"id", "<s>"}, {"type_id", 0}}}});
        const auto tokenizer = *made_of(changed);
        QCOMPARE(*tokenizer->encode_prompt(""), (Ids{1}));
        QCOMPARE(tokenizer->notices().size(), std::size_t{1});
    }

    void bothFormsOfMerges() {
        json pairs = document(tokenizers() / "gpt2/tokenizer.json");
        json lines = pairs;
        for (json& merge : lines["model"]["merges"]) {
            merge = merge[0].get<std::string>() + " " + merge[1].get<std::string>();
        }
        lines["model"].erase("type"); // as the oldest files
        const std::string text = "def add(a, b):\n    return a + b\n";
        QCOMPARE(*(*made_of(lines))->encode(text), *(*made_of(pairs))->encode(text));
    }

    void refused_data() {
        QTest::addColumn<QString>("patch");
        QTest::addColumn<bool>("unsupported");
        QTest::addColumn<QString>("message");
        const auto add = [](const char* name, const char* patch, const char* message,
                            bool unsupported = true) {
            QTest::newRow(name) << patch << unsupported << message;
        };
        add("model", R"({"model": {"type": "Unigram"}})",
            "'model.type': expected the model BPE, found \"Unigram\"");
        add("no model", R"({"model": null})", "'model': expected an object, found nothing", false);
        add("version", R"({"version": "2.0"})", "'version': expected \"1.0\", found \"2.0\"");
        add("member", R"({"lattice": 1})", "'lattice': expected one of the members");
        add("normalizer", R"({"normalizer": {"type": "Precompiled", "precompiled_charsmap": ""}})",
            "'normalizer.type': expected one of the normalizers");
        add("inner",
            R"({"pre_tokenizer": {"type": "Sequence", "add_prefix_space": null, "trim_offsets": null, "use_regex": null, "pretokenizers": [{"type": "Digits"}, {"type": "Bert"}]}})",
            "'pre_tokenizer.pretokenizers[1].type': expected one of the pre-tokenizers");
        add("option", R"({"pre_tokenizer": {"fancy": true}})",
            "'pre_tokenizer.fancy': expected one of the members");
        add("decoder", R"({"decoder": {"type": "WordPiece"}})",
            "'decoder.type': expected one of the decoders");
        add("post-processor", R"({"post_processor": {"type": "BertProcessing"}})",
            "'post_processor.type': expected one of the post-processors");
        add("dropout", R"({"model": {"dropout": 0.1}})", "'model.dropout': expected null");
        add("affix", R"({"model": {"end_of_word_suffix": "</w>"}})",
            "'model.end_of_word_suffix': expected none");
        add("behavior",
            R"({"pre_tokenizer": {"type": "Punctuation", "behavior": "Odd", "add_prefix_space": null, "trim_offsets": null, "use_regex": null}})",
            "'pre_tokenizer.behavior': expected Removed");
        add("pattern", R"({"normalizer": {"type": "Replace", "pattern": {"Regex": "\\h+"}, "content": ""}})",
            "'normalizer.pattern.Regex': expected a regular expression that Quantscope can run, found a "
            "pattern with the escape \\h");
        add("broken pattern",
            R"({"normalizer": {"type": "Replace", "pattern": {"Regex": "*a"}, "content": ""}})",
            "found no regular expression (quantifier does not follow a repeatable item)");
        add("stop",
            R"({"decoder": {"type": "Strip", "content": " ", "start": 0, "stop": 1, "add_prefix_space": null, "trim_offsets": null, "use_regex": null}})",
            "'decoder.stop': expected 0");
        add("id", R"({"added_tokens": [{"id": 12345, "content": "<x>"}]})",
            "'added_tokens[0].id': expected 700, the next free id, found 12345", false);
        add("known id", R"({"added_tokens": [{"id": 5, "content": "<|endoftext|>"}]})",
            "'added_tokens[0].id': expected 0, as in the vocabulary, found 5", false);
        add("merge", R"({"model": {"merges": [["a", "nowhere"]]}})",
            "'model.merges[0]': expected two tokens whose union is one, found 'nowhere'", false);
        add("merge form", R"({"model": {"merges": ["a b c"]}})", "'model.merges[0]': expected two tokens",
            false);
        add("vocabulary", R"({"model": {"vocab": {"x": 4194304}}})",
            "'model.vocab.x': expected an integer from 0", false);
        add("shared id", R"({"model": {"vocab": {"x": 5}}})", "expected an id of its own", false);
        add("unk", R"({"model": {"unk_token": "[UNK]"}})",
            "'model.unk_token': expected a token of the vocabulary", false);
        add("template",
            R"({"post_processor": {"type": "TemplateProcessing", "add_prefix_space": null, "trim_offsets": null, "use_regex": null, "single": []}})",
            "'post_processor.single': expected a template with the text once", false);
    }
    void refused() {
        QFETCH(QString, patch);
        QFETCH(bool, unsupported);
        QFETCH(QString, message);
        QUANTSCOPE_REFUSED(made_of(gpt2_with(json::parse(patch.toStdString()))),
                           unsupported ? ErrorCode::unsupported : ErrorCode::bad_input,
                           "tokenizer.json: " +
                               (message.startsWith('\'') ? message.toStdString() : std::string("'")));
        QUANTSCOPE_REFUSED(made_of(gpt2_with(json::parse(patch.toStdString()))),
                           unsupported ? ErrorCode::unsupported : ErrorCode::bad_input,
                           message.toStdString());
    }

    /// A pattern that backtracks without end is an error, soon.
    void patternThatNeverEnds() {
        const auto tokenizer = made_of(gpt2_with(
            {{"normalizer",
              {{"type", "Replace"}, {"pattern", {{"Regex", "(?:(?:a|a)+)+$"}}}, {"content", ""}}}}));
        QVERIFY2(tokenizer, told(tokenizer).c_str());
        const auto ids = (*tokenizer)->encode(std::string(100, 'a') + "b");
        QVERIFY(!ids);
        QVERIFY2(ids.error().message.find("tokenizer.json: the pattern (?:(?:a|a)+)+$ cannot be matched on a "
                                          "text of 101 bytes: ") == 0,
                 ids.error().message.c_str());
    }

    void textThatGrowsWithoutBounds() {
        json steps = json::array();
        for (int i = 0; i < 40; ++i) {
            steps.push_back({{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aaaaaaaa"}});
        }
        const auto tokenizer =
            made_of(gpt2_with({{"normalizer", {{"type", "Sequence"}, {"normalizers", steps}}}}));
        QVERIFY2(tokenizer, told(tokenizer).c_str());
        QVERIFY(!(*tokenizer)->encode("aaa"));
        steps = json(json::array());
        for (int i = 0; i < 40; ++i) {
            steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", true}, {"use_regex", false}});
        }
        const auto doubling = made_of(gpt2_with({{"pre_tokenizer",
                                                  {{"type", "Sequence"},
                                                   {"pretokenizers", steps},
                                                   {"add_prefix_space", nullptr},
                                                   {"trim_offsets", nullptr},
                                                   {"use_regex", nullptr}}}}));
        QVERIFY2(doubling, told(doubling).c_str());
        QVERIFY(!(*doubling)->encode("é"));
    }

    /// Nothing in it costs the square of a text's length.
    void longTextsWithoutWords() {
        for (const char* name : {"gpt2", "llama"}) {
            const auto tokenizer = tokenizer_of(name);
            for (const char* unit : {"a", " ", "\n", "é", "<", "ab"}) {
                std::string text;
                while (text.size() < 400'000) {
                    text += unit;
                }
                QCOMPARE(*tokenizer->decode(*tokenizer->encode(text)), text);
            }
        }
    }

    void speed() {
        std::string text;
        for (const auto& entry :
             fs::directory_iterator(fs::path(QUANTSCOPE_SOURCE_DIR) / "tests/engine/model")) {
            text += entry.path().extension() == ".cpp" ? read_file(entry.path()) : std::string();
        }
        const auto tokenizer = tokenizer_of("qwen2");
        QBENCHMARK {
            QVERIFY(tokenizer->encode(text));
        }
    }
};

QTEST_APPLESS_MAIN(TestTokenizerJson)
#include "tst_tokenizer_json.moc"
