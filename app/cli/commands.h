// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "app/cli/options.h"

/// The subcommands. Each returns the process's exit code; what is wrong is said on stderr.
namespace quantscope::cli {

int runCampaign(const RunOptions& options);
int listCampaigns(const ListOptions& options);
int showCampaign(const ShowOptions& options);
int compareRuns(const CompareOptions& options);
int exportCampaign(const ExportOptions& options);
int writeReport(const ReportOptions& options);
int scoreSamples(const ScoreOptions& options);
int importSamples(const ImportOptions& options);

} // namespace quantscope::cli
