// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/humaneval_lengths.h"

#include <array>
#include <cstddef>

namespace quantscope::worker {

int humaneval_prompt_tokens(int index) {
    constexpr std::array<int, 32> quantiles{60,  70,  77,  83,  88,  93,  97,  101, 105, 109, 113,
                                            117, 121, 125, 129, 133, 137, 141, 146, 151, 156, 161,
                                            167, 173, 180, 188, 197, 208, 225, 255, 310, 450};
    // 13 has no factor in common with 32: neighbours differ, and 32 in a row take every value once.
    return quantiles[static_cast<std::size_t>(index) * 13 % quantiles.size()];
}

} // namespace quantscope::worker
