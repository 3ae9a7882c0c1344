// SPDX-License-Identifier: Apache-2.0
#include "golden_model.h"

#include <QtTest>

using namespace quantscope;
using namespace quantscope::test;

/// The engine's full-precision logits against those of the transformers library.
class GoldenLogitsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void agreesWithTransformers_data();
    void agreesWithTransformers();
    void rotatedAgreesWithOriginal_data();
    void rotatedAgreesWithOriginal();
    void fewerBitsCostMore_data();
    void fewerBitsCostMore();
    void rotationTamesInt8();
    void oneTokenPrefillsAgree();
};

namespace {

void addModels() {
    QTest::addColumn<QString>("model");
    for (const char* model : {"mha", "gqa", "tied", "bf16", "sharded", "rope-llama3", "rope-llama3-old-keys",
                              "rope-linear", "rope-yarn", "rope-dynamic", "head-dim", "mistral", "rotatable",
                              "qwen2", "qwen3", "llama-biases"}) {
        QTest::newRow(model) << QString::fromLatin1(model);
    }
}

double worstError(const std::string& model, const Scheme& scheme) {
    const auto checkpoint = open_model(model);
    const auto session = open_session(*checkpoint, scheme, 1);
    double worst = 0.0;
    for (const GoldenSequence& sequence : read_golden(model)) {
        worst = std::max(worst, relative_error(logits_of(*session, 0, sequence), sequence.logits));
    }
    return worst;
}

} // namespace

void GoldenLogitsTest::agreesWithTransformers_data() {
    addModels();
}

void GoldenLogitsTest::agreesWithTransformers() {
    QFETCH(QString, model);
    const double error = worstError(model.toStdString(), *find_scheme("fp16"));
    QVERIFY2(error <= 1e-4, qPrintable(QStringLiteral("relative error %1").arg(error)));
}

void GoldenLogitsTest::rotatedAgreesWithOriginal_data() {
    addModels();
}

void GoldenLogitsTest::rotatedAgreesWithOriginal() {
    QFETCH(QString, model);
    Scheme rotated = *find_scheme("fp16");
    rotated.id = "rotated-full-precision";
    rotated.rotation = Rotation::hadamard;
    const double error = worstError(model.toStdString(), rotated);
    QVERIFY2(error <= 1e-4, qPrintable(QStringLiteral("relative error %1").arg(error)));
    QVERIFY2(error > 0.0, "the rotation did nothing");
}

void GoldenLogitsTest::fewerBitsCostMore_data() {
    QTest::addColumn<QString>("better");
    QTest::addColumn<QString>("worse");
    // `rotatable` has outlier channels and sharp attention: quantization costs much there, more with fewer
    // bits.
    QTest::newRow("int8, w4a8") << "int8"
                                << "w4a8";
    QTest::newRow("w4a8, w4a4-rtn") << "w4a8"
                                    << "w4a4-rtn";
    QTest::newRow("w4a4-rot, w4a4-rtn") << "w4a4-rot"
                                        << "w4a4-rtn";
}

void GoldenLogitsTest::fewerBitsCostMore() {
    QFETCH(QString, better);
    QFETCH(QString, worse);
    const double small = worstError("rotatable", *find_scheme(better.toStdString()));
    const double large = worstError("rotatable", *find_scheme(worse.toStdString()));
    QVERIFY2(small > 1e-3 && small < large, qPrintable(QStringLiteral("%1 and %2").arg(small).arg(large)));
}

void GoldenLogitsTest::rotationTamesInt8() {
    Scheme rotated = *find_scheme("int8");
    const double plain = worstError("rotatable", rotated);
    rotated.rotation = Rotation::hadamard;
    const double error = worstError("rotatable", rotated);
    QVERIFY2(error < plain / 2, qPrintable(QStringLiteral("rotated %1, plain %2").arg(error).arg(plain)));
}

void GoldenLogitsTest::oneTokenPrefillsAgree() {
    const auto checkpoint = open_model("gqa");
    const auto session = open_session(*checkpoint, *find_scheme("fp16"), 2);
    const GoldenSequence sequence = read_golden("gqa").front();
    std::vector<float> by_prefill(static_cast<std::size_t>(session->vocab_size()));
    std::vector<float> by_token(by_prefill.size());
    const SlotInput prompt{0, sequence.tokens};
    value(session->step({&prompt, 1}, by_prefill));
    for (const std::int32_t& token : sequence.tokens) {
        const SlotInput one{1, {&token, 1}};
        value(session->step({&one, 1}, by_token));
    }
    QVERIFY(relative_error(by_token, by_prefill) < 1e-5);
}

QTEST_APPLESS_MAIN(GoldenLogitsTest)
#include "tst_golden_logits.moc"
