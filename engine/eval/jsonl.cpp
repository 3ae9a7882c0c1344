// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/jsonl.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>
#include <zlib.h>

namespace quantscope::eval {
namespace {

constexpr int max_json_depth = 64;
constexpr std::size_t chunk_bytes = 64 * 1024;

tl::unexpected<Error> too_large(const std::filesystem::path& file, std::size_t max_bytes) {
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: holds more than {} MiB of text, the limit for this kind of file",
                                  file.string(), max_bytes >> 20),
                      "Check that this is the file you meant, or split it.");
}

Expected<std::string> read_bytes(const std::filesystem::path& file, std::size_t max_bytes) {
    std::error_code ec;
    if (std::filesystem::is_directory(file, ec)) {
        return make_error(ErrorCode::io, fmt::format("{}: expected a file, found a folder", file.string()));
    }
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> handle(std::fopen(file.c_str(), "rbe"), &std::fclose);
    if (!handle) {
        return make_error(ErrorCode::io,
                          fmt::format("{}: cannot be opened: {}", file.string(), std::strerror(errno)),
                          "Check the path and its permissions.");
    }
    std::string bytes;
    std::array<char, chunk_bytes> chunk{};
    while (const std::size_t n = std::fread(chunk.data(), 1, chunk.size(), handle.get())) {
        if (bytes.size() + n > max_bytes)
            return too_large(file, max_bytes);
        bytes.append(chunk.data(), n);
    }
    if (std::ferror(handle.get()) != 0) {
        return make_error(ErrorCode::io, fmt::format("{}: reading failed after {} bytes: {}", file.string(),
                                                     bytes.size(), std::strerror(errno)));
    }
    return bytes;
}

class Inflater {
  public:
    Inflater() { ok_ = inflateInit2(&stream_, 15 + 16) == Z_OK; } // 15: largest window, +16: gzip header only
    ~Inflater() {
        if (ok_)
            inflateEnd(&stream_);
    }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;
    [[nodiscard]] bool ok() const { return ok_; }
    z_stream& stream() { return stream_; }

  private:
    z_stream stream_{};
    bool ok_ = false;
};

Expected<std::string> gunzip(const std::filesystem::path& file, const std::string& packed,
                             std::size_t max_bytes) {
    Inflater inflater;
    if (!inflater.ok())
        return make_error(ErrorCode::internal, fmt::format("{}: zlib could not start", file.string()));
    z_stream& z = inflater.stream();
    std::string text;
    std::array<Bytef, chunk_bytes> chunk{};
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    z.avail_in = static_cast<uInt>(packed.size()); // <= max_bytes <= 1 GiB, see read_bytes
    while (true) {
        z.next_out = chunk.data();
        z.avail_out = static_cast<uInt>(chunk.size());
        const int status = inflate(&z, Z_NO_FLUSH);
        const std::size_t produced = chunk.size() - z.avail_out;
        if (text.size() + produced > max_bytes)
            return too_large(file, max_bytes);
        text.append(reinterpret_cast<const char*>(chunk.data()), produced);
        if (status == Z_STREAM_END) {
            if (z.avail_in == 0)
                return text;
            if (inflateReset(&z) != Z_OK) // the next gzip member
                return make_error(ErrorCode::internal,
                                  fmt::format("{}: zlib could not go on", file.string()));
        } else if (status == Z_BUF_ERROR || (status == Z_OK && z.avail_in == 0 && produced == 0)) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("{}: the gzip data ends early, after {} packed bytes ({} unpacked)",
                                          file.string(), packed.size(), text.size()),
                              "The download or copy was cut short; fetch the file again.");
        } else if (status != Z_OK) {
            return make_error(ErrorCode::bad_input,
                              fmt::format("{}: the gzip data is damaged near packed byte {}: {}",
                                          file.string(), packed.size() - z.avail_in,
                                          z.msg != nullptr ? z.msg : "no details"),
                              "Fetch the file again.");
        }
    }
}

bool too_deep(std::string_view line) {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const char c = line[i];
        if (in_string) {
            if (c == '\\')
                ++i;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_json_depth)
                return true;
        } else if (c == '}' || c == ']') {
            --depth;
        }
    }
    return false;
}

} // namespace

Expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t max_bytes) {
    auto bytes = read_bytes(file, max_bytes);
    if (!bytes || !bytes->starts_with("\x1f\x8b"))
        return bytes;
    return gunzip(file, *bytes, max_bytes);
}

Expected<> for_each_line(std::string_view text, const LineVisitor& visit) {
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::size_t end = std::min(text.find('\n'), text.size());
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.find_first_not_of(" \t\r") == std::string_view::npos)
            continue;
        if (auto result = visit(line, number); !result)
            return result;
    }
    return {};
}

Expected<nlohmann::ordered_json> parse_object(std::string_view line, const std::string& where) {
    if (too_deep(line)) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: JSON nested deeper than {} levels", where, max_json_depth));
    }
    auto value = nlohmann::ordered_json::parse(line, nullptr, false);
    if (value.is_discarded()) {
        constexpr std::size_t shown = 40;
        std::string start(line.substr(0, shown));
        for (char& c : start)
            c = (c < ' ' || c > '~') ? '?' : c;
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: not valid JSON: expected one object a line, found \"{}{}\"", where,
                                      start, line.size() > shown ? "..." : ""));
    }
    if (!value.is_object()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected a JSON object, found {}", where, value.type_name()));
    }
    return value;
}

Expected<std::string> take_string(nlohmann::ordered_json& object, const char* key, const std::string& where) {
    const auto it = object.find(key);
    if (it == object.end()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: the key \"{}\" is missing (expected a string)", where, key));
    }
    if (!it->is_string()) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: \"{}\" must be a string, found {}", where, key, it->type_name()));
    }
    return std::move(it->get_ref<std::string&>());
}

} // namespace quantscope::eval
