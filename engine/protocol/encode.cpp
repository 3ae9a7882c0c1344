// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/codec.h"
#include "engine/protocol/line_limit.h"

#include <cmath>
#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

/// JSON has no NaN or infinity; nlohmann would write null, which is not a number to the reader.
double finite(double value) {
    return std::isfinite(value) ? value : 0.0;
}

/// Times are kept to 0.1 microseconds: finer digits are noise that only lengthens the line.
double tidy_ms(double value) {
    return std::round(finite(value) * 1e4) / 1e4;
}

OrderedJson json_of(const Device& device) {
    return {{"id", device.id},
            {"backend", device.backend},
            {"name", device.name},
            {"memory_bytes", device.memory_bytes},
            {"detail", device.detail}};
}

OrderedJson json_of(const SchemeInfo& scheme) {
    return {{"id", scheme.id},
            {"label", scheme.label},
            {"summary", scheme.summary},
            {"weight_bits", scheme.weight_bits},
            {"activation_bits", scheme.activation_bits},
            {"kv_bits", scheme.kv_bits},
            {"backends", scheme.backends}};
}

OrderedJson json_of(const std::map<std::string, double>& values) {
    OrderedJson object = OrderedJson::object();
    for (const auto& [name, value] : values) {
        if (std::isfinite(value)) {
            object[name] = value;
        }
    }
    return object;
}

OrderedJson json_of(const ProblemText& problem) {
    return {{"task_id", problem.task_id}, {"prompt", problem.prompt}, {"entry_point", problem.entry_point}};
}

OrderedJson json_of(const LatencyTimes& times) {
    OrderedJson gaps = OrderedJson::array();
    for (const double gap : times.itl_ms) {
        gaps.push_back(tidy_ms(gap));
    }
    return {{"request", times.request},
            {"prompt_tokens", times.prompt_tokens},
            {"output_tokens", times.output_tokens},
            {"ttft_ms", tidy_ms(times.ttft_ms)},
            {"e2e_ms", tidy_ms(times.e2e_ms)},
            {"itl_ms", std::move(gaps)}};
}

OrderedJson json_of(const LatencyCell& cell) {
    return {{"run", cell.run}, {"scheme", cell.scheme}};
}

template<class List>
OrderedJson list_of(const List& items) {
    OrderedJson list = OrderedJson::array();
    for (const auto& item : items) {
        list.push_back(json_of(item));
    }
    return list;
}

/// Writes an event's fields behind `event` and `seq`.
struct EventFields {
    OrderedJson& out;

    void start(const char* name) const { out["event"] = name; }

    void operator()(const HelloEvent& hello) const {
        start("hello");
        out["protocol"] = hello.protocol;
        out["version"] = hello.version;
        out["git"] = hello.git;
        out["devices"] = list_of(hello.devices);
        out["schemes"] = list_of(hello.schemes);
        out["sandbox"] = {{"available", hello.sandbox.available},
                          {"message", hello.sandbox.message},
                          {"hint", hello.sandbox.hint}};
        out["host"] = {{"os", hello.host.os}, {"cpu", hello.host.cpu}};
    }
    void operator()(const LoadedEvent& loaded) const {
        start("loaded");
        out["model_hash"] = loaded.model_hash;
        out["model"] = {{"name", loaded.model.name},
                        {"parameters", loaded.model.parameters},
                        {"layers", loaded.model.layers},
                        {"hidden_size", loaded.model.hidden_size},
                        {"vocab_size", loaded.model.vocab_size},
                        {"context_length", loaded.model.context_length}};
        out["device"] = json_of(loaded.device);
        out["schemes"] = loaded.schemes;
        if (!loaded.notices.empty()) {
            out["notices"] = loaded.notices;
        }
    }
    void operator()(const PhaseEvent& phase) const {
        start("phase");
        if (!phase.run.empty()) {
            out["run"] = phase.run;
        }
        out["phase"] = phase.phase;
        out["text"] = phase.text;
    }
    void operator()(const ProgressEvent& progress) const {
        start("progress");
        out["run"] = progress.run;
        out["measure"] = progress.measure;
        out["done"] = progress.done;
        out["total"] = progress.total;
        out["eta_s"] = nullptr;
        if (progress.eta_s && std::isfinite(*progress.eta_s)) {
            out["eta_s"] = *progress.eta_s;
        }
        out["tokens_per_s"] = finite(progress.tokens_per_s);
    }
    void operator()(const ProblemsEvent& problems) const {
        start("problems");
        out["run"] = problems.run;
        out["problems_hash"] = problems.problems_hash;
        out["count"] = problems.count;
        out["offset"] = problems.offset;
        out["problems"] = list_of(problems.problems);
        if (!problems.notice.empty()) {
            out["notice"] = problems.notice;
        }
    }
    void operator()(const SampleEvent& sample) const {
        start("sample");
        out["run"] = sample.run;
        out["task_id"] = sample.task_id;
        out["sample_index"] = sample.sample_index;
        out["completion"] = sample.completion;
        out["verdict"] = sample.verdict;
        out["detail"] = sample.detail;
        out["stop_reason"] = sample.stop_reason;
        out["prompt_tokens"] = sample.prompt_tokens;
        out["completion_tokens"] = sample.completion_tokens;
        out["ttft_ms"] = tidy_ms(sample.ttft_ms);
        out["total_ms"] = tidy_ms(sample.total_ms);
    }
    void operator()(const LatencyEvent& latency) const {
        start("latency");
        out["run"] = latency.run;
        out["round"] = latency.round;
        out["requests"] = list_of(latency.requests);
    }
    void operator()(const MetricEvent& metric) const {
        start("metric");
        out["run"] = metric.run;
        out["values"] = json_of(metric.values);
    }
    void operator()(const TelemetryEvent& telemetry) const {
        start("telemetry");
        out["values"] = json_of(telemetry.values);
    }
    void operator()(const ErrorEvent& error) const {
        start("error");
        if (!error.run.empty()) {
            out["run"] = error.run;
        }
        if (!error.scheme.empty()) {
            out["scheme"] = error.scheme;
        }
        out["code"] = to_string(error.error.code);
        out["message"] = error.error.message;
        out["hint"] = error.error.hint;
        out["fatal"] = error.fatal;
    }
    void operator()(const DoneEvent& done) const {
        start("done");
        out["run"] = done.run;
        out["measure"] = done.measure;
        out["status"] = done.status;
    }
    void operator()(const PongEvent& /*pong*/) const { start("pong"); }
    void operator()(const HeartbeatEvent& /*beat*/) const { start("heartbeat"); }
    void operator()(const UnknownEvent& unknown) const { out["event"] = unknown.name; }
};

