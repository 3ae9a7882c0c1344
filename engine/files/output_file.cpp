// SPDX-License-Identifier: Apache-2.0
#include "engine/files/output_file.h"

#include "engine/files/descriptor_name.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <random>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>
#include <utility>

namespace quantscope {
namespace {

constexpr std::size_t buffer_bytes = 256 * 1024;
constexpr std::chrono::seconds reader_patience{5};
constexpr mode_t usual_mode = 0666; // less the umask
constexpr mode_t permission_bits = 0777;

tl::unexpected<Error> unwritable(const std::filesystem::path& file, int error) {
    const char* hint = error == ENOENT || error == ENOTDIR
                           ? "Choose a folder that exists and that you may write to."
                       : error == ENOSPC || error == EDQUOT
                           ? "Free some space or choose another folder; what was there before is unchanged."
                           : "Choose a folder and a file that you may write to.";
    return make_error(ErrorCode::io,
                      fmt::format("{}: cannot be written: {}.", file.string(), std::strerror(error)), hint);
}

/// A pipe without a reader cannot be opened for writing without waiting, so it is tried again for a while.
int open_pipe(const std::filesystem::path& pipe) {
    const auto end = std::chrono::steady_clock::now() + reader_patience;
    while (true) {
        const int descriptor = ::open(pipe.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK); // NOLINT(*-vararg)
        if (descriptor >= 0 || errno != ENXIO || std::chrono::steady_clock::now() > end)
            return descriptor;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

void set_blocking(int descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);                       // NOLINT(*-vararg)
    static_cast<void>(::fcntl(descriptor, F_SETFL, flags & ~O_NONBLOCK)); // NOLINT(*-vararg)
}

/// Where a link to something that is not there yet leads.
std::filesystem::path end_of_links(std::filesystem::path path) {
    constexpr int kernel_limit = 40;
    std::error_code error;
    for (int i = 0; i < kernel_limit && std::filesystem::is_symlink(path, error); ++i)
        path = path.parent_path() / std::filesystem::read_symlink(path, error);
    return path;
}

std::filesystem::path name_beside(const std::filesystem::path& target) {
    static thread_local std::mt19937_64 random{std::random_device{}()};
    // The name's start alone, as a name may have no more than 255 bytes.
    constexpr std::size_t kept = 100;
    return target.parent_path() /
           fmt::format(".{}.{:016x}", target.filename().string().substr(0, kept), random());
}

/// While a pipe's reader goes away, SIGPIPE would end the program before it can say so.
class NoBrokenPipe {
  public:
    NoBrokenPipe() {
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        pthread_sigmask(SIG_BLOCK, &broken_pipe, &before_);
    }
    ~NoBrokenPipe() {
        sigset_t broken_pipe;
        sigemptyset(&broken_pipe);
        sigaddset(&broken_pipe, SIGPIPE);
        const timespec at_once{};
        if (sigismember(&before_, SIGPIPE) == 0)
            sigtimedwait(&broken_pipe, nullptr, &at_once); // takes what came meanwhile
        pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    NoBrokenPipe(const NoBrokenPipe&) = delete;
    NoBrokenPipe& operator=(const NoBrokenPipe&) = delete;

  private:
    sigset_t before_{};
};

} // namespace

OutputFile::OutputFile(OutputFile&& other) noexcept
    : shown_(std::move(other.shown_)), target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})), descriptor_(std::exchange(other.descriptor_, -1)),
      stream_(other.stream_), buffer_(std::move(other.buffer_)), status_(std::move(other.status_)) {}

OutputFile::~OutputFile() {
    if (descriptor_ >= 0)
        ::close(descriptor_);
    if (!temporary_.empty())
        ::unlink(temporary_.c_str());
}

Expected<OutputFile> OutputFile::create(const std::filesystem::path& target) {
    if (target.empty())
        return make_error(ErrorCode::bad_input, "No name was given for the file to write.",
                          "Give a file name.");
    if (const auto descriptor = descriptor_of(target, STDOUT_FILENO))
        return open_stream(target, ::fcntl(*descriptor, F_DUPFD_CLOEXEC, 0)); // NOLINT(*-vararg)
    struct stat there = {};
    if (::stat(target.c_str(), &there) != 0)
        return create_regular(target, end_of_links(target));
    if (S_ISREG(there.st_mode)) {
        std::error_code error;
        return create_regular(target, std::filesystem::canonical(target, error));
    }
    if (S_ISFIFO(there.st_mode))
        return open_stream(target, open_pipe(target));
    if (S_ISCHR(there.st_mode))
        return open_stream(target,
                           ::open(target.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY)); // NOLINT(*-vararg)
    return make_error(ErrorCode::bad_input,
                      fmt::format("{}: cannot be written: expected a file or a new name, found {}.",
                                  target.string(), kind_of_file(there.st_mode)),
                      "Choose another file name.");
}

