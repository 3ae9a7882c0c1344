// SPDX-License-Identifier: Apache-2.0
#include "golden_model.h"
#include "synthetic_model.h"

#include <QTemporaryDir>
#include <QtTest>

using namespace quantscope;
using namespace quantscope::test;

/// The CPU session's promises: memory, batch invariance of logits, errors as sentences.
class SessionTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void memoryIsWhatTheSchemeSays_data();
    void memoryIsWhatTheSchemeSays();
    void logitsDoNotDependOnTheBatch_data();
    void logitsDoNotDependOnTheBatch();
    void greedyIsTheLargestLogit();
    void nanWeightsAreNamed_data();
    void nanWeightsAreNamed();
    void badStepsAreRefused();
    void badLimitsAreRefused();
    void backendsByName();
    void unsupportedSchemesAreRefused();

  private:
    QTemporaryDir folder_;
    std::shared_ptr<const Checkpoint> large_; ///< one layer, hidden 1024
};

namespace {

std::shared_ptr<const Checkpoint> open(const QTemporaryDir& folder) {
    return value(Checkpoint::open(folder.path().toStdString()));
}

std::string createError(const Checkpoint& checkpoint, const Scheme& scheme, SessionLimits limits) {
    const auto session = value(make_backend("cpu"))->create(checkpoint, scheme, limits);
    return session ? std::string() : session.error().message;
}

void addSchemes() {
    QTest::addColumn<QString>("scheme");
    for (const Scheme& scheme : all_schemes()) {
        QTest::newRow(scheme.id.data()) << QString::fromUtf8(scheme.id.data());
    }
}

} // namespace

void SessionTest::initTestCase() {
    write_synthetic_model(folder_.path().toStdString(), {.hidden = 1024,
                                                         .intermediate = 2816,
                                                         .layers = 1,
                                                         .heads = 16,
                                                         .kv_heads = 8,
                                                         .vocab = 512,
                                                         .context = 256});
    large_ = open(folder_);
}

void SessionTest::memoryIsWhatTheSchemeSays_data() {
    QTest::addColumn<QString>("scheme");
    QTest::addColumn<double>("least");
    QTest::addColumn<double>("most");
    QTest::newRow("fp16") << "fp16" << 2.0 << 2.0;
    QTest::newRow("int8") << "int8" << 1.0 << 1.02;
    QTest::newRow("w4a8") << "w4a8" << 0.5 << 0.52;
    QTest::newRow("w4a4-rtn") << "w4a4-rtn" << 0.5 << 0.52;
    QTest::newRow("w4a4-rot") << "w4a4-rot" << 0.5 << 0.52;
    QTest::newRow("int8+kv8") << "int8+kv8" << 1.0 << 1.02;
    QTest::newRow("w4a4-rot+kv8") << "w4a4-rot+kv8" << 0.5 << 0.52;
}

