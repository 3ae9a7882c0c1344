// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/eval/prompt_protocol.h"
#include "engine/generate/generator.h"
#include "engine/worker/model_host.h"
#include "engine/worker/resources.h"

#include <cstdio>
#include <fmt/format.h>
#include <fstream>
#include <iterator>
#include <optional>

namespace quantscope::worker_app {
namespace {

Expected<std::string> read_prompt(const GenerateArguments& arguments) {
    if (arguments.prompt_file.empty()) {
        return arguments.prompt;
    }
    std::ifstream in(arguments.prompt_file, std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(in), {});
    if (!in) {
        return make_error(ErrorCode::io, fmt::format("Cannot read {}.", arguments.prompt_file));
    }
    return text;
}

Expected<std::unique_ptr<worker::ModelHost>> open_host(const GenerateArguments& arguments) {
    const auto folder = worker::resolve_model(arguments.model);
    if (!folder) {
        return tl::unexpected(folder.error());
    }
    auto host = worker::ModelHost::open(*folder, arguments.backend, {1, 0});
    if (!host) {
        return host;
    }
    for (const std::string& sentence : (*host)->notices()) {
        fmt::print(stderr, "{}\n", sentence);
    }
    if (auto loaded = (*host)->load(arguments.scheme); !loaded) {
        return tl::unexpected(loaded.error());
    }
    return host;
}

Expected<GenerationResult> generate_one(const GenerateArguments& arguments) {
    auto prompt = read_prompt(arguments);
    if (!prompt) {
        return tl::unexpected(prompt.error());
    }
    auto host = open_host(arguments);
    if (!host) {
        return tl::unexpected(host.error());
    }
    auto tokens = (*host)->tokenizer().encode_prompt(*prompt);
    if (!tokens) {
        return tl::unexpected(tokens.error());
    }
    GenerationRequest request;
    request.prompt_text = *std::move(prompt);
    request.prompt = *std::move(tokens);
    request.max_new_tokens = arguments.max_new_tokens;
    request.sampling = {arguments.temperature, arguments.top_p};
    request.key = {arguments.seed, 0, 0};
    GenerationOptions options;
    options.eos_token_ids = (*host)->eos_token_ids();
    if (arguments.humaneval_stops) {
        for (const std::string_view stop : eval::stop_strings()) {
            options.stop_strings.emplace_back(stop);
        }
    }
    GenerationResult result;
    options.on_done = [&](GenerationResult done) { result = std::move(done); };
    auto loaded =
        (*host)->use(arguments.scheme, {1, static_cast<int>(request.prompt.size()) + request.max_new_tokens});
    if (!loaded) {
        return tl::unexpected(loaded.error());
    }
    auto generated = generate(*(*loaded)->session, (*host)->tokenizer(), std::span(&request, 1), options);
    if (!generated) {
        return tl::unexpected(generated.error());
    }
    if (result.error) {
        return tl::unexpected(*result.error);
    }
    return result;
}

} // namespace

int generate_command(const GenerateArguments& arguments) {
    const auto result = generate_one(arguments);
    if (!result) {
        return report(result.error());
    }
    std::fwrite(result->completion.data(), 1, result->completion.size(), stdout);
    std::fputc('\n', stdout);
    const double decode_s = (result->total_ms - result->ttft_ms) / 1e3;
    fmt::print(stderr, "{} prompt tokens, {} new ({}), first after {:.1f} ms, then {:.1f} tokens/s\n",
               result->prompt_tokens, result->completion_tokens, to_string(result->stop_reason),
               result->ttft_ms, decode_s > 0.0 ? (result->completion_tokens - 1) / decode_s : 0.0);
    return 0;
}

} // namespace quantscope::worker_app
