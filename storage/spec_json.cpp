// SPDX-License-Identifier: Apache-2.0
#include "storage/spec_json.h"

#include "engine/json/json_fields.h"
#include "engine/limits/campaign_limits.h"
#include "storage/engine_error.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QSet>
#include <limits>

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

using Need = JsonFields::Need;

void read(JsonFields& fields, const char* key, QString& out) {
    std::string text = out.toStdString();
    fields.text(key, text, Need::optional);
    out = QString::fromStdString(text);
}

void read(JsonFields& fields, const char* key, int& out) {
    fields.integer(key, out, std::numeric_limits<int>::min(), JsonFields::int_max, Need::optional);
}

void read(JsonFields& fields, const char* key, double& out) {
    fields.number(key, out, Need::optional);
}

void read(JsonFields& fields, const char* key, std::optional<double>& out) {
    double value = 0;
    fields.number(key, value, Need::optional);
    out = fields.has(key) ? std::optional(value) : std::nullopt;
}

void read(JsonFields& fields, const char* key, QStringList& out) {
    if (!fields.has(key))
        return;
    std::vector<std::string> texts;
    fields.texts(key, texts);
    out.clear();
    for (const std::string& text : texts)
        out << QString::fromStdString(text);
}

void readBatchSizes(JsonFields& fields, QList<int>& out) {
    const nlohmann::json* list = fields.array("batch_sizes", Need::optional);
    if (list == nullptr)
        return;
    out.clear();
    for (const nlohmann::json& value : *list) {
        if (!value.is_number_integer() || !limits::batch_size.contains(value.get<long long>()))
            return fields.fail("batch_sizes", limits::batch_size.words(), &value);
        out << value.get<int>();
    }
}

/// A decimal string, or a number that is one exactly.
void readSeed(JsonFields& fields, const nlohmann::json* value, quint64& out) {
    if (value == nullptr || !value->is_string()) {
        std::uint64_t seed = out;
        fields.unsigned64("seed", seed, Need::optional);
        out = seed;
        return;
    }
    bool isNumber = false;
    const quint64 seed = QString::fromStdString(value->get<std::string>()).toULongLong(&isNumber);
    if (!isNumber)
        return fields.fail("seed", "a whole number from 0 to 2^64 - 1, as text", value);
    out = seed;
}

void read(JsonFields& fields, const nlohmann::json& object, CampaignSpec& spec) {
    read(fields, "name", spec.name);
    read(fields, "model", spec.model);
    read(fields, "problems", spec.problems);
    read(fields, "backend", spec.backend);
    read(fields, "launcher", spec.launcher);
    read(fields, "python", spec.python);
    read(fields, "schemes", spec.schemes);
    readBatchSizes(fields, spec.batchSizes);
    read(fields, "limit", spec.limit);
    spec.evalEnabled = fields.boolean_or("eval", spec.evalEnabled);
    spec.sampling.promptForm = QStringLiteral("raw"); // of campaigns from before there was a choice
    fields.object(
        "sampling",
        [&](JsonFields& in) {
            read(in, "samples", spec.sampling.samplesPerProblem);
            read(in, "temperature", spec.sampling.temperature);
            read(in, "top_p", spec.sampling.topP);
            const auto seed = object.at("sampling").find("seed");
            readSeed(in, seed == object.at("sampling").end() ? nullptr : &*seed, spec.sampling.seed);
            read(in, "max_new_tokens", spec.sampling.maxNewTokens);
            read(in, "prompt_form", spec.sampling.promptForm);
        },
        Need::optional);
    fields.object(
        "latency",
        [&](JsonFields& in) {
            spec.latency.enabled = in.boolean_or("enabled", spec.latency.enabled);
            read(in, "prompt_tokens", spec.latency.promptTokens);
            read(in, "output_tokens", spec.latency.outputTokens);
            read(in, "requests", spec.latency.requests);
        },
        Need::optional);
    fields.object(
        "budget",
        [&](JsonFields& in) {
            read(in, "name", spec.budget.name);
            read(in, "ttft_p99_ms", spec.budget.ttftP99Ms);
            read(in, "tpot_p99_ms", spec.budget.tpotP99Ms);
            read(in, "e2e_p99_ms", spec.budget.e2eP99Ms);
            read(in, "e2e_tokens", spec.budget.e2eTokens);
        },
        Need::optional);
}