void SessionTest::memoryIsWhatTheSchemeSays() {
    QFETCH(QString, scheme);
    QFETCH(double, least);
    QFETCH(double, most);
    const auto session = open_session(*large_, *find_scheme(scheme.toStdString()), 2);
    const MemoryReport memory = session->memory();
    const std::int64_t weights = 1024 * 64 * (16 + 8 + 8) + 1024 * 1024 + 3 * 1024 * 2816;
    QCOMPARE(memory.linear_weight_count, weights);
    const double bytes = static_cast<double>(memory.linear_weight_bytes) / static_cast<double>(weights);
    QVERIFY2(bytes >= least && bytes <= most, qPrintable(QString::number(bytes)));
    const std::int64_t head = scheme == QLatin1String("fp16")           ? 64 * 4  // f32
                              : scheme.endsWith(QStringLiteral("+kv8")) ? 64 + 4  // codes and their scale
                                                                        : 64 * 2; // halves
    QCOMPARE(memory.kv_cache_bytes, 2 * head * 2 * 256 * 8); // keys and values of 2 slots
    const std::int64_t table = 512 * 1024 * 2;
    QVERIFY(memory.other_weight_bytes >= 2 * table && memory.other_weight_bytes < 2 * table + 20'000);
    QVERIFY(memory.workspace_bytes > 0);
    QCOMPARE(session->bytes_per_decode_step(2, 100),
             memory.linear_weight_bytes + table + std::int64_t{2} * 100 * 2 * 8 * head);
}

void SessionTest::logitsDoNotDependOnTheBatch_data() {
    addSchemes();
}

void SessionTest::logitsDoNotDependOnTheBatch() {
    QFETCH(QString, scheme);
    const int slots = 33;
    QTemporaryDir folder;
    write_synthetic_model(folder.path().toStdString(), {.hidden = 512,
                                                        .intermediate = 1408,
                                                        .layers = 1,
                                                        .heads = 8,
                                                        .kv_heads = 4,
                                                        .vocab = 512,
                                                        .context = 128});
    const auto session = open_session(*open(folder), *find_scheme(scheme.toStdString()), slots);
    const auto vocab = static_cast<std::size_t>(session->vocab_size());
    // Slot s gets a prompt of its own length (beyond oneDNN's 32 rows for the longest), then 3 tokens.
    std::vector<std::vector<std::int32_t>> prompts;
    for (int slot = 0; slot < slots; ++slot) {
        std::vector<std::int32_t> prompt;
        for (int i = 0; i < 1 + slot * 3; ++i) {
            prompt.push_back(3 + (slot * 37 + i * 11) % 500);
        }
        prompts.push_back(std::move(prompt));
    }
    const auto runSlots = [&](std::span<const int> which) {
        std::vector<SlotInput> inputs;
        for (const int slot : which) {
            session->reset(slot);
            inputs.push_back({slot, prompts[static_cast<std::size_t>(slot)]});
        }
        std::vector<float> logits(which.size() * vocab);
        for (int step = 0; step < 4; ++step) {
            value(session->step(inputs, logits));
            for (SlotInput& input : inputs) {
                input.tokens =
                    std::span(prompts.back()).subspan(static_cast<std::size_t>(input.slot + step), 1);
            }
        }
        return logits;
    };
    std::vector<int> all(slots);
    std::iota(all.begin(), all.end(), 0);
    const std::vector<float> together = runSlots(all);
    for (const std::size_t batch : {1U, 3U, 8U, 32U}) {
        for (std::size_t first = 0; first + batch <= all.size(); first += batch == 1 ? 7 : batch) {
            const std::vector<float> part = runSlots(std::span(all).subspan(first, batch));
            QVERIFY2(std::equal(part.begin(), part.end(),
                                together.begin() + static_cast<std::ptrdiff_t>(first * vocab)),
                     qPrintable(QStringLiteral("slots from %1, batch %2").arg(first).arg(batch)));
        }
    }
}

void SessionTest::greedyIsTheLargestLogit() {
    const auto session = open_session(*large_, *find_scheme("int8"), 2);
    const std::vector<std::int32_t> prompt{1, 5, 9};
    const std::array<SlotInput, 2> inputs{SlotInput{1, prompt}, SlotInput{0, std::span(prompt).first(1)}};
    std::vector<float> logits(1024);
    std::vector<std::int32_t> ids(2);
    value(session->step(inputs, logits));
    QCOMPARE(session->length(1), 3);
    session->reset(0);
    session->reset(1);
    QCOMPARE(session->length(1), 0);
    value(session->step_greedy(inputs, ids));
    for (std::ptrdiff_t row = 0; row < 2; ++row) {
        const auto start = logits.begin() + row * 512;
        QCOMPARE(ids[static_cast<std::size_t>(row)], std::max_element(start, start + 512) - start);
    }
}

void SessionTest::nanWeightsAreNamed_data() {
    QTest::addColumn<QString>("tensor");
    QTest::addColumn<int>("bits");
    QTest::newRow("NaN linear") << "model.layers.0.mlp.up_proj.weight" << 0x7fc0;
    QTest::newRow("infinite norm") << "model.norm.weight" << 0x7f80;
    QTest::newRow("infinite embedding") << "model.embed_tokens.weight" << 0xff80;
}

void SessionTest::nanWeightsAreNamed() {
    QFETCH(QString, tensor);
    QFETCH(int, bits);
    QTemporaryDir folder;
    write_synthetic_model(
        folder.path().toStdString(),
        {.hidden = 128, .intermediate = 128, .layers = 1, .heads = 2, .kv_heads = 2, .vocab = 64},
        [&](const std::string& name, std::vector<std::uint16_t>& values) {
            if (name == tensor.toStdString()) {
                values[7] = static_cast<std::uint16_t>(bits);
            }
        });
    const auto session = value(make_backend("cpu"))->create(*open(folder), *find_scheme("int8"), {1, 0});
    QVERIFY(!session);
    QCOMPARE(session.error().code, ErrorCode::bad_input);
    QVERIFY2(session.error().message.find(tensor.toStdString()) != std::string::npos,
             session.error().message.c_str());
}

void SessionTest::badStepsAreRefused() {
    const auto session = open_session(*large_, *find_scheme("fp16"), 2, 8);
    std::vector<std::int32_t> ids(1);
    const auto refusal = [&](int slot, const std::vector<std::int32_t>& tokens) {
        const SlotInput input{slot, tokens};
        const auto result = session->step_greedy({&input, 1}, ids);
        return result ? std::string() : result.error().message;
    };
    QCOMPARE(refusal(2, {1}), std::string("Slot 2 does not exist: this session has slots 0 to 1."));
    QCOMPARE(refusal(0, {}), std::string("Slot 0 is given no tokens."));
    QCOMPARE(refusal(0, {3, 512}), std::string("Token id 512 is outside the model's vocabulary of 512."));
    QCOMPARE(refusal(0, {1, 2, 3, 4, 5, 6, 7}), std::string());
    QCOMPARE(refusal(0, {8, 9}),
             std::string("Slot 0 holds 7 tokens and cannot take 2 more: the context length is 8."));
    QCOMPARE(session->length(0), 7); // a refused step leaves the slot as it was
    const std::vector<std::int32_t> token{1};
    const std::array<SlotInput, 2> twice{SlotInput{1, token}, SlotInput{1, token}};
    ids.resize(2);
    const auto result = session->step_greedy(twice, ids);
    QVERIFY(!result);
    QCOMPARE(result.error().message, std::string("Slot 1 is given twice in one step."));
}

void SessionTest::badLimitsAreRefused() {
    const Scheme& scheme = *find_scheme("fp16");
    QCOMPARE(
        createError(*large_, scheme, {0, 0}),
        std::string(
            "A session needs at least 1 slot and a context of 0 (the model's own) or more; got 0 slots and a "
            "context of 0."));
    QVERIFY(createError(*large_, scheme, {1, 257}).find("A context of 257 tokens was asked for") == 0);
    const auto huge = value(make_backend("cpu"))->create(*large_, scheme, {100'000'000, 256});
    QVERIFY(!huge);
    QCOMPARE(huge.error().code, ErrorCode::out_of_memory);
}

void SessionTest::backendsByName() {
    QCOMPARE(value(make_backend("cpu"))->device().id, std::string("cpu"));
    QVERIFY(make_backend("auto").has_value());
    const auto unknown = make_backend("tpu");
    QVERIFY(!unknown);
    QCOMPARE(unknown.error().message, std::string("There is no backend named \"tpu\"."));
    QVERIFY(!list_devices().empty());
#ifndef QUANTSCOPE_HAVE_CUDA
    const auto cuda = make_backend("cuda");
    if (!cuda) { // this test is not told whether the build has CUDA
        QVERIFY(!cuda.error().message.empty() && !cuda.error().hint.empty());
    }
#endif
}

void SessionTest::unsupportedSchemesAreRefused() {
    Scheme odd = *find_scheme("int8");
    odd.activations = Precision::fp16;
    QVERIFY(createError(*large_, odd, {1, 0}).find("The CPU backend cannot run scheme int8") == 0);
    odd = *find_scheme("int8");
    odd.kv_cache = Precision::int4;
    QVERIFY(!value(make_backend("cpu"))->supports(odd));
}

QTEST_APPLESS_MAIN(SessionTest)
#include "tst_session.moc"
