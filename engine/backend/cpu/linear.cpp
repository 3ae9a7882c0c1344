// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/linear.h"

#include "engine/backend/cpu/kernels.h"
#include "engine/backend/cpu/onednn_products.h"
#include "engine/backend/cpu/parallel.h"
#include "engine/schemes/quantize.h"

#include <algorithm>
#include <cstring>
#include <vector>

namespace quantscope::cpu {
namespace {

/// Below this many multiplications a second thread costs more than it saves.
constexpr std::int64_t parallel_work = 8'000'000;

constexpr int chunk_rows = 64; ///< rows whose products with one block stand on the stack

using RealProduct = void (*)(const FloatRows&, const void*, std::int64_t, float*);

RealProduct real_product(Storage storage) {
    const Kernels& k = kernels();
    return storage == Storage::f32 ? k.dot_f32 : storage == Storage::f16 ? k.dot_f16 : k.dot_bf16;
}

/// Codes of one block as int8 in oneDNN's order: int4 is unpacked into a panel of the thread's, one block at
/// a time.
const std::int8_t* int8_panel(const PackedWeights& weights, std::int64_t block) {
    if (weights.storage() == Storage::int8) {
        return reinterpret_cast<const std::int8_t*>(weights.block(block));
    }
    thread_local std::vector<std::int8_t> panel;
    const std::int64_t count = panel_bytes(weights);
    if (static_cast<std::int64_t>(panel.size()) < count) {
        panel.resize(static_cast<std::size_t>(count));
    }
    kernels().unpack_int4(weights.block(block), count, panel.data());
    return panel.data();
}

/// acc [x.rows][64]: whole groups of onednn_rows by oneDNN where it can, what is left by our kernels. Both
/// are exact.
void multiply_codes(const Int8Rows& x, const PackedWeights& weights, std::int64_t block,
                    const std::int8_t* panel, std::int32_t* acc) {
    int row = 0;
    while (panel != nullptr && x.rows - row >= onednn_rows &&
           onednn_int8(x.codes + row * x.stride, x.stride, panel, weights.padded_inputs(),
                       acc + row * block_columns)) {
        row += onednn_rows;
    }
    if (row < x.rows) {
        const auto product = weights.storage() == Storage::int8 ? kernels().dot_int8 : kernels().dot_int4;
        product({x.codes + row * x.stride, x.stride, x.sums + row, x.rows - row}, weights.block(block),
                weights.padded_inputs(), acc + row * block_columns);
    }
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
        scales_.data()[row] = k.quantize_row(values_.data() + row * stride_, inputs, largest_code(precision_),
                                             clip_, codes, sums_.data() + row);
        std::memset(codes + inputs, 0, static_cast<std::size_t>((inputs + 63) / 64 * 64 - inputs));
    });
}

void multiply_block_integer(const PackedWeights& weights, const LinearInput& input, std::int64_t block,
                            float* y, std::int64_t y_stride) {
    alignas(64) std::int32_t acc[chunk_rows * block_columns];
    const std::int64_t column = block * block_columns;
    const int width = static_cast<int>(std::min<std::int64_t>(block_columns, weights.outputs() - column));
    const std::int8_t* const panel =
        input.rows_ >= onednn_rows && onednn_available() ? int8_panel(weights, block) : nullptr;
    for (int first = 0; first < input.rows_; first += chunk_rows) {
        const int count = std::min(chunk_rows, input.rows_ - first);
        multiply_codes(
            {input.codes_.data() + first * input.stride_, input.stride_, input.sums_.data() + first, count},
            weights, block, panel, acc);
        for (int row = 0; row < count; ++row) {
            kernels().rescale(acc + row * block_columns, input.scales_.data()[first + row],
                              weights.scales() + column, width, y + (first + row) * y_stride + column);
        }
    }
}

void multiply_block_real(const PackedWeights& weights, const LinearInput& input, std::int64_t block, float* y,
                         std::int64_t y_stride) {
    alignas(64) float sums[chunk_rows * block_columns];
    const std::int64_t column = block * block_columns;
    const auto width =
        static_cast<std::size_t>(std::min<std::int64_t>(block_columns, weights.outputs() - column));
    for (int first = 0; first < input.rows_; first += chunk_rows) {
        const int count = std::min(chunk_rows, input.rows_ - first);
        real_product(weights.storage())({input.values_.data() + first * input.stride_, input.stride_, count},
                                        weights.block(block), weights.inputs(), sums);
        for (int row = 0; row < count; ++row) {
            std::memcpy(y + (first + row) * y_stride + column, sums + row * block_columns,
                        width * sizeof(float));
        }
    }
}

std::int64_t panel_bytes(const PackedWeights& weights) {
    return weights.storage() == Storage::int4 ? weights.padded_inputs() * block_columns : 0;
}

void multiply(const PackedWeights& weights, const LinearInput& input, float* y, std::int64_t y_stride) {
    const auto block = weights.is_integer() ? multiply_block_integer : multiply_block_real;
    parallel_for(weights.block_count(), input.rows_ * weights.weight_count() > parallel_work,
                 [&](std::int64_t index) { block(weights, input, index, y, y_stride); });
}

} // namespace quantscope::cpu
