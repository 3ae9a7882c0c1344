// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace quantscope::cpu {

/// Zeroed memory aligned to a cache line. Pages are committed when first written (calloc), so a long
/// context's KV cache costs what is used of it. Throws std::bad_alloc, which CpuBackend::create() turns into
/// an Error.
template<class T>
class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t count) : count_(count) {
        if (count == 0) {
            return;
        }
        memory_.reset(std::calloc(count * sizeof(T) + alignment, 1));
        if (!memory_) {
            throw std::bad_alloc();
        }
        void* start = memory_.get();
        std::size_t space = count * sizeof(T) + alignment;
        data_ = static_cast<T*>(std::align(alignment, count * sizeof(T), start, space));
    }

    T* data() { return data_; }
    const T* data() const { return data_; }
    std::size_t size() const { return count_; }
    std::int64_t bytes() const { return static_cast<std::int64_t>(count_ * sizeof(T)); }
    std::span<T> span() { return {data_, count_}; }

  private:
    static constexpr std::size_t alignment = 64;
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
    std::unique_ptr<void, Free> memory_;
    T* data_ = nullptr;
    std::size_t count_ = 0;
};

} // namespace quantscope::cpu
