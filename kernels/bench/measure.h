// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device_buffer.h"

#include <cstdint>
#include <functional>

namespace quantscope::kernels {

/// words[i] = (hash(i, seed) & mask) | base
Status fill_random(std::uint32_t* words, std::size_t count, std::uint32_t seed, std::uint32_t mask,
                   std::uint32_t base, cudaStream_t stream);

/// Nearly normal values (sums of bytes of a hash), of spread 1.
Status fill_normal(float* values, std::size_t count, std::uint32_t seed, cudaStream_t stream);

/// Time of what `body` enqueues, between device events.
Status once_ms(cudaStream_t stream, const std::function<Status()>& body, float& ms);

/// Median time of what `body` enqueues, between device events, after three warm-ups.
Status median_ms(int repeats, cudaStream_t stream, const std::function<Status()>& body, float& median);

/// The same of a graph that is captured from what `body` enqueues.
Status median_graph_ms(int repeats, cudaStream_t stream, const std::function<Status()>& body, float& median);

/// The rate at which a kernel that does nothing else reads memory: the best of a few grids, over 4 GiB (or
/// half of what is free).
Status measure_read_ceiling(cudaStream_t stream, double& bytes_per_s);

/// The rate of a copy within the device's memory, bytes read plus bytes written; 2 GiB (or a quarter of what
/// is free) to as many.
Status measure_copy_ceiling(cudaStream_t stream, double& bytes_per_s);

/// The rate of mma.sync on int8 whose operands are random and already in registers; a multiplication and an
/// addition count as two.
Status measure_int8_ceiling(cudaStream_t stream, double& ops_per_s);

} // namespace quantscope::kernels
