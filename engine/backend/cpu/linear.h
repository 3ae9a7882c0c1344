// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/backend/cpu/packed_weights.h"
#include "engine/schemes/scheme.h"

#include <cstdint>

namespace quantscope::cpu {

/// Rows that one or more linears read: f32, and quantized per row where the scheme says so.
class LinearInput {
  public:
    LinearInput() = default;
    LinearInput(int max_rows, std::int64_t max_inputs, Precision precision, float clip);

    /// Where the next rows are to be written: [rows][stride()] f32.
    float* values() { return values_.data(); }
    std::int64_t stride() const { return stride_; }

    /// Takes values()[0, rows), each `inputs` long, and quantizes them (integer precisions only).
    void prepare(int rows, std::int64_t inputs);

    std::int64_t bytes() const { return values_.bytes() + codes_.bytes() + scales_.bytes() + sums_.bytes(); }

  private:
    friend void multiply(const PackedWeights& weights, const LinearInput& input, float* y,
                         std::int64_t y_stride);
    friend void multiply_block_integer(const PackedWeights& weights, const LinearInput& input,
                                       std::int64_t block, float* y, std::int64_t y_stride);
    friend void multiply_block_real(const PackedWeights& weights, const LinearInput& input,
                                    std::int64_t block, float* y, std::int64_t y_stride);

    Precision precision_ = Precision::fp16;
    float clip_ = 1.0F;
    std::int64_t stride_ = 0; ///< a multiple of 64
    std::int64_t inputs_ = 0;
    int rows_ = 0;
    Buffer<float> values_;
    Buffer<std::int8_t> codes_;
    Buffer<float> scales_;
    Buffer<std::int32_t> sums_;
};

/// Bytes of the panel that a thread may unpack int4 into while it multiplies these weights; 0 where none is
/// needed.
std::int64_t panel_bytes(const PackedWeights& weights);

/// y[m][n] = sum_k x[m][k] W[n][k], y [rows][y_stride]. Integer weights: exact int32 accumulation of the
/// codes, then (s_x * s_w) * acc in f32. Needs weights.is_integer() exactly when the input is quantized.
void multiply(const PackedWeights& weights, const LinearInput& input, float* y, std::int64_t y_stride);

} // namespace quantscope::cpu
