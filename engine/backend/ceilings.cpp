// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/ceilings.h"

#ifdef QUANTSCOPE_HAVE_CUDA
#include "engine/backend/cuda/status_error.h"
#include "kernels/bench/measure.h"
#endif

namespace quantscope {

Expected<DeviceCeilings> measure_cuda_ceilings() {
#ifdef QUANTSCOPE_HAVE_CUDA
    constexpr auto measuring = "Measuring what the GPU reaches";
    DeviceCeilings ceilings;
    QS_CUDA_EXPECT(kernels::measure_read_ceiling(nullptr, ceilings.read_bytes_per_s), measuring);
    QS_CUDA_EXPECT(kernels::measure_copy_ceiling(nullptr, ceilings.copy_bytes_per_s), measuring);
    QS_CUDA_EXPECT(kernels::measure_int8_ceiling(nullptr, ceilings.int8_ops_per_s), measuring);
    return ceilings;
#else
    return make_error(ErrorCode::unsupported, "This build of Quantscope has no CUDA backend.");
#endif
}

} // namespace quantscope
