// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/selftest.h"

#include "engine/eval/problems.h"
#include "engine/worker/selftest_checks.h"

namespace quantscope::worker {
namespace {

constexpr int slots = 64;

using OnCheck = std::function<void(const DeviceCheck&)>;

struct Subject {
    std::shared_ptr<const Checkpoint> checkpoint;
    std::shared_ptr<const Tokenizer> tokenizer;
    std::vector<GenerationRequest> requests;
    int context = 0;
};

Expected<Subject> open_subject(const SelftestOptions& options) {
    auto checkpoint = Checkpoint::open(options.model);
    if (!checkpoint) {
        return tl::unexpected(checkpoint.error());
    }
    auto tokenizer = Tokenizer::open(options.model);
    if (!tokenizer) {
        return tl::unexpected(tokenizer.error());
    }
    auto problems = eval::read_problems(options.problems);
    if (!problems) {
        return tl::unexpected(problems.error());
    }
    Subject subject{*std::move(checkpoint), *std::move(tokenizer), {}, 0};
    if (options.limit > 0 && problems->size() > static_cast<std::size_t>(options.limit)) {
        problems->resize(static_cast<std::size_t>(options.limit));
    }
    for (const eval::Problem& problem : *problems) {
        auto prompt = subject.tokenizer->encode_prompt(problem.prompt);
        if (!prompt) {
            return tl::unexpected(prompt.error());
        }
        GenerationRequest request;
        request.prompt_text = problem.prompt;
        request.prompt = *std::move(prompt);
        request.max_new_tokens = selftest_new_tokens;
        subject.context =
            std::max(subject.context, static_cast<int>(request.prompt.size()) + selftest_new_tokens);
        subject.requests.push_back(std::move(request));
    }
    subject.context = std::min(subject.context, subject.checkpoint->config().max_position_embeddings);
    return subject;
}

/// A check that could not run is one that failed.
void add(const std::string& name, Expected<DeviceCheck> check, const OnCheck& on_check) {
    on_check(check ? *check : DeviceCheck{name, false, check.error().message});
}

void check_scheme(const Scheme& scheme, const Subject& subject, bool random_model, Backend& device,
                  Backend* cpu, const OnCheck& on_check) {
    const std::string id(scheme.id);
    const SessionLimits limits{slots, subject.context};
    auto session = device.create(*subject.checkpoint, scheme, limits);
    if (!session) {
        on_check({id + ": loading", false, session.error().message});
        return;
    }
    add(id + ": batch invariance", check_batch_invariance(scheme, **session), on_check);
    add(id + ": out of memory", check_out_of_memory(device, *subject.checkpoint, scheme, **session),
        on_check);
    if (cpu == nullptr) {
        return;
    }
    auto reference = cpu->create(*subject.checkpoint, scheme, limits);
    if (!reference) {
        on_check({id + ": loading the reference", false, reference.error().message});
        return;
    }
    const Compared compared{
        scheme, **session, **reference, *subject.tokenizer, subject.checkpoint->config(), random_model};
    add(id + ": logits", check_logits(compared, subject.requests), on_check);
    if (scheme.activations != Precision::fp16) {
        add(id + ": decode", check_decode(compared, subject.requests), on_check);
    }
    add(id + ": completions", check_completions(compared, subject.requests), on_check);
}

} // namespace

Expected<std::string> run_selftest(const SelftestOptions& options, const OnCheck& on_check) {
    auto subject = open_subject(options);
    if (!subject) {
        return tl::unexpected(subject.error());
    }
    auto device = make_backend(options.backend);
    if (!device) {
        return tl::unexpected(device.error());
    }
    std::unique_ptr<Backend> cpu;
    if ((*device)->device().backend != "cpu") {
        for (const DeviceCheck& check :
             options.random_model ? std::vector<DeviceCheck>() : check_kernels(options.seed)) {
            on_check(check);
        }
        cpu = *make_backend("cpu");
    }
    for (const Scheme& scheme : all_schemes()) {
        if ((*device)->supports(scheme)) {
            check_scheme(scheme, *subject, options.random_model, **device, cpu.get(), on_check);
        }
    }
    return (*device)->device().name;
}

} // namespace quantscope::worker
