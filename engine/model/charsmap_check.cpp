// SPDX-License-Identifier: Apache-2.0
#include "engine/model/charsmap_check.h"

#include <cstdint>
#include <cstring>

#include <fmt/format.h>

namespace quantscope {

namespace {

/// The fields of a protocol buffer message, one after the other.
class Fields {
  public:
    explicit Fields(std::string_view message) : rest_(message) {}

    /// False at the end, and where the bytes are no message.
    bool next() {
        std::uint64_t key = 0;
        std::uint64_t value = 0;
        if (rest_.empty() || !varint(key)) {
            return false;
        }
        number_ = key >> 3U;
        bytes_ = {};
        switch (key & 7U) {
        case 0: return varint(value);
        case 1: return take(8);
        case 2: return varint(value) && take(value);
        case 3: // a group's fields count like its message's: none is missed
        case 4: return true;
        case 5: return take(4);
        default: return false;
        }
    }
    std::uint64_t number() const { return number_; }
    std::string_view bytes() const { return bytes_; }

  private:
    bool varint(std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0; shift < 64 && !rest_.empty(); shift += 7) {
            const auto byte = static_cast<unsigned char>(rest_.front());
            rest_.remove_prefix(1);
            value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
            if (byte < 0x80U) {
                return true;
            }
        }
        return false;
    }
    bool take(std::uint64_t size) {
        if (size > rest_.size()) {
            return false;
        }
        bytes_ = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return true;
    }

    std::string_view rest_;
    std::string_view bytes_;
    std::uint64_t number_ = 0;
};

/// A double-array trie of darts-clone, unit by unit: a node's children stand in the block of 256 units that
/// its offset leads to, and a leaf's value is an offset into the replacements.
class Trie {
  public:
    Trie(std::string_view units, std::string_view replacements)
        : units_(units), replacements_(replacements) {}

    std::optional<std::string> fault() const {
        for (std::uint64_t i = 0; i < count(); ++i) {
            const std::uint32_t unit = at(i);
            if ((unit & leaf_bit) != 0) {
                continue; // no label equals it, so that it is never a node
            }
            const std::uint64_t children = i ^ (std::uint64_t{unit >> 10U} << ((unit & (1U << 9U)) >> 6U));
            if ((children | 0xFFU) >= count()) {
                return fmt::format("unit {} of its {} leads to unit {}", i, count(), children | 0xFFU);
            }
            const bool has_leaf = (unit & (1U << 8U)) != 0;
            if (has_leaf && (at(children) & ~leaf_bit) >= replacements_.size()) {
                return fmt::format("unit {} names byte {} of {} bytes of replacements", children,
                                   at(children) & ~leaf_bit, replacements_.size());
            }
        }
        return std::nullopt;
    }

  private:
    static constexpr std::uint32_t leaf_bit = 1U << 31U;

    std::uint64_t count() const { return units_.size() / sizeof(std::uint32_t); }
    std::uint32_t at(std::uint64_t i) const {
        std::uint32_t unit = 0;
        std::memcpy(&unit, units_.data() + i * sizeof unit, sizeof unit);
        return unit;
    }

    std::string_view units_;
    std::string_view replacements_;
};

/// Four bytes with the trie's size, the trie, replacements that each end with a zero.
std::optional<std::string> fault_of(std::string_view charsmap) {
    std::uint32_t trie_bytes = 0;
    if (charsmap.size() <= sizeof trie_bytes) {
        return charsmap.empty() ? std::nullopt : std::optional<std::string>("it has no trie");
    }
    std::memcpy(&trie_bytes, charsmap.data(), sizeof trie_bytes);
    charsmap.remove_prefix(sizeof trie_bytes);
    if (trie_bytes >= charsmap.size() || trie_bytes == 0 || trie_bytes % sizeof(std::uint32_t) != 0) {
        return fmt::format("its trie has {} bytes of {}", trie_bytes, charsmap.size());
    }
    if (charsmap.back() != '\0') {
        return "its last replacement has no end";
    }
    return Trie(charsmap.substr(0, trie_bytes), charsmap.substr(trie_bytes)).fault();
}

} // namespace

std::optional<std::string> charsmap_fault(std::string_view model) {
    constexpr std::uint64_t normalizer_spec = 3;
    constexpr std::uint64_t denormalizer_spec = 5;
    constexpr std::uint64_t precompiled_charsmap = 2;
    for (Fields fields(model); fields.next();) {
        if (fields.number() != normalizer_spec && fields.number() != denormalizer_spec) {
            continue;
        }
        for (Fields spec(fields.bytes()); spec.next();) {
            auto fault = spec.number() == precompiled_charsmap ? fault_of(spec.bytes()) : std::nullopt;
            if (fault) {
                return fault;
            }
        }
    }
    return std::nullopt;
}

} // namespace quantscope
