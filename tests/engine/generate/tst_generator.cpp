// SPDX-License-Identifier: Apache-2.0
#include "engine/generate/generator.h"
#include "engine/generate/stop_finder.h"
#include "engine/model/tokenizer.h"
#include "golden_model.h"

#include <QtTest>
#include <map>

using namespace quantscope;
using namespace quantscope::test;

/// Batched generation on tiny random models: any token can follow any other, which is the hardest case for
/// order and refill, and the easiest for telling two completions apart.
class GeneratorTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void completionsDoNotDependOnTheBatch_data();
    void completionsDoNotDependOnTheBatch();
    void samplesDoNotDependOnTheBatch();
    void samplesDifferBySampleAndSeed();
    void slotsAreRefilled();
    void stopStringsCutTheCompletion();
    void noStopIsMissed_data();
    void noStopIsMissed();
    void tokensAloneNeedNoTokenizer();
    void eosEndsASequence();
    void contextEndsASequence();
    void badRequestsLetTheOthersGoOn();
    void cancelStops();
    void refusesABatchBeyondTheSlots();

  private:
    using Results = std::map<std::size_t, GenerationResult>;
    std::vector<GenerationRequest> requests(int count, int new_tokens, Sampling sampling = {}) const;
    Results run(Session& session, const std::vector<GenerationRequest>& requests,
                GenerationOptions options) const;

    std::shared_ptr<const Checkpoint> checkpoint_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::unique_ptr<Session> session_; ///< fp16, 8 slots
};

void GeneratorTest::initTestCase() {
    checkpoint_ = open_model("tied");
    tokenizer_ = value(Tokenizer::open(model_folder("tied")));
    session_ = open_session(*checkpoint_, *find_scheme("fp16"), 8);
}

std::vector<GenerationRequest> GeneratorTest::requests(int count, int new_tokens, Sampling sampling) const {
    const std::vector<std::string> texts = {"def add(a, b):\n", "return", "x", "for i in range",
                                            "    if a:\n"};
    std::vector<GenerationRequest> all;
    for (int i = 0; i < count; ++i) {
        GenerationRequest request;
        request.prompt_text = texts[static_cast<std::size_t>(i) % texts.size()];
        request.prompt = value(tokenizer_->encode_prompt(request.prompt_text));
        request.prompt.resize(std::min<std::size_t>(request.prompt.size(), 20));
        request.max_new_tokens = new_tokens + i % 5;
        request.sampling = sampling;
        request.key = {.seed = 7, .problem = static_cast<std::uint64_t>(i), .sample = 0};
        all.push_back(std::move(request));
    }
    return all;
}

GeneratorTest::Results GeneratorTest::run(Session& session, const std::vector<GenerationRequest>& requests,
                                          GenerationOptions options) const {
    Results results;
    options.on_done = [&](GenerationResult result) {
        const std::size_t request = result.request;
        results.emplace(request, std::move(result));
    };
    value(generate(session, *tokenizer_, requests, options));
    return results;
}

void GeneratorTest::completionsDoNotDependOnTheBatch_data() {
    QTest::addColumn<QString>("scheme");
    for (const Scheme& scheme : all_schemes()) {
        QTest::newRow(scheme.id.data()) << QString::fromUtf8(scheme.id.data());
    }
}

void GeneratorTest::completionsDoNotDependOnTheBatch() {
    QFETCH(QString, scheme);
    const auto session = open_session(*checkpoint_, *find_scheme(scheme.toStdString()), 32);
    const auto wanted = requests(37, 12);
    const Results alone = run(*session, wanted, {.batch_size = 1});
    QCOMPARE(alone.size(), wanted.size());
    for (const int batch : {3, 8, 32}) {
        const Results together = run(*session, wanted, {.batch_size = batch});
        QCOMPARE(together.size(), alone.size());
        for (const auto& [request, result] : alone) {
            QVERIFY2(together.at(request).tokens == result.tokens,
                     qPrintable(QStringLiteral("request %1 at batch %2").arg(request).arg(batch)));
        }
    }
}

