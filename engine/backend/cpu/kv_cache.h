// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cpu/buffer.h"
#include "engine/backend/cpu/kernels.h"
#include "engine/model/config.h"
#include "engine/schemes/scheme.h"

namespace quantscope::cpu {

/// Keys and values of every layer, slot and kv head: f32, halves, or int8 codes with a scale a token and head
/// (engine/schemes/quantize.h).
class KvCache {
  public:
    enum class Storage { f32, f16, int8 };

    /// What quantizes nothing is computed in f32 throughout: it is what CUDA's halves are measured against.
    /// Beside quantized linears keys and values are what the scheme says, as on CUDA.
    static Storage storage_of(const Scheme& scheme);
    static std::int64_t bytes_a_token(const ModelConfig& config, Storage storage);

    KvCache() = default;
    KvCache(const ModelConfig& config, Storage storage, int max_slots, int context_length);

    /// Keys and values [kv_heads][head_dim] of one token.
    void append(std::int64_t layer, int slot, int position, const float* keys, const float* values);

    /// One query head over the first `count` tokens of a slot; scratch as Kernels::attend_f32's.
    void attend(std::int64_t layer, int slot, int kv_head, const float* query, std::int64_t count,
                float scale, float* scratch, float* out) const;

    Storage storage() const { return storage_; }
    std::int64_t length() const { return length_; } ///< tokens a slot can hold: a multiple of key_block
    std::int64_t bytes() const {
        return keys_.bytes() + values_.bytes() + key_scales_.bytes() + value_scales_.bytes();
    }

  private:
    /// Index of the head's first token, among all heads' tokens.
    std::int64_t first_token(std::int64_t layer, int slot, int kv_head) const;
    template<class Number>
    void store(std::int64_t first, int position, const Number* key, const Number* value);

    Storage storage_ = Storage::f32;
    int max_slots_ = 0;
    int kv_heads_ = 0;
    std::int64_t head_dim_ = 0;
    std::int64_t length_ = 0;
    Buffer<std::uint8_t> keys_;   ///< [layers][max_slots][kv_heads][length / 16][head_dim][16]
    Buffer<std::uint8_t> values_; ///< [layers][max_slots][kv_heads][length][head_dim]
    Buffer<float> key_scales_;    ///< [layers][max_slots][kv_heads][length], int8 only
    Buffer<float> value_scales_;
};

} // namespace quantscope::cpu
