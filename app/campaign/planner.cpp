// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/planner.h"

#include "storage/model_name.h"

#include <algorithm>

namespace quantscope::campaign {
namespace {

constexpr int maxBatchSize = 4096;

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

Expected<> checkSampling(const storage::Sampling& sampling) {
    if (sampling.samplesPerProblem < 1 || sampling.samplesPerProblem > 1000) {
        return refuse(
            QStringLiteral("Samples per problem must be 1 to 1000, not %1.").arg(sampling.samplesPerProblem));
    }
    if (!(sampling.temperature >= 0.0 && sampling.temperature <= 10.0)) {
        return refuse(
            QStringLiteral("The temperature must be 0 (greedy) to 10, not %1.").arg(sampling.temperature));
    }
    if (!(sampling.topP > 0.0 && sampling.topP <= 1.0)) {
        return refuse(QStringLiteral("Top-p must be above 0 and at most 1, not %1.").arg(sampling.topP));
    }
    if (sampling.maxNewTokens < 1) {
        return refuse(
            QStringLiteral("At least 1 new token a sample is needed, not %1.").arg(sampling.maxNewTokens));
    }
    if (sampling.samplesPerProblem > 1 && sampling.temperature == 0.0) {
        return refuse(QStringLiteral("%1 samples a problem at temperature 0 would all be the same.")
                          .arg(sampling.samplesPerProblem),
                      QStringLiteral("Set a temperature (0.2 is usual for pass@1, 0.8 for pass@10), or ask "
                                     "for one sample a problem."));
    }
    return {};
}

Expected<> checkLatency(const storage::LatencySettings& latency) {
    if (!latency.enabled) {
        return {};
    }
    if (latency.promptTokens < 1 || latency.outputTokens < 2 || latency.requests < 1) {
        return refuse(QStringLiteral("A latency run needs at least 1 prompt token, 2 output tokens and 1 "
                                     "request, not %1, %2 and %3.")
                          .arg(latency.promptTokens)
                          .arg(latency.outputTokens)
                          .arg(latency.requests));
    }
    return {};
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
        if (batchSize < 1 || batchSize > maxBatchSize) {
            return refuse(QStringLiteral("A batch size must be 1 to %1, not %2.")
                              .arg(QString::number(maxBatchSize), QString::number(batchSize)));
        }
    }
    if (spec.limit < 0) {
        return refuse(QStringLiteral("The limit must be 0 (all problems) or more, not %1.").arg(spec.limit));
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
        if (!isNumber || size < 1 || size > maxBatchSize) {
            return refuse(QStringLiteral("\"%1\" is no batch size: whole numbers from 1 to %2 are, separated "
                                         "by commas.")
                              .arg(part.trimmed(), QString::number(maxBatchSize)));
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
