// SPDX-License-Identifier: Apache-2.0
// A program run apart from its test: what valid programs may count on, and what a pass is worth.
#include "engine/eval/canonical_check.h"
#include "tests/engine/eval/leftovers.h"

#include <QtTest>
#include <thread>
#include <unistd.h>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;

class TestApart : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanup() { QVERIFY2(no_children_left(), "a process was left behind"); }
    void valuesGoThrough_data();
    void valuesGoThrough();
    void endsAreTold_data();
    void endsAreTold();
    void undecidedIsJudgedTogether_data();
    void undecidedIsJudgedTogether();
    void officialSolutionsAreProven();
    void cancelKillsBoth();

  private:
    /// Of `body` in `def f(...)` and `check`, the indented lines of the test.
    static Problem problem(const QByteArray& prompt, const QByteArray& check) {
        return {"T/0", prompt.toStdString(), "f", "    pass\n",
                "def check(candidate):\n" + check.toStdString()};
    }
    Verdict verdict(const Problem& problem, const std::string& completion) {
        Verdict found;
        VerdictPool pool(*sandbox_, {.first_wall_limit = 2s});
        pool.submit(problem, completion, [&](const Verdict& one) { found = one; }, {Judging::apart, {}});
        pool.wait_idle();
        return found;
    }
    std::optional<Sandbox> sandbox_;
};

void TestApart::initTestCase() {
    adopt_orphans();
    auto sandbox = Sandbox::open();
    if (!sandbox)
        QSKIP(("no sandbox here: " + sandbox.error().message + ". " + sandbox.error().hint).c_str());
    sandbox_.emplace(std::move(*sandbox));
}

void TestApart::valuesGoThrough_data() {
    QTest::addColumn<QByteArray>("prompt");
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<QByteArray>("check");
    const auto row = [](const char* name, const QByteArray& prompt, const QByteArray& body,
                        const QByteArray& check) { QTest::newRow(name) << prompt << body << check; };
    row("plain values", "def f(x):\n", "    return x\n",
        "    for v in [None, True, 0, -1, 127, 128, -128, -129, 10**400, -10**400, 1.5, 1e308, '', "
        "'a\\ud800\\0',\n"
        "              b'\\0\\xff', (1, (2,)), [1, [2]], {'a': [1]}, {1, 2}, frozenset('ab'), 1 + 2j, "
        "bytearray(b'a')]:\n"
        "        r = candidate(v)\n"
        "        assert r == v and type(r) is type(v), v\n"
        "    assert str(candidate(-0.0)) == '-0.0' and list(candidate({'b': 1, 'a': 2})) == ['b', 'a']\n");
    row("NaN is itself", "def f(x):\n", "    return x\n",
        "    n = float('nan')\n    assert candidate(n) is n and candidate([n]) == [n]\n");
    row("identity", "def f(x, y):\n", "    return [x, y, x]\n",
        "    a = [1]; b = (a,)\n    r = candidate(a, b)\n    assert r[0] is a and r[1] is b and r[2] is a\n");
    row("a list in itself", "def f(x):\n", "    x.append(x)\n    return x\n",
        "    a = [1]\n    assert candidate(a) is a and a[1] is a\n");
    row("arguments changed in place", "def f(l, d, s, b):\n",
        "    l.append(d); l[0] = 9; d['k'] = [1]; d.pop('x'); s.add(3); b[0] = 1\n",
        "    l = [1, [2]]; inner = l[1]; d = {'x': 1}; s = {1}; b = bytearray(2)\n"
        "    assert candidate(l, d, s, b) is None\n"
        "    assert l == [9, [2], {'k': [1]}] and l[1] is inner and l[2] is d and s == {1, 3} and b == "
        "b'\\1\\0'\n");
    row("changed, then raised", "def f(l):\n", "    l[0].append(2)\n    raise KeyError('x')\n",
        "    l = [[1]]\n    try: candidate(l)\n    except KeyError as e: assert e.args == ('x',)\n"
        "    else: assert False\n    assert l == [[1, 2]]\n");
    row("exceptions", "class Mine(ValueError): pass\ndef f(k):\n",
        "    if k == 0: raise Mine('m')\n    if k == 1: raise OSError(2, 'no')\n    if k == 2: return 1 / 0\n"
        "    if k == 3: raise StopIteration(4)\n    assert False, 'four'\n",
        "    for k, t in enumerate([ValueError, FileNotFoundError, ZeroDivisionError, StopIteration, "
        "AssertionError]):\n"
        "        try: candidate(k)\n        except t as e: last = e\n        else: assert False\n"
        "    assert str(last) == 'four'\n");
    row("subclasses as their base", "import collections, enum\nclass E(enum.IntEnum): A = 3\ndef f(k):\n",
        "    return [collections.Counter('aab'), collections.defaultdict(list, {1: [2]}),\n"
        "            collections.namedtuple('P', 'a b')(1, 2), E.A][k]\n",
        "    assert [candidate(k) for k in range(4)] == [{'a': 2, 'b': 1}, {1: [2]}, (1, 2), 3]\n");
    row("helpers of the prompt", "def g(x):\n    return x + 1\n\ndef f(x):\n", "    return g(x) * 2\n",
        "    assert candidate(1) == 4 and g(2) == 3 and f(1) == 4\n");
    row("threads of the test", "def f(x):\n", "    print(x)\n    return x\n",
        "    from concurrent.futures import ThreadPoolExecutor\n"
        "    with ThreadPoolExecutor(4) as e: assert list(e.map(candidate, range(20))) == list(range(20))\n");
    row("state between calls", "n = 0\ndef f():\n", "    global n\n    n += 1\n    return n\n",
        "    assert [candidate() for _ in range(3)] == [1, 2, 3]\n");
    row("keywords", "def f(x, *a, y=2, **k):\n", "    return (x, a, y, k)\n",
        "    assert candidate(1, 2, y=4, z=5) == (1, (2,), 4, {'z': 5})\n");
    row("many values", "def f(x):\n", "    return sorted(x)\n",
        "    assert candidate(list(range(50000, 0, -1))) == list(range(1, 50001))\n");
}

