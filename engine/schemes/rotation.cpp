// SPDX-License-Identifier: Apache-2.0
#include "engine/schemes/rotation.h"

#include "engine/schemes/hadamard.h"

#include <algorithm>

namespace quantscope {
namespace {

constexpr int online_block_limit = 256;   // Llama-2-7B: 11008 = 43 * 256
constexpr std::size_t strip_columns = 16; // a cache line of each row

} // namespace

WeightRotation::WeightRotation(Rotation rotation, int hidden_size, int intermediate_size, int head_dim)
    : active_(rotation == Rotation::hadamard), hidden_(static_cast<std::size_t>(hidden_size)),
      intermediate_(static_cast<std::size_t>(intermediate_size)), hidden_block_(hadamard_block(hidden_size)),
      intermediate_block_(hadamard_block(intermediate_size, online_block_limit)),
      head_block_(hadamard_block(head_dim)), signs_(rotation_signs(hidden_size)) {}

void WeightRotation::rotate_residual(std::span<float> row) const {
    for (std::size_t i = 0; i < hidden_; ++i) {
        row[i] *= signs_[i];
    }
    hadamard_transform(row, hidden_block_);
}

void WeightRotation::rotate_outputs(std::span<float> weight, std::size_t columns, int block,
                                    bool signs) const {
    const std::size_t rows = weight.size() / columns;
    std::vector<float> strip(strip_columns * rows); // [column][row]
    for (std::size_t first = 0; first < columns; first += strip_columns) {
        const std::size_t width = std::min(strip_columns, columns - first);
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t c = 0; c < width; ++c) {
                strip[c * rows + r] = weight[r * columns + first + c] * (signs ? signs_[r] : 1.0F);
            }
        }
        for (std::size_t c = 0; c < width; ++c) {
            hadamard_transform(std::span(strip).subspan(c * rows, rows), block);
        }
        for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t c = 0; c < width; ++c) {
                weight[r * columns + first + c] = strip[c * rows + r];
            }
        }
    }
}

void WeightRotation::embedding(std::span<float> weight) const {
    if (!active_) {
        return;
    }
    for (std::size_t start = 0; start < weight.size(); start += hidden_) {
        rotate_residual(weight.subspan(start, hidden_));
    }
}

void WeightRotation::reads_residual(std::span<float> weight, std::span<const float> gamma) const {
    if (!active_) {
        return;
    }
    for (std::size_t start = 0; start < weight.size(); start += hidden_) {
        for (std::size_t i = 0; i < hidden_; ++i) {
            weight[start + i] *= gamma[i];
        }
        rotate_residual(weight.subspan(start, hidden_));
    }
}

void WeightRotation::v_output(std::span<float> weight) const {
    if (active_) {
        rotate_outputs(weight, hidden_, head_block_, false);
    }
}

void WeightRotation::o_proj(std::span<float> weight) const {
    if (!active_) {
        return;
    }
    hadamard_transform(weight, head_block_); // head_block_ divides head_dim, and rows are whole heads
    rotate_outputs(weight, weight.size() / hidden_, hidden_block_, true);
}

void WeightRotation::down_proj(std::span<float> weight) const {
    if (!active_) {
        return;
    }
    hadamard_transform(weight, intermediate_block_);
    rotate_outputs(weight, intermediate_, hidden_block_, true);
}

void WeightRotation::bias(WeightRole role, std::span<float> bias) const {
    if (!active_) {
        return;
    }
    switch (role) {
    case WeightRole::v_proj: hadamard_transform(bias, head_block_); return;
    case WeightRole::o_proj:
    case WeightRole::down_proj: rotate_residual(bias); return;
    case WeightRole::embedding:
    case WeightRole::reads_residual: return;
    }
}

} // namespace quantscope
