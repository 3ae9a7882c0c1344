// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/python_environment.h"

#include "engine/eval/child_process.h"

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace quantscope::eval {
namespace {

constexpr const char* question = R"PY(
import os, site, sys
folder = os.path.dirname(os.path.dirname(os.path.abspath(sys.executable)))
version = "python%d.%d" % sys.version_info[:2]
if os.path.exists(os.path.join(folder, "pyvenv.cfg")):
    sites = [os.path.join(folder, "lib", version, "site-packages")]
else:
    sites = site.getsitepackages([sys.base_prefix])
def tell(key, *values):
    for value in values:
        print(key, value, sep="\t")
tell("executable", os.path.realpath(sys.executable))
tell("version", sys.implementation.name + " " + sys.version.split()[0])
tell("prefix", sys.base_prefix)
tell("multiarch", getattr(sys.implementation, "_multiarch", ""))
tell("library", *[path for path in sys.path if os.path.isdir(path)])
tell("site", *sites)
tell("modern", sys.version_info >= (3, 8))
)PY";

constexpr std::chrono::seconds patience{20};
constexpr std::size_t answer_bytes = 64u << 10;

/// What the program printed; empty where it failed, cannot be started or takes too long.
std::string output_of(const std::vector<std::string>& argv) {
    Pipe output = make_pipe();
    const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    if (!output.read || !null)
        return {};
    const std::array<int, 3> fds = {null.get(), output.write.get(), null.get()};
    const pid_t pid = spawn(argv, fds);
    output.write.reset();
    if (pid < 0)
        return {};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::string text;
    std::array<char, 4096> chunk{};
    while (text.size() < answer_bytes) {
        const auto left =
            std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
        pollfd entry{output.read.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&entry, 1, static_cast<int>(left.count())) <= 0)
            break;
        const ssize_t n = ::read(output.read.get(), chunk.data(), chunk.size());
        if (n <= 0)
            break;
        text.append(chunk.data(), static_cast<std::size_t>(n));
    }
    ::kill(pid, SIGKILL); // no harm where it has ended
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return text;
}

std::string stamp(const std::string& path) {
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0)
        return path + " missing\n";
    return fmt::format("{} {} {}.{}\n", path, info.st_size, info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
}

void read_answer(const std::string& text, PythonEnvironment& environment, bool& modern) {
    std::size_t start = 0;
    while (start < text.size()) {
        std::size_t end = text.find('\n', start);
        if (end == std::string::npos)
            end = text.size();
        const std::string line = text.substr(start, end - start);
        start = end + 1;
        const std::size_t tab = line.find('\t');
        if (tab == std::string::npos)
            continue;
        const std::string key = line.substr(0, tab);
        const std::string value = line.substr(tab + 1);
        if (key == "executable")
            environment.executable = value;
        else if (key == "version")
            environment.version = value;
        else if (key == "prefix")
            environment.prefix = value;
        else if (key == "multiarch")
            environment.multiarch = value;
        else if (key == "library")
            environment.library.push_back(value);
        else if (key == "site")
            environment.site_folders.push_back(value);
        else if (key == "modern")
            modern = value == "True";
    }
}

void find_packages(std::span<const std::string> names, PythonEnvironment& environment) {
    for (const std::string& name : names) {
        for (const std::string& site : environment.site_folders) {
            std::error_code ec;
            if (std::filesystem::is_directory(site + "/" + name, ec)) {
                environment.site_packages.push_back({name, site + "/" + name});
                // Wheels keep the shared libraries of a package beside it.
                if (std::filesystem::is_directory(site + "/" + name + ".libs", ec))
                    environment.site_packages.push_back({name + ".libs", site + "/" + name + ".libs"});
                break;
            }
        }
    }
}

} // namespace

Expected<PythonEnvironment> inspect_python(const std::string& python, std::span<const std::string> packages) {
    PythonEnvironment environment;
    bool modern = false;
    read_answer(output_of({python, "-I", "-S", "-c", question}), environment, modern);
    if (!modern || environment.executable.empty() || environment.library.empty()) {
        return make_error(
            ErrorCode::sandbox_unavailable,
            fmt::format("{} does not answer as Python 3.8 or newer, so programs cannot be run", python),
            fmt::format("Run `{} -I -S -c 'import sys, site; print(sys.version)'` to see why, or name "
                        "another interpreter with --python.",
                        python));
    }
    find_packages(packages, environment);
    environment.identity = environment.version + "\n" + stamp(environment.executable);
    for (const SitePackage& package : environment.site_packages)
        environment.identity += package.name + " " + stamp(package.folder);
    return environment;
}

} // namespace quantscope::eval