Expected<> refuse(const QString& field, const QString& expected, const QString& found) {
    return makeError(ErrorKind::BadInput,
                     QStringLiteral("Field %1: expected %2, found %3.").arg(field, expected, found));
}

template<class Range, class Value>
Expected<> checkRange(const char* field, const Range& range, Value value) {
    if (range.contains(value))
        return {};
    return refuse(QLatin1String(field), QString::fromStdString(range.words()), QString::number(value));
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
        if (auto checked = checkRange("batch_sizes", limits::batch_size, size); !checked)
            return checked;
        if (batchSizes.contains(size))
            return refuse(QStringLiteral("batch_sizes"), QStringLiteral("each batch size once"),
                          QStringLiteral("%1 twice").arg(size));
        batchSizes << size;
    }
    return {};
}

/// 0 means that there is no such limit.
Expected<> checkBudget(const char* field, const std::optional<double>& ms) {
    return ms.value_or(0) == 0 ? Expected<>() : checkRange(field, limits::budget_ms, *ms);
}

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

Expected<CampaignSpec> specFromText(const QByteArray& utf8) {
    const char* const where = "A campaign's spec";
    const auto document =
        parse_json_object({utf8.constData(), static_cast<std::size_t>(utf8.size())}, where, {.hint = ""});
    if (!document)
        return tl::unexpected(storageError(document.error()));
    CampaignSpec spec;
    JsonFields fields(*document, where, {}, {});
    read(fields, *document, spec);
    if (!fields.result())
        return tl::unexpected(storageError(fields.result().error()));
    return checkSpec(spec).map([&] { return spec; });
}

QByteArray specToText(const CampaignSpec& spec) {
    return QJsonDocument(specToJson(spec)).toJson(QJsonDocument::Compact);
}

Expected<> checkSpec(const CampaignSpec& spec) {
    if (auto axes = checkAxes(spec); !axes)
        return axes;
    const Sampling& sampling = spec.sampling;
    const LatencySettings& latency = spec.latency;
    const bool timed = latency.enabled;
    const Expected<> checks[] = {
        checkRange("limit", limits::problem_limit, spec.limit),
        checkRange("sampling.samples", limits::samples_per_problem, sampling.samplesPerProblem),
        checkRange("sampling.temperature", limits::temperature, sampling.temperature),
        checkRange("sampling.top_p", limits::top_p, sampling.topP),
        checkRange("sampling.max_new_tokens", limits::max_new_tokens, sampling.maxNewTokens),
        timed ? checkRange("latency.prompt_tokens", limits::latency_prompt_tokens, latency.promptTokens)
              : Expected<>(),
        timed ? checkRange("latency.output_tokens", limits::latency_output_tokens, latency.outputTokens)
              : Expected<>(),
        timed ? checkRange("latency.requests", limits::latency_requests, latency.requests) : Expected<>(),
        checkBudget("budget.ttft_p99_ms", spec.budget.ttftP99Ms),
        checkBudget("budget.tpot_p99_ms", spec.budget.tpotP99Ms),
        checkBudget("budget.e2e_p99_ms", spec.budget.e2eP99Ms),
        checkRange("budget.e2e_tokens", limits::budget_tokens, spec.budget.e2eTokens),
    };
    for (const Expected<>& check : checks)
        if (!check)
            return check;
    const QStringList forms = {QStringLiteral("raw"), QStringLiteral("stripped"), QStringLiteral("auto")};
    if (!forms.contains(spec.sampling.promptForm))
        return refuse(QStringLiteral("sampling.prompt_form"), QStringLiteral("raw, stripped or auto"),
                      spec.sampling.promptForm);
    return {};
}

} // namespace quantscope::storage
