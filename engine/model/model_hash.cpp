// SPDX-License-Identifier: Apache-2.0
#include "engine/model/model_hash.h"

#include <algorithm>
#include <cstdint>

#include <fmt/format.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace quantscope {

struct ModelHash::State {
    XXH3_state_t xxh;
};

ModelHash::ModelHash() : state_(std::make_unique<State>()) {
    XXH3_128bits_reset(&state_->xxh);
}

ModelHash::~ModelHash() = default;

void ModelHash::update(std::span<const std::byte> bytes) {
    if (!bytes.empty()) {
        XXH3_128bits_update(&state_->xxh, bytes.data(), bytes.size());
    }
}

void ModelHash::update_length(std::size_t length) {
    const std::uint64_t value = length;
    update(std::as_bytes(std::span(&value, 1)));
}

void ModelHash::add(std::string_view bytes) {
    update_length(bytes.size());
    update(std::as_bytes(std::span(bytes.data(), bytes.size())));
}

void ModelHash::add_weights(std::span<const std::byte> file, std::size_t header_bytes,
                            std::size_t whole_file_limit) {
    update_length(file.size());
    const std::size_t block = std::min(sample_block_bytes, file.size());
    if (file.size() <= whole_file_limit || file.size() <= sample_blocks * block) {
        update(file);
        return;
    }
    update(file.first(std::min(header_bytes, file.size())));
    const std::size_t last = file.size() - block;
    for (std::size_t i = 0; i < sample_blocks; ++i) {
        // In two steps, so that last * i cannot overflow.
        const std::size_t steps = sample_blocks - 1;
        const std::size_t begin = last / steps * i + last % steps * i / steps;
        update(file.subspan(begin, block));
    }
}

std::string ModelHash::hex() const {
    const XXH128_hash_t digest = XXH3_128bits_digest(&state_->xxh);
    return fmt::format("{:016x}{:016x}", digest.high64, digest.low64);
}

} // namespace quantscope
