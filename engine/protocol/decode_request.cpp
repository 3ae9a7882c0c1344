// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/codec.h"
#include "engine/protocol/field_reader.h"

#include <cmath>
#include <fmt/format.h>

namespace quantscope::protocol {
namespace {

using Need = FieldReader::Need;

// Limits of what a request may ask for: far above sense, below what would overflow or exhaust memory.
constexpr std::int64_t kMaxBatch = 1024;
constexpr std::int64_t kMaxTokens = 1 << 20;
constexpr std::int64_t kMaxSamples = 100000;
constexpr std::int64_t kMaxRounds = 100000;
constexpr std::size_t kMaxRunName = 200;
constexpr std::size_t kMaxSkip = 10'000'000;

void read_run(FieldReader& in, std::string& run) {
    in.text("run", run);
    if (run.empty() || run.size() > kMaxRunName) {
        in.fail("run", fmt::format("1 to {} bytes of text", kMaxRunName));
    }
}

void read_some_text(FieldReader& in, const char* key, std::string& out) {
    in.text(key, out);
    if (out.empty()) {
        in.fail(key, "text");
    }
}

void read(FieldReader& in, LoadRequest& out) {
    read_some_text(in, "model", out.model);
    in.texts("schemes", out.schemes);
    in.text_of("backend", out.backend, {"auto", "cpu", "cuda"}, Need::optional);
    in.integer("max_batch", out.max_batch, 1, kMaxBatch, Need::optional);
    in.integer("context_length", out.context_length, 0, kMaxTokens, Need::optional);
    if (out.schemes.empty()) {
        in.fail("schemes", "at least one scheme");
    }
}

void read_sampling(FieldReader& in, Sampling& out) {
    in.integer("samples", out.samples, 1, kMaxSamples, Need::optional);
    in.number("temperature", out.temperature, Need::optional);
    in.number("top_p", out.top_p, Need::optional);
    in.unsigned64("seed", out.seed, Need::optional);
    in.integer("max_new_tokens", out.max_new_tokens, 1, kMaxTokens, Need::optional);
    in.text_of("prompt_form", out.prompt_form, {"raw", "stripped", "auto"}, Need::optional);
    if (!(out.temperature >= 0.0 && out.temperature <= 100.0)) {
        const Json found = out.temperature;
        in.fail("temperature", "a number from 0 (greedy) to 100", &found);
    }
    if (!(out.top_p > 0.0 && out.top_p <= 1.0)) {
        const Json found = out.top_p;
        in.fail("top_p", "a number above 0, at most 1", &found);
    }
}

/// One entry of `skip`: [task_id, index] or [task_id, first, last].
bool read_skip_entry(const Json& entry, std::vector<SampleKey>& out) {
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
    for (std::uint64_t index = first; index <= last; ++index) {
        out.push_back({entry[0].get<std::string>(), static_cast<int>(index)});
    }
    return true;
}

void read(FieldReader& in, EvalRequest& out) {
    read_run(in, out.run);
    read_some_text(in, "scheme", out.scheme);
    read_some_text(in, "problems", out.problems);
    in.integer("limit", out.limit, 0, FieldReader::kIntMax, Need::optional);
    in.integer("batch_size", out.batch_size, 1, kMaxBatch, Need::optional);
    in.object(
        "sampling", [&](FieldReader& sampling) { read_sampling(sampling, out.sampling); }, Need::optional);
    if (const Json* skip = in.array("skip", Need::optional)) {
        for (const Json& entry : *skip) {
            if (!read_skip_entry(entry, out.skip)) {
                return in.fail("skip", "entries [task_id, index] or [task_id, first, last]", &entry);
            }
        }
    }
}

void read(FieldReader& in, LatencyRequest& out) {
    in.objects("cells", [&](FieldReader& cell) {
        LatencyCell& added = out.cells.emplace_back();
        read_run(cell, added.run);
        read_some_text(cell, "scheme", added.scheme);
    });
    if (out.cells.empty()) {
        in.fail("cells", "at least one cell");
    }
    in.integer("batch_size", out.batch_size, 1, kMaxBatch, Need::optional);
    in.integer("prompt_tokens", out.prompt_tokens, 1, kMaxTokens, Need::optional);
    in.integer("output_tokens", out.output_tokens, 1, kMaxTokens, Need::optional);
    in.integer("requests", out.requests, 1, kMaxRounds, Need::optional);
    in.integer("first_round", out.first_round, 0, kMaxRounds, Need::optional);
}

void read(FieldReader& in, CancelRequest& out) {
    in.text("run", out.run, Need::optional);
}

void read(FieldReader& /*in*/, PingRequest& /*out*/) {}
void read(FieldReader& /*in*/, ShutdownRequest& /*out*/) {}

template<class T>
Request read_as(FieldReader& in) {
    T request;
    read(in, request);
    return request;
}

struct RequestReader {
    const char* name;
    Request (*read)(FieldReader&);
};

constexpr RequestReader kRequestReaders[] = {
    {"load", read_as<LoadRequest>},       {"eval", read_as<EvalRequest>},
    {"latency", read_as<LatencyRequest>}, {"cancel", read_as<CancelRequest>},
    {"ping", read_as<PingRequest>},       {"shutdown", read_as<ShutdownRequest>},
};

} // namespace

Expected<Request> decode_request(std::string_view line) {
    const Json object = Json::parse(line, nullptr, false);
    if (!object.is_object()) {
        return make_error(ErrorCode::bad_input, "A request must be one JSON object on one line.",
                          "engine/protocol/README.md describes the requests.");
    }
    FieldReader envelope(object, "request");
    std::string name;
    envelope.text("request", name);
    if (auto status = envelope.status(); !status) {
        return tl::unexpected(status.error());
    }
    for (const RequestReader& reader : kRequestReaders) {
        if (name == reader.name) {
            FieldReader fields(object, fmt::format("request \"{}\"", name));
            Request request = reader.read(fields);
            if (auto status = fields.status(); !status) {
                return tl::unexpected(status.error());
            }
            return request;
        }
    }
    const Json shown = name.substr(0, 40);
    envelope.fail("request", "one of load, eval, latency, cancel, ping, shutdown", &shown);
    return tl::unexpected(envelope.status().error());
}

RefusedRequest peek_request(std::string_view line) {
    RefusedRequest refused;
    const Json object = Json::parse(line, nullptr, false);
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
