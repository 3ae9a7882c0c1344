// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace quantscope::kernels {

/// How halves and codes that a product reads lie in memory.
enum class RowLayout {
    rows, ///< [rows][padded_cols(cols)]
    /// [slab][rows][128 bytes]: a slab is 128 bytes of each row (64 halves or 128 codes), so that a tile of
    /// rows is contiguous. Inside, the order is that in which wgmma reads shared memory (slab_offset());
    /// the last slab is padded with zeros.
    slabs,
};

constexpr int slab_bytes = 128;

/// Codes stand in memory times 2^shift, which wgmma_gemm() shifts out of its sums, exactly. In slabs 4-bit
/// codes are the upper half of their byte: where the low half is zero, rather than the upper one all ones or
/// all zeros, the tensor cores take less power, which is what limits them (README.md).
constexpr int code_shift(RowLayout layout, int largest_code) {
    return layout == RowLayout::slabs && largest_code > 0 && largest_code <= 7 ? 4 : 0;
}

constexpr int slabs_of(int cols, int element_bytes) {
    return (cols * element_bytes + slab_bytes - 1) / slab_bytes;
}

/// Where the `word`-th 4 bytes of `row` stand. Columns are permuted in each group of 64 as PackedWeights
/// permutes them: of the 16 (codes) or 32 (halves) words of a group, the one that lane t uses in step s and
/// half u of a tensor core instruction is logical word (t, s, u) and stored word (s, u, t). The 16-byte
/// chunks of a row are then exchanged as the 128-byte swizzle wants it: chunk c stands at c ^ (row % 8).
#ifdef __CUDACC__
__host__ __device__
#endif
    constexpr std::size_t
    slab_offset(int rows, int row, int word, bool halves) {
    const int chunks = halves ? 8 : 4; // steps x 2 of a group
    const int slab = word / 32;
    const int in_slab = word % 32;
    const int group = in_slab / (4 * chunks);
    const int lane = in_slab % (4 * chunks) / chunks;
    const int chunk = group * chunks + in_slab % chunks;
    return (static_cast<std::size_t>(slab) * rows + row) * slab_bytes + ((chunk ^ (row % 8)) * 16 + lane * 4);
}

} // namespace quantscope::kernels
