// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/wgmma_gemm.h"

#include "kernels/base/launch.h"
#include "kernels/gemm/wgmma_kernel.cuh"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace quantscope::kernels {
namespace wgmma_detail {

constexpr int max_split_cols = 128;
constexpr int max_split_tiles = 8192;

/// What leaves, and where to, for the copy engine where it takes that.
template<class B>
Status describe_outputs(const StreamGemm& gemm, Arguments& a) {
    const bool pairs = gemm.epilogue == Epilogue::silu_mul;
    const bool halves = gemm.epilogue == Epilogue::store_f16;
    const int channels = pairs ? a.rows / 2 : a.rows;
    a.form = pairs ? OutputForm::pairs : halves ? OutputForm::halves : OutputForm::floats;
    if (gemm.append != nullptr) {
        a.form = OutputForm::heads;
        a.append = *gemm.append;
        return {};
    }
    a.mapped = channels % (halves ? 8 : 4) == 0 && reinterpret_cast<std::uintptr_t>(gemm.out) % 16 == 0;
    if (!a.mapped)
        return {};
    const int box_rows = pairs    ? Piece<B, OutputForm::pairs>::rows
                         : halves ? Piece<B, OutputForm::halves>::rows
                                  : Piece<B, OutputForm::floats>::rows;
    return encode({gemm.out, gemm.batch, channels, halves, box_rows}, a.out_map);
}

template<class B>
Status launch_blocking(const StreamGemm& gemm, const DeviceFeatures& device, cudaStream_t stream) {
    const PackedWeights& weights = *gemm.weights;
    Arguments a{};
    a.tiles = weights.tiles.data();
    a.weight_scales = weights.scales.data();
    a.activations = static_cast<const std::uint8_t*>(gemm.activations);
    a.act_scales = gemm.act_scales;
    a.out = gemm.out;
    a.rows = weights.rows;
    a.row_tiles = weights.row_tiles();
    a.col_tiles = weights.col_tiles();
    a.batch = gemm.batch;
    a.epilogue = gemm.epilogue;
    a.code_shift = gemm.code_shift;
    a.unit = std::ldexp(1.0F, -gemm.code_shift - (B::format == WeightFormat::int4 ? 4 : 0));
    a.slabs = (a.col_tiles + B::slab_tiles - 1) / B::slab_tiles;
    a.row_blocks = (a.row_tiles + B::row_tiles - 1) / B::row_tiles;
    a.batch_blocks = (a.batch + B::cols - 1) / B::cols;
    const int tiles = a.row_blocks * a.batch_blocks;
    int blocks = std::min(tiles, device.multiprocessors);
    if constexpr (B::split) {
        if (gemm.split_sums == nullptr || tiles > max_split_tiles)
            return {Status::Kind::unsupported, "wgmma_gemm was given no room for the sums of split tiles"};
        a.sums = gemm.split_sums->sums.data();
        a.arrived = gemm.split_sums->arrived.data();
        blocks = std::min(tiles * a.slabs, device.multiprocessors);
    }
    if constexpr (!B::in_parts)
        QS_TRY(describe_outputs<B>(gemm, a));
    if constexpr (B::in_parts)
        blocks = tiles * B::parts;
    return launch("wgmma_gemm", wgmma_gemm_kernel<B>, dim3(blocks), dim3(threads), B::shared_bytes,
                  {stream, gemm.overlap_previous, B::in_parts ? B::parts : 1}, a);
}

/// Variant 0 is for many rows.
template<WeightFormat format>
Status launch_variant(const StreamGemm& gemm, const DeviceFeatures& device, int variant,
                      cudaStream_t stream) {
    constexpr bool f16 = format == WeightFormat::f16;
    constexpr bool int4 = format == WeightFormat::int4;
    const auto go = [&](auto blocking) { return launch_blocking<decltype(blocking)>(gemm, device, stream); };
    if (variant == 0)
        return go(Blocking < format, Groups::rows, 256, 4, Slabs::tiles, int4 ? 4 : 2 > {});
    if constexpr (f16) {
        if (variant == 1)
            return go(Blocking<format, Groups::rows, 128, 6, Slabs::tiles, 2>{});
        if (variant == 2)
            return go(Blocking<format, Groups::columns, 128, 8, Slabs::tiles, 2>{});
        return go(Blocking<format, Groups::columns, 64, 12, Slabs::tiles, 1>{});
    } else {
        if (variant == 1)
            return go(Blocking < format, Groups::rows, 128, int4 ? 8 : 6, Slabs::shares, 2 > {});
        if (variant == 2)
            return go(Blocking < format, Groups::rows, 64, int4 ? 4 : 3, Slabs::parts, 0, 4 > {});
        if (variant == 3)
            return go(Blocking < format, Groups::rows, 32, int4 ? 7 : 4, Slabs::parts, 0, 4 > {});
        if (variant == 4)
            return go(Blocking < format, Groups::rows, 64, int4 ? 4 : 3, Slabs::parts, 0, 2 > {});
        return go(Blocking < format, Groups::rows, 32, int4 ? 7 : 4, Slabs::parts, 0, 2 > {});
    }
}

/// The tile sizes of the variants.
struct TileSize {
    int cols;
    int rows;
};

/// Cycles that a multiprocessor needs for its share: products of a tile, or its copies at some 40 bytes a
/// cycle, whichever is more.
double cost(const StreamGemm& gemm, const DeviceFeatures& device, TileSize size, bool split) {
    const PackedWeights& w = *gemm.weights;
    const int tiles = (w.rows + size.rows - 1) / size.rows * ((gemm.batch + size.cols - 1) / size.cols);
    const double products = size.cols * size.rows / 32.0;
    const double weight_bytes = size.rows * (w.format == WeightFormat::int4 ? 64.0 : 128.0);
    const double copies = (std::min(size.cols, gemm.batch) * 128.0 + weight_bytes) / 40.0;
    const double share = static_cast<double>(tiles) / device.multiprocessors;
    const double joining = 16.0; // slabs' worth
    double turns = split ? share + joining / w.col_tiles() : std::ceil(share);
    if (size.cols == 256 && gemm.batch > 128 && share > 1 &&
        turns - share >= 0.5) // the last turn's tiles by halves
        turns -= 0.4;
    return turns * std::max(products, copies);
}

int pick_variant(const StreamGemm& gemm, const DeviceFeatures& device) {
    if (gemm.weights->format != WeightFormat::f16) {
        if (gemm.split_sums == nullptr)
            return 0;
        if (gemm.batch <= 64) { // clusters of four, of two where not all of four would run at once
            const bool pairs = (gemm.weights->rows + 127) / 128 * 4 > 2 * device.multiprocessors;
            return gemm.batch <= 32 ? (pairs ? 5 : 3) : (pairs ? 4 : 2);
        }
        if (gemm.batch <= 128)
            return 1;
        return cost(gemm, device, {128, 128}, true) < cost(gemm, device, {256, 128}, false) ? 1 : 0;
    }
    const TileSize sizes[] = {{256, 128}, {128, 128}, {128, 64}, {64, 64}};
    int best = 0;
    for (int variant = 1; variant < static_cast<int>(std::size(sizes)); ++variant)
        if (cost(gemm, device, sizes[variant], false) < cost(gemm, device, sizes[best], false))
            best = variant;
    return best;
}

} // namespace wgmma_detail

