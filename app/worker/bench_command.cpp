// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/worker/resources.h"

#include <cstdio>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace quantscope::worker_app {
namespace {

using worker::BenchCell;
using worker::BenchHeader;

nlohmann::json json_of(const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json json_of(const std::optional<worker::EnergyFigures>& energy) {
    if (!energy) {
        return nullptr;
    }
    return {{"joules_per_token", energy->joules_per_token},
            {"seconds", energy->seconds},
            {"power_w", json_of(energy->mean.power_w)},
            {"sm_clock_mhz", json_of(energy->mean.sm_clock_mhz)},
            {"memory_clock_mhz", json_of(energy->mean.memory_clock_mhz)},
            {"temperature_c", json_of(energy->mean.temperature_c)}};
}

nlohmann::json memory_of(const BenchCell& cell) {
    return {{"linear_weight_bytes", cell.memory.linear_weight_bytes},
            {"other_weight_bytes", cell.memory.other_weight_bytes},
            {"kv_cache_bytes", cell.memory.kv_cache_bytes},
            {"workspace_bytes", cell.memory.workspace_bytes},
            {"final_bytes", cell.final_bytes()},
            {"peak_load_bytes", cell.memory.peak_load_bytes}};
}

nlohmann::json json_of(const BenchCell& cell) {
    nlohmann::json json = {{"scheme", cell.scheme}, {"batch_size", cell.batch_size}};
    if (cell.error) {
        json["error"] = {{"code", to_string(cell.error->code)}, {"message", cell.error->message}};
        return json;
    }
    json["load_s"] = cell.load_s;
    json["weight_bytes"] = cell.memory.linear_weight_bytes + cell.memory.other_weight_bytes;
    json["memory"] = memory_of(cell);
    json["energy"] = json_of(cell.energy);
    if (cell.generation) {
        const worker::BenchGeneration& made = *cell.generation;
        json["generation"] = {{"requests", made.requests},         {"prompt_tokens", made.prompt_tokens},
                              {"new_tokens", made.new_tokens},     {"seconds", made.seconds},
                              {"tokens_per_s", made.tokens_per_s}, {"steps", made.steps},
                              {"host_seconds", made.host_seconds}};
        return json;
    }
    json["ttft_ms"] = cell.ttft_ms;
    json["tpot_ms"] = {{"p50", cell.tpot_p50_ms}, {"p90", cell.tpot_p90_ms}, {"p99", cell.tpot_p99_ms}};
    json["tokens_per_s"] = cell.tokens_per_s;
    json["bytes_per_s"] = cell.bytes_per_s;
    json["fraction_of_read_ceiling"] = json_of(cell.fraction_of_read_ceiling);
    return json;
}

nlohmann::json json_of(const BenchHeader& header, const worker::BenchOptions& options) {
    nlohmann::json json = {
        {"device", header.device.name},
        {"model", header.model},
        {"shape", options.model.empty() ? nlohmann::json(options.shape) : nlohmann::json()},
        {"prompt_tokens", options.prompt_tokens},
        {"output_tokens", options.output_tokens},
        {"rounds", options.rounds},
        {"ceilings", nullptr},
        {"read_ceiling_bytes_per_s", nullptr},
        {"no_telemetry", header.no_telemetry},
        {"cells", nlohmann::json::array()}};
    if (header.ceilings) {
        json["ceilings"] = {{"read_bytes_per_s", header.ceilings->read_bytes_per_s},
                            {"copy_bytes_per_s", header.ceilings->copy_bytes_per_s},
                            {"int8_ops_per_s", header.ceilings->int8_ops_per_s}};
        json["read_ceiling_bytes_per_s"] = header.ceilings->read_bytes_per_s;
    }
    return json;
}

void print_header(const BenchHeader& header, const worker::BenchOptions& options) {
    if (options.requests > 0) {
        fmt::print("{}, {}, {} requests of {} tokens\n", header.device.name, header.model, options.requests,
                   options.output_tokens);
    } else {
        fmt::print("{}, {}, prompt {}, output {}\n", header.device.name, header.model, options.prompt_tokens,
                   options.output_tokens);
    }
    if (header.ceilings) {
        fmt::print("ceilings: read {:.0f} GB/s, copy {:.0f} GB/s, int8 mma.sync {:.0f} TOP/s\n",
                   header.ceilings->read_bytes_per_s * 1e-9, header.ceilings->copy_bytes_per_s * 1e-9,
                   header.ceilings->int8_ops_per_s * 1e-12);
    }
    if (!header.no_telemetry.empty()) {
        fmt::print("no telemetry: {}\n", header.no_telemetry);
    }
    fmt::print("{:<10} {:>5} {:>6} {:>8} {:>8} ", "scheme", "batch", "load s", "GB", "peak GB");
    if (options.requests > 0) {
        fmt::print("{:>9} {:>10} {:>9} {:>7} {:>9}", "seconds", "tokens/s", "ms/step", "steps", "host ms");
    } else {
        fmt::print("{:>9} {:>9} {:>8} {:>8} {:>9} {:>6} {:>5}", "TTFT ms", "TPOT p50", "p90", "p99",
                   "tokens/s", "GB/s", "");
    }
    fmt::print(" {:>7} {:>6} {:>6} {:>5}\n", "J/token", "W", "MHz", "C");
}

std::string short_text(const std::optional<double>& value, int digits = 0) {
    return value ? fmt::format("{:.{}f}", *value, digits) : "";
}

void print_row(const BenchCell& cell) {
    fmt::print("{:<10} {:>5} ", cell.scheme, cell.batch_size);
    if (cell.error) {
        fmt::print("{}\n", cell.error->message);
        return;
    }
    fmt::print("{:>6.1f} {:>8.2f} {:>8.2f} ", cell.load_s, static_cast<double>(cell.final_bytes()) * 1e-9,
               static_cast<double>(cell.memory.peak_load_bytes) * 1e-9);
    if (cell.generation) {
        const worker::BenchGeneration& made = *cell.generation;
        const double steps = static_cast<double>(made.steps);
        fmt::print("{:>9.2f} {:>10.0f} {:>9.3f} {:>7} {:>9.4f}", made.seconds, made.tokens_per_s,
                   made.seconds * 1e3 / steps, made.steps, made.host_seconds * 1e3 / steps);
    } else {
        fmt::print(
            "{:>9.2f} {:>9.3f} {:>8.3f} {:>8.3f} {:>9.0f} {:>6.0f} {:>5}", cell.ttft_ms, cell.tpot_p50_ms,
            cell.tpot_p90_ms, cell.tpot_p99_ms, cell.tokens_per_s, cell.bytes_per_s * 1e-9,
            cell.fraction_of_read_ceiling ? fmt::format("{:.0f} %", *cell.fraction_of_read_ceiling * 100)
                                          : "");
    }
    if (cell.energy) {
        fmt::print(" {:>7.3f} {:>6} {:>6} {:>5}", cell.energy->joules_per_token,
                   short_text(cell.energy->mean.power_w), short_text(cell.energy->mean.sm_clock_mhz),
                   short_text(cell.energy->mean.temperature_c));
    }
    fmt::print("\n");
    std::fflush(stdout);
}

/// Names for people become paths.
Expected<worker::BenchOptions> options_of(const BenchArguments& arguments) {
    worker::BenchOptions options = arguments.options;
    if (!arguments.model.empty()) {
        auto model = worker::resolve_model(arguments.model);
        if (!model) {
            return tl::unexpected(model.error());
        }
        options.model = *std::move(model);
    }
    if (!arguments.problems.empty()) {
        auto problems = worker::resolve_problems(arguments.problems);
        if (!problems) {
            return tl::unexpected(problems.error());
        }
        options.problems = *std::move(problems);
    }
    return options;
}

} // namespace

int bench_command(const BenchArguments& arguments) {
    const auto options = options_of(arguments);
    if (!options) {
        return report(options.error());
    }
    nlohmann::json document;
    int measured = 0;
    const auto on_start = [&](const BenchHeader& header) {
        document = json_of(header, *options);
        if (!arguments.json) {
            print_header(header, *options);
        }
    };
    const auto done = worker::run_bench(*options, on_start, [&](const BenchCell& cell) {
        measured += cell.error ? 0 : 1;
        document["cells"].push_back(json_of(cell));
        if (!arguments.json) {
            print_row(cell);
        }
    });
    if (!done) {
        return report(done.error());
    }
    if (arguments.json) {
        fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return measured > 0 ? 0 : 1;
}

} // namespace quantscope::worker_app
