// SPDX-License-Identifier: GPL-3.0-or-later
// What a refresh of the window's summary costs beside an engine that is being timed: prints CPU time, asserts
// only that the cheap way says the same.
#include "app/analysis/summary_source.h"
#include "engine/stats/percentile.h"
#include "storage/database.h"

#include <QTemporaryDir>
#include <QTest>

#include <ctime>
#include <random>
#include <vector>

using namespace quantscope;
using namespace quantscope::analysis;

namespace {

constexpr int problems = 164;
const QStringList schemes{QStringLiteral("fp16"), QStringLiteral("int8"), QStringLiteral("w4a8"),
                          QStringLiteral("w4a4-rot"), QStringLiteral("w4a4-rtn")};
const QList<int> batches{1, 8};

double cpuMs() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

storage::Sample sampleOf(storage::Id run, int scheme, int problem) {
    storage::Sample sample;
    sample.runId = run;
    sample.taskId = QStringLiteral("HumanEval/%1").arg(problem);
    sample.completion = QStringLiteral("    result = 0\n").repeated(60); // about 900 bytes
    const bool passed = (problem * 37 + 11) % 100 >= 20 + 12 * scheme;
    sample.verdict = passed ? storage::Verdict::Passed : storage::Verdict::Failed;
    sample.detail = passed ? QString() : QStringLiteral("AssertionError");
    return sample;
}

QList<storage::LatencySample> roundOf(storage::Id run, int round, int batch) {
    QList<storage::LatencySample> requests;
    for (int slot = 0; slot < batch; ++slot) {
        storage::LatencySample request;
        request.runId = run;
        request.round = round;
        request.request = slot;
        request.promptTokens = 128;
        request.outputTokens = 32;
        request.ttftMs = 20.125 + round;
        request.itlMs = QList<double>(31, 5.0625 + round);
        request.e2eMs = request.ttftMs + 31 * request.itlMs.first();
        requests << request;
    }
    return requests;
}

/// How a refresh worked before: every completion and every gap is read, every pair drawn 10,000 times.
double earlierRefresh(storage::Repositories& stored, storage::Id campaignId) {
    double sink = 0.0;
    const auto runs = stored.runs.list(campaignId);
    QMap<storage::Id, QMap<QString, double>> passes;
    for (const storage::Run& run : *runs) {
        const auto samples = stored.samples.list(run.id);
        const auto latencies = stored.latencies.list(run.id);
        for (const storage::Sample& sample : *samples) {
            passes[run.id].insert(sample.taskId, sample.verdict == storage::Verdict::Passed ? 1.0 : 0.0);
        }
        for (const storage::LatencySample& request : *latencies) {
            sink += request.itlMs.last();
        }
    }
    for (const storage::Run& run : *runs) {
        for (const storage::Run& baseline : *runs) {
            if (baseline.schemeId != schemes.first() || baseline.id == run.id ||
                baseline.batchSize != run.batchSize) {
                continue;
            }
            std::vector<double> differences;
            for (auto it = passes[run.id].begin(); it != passes[run.id].end(); ++it) {
                differences.push_back(it.value() - passes[baseline.id].value(it.key()));
            }
            std::mt19937_64 random(20240601);
            std::vector<double> means(10'000);
            for (double& mean : means) {
                for (std::size_t i = 0; i < differences.size(); ++i) {
                    mean += differences[((random() >> 32) * differences.size()) >> 32];
                }
            }
            std::sort(means.begin(), means.end());
            sink += *stats::percentile_of_sorted(means, 2.5);
        }
    }
    return sink;
}

} // namespace

class SummaryCostTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void aRefreshCostsLittle();
    void aVerdictThatChangesInPlaceIsSeen();

  private:
    QTemporaryDir dir_;
    std::unique_ptr<storage::Database> database_;
    std::unique_ptr<storage::Reader> reader_;
    storage::Id campaign_ = 0;
    QList<storage::Run> runs_;
};

void SummaryCostTest::initTestCase() {
    const QString path = dir_.filePath(QStringLiteral("cost.db"));
    auto database = storage::Database::open(path);
    QVERIFY(database);
    database_ = *std::move(database);
    storage::Repositories stored(*database_);
    storage::CampaignSpec spec;
    spec.name = spec.model = QStringLiteral("cost");
    spec.problems = QStringLiteral("/data/HumanEval.jsonl.gz");
    spec.schemes = schemes;
    spec.batchSizes = batches;
    spec.budget.tpotP99Ms = 40.0;
    QVERIFY(database_->execute(QStringLiteral("PRAGMA synchronous = OFF"), {}, {}));
    campaign_ = stored.campaigns.create(spec)->id;
    runs_ = *stored.runs.list(campaign_);
    QCOMPARE(runs_.size(), 10);
    for (const storage::Run& run : runs_) {
        for (int problem = 0; problem < problems; ++problem) {
            QVERIFY(stored.samples.insert(sampleOf(run.id, schemes.indexOf(run.schemeId), problem)));
        }
        for (int round = 0; round < 5; ++round) {
            QVERIFY(stored.latencies.insert(roundOf(run.id, round, run.batchSize)));
        }
        QVERIFY(stored.metrics.set(
            run.id, {{QStringLiteral("weight_bits"), 8.0}, {QStringLiteral("linear_weight_bytes"), 1e9}}));
    }
    auto reader = storage::Reader::open(path);
    QVERIFY(reader);
    reader_ = *std::move(reader);
}

