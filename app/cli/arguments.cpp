// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/campaign/errors.h"
#include "app/campaign/planner.h"
#include "app/campaign/worker_command.h"
#include "app/cli/options.h"
#include "engine/files/descriptor_name.h"
#include "engine/files/output_file.h"
#include "engine/limits/campaign_limits.h"
#include "storage/budget_presets.h"

#include <CLI/CLI.hpp>

#include <limits>
#include <optional>
#include <sstream>
#include <unistd.h>

namespace quantscope::cli {
namespace {

QString text(const std::string& utf8) {
    return QString::fromStdString(utf8);
}

/// What CLI11 fills in; made into options once everything has been read.
struct RawRun {
    std::string model, problems, schemes, batchSizes = "1", backend = "auto", database, name, launcher,
                                          outDir, budget, python, promptForm = "auto";
    int limit = 0, samples = 1, maxNewTokens = 512, latencyPrompt = 128, latencyOutput = 32,
        latencyRequests = 5;
    double temperature = 0.0, topP = 1.0;
    double ttftMs = 0.0, tpotMs = 0.0, e2eMs = 0.0;
    int e2eTokens = storage::Budget{}.e2eTokens;
    std::uint64_t seed = 0;
    std::int64_t resume = 0;
    std::optional<int> helloLimit;
    bool noLatency = false, noEval = false, json = false;
};

/// Values of the smaller subcommands; each uses the few it has options for.
struct RawOther {
    std::string database, baseline, format, what, out, problems, file, name, python;
    std::int64_t campaign = 0;
    int threads = 0;
    bool strict = false, json = false;
};

constexpr const char* pythonHelp =
    "The Python that programs are judged with: the file of any Python 3.8 or newer, also a "
    "virtual environment's; its numpy is visible, if it has one (default: "
    "/usr/bin/python3)";

constexpr limits::WholeRange anyCampaign{1, std::numeric_limits<int>::max()};
constexpr limits::WholeRange sandboxes{0, 1024};

bool isIn(const limits::WholeRange& range, const QString& value) {
    bool isNumber = false;
    const qlonglong number = value.toLongLong(&isNumber);
    return isNumber && range.contains(number);
}

bool isIn(const limits::RealRange& range, const QString& value) {
    bool isNumber = false;
    const double number = value.toDouble(&isNumber);
    return isNumber && range.contains(number);
}

/// CLI11's own checks print a double's largest value with all its 309 digits.
template<class Range>
CLI::Validator allowed(Range range) {
    const auto check = [range](const std::string& value) {
        return isIn(range, text(value)) ? std::string()
                                        : "expected " + range.words() + ", found \"" + value + "\"";
    };
    return {check, ""};
}

void addDatabase(CLI::App& app, std::string& database) {
    app.add_option("--db", database, "The database file (default: " + defaultDatabase().toStdString() + ")");
}

void addCampaign(CLI::App& app, std::int64_t& campaign) {
    app.add_option("campaign", campaign, "The campaign's number, see `quantscope list` (default: the newest)")
        ->check(allowed(anyCampaign));
}

CLI::App* addRun(CLI::App& app, RawRun& raw) {
    CLI::App* run = app.add_subcommand("run", "Run a campaign: schemes x batch sizes on one model");
    run->add_option("--model", raw.model, "Hugging Face model folder, or demo");
    run->add_option("--problems", raw.problems, "HumanEval file (.jsonl or .jsonl.gz), or demo");
    run->add_option("--schemes", raw.schemes, "Schemes, separated by commas: fp16,int8,w4a4-rot");
    run->add_option("--batch-sizes", raw.batchSizes, "Batch sizes, separated by commas")
        ->capture_default_str();
    run->add_option("--backend", raw.backend, "auto, cpu or cuda")
        ->check(CLI::IsMember({"auto", "cpu", "cuda"}))
        ->capture_default_str();
    run->add_option("--limit", raw.limit, "Only the first N problems; 0 is all")
        ->check(allowed(limits::problem_limit))
        ->capture_default_str();
    run->add_option("--samples", raw.samples, "Samples per problem")
        ->capture_default_str()
        ->check(allowed(limits::samples_per_problem));
    run->add_option("--temperature", raw.temperature, "Sampling temperature; 0 is greedy")
        ->check(allowed(limits::temperature))
        ->capture_default_str();
    run->add_option("--top-p", raw.topP, "Nucleus sampling: probability mass to draw from")
        ->capture_default_str()
        ->check(allowed(limits::top_p));
    run->add_option("--seed", raw.seed, "Seed of the sampling")->capture_default_str();
    run->add_option("--max-new-tokens", raw.maxNewTokens, "Longest completion, in tokens")
        ->capture_default_str()
        ->check(allowed(limits::max_new_tokens));
    run->add_option("--prompt-form", raw.promptForm,
                    "Prompts as they are (raw), without the white space at their end (stripped), or as "
                    "suits the tokenizer (auto)")
        ->check(CLI::IsMember({"raw", "stripped", "auto"}))
        ->capture_default_str();
    run->add_option("--latency-prompt", raw.latencyPrompt, "Prompt tokens of a latency request")
        ->capture_default_str()
        ->check(allowed(limits::latency_prompt_tokens));
    run->add_option("--latency-output", raw.latencyOutput, "Output tokens of a latency request")
        ->capture_default_str()
        ->check(allowed(limits::latency_output_tokens));
    run->add_option("--latency-requests", raw.latencyRequests,
                    "Timed rounds per run; 299 or more can show a p99 inside a budget")
        ->capture_default_str()
        ->check(allowed(limits::latency_requests));
    auto* noLatency = run->add_flag("--no-latency", raw.noLatency, "Only the problems");
    run->add_flag("--no-eval", raw.noEval, "Only the latency")->excludes(noLatency);
    run->add_option("--budget", raw.budget,
                    "Real-time budget: interactive (TTFT p99 450 ms, TPOT p99 40 ms) or "
                    "inline (200 ms for prompt and 30 tokens)")
        ->check(CLI::IsMember({"interactive", "inline"}));
    run->add_option("--ttft-p99-ms", raw.ttftMs, "Budget: limit of the time to first token")
        ->check(allowed(limits::budget_ms));
    run->add_option("--tpot-p99-ms", raw.tpotMs, "Budget: limit of the time per output token")
        ->check(allowed(limits::budget_ms));
    run->add_option("--e2e-p99-ms", raw.e2eMs, "Budget: limit of prompt and output tokens")
        ->check(allowed(limits::budget_ms));
    run->add_option("--e2e-tokens", raw.e2eTokens, "Output tokens that --e2e-p99-ms counts")
        ->capture_default_str()
        ->check(allowed(limits::budget_tokens));
    addDatabase(*run, raw.database);
    run->add_option("--name", raw.name, "The campaign's name");
    run->add_option("--resume", raw.resume, "Go on with campaign ID; what is stored is skipped")
        ->check(allowed(anyCampaign));
    run->add_option("--python", raw.python, pythonHelp);
    run->add_option("--launcher", raw.launcher,
                    "Starts the worker elsewhere: \"ssh host\", \"srun -N1 --gres=gpu:1\"");
    run->add_option(
           "--hello-timeout", raw.helloLimit,
           "Seconds that the worker may take until it says hello; 0 is no limit (default: 60, behind a "
           "launcher 600)")
        ->check(CLI::Range(0, 1'000'000));
    run->add_option(
        "--out-dir", raw.outDir,
        "Also write report.html, charts, samples, results and summary.json into DIR (and the database, "
        "without --db)");
    run->add_flag("--json", raw.json, "One JSON document on stdout and nothing else");
    return run;
}

struct Subcommands {
    CLI::App *run, *list, *show, *compare, *exporting, *report, *score, *import;
};

Subcommands addSubcommands(CLI::App& app, RawRun& run, RawOther& raw) {
    Subcommands sub{};
    sub.run = addRun(app, run);

    sub.list = app.add_subcommand("list", "List the campaigns, newest first");
    addDatabase(*sub.list, raw.database);
    sub.list->add_flag("--json", raw.json, "One JSON document on stdout");

    sub.show = app.add_subcommand("show", "Show one campaign's results");
    addCampaign(*sub.show, raw.campaign);
    addDatabase(*sub.show, raw.database);
    sub.show->add_flag("--json", raw.json, "One JSON document on stdout");

    sub.compare = app.add_subcommand("compare", "Compare each run with the baseline at its batch size");
    addCampaign(*sub.compare, raw.campaign);
    addDatabase(*sub.compare, raw.database);
    sub.compare->add_option("--baseline", raw.baseline,
                            "Scheme to compare with (default: fp16, else the first)");
    sub.compare->add_option("--format", raw.format, "table, json or csv")
        ->check(CLI::IsMember({"table", "json", "csv"}))
        ->default_str("table");

    sub.exporting = app.add_subcommand("export", "Write samples, results, latencies or charts as files");
    addCampaign(*sub.exporting, raw.campaign);
    addDatabase(*sub.exporting, raw.database);
    sub.exporting->add_option("--what", raw.what, "samples, results, latency or charts")
        ->required()
        ->check(CLI::IsMember({"samples", "results", "latency", "charts"}));
    sub.exporting
        ->add_option("--format", raw.format,
                     "samples: jsonl; results, latency: jsonl or csv; charts: png, svg, pdf or csv")
        ->check(CLI::IsMember({"jsonl", "csv", "png", "svg", "pdf"}));
    sub.exporting->add_option("--out", raw.out, "Folder to write into; made when it is not there")
        ->required();

    sub.report = app.add_subcommand("report", "Write a campaign's report as one self-contained HTML page");
    addCampaign(*sub.report, raw.campaign);
    addDatabase(*sub.report, raw.database);
    sub.report->add_option("--out", raw.out, "FILE.html; - is stdout")->required();

    sub.score = app.add_subcommand("score", "Score anybody's samples.jsonl in the sandbox");
    sub.score
        ->add_option("samples", raw.file,
                     "Samples as human-eval (.jsonl, .jsonl.gz), evalplus or bigcode write them; - is stdin")
        ->required();
    sub.score->add_option("--problems", raw.problems, "HumanEval file, or demo")->required();
    sub.score->add_option("--out", raw.out, "Results file (default: SAMPLES_results.jsonl); - is stdout");
    sub.score->add_flag("--strict", raw.strict, "A line that is no sample ends it with exit code 3");
    sub.score->add_option("--threads", raw.threads, "Programs run at a time; 0 is one a core")
        ->capture_default_str()
        ->check(allowed(sandboxes));
    sub.score->add_option("--python", raw.python, pythonHelp);
    sub.score->add_flag("--json", raw.json, "One JSON document on stdout");

    sub.import =
        app.add_subcommand("import", "Add a samples or results file to a campaign as a run of its own");
    addCampaign(*sub.import, raw.campaign);
    addDatabase(*sub.import, raw.database);
    sub.import->add_option("--file", raw.file, "Samples or results file, as score reads it")->required();
    sub.import->add_flag("--strict", raw.strict, "A line that is no sample ends it with exit code 3");
    sub.import->add_option("--name", raw.name, "Name of the run (default: the scheme or file name)");
    return sub;
}

storage::CampaignSpec specOf(const RawRun& raw) {
    storage::CampaignSpec spec;
    spec.name = text(raw.name);
    spec.model = text(raw.model);
    spec.problems = text(raw.problems);
    spec.backend = text(raw.backend);
    spec.launcher = campaign::splitLauncher(text(raw.launcher));
    spec.python = text(raw.python);
    spec.limit = raw.limit;
    spec.evalEnabled = !raw.noEval;
    spec.sampling = {raw.samples, raw.temperature,  raw.topP,
                     raw.seed,    raw.maxNewTokens, text(raw.promptForm)};
    spec.latency = {!raw.noLatency, raw.latencyPrompt, raw.latencyOutput, raw.latencyRequests};
    for (const storage::BudgetPreset& preset : storage::budgetPresets()) {
        if (preset.id == text(raw.budget)) {
            spec.budget = preset.budget;
        }
    }
    const auto limit = [&](double ms, std::optional<double>& target) {
        if (ms > 0.0) {
            target = ms;
            spec.budget.name = QStringLiteral("Custom");
        }
    };
    limit(raw.ttftMs, spec.budget.ttftP99Ms);
    limit(raw.tpotMs, spec.budget.tpotP99Ms);
    limit(raw.e2eMs, spec.budget.e2eP99Ms);
    if (raw.e2eMs > 0.0) {
        spec.budget.e2eTokens = raw.e2eTokens;
    }
    return spec;
}

ParsedArguments usageError(const QString& message, const std::string& subcommand) {
    ParsedArguments parsed;
    parsed.text = QStringLiteral("quantscope: %1\nSee `quantscope %2--help`.\n")
                      .arg(message, subcommand.empty() ? QString() : text(subcommand) + QLatin1Char(' '));
    parsed.textIsError = true;
    parsed.exitCode = 2;
    return parsed;
}

ParsedArguments runCommand(const RawRun& raw, const QString& globalDatabase) {
    RunOptions options;
    options.outDir = text(raw.outDir);
    options.database = raw.database.empty() ? globalDatabase : text(raw.database);
    if (options.database.isEmpty()) {
        options.database =
            options.outDir.isEmpty() ? defaultDatabase() : options.outDir + QStringLiteral("/quantscope.db");
    }
    options.json = raw.json;
    options.resumeId = raw.resume;
    options.helloLimitSeconds = raw.helloLimit;
    ParsedArguments parsed;
    if (options.resumeId != 0) {
        if (!raw.model.empty() || !raw.schemes.empty() || !raw.problems.empty()) {
            return usageError(QStringLiteral("--resume goes on with the stored campaign; leave out --model, "
                                             "--problems and --schemes"),
                              "run");
        }
        parsed.command = options;
        return parsed;
    }
    options.spec = specOf(raw);
    QStringList missing;
    missing << (raw.model.empty() ? QStringLiteral("--model") : QString())
            << (raw.schemes.empty() ? QStringLiteral("--schemes") : QString())
            << (raw.problems.empty() && !raw.noEval ? QStringLiteral("--problems") : QString());
    missing.removeAll(QString());
    if (!missing.isEmpty()) {
        return usageError(QStringLiteral("%1 is missing").arg(missing.join(QStringLiteral(", "))), "run");
    }
    const auto schemes = campaign::parseSchemes(text(raw.schemes));
    const auto batchSizes = campaign::parseBatchSizes(text(raw.batchSizes));
    if (!schemes || !batchSizes) {
        return usageError(schemes
                              ? QStringLiteral("--batch-sizes: ") + campaign::errorText(batchSizes.error())
                              : QStringLiteral("--schemes: ") + campaign::errorText(schemes.error()),
                          "run");
    }
    options.spec.schemes = *schemes;
    options.spec.batchSizes = *batchSizes;
    if (const auto checked = campaign::checkSpec(options.spec); !checked) {
        return usageError(campaign::errorText(checked.error()), "run");
    }
    parsed.command = options;
    return parsed;
}

/// The formats that each kind of export has; the first is the usual one.
QStringList formatsOf(const QString& what) {
    if (what == QLatin1String("samples")) {
        return {QStringLiteral("jsonl")};
    }
    if (what == QLatin1String("charts")) {
        return {QStringLiteral("png"), QStringLiteral("svg"), QStringLiteral("pdf"), QStringLiteral("csv")};
    }
    return {QStringLiteral("jsonl"), QStringLiteral("csv")};
}

ParsedArguments exportCommand(const RawOther& raw, const QString& database) {
    ExportOptions options{database, raw.campaign, text(raw.what), text(raw.format), text(raw.out)};
    const QStringList formats = formatsOf(options.what);
    if (options.format.isEmpty()) {
        options.format = formats.first();
    }
    if (!formats.contains(options.format)) {
        return usageError(QStringLiteral("%1 cannot be written as %2; formats are %3")
                              .arg(options.what, options.format, formats.join(QStringLiteral(", "))),
                          "export");
    }
    ParsedArguments parsed;
    parsed.command = options;
    return parsed;
}

ParsedArguments reportCommand(const RawOther& raw, const QString& database) {
    const QString out = text(raw.out);
    struct stat there = {};
    const bool isStream = descriptor_of(raw.out, STDOUT_FILENO) ||
                          (::stat(raw.out.c_str(), &there) == 0 && !S_ISREG(there.st_mode));
    if (!isStream && !out.endsWith(QLatin1String(".html"), Qt::CaseInsensitive) &&
        !out.endsWith(QLatin1String(".htm"), Qt::CaseInsensitive)) {
        return usageError(QStringLiteral("--out %1: reports are written as .html").arg(out), "report");
    }
    ParsedArguments parsed;
    parsed.command = ReportOptions{database, raw.campaign, out};
    return parsed;
}

ParsedArguments scoreCommand(const RawOther& raw) {
    ScoreOptions options{text(raw.problems), text(raw.file), text(raw.out),   raw.threads,
                         raw.strict,         raw.json,       text(raw.python)};
    if (options.outFile.isEmpty() && descriptor_of(raw.file, STDIN_FILENO)) {
        return usageError(QStringLiteral("--out is missing: samples from a stream have no name to write the "
                                         "results beside"),
                          "score");
    }
    if (options.json && is_standard_output(raw.out)) {
        return usageError(QStringLiteral("--json and --out %1 both want stdout; write the results to a file")
                              .arg(options.outFile),
                          "score");
    }
    ParsedArguments parsed;
    parsed.command = options;
    return parsed;
}

TableFormat tableFormat(const std::string& name) {
    return name == "json" ? TableFormat::Json : name == "csv" ? TableFormat::Csv : TableFormat::Table;
}

/// `globalDatabase`: --db before the subcommand, which holds where the subcommand has none of its own.
ParsedArguments commandOf(const Subcommands& sub, const RawRun& run, const RawOther& raw,
                          const QString& globalDatabase, storage::Id windowCampaign, bool demo) {
    if (sub.run->parsed()) {
        return runCommand(run, globalDatabase);
    }
    QString database = raw.database.empty() ? globalDatabase : text(raw.database);
    if (database.isEmpty()) {
        database = defaultDatabase();
    }
    ParsedArguments parsed;
    if (sub.exporting->parsed()) {
        return exportCommand(raw, database);
    }
    if (sub.report->parsed()) {
        return reportCommand(raw, database);
    }
    if (sub.list->parsed()) {
        parsed.command = ListOptions{database, raw.json};
    } else if (sub.show->parsed()) {
        parsed.command = ShowOptions{database, raw.campaign, raw.json};
    } else if (sub.compare->parsed()) {
        parsed.command = CompareOptions{database, raw.campaign, text(raw.baseline), tableFormat(raw.format)};
    } else if (sub.score->parsed()) {
        return scoreCommand(raw);
    } else if (sub.import->parsed()) {
        parsed.command = ImportOptions{database, raw.campaign, text(raw.file), text(raw.name), raw.strict};
    } else {
        parsed.command = WindowOptions{database, windowCampaign, demo};
    }
    return parsed;
}

} // namespace

ParsedArguments parseArguments(int argc, const char* const* argv) {
    CLI::App app{"Quantscope: what a quantization scheme costs in HumanEval pass@1 and buys in latency.\n"
                 "Without a subcommand the window opens.",
                 "quantscope"};
    app.set_version_flag("--version", "quantscope " QUANTSCOPE_VERSION);
    app.footer("Exit codes: 0 done, 1 the run failed, 2 usage, 3 bad input, 4 cancelled, 5 nothing could be "
               "scored.");
    app.require_subcommand(0, 1);
    RawRun run;
    RawOther raw;
    std::string globalDatabase;
    std::int64_t windowCampaign = 0;
    addDatabase(app, globalDatabase);
    app.add_option("--campaign", windowCampaign, "The campaign to show first (default: the newest)")
        ->check(allowed(anyCampaign));
    bool demo = false;
    app.add_flag("--demo", demo, "Show the demo campaign; runs what of it is not stored yet");
    const Subcommands sub = addSubcommands(app, run, raw);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        std::ostringstream out;
        std::ostringstream err;
        ParsedArguments parsed;
        parsed.exitCode = app.exit(error, out, err) == 0 ? 0 : 2;
        if (parsed.exitCode == 0) {
            parsed.text = text(out.str());
            return parsed;
        }
        const std::vector<CLI::App*> chosen = app.get_subcommands();
        return usageError(text(error.what()), chosen.empty() ? "" : chosen.front()->get_name());
    }
    return commandOf(sub, run, raw, text(globalDatabase), windowCampaign, demo);
}

} // namespace quantscope::cli
