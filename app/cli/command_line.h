// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/cli/options.h"

namespace quantscope::cli {

/// Executes a subcommand and returns the exit code. Needs a QCoreApplication, or a QApplication where
/// drawsCharts(command). Not for WindowOptions, which the desktop part takes.
int execute(const Command& command);

} // namespace quantscope::cli
