// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "engine/worker/bench.h"

#include <cstdint>
#include <string>

/// The worker's subcommands. Each returns the process's exit code: 0 done, 1 failed, 3 bad input, 4
/// cancelled.
namespace quantscope::worker_app {

struct ServeArguments {
    std::string record; ///< file for a copy of the outgoing stream; empty: none
    std::string log;    ///< file for stderr; empty: stderr as it is
    std::string python; ///< interpreter of the sandbox; empty: the usual one
};
int serve_command(const ServeArguments& arguments);

struct GenerateArguments {
    std::string model = "demo";
    std::string scheme = "fp16";
    std::string backend = "auto";
    std::string prompt;
    std::string prompt_file;
    int max_new_tokens = 128;
    double temperature = 0.0;
    double top_p = 1.0;
    std::uint64_t seed = 0;
    bool humaneval_stops = false;
};
int generate_command(const GenerateArguments& arguments);

struct TokenizeArguments {
    std::string model = "demo";
    std::string text;
};
int tokenize_command(const TokenizeArguments& arguments);

struct SelftestArguments {
    std::string backend = "auto";
    std::string model = "demo";
    std::string problems = "demo";
    int limit = 0;     ///< problems at most; 0: all
    unsigned seed = 0; ///< of random inputs
    bool random_model = false;
    bool json = false;
};
int selftest_command(const SelftestArguments& arguments);

struct BenchArguments {
    worker::BenchOptions options;
    std::string model;    ///< folder or "demo"; empty: random weights
    std::string problems; ///< file or "demo"; empty: none
    bool json = false;
};
int bench_command(const BenchArguments& arguments);

/// Prints the error on stderr and returns its exit code.
int report(const Error& error);

} // namespace quantscope::worker_app
