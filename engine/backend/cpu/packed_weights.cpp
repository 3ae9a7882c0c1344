// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/packed_weights.h"

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/model/tensor.h"
#include "engine/schemes/quantize.h"

#include <bit>
#include <cstring>
#include <vector>

namespace quantscope::cpu {
namespace {

std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

std::int64_t bits(Storage storage) {
    switch (storage) {
    case Storage::f32: return 32;
    case Storage::f16:
    case Storage::bf16: return 16;
    case Storage::int8: return 8;
    case Storage::int4: return 4;
    }
    return 32;
}

Precision precision(Storage storage) {
    return storage == Storage::int8 ? Precision::int8 : Precision::int4;
}

/// Round half to even at bit `drop` of a positive number's bits.
std::uint32_t round_bits(std::uint32_t value, unsigned drop) {
    return (value + (1U << (drop - 1)) - 1U + ((value >> drop) & 1U)) >> drop;
}

std::uint16_t to_bf16(float value) {
    return static_cast<std::uint16_t>(round_bits(std::bit_cast<std::uint32_t>(value), 16));
}

/// Finite values; beyond the largest half they become infinite.
std::uint16_t to_f16(float value) {
    const auto raw = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = (raw >> 16U) & 0x8000U;
    const std::uint32_t magnitude = raw & 0x7fffffffU;
    if (magnitude >= 0x47800000U) { // 2^16 and above
        return static_cast<std::uint16_t>(sign | 0x7c00U);
    }
    if (magnitude < 0x38800000U) { // subnormal halves: multiples of 2^-24, which adding 0.5 rounds to
        const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
        return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
    }
    return static_cast<std::uint16_t>(sign | round_bits(magnitude - 0x38000000U, 13));
}

/// Where int8 code (k, column) lies in its block.
std::int64_t code_index(std::int64_t column, std::int64_t k) {
    return k / 4 * 256 + column * 4 + k % 4;
}

} // namespace

PackedWeights::PackedWeights(Storage storage, std::int64_t outputs, std::int64_t inputs)
    : storage_(storage), outputs_(outputs), inputs_(inputs),
      padded_inputs_(round_up(inputs, storage == Storage::int8 || storage == Storage::int4 ? 64 : 16)) {
    data_ = Buffer<std::uint8_t>(static_cast<std::size_t>(block_count() * block_bytes()));
    if (storage == Storage::int4) {
        std::memset(data_.data(), pack_int4(0, 0), data_.size());
    }
    if (is_integer()) {
        scales_ = Buffer<float>(static_cast<std::size_t>(outputs));
    }
}

std::int64_t PackedWeights::block_count() const {
    return round_up(outputs_, block_columns) / block_columns;
}

std::int64_t PackedWeights::block_bytes() const {
    return padded_inputs_ * block_columns * bits(storage_) / 8;
}

void PackedWeights::set_rows(std::int64_t first, std::span<const float> rows) {
    const auto width = static_cast<std::size_t>(inputs_);
    const auto count = static_cast<std::int64_t>(rows.size() / width);
    // A task is one block's rows: two rows of one block can share a byte's cache line, or the byte itself.
    const std::int64_t first_block = first / block_columns;
    const std::int64_t last_block = (first + count + block_columns - 1) / block_columns;
    parallel_for(last_block - first_block, true, [&](std::int64_t task) {
        const std::int64_t start = (first_block + task) * block_columns;
        for (std::int64_t n = start; n < start + block_columns; ++n) {
            if (n >= first && n < first + count) {
                set_row(n, rows.subspan(static_cast<std::size_t>(n - first) * width, width));
            }
        }
    });
}

void PackedWeights::store_code(std::uint8_t* block, std::int64_t column, std::int64_t k,
                               std::int8_t code) const {
    const std::int64_t i = code_index(column, k);
    if (storage_ == Storage::int8) {
        block[i] = static_cast<std::uint8_t>(code);
        return;
    }
    std::uint8_t& pair = block[i / 256 * 128 + i % 128];
    pair = i % 256 < 128 ? pack_int4(code, unpack_int4_high(pair)) : pack_int4(unpack_int4_low(pair), code);
}

void PackedWeights::set_row(std::int64_t output, std::span<const float> row) {
    std::uint8_t* const block = data_.data() + output / block_columns * block_bytes();
    const std::int64_t column = output % block_columns;
    if (is_integer()) {
        std::vector<std::int8_t> codes(row.size());
        std::int32_t sum = 0;
        scales_.data()[output] = kernels().quantize_row(
            row.data(), inputs_, largest_code(precision(storage_)), 1.0F, codes.data(), &sum);
        for (std::int64_t k = 0; k < inputs_; ++k) {
            store_code(block, column, k, codes[static_cast<std::size_t>(k)]);
        }
        return;
    }
    for (std::int64_t k = 0; k < inputs_; ++k) {
        const float value = row[static_cast<std::size_t>(k)];
        const std::int64_t i = k * block_columns + column;
        if (storage_ == Storage::f32) {
            std::memcpy(block + 4 * i, &value, sizeof value);
        } else {
            const std::uint16_t half = storage_ == Storage::f16 ? to_f16(value) : to_bf16(value);
            std::memcpy(block + 2 * i, &half, sizeof half);
        }
    }
}

void PackedWeights::get_row(std::int64_t output, std::span<float> row) const {
    const std::uint8_t* const from = block(output / block_columns);
    const std::int64_t column = output % block_columns;
    for (std::int64_t k = 0; k < inputs_; ++k) {
        float& value = row[static_cast<std::size_t>(k)];
        if (is_integer()) {
            const std::int64_t i = code_index(column, k);
            const std::uint8_t pair = from[i / 256 * 128 + i % 128];
            const std::int8_t code = storage_ == Storage::int8 ? static_cast<std::int8_t>(from[i])
                                     : i % 256 < 128           ? unpack_int4_low(pair)
                                                               : unpack_int4_high(pair);
            value = static_cast<float>(code) * scales_.data()[output];
        } else if (storage_ == Storage::f32) {
            std::memcpy(&value, from + 4 * (k * block_columns + column), sizeof value);
        } else {
            std::uint16_t half = 0;
            std::memcpy(&half, from + 2 * (k * block_columns + column), sizeof half);
            value = storage_ == Storage::f16 ? f16_to_f32(half) : bf16_to_f32(half);
        }
    }
}

} // namespace quantscope::cpu
