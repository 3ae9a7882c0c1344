// SPDX-License-Identifier: Apache-2.0
// Damaged tokenizer.json files, always the same: each is read or refused with a sentence, and nothing
// crashes, hangs or grows. QUANTSCOPE_FUZZ_INPUTS asks for more of them than the suite has time for.
#include "engine/model/tokenizer_json.h"
#include "model_files.h"

#include <algorithm>
#include <array>
#include <random>

using namespace quantscope;
using namespace quantscope::test;
using nlohmann::json;

namespace {

constexpr int default_inputs = 3000;

fs::path tokenizers() {
    return fs::path(QUANTSCOPE_SOURCE_DIR) / "tests/fixtures/tokenizers";
}

int inputs() {
    const int wanted = qEnvironmentVariableIntValue("QUANTSCOPE_FUZZ_INPUTS");
    return wanted > 0 ? wanted : default_inputs;
}

class Mutator {
  public:
    explicit Mutator(unsigned seed) : random_(seed) {}

    std::size_t below(std::size_t limit) { return limit == 0 ? 0 : random_() % limit; }

    /// Another value somewhere in the document: of another type, out of range, a copy of another part.
    void change(json& document, const std::vector<json>& parts) {
        json* at = &document;
        while (at->is_structured() && !at->empty() && (at == &document || below(5) != 0)) {
            auto member = at->begin();
            // Of thousands of merges and tokens the first ones do as well as any.
            std::advance(member, static_cast<std::ptrdiff_t>(below(std::min<std::size_t>(at->size(), 20))));
            if (below(12) == 0) {
                at->erase(member);
                return;
            }
            at = &*member;
        }
        if (at == &document) {
            return;
        }
        if (at->is_string() && below(2) == 0) {
            *at = damaged_text(at->get<std::string>());
        } else {
            *at = below(3) == 0 && !parts.empty() ? parts[below(parts.size())] : odd_value();
        }
    }

    std::string damaged_bytes(std::string bytes) {
        for (std::size_t i = 0; i <= below(3); ++i) {
            const std::size_t at = below(bytes.size());
            switch (below(4)) {
            case 0: bytes.insert(at, bytes.substr(at, 1 + below(8))); break;
            case 1: bytes.erase(at, 1 + below(8)); break;
            case 2: bytes[at] = "0123456789-.eE\"[]{},:\\"[below(22)]; break;
            default: bytes[at] = static_cast<char>(random_()); break;
            }
        }
        return bytes;
    }

  private:
    json odd_value() {
        static const std::array<json, 22> values = {json(),
                                                    json(true),
                                                    json(false),
                                                    json(0),
                                                    json(-1),
                                                    json(1e300),
                                                    json(4294967296LL),
                                                    json(4194303),
                                                    json(""),
                                                    json(" "),
                                                    json("a"),
                                                    json("\u2581"),
                                                    json("\u0000"),
                                                    json("(a+)+$"),
                                                    json("(?:.*x)*y"),
                                                    json("["),
                                                    json(R"(\p{L}+)"),
                                                    json::array(),
                                                    json::object(),
                                                    json("first"),
                                                    json("\uFDFA\uFDFA"),
                                                    json(std::string(2000, 'a'))};
        return values[below(values.size())];
    }
    std::string damaged_text(std::string text) {
        static const std::array<const char*, 16> inserts = {"\\",     "(",    ")",   "[^",  "]",  "{9,999}",
                                                            "+",      "*?",   "(?=", "\\p", ".*", "|",
                                                            "\u00e9", "(?i)", "\\s", "{,"};
        if (below(3) == 0 && !text.empty()) {
            text.erase(below(text.size()), 1);
        } else {
            text.insert(below(text.size() + 1), inserts[below(inserts.size())]);
        }
        // Only a valid string can stand in a document.
        return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())).toStdString();
    }

    std::mt19937 random_;
};

