// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace quantscope {

/// The identity of a model's files, for resume and provenance: 128 bits of XXH3, in hex. It tells apart
/// models that differ by accident or by another download; it is no defence against somebody who wants a
/// collision.
class ModelHash {
  public:
    /// Files up to this size are hashed whole.
    static constexpr std::size_t whole_file_bytes = std::size_t{256} << 20U;
    /// Of larger files: the size, the header, and this many blocks spread evenly from the first to the last.
    static constexpr std::size_t sample_blocks = 64;
    static constexpr std::size_t sample_block_bytes = std::size_t{1} << 20U;

    ModelHash();
    ~ModelHash();
    ModelHash(const ModelHash&) = delete;
    ModelHash& operator=(const ModelHash&) = delete;

    /// A small file. Lengths are hashed too, so that bytes cannot wander from one part into the next.
    void add(std::string_view bytes);
    /// A weight file, whose first `header_bytes` are always hashed. `whole_file_limit` is there for tests.
    void add_weights(std::span<const std::byte> file, std::size_t header_bytes,
                     std::size_t whole_file_limit = whole_file_bytes);
    /// 32 hex digits.
    std::string hex() const;

  private:
    void update(std::span<const std::byte> bytes);
    void update_length(std::size_t length);

    struct State;
    std::unique_ptr<State> state_;
};

} // namespace quantscope
