// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/options.h"
#include "app/cli/progress_printer.h"
#include "app/cli/summary_json.h"
#include "app/cli/summary_table.h"
#include "app/cli/text_table.h"
#include "storage/budget_presets.h"
#include "ui/report/reproduce.h"

#include <QTest>

using namespace quantscope;
using namespace quantscope::cli;

namespace {

ParsedArguments parse(const QByteArray& line) {
    QList<QByteArray> words = line.split(' ');
    words.prepend("quantscope");
    std::vector<const char*> argv;
    for (const QByteArray& word : std::as_const(words)) {
        argv.push_back(word.constData());
    }
    return parseArguments(static_cast<int>(argv.size()), argv.data());
}

} // namespace

class CliPartsTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void runOptions();
    void usageErrors_data();
    void usageErrors();
    void helpAndVersionAreNoErrors();
    void onlyFilesThatAreDrawnNeedAGui();
    void databaseBeforeOrAfterTheSubcommand();
    void tablesAreAligned();
    void csvIsQuoted();
    void progressBarFitsItsWidth();
    void absentFiguresAreNull();
    void theReportsCommandAsksForTheSameBudget();
};

void CliPartsTest::runOptions() {
    const ParsedArguments parsed = parse(
        "run --model demo --problems demo --schemes fp16,int8 --batch-sizes 1,8 --limit 20 --samples 4 "
        "--temperature 0.2 --top-p 0.95 --seed 18446744073709551615 --max-new-tokens 64 --prompt-form "
        "stripped --latency-prompt 32 "
        "--latency-output 16 --latency-requests 7 --tpot-p99-ms 40 --backend cpu --launcher srun --json --db "
        "x.db");
    QVERIFY2(parsed.command, qPrintable(parsed.text));
    const auto& options = std::get<RunOptions>(*parsed.command);
    const storage::CampaignSpec& spec = options.spec;
    QCOMPARE(spec.schemes, (QStringList{QStringLiteral("fp16"), QStringLiteral("int8")}));
    QCOMPARE(spec.batchSizes, (QList<int>{1, 8}));
    QCOMPARE(spec.limit, 20);
    QCOMPARE(spec.sampling.samplesPerProblem, 4);
    QCOMPARE(spec.sampling.temperature, 0.2);
    QCOMPARE(spec.sampling.topP, 0.95);
    QCOMPARE(spec.sampling.seed, Q_UINT64_C(18446744073709551615));
    QCOMPARE(spec.sampling.maxNewTokens, 64);
    QCOMPARE(spec.sampling.promptForm, QStringLiteral("stripped"));
    QCOMPARE(spec.latency.promptTokens, 32);
    QCOMPARE(spec.latency.outputTokens, 16);
    QCOMPARE(spec.latency.requests, 7);
    QCOMPARE(*spec.budget.tpotP99Ms, 40.0);
    QCOMPARE(spec.launcher, QStringList{QStringLiteral("srun")});
    QVERIFY(options.json);
    QCOMPARE(options.database, QStringLiteral("x.db"));
}

void CliPartsTest::theReportsCommandAsksForTheSameBudget() {
    QList<storage::Budget> budgets;
    for (const storage::BudgetPreset& preset : storage::budgetPresets()) {
        budgets << preset.budget;
    }
    budgets << storage::Budget{QStringLiteral("Custom"), 100.0, std::nullopt, 300.0, 50};
    for (const storage::Budget& budget : budgets) {
        storage::CampaignSpec spec;
        spec.model = spec.problems = QStringLiteral("demo");
        spec.schemes = QStringList{QStringLiteral("fp16")};
        spec.batchSizes = {1};
        spec.budget = budget;
        const QByteArray command = ui::reproduceCommand(spec).toUtf8();
        const ParsedArguments parsed = parse(command.mid(QByteArray("quantscope ").size()));
        QVERIFY2(parsed.command, qPrintable(parsed.text));
        const storage::Budget& read = std::get<RunOptions>(*parsed.command).spec.budget;
        QVERIFY2(storage::sameLimits(read, budget), command.constData());
        QCOMPARE(read.name, budget.name);
    }
}

void CliPartsTest::usageErrors_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QString>("says");
    const QByteArray run("run --model demo --problems demo ");
    QTest::newRow("unknown subcommand") << QByteArray("fly") << QStringLiteral("fly");
    QTest::newRow("unknown option") << QByteArray("list --colour") << QStringLiteral("--colour");
    QTest::newRow("no schemes") << run << QStringLiteral("--schemes is missing");
    QTest::newRow("no model") << QByteArray("run --schemes fp16 --problems demo")
                              << QStringLiteral("--model is missing");
    QTest::newRow("no problems") << QByteArray("run --schemes fp16 --model demo")
                                 << QStringLiteral("--problems is missing");
    QTest::newRow("batch size") << QByteArray(run + "--schemes fp16 --batch-sizes 0")
                                << QStringLiteral("\"0\"");
    QTest::newRow("limit") << QByteArray(run + "--schemes fp16 --limit many") << QStringLiteral("--limit");
    QTest::newRow("nothing to do") << QByteArray(run + "--schemes fp16 --no-eval --no-latency")
                                   << QStringLiteral("--no-latency");
    QTest::newRow("backend") << QByteArray(run + "--schemes fp16 --backend tpu") << QStringLiteral("tpu");
    QTest::newRow("resume and model")
        << QByteArray("run --resume 1 --model demo") << QStringLiteral("--resume");
    QTest::newRow("export what") << QByteArray("export --what all --out x") << QStringLiteral("--what");
    QTest::newRow("export format") << QByteArray("export --what samples --format png --out x")
                                   << QStringLiteral("samples cannot be written as png");
    QTest::newRow("report format") << QByteArray("report --out x.docx")
                                   << QStringLiteral("reports are written as .html");
    QTest::newRow("campaign number") << QByteArray("show first") << QStringLiteral("first");
}

