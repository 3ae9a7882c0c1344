// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/harness.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <initializer_list>

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

std::string assemble(std::initializer_list<std::string_view> parts) {
    std::string program;
    for (const std::string_view part : parts)
        program += harness_part(part);
    return program;
}

} // namespace

std::string together_harness(int max_threads) {
    return settings(max_threads) + assemble({"guard", "describe", "together"});
}

std::string judged_harness(int max_threads) {
    return settings(max_threads) + assemble({"guard", "describe", "codec", "judged"});
}

std::string checker_harness(int max_threads) {
    return settings(max_threads) + assemble({"guard", "describe", "codec", "checker"});
}

bool is_hidden_module(std::string_view name) {
    return std::find(hidden_modules.begin(), hidden_modules.end(), name) != hidden_modules.end();
}

} // namespace quantscope::eval
