// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/support/sandbox_allowed.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>

namespace {

struct Result {
    int exitCode = -1;
    QByteArray out, err;
};

QProcessEnvironment environment(const QString& home) {
    QProcessEnvironment environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("QUANTSCOPE_WORKER"), QStringLiteral(QUANTSCOPE_FAKE_WORKER));
    environment.insert(QStringLiteral("QUANTSCOPE_FAKE_STREAM"),
                       QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl"));
    environment.insert(QStringLiteral("XDG_DATA_HOME"), home);
    environment.remove(QStringLiteral("DISPLAY"));
    environment.remove(QStringLiteral("WAYLAND_DISPLAY"));
    environment.remove(QStringLiteral("QT_QPA_PLATFORM"));
    return environment;
}

QString write(const QString& path, const QByteArray& bytes) {
    QFile file(path);
    if (file.open(QIODevice::WriteOnly)) {
        file.write(bytes);
    }
    return path;
}

} // namespace

/// The `quantscope` executable as users and scripts see it: exit codes, what stands on stdout, sentences on
/// stderr. The worker is a recording, except where the real sandbox scores.
class CommandLineTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void runPrintsOneJsonDocument();
    void runPrintsATableAndALinePerRun();
    void outDirHoldsEverything();
    void listShowCompare();
    void exportsOfEveryKind_data();
    void exportsOfEveryKind();
    void reportIsSelfContained();
    void badInputIsExitCode3_data();
    void badInputIsExitCode3();
    void usageIsExitCode2();
    void aFullStandardOutputIsExitCode1();
    void noDisplayIsSaid();
    void failedRunIsExitCode1();
    void interruptIsExitCode4AndCanBeResumed();
    void unscoredIsExitCode5();
    void scoreScoresInTheSandbox();
    void importAddsARun();

  private:
    Result run(const QStringList& arguments, const QMap<QString, QString>& extra = {});
    QJsonObject json(const QStringList& arguments);
    QString path(const char* name) const { return folder_.filePath(QLatin1String(name)); }
    QStringList runArguments(const QString& database) const {
        return {QStringLiteral("run"),
                QStringLiteral("--model"),
                QStringLiteral("demo"),
                QStringLiteral("--problems"),
                QStringLiteral("demo"),
                QStringLiteral("--schemes"),
                QStringLiteral("fp16,int8"),
                QStringLiteral("--db"),
                database,
                QStringLiteral("--latency-requests"),
                QStringLiteral("2")};
    }

    QTemporaryDir folder_;
    QString database_; ///< with one finished campaign
};

