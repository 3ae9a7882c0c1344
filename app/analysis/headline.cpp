// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/headline.h"

#include "app/analysis/budget_check.h"
#include "ui/numbers/format.h"
#include "ui/numbers/run_numbers.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace quantscope::analysis {
namespace {

using storage::Comparison;
using storage::DifferenceVerdict;
using storage::RunSummary;

bool hasPass(const RunSummary& run) {
    return run.samplesScored > 0;
}
bool hasLatency(const RunSummary& run) {
    return run.tpotMs.count > 0;
}
int nonfiniteSamples(const RunSummary& run) {
    return static_cast<int>(run.metrics.value(QLatin1String(nonfiniteSamplesMetric), 0.0));
}
/// That something can be claimed from.
bool hasData(const RunSummary& run) {
    return nonfiniteSamples(run) == 0 && (hasPass(run) || hasLatency(run));
}

/// Bits of a weight and an activation together; an unknown precision sorts last.
double bits(const RunSummary& run) {
    const double unknown = 1000.0;
    return run.metrics.value(QLatin1String(weightBitsMetric), unknown) +
           run.metrics.value(QLatin1String(activationBitsMetric), unknown);
}

/// Whether `a` answers the question better than `b`: fewer bits, then more problems solved, then faster.
bool isBetterSubject(const RunSummary& a, const RunSummary& b) {
    if (bits(a) != bits(b)) {
        return bits(a) < bits(b);
    }
    if (hasPass(a) != hasPass(b)) {
        return hasPass(a);
    }
    if (hasPass(a) && a.passAt1 != b.passAt1) {
        return a.passAt1 > b.passAt1;
    }
    if (hasLatency(a) != hasLatency(b)) {
        return hasLatency(a);
    }
    return hasLatency(a) && a.tpotMs.p50 < b.tpotMs.p50;
}

bool isEightBit(const RunSummary& run) {
    return run.metrics.value(QLatin1String(weightBitsMetric)) == 8.0 &&
           run.metrics.value(QLatin1String(activationBitsMetric)) == 8.0;
}

std::optional<int> pickReference(const storage::CampaignSummary& summary, const QList<int>& group,
                                 int subject) {
    const auto pick = [&](const auto& wanted) -> std::optional<int> {
        for (const int index : group) {
            if (index != subject && wanted(summary.runs[index])) {
                return index;
            }
        }
        return std::nullopt;
    };
    if (const auto eightBit = pick(isEightBit)) {
        return eightBit;
    }
    const RunSummary* baseline = ui::findRun(summary, summary.baselineRunId);
    if (baseline != nullptr) {
        if (const auto index =
                pick([&](const RunSummary& run) { return run.run.schemeId == baseline->run.schemeId; })) {
            return index;
        }
    }
    return pick([](const RunSummary&) { return true; });
}

QString points(double fraction) {
    return QString::number(std::abs(fraction) * 100.0, 'f', 1);
}

QString accuracyClause(const QString& reference, const Comparison& comparison) {
    const QString interval = QStringLiteral("%1%2").arg(
        ui::formatPointsInterval(comparison.passDeltaInterval), ui::overComparisons(comparison));
    if (comparison.verdict == DifferenceVerdict::Worse) {
        return QStringLiteral("loses %1 points of pass@1 against %2 (95 % interval of the difference %3)")
            .arg(points(comparison.passDelta), reference, interval);
    }
    if (comparison.verdict == DifferenceVerdict::Better) {
        return QStringLiteral("gains %1 points of pass@1 over %2 (95 % interval of the difference %3)")
            .arg(points(comparison.passDelta), reference, interval);
    }
    const bool nothingFlipped =
        comparison.lostTasks.isEmpty() && comparison.gainedTasks.isEmpty() && comparison.passDelta == 0.0;
    const QString difference =
        (nothingFlipped
             ? QStringLiteral("no problem's verdict differs")
             : QStringLiteral("difference %1 points").arg(ui::formatPoints(comparison.passDelta))) +
        QStringLiteral(", 95 % interval %1").arg(interval);
    if (comparison.verdict == DifferenceVerdict::Equivalent) {
        return QStringLiteral("is equivalent to %1 in pass@1 %2 (%3)")
            .arg(reference, ui::marginWords(comparison), difference);
    }
    return QStringLiteral("is not distinguishable from %1 in pass@1 on these %2 problems (%3)")
        .arg(reference, QString::number(comparison.problemsCompared), difference);
}

QString timeClause(const RunSummary& subject, const RunSummary& reference) {
    if (!hasLatency(subject) || !hasLatency(reference) || reference.tpotMs.p50 <= 0.0) {
        return {};
    }
    return QStringLiteral("takes %1× its time per token (%2 against %3)")
        .arg(QString::number(subject.tpotMs.p50 / reference.tpotMs.p50, 'f', 2),
             ui::formatMs(subject.tpotMs.p50), ui::formatMs(reference.tpotMs.p50));
}

QString againstBaseline(const storage::CampaignSummary& summary, const RunSummary& subject,
                        const RunSummary& reference) {
    if (!subject.comparison || subject.comparison->baselineRunId == reference.run.id) {
        return {};
    }
    const RunSummary* baseline = ui::findRun(summary, subject.comparison->baselineRunId);
    if (baseline == nullptr) {
        return {};
    }
    QStringList parts;
    if (subject.comparison->problemsCompared > 0) {
        parts << QStringLiteral("the difference is %1 points")
                     .arg(ui::formatPoints(subject.comparison->passDelta));
    }
    if (subject.comparison->tpotRatio) {
        const QString ratio = QString::number(*subject.comparison->tpotRatio, 'f', 2);
        parts << (parts.isEmpty() ? QStringLiteral("it takes %1× the time per token").arg(ratio)
                                  : QStringLiteral("%1× the time per token").arg(ratio));
    }
    return parts.isEmpty() ? QString()
                           : QStringLiteral(" Against %1 %2.")
                                 .arg(ui::schemeName(baseline->run), parts.join(QStringLiteral(" and ")));
}

/// The runs of which nothing is claimed, and why; empty where there are none.
QString leftOut(const storage::CampaignSummary& summary) {
    QStringList runs;
    for (const RunSummary& run : summary.runs) {
        if (const int samples = nonfiniteSamples(run); samples > 0) {
            runs << QStringLiteral("%1 (%2 of %3 samples)")
                        .arg(ui::runName(run.run), QString::number(samples),
                             QString::number(run.samplesStored));
        }
    }
    return runs.isEmpty()
               ? QString()
               : QStringLiteral(" Nothing is claimed from %1: numbers of the model became infinite or "
                                "NaN under that scheme.")
                     .arg(ui::joinWords(runs));
}

/// What the figures are of, so that nobody takes them for more.
QString caveat(const storage::CampaignSummary& summary) {
    const bool demo = summary.campaign.spec.evalEnabled && ui::usesDemoProblems(summary.campaign.spec);
    return leftOut(summary) + (demo ? QStringLiteral(" These are demo problems, not HumanEval.") : QString());
}

QString aloneSentence(const RunSummary& run) {
    QStringList parts;
    if (hasPass(run)) {
        parts << QStringLiteral(
                     "solves %1 of the problems at pass@1 (95 % interval %2, %3 of %4 samples scored)")
                     .arg(ui::formatPercent(run.passAt1), ui::formatInterval(run.passAt1Interval),
                          QString::number(run.samplesScored), QString::number(run.samplesStored));
    }
    if (hasLatency(run)) {
        parts << QStringLiteral("takes %1 per token").arg(ui::formatMs(run.tpotMs.p50));
    }
    return QStringLiteral("%1 %2. There is no second scheme to compare it with yet.")
        .arg(ui::runName(run.run), parts.join(QStringLiteral(" and ")));
}

QString nothingToCompare(const storage::CampaignSummary& summary) {
    for (const RunSummary& run : summary.runs) {
        if (hasData(run)) {
            return aloneSentence(run) + caveat(summary);
        }
    }
    const bool generated = std::any_of(summary.runs.begin(), summary.runs.end(),
                                       [](const RunSummary& run) { return run.samplesStored > 0; });
    if (const QString failed = leftOut(summary); !failed.isEmpty()) {
        return failed.trimmed();
    }
    return generated ? QStringLiteral("Completions are stored, but none could be scored.")
                     : QStringLiteral("There are no results yet.");
}

} // namespace

