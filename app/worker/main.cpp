// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/worker/commands.h"
#include "engine/worker/random_checkpoint.h"
#include "engine/worker/version.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <unistd.h>

namespace quantscope::worker_app {

int report(const Error& error) {
    fmt::print(stderr, "quantscope-worker: {}\n", error.message);
    if (!error.hint.empty()) {
        fmt::print(stderr, "  {}\n", error.hint);
    }
    return exit_code(error.code);
}

namespace {

constexpr int kUsage = 2;

void add_serve(CLI::App& app, ServeArguments& arguments, int& code) {
    CLI::App* serve =
        app.add_subcommand("serve", "Answer requests on stdin with events on stdout (the default)");
    serve->add_option("--record", arguments.record, "Copy the outgoing stream to this file, byte for byte");
    serve->add_option("--log", arguments.log, "Append stderr to this file");
    serve->add_option("--python", arguments.python, "The Python that programs are judged with");
    serve->callback([&] { code = serve_command(arguments); });
}

void add_generate(CLI::App& app, GenerateArguments& arguments, int& code) {
    CLI::App* generate = app.add_subcommand("generate", "Continue one prompt and print the completion");
    generate->add_option("--model", arguments.model, "Model folder, or demo")->capture_default_str();
    generate->add_option("--scheme", arguments.scheme, "Quantization scheme")->capture_default_str();
    generate->add_option("--backend", arguments.backend, "auto, cpu or cuda")->capture_default_str();
    CLI::Option_group* prompt = generate->add_option_group("prompt");
    prompt->add_option("--prompt", arguments.prompt, "The prompt");
    prompt->add_option("--prompt-file", arguments.prompt_file, "File that holds the prompt")
        ->check(CLI::ExistingFile);
    prompt->require_option(1);
    generate->add_option("--max-new-tokens", arguments.max_new_tokens, "At most this many tokens")
        ->check(CLI::Range(1, 1 << 20))
        ->capture_default_str();
    generate->add_option("--temperature", arguments.temperature, "0 is greedy")
        ->check(CLI::Range(0.0, 100.0))
        ->capture_default_str();
    generate->add_option("--top-p", arguments.top_p, "Nucleus")
        ->check(CLI::Range(1e-6, 1.0))
        ->capture_default_str();
    generate->add_option("--seed", arguments.seed, "Of the random stream")->capture_default_str();
    generate->add_flag("--humaneval-stops", arguments.humaneval_stops,
                       "Stop where a HumanEval completion stops");
    generate->callback([&] { code = generate_command(arguments); });
}

void add_tokenize(CLI::App& app, TokenizeArguments& arguments, int& code) {
    CLI::App* tokenize = app.add_subcommand("tokenize", "Print the token ids of a text, as a prompt");
    tokenize->add_option("--model", arguments.model, "Model folder, or demo")->capture_default_str();
    tokenize->add_option("text", arguments.text, "The text")->required();
    tokenize->callback([&] { code = tokenize_command(arguments); });
}

void add_selftest(CLI::App& app, SelftestArguments& arguments, int& code) {
    CLI::App* selftest =
        app.add_subcommand("selftest", "Test the device's kernels and engine against the CPU's");
    selftest->add_option("--backend", arguments.backend, "auto, cpu or cuda")->capture_default_str();
    selftest->add_option("--model", arguments.model, "Folder of a small model, or demo")
        ->capture_default_str();
    selftest->add_option("--problems", arguments.problems, "Problem file, or demo")->capture_default_str();
    selftest->add_option("--limit", arguments.limit, "At most this many problems; 0 is all")
        ->check(CLI::Range(0, 1 << 20))
        ->capture_default_str();
    selftest->add_flag("--random-model", arguments.random_model,
                       "The model's weights are random: completions may part at near ties; the kernels' own "
                       "checks are left out");
    selftest->add_option("--seed", arguments.seed, "Of random inputs")->capture_default_str();
    selftest->add_flag("--json", arguments.json, "One JSON document on stdout");
    selftest->callback([&] { code = selftest_command(arguments); });
}

void add_bench(CLI::App& app, BenchArguments& arguments, int& code) {
    worker::BenchOptions& options = arguments.options;
    options.schemes = {"fp16", "int8", "w4a4-rot"};
    options.batch_sizes = {1};
    CLI::App* bench =
        app.add_subcommand("bench", "Time schemes and batch sizes, beside what the device reaches at best");
    bench->add_option("--backend", options.backend, "auto, cpu or cuda")->capture_default_str();
    bench->add_option("--shape", options.shape, "Of random weights: " + worker::random_shapes())
        ->capture_default_str();
    CLI::Option* const random =
        bench->add_flag("--random-weights")
            ->description("What it does without --model; for the record of a command line");
    CLI::Option* const model = bench
                                   ->add_option("--model", arguments.model,
                                                "Weights of this folder, or demo, instead of random ones")
                                   ->excludes(random);
    bench->add_option("--schemes", options.schemes, "Quantization schemes, comma-separated")
        ->delimiter(',')
        ->capture_default_str();
    bench->add_option("--batch-sizes", options.batch_sizes, "Batch sizes, comma-separated")
        ->delimiter(',')
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    bench->add_option("--prompt", options.prompt_tokens, "Prompt tokens")
        ->check(CLI::Range(1, 4095))
        ->capture_default_str();
    bench->add_option("--output", options.output_tokens, "Output tokens")
        ->check(CLI::Range(1, 4095))
        ->capture_default_str();
    bench->add_option("--rounds", options.rounds, "Timed rounds a cell")
        ->check(CLI::Range(1, 1000))
        ->capture_default_str();
    bench
        ->add_option("--energy-seconds", options.energy_seconds,
                     "Energy a token is measured over this long for each cell; 0: not at all")
        ->check(CLI::Range(0.0, 600.0))
        ->capture_default_str();
    bench
        ->add_option("--requests", options.requests,
                     "Generate this many requests of --output tokens instead, as HumanEval is run: slots are "
                     "refilled, prompts have its lengths, nothing stops early")
        ->check(CLI::Range(1, 1 << 20));
    bench
        ->add_option("--problems", arguments.problems,
                     "With --requests: take the prompts of this problem file, or demo")
        ->needs(model);
    bench->add_flag("--json", arguments.json, "One JSON document on stdout");
    bench->callback([&] { code = bench_command(arguments); });
}

} // namespace

int run(int argc, char** argv) {
    CLI::App app("The engine of Quantscope in its own process.", "quantscope-worker");
    app.set_version_flag("--version", "quantscope-worker " + worker::engine_version() + " (" +
                                          worker::git_revision() + ")");
    app.require_subcommand(0, 1);
    int code = 0;
    ServeArguments serve;
    GenerateArguments generate;
    TokenizeArguments tokenize;
    SelftestArguments selftest;
    BenchArguments bench;
    add_serve(app, serve, code);
    add_generate(app, generate, code);
    add_tokenize(app, tokenize, code);
    add_selftest(app, selftest, code);
    add_bench(app, bench, code);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : kUsage;
    }
    return app.get_subcommands().empty() ? serve_command(serve) : code;
}

} // namespace quantscope::worker_app

namespace {

/// Generation shares its cores with the sandboxes and whatever else runs. An OpenMP thread that spins while
/// it waits takes a core from them, and from the thread it waits for: on two busy cores, a latency run of 1.4
/// s took 69 s, the demo campaign 58 s instead of 47 s. libgomp reads its environment before main(), so the
/// process starts itself once more with waiting threads asleep.
void restart_with_sleeping_threads(char** argv) {
    if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) {
        return;
    }
    std::error_code failed;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
    if (!failed && setenv("OMP_WAIT_POLICY", "passive", 1) == 0) {
        execv(self.c_str(), argv); // returns only on failure; then it is slower, not wrong
    }
}

} // namespace

int main(int argc, char** argv) {
    restart_with_sleeping_threads(argv);
    try {
        return quantscope::worker_app::run(argc, argv);
    } catch (const std::exception& defect) {
        std::fprintf(stderr, "quantscope-worker: unexpected fault: %s\n", defect.what());
        return 1;
    }
}
