// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/selftest_checks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace quantscope::worker {
namespace {

using Tokens = std::vector<std::int32_t>;

/// How far logits may lie from the CPU's. Codes of activations are the same for the same row; a sum that was
/// taken in another order moves few codes by one, and with 15 levels a step is large.
double logits_tolerance(const Scheme& scheme) {
    switch (scheme.activations) {
    case Precision::fp16: return 1e-2;
    case Precision::int8: return 3e-2;
    case Precision::int4: return 0.3;
    }
    return 1e-2;
}

/// Where two completions part, the CPU's logits of the two tokens must lie closer than this, in standard
/// deviations of the row: what one code that differs may move them by.
double near_tie(const Scheme& scheme) {
    switch (scheme.activations) {
    case Precision::fp16: return 0.05;
    case Precision::int8: return 0.1;
    case Precision::int4: return 0.3;
    }
    return 0.05;
}

/// Prompt and forced tokens of an arbitrary sequence, a pure function of its index.
Tokens forced_tokens(int sequence, int count, int vocab) {
    Tokens tokens;
    auto state = static_cast<std::uint32_t>(sequence) * 2654435761U + 12345U;
    for (int i = 0; i < count; ++i) {
        state = state * 1664525U + 1013904223U;
        tokens.push_back(static_cast<std::int32_t>((state >> 8U) % static_cast<std::uint32_t>(vocab)));
    }
    return tokens;
}

constexpr int forced_prompt = 19;
constexpr int forced_steps = 12;

/// Logits of the sequences [first, first + batch) behind their prompts and each forced token, sequence by
/// sequence. Sequence i sits in slot (i * 5 + 3) % batch, so that slots differ from batch to batch (5 divides
/// no batch used).
Expected<> forced_logits(Session& session, int first, int batch, std::span<float> out) {
    const auto vocab = static_cast<std::size_t>(session.vocab_size());
    std::vector<Tokens> tokens;
    for (int i = 0; i < batch; ++i) {
        tokens.push_back(forced_tokens(first + i, forced_prompt + forced_steps, session.vocab_size()));
        session.reset(i);
    }
    std::vector<float> logits(static_cast<std::size_t>(batch) * vocab);
    for (int step = 0; step <= forced_steps; ++step) {
        std::vector<SlotInput> inputs;
        for (int i = 0; i < batch; ++i) {
            const std::span<const std::int32_t> all(tokens[static_cast<std::size_t>(i)]);
            inputs.push_back({(i * 5 + 3) % batch,
                              step == 0
                                  ? all.first(forced_prompt)
                                  : all.subspan(static_cast<std::size_t>(forced_prompt + step - 1), 1)});
        }
        if (auto ok = session.step(inputs, logits); !ok) {
            return ok;
        }
        for (int i = 0; i < batch; ++i) {
            const auto to =
                (static_cast<std::size_t>(i) * (forced_steps + 1) + static_cast<std::size_t>(step)) * vocab;
            std::memcpy(out.data() + to, logits.data() + static_cast<std::size_t>(i) * vocab,
                        vocab * sizeof(float));
        }
    }
    return {};
}

/// Squares of differences and of the reference's values, summed.
struct Distance {
    double error = 0.0;
    double norm = 0.0;

    void add(std::span<const float> values, std::span<const float> reference) {
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double difference = static_cast<double>(values[i]) - static_cast<double>(reference[i]);
            error += difference * difference;
            norm += static_cast<double>(reference[i]) * static_cast<double>(reference[i]);
        }
    }
    double relative() const { return std::sqrt(error / norm); } ///< NaN where a value is
};

Expected<std::vector<Tokens>> complete(Session& session, const Compared& compared,
                                       std::span<const GenerationRequest> requests) {
    std::vector<Tokens> tokens(requests.size());
    std::optional<Error> refused;
    GenerationOptions options;
    options.batch_size = session.max_slots();
    options.eos_token_ids = eos_token_ids(compared.config, compared.tokenizer);
    options.on_done = [&](GenerationResult result) {
        tokens[result.request] = std::move(result.tokens);
        if (result.error) {
            refused = std::move(result.error);
        }
    };
    auto done = generate(session, compared.tokenizer, requests, options);
    if (!done || refused) {
        return tl::unexpected(refused ? *refused : done.error());
    }
    return tokens;
}

