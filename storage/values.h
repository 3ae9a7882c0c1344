// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QDateTime>
#include <QList>
#include <QMap>
#include <QString>
#include <QStringList>
#include <optional>

/// Value types that flow from storage to the controller, the item models, the charts and the report.
/// They hold no handles and are copied freely between threads.
namespace quantscope::storage {

using Id = qint64; ///< SQLite rowid; 0 means "not stored"

struct Sampling {
    int samplesPerProblem = 1;
    double temperature = 0.0; ///< 0 is greedy
    double topP = 1.0;
    quint64 seed = 0;
    int maxNewTokens = 512;
    /// "raw"; "stripped": without the white space at its end; "auto": the one that keeps more of the
    /// tokenizer's boundaries on the problem file.
    QString promptForm = QStringLiteral("auto");
};

struct LatencySettings {
    bool enabled = true;
    int promptTokens = 128;
    int outputTokens = 32;
    int requests = 5; ///< timed requests a run, after one warm-up
};

/// Real-time limits. An unset limit does not constrain.
struct Budget {
    QString name; ///< "Interactive chat (MLPerf)", "Inline completion", "Custom"
    std::optional<double> ttftP99Ms;
    std::optional<double> tpotP99Ms;
    std::optional<double> e2eP99Ms; ///< prompt and `e2eTokens` output tokens
    int e2eTokens = 30;
};

/// What the user asked for: one matrix schemes x batch sizes x measures on one model, with one seed.
struct CampaignSpec {
    QString name;
    QString model;    ///< folder, or "demo"
    QString problems; ///< file, or "demo"
    QString backend = QStringLiteral("auto");
    QStringList launcher; ///< argv prefix of the worker, e.g. {"ssh", "gpu-host"}; empty is local
    QStringList schemes;
    QList<int> batchSizes;
    int limit = 0; ///< first N problems; 0 is all
    bool evalEnabled = true;
    Sampling sampling;
    LatencySettings latency;
    Budget budget;
    QString
        python; ///< interpreter that programs are judged with, on the worker's machine; empty: its default
};

enum class RunStatus { Planned, Running, Done, Partial, Failed, Cancelled };
enum class Verdict { Passed, Failed, TimedOut, Error, Unscored };

struct Campaign {
    Id id = 0;
    CampaignSpec spec;
    QDateTime createdAt;
    RunStatus status = RunStatus::Planned;
    QString quantscopeVersion; ///< of the app that made it
    QString workerVersion;     ///< engine version of the worker, part of the resume identity
    QString protocolId;        ///< how problems are prompted and scored, part of the resume identity
    QString modelHash;         ///< of config, tokenizer and weights
    QString problemsHash;
    QString deviceName;
    QString deviceDetail;
    QString hostDetail; ///< operating system, kernel, CPU
};

/// One cell of a campaign: one scheme at one batch size.
struct Run {
    Id id = 0;
    Id campaignId = 0;
    QString schemeId;
    QString schemeLabel;
    int batchSize = 1;
    RunStatus evalStatus = RunStatus::Planned;
    RunStatus latencyStatus = RunStatus::Planned;
    QString error;        ///< sentence, when a status is Failed
    QString importedFrom; ///< file name, when the samples came from a file; then nothing was measured here
};

struct Problem {
    Id id = 0;
    QString taskId;
    QString prompt;
    QString entryPoint;
    int position = 0; ///< in the problem file
};

/// One completion of one problem, with its verdict.
struct Sample {
    Id runId = 0;
    QString taskId;
    int sampleIndex = 0;
    QString completion;
    Verdict verdict = Verdict::Unscored;
    QString detail;     ///< last line of the exception, or why it is unscored
    QString stopReason; ///< "stop", "eos", "length"
    int promptTokens = 0;
    int completionTokens = 0;
    double ttftMs = 0.0;
    double totalMs = 0.0;
};

/// What figures need of a sample: not its text.
struct SampleVerdict {
    Id id = 0; ///< rises in the order of storing
    QString taskId;
    int sampleIndex = 0;
    Verdict verdict = Verdict::Unscored;
};

/// One timed request of a latency run.
struct LatencySample {
    Id runId = 0;
    int round = 0;   ///< position in the interleaved order
    int request = 0; ///< slot within the batch
    int promptTokens = 0;
    int outputTokens = 0;
    double ttftMs = 0.0;
    double e2eMs = 0.0;
    QList<double> itlMs; ///< every inter-token gap, outputTokens - 1 of them
};

/// A single number about a run that is neither a sample nor a latency: bytes of memory by part, GB/s, ...
struct Metric {
    Id runId = 0;
    QString name; ///< "linear_weight_bytes", "kv_cache_bytes", "tokens_per_s", ...
    double value = 0.0;
};

/// What the device reported at one moment of a campaign: "power_w", "temperature_c", "sm_clock_mhz", ...
struct Telemetry {
    Id campaignId = 0;
    Id runId = 0; ///< 0: between runs
    QDateTime measuredAt;
    QMap<QString, double> values;
};

/// Limits of the quantile that lies behind a measured one, each wrong with a chance of at most 5 %, from
/// order statistics. Unset: so few rounds cannot tell.
struct QuantileLimits {
    std::optional<double> low;
    std::optional<double> high;
};

struct Percentiles {
    int count = 0; ///< 0: no data, the others are meaningless
    double p50 = 0.0;
    double p90 = 0.0;
    double p99 = 0.0;
    int rounds = 0; ///< the independent units: requests of one batch share its steps
    QuantileLimits p50Limits, p90Limits, p99Limits;
};

/// Whether a latency limit is kept by the 99th percentile that lies behind the measured one.
enum class BudgetVerdict {
    NotJudged,        ///< no latency data or no limit
    Inside,           ///< its upper limit at 95 % keeps the budget's
    Outside,          ///< its lower limit at 95 % is above the budget's
    NotEnoughRequests ///< neither
};

/// One limit of a budget beside what a run took.
struct LimitCheck {
    QString name; ///< "TTFT p99"
    double limitMs = 0.0;
    Percentiles measured;
    int roundsNeeded = 0; ///< for an upper limit of p99, were all the rest below the budget's: 299
    BudgetVerdict verdict = BudgetVerdict::NotJudged;
};

struct Interval {
    double low = 0.0;
    double high = 0.0;
};

/// How a run's pass@1 differs from its baseline's: read off the interval of the difference, and nothing else.
enum class DifferenceVerdict {
    NotCompared, ///< no problem is scored in both runs
    Better,
    Worse,
    Equivalent, ///< within the comparison's margin
    NotDistinguishable
};
enum class PairedTest { ExactMcNemar, PairedT };

/// A run beside the campaign's baseline, problem by problem, on the problems that both have scored.
struct Comparison {
    Id baselineRunId = 0;
    int problemsCompared = 0;   ///< scored in both; 0: deltas of pass@1, interval and p mean nothing
    double passDelta = 0.0;     ///< pass@1 minus the baseline's on those problems, 0..1 scale
    Interval passDeltaInterval; ///< of the same method as p, at Holm's level: 95 % over all `comparisons`
    PairedTest test = PairedTest::ExactMcNemar;
    double p = 1.0;          ///< two-sided, of this comparison alone
    double pHolm = 1.0;      ///< Holm-corrected over the campaign: below 0.05 where the interval leaves out 0
    int comparisons = 1;     ///< corrected for; 1: too few flips for p < 0.05. Equal batch sizes are one
    double margin = 0.02;    ///< of "equivalent", stated before any data
    QStringList lostTasks;   ///< passed in the baseline, not here
    QStringList gainedTasks; ///< passed here, not in the baseline
    DifferenceVerdict verdict = DifferenceVerdict::NotCompared;
    std::optional<double> tpotRatio; ///< TPOT p50 over the baseline's
    std::optional<double> memoryRatio;
};

/// All that a chart, a table row or the report needs to know about one run.
struct RunSummary {
    Run run;
    int problemsTotal = 0; ///< in the campaign (after the limit)
    int samplesStored = 0;
    int samplesScored = 0;
    int samplesPassed = 0;
    int samplesTimedOut = 0;
    double passAt1 = 0.0;      ///< unbiased estimator, 0..1
    Interval passAt1Interval;  ///< Wilson, 95 %
    QMap<int, double> passAtK; ///< k -> pass@k, where every problem has n >= k samples
    Percentiles ttftMs, tpotMs, itlMs, e2eMs;
    double tokensPerSecond = 0.0; ///< of the latency measurement, all slots together
    QMap<QString, double> metrics;
    QList<LimitCheck> limitChecks; ///< every limit of the budget; empty without latency data
    BudgetVerdict budget = BudgetVerdict::NotJudged; ///< of all of them together
    std::optional<Comparison> comparison;            ///< unset for the baseline itself
    bool partial = false;                            ///< fewer samples than the campaign asked for
};

struct CampaignSummary {
    Campaign campaign;
    Id baselineRunId = 0;
    QList<RunSummary> runs;
    QString headline; ///< the answer in words, generated from the numbers
};

/// Live progress of the campaign being run.
struct Progress {
    Id campaignId = 0;
    Id runId = 0;
    QString phase; ///< "Loading w4a4-rot", "Problems, int8, batch 8", ...
    int done = 0;  ///< units of the whole campaign
    int total = 0;
    std::optional<double> etaSeconds;
    double tokensPerSecond = 0.0;
    QMap<QString, double> device = {}; ///< what it reported last: power_w, sm_clock_mhz, temperature_c, ...
};

/// What the worker's hello said, as the window needs it.
struct SchemeInfo {
    QString id, label, summary;
    int weightBits = 16, activationBits = 16, kvBits = 16;
};
struct DeviceInfoRow {
    QString id, backend, name, detail;
    qint64 memoryBytes = 0;
};
struct HostInfo {
    QString workerVersion;
    QList<DeviceInfoRow> devices;
    QList<SchemeInfo> schemes;
    bool sandboxAvailable = false;
    QString sandboxMessage; ///< why not, and what to do
};

} // namespace quantscope::storage