void GeneratorTest::samplesDoNotDependOnTheBatch() {
    const auto wanted = requests(11, 8, {.temperature = 0.8, .top_p = 0.95});
    const Results alone = run(*session_, wanted, {.batch_size = 1});
    const Results together = run(*session_, wanted, {.batch_size = 8});
    for (const auto& [request, result] : alone) {
        QVERIFY(together.at(request).tokens == result.tokens);
    }
}

void GeneratorTest::samplesDifferBySampleAndSeed() {
    auto wanted = requests(3, 10, {.temperature = 5.0, .top_p = 1.0});
    wanted[1] = wanted[0];
    wanted[1].key.sample = 1;
    wanted[2] = wanted[0];
    wanted[2].key.seed = 8;
    const Results results = run(*session_, wanted, {.batch_size = 3});
    QVERIFY(results.at(0).tokens != results.at(1).tokens);
    QVERIFY(results.at(0).tokens != results.at(2).tokens);
}

void GeneratorTest::slotsAreRefilled() {
    const auto wanted = requests(10, 4);
    std::vector<std::size_t> order;
    std::int64_t tokens = 0;
    GenerationOptions options{.batch_size = 2};
    options.on_tokens = [&](std::int64_t count) { tokens += count; };
    options.on_done = [&](const GenerationResult& result) {
        order.push_back(result.request);
        QCOMPARE(result.completion_tokens, 4 + static_cast<int>(result.request) % 5);
        QVERIFY(result.ttft_ms > 0.0 && result.total_ms >= result.ttft_ms);
    };
    value(generate(*session_, *tokenizer_, wanted, options));
    QCOMPARE(order.size(), std::size_t{10});
    QCOMPARE(tokens, std::int64_t{60});
    // 0 needs 4 tokens, 1 needs 5, 2 starts when 0 ends, and so on: done in that order, not in pairs.
    QVERIFY(std::is_sorted(order.begin(), order.begin() + 3));
}

void GeneratorTest::stopStringsCutTheCompletion() {
    const auto wanted = requests(5, 30);
    const Results whole = run(*session_, wanted, {.batch_size = 4});
    for (const auto& [request, result] : whole) {
        QVERIFY(result.completion.size() >= 4);
        const std::string stop = result.completion.substr(result.completion.size() / 2, 2);
        const Results stopped =
            run(*session_, {wanted[request]}, {.batch_size = 1, .stop_strings = {"never there", stop}});
        const GenerationResult& cut = stopped.at(0);
        QCOMPARE(cut.stop_reason, StopReason::stop);
        QCOMPARE(cut.completion, result.completion.substr(0, result.completion.find(stop)));
        QVERIFY(cut.completion_tokens <= result.completion_tokens);
        QVERIFY(std::equal(cut.tokens.begin(), cut.tokens.end(), result.tokens.begin()));
    }
}

void GeneratorTest::noStopIsMissed_data() {
    QTest::addColumn<QString>("folder");
    for (const char* folder : {"tied", "tokenizer-bytes", "tokenizer-strips"}) {
        QTest::newRow(folder) << QString::fromLatin1(folder);
    }
}

/// Wherever the text first holds a stop, the cheap look at the last tokens said that it might.
void GeneratorTest::noStopIsMissed() {
    QFETCH(QString, folder);
    const auto tokenizer = value(Tokenizer::open(model_folder(folder.toStdString())));
    const std::vector<std::string> stops = {"\ndef", "a", "re", "\n#", " b", "( ", "é", "\n\n"};
    std::uint32_t state = 7;
    int found = 0;
    for (int sequence = 0; sequence < 300; ++sequence) {
        const std::span one(&stops[static_cast<std::size_t>(sequence) % stops.size()], 1);
        StopFinder finder(*tokenizer, one);
        const std::vector<std::int32_t> prompt = value(tokenizer->encode_prompt("def f"));
        std::vector<std::int32_t> tokens;
        for (int i = 0; i < 40; ++i) {
            state = state * 1664525U + 1013904223U;
            tokens.push_back(static_cast<std::int32_t>((state >> 8U) %
                                                       static_cast<std::uint32_t>(tokenizer->vocab_size())));
            const bool possible = finder.possible(tokens);
            if (value(finder.completion("def f", prompt, tokens)).stop_found) {
                QVERIFY2(possible, qPrintable(QString::number(sequence)));
                ++found;
                break;
            }
        }
    }
    QVERIFY(found > 20);
}