/// How much larger the CPU's logit of its own token is than that of the device's, in standard deviations of
/// the row.
Expected<double> gap_at(const Compared& compared, const GenerationRequest& request, const Tokens& tokens,
                        std::size_t at, std::int32_t cpu_token, std::int32_t device_token) {
    Tokens prefix = request.prompt;
    prefix.insert(prefix.end(), tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(at));
    std::vector<float> logits(static_cast<std::size_t>(compared.config.vocab_size));
    compared.cpu.reset(0);
    const SlotInput input{0, prefix};
    if (auto ok = compared.cpu.step(std::span(&input, 1), logits); !ok) {
        return tl::unexpected(ok.error());
    }
    double sum = 0.0;
    double squares = 0.0;
    for (const float logit : logits) {
        sum += logit;
        squares += static_cast<double>(logit) * logit;
    }
    const double mean = sum / static_cast<double>(logits.size());
    const double deviation = std::sqrt(squares / static_cast<double>(logits.size()) - mean * mean);
    return static_cast<double>(logits[static_cast<std::size_t>(cpu_token)] -
                               logits[static_cast<std::size_t>(device_token)]) /
           deviation;
}

} // namespace

Expected<DeviceCheck> check_batch_invariance(const Scheme& scheme, Session& session) {
    const int sequences = session.max_slots();
    const std::size_t row = static_cast<std::size_t>(session.vocab_size()) * (forced_steps + 1);
    std::vector<float> alone(row * static_cast<std::size_t>(sequences));
    std::vector<float> together(alone.size());
    DeviceCheck check{fmt::format("{}: batch invariance at 3, 8, 32, {}", scheme.id, sequences), true,
                      "bit for bit"};
    for (int i = 0; i < sequences; ++i) {
        if (auto ok = forced_logits(session, i, 1,
                                    std::span(alone).subspan(row * static_cast<std::size_t>(i), row));
            !ok) {
            return tl::unexpected(ok.error());
        }
    }
    for (const int batch : {3, 8, 32, sequences}) {
        if (auto ok = forced_logits(session, 0, batch, together); !ok) {
            return tl::unexpected(ok.error());
        }
        const std::size_t count = row * static_cast<std::size_t>(batch);
        if (std::memcmp(alone.data(), together.data(), count * sizeof(float)) != 0 && check.passed) {
            const auto different = std::mismatch(
                alone.begin(), alone.begin() + static_cast<std::ptrdiff_t>(count), together.begin());
            const auto at = static_cast<std::size_t>(different.first - alone.begin());
            check = {check.name, false,
                     fmt::format("batch {}: a logit of sequence {}, step {} is {} instead of {}", batch,
                                 at / row, at % row / static_cast<std::size_t>(session.vocab_size()),
                                 *different.second, *different.first)};
        }
    }
    for (int slot = 0; slot < session.max_slots(); ++slot) {
        session.reset(slot);
    }
    return check;
}

Expected<DeviceCheck> check_logits(const Compared& compared, std::span<const GenerationRequest> requests) {
    constexpr std::size_t prompts = 8;
    const auto vocab = static_cast<std::size_t>(compared.config.vocab_size);
    std::vector<float> device(vocab);
    std::vector<float> cpu(vocab);
    Distance distance;
    for (std::size_t i = 0; i < std::min(prompts, requests.size()); ++i) {
        compared.device.reset(0);
        compared.cpu.reset(0);
        const Tokens forced = forced_tokens(static_cast<int>(i), 4, compared.config.vocab_size);
        for (std::size_t step = 0; step <= forced.size(); ++step) {
            const SlotInput input{0, step == 0 ? std::span<const std::int32_t>(requests[i].prompt)
                                               : std::span(forced).subspan(step - 1, 1)};
            auto ok = compared.device.step(std::span(&input, 1), device).and_then([&] {
                return compared.cpu.step(std::span(&input, 1), cpu);
            });
            if (!ok) {
                return tl::unexpected(ok.error());
            }
            distance.add(device, cpu);
        }
    }
    const double tolerance = logits_tolerance(compared.scheme);
    return DeviceCheck{fmt::format("{}: logits against the CPU", compared.scheme.id),
                       distance.relative() < tolerance,
                       fmt::format("relative error {:.1e}, at most {:.0e}", distance.relative(), tolerance)};
}

