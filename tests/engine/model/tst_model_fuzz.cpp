// SPDX-License-Identifier: Apache-2.0
// Damaged model files, thousands of them, always the same: each is read or refused, and nothing crashes.
// Under the asan preset this also finds reads beyond a mapping.
#include "engine/model/checkpoint.h"
#include "engine/model/safetensors.h"
#include "engine/model/safetensors_index.h"
#include "engine/model/tokenizer.h"
#include "model_files.h"

#include <cmath>
#include <random>

using namespace quantscope;
using namespace quantscope::test;

namespace {

/// Up to four changes: bytes set, runs doubled, removed or overwritten by a copy of another run, or a
/// truncation.
std::string damaged(const std::string& good, unsigned seed, std::size_t begin, std::size_t end) {
    std::mt19937 random(seed);
    const auto below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
    std::string bytes = good;
    const std::size_t changes = 1 + below(4);
    for (std::size_t i = 0; i < changes; ++i) {
        const std::size_t limit = std::min(end, bytes.size());
        const std::size_t at = begin + below(limit - std::min(begin, limit));
        if (at >= bytes.size()) {
            break;
        }
        const std::size_t run = 1 + below(8);
        switch (below(6)) {
        case 0: bytes.insert(at, bytes.substr(at, run)); break;
        case 1: bytes.erase(at, run); break;
        case 2: bytes.resize(at); break;
        case 3: bytes[at] = "0123456789-.eE\"[]{},:"[below(21)]; break;
        default: bytes[at] = static_cast<char>(random()); break;
        }
    }
    return bytes;
}

/// Touches all that a reader hands out.
double sum_of(const Checkpoint& checkpoint) {
    const ModelConfig& config = checkpoint.config();
    const std::vector<std::int64_t> shape = {config.vocab_size, config.hidden_size};
    const auto tensor = checkpoint.tensor("model.embed_tokens.weight", shape);
    double sum = 0.0;
    if (tensor && check_finite(*tensor)) {
        std::vector<float> values(static_cast<std::size_t>(tensor->element_count()));
        to_f32(*tensor, 0, values);
        for (const float value : values) {
            sum += value;
        }
    }
    return sum;
}

struct Count {
    int read = 0;
    int refused = 0;

    template<class T>
    bool add(const Expected<T>& result) {
        ++(result ? read : refused);
        return result || (!result.error().message.empty() && result.error().message.back() == '.');
    }
};

} // namespace

class TestModelFuzz : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void safetensors_headers() {
        const ScratchFolder folder("tied");
        const fs::path path = folder / "model.safetensors";
        const std::string good = read_file(path);
        const std::size_t header_end = SafetensorsFile::open(path)->header_size();
        Count count;
        for (unsigned seed = 0; seed < 3000; ++seed) {
            // The length field, the data, or the header.
            const auto [begin, end] = seed % 8 == 0   ? std::pair(std::size_t{0}, std::size_t{8})
                                      : seed % 8 == 1 ? std::pair(header_end, good.size())
                                                      : std::pair(std::size_t{8}, header_end);
            write_file(path, damaged(good, seed, begin, end));
            const auto checkpoint = Checkpoint::open(folder.path());
            QVERIFY2(count.add(checkpoint),
                     qPrintable(QString("seed %1: %2").arg(seed).arg(told(checkpoint).c_str())));
            if (checkpoint) {
                QVERIFY(std::isfinite(sum_of(**checkpoint)));
            }
        }
        // Both ends happen, or the damage is too coarse or too fine to mean anything.
        QVERIFY(count.refused > 2000);
        QVERIFY(count.read > 50);
    }

    void configs() {
        for (const char* name : {"rope-llama3", "mistral"}) {
            const std::string good = read_file(fixture(name) / "config.json");
            Count count;
            for (unsigned seed = 0; seed < 4000; ++seed) {
                const auto config = parse_model_config(damaged(good, seed, 0, good.size()), "/models/x");
                QVERIFY2(count.add(config),
                         qPrintable(QString("seed %1: %2").arg(seed).arg(told(config).c_str())));
                if (config) {
                    QVERIFY(config->hidden_size > 0 && config->num_attention_heads > 0 &&
                            config->head_dim > 0);
                    QVERIFY(config->num_attention_heads % config->num_key_value_heads == 0);
                    QVERIFY(config->vocab_size > 0 && config->bos_token_id < config->vocab_size);
                    QVERIFY(std::isfinite(config->rope_theta) && config->rope_theta > 0.0);
                    QVERIFY(config->rope_scaling.factor >= 1.0);
                }
            }
            QVERIFY(count.refused > 1000);
            QVERIFY(count.read > 100);
        }
    }

    void indexes() {
        const ScratchFolder folder("sharded");
        const fs::path path = folder / "model.safetensors.index.json";
        const std::string good = read_file(path);
        Count count;
        for (unsigned seed = 0; seed < 1000; ++seed) {
            write_file(path, damaged(good, seed, 0, good.size()));
            const auto checkpoint = Checkpoint::open(folder.path());
            QVERIFY2(count.add(checkpoint),
                     qPrintable(QString("seed %1: %2").arg(seed).arg(told(checkpoint).c_str())));
        }
        QVERIFY(count.refused > 500);
    }

    void tokenizers() {
        for (const char* name : {"tied", "tokenizer-bytes"}) {
            const ScratchFolder folder;
            const std::string good = read_file(fixture(name) / "tokenizer.model");
            Count count;
            for (unsigned seed = 0; seed < 500; ++seed) {
                write_file(folder / "tokenizer.model", damaged(good, seed, 0, good.size()));
                const auto tokenizer = Tokenizer::open(folder.path());
                QVERIFY2(count.add(tokenizer),
                         qPrintable(QString("seed %1: %2").arg(seed).arg(told(tokenizer).c_str())));
                if (tokenizer) {
                    const auto ids = (*tokenizer)->encode_prompt("def f(x):\n  return '€' ");
                    if (ids) {
                        (void)(*tokenizer)->completion_text("def", *ids, *ids);
                    }
                }
            }
            QVERIFY(count.refused > 100);
            QVERIFY(count.read > 20);
        }
    }
};

QTEST_APPLESS_MAIN(TestModelFuzz)
#include "tst_model_fuzz.moc"
