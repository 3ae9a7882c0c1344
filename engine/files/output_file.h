// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <filesystem>
#include <string>
#include <string_view>

namespace quantscope {

/// How every file of the project is written: it appears under its name only when it is complete and on the
/// disk. Until commit() what was there before is unchanged, and without it nothing is left behind, also not
/// by a process that is killed (where the file system knows unnamed files; elsewhere a temporary name beside
/// the file is used). The permissions of a file that is replaced are kept, and a symbolic link stays one: its
/// target is replaced.
///
/// What is no regular file is never replaced. A pipe or character device, "-" and "/dev/stdout" are written
/// into, as they come; anything else (a folder, a block device) is refused.
class OutputFile {
  public:
    /// Errors: io (the folder is missing or not writable, nobody reads the pipe within 5 s), bad_input (a
    /// folder or block device); found before any work is done.
    [[nodiscard]] static Expected<OutputFile> create(const std::filesystem::path& target);
    OutputFile(OutputFile&& other) noexcept;
    OutputFile& operator=(OutputFile&&) = delete;
    ~OutputFile();

    /// Errors (io): disk full, quota, file size limit; the reader of the pipe went away. The first error is
    /// given again by commit().
    Expected<> write(std::string_view text);
    [[nodiscard]] Expected<> commit();

    /// Whether the bytes go out as they come, instead of all at once with commit().
    [[nodiscard]] bool is_stream() const { return stream_; }

  private:
    OutputFile(std::filesystem::path shown, int descriptor)
        : shown_(std::move(shown)), descriptor_(descriptor) {}
    [[nodiscard]] static Expected<OutputFile> open_stream(const std::filesystem::path& target,
                                                          int descriptor);
    [[nodiscard]] static Expected<OutputFile> create_regular(const std::filesystem::path& shown,
                                                             std::filesystem::path target);
    Expected<> flush();
    [[nodiscard]] bool give_name();
    tl::unexpected<Error> failure(const char* doing, int error);

    std::filesystem::path shown_;     ///< as the user named it
    std::filesystem::path target_;    ///< what is replaced: links are followed
    std::filesystem::path temporary_; ///< empty: no name yet
    int descriptor_ = -1;
    bool stream_ = false;
    std::string buffer_;
    Expected<> status_;
};

/// A whole file at once.
[[nodiscard]] Expected<> write_file(const std::filesystem::path& target, std::string_view bytes);

/// Whether `target` would be written into as a stream and is the standard output.
[[nodiscard]] bool is_standard_output(const std::filesystem::path& target);

} // namespace quantscope
