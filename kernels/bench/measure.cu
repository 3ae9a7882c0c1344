// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/measure.h"

#include <algorithm>
#include <vector>

namespace quantscope::kernels {
namespace {

__global__ void fill_random_kernel(std::uint32_t* words, std::size_t count, std::uint32_t seed,
                                   std::uint32_t mask, std::uint32_t base) {
    for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
         i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
        std::uint32_t x = static_cast<std::uint32_t>(i) * 2654435761U + seed;
        x ^= x >> 16;
        x *= 0x85EBCA6BU;
        x ^= x >> 13;
        x *= 0xC2B2AE35U;
        x ^= x >> 16;
        words[i] = (x & mask) | base;
    }
}

__global__ void read_all(const uint4* data, std::size_t count, std::uint32_t* sink) {
    std::uint32_t sum = 0;
    const std::size_t stride = static_cast<std::size_t>(gridDim.x) * blockDim.x;
    std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x;
    for (; i + 3 * stride < count; i += 4 * stride) {
        const uint4 a = data[i];
        const uint4 b = data[i + stride];
        const uint4 c = data[i + 2 * stride];
        const uint4 d = data[i + 3 * stride];
        sum += a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w ^ c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^ d.w;
    }
    if (sum == 0x12345678U)
        *sink = sum;
}

/// Two events that are destroyed with the object.
struct Events {
    cudaEvent_t start = nullptr;
    cudaEvent_t stop = nullptr;

    Status create() {
        QS_CUDA_TRY(cudaEventCreate(&start), "creating an event");
        QS_CUDA_TRY(cudaEventCreate(&stop), "creating an event");
        return {};
    }
    ~Events() {
        if (start != nullptr)
            static_cast<void>(cudaEventDestroy(start));
        if (stop != nullptr)
            static_cast<void>(cudaEventDestroy(stop));
    }
};

} // namespace

Status fill_random(std::uint32_t* words, std::size_t count, std::uint32_t seed, std::uint32_t mask,
                   std::uint32_t base, cudaStream_t stream) {
    fill_random_kernel<<<1024, 256, 0, stream>>>(words, count, seed, mask, base);
    QS_CUDA_TRY(cudaGetLastError(), "filling memory");
    return {};
}

Status median_ms(int repeats, cudaStream_t stream, const std::function<Status()>& body, float& median) {
    std::vector<float> times;
    Events events;
    QS_TRY(events.create());
    for (int i = 0; i < repeats + 3; ++i) {
        QS_CUDA_TRY(cudaEventRecord(events.start, stream), "recording an event");
        QS_TRY(body());
        QS_CUDA_TRY(cudaEventRecord(events.stop, stream), "recording an event");
        QS_CUDA_TRY(cudaEventSynchronize(events.stop), "waiting for the device");
        float ms = 0;
        QS_CUDA_TRY(cudaEventElapsedTime(&ms, events.start, events.stop), "reading an event");
        if (i >= 3)
            times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    median = times[times.size() / 2];
    return {};
}

Status measure_read_ceiling(cudaStream_t stream, double& bytes_per_s) {
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    QS_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory");
    DeviceBuffer<std::uint32_t> data;
    DeviceBuffer<std::uint32_t> sink;
    QS_TRY(data.allocate(std::min(std::size_t{4} << 30U, free_bytes / 2) / 64 * 16));
    QS_TRY(sink.allocate(1));
    QS_TRY(fill_random(data.data(), data.size(), 1, 0xFFFFFFFFU, 0, stream));
    bytes_per_s = 0;
    for (const int blocks : {132 * 4, 132 * 8, 132 * 16}) {
        float ms = 0;
        QS_TRY(median_ms(
            11, stream,
            [&]() -> Status {
                read_all<<<blocks, 512, 0, stream>>>(reinterpret_cast<const uint4*>(data.data()),
                                                     data.size() / 4, sink.data());
                QS_CUDA_TRY(cudaGetLastError(), "reading memory");
                return {};
            },
            ms));
        bytes_per_s = std::max(bytes_per_s, static_cast<double>(data.bytes()) / (ms / 1e3));
    }
    return {};
}

} // namespace quantscope::kernels
