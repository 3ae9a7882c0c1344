// SPDX-License-Identifier: Apache-2.0
#include "engine/files/input_file.h"

#include "engine/files/descriptor_name.h"
#include "engine/files/gzip.h"

#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quantscope {
namespace {

constexpr std::size_t chunk_bytes = 64 * 1024;

class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0)
            ::close(number_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    [[nodiscard]] int number() const { return number_; }

  private:
    int number_;
};

tl::unexpected<Error> refused(const std::filesystem::path& file, int error) {
    const bool missing = error == ENOENT || error == ENOTDIR; // a wrong name, no fault of the machine
    return make_error(missing ? ErrorCode::bad_input : ErrorCode::io,
                      fmt::format("{}: cannot be opened: {}.", file.string(), std::strerror(error)),
                      missing ? "Check the path." : "Check the path and its permissions.");
}

/// -1 with errno where it cannot be opened.
int open_for_reading(const std::filesystem::path& file) {
    if (const auto stream = descriptor_of(file, STDIN_FILENO))
        return ::fcntl(*stream, F_DUPFD_CLOEXEC, 0); // NOLINT(*-vararg)
    // Non-blocking: what is not a regular file is refused afterwards instead of waited for here.
    return ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // NOLINT(*-vararg)
}

Expected<std::string> read_bytes(const std::filesystem::path& file, std::size_t max_bytes) {
    const Descriptor descriptor(open_for_reading(file));
    if (descriptor.number() < 0)
        return refused(file, errno);
    struct stat status = {};
    if (::fstat(descriptor.number(), &status) != 0)
        return refused(file, errno);
    if (S_ISDIR(status.st_mode) || (!S_ISREG(status.st_mode) && !descriptor_of(file, STDIN_FILENO))) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected a regular file, found {}.", file.string(),
                                      kind_of_file(status.st_mode)),
                          "Give a file; a stream can be given as /dev/stdin.");
    }
    std::string bytes;
    std::array<char, chunk_bytes> chunk{};
    while (true) {
        const ssize_t n = ::read(descriptor.number(), chunk.data(), chunk.size());
        if (n == 0)
            return bytes;
        if (n < 0 && errno != EINTR) {
            return make_error(ErrorCode::io, fmt::format("{}: reading failed after {} bytes: {}.",
                                                         file.string(), bytes.size(), std::strerror(errno)));
        }
        if (n > 0 && bytes.size() + static_cast<std::size_t>(n) > max_bytes)
            return too_large(file, max_bytes);
        bytes.append(chunk.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
    }
}

} // namespace

Expected<std::string> read_text_file(const std::filesystem::path& file, std::size_t max_bytes) {
    auto text = read_bytes(file, max_bytes);
    if (text && text->starts_with("\x1f\x8b"))
        text = gunzip(file, *text, max_bytes);
    if (!text)
        return text;
    if (text->starts_with("\xff\xfe") || text->starts_with("\xfe\xff")) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected UTF-8 text, found UTF-16.", file.string()),
                          "Save or convert the file as UTF-8 (iconv -f UTF-16 -t UTF-8).");
    }
    if (text->starts_with("\xef\xbb\xbf"))
        text->erase(0, 3);
    return text;
}

} // namespace quantscope
