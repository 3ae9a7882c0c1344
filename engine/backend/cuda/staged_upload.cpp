// SPDX-License-Identifier: Apache-2.0
#include "engine/backend/cuda/staged_upload.h"

#include "engine/backend/cpu/parallel.h"
#include "engine/backend/cuda/status_error.h"

#include <algorithm>
#include <cstring>

namespace quantscope::cuda {
namespace {

using kernels::cuda_status;

constexpr auto loading = "Loading the model onto the GPU";

/// On all cores: one alone reads mapped files at a few GB/s, much of it page faults.
void copy_parallel(std::uint8_t* to, const void* from, std::size_t bytes) {
    constexpr std::size_t part = std::size_t{1} << 20U;
    const auto parts = static_cast<std::int64_t>((bytes + part - 1) / part);
    cpu::parallel_for(parts, parts > 1, [&](std::int64_t i) {
        const std::size_t at = static_cast<std::size_t>(i) * part;
        std::memcpy(to + at, static_cast<const std::uint8_t*>(from) + at, std::min(part, bytes - at));
    });
}

} // namespace

StagedUpload::~StagedUpload() {
    static_cast<void>(cudaStreamSynchronize(nullptr)); // copies may still read the buffers
    for (const Buffer& buffer : buffers_) {
        if (buffer.sent != nullptr) {
            static_cast<void>(cudaEventDestroy(buffer.sent));
        }
    }
}

Expected<> StagedUpload::open() {
    for (Buffer& buffer : buffers_) {
        QS_CUDA_EXPECT(buffer.memory.allocate(piece_bytes), loading);
        QS_CUDA_EXPECT(
            cuda_status(cudaEventCreateWithFlags(&buffer.sent, cudaEventDisableTiming), "creating an event"),
            loading);
    }
    return {};
}

Expected<> StagedUpload::copy(void* to, const void* from, std::size_t bytes) {
    Buffer& buffer = buffers_[next_];
    next_ = (next_ + 1) % buffers_.size();
    // An event that was never recorded counts as over.
    QS_CUDA_EXPECT(cuda_status(cudaEventSynchronize(buffer.sent), "copying weights to the device"), loading);
    copy_parallel(buffer.memory.data(), from, bytes);
    QS_CUDA_EXPECT(
        cuda_status(cudaMemcpyAsync(to, buffer.memory.data(), bytes, cudaMemcpyHostToDevice, nullptr),
                    "copying weights to the device"),
        loading);
    QS_CUDA_EXPECT(cuda_status(cudaEventRecord(buffer.sent, nullptr), "recording an event"), loading);
    return {};
}

} // namespace quantscope::cuda