void SummaryCostTest::aRefreshCostsLittle() {
    storage::Repositories stored(*database_);
    SummarySource source;
    const auto refresh = [&] {
        return source.summary(*reader_, campaign_, 0,
                              [](const storage::Campaign& one) { return one.status; });
    };
    const auto cost = [](int times, auto&& work) {
        const double start = cpuMs();
        for (int i = 0; i < times; ++i) {
            work(i);
        }
        return (cpuMs() - start) / times;
    };
    const double earlier = cost(3, [&](int) { earlierRefresh(reader_->repositories, campaign_); });
    const double first = cost(1, [&](int) { QVERIFY(refresh()); });
    const double unchanged = cost(20, [&](int) { QVERIFY(refresh()); });
    double store = 0.0;
    const double elsewhere = cost(20, [&](int i) { // something else was stored in the same database
        store += cost(1, [&](int) { (void)stored.campaigns.rename(campaign_, QString::number(i)); });
        QVERIFY(refresh());
    });
    double storeRound = 0.0;
    const double streaming = cost(20, [&](int i) { // a sample or a round was stored
        storeRound += cost(1, [&](int) {
            const storage::Run& run = runs_[i % runs_.size()];
            (void)(i % 2 == 0 ? stored.latencies.insert(roundOf(run.id, 5 + i, run.batchSize)).map([](int) {})
                              : stored.samples.insert(sampleOf(run.id, 1, problems + i)).map([](bool) {}));
        });
        QVERIFY(refresh());
    });
    qInfo("CPU time of a refresh, 10 runs of %d samples: earlier %.2f ms; first %.2f ms, then %.3f ms "
          "unchanged "
          "(1/%.0f), %.2f ms after another write (1/%.0f), %.2f ms after a sample or round (1/%.0f)",
          problems, earlier, first, unchanged, earlier / unchanged, elsewhere - store / 20,
          earlier / (elsewhere - store / 20), streaming - storeRound / 20,
          earlier / (streaming - storeRound / 20));

    const auto kept = refresh();
    const auto anew = loadCampaignData(reader_->repositories, campaign_).map([](const CampaignData& data) {
        return summarize(data);
    });
    QVERIFY(kept && anew);
    QCOMPARE(kept->headline, anew->headline);
    for (int i = 0; i < kept->runs.size(); ++i) {
        QCOMPARE(kept->runs[i].passAt1, anew->runs[i].passAt1);
        QCOMPARE(kept->runs[i].tpotMs.count, anew->runs[i].tpotMs.count);
        QCOMPARE(kept->runs[i].tpotMs.p99, anew->runs[i].tpotMs.p99);
        QCOMPARE(kept->runs[i].comparison.has_value(), anew->runs[i].comparison.has_value());
    }
}

void SummaryCostTest::aVerdictThatChangesInPlaceIsSeen() {
    storage::Repositories stored(*database_);
    CampaignData data;
    QVERIFY(refreshCampaignData(reader_->repositories, campaign_, data));
    const int revision = data.runs[3].revision;
    const int passed = summarize(data).runs[3].samplesPassed;
    const storage::SampleVerdict& sample = data.runs[3].samples[17];
    const bool passes = sample.verdict == storage::Verdict::Passed;
    QVERIFY(stored.samples.setVerdict(data.runs[3].run.id, {sample.taskId, sample.sampleIndex},
                                      passes ? storage::Verdict::Failed : storage::Verdict::Passed, {}));
    QVERIFY(refreshCampaignData(reader_->repositories, campaign_, data));
    QVERIFY(data.runs[3].revision != revision);
    QCOMPARE(summarize(data).runs[3].samplesPassed, passed + (passes ? -1 : 1));
    const int unchanged = data.runs[3].revision;
    QVERIFY(refreshCampaignData(reader_->repositories, campaign_, data));
    QCOMPARE(data.runs[3].revision, unchanged);
}

QTEST_GUILESS_MAIN(SummaryCostTest)
#include "tst_summary_cost.moc"
