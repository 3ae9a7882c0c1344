// SPDX-License-Identifier: Apache-2.0
#include "kernels/base/features.h"

#include <cuda_runtime.h>

namespace quantscope::kernels {

Status has_wgmma(bool& has) {
    has = false;
#ifdef QUANTSCOPE_SM_90A
    int device = 0;
    int major = 0;
    QS_CUDA_TRY(cudaGetDevice(&device), "asking for the current device");
    QS_CUDA_TRY(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                "asking for the compute capability");
    has = major == 9;
#endif
    return {};
}

} // namespace quantscope::kernels
