// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/pass_at_k.h"
#include "engine/eval/problems.h"
#include "engine/eval/prompt_protocol.h"

#include <QtTest>
#include <cmath>
#include <sys/stat.h>
#include <zlib.h>

using namespace quantscope;
using namespace quantscope::eval;

namespace {

const QByteArray good = R"({"task_id": "T/0", "prompt": "def f():\n", "entry_point": "f",)"
                        R"( "canonical_solution": "    return 1\n", "test": "def check(c): pass\n"})";

QByteArray changed(const char* before, const char* after) {
    return QByteArray(good).replace(before, after);
}

QByteArray gzip(const QByteArray& data) {
    z_stream z{};
    deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY);
    QByteArray packed(static_cast<int>(deflateBound(&z, data.size())), '\0');
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
    z.avail_in = static_cast<uInt>(data.size());
    z.next_out = reinterpret_cast<Bytef*>(packed.data());
    z.avail_out = static_cast<uInt>(packed.size());
    deflate(&z, Z_FINISH);
    packed.resize(static_cast<int>(z.total_out));
    deflateEnd(&z);
    return packed;
}

} // namespace

class TestProblems : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void readsTheOfficialFile();
    void readsPlainAndPackedAlike();
    void refusesBadLines_data();
    void refusesBadLines();
    void refusesBadFiles();
    void refusesDecompressionBombs();
    void refusesEveryTruncation();
    void hashFollowsWhatVerdictsDependOn();
    void identifiers();
    void stops_data();
    void stops();
    void stopSearchResumes();
    void verdictProgram();
    void passAtK();
    void meanPassAtK();

  private:
    /// What read_problems says about a file with these bytes; "" when it is fine.
    QString complaint(const QByteArray& bytes);
    std::filesystem::path write(const QByteArray& bytes);
    QTemporaryDir dir_;
};

std::filesystem::path TestProblems::write(const QByteArray& bytes) {
    QFile file(dir_.filePath(QStringLiteral("problems.jsonl")));
    if (!file.open(QIODevice::WriteOnly) || file.write(bytes) != bytes.size())
        qFatal("cannot write %s", qPrintable(file.fileName()));
    return file.fileName().toStdString();
}

QString TestProblems::complaint(const QByteArray& bytes) {
    const auto problems = read_problems(write(bytes));
    return problems ? QString() : QString::fromStdString(problems.error().message);
}

void TestProblems::readsTheOfficialFile() {
    const std::filesystem::path file = QUANTSCOPE_SOURCE_DIR "/../shared/data/HumanEval.jsonl.gz";
    if (!std::filesystem::exists(file))
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    const auto problems = read_problems(file);
    QVERIFY2(problems, problems ? "" : problems.error().message.c_str());
    QCOMPARE(problems->size(), std::size_t{164});
    QCOMPARE(problems->front().task_id, std::string("HumanEval/0"));
    QCOMPARE(problems->front().entry_point, std::string("has_close_elements"));
    QVERIFY(problems->front().prompt.ends_with("\n"));
    QCOMPARE(problems->back().task_id, std::string("HumanEval/163"));
}

void TestProblems::readsPlainAndPackedAlike() {
    const QByteArray two = good + "\r\n\n  \n" + changed("T/0", "T/1");
    const auto plain = read_problems(write(two));
    QVERIFY(plain);
    QCOMPARE(plain->size(), std::size_t{2});
    QCOMPARE(plain->at(0).canonical_solution, std::string("    return 1\n"));
    const auto packed = read_problems(write(gzip(two)));
    QVERIFY(packed);
    const auto members = read_problems(write(gzip(good + "\n") + gzip(changed("T/0", "T/1"))));
    QVERIFY(members);
    QCOMPARE(problems_hash(*packed), problems_hash(*plain));
    QCOMPARE(problems_hash(*members), problems_hash(*plain));
    // HumanEval+ has such inputs in keys that say nothing about the verdict.
    const auto marked =
        read_problems(write("\xef\xbb\xbf" + changed("\"task_id\"", R"("plus_input": [[NaN, -Infinity,)"
                                                                    R"( 123456789012345678901234567890]],)"
                                                                    R"( "task_id")")));
    QVERIFY2(marked, marked ? "" : marked.error().message.c_str());
    QCOMPARE(marked->at(0).task_id, std::string("T/0"));
}

