// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/protocol/worker_fixture.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>
#include <QtEndian>
#include <functional>

using namespace quantscope;
using namespace quantscope::protocol;

namespace {

constexpr int kProblems = 8;
constexpr auto kScheme = "int8";

struct Sample {
    std::string completion, verdict, stop_reason, detail;
    friend bool operator==(const Sample&, const Sample&) = default;
};
using Samples = std::map<std::string, Sample>;

/// A copy of the demo model that a test may change.
class Variant {
  public:
    Variant() {
        const QDir demo(QStringLiteral(QUANTSCOPE_SOURCE_DIR "/resources/demo/model"));
        for (const QString& name : demo.entryList(QDir::Files)) {
            QFile::copy(demo.filePath(name), folder_.filePath(name));
        }
    }
    QString path() const { return folder_.path(); }

    /// Multiplies every bf16 tensor whose name ends so by a power of two, exactly.
    void scale(const QString& ending, int power) const {
        QFile file(folder_.filePath(QStringLiteral("model.safetensors")));
        if (!file.open(QIODevice::ReadWrite)) {
            qFatal("the weights cannot be written");
        }
        QByteArray bytes = file.readAll();
        const auto header_bytes = static_cast<int>(qFromLittleEndian<quint64>(bytes.constData()));
        const QJsonObject header = QJsonDocument::fromJson(bytes.mid(8, header_bytes)).object();
        for (auto it = header.begin(); it != header.end(); ++it) {
            const QJsonArray offsets = it.value()[QLatin1String("data_offsets")].toArray();
            for (int at = offsets[0].toInt(); it.key().endsWith(ending) && at < offsets[1].toInt(); at += 2) {
                char* const word = bytes.data() + 8 + header_bytes + at;
                const auto bits = qFromLittleEndian<quint16>(word);
                const int exponent = (bits >> 7) & 0xFF;
                if (exponent > 0) { // neither zero nor subnormal
                    qToLittleEndian<quint16>(static_cast<quint16>((bits & 0x807F) | (exponent + power) << 7),
                                             word);
                }
            }
        }
        file.seek(0);
        file.write(bytes);
    }

    void write(const QString& name, const QJsonObject& object) const {
        QFile file(folder_.filePath(name));
        if (!file.open(QIODevice::WriteOnly) || file.write(QJsonDocument(object).toJson()) < 0) {
            qFatal("%s cannot be written", qPrintable(name));
        }
    }
    void configure(const QJsonObject& changes) const {
        QFile file(folder_.filePath(QStringLiteral("config.json")));
        if (!file.open(QIODevice::ReadOnly)) {
            qFatal("config.json cannot be read");
        }
        QJsonObject config = QJsonDocument::fromJson(file.readAll()).object();
        for (auto it = changes.begin(); it != changes.end(); ++it) {
            config.insert(it.key(), it.value());
        }
        file.close();
        write(QStringLiteral("config.json"), config);
    }

  private:
    QTemporaryDir folder_;
};

} // namespace

/// Folders that say the same in other words, or other things in files that are easily overlooked.
class TestModelVariants : public QObject {
    Q_OBJECT

    std::unique_ptr<WorkerClient> worker_;
    Samples shipped_;
    int runs_ = 0;

    LoadedEvent load(const std::string& model, const std::vector<std::string>& schemes = {kScheme}) {
        LoadRequest request = demo_load(schemes);
        request.model = model;
        worker_->send(request);
        return worker_->wait_for<LoadedEvent>().value_or(LoadedEvent{});
    }
    Samples samples(const std::string& scheme = kScheme) {
        worker_->clear();
        const std::string run = "run" + std::to_string(runs_++);
        worker_->send(demo_eval(run, scheme, kProblems, 4));
        if (status_of(*worker_, run) != "ok") {
            return {};
        }
        Samples found;
        for (const SampleEvent& sample : worker_->all<SampleEvent>()) {
            found[sample.task_id] = {sample.completion, sample.verdict, sample.stop_reason, sample.detail};
        }
        return found;
    }

  private Q_SLOTS:
    void initTestCase() {
        worker_ = start_worker();
        QVERIFY(worker_->wait_for<HelloEvent>());
        QVERIFY(load("demo").notices.empty());
        shipped_ = samples();
        QCOMPARE(shipped_.size(), std::size_t{kProblems});
        QVERIFY(std::any_of(shipped_.begin(), shipped_.end(),
                            [](const auto& sample) { return sample.second.stop_reason == "eos"; }));
    }

