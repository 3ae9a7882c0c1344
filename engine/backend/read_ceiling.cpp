// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/read_ceiling.h"

#ifdef QUANTSCOPE_HAVE_CUDA
#include "engine/backend/cuda/status_error.h"
#include "kernels/bench/measure.h"
#endif

namespace quantscope {

Expected<double> measure_cuda_read_ceiling() {
#ifdef QUANTSCOPE_HAVE_CUDA
    double bytes_per_s = 0.0;
    QS_CUDA_EXPECT(kernels::measure_read_ceiling(nullptr, bytes_per_s), "Measuring the GPU's read rate");
    return bytes_per_s;
#else
    return make_error(ErrorCode::unsupported, "This build of Quantscope has no CUDA backend.");
#endif
}

} // namespace quantscope