void GeneratorTest::tokensAloneNeedNoTokenizer() {
    const auto all = requests(5, 6);
    const Results with_text = run(*session_, all, {.batch_size = 3});
    Results tokens;
    GenerationOptions options;
    options.batch_size = 2;
    options.on_done = [&](GenerationResult result) { tokens[result.request] = std::move(result); };
    QVERIFY(generate_tokens(*session_, all, options));
    QCOMPARE(tokens.size(), with_text.size());
    for (const auto& [index, result] : with_text) {
        QVERIFY(tokens[index].tokens == result.tokens);
        QVERIFY(tokens[index].completion.empty());
    }
    options.stop_strings = {"x"};
    QVERIFY(!generate_tokens(*session_, all, options));
}

void GeneratorTest::eosEndsASequence() {
    const auto wanted = requests(1, 12);
    const GenerationResult whole = run(*session_, wanted, {.batch_size = 1}).at(0);
    const std::int32_t eos = whole.tokens[5];
    const auto first = std::find(whole.tokens.begin(), whole.tokens.end(), eos) - whole.tokens.begin();
    const GenerationResult ended =
        run(*session_, wanted, {.batch_size = 1, .eos_token_ids = {-1, eos}}).at(0);
    QCOMPARE(ended.stop_reason, StopReason::eos);
    QCOMPARE(static_cast<std::ptrdiff_t>(ended.tokens.size()), first);
    QCOMPARE(ended.completion_tokens, static_cast<int>(first) + 1);
}

void GeneratorTest::contextEndsASequence() {
    auto wanted = requests(2, 1);
    wanted[0].max_new_tokens = 10'000;
    const Results results = run(*session_, wanted, {.batch_size = 2});
    QCOMPARE(results.at(0).stop_reason, StopReason::length);
    // The last token needs no room: it is not run.
    QCOMPARE(results.at(0).completion_tokens,
             session_->context_length() - static_cast<int>(wanted[0].prompt.size()) + 1);
}

void GeneratorTest::badRequestsLetTheOthersGoOn() {
    auto wanted = requests(5, 3);
    wanted[0].prompt.assign(static_cast<std::size_t>(session_->context_length()), 5);
    wanted[2].prompt.clear();
    wanted[3].prompt.push_back(session_->vocab_size());
    const Results results = run(*session_, wanted, {.batch_size = 2});
    QCOMPARE(results.size(), std::size_t{5});
    QCOMPARE(results.at(0).error->message,
             std::string("The prompt is 64 tokens long, and the context holds 64: no token "
                         "could follow it."));
    QCOMPARE(results.at(2).error->code, ErrorCode::bad_input);
    QCOMPARE(results.at(3).error->message,
             std::string("Token id 128 of the prompt is outside the model's vocabulary of 128."));
    QVERIFY(!results.at(1).error && !results.at(4).error);
    QCOMPARE(results.at(1).completion_tokens, 4);
}

void GeneratorTest::cancelStops() {
    const auto wanted = requests(8, 20);
    std::stop_source source;
    int steps = 0;
    GenerationOptions options{.batch_size = 2};
    options.cancel = source.get_token();
    options.on_done = [](const GenerationResult&) {};
    options.on_tokens = [&](std::int64_t) {
        if (++steps == 3) {
            source.request_stop();
        }
    };
    const auto result = generate(*session_, *tokenizer_, wanted, options);
    QVERIFY(!result);
    QCOMPARE(result.error().code, ErrorCode::cancelled);
    QCOMPARE(steps, 3);
}

void GeneratorTest::refusesABatchBeyondTheSlots() {
    const auto result = generate(*session_, *tokenizer_, {}, {.batch_size = 9});
    QVERIFY(!result);
    QCOMPARE(result.error().message,
             std::string("A batch size of 9 was asked for; this session has 8 slots."));
}

QTEST_APPLESS_MAIN(GeneratorTest)
#include "tst_generator.moc"
