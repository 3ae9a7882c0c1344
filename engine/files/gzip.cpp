// SPDX-License-Identifier: Apache-2.0
#include "engine/files/gzip.h"

#include <array>
#include <fmt/format.h>
#include <zlib.h>

namespace quantscope {
namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;

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

} // namespace

tl::unexpected<Error> too_large(const std::filesystem::path& file, std::size_t max_bytes) {
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: holds more than {} MiB of text, the limit for this kind of file",
                                  file.string(), max_bytes >> 20),
                      "Check that this is the file you meant, or split it.");
}

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

} // namespace quantscope
