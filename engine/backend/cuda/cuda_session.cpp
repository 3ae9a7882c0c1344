// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/cuda_session.h"

#include "engine/backend/cpu/kv_cache.h"
#include "engine/backend/cuda/status_error.h"
#include "engine/backend/cuda/step_trial.h"
#include "engine/backend/step_check.h"
#include "kernels/tokens/tokens.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cmath>
#include <cstring>
#include <fmt/format.h>

namespace quantscope::cuda {
namespace {

using kernels::cuda_status;
using kernels::Status;

constexpr auto stepping = "A step of the model on the GPU";

constexpr std::int32_t no_id = -1;
static_assert(kernels::not_finite_id == not_finite_id && not_finite_id != no_id);

/// Splits are rounded up to a power of two, so that a graph serves many lengths.
int padded_splits(int keys, int max_splits) {
    const auto splits = std::bit_ceil(static_cast<unsigned>(kernels::splits_of(keys)));
    return std::min(static_cast<int>(splits), max_splits);
}

} // namespace

CudaSession::CudaSession(const ModelConfig& config, const Scheme& scheme, ModelWeights weights, int max_slots,
                         int context_length)
    : config_(config), scheme_(scheme), weights_(std::move(weights)), context_length_(context_length),
      lengths_(static_cast<std::size_t>(max_slots), 0),
      forward_(config_, scheme_, weights_, workspace_, max_slots, context_length) {}

CudaSession::~CudaSession() {
    if (stream_ != nullptr) {
        static_cast<void>(cudaStreamSynchronize(stream_));
        static_cast<void>(cudaStreamDestroy(stream_));
    }
}

Expected<> CudaSession::open() {
    constexpr auto doing = "Preparing the KV cache and workspace";
    QS_CUDA_EXPECT(workspace_.allocate(config_, scheme_.kv_cache, max_slots(), context_length_), doing);
    QS_CUDA_EXPECT(forward_.open(), doing);
    QS_CUDA_EXPECT(
        cuda_status(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "creating a stream"), doing);
    // What loading left to do was on the default stream, which this one does not wait for.
    QS_CUDA_EXPECT(cuda_status(cudaDeviceSynchronize(), "waiting for the device"), doing);
    QS_CUDA_EXPECT(try_whole_steps({config_, workspace_, max_slots(), context_length_, stream_}, forward_),
                   doing);
    return {};
}

Expected<> CudaSession::step(std::span<const SlotInput> inputs, std::span<float> logits) {
    const StepLimits limits{lengths_, context_length_, config_.vocab_size};
    auto ok = check_step(limits, inputs, logits.size(),
                         inputs.size() * static_cast<std::size_t>(config_.vocab_size));
    return ok ? run(inputs, {logits.data(), nullptr}) : ok;
}

Expected<> CudaSession::step_greedy(std::span<const SlotInput> inputs, std::span<std::int32_t> ids) {
    const StepLimits limits{lengths_, context_length_, config_.vocab_size};
    auto ok = check_step(limits, inputs, ids.size(), inputs.size());
    return ok ? run(inputs, {nullptr, ids.data()}) : ok;
}

/// A step that fails leaves the sequences as long as they were.
Expected<> CudaSession::run(std::span<const SlotInput> inputs, const Outputs& outputs) {
    const std::vector<int> before = lengths_;
    auto ok = decode(inputs, outputs);
    if (ok) {
        ok = prefill(inputs, outputs);
    }
    if (!ok) {
        lengths_ = before;
    }
    return ok;
}

void CudaSession::append(std::int32_t token, int slot) {
    int& length = lengths_[static_cast<std::size_t>(slot)];
    workspace_.rows.host_list(RowLists::tokens)[rows_] = token;
    workspace_.rows.host_list(RowLists::slots)[rows_] = slot;
    workspace_.rows.host_list(RowLists::positions)[rows_] = length;
    ++rows_;
    ++length;
}

/// Of the row appended last.
void CudaSession::ask_for_logits(std::size_t input) {
    workspace_.rows.host_list(RowLists::logits_rows)[wanted_.size()] = rows_ - 1;
    wanted_.push_back(input);
}

Expected<> CudaSession::decode(std::span<const SlotInput> inputs, const Outputs& outputs) {
    int longest = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        if (inputs[i].tokens.size() == 1) {
            append(inputs[i].tokens[0], inputs[i].slot);
            ask_for_logits(i);
            longest = std::max(longest, length(inputs[i].slot));
        }
    }
    if (rows_ == 0) {
        return {};
    }
    const int padded = padded_decode_rows(rows_);
    for (int row = rows_; row < padded; ++row) {
        workspace_.rows.host_list(RowLists::tokens)[row] = 0;
        workspace_.rows.host_list(RowLists::slots)[row] = -1;
        workspace_.rows.host_list(RowLists::positions)[row] = 0;
        workspace_.rows.host_list(RowLists::logits_rows)[row] = row;
    }
    const Pass sizes{padded, padded, padded_splits(longest, workspace_.max_splits), outputs.ids != nullptr};
    QS_CUDA_EXPECT(pass(sizes, outputs), stepping);
    return {};
}

Expected<> CudaSession::prefill(std::span<const SlotInput> inputs, const Outputs& outputs) {
    const auto flush = [&]() -> Expected<> {
        if (rows_ > 0) {
            const Pass sizes{rows_, static_cast<int>(wanted_.size()), 0, outputs.ids != nullptr};
            QS_CUDA_EXPECT(pass(sizes, outputs), stepping);
        }
        return {};
    };
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        const auto tokens = inputs[i].tokens;
        for (std::size_t t = 0; t < tokens.size() && tokens.size() > 1; ++t) {
            if (rows_ == workspace_.pass_rows) {
                if (auto ok = flush(); !ok) {
                    return ok;
                }
            }
            append(tokens[t], inputs[i].slot);
            if (t + 1 == tokens.size()) {
                ask_for_logits(i);
            }
        }
    }
    return flush();
}

