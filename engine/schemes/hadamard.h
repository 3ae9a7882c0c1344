// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// Walsh-Hadamard transforms, normalised: H is symmetric and orthogonal, so H H = I.
namespace quantscope {

/// Largest power of two that divides `size`, at most `limit` (0: no limit). The block of a block Hadamard
/// diag(H_b, H_b, ...), which is orthogonal for every size.
int hadamard_block(int size, int limit = 0);

/// In place, v <- diag(H_block, ...) v. `block` is a power of two that divides v.size().
void hadamard_transform(std::span<float> values, int block);

/// Fixed +-1 signs for the residual rotation Q = D H: without them a constant vector would land whole in
/// one coordinate, an outlier. A pure function of `size`.
std::vector<float> rotation_signs(int size);

} // namespace quantscope
