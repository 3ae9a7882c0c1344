// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels_impl.h"

namespace quantscope::cpu {

extern const Kernels kernels_avx512 = make_kernels("avx512-vnni");

} // namespace quantscope::cpu