Expected<DeviceCheck> check_decode(const Compared& compared, std::span<const GenerationRequest> requests) {
    constexpr std::size_t prompts = 4;
    constexpr double tolerance = 1e-5; // lm_head's sums; one code that differs costs a hundred times as much
    const auto vocab = static_cast<std::size_t>(compared.config.vocab_size);
    std::vector<float> device(vocab);
    std::vector<float> cpu(vocab);
    double worst = 0.0;
    for (std::size_t i = 0; i < std::min(prompts, requests.size()); ++i) {
        compared.device.reset(0);
        compared.cpu.reset(0);
        for (const std::int32_t& token : requests[i].prompt) {
            const SlotInput input{0, std::span(&token, 1)};
            auto ok = compared.device.step(std::span(&input, 1), device).and_then([&] {
                return compared.cpu.step(std::span(&input, 1), cpu);
            });
            if (!ok) {
                return tl::unexpected(ok.error());
            }
            Distance distance;
            distance.add(device, cpu);
            worst = std::isnan(distance.relative()) ? INFINITY : std::max(worst, distance.relative());
        }
    }
    return DeviceCheck{
        fmt::format("{}: decode against the CPU", compared.scheme.id), worst < tolerance,
        fmt::format("prompts token by token: relative error of the logits at most {:.1e}", worst)};
}

Expected<DeviceCheck> check_completions(const Compared& compared,
                                        std::span<const GenerationRequest> requests) {
    const auto device = complete(compared.device, compared, requests);
    const auto cpu = complete(compared.cpu, compared, requests);
    if (!device || !cpu) {
        return tl::unexpected(device ? cpu.error() : device.error());
    }
    std::string parted;
    std::size_t same = 0;
    double widest = 0.0;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        const Tokens& a = (*cpu)[i];
        const Tokens& b = (*device)[i];
        if (a == b) {
            ++same;
            continue;
        }
        const auto at =
            static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
        const std::vector<int> ends = eos_token_ids(compared.config, compared.tokenizer);
        const auto token = [&](const Tokens& tokens) { // which of several ends came is not kept
            return at < tokens.size() ? tokens[at] : ends.empty() ? 0 : ends.front();
        };
        const auto gap = gap_at(compared, requests[i], a, at, token(a), token(b));
        if (!gap) {
            return tl::unexpected(gap.error());
        }
        widest = std::max(widest, *gap);
        parted += fmt::format("{}{} at token {} by {:.2g}", parted.empty() ? "" : ", ", i, at, *gap);
    }
    // One 4-bit code on the other side of a boundary moves a random model's logits past any near tie.
    const bool chaotic = compared.random_model && compared.scheme.activations == Precision::int4;
    const bool enough = compared.random_model || same >= requests.size() * 160 / 164;
    return DeviceCheck{
        fmt::format("{}: greedy completions against the CPU", compared.scheme.id),
        enough && (chaotic || widest < near_tie(compared.scheme)),
        fmt::format("{} of {} the same{}{}{}", same, requests.size(),
                    parted.empty() ? ""
                                   : "; problems that part, and the CPU's logits of the two tokens there in "
                                     "standard deviations: ",
                    parted,
                    parted.empty() ? ""
                                   : fmt::format(" (a near tie: below {:.2g})", near_tie(compared.scheme)))};
}

Expected<DeviceCheck> check_out_of_memory(Backend& backend, const Checkpoint& checkpoint,
                                          const Scheme& scheme, Session& session) {
    const ModelConfig& config = checkpoint.config();
    const std::int64_t slot_bytes = std::int64_t{2} * config.num_hidden_layers * config.num_key_value_heads *
                                    config.head_dim * config.max_position_embeddings; // at least: int8
    const std::int64_t slots = std::max<std::int64_t>(1, 2 * backend.device().memory_bytes / slot_bytes);
    DeviceCheck check{fmt::format("{}: out of memory is an answer", scheme.id), false, {}};
    auto refused =
        backend.create(checkpoint, scheme, {static_cast<int>(std::min<std::int64_t>(slots, 1 << 30U)), 0});
    if (refused || refused.error().code != ErrorCode::out_of_memory) {
        check.detail = refused ? "a session that cannot fit was created" : refused.error().message;
        return check;
    }
    const Tokens prompt = forced_tokens(0, forced_prompt, config.vocab_size);
    std::int32_t id = 0;
    session.reset(0);
    const SlotInput input{0, prompt};
    if (auto ok = session.step_greedy(std::span(&input, 1), std::span(&id, 1)); !ok) {
        return tl::unexpected(ok.error());
    }
    session.reset(0);
    check.passed = true;
    check.detail = refused.error().message;
    return check;
}

} // namespace quantscope::worker
