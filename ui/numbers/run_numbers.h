// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>

#include <optional>

/// Numbers that a table, a chart and the report all read from a RunSummary in the same way. nullopt: no data.
namespace quantscope::ui {

/// Memory of a run by part, bytes.
struct MemoryParts {
    double weights = 0.0; ///< quantized linears, embedding, norms and head
    double kvCache = 0.0;
    double workspace = 0.0;
    [[nodiscard]] double total() const { return weights + kvCache + workspace; }
};

std::optional<MemoryParts> memoryParts(const storage::RunSummary& run);

/// Bytes that a weight of a quantized linear takes, scales included.
std::optional<double> bytesPerWeight(const storage::RunSummary& run);

std::optional<double> tokensPerSecond(const storage::RunSummary& run);

/// How the prompts were given, and of how many problems their ids begin the ids of prompt and solution.
struct PromptForm {
    bool stripped = false;
    int kept = 0;
    int problems = 0;
    [[nodiscard]] bool keepsFewerThanHalf() const { return 2 * kept < problems; }
};
std::optional<PromptForm> promptForm(const storage::RunSummary& run);
/// "stripped at the end, 164 of 164 end where a token ends".
QString promptFormText(const PromptForm& form);

/// Joules of the device a token of output, prompts included; only where its driver tells energy.
std::optional<double> energyPerToken(const storage::RunSummary& run);
bool anyEnergy(const storage::CampaignSummary& summary);

/// "612 W · 1980 MHz · 54 °C": of what a device reports (storage::Progress::device), what it does.
QString deviceReadings(const QMap<QString, double>& values);

/// The label where the engine gave one, else the id: an unknown scheme still has a name.
QString schemeName(const storage::Run& run);

/// "INT8, batch 8": the name of a run in sentences.
QString runName(const storage::Run& run);

/// One status for the measures that the campaign asked for: Done when all are, Partial when some are.
storage::RunStatus overallStatus(const storage::Run& run, const storage::CampaignSpec& spec);

/// The comparison where it says something of pass@1, that is, where both runs have scored a problem in
/// common.
const storage::Comparison* passComparison(const storage::RunSummary& run);

/// "better", "worse", "equivalent within the margin of 2 points", "not distinguishable on these problems",
/// "not compared: no problem is scored in both runs".
QString verdictSentence(const storage::Comparison& comparison);
/// "within the margin of 2 points".
QString marginWords(const storage::Comparison& comparison);
/// "better", "worse", "equivalent", "not distinguishable", "not compared": for programs.
QString verdictWord(storage::DifferenceVerdict verdict);
/// "exact McNemar", "paired t".
QString testName(storage::PairedTest test);
/// ", over 4 comparisons" after "95 % interval"; empty where there is one only.
QString overComparisons(const storage::Comparison& comparison);

/// "inside", "outside", "not enough requests"; empty when not judged.
QString budgetWord(storage::BudgetVerdict verdict);
/// "12.0 [11.0, –]": a p99 with its 95 % limits, "–" where there are too few rounds for one.
QString p99Text(const storage::Percentiles& latency);

const storage::RunSummary* findRun(const storage::CampaignSummary& summary, storage::Id runId);

/// True for a run that others are compared with: the summary's baseline, and its fellows at other batch
/// sizes.
bool isBaseline(const storage::CampaignSummary& summary, storage::Id runId);

/// The campaign ran the problems that ship with Quantscope, which are not HumanEval.
bool usesDemoProblems(const storage::CampaignSpec& spec);
bool usesDemoModel(const storage::CampaignSpec& spec);

/// "HumanEval.jsonl.gz", or the demo's full name.
QString problemsName(const storage::CampaignSpec& spec);
QString modelName(const storage::CampaignSpec& spec);

/// "fp16, int8 and w4a4" from a list.
QString joinWords(const QStringList& words);

} // namespace quantscope::ui
