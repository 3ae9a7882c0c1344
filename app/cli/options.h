// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "storage/values.h"

#include <QString>

#include <optional>
#include <variant>

/// What the user asked for on the command line, as plain values (design: docs of `quantscope --help`).
namespace quantscope::cli {

struct WindowOptions {
    QString database;
    storage::Id campaignId = 0; ///< 0: the newest
    bool demo = false;          ///< show the demo campaign, and run what of it is not stored yet
};

struct RunOptions {
    QString database;
    storage::CampaignSpec spec;
    storage::Id resumeId = 0;             ///< not 0: go on with that campaign, the spec is stored
    QString outDir;                       ///< empty: nothing is written beside the database
    std::optional<int> helloLimitSeconds; ///< 0: none; unset: WorkerPatience's
    bool json = false;
};

struct ListOptions {
    QString database;
    bool json = false;
};

struct ShowOptions {
    QString database;
    storage::Id campaignId = 0; ///< 0: the newest
    bool json = false;
};

enum class TableFormat { Table, Json, Csv };

struct CompareOptions {
    QString database;
    storage::Id campaignId = 0;
    QString baseline; ///< a scheme; empty: the default
    TableFormat format = TableFormat::Table;
};

struct ExportOptions {
    QString database;
    storage::Id campaignId = 0;
    QString what;   ///< "samples", "results", "latency", "charts"
    QString format; ///< "jsonl", "csv", "png", "svg", "pdf"; empty: the usual one of `what`
    QString outDir;
};

struct ReportOptions {
    QString database;
    storage::Id campaignId = 0;
    QString outFile;
};

struct ScoreOptions {
    QString problems;
    QString samples;
    QString outFile;     ///< empty: SAMPLES_results.jsonl
    int threads = 0;     ///< 0: one a core
    bool strict = false; ///< a line that is no sample is an error
    bool json = false;
    QString python; ///< empty: the usual one
};

struct ImportOptions {
    QString database;
    storage::Id campaignId = 0;
    QString file;
    QString name;
    bool strict = false; ///< a line that is no sample is an error
};

using Command = std::variant<WindowOptions, RunOptions, ListOptions, ShowOptions, CompareOptions,
                             ExportOptions, ReportOptions, ScoreOptions, ImportOptions>;

/// A command, or text to print and the exit code to end with (--help, --version, a usage error).
struct ParsedArguments {
    std::optional<Command> command;
    QString text;
    bool textIsError = false;
    int exitCode = 0;
};

/// Reads argv. Usage errors say what is wrong and name the subcommand's --help; exit code 2.
ParsedArguments parseArguments(int argc, const char* const* argv);

/// Whether the command draws: charts and reports need a QApplication.
bool drawsCharts(const Command& command);

/// XDG data folder, "~/.local/share/quantscope/quantscope.db".
QString defaultDatabase();

} // namespace quantscope::cli
