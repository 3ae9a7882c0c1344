// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/event_rows.h"

#include "engine/base/printable.h"
#include "storage/words.h"

#include <algorithm>
#include <cmath>

namespace quantscope::campaign {
namespace {

QString text(const std::string& utf8) {
    return QString::fromStdString(utf8);
}

// More than any worker has: a stranger's lists may fill neither the window nor the database.
constexpr qsizetype mostListed = 64;
constexpr qsizetype mostMetrics = 256;

/// What the other side says of itself, for labels and tables.
QString shown(const std::string& utf8) {
    return text(printable(utf8, 1000));
}

double timeMs(double value) {
    return std::isfinite(value) ? std::max(0.0, value) : 0.0;
}

} // namespace

storage::HostInfo hostInfo(const protocol::HelloEvent& hello) {
    storage::HostInfo host;
    host.workerVersion = text(hello.version);
    for (const protocol::Device& device : hello.devices) {
        if (host.devices.size() == mostListed) {
            break;
        }
        host.devices << storage::DeviceInfoRow{text(device.id), text(device.backend), shown(device.name),
                                               shown(device.detail), device.memory_bytes};
    }
    for (const protocol::SchemeInfo& scheme : hello.schemes) {
        if (host.schemes.size() == mostListed) {
            break;
        }
        host.schemes << storage::SchemeInfo{text(scheme.id),    shown(scheme.label),    shown(scheme.summary),
                                            scheme.weight_bits, scheme.activation_bits, scheme.kv_bits};
    }
    host.sandboxAvailable = hello.sandbox.available;
    host.sandboxMessage =
        QStringList{shown(hello.sandbox.message), shown(hello.sandbox.hint)}.join(QLatin1Char(' ')).trimmed();
    return host;
}

storage::Sample sampleRow(const protocol::SampleEvent& event, storage::Id runId) {
    storage::Sample row;
    row.runId = runId;
    row.taskId = text(event.task_id);
    row.sampleIndex = event.sample_index;
    row.completion = text(event.completion);
    row.verdict = storage::verdictFromWord(text(event.verdict)).value_or(storage::Verdict::Unscored);
    row.detail = text(printable(event.detail, 2000));
    row.stopReason = text(event.stop_reason);
    row.promptTokens = std::max(0, event.prompt_tokens);
    row.completionTokens = std::max(0, event.completion_tokens);
    row.ttftMs = timeMs(event.ttft_ms);
    row.totalMs = timeMs(event.total_ms);
    return row;
}

QList<storage::LatencySample> latencyRows(const protocol::LatencyEvent& event, storage::Id runId) {
    QList<storage::LatencySample> rows;
    for (const protocol::LatencyTimes& times : event.requests) {
        storage::LatencySample row;
        row.runId = runId;
        row.round = event.round;
        row.request = times.request;
        row.promptTokens = std::max(0, times.prompt_tokens);
        row.outputTokens = std::max(0, times.output_tokens);
        row.ttftMs = timeMs(times.ttft_ms);
        row.e2eMs = timeMs(times.e2e_ms);
        for (const double gap : times.itl_ms) {
            row.itlMs << timeMs(gap);
        }
        rows << row;
    }
    return rows;
}

QList<storage::Problem> problemRows(const protocol::ProblemsEvent& event) {
    QList<storage::Problem> rows;
    int position = event.offset;
    for (const protocol::ProblemText& problem : event.problems) {
        storage::Problem row;
        row.taskId = text(problem.task_id);
        row.prompt = text(problem.prompt);
        row.entryPoint = text(problem.entry_point);
        row.position = position++;
        rows << row;
    }
    return rows;
}

QMap<QString, double> metricValues(const std::map<std::string, double>& values) {
    QMap<QString, double> rows;
    for (const auto& [name, value] : values) {
        if (std::isfinite(value) && !name.empty() && rows.size() < mostMetrics) {
            rows.insert(text(name), value);
        }
    }
    return rows;
}

std::string wireRun(storage::Id runId) {
    return std::to_string(runId);
}

storage::Id runIdOf(const std::string& wire) {
    bool isNumber = false;
    const storage::Id id = text(wire).toLongLong(&isNumber);
    return isNumber ? id : 0;
}

protocol::Sampling wireSampling(const storage::Sampling& sampling) {
    return {sampling.samplesPerProblem,
            sampling.temperature,
            sampling.topP,
            sampling.seed,
            sampling.maxNewTokens,
            sampling.promptForm.toStdString()};
}

} // namespace quantscope::campaign
