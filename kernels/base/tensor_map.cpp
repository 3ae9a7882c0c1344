// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/tensor_map.h"

#include <cuda_runtime.h>

#include <atomic>
#include <string>

namespace quantscope::kernels {
namespace {

using Encode = decltype(&cuTensorMapEncodeTiled);

/// The driver's function: nothing here links against the driver, so that programs start without one.
Status find_encode(Encode& encode) {
    static std::atomic<void*> known = nullptr;
    void* found = known;
    if (found == nullptr) {
        cudaDriverEntryPointQueryResult result{};
#if CUDART_VERSION >= 12050
        const cudaError_t asked = cudaGetDriverEntryPointByVersion("cuTensorMapEncodeTiled", &found, 12000,
                                                                   cudaEnableDefault, &result);
#else
        const cudaError_t asked =
            cudaGetDriverEntryPoint("cuTensorMapEncodeTiled", &found, cudaEnableDefault, &result);
#endif
        QS_CUDA_TRY(asked, "asking the driver for tensor maps");
        if (result != cudaDriverEntryPointSuccess || found == nullptr)
            return {Status::Kind::unsupported, "this driver knows no tensor maps"};
        known = found;
    }
    encode = reinterpret_cast<Encode>(found);
    return {};
}

} // namespace

Status encode(const MatrixMap& matrix, CUtensorMap& map) {
    Encode encode = nullptr;
    QS_TRY(find_encode(encode));
    constexpr cuuint32_t box_bytes = 128;
    const cuuint32_t size = matrix.halves ? 2 : 4;
    const cuuint64_t sizes[] = {static_cast<cuuint64_t>(matrix.columns),
                                static_cast<cuuint64_t>(matrix.rows)};
    const cuuint64_t row_bytes[] = {sizes[0] * size};
    const cuuint32_t box[] = {box_bytes / size, static_cast<cuuint32_t>(matrix.box_rows)};
    const cuuint32_t steps[] = {1, 1};
    const CUresult encoded = encode(
        &map, matrix.halves ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2,
        matrix.data, sizes, row_bytes, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
        CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (encoded != CUDA_SUCCESS)
        return {Status::Kind::failed, "describing a matrix of " + std::to_string(matrix.rows) + " x " +
                                          std::to_string(matrix.columns) +
                                          " to the copy engine: driver status " +
                                          std::to_string(static_cast<int>(encoded))};
    return {};
}

} // namespace quantscope::kernels
