// SPDX-License-Identifier: Apache-2.0
#include "engine/limits/campaign_limits.h"
#include "engine/protocol/codec.h"
#include "engine/protocol/message_object.h"

#include <cmath>
#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

using Need = JsonFields::Need;

constexpr std::uint64_t kMaxSamples = limits::samples_per_problem.high;
constexpr std::size_t kMaxRunName = 200;
constexpr std::size_t kMaxSkip = 1'000'000; // HumanEval at 1,000 samples has 164,000
constexpr std::size_t kMaxSkipBytes = std::size_t{256} << 20;

void in_range(JsonFields& in, const char* key, int& out, const limits::WholeRange& range) {
    in.integer(key, out, range.low, range.high, Need::optional);
}

void read_run(JsonFields& in, std::string& run) {
    in.text("run", run);
    if (run.empty() || run.size() > kMaxRunName) {
        in.fail("run", fmt::format("1 to {} bytes of text", kMaxRunName));
    }
}

void read_some_text(JsonFields& in, const char* key, std::string& out) {
    in.text(key, out);
    if (out.empty()) {
        in.fail(key, "text");
    }
}

void read(JsonFields& in, LoadRequest& out) {
    read_some_text(in, "model", out.model);
    in.texts("schemes", out.schemes);
    in.text_of("backend", out.backend, {"auto", "cpu", "cuda"}, Need::optional);
    in_range(in, "max_batch", out.max_batch, limits::batch_size);
    in.integer("context_length", out.context_length, 0, limits::most_tokens, Need::optional);
    if (out.schemes.empty()) {
        in.fail("schemes", "at least one scheme");
    }
}

void read_sampling(JsonFields& in, Sampling& out) {
    in_range(in, "samples", out.samples, limits::samples_per_problem);
    in.number("temperature", out.temperature, Need::optional);
    in.number("top_p", out.top_p, Need::optional);
    in.unsigned64("seed", out.seed, Need::optional);
    in_range(in, "max_new_tokens", out.max_new_tokens, limits::max_new_tokens);
    in.text_of("prompt_form", out.prompt_form, {"raw", "stripped", "auto"}, Need::optional);
    if (!limits::temperature.contains(out.temperature)) {
        const Json found = out.temperature;
        in.fail("temperature", limits::temperature.words(), &found);
    }
    if (!limits::top_p.contains(out.top_p)) {
        const Json found = out.top_p;
        in.fail("top_p", limits::top_p.words(), &found);
    }
}

/// One entry of `skip`: [task_id, index] or [task_id, first, last].
bool read_skip_entry(const Json& entry, std::vector<SampleKey>& out, std::size_t& bytes) {
    const bool shaped = entry.is_array() && (entry.size() == 2 || entry.size() == 3) &&
                        entry[0].is_string() && entry[1].is_number_unsigned() &&
                        entry[entry.size() - 1].is_number_unsigned();
    if (!shaped) {
        return false;
    }
    const auto first = entry[1].get<std::uint64_t>();
    const auto last = entry[entry.size() - 1].get<std::uint64_t>();
    if (first > last || last >= kMaxSamples || out.size() + (last - first + 1) > kMaxSkip) {
        return false;
    }
    bytes += (last - first + 1) * (sizeof(SampleKey) + entry[0].get_ref<const std::string&>().size());
    if (bytes > kMaxSkipBytes) {
        return false;
    }
    for (std::uint64_t index = first; index <= last; ++index) {
        out.push_back({entry[0].get<std::string>(), static_cast<int>(index)});
    }
    return true;
}

