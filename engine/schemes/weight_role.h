// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace quantscope {

/// What a linear reads and what its outputs are: all that a rotation has to know of it
/// (engine/schemes/rotation.h).
enum class WeightRole {
    embedding,      ///< rows are residuals
    reads_residual, ///< reads a norm's output
    v_proj,         ///< as reads_residual; its outputs are values, rotated a head at a time
    o_proj,         ///< reads rotated values, adds to the residual
    down_proj,      ///< reads what was rotated online, adds to the residual
};

} // namespace quantscope
