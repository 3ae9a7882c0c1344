// SPDX-License-Identifier: Apache-2.0
#include "kernels/bench/measure.h"

#include "kernels/base/features.h"

#include <algorithm>
#include <vector>

namespace quantscope::kernels {
namespace {

__device__ std::uint32_t hash(std::uint32_t index, std::uint32_t seed) {
    std::uint32_t x = index * 2654435761U + seed;
    x ^= x >> 16;
    x *= 0x85EBCA6BU;
    x ^= x >> 13;
    x *= 0xC2B2AE35U;
    x ^= x >> 16;
    return x;
}

__global__ void fill_random_kernel(std::uint32_t* words, std::size_t count, std::uint32_t seed,
                                   std::uint32_t mask, std::uint32_t base) {
    for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
         i += static_cast<std::size_t>(gridDim.x) * blockDim.x)
        words[i] = (hash(static_cast<std::uint32_t>(i), seed) & mask) | base;
}

/// Eight bytes' sum: mean 1020, variance 8 * (256^2 - 1) / 12.
__global__ void fill_normal_kernel(float* values, std::size_t count, std::uint32_t seed) {
    for (std::size_t i = blockIdx.x * static_cast<std::size_t>(blockDim.x) + threadIdx.x; i < count;
         i += static_cast<std::size_t>(gridDim.x) * blockDim.x) {
        const std::uint32_t a = hash(static_cast<std::uint32_t>(i), seed);
        const std::uint32_t b = hash(static_cast<std::uint32_t>(i), seed + 0x9E3779B9U);
        const std::uint32_t pairs =
            (a & 0x00FF00FFU) + (a >> 8U & 0x00FF00FFU) + (b & 0x00FF00FFU) + (b >> 8U & 0x00FF00FFU);
        values[i] = (static_cast<float>((pairs & 0xFFFFU) + (pairs >> 16U)) - 1020.0F) / 209.0F;
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

constexpr int mma_steps = 2048;
constexpr int mma_chains = 8; ///< independent products of a warp

__global__ void multiply_int8(const std::uint32_t* data, std::int32_t* sink) {
    const std::uint32_t* const mine = data + (blockIdx.x * blockDim.x + threadIdx.x) % 1024 * 6;
    const std::uint32_t a0 = mine[0], a1 = mine[1], a2 = mine[2], a3 = mine[3], b0 = mine[4], b1 = mine[5];
    std::int32_t sums[mma_chains][4] = {};
    for (int step = 0; step < mma_steps; ++step)
#pragma unroll
        for (auto& c : sums)
            asm volatile(
                "mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                "{%0,%1,%2,%3};"
                : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
    std::int32_t sum = 0;
    for (const auto& c : sums)
        sum += c[0] ^ c[1] ^ c[2] ^ c[3];
    if (sum == 0x12345678)
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

Status fill_normal(float* values, std::size_t count, std::uint32_t seed, cudaStream_t stream) {
    fill_normal_kernel<<<1024, 256, 0, stream>>>(values, count, seed);
    QS_CUDA_TRY(cudaGetLastError(), "filling memory");
    return {};
}

Status once_ms(cudaStream_t stream, const std::function<Status()>& body, float& ms) {
    Events events;
    QS_TRY(events.create());
    QS_CUDA_TRY(cudaEventRecord(events.start, stream), "recording an event");
    QS_TRY(body());
    QS_CUDA_TRY(cudaEventRecord(events.stop, stream), "recording an event");
    QS_CUDA_TRY(cudaEventSynchronize(events.stop), "waiting for the device");
    QS_CUDA_TRY(cudaEventElapsedTime(&ms, events.start, events.stop), "reading an event");
    return {};
}

Status median_ms(int repeats, cudaStream_t stream, const std::function<Status()>& body, float& median) {
    std::vector<float> times;
    for (int i = 0; i < repeats + 3; ++i) {
        float ms = 0;
        QS_TRY(once_ms(stream, body, ms));
        if (i >= 3)
            times.push_back(ms);
    }
    std::sort(times.begin(), times.end());
    median = times[times.size() / 2];
    return {};
}

Status median_graph_ms(int repeats, cudaStream_t stream, const std::function<Status()>& body, float& median) {
    cudaGraph_t graph{};
    cudaGraphExec_t exec{};
    QS_CUDA_TRY(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "capturing a graph");
    QS_TRY(body());
    QS_CUDA_TRY(cudaStreamEndCapture(stream, &graph), "capturing a graph");
    QS_CUDA_TRY(cudaGraphInstantiate(&exec, graph, 0), "instantiating a graph");
    QS_TRY(median_ms(
        repeats, stream,
        [&]() -> Status {
            QS_CUDA_TRY(cudaGraphLaunch(exec, stream), "launching a graph");
            return {};
        },
        median));
    QS_CUDA_TRY(cudaGraphExecDestroy(exec), "destroying a graph");
    QS_CUDA_TRY(cudaGraphDestroy(graph), "destroying a graph");
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

Status measure_copy_ceiling(cudaStream_t stream, double& bytes_per_s) {
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    QS_CUDA_TRY(cudaMemGetInfo(&free_bytes, &total_bytes), "asking for free memory");
    DeviceBuffer<std::uint32_t> from;
    DeviceBuffer<std::uint32_t> to;
    QS_TRY(from.allocate(std::min(std::size_t{2} << 30U, free_bytes / 4) / sizeof(std::uint32_t)));
    QS_TRY(to.allocate(from.size()));
    QS_TRY(fill_random(from.data(), from.size(), 2, 0xFFFFFFFFU, 0, stream));
    float ms = 0;
    QS_TRY(median_ms(
        11, stream,
        [&]() -> Status {
            QS_CUDA_TRY(
                cudaMemcpyAsync(to.data(), from.data(), from.bytes(), cudaMemcpyDeviceToDevice, stream),
                "copying memory");
            return {};
        },
        ms));
    bytes_per_s = 2.0 * static_cast<double>(from.bytes()) / (ms / 1e3);
    return {};
}

Status measure_int8_ceiling(cudaStream_t stream, double& ops_per_s) {
    const DeviceFeatures* device = nullptr;
    QS_TRY(device_features(device));
    const int blocks = device->multiprocessors;
    constexpr int warps = 16; // a block, one a multiprocessor
    DeviceBuffer<std::uint32_t> data;
    DeviceBuffer<std::int32_t> sink;
    QS_TRY(data.allocate(6 * 1024));
    QS_TRY(sink.allocate(1));
    QS_TRY(fill_random(data.data(), data.size(), 3, 0xFFFFFFFFU, 0, stream));
    float ms = 0;
    QS_TRY(median_ms(
        11, stream,
        [&]() -> Status {
            multiply_int8<<<blocks, warps * 32, 0, stream>>>(data.data(), sink.data());
            QS_CUDA_TRY(cudaGetLastError(), "multiplying int8");
            return {};
        },
        ms));
    const double products = static_cast<double>(blocks) * warps * mma_steps * mma_chains;
    ops_per_s = products * 2.0 * 16 * 8 * 32 / (ms / 1e3);
    return {};
}

} // namespace quantscope::kernels
