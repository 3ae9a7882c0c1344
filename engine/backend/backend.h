// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "engine/model/checkpoint.h"
#include "engine/schemes/scheme.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace quantscope {

/// A device that a backend can run on.
struct DeviceInfo {
    std::string id;      ///< "cpu", "cuda:0"
    std::string backend; ///< "cpu" | "cuda"
    std::string name;    ///< "Intel Xeon ...", "NVIDIA H200"
    std::int64_t memory_bytes = 0;
    std::string detail;     ///< instruction sets and threads, or compute capability and driver
    std::string pci_bus_id; ///< "0000:1B:00.0"; empty for a CPU
};

/// Bytes held by a session, by part. `weight_count` lets a reader compute bytes per weight.
struct MemoryReport {
    std::int64_t linear_weight_bytes =
        0; ///< quantized (or fp) linears of the decoder layers, scales included
    std::int64_t linear_weight_count = 0; ///< how many weights those linears have
    std::int64_t other_weight_bytes = 0;  ///< embedding, norms, lm_head
    std::int64_t kv_cache_bytes = 0;
    std::int64_t workspace_bytes = 0; ///< activations, logits, unpacked panels
    std::int64_t peak_load_bytes = 0; ///< most that was held while the weights were loaded; 0: not counted
};

/// Instead of a token's id: a logit of the row is NaN or infinite, and no token follows from it.
inline constexpr std::int32_t not_finite_id = -2;

/// What a session must be able to hold.
struct SessionLimits {
    int max_slots = 1;      ///< sequences alive at once (the batch size)
    int context_length = 0; ///< tokens a slot can hold; 0: the model's max_position_embeddings
};

/// Tokens to append to one slot's sequence: a whole prompt (prefill) or one token (decode).
struct SlotInput {
    int slot = 0;
    std::span<const std::int32_t> tokens; ///< at least one
};

/// One model under one scheme on one device, with a KV cache of max_slots sequences.
/// Not thread-safe; results of a slot do not depend on what the other slots hold (batch invariance).
class Session {
  public:
    virtual ~Session() = default;

    /// Appends each input's tokens and writes the logits that follow each input's last token.
    /// @param inputs  at most max_slots, each slot at most once
    /// @param logits  [inputs.size()][vocab_size] f32, row i belongs to inputs[i]
    /// Errors: bad_input (slot out of range, context full, token id out of vocabulary), device, oom.
    virtual Expected<> step(std::span<const SlotInput> inputs, std::span<float> logits) = 0;

    /// As step(), but returns only the id of the largest logit of each row (lowest id on a tie), or
    /// not_finite_id.
    virtual Expected<> step_greedy(std::span<const SlotInput> inputs, std::span<std::int32_t> ids) = 0;

    /// Runs a sequence again in this slot, which is empty afterwards, and names the first part of the model
    /// whose output is not finite: "layer 3, v_proj". Empty where none is, or this session cannot tell.
    virtual std::string find_not_finite(int slot, std::span<const std::int32_t> tokens);

    virtual void reset(int slot) = 0;       ///< forgets the slot's sequence
    virtual int length(int slot) const = 0; ///< tokens the slot holds
    virtual int context_length() const = 0;
    virtual int max_slots() const = 0;
    virtual int vocab_size() const = 0;
    virtual MemoryReport memory() const = 0;
    virtual std::int64_t bytes_per_decode_step(int batch,
                                               int context) const = 0; ///< weights + KV read, for GB/s
};

/// A family of devices. Loading quantizes: no full-precision copy of a quantized linear outlives create().
class Backend {
  public:
    virtual ~Backend() = default;
    virtual DeviceInfo device() const = 0;
    virtual std::int64_t free_bytes() const = 0; ///< of the device's memory, now
    virtual bool supports(const Scheme& scheme) const = 0;
    virtual Expected<std::unique_ptr<Session>> create(const Checkpoint& checkpoint, const Scheme& scheme,
                                                      const SessionLimits& limits) = 0;
};

/// `which` is "auto" (CUDA when a device answers, else CPU), "cpu" or "cuda".
Expected<std::unique_ptr<Backend>> make_backend(const std::string& which);

/// Every device this build can run on here, the one `auto` picks first.
std::vector<DeviceInfo> list_devices();

} // namespace quantscope
