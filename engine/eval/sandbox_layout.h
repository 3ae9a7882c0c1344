// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "engine/eval/python_environment.h"
#include "engine/eval/sandbox.h"

#include <string>
#include <vector>

namespace quantscope::eval {

/// The command line of bwrap up to the program inside: namespaces, and what is visible. That is the
/// interpreter, its standard library without its site packages and hidden modules, the shared libraries and
/// locale data of the system, and, below /site, the site packages of the allow list; all of it read-only.
/// /tmp is spawn_isolated()'s scratch folder. `seccomp_fd`: a descriptor with the filter, -1: none.
[[nodiscard]] std::vector<std::string> sandbox_layout(const SandboxConfig& config,
                                                      const PythonEnvironment& python, int seccomp_fd);

} // namespace quantscope::eval
