// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/status.h"

#include <cstddef>
#include <cuda_runtime.h>
#include <utility>

namespace quantscope::kernels {

/// Page-locked host memory of `size()` elements of T, which asynchronous copies can use; freed with the
/// object.
template<class T>
class PinnedBuffer {
  public:
    PinnedBuffer() = default;
    PinnedBuffer(PinnedBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    PinnedBuffer& operator=(PinnedBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    PinnedBuffer(const PinnedBuffer&) = delete;
    PinnedBuffer& operator=(const PinnedBuffer&) = delete;
    ~PinnedBuffer() {
        if (data_ != nullptr)
            static_cast<void>(cudaFreeHost(data_));
    }

    Status allocate(std::size_t count) {
        PinnedBuffer fresh;
        const cudaError_t error = cudaMallocHost(reinterpret_cast<void**>(&fresh.data_), count * sizeof(T));
        if (error != cudaSuccess)
            static_cast<void>(cudaGetLastError()); // not sticky: clear it
        QS_CUDA_TRY(error, "locking " + std::to_string(count * sizeof(T)) + " bytes of host memory");
        fresh.size_ = count;
        *this = std::move(fresh);
        return {};
    }

    T* data() const { return data_; }
    std::size_t size() const { return size_; }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace quantscope::kernels
