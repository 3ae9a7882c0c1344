// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace quantscope::worker {

/// Raised when any backend's arithmetic, or the sampling, changes what a model generates: samples of another
/// revision are not mixed with these on resume.
inline constexpr int kArithmeticRevision = 2;

/// What results depend on besides model, scheme and problems: release, arithmetic revision, prompt protocol.
/// Part of a resume's identity.
std::string engine_version();

/// The commit this was built from, "-dirty" behind it if the checkout had changes; "unknown" outside git.
std::string git_revision();

} // namespace quantscope::worker
