// SPDX-License-Identifier: Apache-2.0
#include "engine/model/safetensors.h"

#include "engine/json/json_fields.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace quantscope {

namespace {

using nlohmann::json;

constexpr std::uint64_t max_header_bytes = 100'000'000; // the format's own limit
constexpr std::size_t length_field_bytes = 8;
constexpr std::size_t max_rank = 16;
const char* const damaged_hint = "The file is damaged or incomplete: download it again.";

struct DTypeBits {
    std::string_view name;
    std::uint64_t bits;
};
/// Those of safetensors 0.8.
constexpr std::array<DTypeBits, 22> known_dtypes = {{
    {"BOOL", 8},        {"U8", 8},          {"I8", 8},      {"F8_E5M2", 8}, {"F8_E4M3", 8}, {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"F4", 4},      {"I16", 16},
    {"U16", 16},        {"F16", 16},        {"BF16", 16},   {"I32", 32},    {"U32", 32},    {"F32", 32},
    {"C64", 64},        {"F64", 64},        {"I64", 64},    {"U64", 64},
}};

/// What the format may call a type one day: "F8_E3M4", not "f32" or "a tensor".
bool may_be_dtype(const std::string& name) {
    return name.size() > 1 && name.size() <= 16 && name[0] >= 'A' && name[0] <= 'Z' &&
           std::any_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; }) &&
           std::all_of(name.begin(), name.end(),
                       [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; });
}

tl::unexpected<Error> refuse(const std::filesystem::path& path, const std::string& problem) {
    return make_error(ErrorCode::bad_input, fmt::format("{}: {}.", path.string(), problem), damaged_hint);
}

tl::unexpected<Error> refuse(const std::filesystem::path& path, const std::string& tensor, const char* what,
                             const std::string& expected, const std::string& found) {
    return refuse(
        path, fmt::format("tensor {}: {}: expected {}, found {}", describe(tensor), what, expected, found));
}

/// A list of `count` unsigned integers, or of any length up to max_rank where count is 0.
std::optional<std::vector<std::uint64_t>> unsigned_list(const json& object, const char* key,
                                                        std::size_t count) {
    const auto list = object.find(key);
    if (list == object.end() || !list->is_array() || list->size() > max_rank ||
        (count != 0 && list->size() != count)) {
        return std::nullopt;
    }
    std::vector<std::uint64_t> values;
    for (const json& value : *list) {
        if (!value.is_number_unsigned()) {
            return std::nullopt;
        }
        values.push_back(value.get<std::uint64_t>());
    }
    return values;
}

std::string found_text(const json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end()) {
        return "nothing";
    }
    return found->is_array() && found->size() <= 4
               ? found->dump(-1, ' ', true, json::error_handler_t::replace)
               : describe(*found);
}

struct Extent {
    std::uint64_t begin;
    std::uint64_t end;
    std::string tensor;
};

/// Bytes that dtype and shape ask for; nothing on overflow or where they are no whole number of bytes.
std::optional<std::uint64_t> byte_count(std::uint64_t dtype_bits, const std::vector<std::uint64_t>& shape) {
    std::uint64_t count = 1;
    for (const std::uint64_t size : shape) {
        // The bound leaves room for the element size, and keeps every size within int64.
        if (__builtin_mul_overflow(count, size, &count) || count > (std::uint64_t{1} << 56U) ||
            size > (std::uint64_t{1} << 56U)) {
            return std::nullopt;
        }
    }
    const std::uint64_t bits = count * dtype_bits;
    return bits % 8 == 0 ? std::optional(bits / 8) : std::nullopt;
}