    void run_as_the_shipped_folder_data() {
        QTest::addColumn<QJsonObject>("config");
        QTest::addColumn<QJsonObject>("generation");
        const QJsonArray list = {0, 2};
        QTest::newRow("several ends, another first") << QJsonObject{{"eos_token_id", list}} << QJsonObject();
        QTest::newRow("ends in generation_config.json")
            << QJsonObject{{"eos_token_id", 0}} << QJsonObject{{"eos_token_id", list}};
        QTest::newRow("the end in generation_config.json")
            << QJsonObject{{"eos_token_id", 0}} << QJsonObject{{"eos_token_id", 2}};
        QTest::newRow("the older spelling")
            << QJsonObject{{"architectures", QJsonArray{"LLaMAForCausalLM"}}} << QJsonObject();
        QTest::newRow("the tokenizer's end")
            << QJsonObject{{"eos_token_id", QJsonValue::Null}} << QJsonObject();
    }
    void run_as_the_shipped_folder() {
        QFETCH(QJsonObject, config);
        QFETCH(QJsonObject, generation);
        const Variant variant;
        variant.configure(config);
        if (!generation.isEmpty()) {
            variant.write(QStringLiteral("generation_config.json"), generation);
        }
        const LoadedEvent loaded = load(variant.path().toStdString());
        QCOMPARE(loaded.schemes.size(), std::size_t{1});
        QVERIFY(samples() == shipped_);
    }

    /// The same function: v_proj times 2^16, o_proj times 2^-16. Halves cannot hold its values, f32 and codes
    /// can.
    void values_beyond_halves() {
        QVERIFY(load("demo", {"fp16", "int8+kv8"}).schemes.size() == 2);
        const Samples fp16 = samples("fp16");
        const Samples kv8 = samples("int8+kv8");
        const Variant variant;
        variant.scale(QStringLiteral("v_proj.weight"), 16);
        variant.scale(QStringLiteral("o_proj.weight"), -16);
        worker_->clear();
        const LoadedEvent loaded = load(variant.path().toStdString(), {"int8", "fp16", "int8+kv8"});
        QCOMPARE(loaded.schemes, (std::vector<std::string>{"fp16", "int8+kv8"}));
        const auto errors = worker_->all<ErrorEvent>();
        QCOMPARE(errors.size(), std::size_t{1});
        QCOMPARE(errors[0].scheme, std::string("int8"));
        QVERIFY(errors[0].error.code == ErrorCode::unsupported);
        QVERIFY2(errors[0].error.message.find("'s v_proj gives can reach ") != std::string::npos,
                 errors[0].error.message.c_str());
        QVERIFY(errors[0].error.hint.find("int8+kv8") != std::string::npos);
        QVERIFY(samples("fp16") == fp16);
        QVERIFY(samples("int8+kv8") == kv8);
    }

    void numbers_that_are_not_finite_are_no_wrong_answers() {
        const Variant variant;
        variant.scale(QStringLiteral("layers.2.mlp.gate_proj.weight"), 70);
        variant.scale(QStringLiteral("layers.2.mlp.up_proj.weight"), 70);
        for (const std::string scheme : {"fp16", "int8", "w4a4-rot"}) {
            load(variant.path().toStdString(), {scheme});
            const Samples found = samples(scheme);
            QCOMPARE(found.size(), std::size_t{kProblems});
            for (const auto& [task, sample] : found) {
                QCOMPARE(sample.verdict, std::string("error"));
                QVERIFY2(
                    sample.detail.find("a logit is NaN or infinite; the first part of the model with such a "
                                       "number is layer 2, silu(gate_proj) * up_proj.") != std::string::npos,
                    sample.detail.c_str());
            }
            double marked = 0.0;
            for (const MetricEvent& metric : worker_->all<MetricEvent>()) {
                marked +=
                    metric.values.contains("nonfinite_samples") ? metric.values.at("nonfinite_samples") : 0.0;
            }
            QCOMPARE(marked, static_cast<double>(kProblems));
        }
    }

    void what_is_not_applied_is_said() {
        const Variant variant;
        variant.configure({{"bos_token_id", 0}});
        variant.write(QStringLiteral("generation_config.json"), {{"repetition_penalty", 1.2}});
        const LoadedEvent loaded = load(variant.path().toStdString());
        QCOMPARE(loaded.notices.size(), std::size_t{2});
        QVERIFY(loaded.notices[0].find("'repetition_penalty' is not applied") != std::string::npos);
        QVERIFY(loaded.notices[1].find("'bos_token_id' is 0, the tokenizer's is 1") != std::string::npos);
    }
};

QTEST_GUILESS_MAIN(TestModelVariants)
#include "tst_model_variants.moc"
