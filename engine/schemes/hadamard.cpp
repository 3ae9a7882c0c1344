// SPDX-License-Identifier: Apache-2.0
#include "engine/schemes/hadamard.h"

#include <algorithm>
#include <cmath>

namespace quantscope {

int hadamard_block(int size, int limit) {
    int block = 1;
    while (size % (block * 2) == 0 && (limit == 0 || block * 2 <= limit)) {
        block *= 2;
    }
    return block;
}

void hadamard_transform(std::span<float> values, int block) {
    const auto width = static_cast<std::size_t>(block);
    const float norm = 1.0F / std::sqrt(static_cast<float>(block));
    for (std::size_t start = 0; start + width <= values.size(); start += width) {
        float* const v = values.data() + start;
        for (std::size_t half = 1; half < width; half *= 2) {
            for (std::size_t i = 0; i < width; i += 2 * half) {
                for (std::size_t j = i; j < i + half; ++j) {
                    const float a = v[j];
                    const float b = v[j + half];
                    v[j] = a + b;
                    v[j + half] = a - b;
                }
            }
        }
        for (std::size_t i = 0; i < width; ++i) {
            v[i] *= norm;
        }
    }
}

std::vector<float> rotation_signs(int size) {
    std::vector<float> signs(static_cast<std::size_t>(size));
    std::uint64_t state = 0x9e3779b97f4a7c15ULL;
    for (float& sign : signs) {
        state ^= state << 13U; // xorshift64 (Marsaglia 2003)
        state ^= state >> 7U;
        state ^= state << 17U;
        sign = (state >> 63U) != 0 ? -1.0F : 1.0F;
    }
    return signs;
}

} // namespace quantscope
