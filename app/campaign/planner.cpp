// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/planner.h"

#include "engine/limits/campaign_limits.h"
#include "storage/model_name.h"

#include <algorithm>

namespace quantscope::campaign {
namespace {

tl::unexpected<Error> refuse(const QString& message, const QString& hint = {}) {
    return make_error(ErrorCode::bad_input, message.toStdString(), hint.toStdString());
}

QString knownIds(const QList<storage::SchemeInfo>& known) {
    QStringList ids;
    for (const storage::SchemeInfo& scheme : known) {
        ids << scheme.id;
    }
    return ids.join(QStringLiteral(", "));
}

Expected<> checkSchemes(const QStringList& schemes, const QList<storage::SchemeInfo>& known) {
    if (schemes.isEmpty()) {
        return refuse(QStringLiteral("No scheme is chosen."), QStringLiteral("Choose at least one scheme."));
    }
    if (known.isEmpty()) {
        return {};
    }
    for (const QString& id : schemes) {
        const bool found = std::any_of(known.begin(), known.end(),
                                       [&](const storage::SchemeInfo& scheme) { return scheme.id == id; });
        if (!found) {
            return refuse(QStringLiteral("The worker knows no scheme \"%1\".").arg(id),
                          QStringLiteral("Known schemes: %1.").arg(knownIds(known)));
        }
    }
    return {};
}

/// `what` as the setting is called in sentences: "The temperature".
template<class Range, class Value>
Expected<> checkRange(const char* what, const Range& range, Value value) {
    if (range.contains(value)) {
        return {};
    }
    return refuse(
        QStringLiteral("%1 must be %2, not %3.")
            .arg(QLatin1String(what), QString::fromStdString(range.words()), QString::number(value)));
}

Expected<> checkSampling(const storage::Sampling& sampling) {
    if (sampling.samplesPerProblem > 1 && sampling.temperature == 0.0) {
        return refuse(QStringLiteral("%1 samples a problem at temperature 0 would all be the same.")
                          .arg(sampling.samplesPerProblem),
                      QStringLiteral("Set a temperature (0.2 is usual for pass@1, 0.8 for pass@10), or ask "
                                     "for one sample a problem."));
    }
    return checkRange("The number of samples a problem", limits::samples_per_problem,
                      sampling.samplesPerProblem)
        .and_then([&] { return checkRange("The temperature", limits::temperature, sampling.temperature); })
        .and_then([&] { return checkRange("Top-p", limits::top_p, sampling.topP); })
        .and_then([&] {
            return checkRange("The number of new tokens", limits::max_new_tokens, sampling.maxNewTokens);
        });
}

Expected<> checkLatency(const storage::LatencySettings& latency) {
    if (!latency.enabled) {
        return {};
    }
    return checkRange("The prompt of a latency request, in tokens,", limits::latency_prompt_tokens,
                      latency.promptTokens)
        .and_then([&] {
            return checkRange("The output of a latency request, in tokens,", limits::latency_output_tokens,
                              latency.outputTokens);
        })
        .and_then([&] {
            return checkRange("The number of timed rounds", limits::latency_requests, latency.requests);
        });
}

} // namespace

Plan planCampaign(const storage::CampaignSpec& spec) {
    Plan plan;
    for (const int batchSize : spec.batchSizes) {
        QList<int> group;
        for (const QString& scheme : spec.schemes) {
            group << static_cast<int>(plan.cells.size());
            plan.cells << Cell{scheme, batchSize};
        }
        if (spec.latency.enabled) {
            plan.steps << Step{Measure::Latency, batchSize, group};
        }
        if (spec.evalEnabled) {
            for (const int cell : group) {
                plan.steps << Step{Measure::Eval, batchSize, {cell}};
            }
        }
    }
    return plan;
}

QString defaultCampaignName(const storage::CampaignSpec& spec) {
    const QString model = spec.model == QLatin1String("demo") ? QStringLiteral("Demo model")
                                                              : storage::modelFolderName(spec.model);
    return QStringLiteral("%1: %2").arg(model, spec.schemes.join(QStringLiteral(", ")));
}

Expected<> checkSpec(const storage::CampaignSpec& spec, const QList<storage::SchemeInfo>& known) {
    if (spec.model.trimmed().isEmpty()) {
        return refuse(QStringLiteral("No model is chosen."),
                      QStringLiteral("Give a Hugging Face model folder, or \"demo\"."));
    }
    if (spec.evalEnabled && spec.problems.trimmed().isEmpty()) {
        return refuse(QStringLiteral("No problem file is chosen."),
                      QStringLiteral("Give a file in the HumanEval format, or \"demo\"."));
    }
    if (!spec.evalEnabled && !spec.latency.enabled) {
        return refuse(QStringLiteral("Nothing is to be measured: both eval and latency are off."));
    }
    if (spec.batchSizes.isEmpty()) {
        return refuse(QStringLiteral("No batch size is chosen."),
                      QStringLiteral("Choose at least one batch size, such as 1."));
    }
    for (const int batchSize : spec.batchSizes) {
        if (const auto checked = checkRange("A batch size", limits::batch_size, batchSize); !checked) {
            return checked;
        }
    }
    if (const auto checked = checkRange("The limit", limits::problem_limit, spec.limit); !checked) {
        return checked;
    }
    return checkSchemes(spec.schemes, known)
        .and_then([&] { return checkSampling(spec.sampling); })
        .and_then([&] { return checkLatency(spec.latency); });
}

Expected<QList<int>> parseBatchSizes(const QString& text) {
    QList<int> sizes;
    for (const QString& part : text.split(QLatin1Char(','))) {
        bool isNumber = false;
        const int size = part.trimmed().toInt(&isNumber);
        if (!isNumber || !limits::batch_size.contains(size)) {
            return refuse(QStringLiteral("a batch size is %1 (several are separated by commas), not \"%2\".")
                              .arg(QString::fromStdString(limits::batch_size.words()), part.trimmed()));
        }
        if (sizes.contains(size)) {
            return refuse(QStringLiteral("Batch size %1 is given twice.").arg(size));
        }
        sizes << size;
    }
    return sizes;
}

Expected<QStringList> parseSchemes(const QString& text) {
    QStringList schemes;
    for (const QString& part : text.split(QLatin1Char(','))) {
        const QString id = part.trimmed();
        if (id.isEmpty()) {
            return refuse(QStringLiteral("\"%1\" holds an empty scheme name.").arg(text));
        }
        if (schemes.contains(id)) {
            return refuse(QStringLiteral("Scheme \"%1\" is given twice.").arg(id));
        }
        schemes << id;
    }
    return schemes;
}

} // namespace quantscope::campaign