Status SplitSums::allocate() {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    if (!device->hopper)
        return {};
    QS_TRY(sums.allocate(static_cast<std::size_t>(device->multiprocessors) * 2 * 128 *
                         wgmma_detail::max_split_cols));
    QS_TRY(arrived.allocate(wgmma_detail::max_split_tiles));
    QS_CUDA_TRY(cudaMemset(arrived.data(), 0, arrived.bytes()), "clearing the counters of split tiles");
    return {};
}

Status wgmma_gemm_appends(const StreamGemm& gemm, const HeadAppend& append, bool& appends) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const AttentionShape& shape = append.rows.shape;
    appends = append.rows.key_codes == nullptr && shape.head_dim == wgmma_detail::HeadWriter::head_dim &&
              gemm.weights->rows == shape.qkv_size() && wgmma_detail::pick_variant(gemm, *device) == 0;
    return {};
}

Status wgmma_gemm(const StreamGemm& gemm, cudaStream_t stream, int variant) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    if (!device->hopper)
        return {Status::Kind::unsupported, "wgmma_gemm needs a Hopper GPU and code for it"};
    if (gemm.layout != RowLayout::slabs)
        return {Status::Kind::unsupported, "wgmma_gemm reads rows in slabs"};
    if (variant < 0)
        variant = wgmma_detail::pick_variant(gemm, *device);
    if (gemm.append != nullptr && variant != 0)
        return {Status::Kind::unsupported, "wgmma_gemm appends to the KV cache with tiles of many rows only"};
    switch (gemm.weights->format) {
    case WeightFormat::int4:
        return wgmma_detail::launch_variant<WeightFormat::int4>(gemm, *device, variant, stream);
    case WeightFormat::int8:
        return wgmma_detail::launch_variant<WeightFormat::int8>(gemm, *device, variant, stream);
    case WeightFormat::f16:
        return wgmma_detail::launch_variant<WeightFormat::f16>(gemm, *device, variant, stream);
    }
    return {Status::Kind::unsupported, "wgmma_gemm does not know this weight format"};
}

} // namespace quantscope::kernels
