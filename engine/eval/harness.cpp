// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/harness.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope::eval {
namespace {

constexpr std::array<std::string_view, 14> hidden_modules = {"_cffi_backend",
                                                             "_ctypes",
                                                             "_ctypes_test",
                                                             "_interpchannels",
                                                             "_interpqueues",
                                                             "_interpreters",
                                                             "_testbuffer",
                                                             "_testcapi",
                                                             "_testexternalinspection",
                                                             "_testinternalcapi",
                                                             "_testlimitedcapi",
                                                             "_xxinterpchannels",
                                                             "_xxsubinterpreters",
                                                             "ctypes"};

std::string settings(int max_threads) {
    return fmt::format("_MAX_THREADS = {}\n_HIDDEN = frozenset(('{}',))\n", max_threads,
                       fmt::join(hidden_modules, "', '"));
}

} // namespace

std::string together_harness(int max_threads) {
    return settings(max_threads)
        .append(harness_part("guard"))
        .append(harness_part("describe"))
        .append(harness_part("together"));
}

bool is_hidden_module(std::string_view name) {
    return std::find(hidden_modules.begin(), hidden_modules.end(), name) != hidden_modules.end();
}

} // namespace quantscope::eval
