// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/cli/options.h"

namespace quantscope::desktop {

/// Opens the window on a database and runs until it is closed. Needs a QApplication. Returns the exit code.
int runWindow(const cli::WindowOptions& options);

} // namespace quantscope::desktop