void TestProblems::refusesBadLines_data() {
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const QByteArray& line, const char* says) {
        QTest::newRow(name) << line << QString::fromLatin1(says);
    };
    row("broken JSON", "{\"task_id\": \"T/1\", ", "line 2: expected JSON, but it is not valid JSON");
    row("not an object", "[1, 2]", "line 2: expected a JSON object, found a list of 2 values");
    row("invalid UTF-8", changed("T/0", "T/\xff"), "line 2: expected JSON, but it is not valid JSON");
    row("missing key", changed("\"prompt\"", "\"promt\""),
        "line 2: 'prompt': expected a string, found nothing");
    row("missing solution", changed("canonical_solution", "solution"),
        "line 2: 'canonical_solution': expected a string, found nothing");
    row("number", changed("\"T/0\"", "17"), "line 2: 'task_id': expected a string, found 17");
    row("null test", changed("\"def check(c): pass\\n\"", "null"),
        "line 2: 'test': expected a string, found nothing");
    row("empty task_id", changed("T/0", ""), "line 2: 'task_id': expected a name, found \"\"");
    row("repeated", good, "line 2: task_id \"T/0\" was already used on line 1");
    row("code for a name", changed("\"entry_point\": \"f\"", "\"entry_point\": \"f); import os; (f\""),
        "line 2: 'entry_point': expected a Python function name, found \"f); import os; (f\"");
    row("keyword", changed("\"entry_point\": \"f\"", "\"entry_point\": \"lambda\""),
        "'entry_point': expected a Python function name, found \"lambda\"");
    row("nested too deep", QByteArray(100000, '['),
        "line 2: expected JSON, but it is nested deeper than 64 levels");
    row("many strings, no depth", "{\"a\": \"[[[[\\\"[[[[" + QByteArray(100, '[') + "\"}",
        "'task_id': expected a string, found nothing");
}

void TestProblems::refusesBadLines() {
    QFETCH(QByteArray, line);
    QFETCH(QString, says);
    const QString said = complaint(good + "\n" + line + "\n");
    QVERIFY2(said.contains(says), qPrintable(said));
    QVERIFY2(said.contains(QStringLiteral("problems.jsonl")), qPrintable(said));
}

void TestProblems::refusesBadFiles() {
    const auto missing = read_problems("/nowhere/problems.jsonl");
    QVERIFY(!missing);
    QCOMPARE(missing.error().code, ErrorCode::bad_input);
    QVERIFY(missing.error().message.find("No such file") != std::string::npos);
    const auto folder = read_problems(dir_.path().toStdString());
    QVERIFY(!folder);
    QVERIFY(folder.error().message.find("found a folder") != std::string::npos);
    const std::string pipe = dir_.filePath(QStringLiteral("pipe")).toStdString();
    QCOMPARE(::mkfifo(pipe.c_str(), 0600), 0); // nobody writes into it: must not be waited for
    const auto stream = read_problems(pipe);
    QVERIFY(!stream);
    QCOMPARE(stream.error().message, pipe + ": expected a regular file, found a named pipe (FIFO).");
    QVERIFY(complaint("").contains(QStringLiteral("holds no problem")));
    QVERIFY(complaint("\n \n").contains(QStringLiteral("holds no problem")));
    QByteArray damaged = gzip(good);
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
    QVERIFY2(complaint(damaged).contains(QStringLiteral("gzip data")), qPrintable(complaint(damaged)));
    QVERIFY(complaint(gzip(good) + "trailing rubbish").contains(QStringLiteral("gzip data is damaged")));
}

void TestProblems::refusesDecompressionBombs() {
    // 300 MiB of newlines as 300 gzip members of 1 MiB, about 1 KiB each.
    const QByteArray megabyte = gzip(QByteArray(1 << 20, '\n'));
    QByteArray bomb;
    for (int i = 0; i < 300; ++i)
        bomb += megabyte;
    QVERIFY(bomb.size() < (1 << 20));
    const QString said = complaint(bomb);
    QVERIFY2(said.contains(QStringLiteral("more than 256 MiB")), qPrintable(said));
}

void TestProblems::refusesEveryTruncation() {
    const QByteArray packed = gzip(good);
    for (int size = 2; size < packed.size(); ++size) {
        const QString said = complaint(packed.left(size));
        QVERIFY2(said.contains(QStringLiteral("gzip data ends early")), qPrintable(said));
    }
}

void TestProblems::hashFollowsWhatVerdictsDependOn() {
    const Problem problem{"T/0", "def f():\n", "f", "    return 1\n", "def check(c): pass\n"};
    const auto hash = [](const Problem& p) { return problems_hash(std::vector{p}); };
    const std::string original = hash(problem);
    QCOMPARE(original.size(), std::size_t{32});
    QCOMPARE(hash(problem), original);
    Problem other = problem;
    other.canonical_solution = "    return 2\n";
    QCOMPARE(hash(other), original);
    for (std::string Problem::*field :
         {&Problem::task_id, &Problem::prompt, &Problem::entry_point, &Problem::test}) {
        other = problem;
        (other.*field).push_back('x');
        QVERIFY(hash(other) != original);
    }
    other = problem; // a byte that moves from one field to the next
    other.prompt.pop_back();
    other.entry_point.insert(0, 1, '\n');
    QVERIFY(hash(other) != original);
    QVERIFY(problems_hash(std::vector{problem, problem}) != original);
}

