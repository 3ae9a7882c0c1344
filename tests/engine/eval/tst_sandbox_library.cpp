// SPDX-License-Identifier: Apache-2.0
// What valid programs use of Python: the standard library, threads, output, site packages.
#include "engine/eval/verdict.h"
#include "tests/engine/eval/leftovers.h"

#include <QProcess>
#include <QtTest>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;

namespace {

/// Tells the modules that cannot be imported, one a line. antigravity opens a browser.
constexpr const char* import_all = R"PY(
import sys, warnings
warnings.simplefilter("ignore")
failed = []
for name in sorted(sys.stdlib_module_names - {"antigravity"}):
    try:
        __import__(name)
    except Exception as error:
        failed.append(name)
        print(name, type(error).__name__, error, file=sys.stderr)
)PY";

} // namespace

class TestSandboxLibrary : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanup() { QVERIFY2(no_children_left(), "a process was left behind"); }
    void standardLibraryImports();
    void programs_data();
    void programs();

  private:
    Verdict verdict(const std::string& program) {
        return judge(sandbox_->run(program, 20s), sandbox_->config(), 20s);
    }
    std::optional<Sandbox> sandbox_;
};

void TestSandboxLibrary::initTestCase() {
    adopt_orphans();
    auto sandbox = Sandbox::open();
    if (!sandbox)
        QSKIP(("no sandbox here: " + sandbox.error().message + ". " + sandbox.error().hint).c_str());
    sandbox_.emplace(std::move(*sandbox));
}

void TestSandboxLibrary::standardLibraryImports() {
    QProcess plain;
    plain.start(QString::fromStdString(sandbox_->config().python),
                {QStringLiteral("-I"), QStringLiteral("-S"), QStringLiteral("-c"),
                 QString::fromLatin1(import_all) + QStringLiteral("print(sorted(failed))")});
    QVERIFY(plain.waitForFinished(60000) && plain.exitCode() == 0);
    const std::string missing_outside =
        plain.readAllStandardOutput().trimmed().split('\n').last().toStdString();
    const Verdict found = verdict(std::string(import_all) + "failed = set(failed) - set(" + missing_outside +
                                  ")\nassert failed == {'_ctypes', '_xxsubinterpreters', 'ctypes'} & "
                                  "sys.stdlib_module_names, failed\n");
    QVERIFY2(found.kind == VerdictKind::passed, (found.detail + "\n" + found.output).c_str());
}

void TestSandboxLibrary::programs_data() {
    QTest::addColumn<QByteArray>("program");
    const auto row = [](const char* name, const QByteArray& program) { QTest::newRow(name) << program; };
    row("asyncio",
        "import asyncio\nasync def f():\n  await asyncio.sleep(0)\n  return 1\nassert asyncio.run(f()) == 1");
    row("asyncio with threads", "import asyncio\nasync def f(): return await asyncio.to_thread(sum, [1, 2])\n"
                                "assert asyncio.run(f()) == 3");
    row("types.coroutine",
        "import types\n@types.coroutine\ndef g():\n  x = yield 1\n  return x\n"
        "async def f(): return await g() + 1\nc = f()\nassert c.send(None) == 1\n"
        "try: c.send(5)\nexcept StopIteration as e: assert e.value == 6\nelse: assert False\n"
        "assert g.__name__ == 'g' and next(iter(g())) == 1");
    row("mock", "from unittest.mock import patch, MagicMock\nimport math\n"
                "with patch('math.sqrt', return_value=3): assert math.sqrt(4) == 3\nassert MagicMock()() is "
                "not None");
    row("dataclasses and named tuples",
        "import dataclasses, collections\n@dataclasses.dataclass(frozen=True)\nclass P:\n  x: int = 1\n"
        "assert P() == P(1)\nT = collections.namedtuple('T', 'a b', defaults=(2,))\nassert T(1) == (1, 2)");
    row("thread pool",
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(16) as e: assert sum(e.map(lambda x: x * x, range(1000))) == 332833500");
    row("as many threads as allowed",
        "import threading\nstop = threading.Event()\nts = [threading.Thread(target=stop.wait) for _ in "
        "range(32)]\n"
        "for t in ts: t.start()\nstop.set()\nfor t in ts: t.join()\nx = bytearray(100 << 20)");
    row("prints beyond the limit", "for _ in range(40): print('x' * (1 << 20))");
    row("prints a lone surrogate", "import sys\nprint('\\ud800 \\udcff')\nprint('\\udfff', "
                                   "file=sys.stderr)\nsys.stdout.write('\\ud800')");
    row("sockets of its own network",
        "import socket\na, b = socket.socketpair()\na.send(b'x')\nassert b.recv(1) == b'x'\n"
        "s = socket.create_server(('127.0.0.1', 0))\n"
        "c = socket.create_connection(s.getsockname())\ns.accept()[0].send(b'y')\nassert c.recv(1) == b'y'");
    row("marshal of data",
        "import marshal\nassert marshal.loads(marshal.dumps([1, 2.5, 'x'])) == [1, 2.5, 'x']");
    row("pickle and copy", "import copy, pickle, fractions\nx = {'a': [fractions.Fraction(1, 3)]}\n"
                           "assert pickle.loads(pickle.dumps(x)) == copy.deepcopy(x) == x");
    row("a module of its own",
        "import sys\nopen('/tmp/own.py', 'w').write('x = 1')\nsys.path.insert(0, '/tmp')\nimport own\n"
        "assert own.x == 1");
    row("time zones", "import zoneinfo\nassert zoneinfo.ZoneInfo('Europe/Berlin')");
}

void TestSandboxLibrary::programs() {
    QFETCH(QByteArray, program);
    const Verdict found = verdict(program.toStdString());
    QVERIFY2(found.kind == VerdictKind::passed, found.detail.c_str());
}

QTEST_APPLESS_MAIN(TestSandboxLibrary)
#include "tst_sandbox_library.moc"
