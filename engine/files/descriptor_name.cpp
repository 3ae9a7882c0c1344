// SPDX-License-Identifier: Apache-2.0
#include "engine/files/descriptor_name.h"

#include <charconv>
#include <string>
#include <string_view>

namespace quantscope {

std::optional<int> descriptor_of(const std::filesystem::path& path, int dash) {
    const std::string name = path.string();
    if (name == "-")
        return dash;
    if (name == "/dev/stdin")
        return 0;
    if (name == "/dev/stdout")
        return 1;
    if (name == "/dev/stderr")
        return 2;
    for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
        int number = 0;
        const char* end = name.data() + name.size();
        if (name.starts_with(folder)) {
            const auto parsed = std::from_chars(name.data() + folder.size(), end, number);
            if (parsed.ec == std::errc() && parsed.ptr == end && number >= 0)
                return number;
        }
    }
    return std::nullopt;
}

const char* kind_of_file(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG: return "a regular file";
    case S_IFDIR: return "a folder";
    case S_IFIFO: return "a named pipe (FIFO)";
    case S_IFCHR: return "a character device";
    case S_IFBLK: return "a block device";
    case S_IFSOCK: return "a socket";
    default: return "no regular file";
    }
}

} // namespace quantscope