void TestProblems::identifiers() {
    for (const char* name : {"f", "_", "_f9", "has_close_elements", "Match", "print"})
        QVERIFY2(is_python_identifier(name), name);
    for (const char* name : {"", "9f", "f g", "f-g", "f\n", "f.g", "def", "None", "\xc3\xa9"})
        QVERIFY2(!is_python_identifier(name), name);
}

void TestProblems::stops_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("kept");
    const QString body = QStringLiteral("    return 1");
    for (const char* stop : {"\nclass", "\ndef", "\n#", "\n@", "\nprint", "\nif", "\n```", "<file_sep>"})
        QTest::newRow(stop) << body + QString::fromLatin1(stop) + QStringLiteral(" X") << body;
    QTest::newRow("none") << body << body;
    QTest::newRow("indented are no stops")
        << QStringLiteral("\n    if x:\n    print(1)\n    # c\n    def g(): 0")
        << QStringLiteral("\n    if x:\n    print(1)\n    # c\n    def g(): 0");
    QTest::newRow("earliest wins") << QStringLiteral("a\nif b\ndef c") << QStringLiteral("a");
    QTest::newRow("at once") << QStringLiteral("\ndef g():") << QString();
    QTest::newRow("no newline before") << QStringLiteral("def g(): pass") << QStringLiteral("def g(): pass");
}

void TestProblems::stops() {
    QFETCH(QString, text);
    QFETCH(QString, kept);
    const std::string bytes = text.toStdString();
    QCOMPARE(QString::fromUtf8(cut_at_stop(bytes).data(), static_cast<int>(cut_at_stop(bytes).size())), kept);
    QCOMPARE(find_stop(bytes).has_value(), text != kept);
}

void TestProblems::stopSearchResumes() {
    // A generator that looks at new bytes only, and one stop's length before them, finds what a whole search
    // finds.
    const std::string text = "    x = 1\n    return x\n\n\nprint(f(3))\n";
    std::optional<std::size_t> found;
    for (std::size_t length = 1; length <= text.size() && !found; ++length) {
        const std::size_t from = length > longest_stop_bytes() ? length - longest_stop_bytes() : 0;
        found = find_stop(std::string_view(text).substr(0, length), from);
    }
    QCOMPARE(found, find_stop(text));
    QCOMPARE(longest_stop_bytes(), std::string_view("<file_sep>").size());
}

void TestProblems::verdictProgram() {
    const Problem problem{"T/0", "def f():\n", "f", "", "def check(c):\n    assert c() == 1\n"};
    QCOMPARE(verdict_program(problem, "    return 1"),
             std::string("def f():\n    return 1\ndef check(c):\n    assert c() == 1\n\ncheck(f)"));
}

void TestProblems::passAtK() {
    // numpy, as in human-eval: 1 - prod(1 - k / arange(n - c + 1, n + 1))
    const auto near = [](double a, double b) { return std::abs(a - b) < 1e-12; };
    QVERIFY(near(pass_at_k(10, 3, 1), 0.3));
    QVERIFY(near(pass_at_k(200, 13, 1), 0.065));
    QVERIFY(near(pass_at_k(200, 13, 10), 0.4975511147306061));
    QVERIFY(near(pass_at_k(200, 13, 100), 0.9999194971988055));
    QVERIFY(near(pass_at_k(200, 1, 100), 0.5));
    QVERIFY(near(pass_at_k(20, 2, 10), 0.763157894736842));
    QCOMPARE(pass_at_k(10, 3, 10), 1.0);
    QCOMPARE(pass_at_k(5, 0, 1), 0.0);
    QCOMPARE(pass_at_k(5, 5, 5), 1.0);
    for (const auto& [n, c, k] : {std::array{5, 6, 1}, {5, -1, 1}, {5, 1, 6}, {5, 1, 0}, {0, 0, 1}})
        QVERIFY(std::isnan(pass_at_k(n, c, k)));
}

void TestProblems::meanPassAtK() {
    using Counts = std::vector<ProblemCounts>;
    const auto ten = mean_pass_at_k(Counts{{10, 3}, {20, 0}});
    QCOMPARE(ten.size(), std::size_t{2}); // 100 > 10: left out
    QVERIFY(std::abs(ten.at(1) - 0.15) < 1e-12);
    QVERIFY(std::abs(ten.at(10) - 0.5) < 1e-12);
    QVERIFY(mean_pass_at_k(Counts{}).empty());
    QVERIFY(mean_pass_at_k(Counts{{1, 1}, {0, 0}}).empty());
}

QTEST_APPLESS_MAIN(TestProblems)
#include "tst_problems.moc"
