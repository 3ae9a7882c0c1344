// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/command_line.h"

#include "app/cli/commands.h"
#include "app/cli/output.h"

namespace quantscope::cli {
namespace {

struct Executor {
    int operator()(const WindowOptions& /*options*/) const { return 2; }
    int operator()(const RunOptions& options) const { return runCampaign(options); }
    int operator()(const ListOptions& options) const { return listCampaigns(options); }
    int operator()(const ShowOptions& options) const { return showCampaign(options); }
    int operator()(const CompareOptions& options) const { return compareRuns(options); }
    int operator()(const ExportOptions& options) const { return exportCampaign(options); }
    int operator()(const ReportOptions& options) const { return writeReport(options); }
    int operator()(const ScoreOptions& options) const { return scoreSamples(options); }
    int operator()(const ImportOptions& options) const { return importSamples(options); }
};

} // namespace

int execute(const Command& command) {
    return exitCodeAfterOutput(std::visit(Executor{}, command));
}

} // namespace quantscope::cli
