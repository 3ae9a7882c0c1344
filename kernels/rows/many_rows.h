// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/rows/row_transform.h"

namespace quantscope::kernels {

/// Whether transform_many_rows() takes these rows: no signs, no Hadamard blocks but of 256, halves or codes,
/// columns in whole vectors of four, at most 12288 (8192 with a norm).
bool takes_many_rows(const RowTransform& transform);

/// transform_rows() with rows that stay in registers. The same results, bit for bit.
Status transform_many_rows(const RowTransform& transform, const Launch& how);

} // namespace quantscope::kernels