void TestApart::valuesGoThrough() {
    QFETCH(QByteArray, prompt);
    QFETCH(QByteArray, body);
    QFETCH(QByteArray, check);
    const Verdict found = verdict(problem(prompt, check), body.toStdString());
    QVERIFY2(found.kind == VerdictKind::passed && found.proven, found.detail.c_str());
    QCOMPARE(found.detail, std::string());
}

void TestApart::endsAreTold_data() {
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<QByteArray>("check");
    QTest::addColumn<int>("kind");
    QTest::addColumn<QString>("detail");
    const auto row = [](const char* name, const QByteArray& body, const QByteArray& check, VerdictKind kind,
                        const char* detail) {
        QTest::newRow(name) << body << check << static_cast<int>(kind) << QString::fromLatin1(detail);
    };
    using enum VerdictKind;
    const QByteArray caught = "    try: candidate(1)\n    except BaseException: pass\n";
    row("assertion of the test", "    return 1\n", "    assert candidate(1) == 2, 'two'\n", failed,
        "AssertionError: two (line 5: assert candidate(1) == 2, 'two')");
    row("exception of the program", "    return 1 / (x - 1)\n", "    candidate(1)\n", failed,
        "ZeroDivisionError: division by zero (line 2: return 1 / (x - 1))");
    row("exception at the top", "    return 1\nraise ValueError('top')\n", caught, failed,
        "ValueError: top (line 3: raise ValueError('top'))");
    row("syntax", "    return 1 +\n", caught, failed, "SyntaxError: invalid syntax");
    row("no entry point", "    return 1\ndel f\n", caught, failed, "NameError: name 'f' is not defined");
    row("exit within a call", "    import os; os._exit(0)\n", caught, error,
        "ended without finishing check()");
    row("SystemExit", "    raise SystemExit(3)\n", "    candidate(1)\n", failed, "SystemExit: 3");
    row("loop", "    while True: pass\n", caught, timed_out, "limit of the sandbox: 10 s of");
    row("marks written", "    import os\n    os.write(4, bytes(32))\n    return 1\n",
        "    assert candidate(1) == 2\n", failed, "AssertionError");
    row("no message at all", "    import os\n    os.closerange(0, 20)\n    return 1\n", caught, error, "");
    row("memory", "    return [0] * (1 << 40)\n", "    candidate(1)\n", failed, "512 MiB of memory");
}

