// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"
#include "kernels/base/pinned_buffer.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace quantscope::cuda {

/// Copies from ordinary (file-mapped) memory to the device through two page-locked buffers: while one is on
/// its way, all cores fill the other. Everything is enqueued on the default stream.
class StagedUpload {
  public:
    static constexpr std::size_t piece_bytes = std::size_t{32} << 20U; ///< of one copy at most

    StagedUpload() = default;
    StagedUpload(const StagedUpload&) = delete;
    StagedUpload& operator=(const StagedUpload&) = delete;
    ~StagedUpload();

    /// To be called once, before copy(). Errors: device, oom (page-locked memory).
    Expected<> open();
    /// Returns when `from` has been read; the copy itself is only enqueued. Errors: device.
    Expected<> copy(void* to, const void* from, std::size_t bytes);

  private:
    struct Buffer {
        kernels::PinnedBuffer<std::uint8_t> memory;
        cudaEvent_t sent = nullptr; ///< its last copy
    };
    std::array<Buffer, 2> buffers_;
    std::size_t next_ = 0;
};

} // namespace quantscope::cuda
