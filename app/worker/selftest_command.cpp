// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/worker/resources.h"
#include "engine/worker/selftest.h"

#include <cstdio>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace quantscope::worker_app {
namespace {

Expected<worker::SelftestOptions> options_of(const SelftestArguments& arguments) {
    auto model = worker::resolve_model(arguments.model);
    if (!model) {
        return tl::unexpected(model.error());
    }
    auto problems = worker::resolve_problems(arguments.problems);
    if (!problems) {
        return tl::unexpected(problems.error());
    }
    return worker::SelftestOptions{arguments.backend, *std::move(model), *std::move(problems),
                                   arguments.limit,   arguments.seed,    arguments.random_model};
}

} // namespace

int selftest_command(const SelftestArguments& arguments) {
    const auto options = options_of(arguments);
    if (!options) {
        return report(options.error());
    }
    int failed = 0;
    int skipped = 0;
    nlohmann::json checks = nlohmann::json::array();
    const auto device = worker::run_selftest(*options, [&](const DeviceCheck& check) {
        failed += check.passed ? 0 : 1;
        skipped += check.skipped ? 1 : 0;
        if (arguments.json) {
            checks.push_back({{"name", check.name},
                              {"passed", check.passed},
                              {"skipped", check.skipped},
                              {"detail", check.detail}});
        } else {
            fmt::print("{:<6} {:<56} {}\n",
                       !check.passed   ? "FAILED"
                       : check.skipped ? "skip"
                                       : "ok",
                       check.name, check.detail);
            std::fflush(stdout);
        }
    });
    if (!device) {
        return report(device.error());
    }
    if (arguments.json) {
        const nlohmann::json document = {{"device", *device},
                                         {"seed", arguments.seed},
                                         {"failed", failed},
                                         {"skipped", skipped},
                                         {"checks", std::move(checks)}};
        fmt::print("{}\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    } else {
        fmt::print("{}: {} failed, {} skipped (seed {})\n", *device, failed, skipped, arguments.seed);
    }
    return failed == 0 ? 0 : 1;
}

} // namespace quantscope::worker_app
