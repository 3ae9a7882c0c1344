// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/model/tokenizer.h"
#include "engine/worker/resources.h"

#include <fmt/format.h>

namespace quantscope::worker_app {

int tokenize_command(const TokenizeArguments& arguments) {
    const auto folder = worker::resolve_model(arguments.model);
    if (!folder) {
        return report(folder.error());
    }
    const auto tokenizer = Tokenizer::open(*folder);
    if (!tokenizer) {
        return report(tokenizer.error());
    }
    for (const std::string& sentence : (*tokenizer)->notices()) {
        fmt::print(stderr, "{}\n", sentence);
    }
    const auto ids = (*tokenizer)->encode_prompt(arguments.text);
    if (!ids) {
        return report(ids.error());
    }
    fmt::print("{}\n", fmt::join(*ids, " "));
    return 0;
}

} // namespace quantscope::worker_app
