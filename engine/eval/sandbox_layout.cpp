// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/sandbox_layout.h"

#include "engine/eval/harness.h"
#include "engine/eval/isolated_process.h"

#include <algorithm>
#include <filesystem>

namespace quantscope::eval {
namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

bool is_folder(const std::string& path) {
    std::error_code ec;
    return fs::is_directory(path, ec);
}

bool is_below(const std::string& path, const std::string& folder) {
    return path == folder || path.starts_with(folder + "/");
}

/// Folders that are shown, none of them below another.
class Shown {
  public:
    void add(const std::string& folder) {
        if (is_folder(folder) && !covers(folder))
            folders_.push_back(folder);
    }
    [[nodiscard]] bool covers(const std::string& path) const {
        return std::any_of(folders_.begin(), folders_.end(),
                           [&](const std::string& folder) { return is_below(path, folder); });
    }
    [[nodiscard]] const std::vector<std::string>& folders() const { return folders_; }

  private:
    std::vector<std::string> folders_;
};

/// Links of a merged system (/lib to /usr/lib), else the folder itself.
void add_root_folders(Arguments& argv) {
    for (const char* folder : {"/lib", "/lib32", "/lib64"}) {
        std::error_code ec;
        const auto status = fs::symlink_status(folder, ec);
        if (ec || !fs::exists(status))
            continue;
        if (fs::is_symlink(status))
            argv.insert(argv.end(), {"--symlink", fs::read_symlink(folder, ec).string(), folder});
        else
            argv.insert(argv.end(), {"--ro-bind", folder, folder});
    }
}

void show_interpreter(const PythonEnvironment& python, Shown& shown) {
    const bool of_system = python.prefix == "/usr";
    for (const std::string& folder : python.library) {
        // Elsewhere shared libraries lie beside the standard library.
        shown.add(of_system ? folder : fs::path(folder).parent_path().string());
    }
    if (!python.multiarch.empty())
        shown.add("/usr/lib/" + python.multiarch);
    shown.add("/usr/lib64");
    shown.add("/usr/lib/locale");
    shown.add("/usr/share/zoneinfo");
    shown.add("/etc/alternatives"); // Debian's links to the chosen BLAS
}

/// Empty read-only folders over the site packages that lie below a folder shown, nothing over hidden modules.
void cover(const PythonEnvironment& python, const Shown& shown, Arguments& argv) {
    for (const std::string& site : python.site_folders) {
        if (is_folder(site) && shown.covers(site))
            argv.insert(argv.end(), {"--tmpfs", site, "--remount-ro", site});
    }
    for (const std::string& folder : python.library) {
        std::error_code ec;
        for (const auto& entry : fs::directory_iterator(folder, ec)) {
            const std::string name = entry.path().filename().string();
            if (entry.is_regular_file(ec) && is_hidden_module(name.substr(0, name.find('.'))))
                argv.insert(argv.end(), {"--ro-bind", "/dev/null", entry.path().string()});
        }
    }
}

} // namespace

std::vector<std::string> sandbox_layout(const SandboxConfig& config, const PythonEnvironment& python,
                                        int seccomp_fd) {
    Arguments argv = {config.bwrap,
                      "--unshare-user",
                      "--unshare-pid",
                      "--unshare-net",
                      "--unshare-ipc",
                      "--unshare-uts",
                      "--unshare-cgroup-try",
                      "--disable-userns",
                      "--die-with-parent",
                      "--new-session",
                      "--cap-drop",
                      "ALL",
                      "--uid",
                      "65534",
                      "--gid",
                      "65534",
                      "--clearenv"};
    // One thread for matrices, one arena for memory: each more takes tens of MiB of a small address space.
    for (const char* name :
         {"OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MALLOC_ARENA_MAX"})
        argv.insert(argv.end(), {"--setenv", name, "1"});
    Shown shown;
    show_interpreter(python, shown);
    for (const std::string& folder : shown.folders())
        argv.insert(argv.end(), {"--ro-bind", folder, folder});
    if (!shown.covers(python.executable))
        argv.insert(argv.end(), {"--ro-bind", python.executable, python.executable});
    cover(python, shown, argv);
    add_root_folders(argv);
    for (const SitePackage& package : python.site_packages)
        argv.insert(argv.end(), {"--ro-bind", package.folder, "/site/" + package.name});
    argv.insert(argv.end(), {"--dev", "/dev", "--remount-ro", "/dev", "--bind", scratch_folder, "/tmp",
                             "--chdir", "/tmp", "--remount-ro", "/"});
    if (seccomp_fd >= 0)
        argv.insert(argv.end(), {"--seccomp", std::to_string(seccomp_fd)});
    return argv;
}

} // namespace quantscope::eval