void read(JsonFields& in, EvalRequest& out) {
    read_run(in, out.run);
    read_some_text(in, "scheme", out.scheme);
    read_some_text(in, "problems", out.problems);
    in_range(in, "limit", out.limit, limits::problem_limit);
    in_range(in, "batch_size", out.batch_size, limits::batch_size);
    in.object(
        "sampling", [&](JsonFields& sampling) { read_sampling(sampling, out.sampling); }, Need::optional);
    if (const Json* skip = in.array("skip", Need::optional)) {
        std::size_t bytes = 0;
        for (const Json& entry : *skip) {
            if (!read_skip_entry(entry, out.skip, bytes)) {
                return in.fail("skip",
                               fmt::format("entries [task_id, index] or [task_id, first, last], at most {} "
                                           "samples in all",
                                           kMaxSkip),
                               &entry);
            }
        }
    }
}

void read(JsonFields& in, LatencyRequest& out) {
    in.objects("cells", [&](JsonFields& cell) {
        LatencyCell& added = out.cells.emplace_back();
        read_run(cell, added.run);
        read_some_text(cell, "scheme", added.scheme);
    });
    if (out.cells.empty()) {
        in.fail("cells", "at least one cell");
    }
    in_range(in, "batch_size", out.batch_size, limits::batch_size);
    in_range(in, "prompt_tokens", out.prompt_tokens, limits::latency_prompt_tokens);
    in_range(in, "output_tokens", out.output_tokens, limits::latency_output_tokens);
    in_range(in, "requests", out.requests, limits::latency_requests);
    in.integer("first_round", out.first_round, 0, limits::latency_requests.high, Need::optional);
}

void read(JsonFields& in, CancelRequest& out) {
    in.text("run", out.run, Need::optional);
}

void read(JsonFields& /*in*/, PingRequest& /*out*/) {}
void read(JsonFields& /*in*/, ShutdownRequest& /*out*/) {}

template<class T>
Request read_as(JsonFields& in) {
    T request;
    read(in, request);
    return request;
}

struct RequestReader {
    const char* name;
    Request (*read)(JsonFields&);
};

constexpr RequestReader kRequestReaders[] = {
    {"load", read_as<LoadRequest>},       {"eval", read_as<EvalRequest>},
    {"latency", read_as<LatencyRequest>}, {"cancel", read_as<CancelRequest>},
    {"ping", read_as<PingRequest>},       {"shutdown", read_as<ShutdownRequest>},
};

} // namespace

Expected<Request> decode_request(std::string_view line) {
    const Json object = message_object(line);
    if (!object.is_object()) {
        return make_error(ErrorCode::bad_input, "A request must be one JSON object on one line.",
                          "engine/protocol/README.md describes the requests.");
    }
    JsonFields envelope = message_fields(object, "request");
    std::string name;
    envelope.text("request", name);
    if (const auto& status = envelope.result(); !status) {
        return tl::unexpected(status.error());
    }
    for (const RequestReader& reader : kRequestReaders) {
        if (name == reader.name) {
            JsonFields fields = message_fields(object, fmt::format("request \"{}\"", name));
            Request request = reader.read(fields);
            if (const auto& status = fields.result(); !status) {
                return tl::unexpected(status.error());
            }
            return request;
        }
    }
    const Json shown = name.substr(0, 40);
    envelope.fail("request", "one of load, eval, latency, cancel, ping, shutdown", &shown);
    return tl::unexpected(envelope.result().error());
}

RefusedRequest peek_request(std::string_view line) {
    RefusedRequest refused;
    const Json object = message_object(line);
    if (!object.is_object()) {
        return refused;
    }
    const auto take_run = [&](const Json& holder) {
        if (!holder.is_object()) {
            return;
        }
        const auto run = holder.find("run");
        if (run != holder.end() && run->is_string() && !run->empty() &&
            run->get_ref<const std::string&>().size() <= kMaxRunName) {
            refused.runs.push_back(run->get<std::string>());
        }
    };
    if (const auto name = object.find("request"); name != object.end() && name->is_string()) {
        refused.name = name->get<std::string>();
    }
    take_run(object);
    if (const auto cells = object.find("cells"); cells != object.end() && cells->is_array()) {
        for (const Json& cell : *cells) {
            take_run(cell);
        }
    }
    return refused;
}

} // namespace quantscope::protocol
