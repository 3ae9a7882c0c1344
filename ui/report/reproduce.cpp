// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/report/reproduce.h"

#include "storage/budget_presets.h"

#include <QRegularExpression>
#include <QStringList>

namespace quantscope::ui {

namespace {

QString shellQuoted(QString word) {
    static const QRegularExpression plain(QStringLiteral("^[A-Za-z0-9_@%+=:,./-]+$"));
    if (plain.match(word).hasMatch())
        return word;
    return u'\'' + word.replace(u'\'', QStringLiteral("'\\''")) + u'\'';
}

/// Only what differs from the command line's defaults, so that the command stays readable.
void addSampling(QStringList& words, const storage::Sampling& sampling) {
    const storage::Sampling usual;
    if (sampling.samplesPerProblem != usual.samplesPerProblem)
        words += {QStringLiteral("--samples"), QString::number(sampling.samplesPerProblem)};
    if (sampling.temperature != usual.temperature)
        words += {QStringLiteral("--temperature"), QString::number(sampling.temperature, 'g', 10)};
    if (sampling.topP != usual.topP)
        words += {QStringLiteral("--top-p"), QString::number(sampling.topP, 'g', 10)};
    words += {QStringLiteral("--seed"), QString::number(sampling.seed)};
    words += {QStringLiteral("--max-new-tokens"), QString::number(sampling.maxNewTokens)};
    if (sampling.promptForm != usual.promptForm)
        words += {QStringLiteral("--prompt-form"), sampling.promptForm};
}

void addLatency(QStringList& words, const storage::LatencySettings& latency) {
    if (!latency.enabled) {
        words += QStringLiteral("--no-latency");
        return;
    }
    words += {QStringLiteral("--latency-prompt"),   QString::number(latency.promptTokens),
              QStringLiteral("--latency-output"),   QString::number(latency.outputTokens),
              QStringLiteral("--latency-requests"), QString::number(latency.requests)};
}

void addBudget(QStringList& words, const storage::Budget& budget) {
    for (const storage::BudgetPreset& preset : storage::budgetPresets())
        if (storage::sameLimits(preset.budget, budget)) {
            if (!preset.id.isEmpty())
                words += {QStringLiteral("--budget"), preset.id};
            return;
        }
    const auto add = [&](const char* option, const std::optional<double>& ms) {
        if (ms)
            words += {QLatin1String(option), QString::number(*ms, 'g', 10)};
    };
    add("--ttft-p99-ms", budget.ttftP99Ms);
    add("--tpot-p99-ms", budget.tpotP99Ms);
    add("--e2e-p99-ms", budget.e2eP99Ms);
    if (budget.e2eP99Ms && budget.e2eTokens != storage::Budget{}.e2eTokens)
        words += {QStringLiteral("--e2e-tokens"), QString::number(budget.e2eTokens)};
}

} // namespace

QString reproduceCommand(const storage::CampaignSpec& spec) {
    QStringList sizes;
    for (const int size : spec.batchSizes)
        sizes += QString::number(size);
    QStringList words{QStringLiteral("quantscope"),    QStringLiteral("run"),
                      QStringLiteral("--model"),       spec.model,
                      QStringLiteral("--problems"),    spec.problems,
                      QStringLiteral("--schemes"),     spec.schemes.join(u','),
                      QStringLiteral("--batch-sizes"), sizes.join(u','),
                      QStringLiteral("--backend"),     spec.backend};
    if (spec.limit > 0)
        words += {QStringLiteral("--limit"), QString::number(spec.limit)};
    if (spec.evalEnabled)
        addSampling(words, spec.sampling);
    else
        words += QStringLiteral("--no-eval");
    addLatency(words, spec.latency);
    addBudget(words, spec.budget);
    if (!spec.launcher.isEmpty())
        words += {QStringLiteral("--launcher"), spec.launcher.join(u' ')};
    if (!spec.python.isEmpty())
        words += {QStringLiteral("--python"), spec.python};
    for (QString& word : words)
        word = shellQuoted(word);
    return words.join(u' ');
}

} // namespace quantscope::ui
