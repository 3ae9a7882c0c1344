// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/model/config.h"
#include "engine/schemes/scheme.h"
#include "kernels/attention/attention.h"
#include "kernels/base/device_buffer.h"
#include "kernels/base/pinned_buffer.h"
#include "kernels/gemm/wgmma_gemm.h"

#include <cuda_fp16.h>
#include <vector>

namespace quantscope::cuda {

/// Tokens of one prefill pass at most.
constexpr int prefill_rows = 2048;

kernels::AttentionShape attention_shape(const ModelConfig& config, int context_length);

/// What a pass says about its rows; each list has room for `capacity` rows.
struct RowLists {
    int capacity = 0;
    kernels::PinnedBuffer<std::int32_t> host;
    kernels::DeviceBuffer<std::int32_t> device;

    std::int32_t* host_list(int list) const {
        return host.data() + static_cast<std::ptrdiff_t>(list) * capacity;
    }
    std::int32_t* device_list(int list) const {
        return device.data() + static_cast<std::ptrdiff_t>(list) * capacity;
    }
    static constexpr int tokens = 0;
    static constexpr int slots = 1; ///< -1: the row pads the batch
    static constexpr int positions = 2;
    static constexpr int logits_rows = 3; ///< which rows' logits are asked for
    static constexpr int lists = 4;
};

/// KV cache, RoPE table and all that a pass writes. Everything is allocated once: a step allocates nothing.
struct Workspace {
    int decode_rows = 0; ///< rows of a decode pass at most: max_slots, padded
    int pass_rows = 0;   ///< rows of any pass at most
    int max_splits = 0;  ///< of a full context

    kernels::DeviceBuffer<__half> keys;             ///< [layers][slots][kv_heads][context][head_dim]
    kernels::DeviceBuffer<__half> values;           ///< likewise
    kernels::DeviceBuffer<std::int8_t> key_codes;   ///< in their stead, where the scheme quantizes them
    kernels::DeviceBuffer<std::int8_t> value_codes; ///< likewise
    kernels::DeviceBuffer<float> key_scales;        ///< [layers][slots][kv_heads][context]
    kernels::DeviceBuffer<float> value_scales;      ///< likewise
    kernels::DeviceBuffer<float> cosines;           ///< [context][head_dim / 2]
    kernels::DeviceBuffer<float> sines;

    RowLists rows;
    kernels::DeviceBuffer<float> residual; ///< [pass_rows][hidden]
    kernels::DeviceBuffer<float> qkv;      ///< [pass_rows][qkv_size]
    kernels::DeviceBuffer<float> attended; ///< [pass_rows][heads * head_dim]
    kernels::DeviceBuffer<float> inner;    ///< [pass_rows][intermediate]
    kernels::DeviceBuffer<float> gate_up;  ///< [pass_rows][2 intermediate], only where the MLP has biases
    kernels::DeviceBuffer<__half>
        input; ///< a linear's rows, as halves or int8 codes, [pass_rows][widest, padded]
    kernels::DeviceBuffer<float> scales; ///< [pass_rows]
    kernels::SplitSums split_sums;
    kernels::DeviceBuffer<float> partials; ///< [decode_rows][heads][max_splits][split_part_size]
    kernels::DeviceBuffer<float> logits;   ///< [decode_rows][vocab]
    kernels::PinnedBuffer<std::int32_t>
        ids; ///< [decode_rows], the host's: a kernel writes a few numbers there sooner than a copy

    kernels::Status allocate(const ModelConfig& config, Precision kv_cache, int max_slots,
                             int context_length);
    /// One layer's cache, as its attention reads it.
    void set_cache(int layer, int max_slots, kernels::AttentionRows& to) const;
    std::int64_t kv_bytes() const;
    std::int64_t other_bytes() const;
};

/// Rows of the decode pass that serves `rows` sequences: few different sizes, so that few graphs are
/// captured.
int padded_decode_rows(int rows);

} // namespace quantscope::cuda