Expected<OutputFile> OutputFile::open_stream(const std::filesystem::path& target, int descriptor) {
    if (descriptor < 0 && errno == ENXIO) {
        return make_error(
            ErrorCode::io,
            fmt::format("{}: cannot be written: nobody has opened this pipe for reading in {} s.",
                        target.string(), reader_patience.count()),
            "Start its reader, or choose a file.");
    }
    if (descriptor < 0)
        return unwritable(target, errno);
    OutputFile file(target, descriptor);
    file.stream_ = true;
    if (struct stat opened = {}; ::fstat(descriptor, &opened) == 0 && S_ISFIFO(opened.st_mode))
        set_blocking(descriptor);
    return file;
}

Expected<OutputFile> OutputFile::create_regular(const std::filesystem::path& shown,
                                                std::filesystem::path target) {
    struct stat replaced = {};
    const bool exists = ::stat(target.c_str(), &replaced) == 0;
    if (exists && ::access(target.c_str(), W_OK) != 0)
        return unwritable(shown, errno); // a name that could be replaced, but whose owner said no
    const std::filesystem::path folder = target.parent_path().empty() ? "." : target.parent_path();
    // Without a name it vanishes with the process, however that ends. /proc gives it one in the end.
    int descriptor = -1;
    const bool nameable = ::access("/proc/self/fd", X_OK) == 0;
    if (nameable)
        descriptor = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, usual_mode); // NOLINT(*-vararg)
    std::filesystem::path temporary;
    if (!nameable || (descriptor < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))) {
        temporary = name_beside(target);
        descriptor = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                            usual_mode); // NOLINT(*-vararg)
    }
    if (descriptor < 0)
        return unwritable(shown, errno);
    OutputFile file(shown, descriptor);
    file.target_ = std::move(target);
    file.temporary_ = std::move(temporary);
    if (exists)
        static_cast<void>(::fchmod(descriptor, replaced.st_mode & permission_bits));
    return file;
}

tl::unexpected<Error> OutputFile::failure(const char* doing, int error) {
    const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
    const char* left = stream_ ? "what went out before may be incomplete"
                               : "what was there before is unchanged, and nothing was left behind";
    status_ =
        make_error(ErrorCode::io,
                   fmt::format("{}: {} failed: {}; {}.", shown_.string(), doing, std::strerror(error), left),
                   full ? "Free some space or choose another folder, then run it again." : "");
    return tl::unexpected(status_.error());
}

Expected<> OutputFile::flush() {
    const NoBrokenPipe guard;
    for (std::string_view rest = buffer_; !rest.empty();) {
        const ssize_t n = ::write(descriptor_, rest.data(), rest.size());
        if (n < 0 && errno != EINTR)
            return failure("writing", errno);
        rest.remove_prefix(n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    buffer_.clear();
    return {};
}

Expected<> OutputFile::write(std::string_view text) {
    if (!status_)
        return status_;
    buffer_.append(text);
    return buffer_.size() < buffer_bytes ? Expected<>() : flush();
}

/// An unnamed file gets a temporary name first: only rename() replaces what is there in one step.
bool OutputFile::give_name() {
    if (!temporary_.empty())
        return true;
    const std::filesystem::path name = name_beside(target_);
    const std::string unnamed = fmt::format("/proc/self/fd/{}", descriptor_);
    if (::linkat(AT_FDCWD, unnamed.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0)
        return false;
    temporary_ = name;
    return true;
}

Expected<> OutputFile::commit() {
    if (!status_)
        return status_;
    if (auto flushed = flush(); !flushed)
        return flushed;
    if (stream_) {
        if (::close(std::exchange(descriptor_, -1)) != 0)
            return failure("writing", errno);
        return {};
    }
    if (::fsync(descriptor_) != 0)
        return failure("writing", errno);
    if (!give_name())
        return failure("naming the finished file", errno);
    if (::close(std::exchange(descriptor_, -1)) != 0)
        return failure("writing", errno);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0)
        return failure("naming the finished file", errno);
    temporary_.clear();
    return {};
}

Expected<> write_file(const std::filesystem::path& target, std::string_view bytes) {
    auto file = OutputFile::create(target);
    if (!file)
        return tl::unexpected(file.error());
    if (auto written = file->write(bytes); !written)
        return written;
    return file->commit();
}

bool is_standard_output(const std::filesystem::path& target) {
    return descriptor_of(target, STDOUT_FILENO) == STDOUT_FILENO;
}

} // namespace quantscope
