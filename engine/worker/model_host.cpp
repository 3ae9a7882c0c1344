// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/model_host.h"

#include <algorithm>
#include <chrono>
#include <fmt/format.h>
#include <new>

namespace quantscope::worker {
namespace {

double bytes_per_weight(Precision precision) {
    switch (precision) {
    case Precision::fp16: return 2.0;
    case Precision::int8: return 1.02;
    case Precision::int4: return 0.52;
    }
    return 4.0;
}

std::int64_t total(const MemoryReport& memory) {
    return memory.linear_weight_bytes + memory.other_weight_bytes + memory.kv_cache_bytes +
           memory.workspace_bytes;
}

std::string known_schemes() {
    std::string text = "Known are";
    const char* separator = " ";
    for (const Scheme& scheme : all_schemes()) {
        text += separator + std::string(scheme.id);
        separator = ", ";
    }
    return text + ".";
}

} // namespace

Expected<std::unique_ptr<ModelHost>> ModelHost::open(const std::filesystem::path& folder,
                                                     const std::string& backend, const SessionLimits& limits,
                                                     std::int64_t budget_bytes) {
    auto checkpoint = Checkpoint::open(folder);
    if (!checkpoint) {
        return tl::unexpected(checkpoint.error());
    }
    auto tokenizer = Tokenizer::open(folder);
    if (!tokenizer) {
        return tl::unexpected(tokenizer.error());
    }
    if (auto fits = (*tokenizer)->check_fits((*checkpoint)->config()); !fits) {
        return tl::unexpected(fits.error());
    }
    auto device = make_backend(backend);
    if (!device) {
        return tl::unexpected(device.error());
    }
    const int longest = (*checkpoint)->config().max_position_embeddings;
    if (limits.context_length > longest) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("A context of {} tokens was asked for, but model {} goes up to {}.",
                                      limits.context_length, (*checkpoint)->config().name, longest),
                          "Ask for a shorter context, prompt or output.");
    }
    std::unique_ptr<ModelHost> host(new ModelHost);
    host->checkpoint_ = *std::move(checkpoint);
    host->tokenizer_ = *std::move(tokenizer);
    host->backend_ = *std::move(device);
    host->limits_ = limits;
    host->hash_ = host->checkpoint_->hash();
    host->budget_bytes_ = budget_bytes > 0 ? budget_bytes : host->backend_->free_bytes() / 10 * 9;
    return host;
}

LoadedScheme* ModelHost::find(const std::string& scheme_id) {
    const auto it = std::find_if(entries_.begin(), entries_.end(),
                                 [&](const auto& entry) { return entry->scheme->id == scheme_id; });
    return it == entries_.end() ? nullptr : it->get();
}

std::int64_t ModelHost::held_bytes() const {
    std::int64_t held = 0;
    for (const auto& entry : entries_) {
        held += entry->session ? total(entry->session->memory()) : 0;
    }
    return held;
}

/// An upper guess from the configuration alone: all weights at the scheme's size, the vocabulary's matrices
/// at 2 bytes, a KV cache at 4 bytes a number on the CPU and 2 elsewhere, and a tenth for workspace.
std::int64_t ModelHost::estimate_bytes(const Scheme& scheme, const SessionLimits& limits) const {
    const ModelConfig& config = checkpoint_->config();
    const std::int64_t vocabulary =
        std::int64_t{config.vocab_size} * config.hidden_size * (config.tie_word_embeddings ? 1 : 2);
    const std::int64_t linears = std::max<std::int64_t>(0, checkpoint_->parameter_count() - vocabulary);
    const double kv_numbers = 2.0 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim *
                              static_cast<double>(limits.context_length) * limits.max_slots;
    const double bytes = static_cast<double>(linears) * bytes_per_weight(scheme.weights) +
                         static_cast<double>(vocabulary) * 2.0 +
                         kv_numbers * (device().backend == "cpu" ? 4.0 : 2.0);
    return static_cast<std::int64_t>(bytes * 1.1);
}

bool ModelHost::serves(const LoadedScheme& entry, const SessionNeed& need) const {
    // With a context that was asked for, or the model's whole one, a longer sequence ends where it is full.
    return entry.session && need.slots <= entry.session->max_slots() &&
           std::min(need.tokens, context_length()) <= entry.session->context_length();
}

/// All slots, with the context asked for or as much as is needed and usual; less of either only where that
/// does not fit even alone.
SessionLimits ModelHost::limits_for(const Scheme& scheme, const SessionNeed& need) const {
    if (limits_.context_length > 0) {
        return limits_;
    }
    const int needed = std::min(need.tokens, context_length());
    const int usual = std::max(needed, std::min(first_context, context_length()));
    const auto fits = [&](const SessionLimits& limits) {
        return estimate_bytes(scheme, limits) <= budget_bytes_;
    };
    if (fits({limits_.max_slots, usual})) {
        return {limits_.max_slots, usual};
    }
    const int slots = fits({limits_.max_slots, needed}) ? limits_.max_slots : need.slots;
    int context = needed;
    for (const int step : {512, 256, 128, 64}) { // as much more as fits
        if (context + step <= usual && fits({slots, context + step})) {
            context += step;
        }
    }
    return {slots, context};
}

Expected<> ModelHost::create(LoadedScheme& entry, const SessionLimits& limits) {
    const auto start = std::chrono::steady_clock::now();
    try {
        auto session = backend_->create(*checkpoint_, *entry.scheme, limits);
        if (!session) {
            Error error = session.error();
            if (error.code == ErrorCode::out_of_memory) {
                error.message += fmt::format(" That was for {} slots of {} tokens under {}.",
                                             limits.max_slots, limits.context_length, entry.scheme->id);
            }
            return tl::unexpected(std::move(error));
        }
        entry.session = *std::move(session);
    } catch (const std::bad_alloc&) {
        return make_error(ErrorCode::out_of_memory,
                          fmt::format("Memory ran out while {} was prepared under {}.",
                                      checkpoint_->config().name, entry.scheme->id),
                          "Use a smaller batch, a shorter context or a scheme with fewer bits.");
    }
    entry.load_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return {};
}

