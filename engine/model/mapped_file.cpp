// SPDX-License-Identifier: Apache-2.0
#include "engine/model/mapped_file.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quantscope {

namespace {

tl::unexpected<Error> system_error(const std::filesystem::path& path, const char* action, int error) {
    const char* hint = error == ENOENT   ? "Check the path."
                       : error == EACCES ? "Check the file's permissions."
                                         : "";
    return make_error(
        ErrorCode::io,
        fmt::format("{}: {}: {}.", path.string(), action, std::generic_category().message(error)), hint);
}

} // namespace

Expected<MappedFile> MappedFile::open(const std::filesystem::path& path) {
    // Non-blocking, so that a named pipe in the folder cannot hang the reader.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // NOLINT(*-vararg)
    if (descriptor < 0) {
        return system_error(path, "cannot be opened", errno);
    }
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0) {
        const int error = errno;
        ::close(descriptor);
        return system_error(path, "cannot be examined", error);
    }
    if (!S_ISREG(status.st_mode)) {
        ::close(descriptor);
        return make_error(ErrorCode::io,
                          fmt::format("{}: expected a file, found {}.", path.string(),
                                      S_ISDIR(status.st_mode) ? "a directory" : "a device, pipe or socket"),
                          "Check the path.");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    if (size == 0) { // mmap refuses a length of 0
        ::close(descriptor);
        return MappedFile(nullptr, 0);
    }
    void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    const int error = errno;
    ::close(descriptor);
    if (data == MAP_FAILED) { // NOLINT(performance-no-int-to-ptr): the macro's cast
        return system_error(path, "cannot be memory-mapped", error);
    }
    return MappedFile(static_cast<const std::byte*>(data), size);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) {
        ::munmap(const_cast<std::byte*>(data_), size_);
    }
}

Expected<std::string> read_small_file(const std::filesystem::path& path, std::size_t max_bytes) {
    auto file = MappedFile::open(path);
    if (!file) {
        return tl::unexpected(file.error());
    }
    if (file->text().size() > max_bytes) {
        return make_error(ErrorCode::bad_input,
                          fmt::format("{}: expected at most {} bytes, found {}.", path.string(), max_bytes,
                                      file->text().size()),
                          "This does not look like the file that its name says.");
    }
    return std::string(file->text());
}

} // namespace quantscope
