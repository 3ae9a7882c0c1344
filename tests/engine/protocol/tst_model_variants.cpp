// SPDX-License-Identifier: Apache-2.0
#include "tests/engine/protocol/worker_fixture.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>
#include <functional>

using namespace quantscope;
using namespace quantscope::protocol;

namespace {

constexpr int kProblems = 8;
constexpr auto kScheme = "int8";

struct Sample {
    std::string completion, verdict, stop_reason;
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

    LoadedEvent load(const std::string& model) {
        LoadRequest request = demo_load({kScheme});
        request.model = model;
        worker_->send(request);
        return worker_->wait_for<LoadedEvent>().value_or(LoadedEvent{});
    }
    Samples samples() {
        worker_->clear();
        const std::string run = "run" + std::to_string(runs_++);
        worker_->send(demo_eval(run, kScheme, kProblems, 4));
        if (status_of(*worker_, run) != "ok") {
            return {};
        }
        Samples found;
        for (const SampleEvent& sample : worker_->all<SampleEvent>()) {
            found[sample.task_id] = {sample.completion, sample.verdict, sample.stop_reason};
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
