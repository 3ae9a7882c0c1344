// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/base/device_memory.h"
#include "kernels/base/status.h"

#include <cstddef>
#include <cuda_runtime.h>
#include <utility>

namespace quantscope::kernels {

/// Device memory of `size()` elements of T; freed with the object. Contents are undefined until written.
template<class T>
class DeviceBuffer {
  public:
    DeviceBuffer() = default;
    DeviceBuffer(DeviceBuffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    DeviceBuffer& operator=(DeviceBuffer&& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        return *this;
    }
    DeviceBuffer(const DeviceBuffer&) = delete;
    DeviceBuffer& operator=(const DeviceBuffer&) = delete;
    ~DeviceBuffer() {
        if (data_ != nullptr) {
            static_cast<void>(cudaFree(data_));
            device_memory::add(-static_cast<std::int64_t>(bytes()));
        }
    }

    /// Replaces the contents by `count` fresh elements. Errors: out_of_memory with bytes needed and free.
    Status allocate(std::size_t count) {
        DeviceBuffer fresh;
        const std::size_t bytes = count * sizeof(T);
        const cudaError_t error = bytes == 0 ? cudaSuccess : cudaMalloc(&fresh.data_, bytes);
        if (error != cudaSuccess) {
            static_cast<void>(cudaGetLastError()); // an allocation failure is not sticky: clear it
            Status status = cuda_status(static_cast<int>(error),
                                        "allocating " + std::to_string(bytes) + " bytes on the device");
            std::size_t free_bytes = 0;
            std::size_t total_bytes = 0;
            if (cudaMemGetInfo(&free_bytes, &total_bytes) == cudaSuccess)
                status.bytes_free = static_cast<std::int64_t>(free_bytes);
            status.bytes_needed = static_cast<std::int64_t>(bytes);
            return status;
        }
        fresh.size_ = count;
        device_memory::add(static_cast<std::int64_t>(bytes));
        *this = std::move(fresh);
        return {};
    }

    T* data() const { return data_; }
    std::size_t size() const { return size_; }
    std::size_t bytes() const { return size_ * sizeof(T); }

  private:
    T* data_ = nullptr;
    std::size_t size_ = 0;
};

} // namespace quantscope::kernels
