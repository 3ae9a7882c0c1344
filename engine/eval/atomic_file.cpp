// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/atomic_file.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace quantscope::eval {

AtomicFile::AtomicFile(std::filesystem::path target, std::filesystem::path temporary, std::FILE* file)
    : target_(std::move(target)), temporary_(std::move(temporary)), file_(file) {}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : target_(std::move(other.target_)), temporary_(std::move(other.temporary_)),
      file_(std::exchange(other.file_, nullptr)) {
    other.temporary_.clear();
}

AtomicFile::~AtomicFile() {
    if (file_ != nullptr)
        std::fclose(file_);
    if (!temporary_.empty())
        ::unlink(temporary_.c_str());
}

Expected<AtomicFile> AtomicFile::create(const std::filesystem::path& target) {
    std::string name = target.string() + ".XXXXXX";
    const int fd = ::mkstemp(name.data());
    std::FILE* file = fd < 0 ? nullptr : ::fdopen(fd, "wb");
    if (file == nullptr) {
        return make_error(ErrorCode::io,
                          fmt::format("{}: cannot be written: {}", target.string(), std::strerror(errno)),
                          "Choose a folder that exists and that you may write to.");
    }
    ::fchmod(fd, 0644); // mkstemp's 0600 would hide the result from the user's other tools
    return AtomicFile(target, name, file);
}

tl::unexpected<Error> AtomicFile::failure(const char* doing) const {
    return make_error(ErrorCode::io,
                      fmt::format("{}: {} failed: {}; nothing was left behind", target_.string(), doing,
                                  std::strerror(errno)),
                      "Free some space or choose another folder, then run it again.");
}

Expected<> AtomicFile::write(std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), file_) != text.size())
        return failure("writing");
    return {};
}

Expected<> AtomicFile::commit() {
    const bool flushed = std::fflush(file_) == 0 && ::fsync(::fileno(file_)) == 0;
    if (!flushed)
        return failure("writing");
    const int closed = std::fclose(std::exchange(file_, nullptr));
    if (closed != 0)
        return failure("writing");
    if (::rename(temporary_.c_str(), target_.c_str()) != 0)
        return failure("renaming the finished file");
    temporary_.clear();
    return {};
}

} // namespace quantscope::eval