void TestApart::endsAreTold() {
    QFETCH(QByteArray, body);
    QFETCH(QByteArray, check);
    QFETCH(int, kind);
    QFETCH(QString, detail);
    const Verdict found = verdict(problem("def f(x):\n", check), body.toStdString());
    QVERIFY2(static_cast<int>(found.kind) == kind,
             (std::string(to_string(found.kind)) + ": " + found.detail).c_str());
    QVERIFY2(QString::fromStdString(found.detail).contains(detail), found.detail.c_str());
}

void TestApart::undecidedIsJudgedTogether_data() {
    QTest::addColumn<QByteArray>("body");
    QTest::addColumn<QByteArray>("check");
    QTest::addColumn<bool>("passes");
    QTest::newRow("iterator") << QByteArray("    return iter([x])\n")
                              << QByteArray("    assert list(candidate(1)) == [1]\n") << true;
    QTest::newRow("function as argument")
        << QByteArray("    return x(1)\n") << QByteArray("    assert candidate(lambda v: v + 1) == 2\n")
        << true;
    QTest::newRow("own class") << QByteArray("    import fractions; return fractions.Fraction(x, 2)\n")
                               << QByteArray("    assert candidate(1) == 0.5\n") << true;
    QTest::newRow("type of a subclass")
        << QByteArray("    import collections; return collections.Counter(x)\n")
        << QByteArray("    assert candidate('a').most_common()[0] == ('a', 1)\n") << true;
    QTest::newRow("wrong iterator") << QByteArray("    return iter([])\n")
                                    << QByteArray("    assert list(candidate(1)) == [1]\n") << false;
    QTest::newRow("exception of a class of the library")
        << QByteArray("    import decimal; raise decimal.InvalidOperation('x')\n")
        << QByteArray(
               "    import decimal\n    try: candidate(1)\n    except decimal.InvalidOperation: pass\n")
        << true;
}

void TestApart::undecidedIsJudgedTogether() {
    QFETCH(QByteArray, body);
    QFETCH(QByteArray, check);
    QFETCH(bool, passes);
    const Verdict found = verdict(problem("def f(x):\n", check), body.toStdString());
    QVERIFY2((found.kind == VerdictKind::passed) == passes, found.detail.c_str());
    QVERIFY(!found.proven);
    if (passes)
        QVERIFY2(found.detail.starts_with("passed, not proven: "), found.detail.c_str());
}

void TestApart::officialSolutionsAreProven() {
    const auto official = read_problems(QUANTSCOPE_SOURCE_DIR "/../shared/data/HumanEval.jsonl.gz");
    if (!official)
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    VerdictPool pool(*sandbox_);
    const auto checks = check_canonical_solutions(pool, *sandbox_, *official);
    QVERIFY(checks);
    QCOMPARE(std::count_if(checks->begin(), checks->end(),
                           [](const ProblemCheck& check) { return check.judging == Judging::apart; }),
             std::ptrdiff_t{164});
}

void TestApart::cancelKillsBoth() {
    int ends[2];
    QVERIFY(::pipe(ends) == 0);
    std::thread canceller([&] {
        std::this_thread::sleep_for(300ms);
        ::close(ends[1]);
    });
    const auto begin = std::chrono::steady_clock::now();
    const SandboxOutcome outcome = sandbox_->run_apart(problem("def f(x):\n", "    candidate(1)\n"),
                                                       "    while True: pass\n", 30s, ends[0]);
    canceller.join();
    ::close(ends[0]);
    QVERIFY(outcome.cancelled && !outcome.completed);
    QVERIFY(std::chrono::steady_clock::now() - begin < 15s);
}

QTEST_APPLESS_MAIN(TestApart)
#include "tst_apart.moc"
