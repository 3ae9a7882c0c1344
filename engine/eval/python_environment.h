// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/base/error.h"

#include <span>
#include <string>
#include <vector>

namespace quantscope::eval {

/// A package of the interpreter's site packages that programs may import.
struct SitePackage {
    std::string name;
    std::string folder; ///< its path outside of the sandbox
};

/// A Python interpreter and the folders that it needs, as it tells them itself.
struct PythonEnvironment {
    std::string executable; ///< the real file behind links and virtual environments
    std::string version;
    std::string prefix;               ///< where it is installed: "/usr"
    std::string multiarch;            ///< "x86_64-linux-gnu" on Debian, else empty
    std::vector<std::string> library; ///< folders of the standard library
    std::vector<std::string>
        site_folders; ///< where packages are installed, those of a virtual environment first
    std::vector<SitePackage> site_packages; ///< of the asked names, those that are there
    /// Changes whenever the interpreter or one of site_packages does: paths, version, sizes and times.
    std::string identity;
};

/// Starts `python` (outside of any sandbox: it is the user's own) and asks. `packages`: the names that
/// programs may import, looked for in its site folders; a virtual environment's own come first. Errors:
/// sandbox_unavailable, naming the file, where it is no Python 3.8 or newer.
[[nodiscard]] Expected<PythonEnvironment> inspect_python(const std::string& python,
                                                         std::span<const std::string> packages);

} // namespace quantscope::eval
