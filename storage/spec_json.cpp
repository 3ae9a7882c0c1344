// SPDX-License-Identifier: Apache-2.0
#include "storage/spec_json.h"

#include "storage/json_fields.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QSet>
#include <cmath>

namespace quantscope::storage {
namespace {

QJsonValue optionalNumber(const std::optional<double>& value) {
    return value ? QJsonValue(*value) : QJsonValue(QJsonValue::Null);
}

QJsonObject toJson(const Sampling& sampling) {
    return {{QStringLiteral("samples"), sampling.samplesPerProblem},
            {QStringLiteral("temperature"), sampling.temperature},
            {QStringLiteral("top_p"), sampling.topP},
            {QStringLiteral("seed"), QString::number(sampling.seed)},
            {QStringLiteral("max_new_tokens"), sampling.maxNewTokens},
            {QStringLiteral("prompt_form"), sampling.promptForm}};
}

QJsonObject toJson(const LatencySettings& latency) {
    return {{QStringLiteral("enabled"), latency.enabled},
            {QStringLiteral("prompt_tokens"), latency.promptTokens},
            {QStringLiteral("output_tokens"), latency.outputTokens},
            {QStringLiteral("requests"), latency.requests}};
}

QJsonObject toJson(const Budget& budget) {
    return {{QStringLiteral("name"), budget.name},
            {QStringLiteral("ttft_p99_ms"), optionalNumber(budget.ttftP99Ms)},
            {QStringLiteral("tpot_p99_ms"), optionalNumber(budget.tpotP99Ms)},
            {QStringLiteral("e2e_p99_ms"), optionalNumber(budget.e2eP99Ms)},
            {QStringLiteral("e2e_tokens"), budget.e2eTokens}};
}

void read(JsonFields fields, Sampling& sampling, JsonFields& parent) {
    fields.read("samples", sampling.samplesPerProblem);
    fields.read("temperature", sampling.temperature);
    fields.read("top_p", sampling.topP);
    fields.read("seed", sampling.seed);
    fields.read("max_new_tokens", sampling.maxNewTokens);
    sampling.promptForm = QStringLiteral("raw"); // of campaigns from before there was a choice
    fields.read("prompt_form", sampling.promptForm);
    parent.adopt(fields);
}

void read(JsonFields fields, LatencySettings& latency, JsonFields& parent) {
    fields.read("enabled", latency.enabled);
    fields.read("prompt_tokens", latency.promptTokens);
    fields.read("output_tokens", latency.outputTokens);
    fields.read("requests", latency.requests);
    parent.adopt(fields);
}

void read(JsonFields fields, Budget& budget, JsonFields& parent) {
    fields.read("name", budget.name);
    fields.read("ttft_p99_ms", budget.ttftP99Ms);
    fields.read("tpot_p99_ms", budget.tpotP99Ms);
    fields.read("e2e_p99_ms", budget.e2eP99Ms);
    fields.read("e2e_tokens", budget.e2eTokens);
    parent.adopt(fields);
}

Expected<> refuse(const QString& field, const QString& expected, const QString& found) {
    return makeError(ErrorKind::BadInput,
                     QStringLiteral("Field %1: expected %2, found %3.").arg(field, expected, found));
}

Expected<> checkAxes(const CampaignSpec& spec) {
    QSet<QString> schemes;
    for (const QString& scheme : spec.schemes) {
        if (scheme.isEmpty())
            return refuse(QStringLiteral("schemes"), QStringLiteral("scheme names"),
                          QStringLiteral("an empty one"));
        if (schemes.contains(scheme))
            return refuse(QStringLiteral("schemes"), QStringLiteral("each scheme once"),
                          QStringLiteral("%1 twice").arg(scheme));
        schemes << scheme;
    }
    QSet<int> batchSizes;
    for (const int size : spec.batchSizes) {
        if (size < 1)
            return refuse(QStringLiteral("batch_sizes"), QStringLiteral("1 or more"), QString::number(size));
        if (batchSizes.contains(size))
            return refuse(QStringLiteral("batch_sizes"), QStringLiteral("each batch size once"),
                          QStringLiteral("%1 twice").arg(size));
        batchSizes << size;
    }
    return {};
}

struct Range {
    const char* field;
    double value;
    double low;
    const char* expected;
    double high = HUGE_VAL;
};

} // namespace

QJsonObject specToJson(const CampaignSpec& spec) {
    QJsonArray batchSizes;
    for (const int size : spec.batchSizes)
        batchSizes << size;
    return {{QStringLiteral("name"), spec.name},
            {QStringLiteral("model"), spec.model},
            {QStringLiteral("problems"), spec.problems},
            {QStringLiteral("backend"), spec.backend},
            {QStringLiteral("launcher"), QJsonArray::fromStringList(spec.launcher)},
            {QStringLiteral("python"), spec.python},
            {QStringLiteral("schemes"), QJsonArray::fromStringList(spec.schemes)},
            {QStringLiteral("batch_sizes"), batchSizes},
            {QStringLiteral("limit"), spec.limit},
            {QStringLiteral("eval"), spec.evalEnabled},
            {QStringLiteral("sampling"), toJson(spec.sampling)},
            {QStringLiteral("latency"), toJson(spec.latency)},
            {QStringLiteral("budget"), toJson(spec.budget)}};
}

Expected<CampaignSpec> specFromJson(const QJsonObject& json) {
    CampaignSpec spec;
    JsonFields fields(json, {});
    fields.read("name", spec.name);
    fields.read("model", spec.model);
    fields.read("problems", spec.problems);
    fields.read("backend", spec.backend);
    fields.read("launcher", spec.launcher);
    fields.read("python", spec.python);
    fields.read("schemes", spec.schemes);
    fields.read("batch_sizes", spec.batchSizes);
    fields.read("limit", spec.limit);
    fields.read("eval", spec.evalEnabled);
    read(fields.child("sampling"), spec.sampling, fields);
    read(fields.child("latency"), spec.latency, fields);
    read(fields.child("budget"), spec.budget, fields);
    if (fields.error())
        return tl::unexpected(*fields.error());
    return checkSpec(spec).map([&] { return spec; });
}

Expected<CampaignSpec> specFromText(const QByteArray& utf8) {
    QJsonParseError error;
    const QJsonDocument document = QJsonDocument::fromJson(utf8, &error);
    if (error.error != QJsonParseError::NoError)
        return makeError(ErrorKind::BadInput, QStringLiteral("A campaign's spec is not JSON: %1 at byte %2.")
                                                  .arg(error.errorString())
                                                  .arg(error.offset));
    if (!document.isObject())
        return makeError(ErrorKind::BadInput,
                         QStringLiteral("A campaign's spec: expected a JSON object, found an array."));
    return specFromJson(document.object());
}

QByteArray specToText(const CampaignSpec& spec) {
    return QJsonDocument(specToJson(spec)).toJson(QJsonDocument::Compact);
}

Expected<> checkSpec(const CampaignSpec& spec) {
    if (auto axes = checkAxes(spec); !axes)
        return axes;
    const double latencyFrom = spec.latency.enabled ? 1 : 0;
    const Range ranges[] = {
        {"limit", double(spec.limit), 0, "0 (all) or more"},
        {"sampling.samples", double(spec.sampling.samplesPerProblem), 1, "1 or more"},
        {"sampling.temperature", spec.sampling.temperature, 0, "0 (greedy) or more"},
        {"sampling.top_p", spec.sampling.topP, 1e-9, "more than 0, at most 1", 1},
        {"sampling.max_new_tokens", double(spec.sampling.maxNewTokens), 1, "1 or more"},
        {"latency.prompt_tokens", double(spec.latency.promptTokens), latencyFrom, "1 or more"},
        {"latency.output_tokens", double(spec.latency.outputTokens), latencyFrom, "1 or more"},
        {"latency.requests", double(spec.latency.requests), latencyFrom, "1 or more"},
        {"budget.ttft_p99_ms", spec.budget.ttftP99Ms.value_or(0), 0, "0 or more"},
        {"budget.tpot_p99_ms", spec.budget.tpotP99Ms.value_or(0), 0, "0 or more"},
        {"budget.e2e_p99_ms", spec.budget.e2eP99Ms.value_or(0), 0, "0 or more"},
        {"budget.e2e_tokens", double(spec.budget.e2eTokens), 1, "1 or more"},
    };
    for (const Range& range : ranges) // written so that NaN is refused
        if (!(range.value >= range.low && range.value <= range.high && std::isfinite(range.value)))
            return refuse(QLatin1String(range.field), QLatin1String(range.expected),
                          QString::number(range.value));
    const QStringList forms = {QStringLiteral("raw"), QStringLiteral("stripped"), QStringLiteral("auto")};
    if (!forms.contains(spec.sampling.promptForm))
        return refuse(QStringLiteral("sampling.prompt_form"), QStringLiteral("raw, stripped or auto"),
                      spec.sampling.promptForm);
    return {};
}

} // namespace quantscope::storage
