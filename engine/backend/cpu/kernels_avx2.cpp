// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels_impl.h"

namespace quantscope::cpu {

extern const Kernels kernels_avx2 = make_kernels("avx2");

} // namespace quantscope::cpu