Expected<> ModelHost::load(const std::string& scheme_id) {
    const Scheme* scheme = find_scheme(scheme_id);
    if (scheme == nullptr) {
        return make_error(ErrorCode::bad_input, fmt::format("There is no scheme \"{}\".", scheme_id),
                          known_schemes());
    }
    if (!backend_->supports(*scheme)) {
        return make_error(ErrorCode::unsupported,
                          fmt::format("Scheme {} does not run on {}.", scheme_id, backend_->device().name),
                          "Choose another backend or leave the scheme out.");
    }
    if (find(scheme_id) != nullptr) {
        return {};
    }
    auto entry = std::make_unique<LoadedScheme>(LoadedScheme{scheme, nullptr, 0.0});
    const std::int64_t held = held_bytes();
    const SessionLimits limits = limits_for(*scheme, {});
    const bool room = held == 0 || held + estimate_bytes(*scheme, limits) <= budget_bytes_;
    if (room) {
        auto created = create(*entry, limits);
        const bool others_in_the_way =
            held > 0 && !created && created.error().code == ErrorCode::out_of_memory;
        if (!created && !others_in_the_way) {
            return created;
        }
    }
    entries_.push_back(std::move(entry));
    return {};
}

Expected<LoadedScheme*> ModelHost::use(const std::string& scheme_id, const SessionNeed& need) {
    LoadedScheme* entry = find(scheme_id);
    if (entry == nullptr) {
        return make_error(ErrorCode::bad_input, fmt::format("Scheme \"{}\" is not loaded.", scheme_id),
                          "Name it in a load request first.");
    }
    if (serves(*entry, need)) {
        return entry;
    }
    entry->session.reset();
    const SessionLimits limits = limits_for(*entry->scheme, need);
    if (held_bytes() + estimate_bytes(*entry->scheme, limits) > budget_bytes_) {
        for (const auto& other : entries_) {
            other->session.reset();
        }
    }
    if (auto created = create(*entry, limits); !created) {
        return tl::unexpected(created.error());
    }
    return entry;
}

Expected<> ModelHost::gather(const std::vector<std::string>& scheme_ids, const SessionNeed& need) {
    std::vector<LoadedScheme*> wanted;
    for (const std::string& id : scheme_ids) {
        LoadedScheme* const entry = find(id);
        if (entry != nullptr && std::find(wanted.begin(), wanted.end(), entry) == wanted.end()) {
            wanted.push_back(entry);
        }
    }
    const auto create_missing = [&](const auto& limits_of) -> Expected<> {
        for (LoadedScheme* const entry : wanted) {
            const SessionLimits limits = limits_of(*entry->scheme);
            if (entry->session || held_bytes() + estimate_bytes(*entry->scheme, limits) > budget_bytes_) {
                continue;
            }
            auto created = create(*entry, limits);
            if (!created && created.error().code != ErrorCode::out_of_memory) {
                return created;
            }
        }
        return {};
    };
    for (LoadedScheme* const entry : wanted) {
        if (entry->session && !serves(*entry, need)) {
            entry->session.reset();
        }
    }
    auto done = create_missing([&](const Scheme& scheme) { return limits_for(scheme, need); });
    const auto missing = [](const LoadedScheme* entry) { return entry->session == nullptr; };
    if (!done || limits_.context_length > 0 || std::none_of(wanted.begin(), wanted.end(), missing)) {
        return done;
    }
    // With what is usual some are left out: with no more than this need, all may fit.
    const SessionLimits least{limits_.max_slots, std::min(need.tokens, context_length())};
    std::int64_t together = 0;
    for (const LoadedScheme* const entry : wanted) {
        together += estimate_bytes(*entry->scheme, least);
    }
    if (together <= budget_bytes_) {
        for (const auto& entry : entries_) {
            entry->session.reset();
        }
        done = create_missing([&](const Scheme&) { return least; });
    }
    return done;
}

bool ModelHost::in_memory(const std::string& scheme_id, const SessionNeed& need) const {
    return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
        return entry->scheme->id == scheme_id && serves(*entry, need);
    });
}

std::vector<std::string> ModelHost::schemes() const {
    std::vector<std::string> ids;
    for (const auto& entry : entries_) {
        ids.emplace_back(entry->scheme->id);
    }
    return ids;
}

int ModelHost::context_length() const {
    return limits_.context_length > 0 ? limits_.context_length
                                      : checkpoint_->config().max_position_embeddings;
}

std::vector<int> ModelHost::eos_token_ids() const {
    return quantscope::eos_token_ids(checkpoint_->config(), *tokenizer_);
}

std::vector<std::string> ModelHost::notices() const {
    const ModelConfig& config = checkpoint_->config();
    std::vector<std::string> sentences = config.notices;
    sentences.insert(sentences.end(), tokenizer_->notices().begin(), tokenizer_->notices().end());
    if (config.bos_token_id >= 0 && tokenizer_->bos_id() >= 0 &&
        config.bos_token_id != tokenizer_->bos_id()) {
        sentences.push_back(
            fmt::format("{}: config.json's 'bos_token_id' is {}, the tokenizer's is {}; prompts "
                        "begin as the tokenizer says.",
                        checkpoint_->folder().string(), config.bos_token_id, tokenizer_->bos_id()));
    }
    return sentences;
}

} // namespace quantscope::worker
