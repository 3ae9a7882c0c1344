// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"

#include <cstdio>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace quantscope::worker_app {
namespace {

nlohmann::json to_json(const worker::BenchCell& cell) {
    nlohmann::json json = {
        {"scheme", cell.scheme},
        {"batch_size", cell.batch_size},
        {"load_s", cell.load_s},
        {"weight_bytes", cell.weight_bytes},
        {"ttft_ms", cell.ttft_ms},
        {"tpot_ms", {{"p50", cell.tpot_p50_ms}, {"p90", cell.tpot_p90_ms}, {"p99", cell.tpot_p99_ms}}},
        {"tokens_per_s", cell.tokens_per_s},
        {"bytes_per_s", cell.bytes_per_s},
        {"fraction_of_read_ceiling", nullptr}};
    if (cell.fraction_of_read_ceiling) {
        json["fraction_of_read_ceiling"] = *cell.fraction_of_read_ceiling;
    }
    return json;
}

void print_row(const worker::BenchCell& cell) {
    fmt::print("{:<10} {:>5} {:>8.1f} {:>10.2f} {:>9.3f} {:>9.3f} {:>9.3f} {:>10.0f} {:>7.0f} {:>6}\n",
               cell.scheme, cell.batch_size, cell.load_s, cell.ttft_ms, cell.tpot_p50_ms, cell.tpot_p90_ms,
               cell.tpot_p99_ms, cell.tokens_per_s, cell.bytes_per_s * 1e-9,
               cell.fraction_of_read_ceiling ? fmt::format("{:.0f} %", *cell.fraction_of_read_ceiling * 100)
                                             : "");
    std::fflush(stdout);
}

} // namespace

int bench_command(const BenchArguments& arguments) {
    nlohmann::json document = {{"shape", arguments.options.shape},
                               {"prompt_tokens", arguments.options.prompt_tokens},
                               {"output_tokens", arguments.options.output_tokens},
                               {"read_ceiling_bytes_per_s", nullptr},
                               {"cells", nlohmann::json::array()}};
    const auto on_start = [&](const worker::BenchHeader& header) {
        document["device"] = header.device;
        if (header.read_ceiling_bytes_per_s) {
            document["read_ceiling_bytes_per_s"] = *header.read_ceiling_bytes_per_s;
        }
        if (!arguments.json) {
            fmt::print("{}, {}, prompt {}, output {}", header.device, arguments.options.shape,
                       arguments.options.prompt_tokens, arguments.options.output_tokens);
            fmt::print("{}\n{:<10} {:>5} {:>8} {:>10} {:>9} {:>9} {:>9} {:>10} {:>7} {:>6}\n",
                       header.read_ceiling_bytes_per_s ? fmt::format(", read ceiling {:.0f} GB/s",
                                                                     *header.read_ceiling_bytes_per_s * 1e-9)
                                                       : "",
                       "scheme", "batch", "load s", "TTFT ms", "TPOT p50", "p90", "p99", "tokens/s", "GB/s",
                       "");
        }
    };
    const auto done = worker::run_bench(arguments.options, on_start, [&](const worker::BenchCell& cell) {
        if (arguments.json) {
            document["cells"].push_back(to_json(cell));
        } else {
            print_row(cell);
        }
    });
    if (!done) {
        return report(done.error());
    }
    if (arguments.json) {
        fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    }
    return 0;
}

} // namespace quantscope::worker_app
