// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cpu/kernels_impl.h"

namespace quantscope::cpu {

extern const Kernels kernels_portable = make_kernels("portable");

} // namespace quantscope::cpu