/// The parts that one document may have of another.
std::vector<json> parts_of(const json& document) {
    std::vector<json> parts;
    for (const char* key : {"normalizer", "pre_tokenizer", "decoder", "post_processor", "added_tokens"}) {
        if (document.contains(key)) {
            parts.push_back(document[key]);
        }
    }
    return parts;
}

const char* const text =
    "def f(x):\n  return '€' + \"12345\"  # <s> it's\r\n\n   aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u11a7";

} // namespace

class TestTokenizerFuzz : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void documents() {
        std::vector<json> seeds;
        std::vector<json> parts;
        for (const char* name : {"gpt2", "llama3", "qwen2", "smollm", "llama", "llama-metaspace"}) {
            json document = json::parse(read_file(tokenizers() / name / "tokenizer.json"));
            // A few hundred tokens would only cost time.
            document["model"]["merges"].erase(document["model"]["merges"].begin() + 40,
                                              document["model"]["merges"].end());
            seeds.push_back(document);
            const auto more = parts_of(document);
            parts.insert(parts.end(), more.begin(), more.end());
        }
        const json golden = json::parse(read_file(tokenizers() / "components.json"));
        for (const json& one : golden["cases"]) {
            const auto more = parts_of(one);
            parts.insert(parts.end(), more.begin(), more.end());
        }
        int read = 0;
        int encoded = 0;
        for (int input = 0; input < inputs(); ++input) {
            Mutator mutator(static_cast<unsigned>(input));
            json document = seeds[mutator.below(seeds.size())];
            for (std::size_t i = 0; i <= mutator.below(3); ++i) {
                mutator.change(document, parts);
            }
            TokenizerSettings settings;
            settings.tokenizer_class = mutator.below(4) == 0 ? "LlamaTokenizer" : "";
            const auto tokenizer = make_bpe_tokenizer(document, "tokenizer.json", settings);
            if (!tokenizer) {
                QVERIFY2(tokenizer.error().message.starts_with("tokenizer.json: "),
                         qPrintable(QString("input %1: %2").arg(input).arg(told(tokenizer).c_str())));
                QVERIFY(!tokenizer.error().hint.empty());
                continue;
            }
            ++read;
            const auto ids = (*tokenizer)->encode_prompt(text);
            if (!ids) {
                QVERIFY2(ids.error().message.starts_with("tokenizer.json: "), told(ids).c_str());
                continue;
            }
            ++encoded;
            QVERIFY(std::all_of(ids->begin(), ids->end(),
                                [&](std::int32_t id) { return id >= 0 && id < (*tokenizer)->vocab_size(); }));
            (void)(*tokenizer)->completion_text(text, *ids, *ids);
        }
        QVERIFY2(read > inputs() / 20 && encoded > inputs() / 20 && read < inputs(),
                 qPrintable(QString("%1 of %2 read, %3 encoded").arg(read).arg(inputs()).arg(encoded)));
    }

    void bytes() {
        const ScratchFolder folder;
        const std::string good = read_file(tokenizers() / "llama3/tokenizer.json");
        int read = 0;
        const int count = inputs() / 5;
        for (int input = 0; input < count; ++input) {
            Mutator mutator(static_cast<unsigned>(input));
            write_file(folder / "tokenizer.json", mutator.damaged_bytes(good));
            const auto tokenizer = open_tokenizer_json(folder / "tokenizer.json");
            if (!tokenizer) {
                QVERIFY2(tokenizer.error().message.find("tokenizer.json: ") != std::string::npos,
                         told(tokenizer).c_str());
                continue;
            }
            ++read;
            (void)(*tokenizer)->encode(text);
        }
        QVERIFY2(read > 0 && read < count, qPrintable(QString("%1 of %2 read").arg(read).arg(count)));
    }
};

QTEST_APPLESS_MAIN(TestTokenizerFuzz)
#include "tst_tokenizer_fuzz.moc"
