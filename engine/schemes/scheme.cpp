// SPDX-License-Identifier: Apache-2.0
#include "engine/schemes/scheme.h"

#include <algorithm>
#include <array>

namespace quantscope {
namespace {

constexpr std::array table = {
    Scheme{.id = "fp16",
           .label = "FP16",
           .summary = "The baseline: weights as the checkpoint holds them, nothing quantized"},
    Scheme{.id = "int8",
           .label = "INT8",
           .summary = "8-bit weights (per output channel) and 8-bit activations (per token)",
           .weights = Precision::int8,
           .activations = Precision::int8,
           .rounding = WeightRounding::nearest},
    Scheme{.id = "w4a8",
           .label = "W4A8",
           .summary = "4-bit weights (per output channel), 8-bit activations (per token)",
           .weights = Precision::int4,
           .activations = Precision::int8,
           .rounding = WeightRounding::nearest},
    Scheme{.id = "w4a4-rtn",
           .label = "W4A4 naive",
           .summary = "4-bit weights and 4-bit activations, rounded to nearest: expected to collapse",
           .weights = Precision::int4,
           .activations = Precision::int4,
           .rounding = WeightRounding::nearest},
    // Clip ratio 0.9: QuaRot (arXiv 2404.00456), section 5, for round-to-nearest 4-bit activations.
    Scheme{.id = "w4a4-rot",
           .label = "W4A4 rotated",
           .summary =
               "4-bit weights and 4-bit activations after Hadamard rotations (QuaRot), rounded to nearest",
           .weights = Precision::int4,
           .activations = Precision::int4,
           .rounding = WeightRounding::nearest,
           .rotation = Rotation::hadamard,
           .activation_clip = 0.9F},
    Scheme{.id = "int8+kv8",
           .label = "INT8, KV 8-bit",
           .summary = "INT8 with an 8-bit KV cache (per token and head)",
           .weights = Precision::int8,
           .activations = Precision::int8,
           .kv_cache = Precision::int8,
           .rounding = WeightRounding::nearest},
    Scheme{.id = "w4a4-rot+kv8",
           .label = "W4A4 rotated, KV 8-bit",
           .summary = "W4A4 rotated with an 8-bit KV cache (per token and head)",
           .weights = Precision::int4,
           .activations = Precision::int4,
           .kv_cache = Precision::int8,
           .rounding = WeightRounding::nearest,
           .rotation = Rotation::hadamard,
           .activation_clip = 0.9F},
};

} // namespace

std::span<const Scheme> all_schemes() {
    return table;
}

const Scheme* find_scheme(std::string_view id) {
    const auto* found =
        std::find_if(table.begin(), table.end(), [&](const Scheme& scheme) { return scheme.id == id; });
    return found == table.end() ? nullptr : found;
}

} // namespace quantscope
