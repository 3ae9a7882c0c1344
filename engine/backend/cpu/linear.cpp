// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/linear.h"

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/schemes/quantize.h"

#include <algorithm>
#include <cstring>

namespace quantscope::cpu {
namespace {

/// Below this many multiplications a second thread costs more than it saves.
constexpr std::int64_t parallel_work = 8'000'000;

constexpr int chunk_rows = 64; ///< rows whose products with one block stand on the stack

using IntegerProduct = void (*)(const Int8Rows&, const void*, std::int64_t, std::int32_t*);
using RealProduct = void (*)(const FloatRows&, const void*, std::int64_t, float*);

RealProduct real_product(Storage storage) {
    const Kernels& k = kernels();
    return storage == Storage::f32 ? k.dot_f32 : storage == Storage::f16 ? k.dot_f16 : k.dot_bf16;
}

} // namespace

LinearInput::LinearInput(int max_rows, std::int64_t max_inputs, Precision precision, float clip)
    : precision_(precision), clip_(clip), stride_((max_inputs + 63) / 64 * 64),
      values_(static_cast<std::size_t>(max_rows * stride_)) {
    if (precision != Precision::fp16) {
        codes_ = Buffer<std::int8_t>(values_.size());
        scales_ = Buffer<float>(static_cast<std::size_t>(max_rows));
        sums_ = Buffer<std::int32_t>(static_cast<std::size_t>(max_rows));
    }
}

void LinearInput::prepare(int rows, std::int64_t inputs) {
    rows_ = rows;
    inputs_ = inputs;
    if (precision_ == Precision::fp16) {
        return;
    }
    const Kernels& k = kernels();
    parallel_for(rows, rows * inputs > parallel_work, [&](std::int64_t row) {
        std::int8_t* const codes = codes_.data() + row * stride_;
        scales_.data()[row] = k.quantize_row(values_.data() + row * stride_, inputs, largest_code(precision_), clip_,
                                             codes, sums_.data() + row);
        std::memset(codes + inputs, 0, static_cast<std::size_t>((inputs + 63) / 64 * 64 - inputs));
    });
}

void multiply(const PackedWeights& weights, const LinearInput& input, float* y, std::int64_t y_stride) {
    const Kernels& k = kernels();
    const std::int64_t stride = input.stride_;
    const int rows = input.rows_;
    const bool worthwhile = rows * weights.weight_count() > parallel_work;
    parallel_for(weights.block_count(), worthwhile, [&](std::int64_t block) {
        const std::int64_t column = block * block_columns;
        const int width = static_cast<int>(std::min<std::int64_t>(block_columns, weights.outputs() - column));
        for (int first = 0; first < rows; first += chunk_rows) {
            const int count = std::min(chunk_rows, rows - first);
            float* out = y + first * y_stride + column;
            if (weights.is_integer()) {
                alignas(64) std::int32_t acc[chunk_rows * block_columns];
                const IntegerProduct product = weights.storage() == Storage::int8 ? k.dot_int8 : k.dot_int4;
                product({input.codes_.data() + first * stride, stride, input.sums_.data() + first, count},
                        weights.block(block), weights.padded_inputs(), acc);
                for (int row = 0; row < count; ++row, out += y_stride) {
                    k.rescale(acc + row * block_columns, input.scales_.data()[first + row], weights.scales() + column,
                              width, out);
                }
            } else {
                alignas(64) float acc[chunk_rows * block_columns];
                real_product(weights.storage())({input.values_.data() + first * stride, stride, count},
                                                weights.block(block), weights.inputs(), acc);
                for (int row = 0; row < count; ++row, out += y_stride) {
                    std::memcpy(out, acc + row * block_columns, static_cast<std::size_t>(width) * sizeof(float));
                }
            }
        }
    });
}

} // namespace quantscope::cpu