Result CommandLineTest::run(const QStringList& arguments, const QMap<QString, QString>& extra) {
    QProcess process;
    QProcessEnvironment variables = environment(folder_.path());
    for (auto it = extra.begin(); it != extra.end(); ++it) {
        variables.insert(it.key(), it.value());
    }
    process.setProcessEnvironment(variables);
    process.start(QStringLiteral(QUANTSCOPE_BIN_DIR "/quantscope"), arguments);
    if (!process.waitForFinished(60'000)) {
        return {};
    }
    return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

QJsonObject CommandLineTest::json(const QStringList& arguments) {
    const Result result = run(arguments);
    return QJsonDocument::fromJson(result.out).object();
}

void CommandLineTest::initTestCase() {
    database_ = path("campaigns.db");
    const Result result = run(runArguments(database_));
    QVERIFY2(result.exitCode == 0, result.err.constData());
}

void CommandLineTest::runPrintsOneJsonDocument() {
    const Result result = run(runArguments(path("json.db")) << QStringLiteral("--json"));
    QCOMPARE(result.exitCode, 0);
    QJsonParseError error;
    const QJsonObject document = QJsonDocument::fromJson(result.out, &error).object();
    QVERIFY2(error.error == QJsonParseError::NoError, result.out.constData());
    QCOMPARE(document.value(QStringLiteral("format")).toString(), QStringLiteral("quantscope.campaign/1"));
    QCOMPARE(document.value(QStringLiteral("exit_code")).toInt(-1), 0);
    const QJsonArray runs = document.value(QStringLiteral("runs")).toArray();
    QCOMPARE(runs.size(), 2);
    QVERIFY(runs[0].toObject().value(QStringLiteral("pass_at_1")).isDouble());
    QVERIFY(runs[1].toObject().value(QStringLiteral("comparison")).isObject());
    QVERIFY(!document.value(QStringLiteral("headline")).toString().isEmpty());
}

void CommandLineTest::runPrintsATableAndALinePerRun() {
    const Result result = run(runArguments(path("table.db")));
    QVERIFY(result.out.contains("scheme"));
    QVERIFY(result.out.contains("int8"));
    QVERIFY(result.out.contains("demo problems, not HumanEval"));
    QVERIFY2(result.err.contains("int8, batch 1: latency measured\n"), result.err.constData());
    QVERIFY2(result.err.contains(" samples passed\n"), result.err.constData());
    QVERIFY(!result.err.contains('\r')); // no bar without a terminal
}

void CommandLineTest::outDirHoldsEverything() {
    const QDir out(path("demo-out"));
    QStringList arguments = runArguments({});
    arguments.removeAt(arguments.indexOf(QStringLiteral("--db")) + 1);
    arguments.removeAll(QStringLiteral("--db"));
    const Result result = run(arguments << QStringLiteral("--out-dir") << out.path());
    QVERIFY2(result.exitCode == 0, result.err.constData());
    for (const char* name :
         {"quantscope.db", "report.html", "summary.json", "trade-off.png", "trade-off.svg", "latency.png",
          "memory.svg", "latency.csv", "samples-int8-b1.jsonl", "samples-int8-b1.jsonl_results.jsonl"}) {
        QVERIFY2(out.exists(QLatin1String(name)), name);
    }
}

void CommandLineTest::listShowCompare() {
    const QStringList db{QStringLiteral("--db"), database_};
    const Result list = run(QStringList{QStringLiteral("list")} + db);
    QCOMPARE(list.exitCode, 0);
    QVERIFY2(list.out.contains("fp16,int8"), list.out.constData());
    const QJsonObject listed = json(QStringList{QStringLiteral("list"), QStringLiteral("--json")} + db);
    QCOMPARE(listed.value(QStringLiteral("campaigns")).toArray().size(), 1);

    const Result show = run(QStringList{QStringLiteral("show"), QStringLiteral("1")} + db);
    QCOMPARE(show.exitCode, 0);
    QVERIFY(show.out.contains("pass@1"));
    const QJsonObject shown = json(QStringList{QStringLiteral("show"), QStringLiteral("--json")} + db);
    QCOMPARE(shown.value(QStringLiteral("runs")).toArray().size(), 2);

    const Result compare = run(QStringList{QStringLiteral("compare")} + db);
    QCOMPARE(compare.exitCode, 0);
    QVERIFY(compare.out.contains("p (Holm)"));
    const QStringList against{QStringLiteral("compare"), QStringLiteral("--baseline"), QStringLiteral("int8"),
                              QStringLiteral("--format")};
    const QJsonObject compared = json(against + QStringList{QStringLiteral("json")} + db);
    QCOMPARE(compared.value(QStringLiteral("baseline_run_id")).toInt(), 2);
    const Result csv = run(against + QStringList{QStringLiteral("csv")} + db);
    QVERIFY2(csv.out.contains("\r\nfp16,1,int8,"), csv.out.constData());
}

void CommandLineTest::exportsOfEveryKind_data() {
    QTest::addColumn<QString>("what");
    QTest::addColumn<QString>("format");
    QTest::addColumn<QString>("file");
    const auto row = [](const char* what, const char* format, const char* file) {
        QTest::newRow(qPrintable(
            QStringLiteral("%1 %2 %3").arg(QLatin1String(what), QLatin1String(format), QLatin1String(file))))
            << QString::fromLatin1(what) << QString::fromLatin1(format) << QString::fromLatin1(file);
    };
    row("samples", "jsonl", "samples-fp16-b1.jsonl");
    row("results", "jsonl", "samples-fp16-b1.jsonl_results.jsonl");
    row("results", "csv", "results.csv");
    row("latency", "csv", "latency.csv");
    row("latency", "jsonl", "latency.jsonl");
    row("charts", "png", "trade-off.png");
    row("charts", "svg", "trade-off.svg");
    row("charts", "pdf", "trade-off.pdf");
    row("charts", "csv", "trade-off.csv");
    row("charts", "csv", "latency-chart.csv"); // not in the way of the requests' latency.csv
}

void CommandLineTest::exportsOfEveryKind() {
    QFETCH(QString, what);
    QFETCH(QString, format);
    QFETCH(QString, file);
    const QString out = folder_.filePath(QStringLiteral("export-%1-%2").arg(what, format));
    const Result result =
        run({QStringLiteral("export"), QStringLiteral("--what"), what, QStringLiteral("--format"), format,
             QStringLiteral("--out"), out, QStringLiteral("--db"), database_});
    QVERIFY2(result.exitCode == 0, result.err.constData());
    QVERIFY(QFileInfo(QDir(out).filePath(file)).size() > 0);
    QVERIFY(result.out.contains(file.toUtf8()));
}

void CommandLineTest::reportIsSelfContained() {
    const QString file = path("made/for/it/report.html");
    const Result result =
        run({QStringLiteral("report"), QStringLiteral("--out"), file, QStringLiteral("--db"), database_});
    QVERIFY2(result.exitCode == 0, result.err.constData());
    QFile report(file);
    QVERIFY(report.open(QIODevice::ReadOnly));
    const QByteArray html = report.readAll();
    QVERIFY(html.contains("<svg"));
    QVERIFY(!html.contains("<script"));
}

void CommandLineTest::badInputIsExitCode3_data() {
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("says");
    const QStringList demo{QStringLiteral("run"), QStringLiteral("--db"), QStringLiteral("new.db"),
                           QStringLiteral("--schemes")};
    const QStringList all = demo + QStringList{QStringLiteral("fp16")};
    QTest::newRow("unknown scheme") << demo + QStringList{QStringLiteral("int3"), QStringLiteral("--model"),
                                                          QStringLiteral("demo"),
                                                          QStringLiteral("--problems"),
                                                          QStringLiteral("demo")}
                                    << QStringLiteral("Known schemes: fp16, int8,");
    QTest::newRow("no model folder") << all +
                                            QStringList{QStringLiteral("--model"), QStringLiteral("/nowhere"),
                                                        QStringLiteral("--problems"), QStringLiteral("demo")}
                                     << QStringLiteral("There is no model folder /nowhere.");
    QTest::newRow("no problem file") << all + QStringList{QStringLiteral("--model"), QStringLiteral("demo"),
                                                          QStringLiteral("--problems"),
                                                          QStringLiteral("/nowhere.jsonl")}
                                     << QStringLiteral("There is no problem file /nowhere.jsonl.");
    QTest::newRow("bad problem line")
        << all + QStringList{QStringLiteral("--model"), QStringLiteral("demo"), QStringLiteral("--problems"),
                             QStringLiteral("bad.jsonl")}
        << QStringLiteral("line 2");
    QTest::newRow("no database") << QStringList{QStringLiteral("show"), QStringLiteral("--db"),
                                                QStringLiteral("none.db")}
                                 << QStringLiteral("There is no database none.db.");
    QTest::newRow("not a database") << QStringList{QStringLiteral("list"), QStringLiteral("--db"),
                                                   QStringLiteral("corrupt.db")}
                                    << QStringLiteral("corrupt.db");
    QTest::newRow("no such campaign") << QStringList{QStringLiteral("show"), QStringLiteral("99"),
                                                     QStringLiteral("--db"), QStringLiteral("campaigns.db")}
                                      << QStringLiteral("99");
    QTest::newRow("nothing to resume")
        << QStringList{QStringLiteral("run"), QStringLiteral("--resume"), QStringLiteral("99"),
                       QStringLiteral("--db"), QStringLiteral("campaigns.db")}
        << QStringLiteral("99");
    QTest::newRow("no such baseline")
        << QStringList{QStringLiteral("compare"), QStringLiteral("--baseline"), QStringLiteral("w4a4"),
                       QStringLiteral("--db"), QStringLiteral("campaigns.db")}
        << QStringLiteral("It has fp16, int8.");
    QTest::newRow("nothing to score") << QStringList{QStringLiteral("score"), QStringLiteral("--problems"),
                                                     QStringLiteral("demo"), QStringLiteral("none.jsonl")}
                                      << QStringLiteral("none.jsonl");
}

void CommandLineTest::badInputIsExitCode3() {
    QFETCH(QStringList, arguments);
    QFETCH(QString, says);
    write(path("corrupt.db"),
          QByteArray("this is no database, but long enough to be read as one").repeated(40));
    write(path("bad.jsonl"),
          "{\"task_id\":\"T/0\",\"prompt\":\"def f():\\n\",\"entry_point\":\"f\",\"canonical_solution\":\"\","
          "\"test\":\"\"}\n{broken\n");
    for (QString& argument : arguments) {
        if (argument.endsWith(QLatin1String(".db")) || argument == QLatin1String("bad.jsonl")) {
            argument = folder_.filePath(argument);
        }
    }
    const Result result = run(arguments);
    QVERIFY2(result.exitCode == 3, result.err.constData());
    says.replace(QStringLiteral("database none.db"), QStringLiteral("database ") + path("none.db"));
    QVERIFY2(QString::fromUtf8(result.err).contains(says), result.err.constData());
    QVERIFY(result.out.isEmpty());
}

void CommandLineTest::usageIsExitCode2() {
    for (const QStringList& arguments :
         {QStringList{QStringLiteral("run")}, QStringList{QStringLiteral("fly")},
          QStringList{QStringLiteral("show"), QStringLiteral("--nonsense")}}) {
        const Result result = run(arguments);
        QCOMPARE(result.exitCode, 2);
        QVERIFY(result.out.isEmpty());
        QVERIFY(result.err.contains("--help"));
    }
    const std::pair<const char*, const char*> wrong[] = {
        {"--temperature 11", "--temperature: expected a number from 0 (greedy) to 10, found \"11\""},
        {"--top-p 0", "--top-p: expected a number above 0, at most 1, found \"0\""},
        {"--ttft-p99-ms -1", "--ttft-p99-ms: expected a number of milliseconds above 0, at most 1000000"},
        {"--samples many", "--samples: expected a whole number from 1 to 1000, found \"many\""},
        {"--latency-output 1", "--latency-output: expected a whole number from 2 to 1048576, found \"1\""},
        {"--batch-sizes 1,0", "--batch-sizes: a batch size is a whole number from 1 to 4096"},
        {"--limit -1", "--limit: expected a whole number of at least 0, found \"-1\""}};
    for (const auto& [option, says] : wrong) {
        const Result result = run(runArguments(path("never.db")) + QString::fromLatin1(option).split(u' '));
        QCOMPARE(result.exitCode, 2);
        QVERIFY2(result.err.contains(says), result.err.constData());
    }
}

void CommandLineTest::aFullStandardOutputIsExitCode1() {
    if (!QFileInfo::exists(QStringLiteral("/dev/full"))) {
        QSKIP("there is no /dev/full here");
    }
    QProcess process;
    process.setProcessEnvironment(environment(folder_.path()));
    process.setStandardOutputFile(QStringLiteral("/dev/full"));
    process.start(QStringLiteral(QUANTSCOPE_BIN_DIR "/quantscope"),
                  {QStringLiteral("list"), QStringLiteral("--db"), database_});
    QVERIFY(process.waitForFinished(60'000));
    QCOMPARE(process.exitCode(), 1);
    QVERIFY(process.readAllStandardError().contains("standard output could not be written: No space left"));
}

void CommandLineTest::noDisplayIsSaid() {
    const Result result = run({});
    QCOMPARE(result.exitCode, 2);
    QVERIFY2(result.err.contains("no display"), result.err.constData());
}

void CommandLineTest::failedRunIsExitCode1() {
    const Result result = run(runArguments(path("failed.db")) << QStringLiteral("--json"),
                              {{QStringLiteral("QUANTSCOPE_FAKE_FAULT"), QStringLiteral("crash")},
                               {QStringLiteral("QUANTSCOPE_FAKE_AFTER"), QStringLiteral("14")}});
    QVERIFY2(result.exitCode == 1, result.err.constData());
    QVERIFY2(result.err.contains("--resume 1"), result.err.constData());
    const QJsonObject document = QJsonDocument::fromJson(result.out).object();
    QCOMPARE(document.value(QStringLiteral("exit_code")).toInt(), 1);
}

void CommandLineTest::interruptIsExitCode4AndCanBeResumed() {
    QProcess process;
    QProcessEnvironment variables = environment(folder_.path());
    variables.insert(QStringLiteral("QUANTSCOPE_FAKE_DELAY_MS"), QStringLiteral("30"));
    process.setProcessEnvironment(variables);
    const QString database = path("interrupted.db");
    process.start(QStringLiteral(QUANTSCOPE_BIN_DIR "/quantscope"), runArguments(database));
    QByteArray said;
    connect(&process, &QProcess::readyReadStandardError, this,
            [&] { said += process.readAllStandardError(); });
    QTRY_VERIFY_WITH_TIMEOUT(said.contains("latency measured"), 20'000);
    ::kill(static_cast<pid_t>(process.processId()), SIGINT);
    QVERIFY(process.waitForFinished(20'000));
    QCOMPARE(process.exitStatus(), QProcess::NormalExit);
    QCOMPARE(process.exitCode(), 4);
    const QStringList db{QStringLiteral("--db"), database};
    QVERIFY(run(QStringList{QStringLiteral("list")} + db).out.contains("cancelled"));
    const Result resumed =
        run(QStringList{QStringLiteral("run"), QStringLiteral("--resume"), QStringLiteral("1")} + db);
    QVERIFY2(resumed.exitCode == 0, resumed.err.constData());
    QVERIFY(run(QStringList{QStringLiteral("list")} + db).out.contains("done"));
}

void CommandLineTest::unscoredIsExitCode5() {
    QFile in(QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/streams/demo.jsonl"));
    QVERIFY(in.open(QIODevice::ReadOnly));
    const QByteArray bytes = in.readAll()
                                 .replace("\"verdict\":\"passed\"", "\"verdict\":\"unscored\"")
                                 .replace("\"verdict\":\"failed\"", "\"verdict\":\"unscored\"")
                                 .replace("\"verdict\":\"error\"", "\"verdict\":\"unscored\"")
                                 .replace("\"verdict\":\"timed_out\"", "\"verdict\":\"unscored\"");
    const QString stream = write(path("unscored.jsonl"), bytes);
    const Result result =
        run(runArguments(path("unscored.db")), {{QStringLiteral("QUANTSCOPE_FAKE_STREAM"), stream}});
    QVERIFY2(result.exitCode == 5, result.err.constData());
    QVERIFY(result.out.contains("none could be scored") || result.out.contains("time per token"));
}

void CommandLineTest::scoreScoresInTheSandbox() {
    const QString problems = write(
        path("problems.jsonl"),
        R"({"task_id":"T/0","prompt":"def f(x):\n","entry_point":"f","canonical_solution":"    return x + 1\n","test":"def check(candidate):\n    assert candidate(1) == 2\n"}
{"task_id":"T/1","prompt":"def g(x):\n","entry_point":"g","canonical_solution":"    return x\n","test":"def check(candidate):\n    assert candidate(3) == 3\n"}
)");
    const QString samples =
        write(path("samples.jsonl"), R"({"task_id":"T/0","completion":"    return x + 1\n"}
{"task_id":"T/1","completion":"    return 0\n"}
)");
    const QStringList arguments{QStringLiteral("score"), QStringLiteral("--problems"), problems, samples};
    const Result result = run(arguments);
    if (!quantscope::test::sandboxAllowed()) {
        QCOMPARE(result.exitCode, 5);
        QSKIP(result.err.constData());
    }
    QVERIFY2(result.exitCode == 0, result.err.constData());
    QVERIFY2(result.out.contains("1/2 passed") && result.out.contains("pass@1: 50.00 %"),
             result.out.constData());
    QVERIFY(QFileInfo::exists(samples + QStringLiteral("_results.jsonl")));
    const QJsonObject document = json(arguments + QStringList{QStringLiteral("--json")});
    QCOMPARE(document.value(QStringLiteral("passed")).toInt(), 1);
    QCOMPARE(document.value(QStringLiteral("pass_at_k")).toObject().value(QStringLiteral("1")).toDouble(),
             0.5);

    const Result streamed =
        run(arguments + QStringList{QStringLiteral("--out"), QStringLiteral("/dev/stdout")});
    QVERIFY2(streamed.exitCode == 0, streamed.err.constData());
    QCOMPARE(streamed.out.count('\n'), 2);
    QVERIFY(streamed.out.contains("\"result\": \"passed\"") && streamed.err.contains("1/2 passed"));
    const Result full = run(arguments + QStringList{QStringLiteral("--out"), QStringLiteral("/dev/full")});
    QCOMPARE(full.exitCode, 1);
    QVERIFY2(full.err.contains("/dev/full: writing failed: No space left on device"), full.err.constData());
    write(samples, "{\"task_id\":\"T/0\",\"completion\":\"    return x + 1\"}\nbroken\n");
    const Result warned = run(arguments);
    QCOMPARE(warned.exitCode, 0);
    QVERIFY2(warned.err.contains("1 line of ") && warned.err.contains("line 2: expected JSON"),
             warned.err.constData());
    QCOMPARE(run(arguments + QStringList{QStringLiteral("--strict")}).exitCode, 3);
}

void CommandLineTest::importAddsARun() {
    const QString out = path("to-import");
    QCOMPARE(run({QStringLiteral("export"), QStringLiteral("--what"), QStringLiteral("results"),
                  QStringLiteral("--out"), out, QStringLiteral("--db"), database_})
                 .exitCode,
             0);
    const QString copy = path("import.db");
    QVERIFY(run(runArguments(copy)).exitCode == 0);
    const QStringList arguments{QStringLiteral("import"),
                                QStringLiteral("--file"),
                                QDir(out).filePath(QStringLiteral("samples-int8-b1.jsonl_results.jsonl")),
                                QStringLiteral("--name"),
                                QStringLiteral("elsewhere"),
                                QStringLiteral("--db"),
                                copy};
    const Result result = run(arguments);
    QVERIFY2(result.exitCode == 0, result.err.constData());
    const Result shown = run({QStringLiteral("show"), QStringLiteral("--db"), copy});
    QVERIFY2(shown.out.contains("imported:elsewhere"), shown.out.constData());
    QCOMPARE(run(arguments).exitCode, 3); // a name is taken once

    // Tasks that the campaign does not have, a bad line, and a name that looks like a placeholder.
    const QString foreign =
        write(path("foreign.jsonl"), "{\"task_id\": \"Else/7\", \"completion\": \"\"}\nbad\n");
    const QStringList importForeign{
        QStringLiteral("import"), QStringLiteral("--file"),    foreign, QStringLiteral("--db"), copy,
        QStringLiteral("--name"), QStringLiteral("%4%1\u202e")};
    QCOMPARE(run(importForeign + QStringList{QStringLiteral("--strict")}).exitCode, 3);
    const Result warned = run(importForeign);
    QVERIFY2(warned.exitCode == 0, warned.err.constData());
    QVERIFY2(warned.err.contains("line 2: expected JSON") && warned.err.contains("1 of its tasks"),
             warned.err.constData());
    QVERIFY2(warned.out.startsWith("imported:%4%1\\u202e: 1 samples imported into campaign 1, 0 of them"),
             warned.out.constData());
    const Result after = run({QStringLiteral("show"), QStringLiteral("--db"), copy});
    QCOMPARE(after.out.count("partial"), shown.out.count("partial")); // the runs are done as before
}

QTEST_GUILESS_MAIN(CommandLineTest)
#include "tst_command_line.moc"