/// Consecutive indices of a task become one entry [task_id, first, last].
OrderedJson skip_list(const std::vector<SampleKey>& keys) {
    OrderedJson list = OrderedJson::array();
    for (std::size_t i = 0; i < keys.size();) {
        std::size_t end = i + 1;
        while (end < keys.size() && keys[end].task_id == keys[i].task_id &&
               keys[end].sample_index == keys[end - 1].sample_index + 1) {
            ++end;
        }
        OrderedJson entry = OrderedJson::array({keys[i].task_id, keys[i].sample_index});
        if (end - i > 1) {
            entry.push_back(keys[end - 1].sample_index);
        }
        list.push_back(std::move(entry));
        i = end;
    }
    return list;
}

struct RequestFields {
    OrderedJson& out;

    void operator()(const LoadRequest& load) const {
        out = {{"request", "load"},           {"model", load.model},
               {"schemes", load.schemes},     {"backend", load.backend},
               {"max_batch", load.max_batch}, {"context_length", load.context_length}};
    }
    void operator()(const EvalRequest& eval) const {
        out = {{"request", "eval"},         {"run", eval.run},     {"scheme", eval.scheme},
               {"problems", eval.problems}, {"limit", eval.limit}, {"batch_size", eval.batch_size}};
        out["sampling"] = {{"samples", eval.sampling.samples},
                           {"temperature", finite(eval.sampling.temperature)},
                           {"top_p", finite(eval.sampling.top_p)},
                           {"seed", eval.sampling.seed},
                           {"max_new_tokens", eval.sampling.max_new_tokens},
                           {"prompt_form", eval.sampling.prompt_form}};
        out["skip"] = skip_list(eval.skip);
    }
    void operator()(const LatencyRequest& latency) const {
        out = {{"request", "latency"}};
        out["cells"] = list_of(latency.cells);
        out["batch_size"] = latency.batch_size;
        out["prompt_tokens"] = latency.prompt_tokens;
        out["output_tokens"] = latency.output_tokens;
        out["requests"] = latency.requests;
        out["first_round"] = latency.first_round;
    }
    void operator()(const CancelRequest& cancel) const {
        out = {{"request", "cancel"}};
        if (!cancel.run.empty()) {
            out["run"] = cancel.run;
        }
    }
    void operator()(const PingRequest& /*ping*/) const { out = {{"request", "ping"}}; }
    void operator()(const ShutdownRequest& /*shutdown*/) const { out = {{"request", "shutdown"}}; }
};

OrderedJson json_of(const Event& event) {
    OrderedJson object = OrderedJson::object();
    object["event"] = nullptr; // keeps its place in front
    object["seq"] = event.seq;
    std::visit(EventFields{object}, event.body);
    return object;
}

} // namespace

std::string encode_event(const Event& event) {
    OrderedJson object = json_of(event);
    if (std::optional<std::string> line = to_fitting_line(object)) {
        return *std::move(line);
    }
    ErrorEvent too_long;
    if (const auto run = object.find("run"); run != object.end() && run->is_string()) {
        too_long.run = run->get<std::string>();
    }
    too_long.error.code = ErrorCode::internal;
    too_long.error.message =
        fmt::format("An event \"{}\" was longer than a protocol line can be (1 MiB) and was dropped.",
                    object["event"].get<std::string>());
    return to_line(json_of(Event{event.seq, too_long}));
}

Expected<std::string> encode_request(const Request& request) {
    OrderedJson object = OrderedJson::object();
    std::visit(RequestFields{object}, request);
    std::string line = to_line(object);
    if (line.size() > kMaxLineBytes) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("A request of {} bytes is longer than a protocol line can be ({} bytes).",
                        line.size(), kMaxLineBytes),
            "Ask for fewer problems or samples at once.");
    }
    return line;
}

} // namespace quantscope::protocol
