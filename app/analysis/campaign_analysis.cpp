// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/analysis/campaign_analysis.h"

#include "app/analysis/budget_check.h"
#include "app/analysis/headline.h"
#include "app/analysis/unscored.h"

#include <algorithm>

namespace quantscope::analysis {
namespace {

/// Problems of the campaign; an imported file may have come without its own, hence `seen`.
int problemsOf(const CampaignData& data, qsizetype seen) {
    const int limit = data.campaign.spec.limit;
    if (data.problemCount > 0) { // an imported file's other tasks do not make the campaign's runs partial
        return limit > 0 ? std::min(limit, data.problemCount) : data.problemCount;
    }
    return static_cast<int>(seen);
}

storage::Id chooseBaseline(const CampaignData& data, storage::Id wanted) {
    const bool known = std::any_of(data.runs.begin(), data.runs.end(),
                                   [&](const RunData& run) { return run.run.id == wanted; });
    if (known) {
        return wanted;
    }
    const storage::Id fp16 = runOfScheme(data, QStringLiteral("fp16"));
    if (fp16 != 0) {
        return fp16;
    }
    return data.runs.isEmpty() ? 0 : data.runs.first().run.id;
}

/// Index of the baseline scheme's run at the same batch size; -1 when there is none or it is the run itself.
int baselineFor(const CampaignData& data, const QString& baselineScheme, int index) {
    const storage::Run& run = data.runs[index].run;
    for (int i = 0; i < data.runs.size(); ++i) {
        const storage::Run& other = data.runs[i].run;
        if (other.schemeId == baselineScheme && other.batchSize == run.batchSize) {
            return i == index || run.schemeId == baselineScheme ? -1 : i;
        }
    }
    return -1;
}

} // namespace

void Summarizer::bringUpToDate(const CampaignData& data) {
    if (campaignId_ != data.campaign.id) {
        figures_.clear();
        pairs_.clear();
        campaignId_ = data.campaign.id;
    }
    bool changed = figures_.size() != data.runs.size();
    for (const RunData& run : data.runs) {
        Figures& figures = figures_[run.run.id];
        if (figures.revision != run.revision) {
            changed = true;
            figures.tasks.clear();
            for (const storage::SampleVerdict& sample : run.samples) {
                figures.tasks.insert(sample.taskId);
            }
            figures.results = taskResults(run.samples);
        }
    }
    if (!changed) {
        return;
    }
    QSet<QString> seen;
    for (const RunData& run : data.runs) {
        seen += figures_[run.run.id].tasks;
    }
    problemsTotal_ = problemsOf(data, seen.size());
    for (const RunData& run : data.runs) {
        Figures& figures = figures_[run.run.id];
        if (figures.revision != run.revision || figures.summary.problemsTotal != problemsTotal_) {
            figures.revision = run.revision;
            figures.summary = runFigures(run, figures.results, data.campaign.spec, problemsTotal_);
        }
    }
}

Summarizer::Pairing Summarizer::pairOf(const CampaignData& data, int run, int baseline) {
    const RunData& other = data.runs[run];
    const RunData& before = data.runs[baseline];
    std::shared_ptr<Pair>& pair = pairs_[{other.run.id, before.run.id}];
    if (!pair || pair->revision != other.revision || pair->baselineRevision != before.revision) {
        pair = std::make_shared<Pair>(
            Pair{before.revision,
                 other.revision,
                 pairRuns(before.run.id, figures_[before.run.id].results, figures_[other.run.id].results),
                 0.0,
                 {}});
    }
    return {run, baseline, pair.get()};
}

/// Batch sizes of one scheme against one scheme are the same verdicts by construction, as the engine's
/// results do not depend on the batch; so they are one comparison as long as the verdicts agree. Imported
/// samples come from any engine.
bool Summarizer::askTheSame(const CampaignData& data, const Pairing& a, const Pairing& b) const {
    const auto same = [&](int one, int other) {
        const storage::Run& first = data.runs[one].run;
        const storage::Run& second = data.runs[other].run;
        return first.schemeId == second.schemeId && first.importedFrom.isEmpty() &&
               second.importedFrom.isEmpty() &&
               sameVerdicts(figures_[first.id].results, figures_[second.id].results);
    };
    return same(a.run, b.run) && same(a.baseline, b.baseline);
}

/// Compares every run that has a baseline, and the headline's pair as one more comparison of the family when
/// it is not among them.
QList<Summarizer::Pairing> Summarizer::comparePairs(const CampaignData& data, const QString& baselineScheme,
                                                    const std::optional<HeadlinePair>& headlineRuns) {
    QList<Pairing> pairs;
    for (int i = 0; i < data.runs.size(); ++i) {
        if (const int baseline = baselineFor(data, baselineScheme, i); baseline >= 0) {
            pairs << pairOf(data, i, baseline);
        }
    }
    if (headlineRuns) {
        const bool known = std::any_of(pairs.begin(), pairs.end(), [&](const Pairing& pair) {
            return pair.run == headlineRuns->subject && pair.baseline == headlineRuns->reference;
        });
        if (!known) {
            pairs << pairOf(data, headlineRuns->subject, headlineRuns->reference);
        }
    }
    QList<FamilyMember> family;
    for (int i = 0; i < pairs.size(); ++i) {
        int group = 0;
        while (group < i && !(family[group].group == group && askTheSame(data, pairs[group], pairs[i]))) {
            ++group;
        }
        family << FamilyMember{&pairs[i].pair->runs, group};
    }
    judge(family, [&](const PairedRuns& runs, double level) {
        const auto at = std::find_if(pairs.begin(), pairs.end(),
                                     [&](const Pairing& pairing) { return &pairing.pair->runs == &runs; });
        if (at->pair->level != level) {
            at->pair->level = level;
            at->pair->interval = runs.difference->interval(level);
        }
        return at->pair->interval;
    });
    return pairs;
}

storage::CampaignSummary Summarizer::summarize(const CampaignData& data, storage::Id baselineRunId) {
    bringUpToDate(data);
    storage::CampaignSummary summary;
    summary.campaign = data.campaign;
    summary.baselineRunId = chooseBaseline(data, baselineRunId);
    QString baselineScheme;
    for (const RunData& run : data.runs) {
        summary.runs << figures_[run.run.id].summary;
        summary.runs.last().run = run.run; // its status may have changed without its figures
        if (run.run.id == summary.baselineRunId) {
            baselineScheme = run.run.schemeId;
        }
    }
    const std::optional<HeadlinePair> headlineRuns = headlinePair(summary);
    std::optional<storage::Comparison> headlineComparison;
    for (const Pairing& pair : comparePairs(data, baselineScheme, headlineRuns)) {
        storage::Comparison comparison = pair.pair->runs.comparison;
        addRatios(comparison, summary.runs[pair.baseline], summary.runs[pair.run]);
        if (data.runs[pair.baseline].run.schemeId == baselineScheme) {
            summary.runs[pair.run].comparison = comparison;
        }
        const bool isHeadline =
            headlineRuns && pair.run == headlineRuns->subject && pair.baseline == headlineRuns->reference;
        if (isHeadline && comparison.problemsCompared > 0) {
            headlineComparison = comparison;
        }
    }
    summary.headline = headline(summary, headlineRuns, headlineComparison);
    if (const QString sentence = unscoredSentence(data.unscored); !sentence.isEmpty()) {
        summary.headline = (summary.headline + QLatin1Char(' ') + sentence).trimmed();
    }
    return summary;
}

storage::CampaignSummary summarize(const CampaignData& data, storage::Id baselineRunId) {
    return Summarizer().summarize(data, baselineRunId);
}

} // namespace quantscope::analysis
