// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace quantscope {

struct Sampling {
    double temperature = 0.0; ///< 0 is greedy
    double top_p = 1.0;       ///< nucleus: smallest set of most likely tokens whose probability reaches top_p
};

/// Names one random stream: a sample of a problem under a seed.
struct RandomKey {
    std::uint64_t seed = 0;
    std::uint64_t problem = 0;
    std::uint64_t sample = 0;
};

/// Uniform in [0, 1), a pure function of its arguments (counter-based: no state, no order).
double uniform(const RandomKey& key, std::uint64_t counter);

/// Chooses a token from logits. Holds only scratch memory: the result is a pure function of the arguments.
class Sampler {
  public:
    /// @param logits    [vocab_size]
    /// @param position  index of the token within the continuation, the random stream's counter
    std::int32_t choose(std::span<const float> logits, const Sampling& sampling, const RandomKey& key,
                        std::uint64_t position);

  private:
    std::vector<std::int32_t> order_;
    std::vector<double> weights_;
};

/// Id of the largest logit, the lowest id on a tie; NaN never wins.
std::int32_t argmax(std::span<const float> logits);

} // namespace quantscope
