// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kv_cache.h"

#include <cstring>
#include <vector>

namespace quantscope::cpu {
namespace {

std::int64_t number_bytes(KvCache::Storage storage) {
    switch (storage) {
    case KvCache::Storage::f32: return 4;
    case KvCache::Storage::f16: return 2;
    case KvCache::Storage::int8: return 1;
    }
    return 4;
}

} // namespace

KvCache::Storage KvCache::storage_of(const Scheme& scheme) {
    if (scheme.kv_cache == Precision::int8) {
        return Storage::int8;
    }
    return scheme.weights == Precision::fp16 ? Storage::f32 : Storage::f16;
}

std::int64_t KvCache::bytes_a_token(const ModelConfig& config, Storage storage) {
    const std::int64_t scale = storage == Storage::int8 ? 4 : 0;
    return std::int64_t{2} * config.num_hidden_layers * config.num_key_value_heads *
           (config.head_dim * number_bytes(storage) + scale);
}

KvCache::KvCache(const ModelConfig& config, Storage storage, int max_slots, int context_length)
    : storage_(storage), max_slots_(max_slots), kv_heads_(config.num_key_value_heads),
      head_dim_(config.head_dim), length_((context_length + key_block - 1) / key_block * key_block) {
    const auto tokens = static_cast<std::size_t>(first_token(config.num_hidden_layers, 0, 0));
    const auto numbers = tokens * static_cast<std::size_t>(head_dim_ * number_bytes(storage));
    keys_ = Buffer<std::uint8_t>(numbers);
    values_ = Buffer<std::uint8_t>(numbers);
    if (storage == Storage::int8) {
        key_scales_ = Buffer<float>(tokens);
        value_scales_ = Buffer<float>(tokens);
    }
}

std::int64_t KvCache::first_token(std::int64_t layer, int slot, int kv_head) const {
    return ((layer * max_slots_ + slot) * kv_heads_ + kv_head) * length_;
}

template<class Number>
void KvCache::store(std::int64_t first, int position, const Number* key, const Number* value) {
    Number* const block = reinterpret_cast<Number*>(keys_.data()) +
                          (first + position / key_block * key_block) * head_dim_ + position % key_block;
    for (std::int64_t d = 0; d < head_dim_; ++d) {
        block[d * key_block] = key[d];
    }
    std::memcpy(reinterpret_cast<Number*>(values_.data()) + (first + position) * head_dim_, value,
                static_cast<std::size_t>(head_dim_) * sizeof(Number));
}

void KvCache::append(std::int64_t layer, int slot, int position, const float* keys, const float* values) {
    const auto count = static_cast<std::size_t>(head_dim_);
    std::vector<std::uint16_t> halves(2 * count);
    std::vector<std::int8_t> codes(2 * count);
    for (int h = 0; h < kv_heads_; ++h, keys += head_dim_, values += head_dim_) {
        const std::int64_t first = first_token(layer, slot, h);
        if (storage_ == Storage::f32) {
            store(first, position, keys, values);
        } else if (storage_ == Storage::f16) {
            kernels().to_f16(keys, head_dim_, halves.data());
            kernels().to_f16(values, head_dim_, halves.data() + count);
            store(first, position, halves.data(), halves.data() + count);
        } else {
            std::int32_t sum = 0;
            key_scales_.data()[first + position] =
                kernels().quantize_row(keys, head_dim_, 127, 1.0F, codes.data(), &sum);
            value_scales_.data()[first + position] =
                kernels().quantize_row(values, head_dim_, 127, 1.0F, codes.data() + count, &sum);
            store(first, position, codes.data(), codes.data() + count);
        }
    }
}

void KvCache::attend(std::int64_t layer, int slot, int kv_head, const float* query, std::int64_t count,
                     float scale, float* scratch, float* out) const {
    const std::int64_t first = first_token(layer, slot, kv_head);
    const std::int64_t at = first * head_dim_ * number_bytes(storage_);
    CachedHead head{keys_.data() + at, values_.data() + at, nullptr, nullptr};
    if (storage_ == Storage::int8) {
        head.key_scales = key_scales_.data() + first;
        head.value_scales = value_scales_.data() + first;
    }
    const Kernels& k = kernels();
    const auto attend = storage_ == Storage::f32   ? k.attend_f32
                        : storage_ == Storage::f16 ? k.attend_f16
                                                   : k.attend_int8;
    attend(query, head, count, static_cast<int>(head_dim_), scale, scratch, out);
}

} // namespace quantscope::cpu