void CliPartsTest::usageErrors() {
    QFETCH(QByteArray, line);
    QFETCH(QString, says);
    const ParsedArguments parsed = parse(line.trimmed());
    QVERIFY(!parsed.command);
    QCOMPARE(parsed.exitCode, 2);
    QVERIFY(parsed.textIsError);
    QVERIFY2(parsed.text.contains(says), qPrintable(parsed.text));
    QVERIFY2(parsed.text.contains(QStringLiteral("--help")), qPrintable(parsed.text));
}

void CliPartsTest::helpAndVersionAreNoErrors() {
    for (const char* line : {"--help", "run --help", "compare --help", "export --help", "report --help"}) {
        const ParsedArguments parsed = parse(line);
        QVERIFY(!parsed.command && !parsed.textIsError);
        QCOMPARE(parsed.exitCode, 0);
        QVERIFY(parsed.text.contains(QStringLiteral("Usage")));
    }
    QVERIFY(parse("--version").text.startsWith(QStringLiteral("quantscope 0.")));
}

void CliPartsTest::onlyFilesThatAreDrawnNeedAGui() {
    const auto draws = [](const char* line) { return drawsCharts(*parse(line).command); };
    QVERIFY(draws("report --out x.html"));
    QVERIFY(draws("export --what charts --out x"));
    QVERIFY(draws("run --resume 1 --out-dir x"));
    QVERIFY(!draws("run --resume 1"));
    QVERIFY(!draws("export --what samples --out x"));
    QVERIFY(!draws("list"));
}

void CliPartsTest::databaseBeforeOrAfterTheSubcommand() {
    QCOMPARE(std::get<ListOptions>(*parse("list --db a.db").command).database, QStringLiteral("a.db"));
    QCOMPARE(std::get<ListOptions>(*parse("--db a.db list").command).database, QStringLiteral("a.db"));
    QCOMPARE(std::get<ListOptions>(*parse("list").command).database, defaultDatabase());
    QCOMPARE(std::get<RunOptions>(*parse("run --resume 1 --out-dir out").command).database,
             QStringLiteral("out/quantscope.db"));
}

void CliPartsTest::tablesAreAligned() {
    TextTable table;
    table.addColumn(QStringLiteral("scheme"), TextTable::Align::Left);
    table.addColumn(QStringLiteral("Δ"));
    table.addRow({QStringLiteral("fp16")});
    table.addRow({QStringLiteral("int8-smooth"), QStringLiteral("−1.2")});
    QCOMPARE(table.toText(), QStringLiteral("scheme          Δ\n"
                                            "-----------  ----\n"
                                            "fp16\n"
                                            "int8-smooth  −1.2\n"));
}

void CliPartsTest::csvIsQuoted() {
    TextTable table;
    table.addColumn(QStringLiteral("a,\"b\""));
    for (const char* cell : {"plain", "-1.5", "=cmd()", "-cmd()"})
        table.addRow({QString::fromLatin1(cell)});
    QCOMPARE(table.toCsv(), QStringLiteral("\"a,\"\"b\"\"\"\r\nplain\r\n-1.5\r\n'=cmd()\r\n'-cmd()\r\n"));
}

void CliPartsTest::progressBarFitsItsWidth() {
    storage::Progress progress;
    progress.phase = QStringLiteral("Problems, INT8, batch 8");
    progress.done = 41;
    progress.total = 164;
    progress.etaSeconds = 70.0;
    progress.tokensPerSecond = 85.0;
    QCOMPARE(progressBar(progress, 200),
             QStringLiteral(
                 "[#####---------------]  25 %  Problems, INT8, batch 8  41 of 164  1 min 10 s left  85.0 "
                 "tokens/s"));
    QCOMPARE(progressBar(progress, 40).size(), 40);
    progress.device = {{QStringLiteral("power_w"), 611.7}, {QStringLiteral("sm_clock_mhz"), 1980.0}};
    QVERIFY(progressBar(progress, 200).endsWith(QStringLiteral("85.0 tokens/s  612 W · 1980 MHz")));
    QVERIFY(!progressBar({}, 80).contains(QStringLiteral("of")));
}

void CliPartsTest::absentFiguresAreNull() {
    storage::RunSummary run;
    run.run.schemeId = QStringLiteral("int8");
    const QJsonObject json = runJson(run);
    for (const char* key : {"pass_at_1", "pass_at_1_interval", "ttft_ms", "tpot_ms", "tokens_per_s",
                            "inside_budget", "comparison"}) {
        QVERIFY2(json.contains(QLatin1String(key)) && json.value(QLatin1String(key)).isNull(), key);
    }
    storage::CampaignSummary summary;
    summary.runs << run;
    QVERIFY(runTable(summary).toText().contains(QStringLiteral("int8")));
    QVERIFY(!runTable(summary).toText().contains(QStringLiteral("J/token")));
    summary.runs[0].metrics.insert(QStringLiteral("energy_per_token_j"), 0.81);
    QVERIFY(runTable(summary).toText().contains(QStringLiteral("J/token")));
    QVERIFY(runTable(summary).toCsv().contains(QStringLiteral("0.81")));
    QVERIFY(comparisonTable(summary).isEmpty());
}

QTEST_GUILESS_MAIN(CliPartsTest)
#include "tst_cli_parts.moc"
