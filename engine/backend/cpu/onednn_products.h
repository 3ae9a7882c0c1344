// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace quantscope::cpu {

/// Rows that one oneDNN call takes: two AMX tiles. Fewer are left to the kernels, which read less for them.
inline constexpr int onednn_rows = 32;

/// out [onednn_rows][64] = codes [onednn_rows][stride] times one int8 block of packed_weights.h, exact int32.
/// False where oneDNN has no exact int8 path worth taking: without AMX its kernels are no faster than ours,
/// and without VNNI they may saturate 16-bit sums. QUANTSCOPE_ONEDNN=0 says no always.
bool onednn_int8(const std::int8_t* codes, std::int64_t stride, const std::int8_t* block,
                 std::int64_t padded_inputs, std::int32_t* out);

/// Whether onednn_int8() can work here at all.
bool onednn_available();

} // namespace quantscope::cpu