/// Runs the gathered rows and hands their results out.
Status CudaSession::pass(Pass pass, const Outputs& outputs) {
    rows_ = 0;
    const std::vector<std::size_t> wanted = std::move(wanted_);
    wanted_.clear();
    const bool one_kernel = forward_.one_kernel(pass);
    if (one_kernel && pass.greedy) {
        workspace_.ids.data()[0] = no_id;
        QS_TRY(forward_.enqueue(pass, stream_));
        QS_TRY(await_id());
    } else if (pass.splits > 0 && !one_kernel) {
        QS_TRY(graphs_.launch(forward_, pass, stream_));
    } else {
        QS_TRY(forward_.enqueue(pass, stream_));
    }
    const auto vocab = static_cast<std::size_t>(config_.vocab_size);
    for (std::size_t i = 0; outputs.logits != nullptr && i < wanted.size(); ++i) {
        QS_CUDA_TRY(cudaMemcpyAsync(outputs.logits + wanted[i] * vocab, workspace_.logits.data() + i * vocab,
                                    vocab * sizeof(float), cudaMemcpyDeviceToHost, stream_),
                    "copying logits from the device");
    }
    if (!one_kernel || !pass.greedy) {
        QS_CUDA_TRY(cudaStreamSynchronize(stream_), "waiting for the device");
    }
    for (std::size_t i = 0; outputs.ids != nullptr && i < wanted.size(); ++i) {
        outputs.ids[wanted[i]] = workspace_.ids.data()[i];
    }
    return {};
}

/// Waits for the id that the step's only kernel writes last. That is known some microseconds before the end
/// of the stream; what comes next is enqueued behind it.
Status CudaSession::await_id() {
    constexpr int looks = 1 << 16; // some 50 us
    const std::atomic_ref<std::int32_t> id(workspace_.ids.data()[0]);
    for (;;) {
        const cudaError_t stream = cudaStreamQuery(stream_);
        for (int i = 0; i < looks; ++i) {
            if (id.load(std::memory_order_acquire) != no_id) {
                return {};
            }
            if (stream != cudaErrorNotReady) {
                break; // nothing more will come
            }
        }
        if (stream != cudaErrorNotReady) {
            QS_CUDA_TRY(stream, "waiting for the device");
            return {Status::Kind::failed, "a decode step has ended without an id"};
        }
    }
}

/// Token by token through the separate kernels, whose parts can be looked at one by one.
std::string CudaSession::find_not_finite(int slot, std::span<const std::int32_t> tokens) {
    reset(slot);
    const SlotInput input{slot, tokens};
    const StepLimits limits{lengths_, context_length_, config_.vocab_size};
    if (!check_step(limits, {&input, 1}, 1, 1)) {
        return {};
    }
    std::string found;
    std::vector<float> values;
    forward_.set_probe([&](int layer, const char* part, const float* from, int count) -> Status {
        if (!found.empty()) {
            return {};
        }
        values.resize(static_cast<std::size_t>(count));
        QS_CUDA_TRY(cudaMemcpyAsync(values.data(), from, values.size() * sizeof(float),
                                    cudaMemcpyDeviceToHost, stream_),
                    "copying a part of the model from the device");
        QS_CUDA_TRY(cudaStreamSynchronize(stream_), "waiting for the device");
        if (!std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); })) {
            found = fmt::format("layer {}, {}", layer, part);
        }
        return {};
    });
    bool done = true;
    for (std::size_t i = 0; done && found.empty() && i < tokens.size(); ++i) {
        append(tokens[i], slot);
        ask_for_logits(0);
        rows_ = 0;
        wanted_.clear();
        Pass one{padded_decode_rows(1), padded_decode_rows(1),
                 padded_splits(length(slot), workspace_.max_splits), false};
        one.separate = true;
        done = forward_.enqueue(one, stream_).ok() &&
               cudaStreamSynchronize(stream_) == cudaSuccess; // the next token changes the lists
    }
    forward_.set_probe({});
    reset(slot);
    return found.empty() && done ? "norm or lm_head" : found;
}

void CudaSession::reset(int slot) {
    if (slot >= 0 && slot < max_slots()) {
        lengths_[static_cast<std::size_t>(slot)] = 0;
    }
}

int CudaSession::length(int slot) const {
    return slot >= 0 && slot < max_slots() ? lengths_[static_cast<std::size_t>(slot)] : 0;
}

MemoryReport CudaSession::memory() const {
    return {.linear_weight_bytes = weights_.linear_bytes(),
            .linear_weight_count = weights_.linear_count(),
            .other_weight_bytes = weights_.other_bytes(),
            .kv_cache_bytes = workspace_.kv_bytes(),
            .workspace_bytes = workspace_.other_bytes(),
            .peak_load_bytes = weights_.peak_load_bytes};
}

std::int64_t CudaSession::bytes_per_decode_step(int batch, int context) const {
    const auto cached =
        scheme_.kv_cache == Precision::int8 ? cpu::KvCache::Storage::int8 : cpu::KvCache::Storage::f16;
    return weights_.linear_bytes() + static_cast<std::int64_t>(weights_.lm_head.bytes()) +
           cpu::KvCache::bytes_a_token(config_, cached) * batch * context;
}

} // namespace quantscope::cuda
