// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/codec.h"
#include "engine/protocol/message_object.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

namespace quantscope::protocol {
namespace {

using Need = JsonFields::Need;
constexpr std::int64_t kMany = JsonFields::int_max;

void read(JsonFields& in, Device& out) {
    in.text("id", out.id);
    in.text("backend", out.backend);
    in.text("name", out.name);
    in.integer64("memory_bytes", out.memory_bytes);
    in.text("detail", out.detail, Need::optional);
}

void read(JsonFields& in, SchemeInfo& out) {
    in.text("id", out.id);
    in.text("label", out.label);
    in.text("summary", out.summary, Need::optional);
    in.integer("weight_bits", out.weight_bits, 1, 64);
    in.integer("activation_bits", out.activation_bits, 1, 64);
    in.integer("kv_bits", out.kv_bits, 1, 64);
    in.texts("backends", out.backends);
}

void read(JsonFields& in, ProblemText& out) {
    in.text("task_id", out.task_id);
    in.text("prompt", out.prompt);
    in.text("entry_point", out.entry_point);
}

void read(JsonFields& in, LatencyTimes& out) {
    in.integer("request", out.request, 0, kMany);
    in.integer("prompt_tokens", out.prompt_tokens, 0, kMany);
    in.integer("output_tokens", out.output_tokens, 0, kMany);
    in.number("ttft_ms", out.ttft_ms);
    in.number("e2e_ms", out.e2e_ms);
    in.numbers("itl_ms", out.itl_ms);
}

template<class T>
void read_list(JsonFields& in, const char* key, std::vector<T>& out) {
    in.objects(key, [&](JsonFields& item) { read(item, out.emplace_back()); });
}

void read(JsonFields& in, HelloEvent& out) {
    in.integer("protocol", out.protocol, 0, kMany);
    if (out.protocol != kVersion) {
        return; // another version may look otherwise; the reader of the stream refuses it by name
    }
    in.text("version", out.version);
    in.text("git", out.git, Need::optional);
    read_list(in, "devices", out.devices);
    read_list(in, "schemes", out.schemes);
    in.object("sandbox", [&](JsonFields& sandbox) {
        sandbox.boolean("available", out.sandbox.available);
        sandbox.text("message", out.sandbox.message, Need::optional);
        sandbox.text("hint", out.sandbox.hint, Need::optional);
    });
    in.object(
        "host",
        [&](JsonFields& host) {
            host.text("os", out.host.os, Need::optional);
            host.text("cpu", out.host.cpu, Need::optional);
        },
        Need::optional);
}

void read(JsonFields& in, LoadedEvent& out) {
    in.text("model_hash", out.model_hash);
    in.object("model", [&](JsonFields& model) {
        model.text("name", out.model.name);
        model.integer64("parameters", out.model.parameters);
        model.integer("layers", out.model.layers, 0, kMany);
        model.integer("hidden_size", out.model.hidden_size, 0, kMany);
        model.integer("vocab_size", out.model.vocab_size, 0, kMany);
        model.integer("context_length", out.model.context_length, 0, kMany);
    });
    in.object("device", [&](JsonFields& device) { read(device, out.device); });
    in.texts("schemes", out.schemes);
    in.texts("notices", out.notices, Need::optional);
}

void read(JsonFields& in, PhaseEvent& out) {
    in.text("run", out.run, Need::optional);
    in.text("phase", out.phase);
    in.text("text", out.text, Need::optional);
}

void read(JsonFields& in, ProgressEvent& out) {
    in.text("run", out.run);
    in.text_of("measure", out.measure, {"eval", "latency"});
    in.integer("done", out.done, 0, kMany);
    in.integer("total", out.total, 0, kMany);
    double eta_s = -1.0;
    in.number("eta_s", eta_s, Need::optional);
    if (eta_s >= 0.0) {
        out.eta_s = eta_s;
    }
    in.number("tokens_per_s", out.tokens_per_s, Need::optional);
}

void read(JsonFields& in, ProblemsEvent& out) {
    in.text("run", out.run);
    in.text("problems_hash", out.problems_hash);
    in.integer("count", out.count, 0, kMany);
    in.integer("offset", out.offset, 0, kMany);
    read_list(in, "problems", out.problems);
    in.text("notice", out.notice, Need::optional);
}

void read(JsonFields& in, SampleEvent& out) {
    in.text("run", out.run);
    in.text("task_id", out.task_id);
    in.integer("sample_index", out.sample_index, 0, kMany);
    in.text("completion", out.completion);
    in.text_of("verdict", out.verdict, {"passed", "failed", "timed_out", "error", "unscored"});
    in.text("detail", out.detail, Need::optional);
    in.text("stop_reason", out.stop_reason);
    in.integer("prompt_tokens", out.prompt_tokens, 0, kMany);
    in.integer("completion_tokens", out.completion_tokens, 0, kMany);
    in.number("ttft_ms", out.ttft_ms);
    in.number("total_ms", out.total_ms);
}

void read(JsonFields& in, LatencyEvent& out) {
    in.text("run", out.run);
    in.integer("round", out.round, 0, kMany);
    read_list(in, "requests", out.requests);
}

void read(JsonFields& in, MetricEvent& out) {
    in.text("run", out.run);
    in.named_numbers("values", out.values);
}

void read(JsonFields& in, TelemetryEvent& out) {
    in.named_numbers("values", out.values);
}

void read(JsonFields& in, ErrorEvent& out) {
    in.text("run", out.run, Need::optional);
    in.text("scheme", out.scheme, Need::optional);
    std::string code;
    in.text("code", code);
    out.error.code = error_code_from(code);
    in.text("message", out.error.message);
    in.text("hint", out.error.hint, Need::optional);
    in.boolean("fatal", out.fatal, Need::optional);
}

void read(JsonFields& in, DoneEvent& out) {
    in.text("run", out.run);
    in.text_of("measure", out.measure, {"eval", "latency"});
    in.text_of("status", out.status, {"ok", "cancelled", "failed"});
}

void read(JsonFields& /*in*/, PongEvent& /*out*/) {}
void read(JsonFields& /*in*/, HeartbeatEvent& /*out*/) {}

template<class T>
EventBody read_as(JsonFields& in) {
    T body;
    read(in, body);
    return body;
}

struct EventReader {
    const char* name;
    EventBody (*read)(JsonFields&);
};

constexpr EventReader kEventReaders[] = {
    {"hello", read_as<HelloEvent>},         {"loaded", read_as<LoadedEvent>},
    {"phase", read_as<PhaseEvent>},         {"progress", read_as<ProgressEvent>},
    {"problems", read_as<ProblemsEvent>},   {"sample", read_as<SampleEvent>},
    {"latency", read_as<LatencyEvent>},     {"metric", read_as<MetricEvent>},
    {"telemetry", read_as<TelemetryEvent>}, {"error", read_as<ErrorEvent>},
    {"done", read_as<DoneEvent>},           {"pong", read_as<PongEvent>},
    {"heartbeat", read_as<HeartbeatEvent>},
};

/// The start of a line that is not what it should be, safe to print.
std::string excerpt(std::string_view line) {
    constexpr std::size_t kShown = 80;
    const Json text = std::string(line.substr(0, kShown));
    return text.dump(-1, ' ', true, Json::error_handler_t::replace) + (line.size() > kShown ? "..." : "");
}

} // namespace

ErrorCode error_code_from(std::string_view name) {
    for (const ErrorCode code :
         {ErrorCode::bad_input, ErrorCode::io, ErrorCode::unsupported, ErrorCode::out_of_memory,
          ErrorCode::device, ErrorCode::sandbox_unavailable, ErrorCode::cancelled}) {
        if (name == to_string(code)) {
            return code;
        }
    }
    return ErrorCode::internal;
}

Expected<> check_version(std::int64_t version) {
    if (version == kVersion) {
        return {};
    }
    return make_error(ErrorCode::unsupported,
                      fmt::format("The worker speaks protocol version {}, this program speaks version {}.",
                                  version, kVersion),
                      "Install the same release of quantscope and quantscope-worker on both machines.");
}

Expected<Event> decode_event(std::string_view line) {
    const Json object = message_object(line);
    if (!object.is_object()) {
        return make_error(
            ErrorCode::bad_input,
            fmt::format("Expected an event (one JSON object a line), found {}.", excerpt(line)));
    }
    JsonFields envelope = message_fields(object, "event");
    std::string name;
    Event event;
    envelope.text("event", name);
    envelope.integer64("seq", event.seq);
    if (const auto& status = envelope.result(); !status) {
        return tl::unexpected(status.error());
    }
    const auto* known = std::find_if(std::begin(kEventReaders), std::end(kEventReaders),
                                     [&](const EventReader& reader) { return name == reader.name; });
    if (known == std::end(kEventReaders)) {
        event.body = UnknownEvent{name};
        return event;
    }
    JsonFields fields = message_fields(object, fmt::format("event \"{}\" (seq {})", name, event.seq));
    event.body = known->read(fields);
    if (const auto& status = fields.result(); !status) {
        return tl::unexpected(status.error());
    }
    return event;
}

} // namespace quantscope::protocol
