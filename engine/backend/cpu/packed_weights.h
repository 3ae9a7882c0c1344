// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cpu/buffer.h"

#include <cstdint>
#include <span>

namespace quantscope::cpu {

/// How a matrix is held. Integers have one f32 scale per output.
enum class Storage { f32, f16, bf16, int8, int4 };

/// A matrix W [outputs][inputs] in blocks of 64 outputs, in the order in which both oneDNN's packed formats
/// and our kernels read it. Within a block, with n = output % 64:
///   f32, f16, bf16   element (k, n) at  k * 64 + n                       (oneDNN BA16a64b)
///   int8             element (k, n) at  i = (k / 4) * 256 + n * 4 + k % 4 (oneDNN BA16a64b4a)
///   int4             two codes a byte: of each 256 int8 positions, i and i + 128 share byte i, i in the low
///   half
/// Inputs are padded with zeros to a multiple of 64 (16 for floats), outputs to a multiple of 64.
class PackedWeights {
  public:
    PackedWeights() = default;
    PackedWeights(Storage storage, std::int64_t outputs, std::int64_t inputs);

    /// Stores rows [first, first + rows.size() / inputs), given as f32; integers are quantized (int8 and
    /// int4: engine/schemes/quantize.h), f16 and bf16 rounded half to even. Rows of different calls may be
    /// set in any order.
    void set_rows(std::int64_t first, std::span<const float> rows);

    /// Row `output` as f32 (dequantized), [inputs].
    void get_row(std::int64_t output, std::span<float> row) const;

    Storage storage() const { return storage_; }
    std::int64_t outputs() const { return outputs_; }
    std::int64_t inputs() const { return inputs_; }
    std::int64_t padded_inputs() const { return padded_inputs_; }
    std::int64_t block_count() const;
    std::int64_t block_bytes() const;
    const std::uint8_t* block(std::int64_t index) const { return data_.data() + index * block_bytes(); }
    const float* scales() const { return scales_.data(); } ///< [outputs]; null for floats
    bool is_integer() const { return storage_ == Storage::int8 || storage_ == Storage::int4; }

    std::int64_t bytes() const {
        return data_.bytes() + scales_.bytes();
    } ///< all that it holds, padding included
    std::int64_t weight_count() const { return outputs_ * inputs_; }

  private:
    void set_row(std::int64_t output, std::span<const float> row);
    void store_code(std::uint8_t* block, std::int64_t column, std::int64_t k, std::int8_t code) const;

    Storage storage_ = Storage::f32;
    std::int64_t outputs_ = 0;
    std::int64_t inputs_ = 0;
    std::int64_t padded_inputs_ = 0;
    Buffer<std::uint8_t> data_;
    Buffer<float> scales_;
};

} // namespace quantscope::cpu
