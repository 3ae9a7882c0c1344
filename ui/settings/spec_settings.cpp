// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/settings/spec_settings.h"

#include <QSettings>

#include <algorithm>

namespace quantscope::ui {

using storage::CampaignSpec;

namespace {

QString key(const char* name) {
    return QStringLiteral("campaign/") + QLatin1String(name);
}

int boundedInt(const QSettings& settings, const char* name, int fallback, int low, int high) {
    bool ok = false;
    const int value = settings.value(key(name), fallback).toInt(&ok);
    return ok && value >= low && value <= high ? value : fallback;
}

double boundedDouble(const QSettings& settings, const char* name, double fallback, double low, double high) {
    bool ok = false;
    const double value = settings.value(key(name), fallback).toDouble(&ok);
    return ok && value >= low && value <= high ? value : fallback;
}

std::optional<double> limit(const QSettings& settings, const char* name) {
    const double value = boundedDouble(settings, name, 0.0, 0.0, 1e9);
    return value > 0.0 ? std::optional(value) : std::nullopt;
}

void saveLimit(QSettings& settings, const char* name, std::optional<double> value) {
    settings.setValue(key(name), value.value_or(0.0));
}

QList<int> batchSizes(const QSettings& settings, const QList<int>& fallback) {
    if (!settings.contains(key("batchSizes")))
        return fallback;
    QList<int> sizes;
    for (const QString& text : settings.value(key("batchSizes")).toStringList())
        if (const int size = text.toInt(); size > 0 && size <= 4096)
            sizes += size;
    return sizes;
}

} // namespace

CampaignSpec defaultSpec() {
    CampaignSpec spec;
    spec.model = spec.problems = QStringLiteral("demo");
    spec.schemes = {QStringLiteral("fp16"), QStringLiteral("int8"), QStringLiteral("w4a4-rot")};
    spec.batchSizes = {1, 8};
    return spec;
}

void saveSpec(QSettings& settings, const CampaignSpec& spec) {
    settings.setValue(key("name"), spec.name);
    settings.setValue(key("model"), spec.model);
    settings.setValue(key("problems"), spec.problems);
    settings.setValue(key("backend"), spec.backend);
    settings.setValue(key("launcher"), spec.launcher);
    settings.setValue(key("schemes"), spec.schemes);
    QStringList sizes;
    for (const int size : spec.batchSizes)
        sizes += QString::number(size);
    settings.setValue(key("batchSizes"), sizes);
    settings.setValue(key("limit"), spec.limit);
    settings.setValue(key("eval"), spec.evalEnabled);
    settings.setValue(key("samples"), spec.sampling.samplesPerProblem);
    settings.setValue(key("temperature"), spec.sampling.temperature);
    settings.setValue(key("topP"), spec.sampling.topP);
    settings.setValue(key("seed"), QString::number(spec.sampling.seed));
    settings.setValue(key("maxNewTokens"), spec.sampling.maxNewTokens);
    settings.setValue(key("promptForm"), spec.sampling.promptForm);
    settings.setValue(key("latency"), spec.latency.enabled);
    settings.setValue(key("promptTokens"), spec.latency.promptTokens);
    settings.setValue(key("outputTokens"), spec.latency.outputTokens);
    settings.setValue(key("requests"), spec.latency.requests);
    settings.setValue(key("budget"), spec.budget.name);
    saveLimit(settings, "ttftP99Ms", spec.budget.ttftP99Ms);
    saveLimit(settings, "tpotP99Ms", spec.budget.tpotP99Ms);
    saveLimit(settings, "e2eP99Ms", spec.budget.e2eP99Ms);
    settings.setValue(key("e2eTokens"), spec.budget.e2eTokens);
}

CampaignSpec loadSpec(const QSettings& settings) {
    CampaignSpec spec = defaultSpec();
    spec.name = settings.value(key("name")).toString();
    spec.model = settings.value(key("model"), spec.model).toString();
    spec.problems = settings.value(key("problems"), spec.problems).toString();
    spec.backend = settings.value(key("backend"), spec.backend).toString();
    spec.launcher = settings.value(key("launcher")).toStringList();
    spec.schemes = settings.value(key("schemes"), spec.schemes).toStringList();
    spec.batchSizes = batchSizes(settings, spec.batchSizes);
    spec.limit = boundedInt(settings, "limit", 0, 0, 1000000);
    spec.evalEnabled = settings.value(key("eval"), true).toBool();
    auto& sampling = spec.sampling;
    sampling.samplesPerProblem = boundedInt(settings, "samples", sampling.samplesPerProblem, 1, 1000);
    sampling.temperature = boundedDouble(settings, "temperature", sampling.temperature, 0.0, 2.0);
    sampling.topP = boundedDouble(settings, "topP", sampling.topP, 0.01, 1.0);
    sampling.seed = settings.value(key("seed")).toString().toULongLong();
    sampling.maxNewTokens = boundedInt(settings, "maxNewTokens", sampling.maxNewTokens, 1, 32768);
    const QString form = settings.value(key("promptForm")).toString();
    if (form == QLatin1String("raw") || form == QLatin1String("stripped"))
        sampling.promptForm = form;
    auto& latency = spec.latency;
    latency.enabled = settings.value(key("latency"), true).toBool();
    latency.promptTokens = boundedInt(settings, "promptTokens", latency.promptTokens, 1, 32768);
    latency.outputTokens = boundedInt(settings, "outputTokens", latency.outputTokens, 2, 32768);
    latency.requests = boundedInt(settings, "requests", latency.requests, 1, 100000);
    spec.budget.name = settings.value(key("budget")).toString();
    spec.budget.ttftP99Ms = limit(settings, "ttftP99Ms");
    spec.budget.tpotP99Ms = limit(settings, "tpotP99Ms");
    spec.budget.e2eP99Ms = limit(settings, "e2eP99Ms");
    spec.budget.e2eTokens = boundedInt(settings, "e2eTokens", spec.budget.e2eTokens, 1, 32768);
    return spec;
}

} // namespace quantscope::ui