Expected<SafetensorsEntry> read_entry(const std::filesystem::path& path, const std::string& name,
                                      const json& object, std::span<const std::byte> data, Extent& extent) {
    if (!object.is_object()) {
        return refuse(path, name, "entry", "an object with dtype, shape and data_offsets", describe(object));
    }
    const auto dtype = object.find("dtype");
    const auto known =
        dtype == object.end() || !dtype->is_string()
            ? known_dtypes.end()
            : std::find_if(known_dtypes.begin(), known_dtypes.end(), [&](const DTypeBits& row) {
                  return row.name == dtype->get_ref<const std::string&>();
              });
    if (known == known_dtypes.end() && dtype != object.end() && dtype->is_string() &&
        may_be_dtype(dtype->get_ref<const std::string&>())) {
        return make_error(ErrorCode::unsupported,
                          fmt::format("{}: tensor {}: dtype {} is not supported; expected F32, F16 or BF16.",
                                      path.string(), describe(name), found_text(object, "dtype")),
                          "Choose the model's unquantized folder, or save it as bfloat16.");
    }
    if (known == known_dtypes.end()) {
        return refuse(path, name, "dtype", "a safetensors dtype such as \"F32\", \"F16\" or \"BF16\"",
                      found_text(object, "dtype"));
    }
    const auto shape = unsigned_list(object, "shape", 0);
    if (!shape) {
        return refuse(path, name, "shape", fmt::format("a list of up to {} sizes", max_rank),
                      found_text(object, "shape"));
    }
    const auto offsets = unsigned_list(object, "data_offsets", 2);
    if (!offsets || (*offsets)[0] > (*offsets)[1]) {
        return refuse(path, name, "data_offsets", "[begin, end] with begin <= end",
                      found_text(object, "data_offsets"));
    }
    extent = {(*offsets)[0], (*offsets)[1], name};
    if (extent.end > data.size()) {
        return refuse(path, name, "data_offsets",
                      fmt::format("at most {} (the bytes of data in the file)", data.size()),
                      found_text(object, "data_offsets"));
    }
    const auto bytes = byte_count(known->bits, *shape);
    if (!bytes || *bytes != extent.end - extent.begin) {
        return refuse(path, name, "size",
                      bytes ? fmt::format("{} bytes for {} of shape {}", *bytes, known->name, *shape)
                            : fmt::format("a shape that fits into memory for {}", known->name),
                      bytes ? fmt::format("{} bytes (data_offsets {})", extent.end - extent.begin, *offsets)
                            : fmt::format("{}", *shape));
    }
    return SafetensorsEntry{std::string(known->name),
                            {shape->begin(), shape->end()},
                            data.subspan(extent.begin, extent.end - extent.begin)};
}

/// The tensors must tile the data: an overlap would alias weights, a hole or a tail hides bytes.
Expected<> check_tiling(const std::filesystem::path& path, std::vector<Extent>& extents,
                        std::uint64_t data_bytes) {
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
        return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
    });
    std::uint64_t covered = 0;
    const Extent* previous = nullptr;
    for (const Extent& extent : extents) {
        if (extent.begin < covered) {
            return refuse(path,
                          fmt::format("tensors {} and {} overlap: expected data from byte {} on, found {}",
                                      describe(previous->tensor), describe(extent.tensor), covered,
                                      extent.begin));
        }
        if (extent.begin > covered) {
            return refuse(path,
                          fmt::format("tensor {}: expected its data at byte {}, right after the one before, "
                                      "found {}",
                                      describe(extent.tensor), covered, extent.begin));
        }
        covered = extent.end;
        previous = &extent;
    }
    if (covered != data_bytes) {
        return refuse(path, fmt::format("expected {} bytes of data, as the header says, found {}", covered,
                                        data_bytes));
    }
    return {};
}

/// The JSON text between the length field and the data.
Expected<std::string_view> header_text(const std::filesystem::path& path, std::string_view file) {
    if (file.size() < length_field_bytes) {
        return refuse(path, fmt::format("expected a safetensors file of at least {} bytes, found {} bytes",
                                        length_field_bytes, file.size()));
    }
    std::uint64_t length = 0;
    for (std::size_t i = length_field_bytes; i-- > 0;) {
        length = length << 8U | static_cast<unsigned char>(file[i]);
    }
    if (length > max_header_bytes) {
        return refuse(
            path,
            fmt::format("header length: expected at most {} bytes, found {}; this is no safetensors file",
                        max_header_bytes, length));
    }
    if (length > file.size() - length_field_bytes) {
        return refuse(path, fmt::format("header length: expected at most the {} bytes that follow, found {}",
                                        file.size() - length_field_bytes, length));
    }
    return file.substr(length_field_bytes, length);
}

} // namespace

std::optional<DType> SafetensorsEntry::float_dtype() const {
    for (const DType candidate : {DType::f32, DType::f16, DType::bf16}) {
        if (dtype == to_string(candidate)) {
            return candidate;
        }
    }
    return std::nullopt;
}

Expected<SafetensorsFile> SafetensorsFile::open(const std::filesystem::path& path) {
    auto mapped = MappedFile::open(path);
    if (!mapped) {
        return tl::unexpected(mapped.error());
    }
    SafetensorsFile result(path, std::move(*mapped));
    const auto header = header_text(path, result.file_.text());
    if (!header) {
        return tl::unexpected(header.error());
    }
    const auto document = parse_json_object(*header, path.string() + ": header");
    if (!document) {
        return tl::unexpected(document.error());
    }
    result.header_size_ = length_field_bytes + header->size();
    const auto data = result.bytes().subspan(result.header_size_);
    std::vector<Extent> extents;
    for (const auto& [name, object] : document->items()) {
        if (name == "__metadata__") {
            continue;
        }
        Extent extent{};
        auto entry = read_entry(path, name, object, data, extent);
        if (!entry) {
            return tl::unexpected(entry.error());
        }
        result.tensors_.emplace(name, std::move(*entry));
        extents.push_back(std::move(extent));
    }
    if (auto tiled = check_tiling(path, extents, data.size()); !tiled) {
        return tl::unexpected(tiled.error());
    }
    return result;
}

} // namespace quantscope