std::optional<HeadlinePair> headlinePair(const storage::CampaignSummary& summary) {
    std::map<int, QList<int>> byBatch;
    for (int i = 0; i < summary.runs.size(); ++i) {
        if (hasData(summary.runs[i])) {
            byBatch[summary.runs[i].run.batchSize] << i;
        }
    }
    for (const auto& [batch, group] : byBatch) {
        if (group.size() < 2) {
            continue;
        }
        const RunSummary* baseline = ui::findRun(summary, summary.baselineRunId);
        QList<int> candidates;
        for (const int index : group) {
            if (baseline == nullptr || summary.runs[index].run.schemeId != baseline->run.schemeId) {
                candidates << index;
            }
        }
        if (candidates.isEmpty()) {
            candidates = group;
        }
        const int subject = *std::min_element(candidates.begin(), candidates.end(), [&](int a, int b) {
            return isBetterSubject(summary.runs[a], summary.runs[b]);
        });
        if (const auto reference = pickReference(summary, group, subject)) {
            return HeadlinePair{subject, *reference};
        }
    }
    return std::nullopt;
}

QString headline(const storage::CampaignSummary& summary, const std::optional<HeadlinePair>& pair,
                 const std::optional<Comparison>& comparison) {
    if (!pair) {
        return nothingToCompare(summary);
    }
    const RunSummary& subject = summary.runs[pair->subject];
    const RunSummary& reference = summary.runs[pair->reference];

    QStringList clauses;
    if (comparison) {
        clauses << accuracyClause(ui::schemeName(reference.run), *comparison);
    }
    QString time = timeClause(subject, reference);
    if (!time.isEmpty() && !comparison) {
        time.replace(QStringLiteral("its time per token"),
                     QStringLiteral("the time per token of %1").arg(ui::schemeName(reference.run)));
    }
    if (!time.isEmpty()) {
        clauses << time;
    }
    if (clauses.isEmpty()) {
        return aloneSentence(subject) + caveat(summary);
    }
    const bool isPartial = comparison && comparison->problemsCompared < subject.problemsTotal;
    QString text = isPartial ? QStringLiteral("On the %1 of %2 problems that both have finished, ")
                                   .arg(comparison->problemsCompared)
                                   .arg(subject.problemsTotal)
                             : QString();
    text += QStringLiteral("%1 %2 at batch size %3")
                .arg(ui::schemeName(subject.run), clauses.join(QStringLiteral(" and ")),
                     QString::number(subject.run.batchSize));
    const QString budget = budgetWords(subject.limitChecks);
    if (!budget.isEmpty()) {
        text += QStringLiteral("; ") + budget;
    }
    return text + QLatin1Char('.') + againstBaseline(summary, subject, reference) + caveat(summary);
}

} // namespace quantscope::analysis
