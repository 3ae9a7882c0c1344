// SPDX-License-Identifier: Apache-2.0
// Each hostile program really runs under bubblewrap. Where user namespaces are off the whole file is skipped.
#include "engine/eval/child_process.h"
#include "engine/eval/isolated_process.h"
#include "engine/eval/verdict.h"
#include "tests/engine/eval/leftovers.h"

#include <QtTest>
#include <arpa/inet.h>
#include <array>
#include <atomic>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;

Q_DECLARE_METATYPE(VerdictKind)

class TestSandbox : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanup();
    void attacks_data();
    void attacks();
    void programs_data();
    void programs();
    void networkIsUnreachable();
    void manyStartAtOnce();
    void nothingIsInherited();
    void cpuTimeIsLimited();
    void outputIsKeptFromItsEnd();
    void cancelKillsAtOnce();
    void missingPartsFailClosed_data();
    void missingPartsFailClosed();
    void brokenSandboxFailsClosed();
    void cleanText();

  private:
    Verdict verdict(const std::string& program, std::chrono::milliseconds limit = 10s) {
        return judge(sandbox_->run(program, limit), sandbox_->config(), limit);
    }
    std::optional<Sandbox> sandbox_;
};

void TestSandbox::initTestCase() {
    adopt_orphans();
    ::setenv("QUANTSCOPE_SECRET", "a secret of the host", 1);
    auto sandbox = Sandbox::open();
    if (!sandbox)
        QSKIP(("no sandbox here: " + sandbox.error().message + ". " + sandbox.error().hint).c_str());
    sandbox_.emplace(std::move(*sandbox));
}

void TestSandbox::cleanup() {
    QVERIFY2(no_children_left(), "a process was left behind");
}

void TestSandbox::attacks_data() {
    QTest::addColumn<QByteArray>("program");
    QTest::addColumn<VerdictKind>("kind");
    QTest::addColumn<QString>("detail");
    const auto row = [](const char* name, const char* program, VerdictKind kind, const char* detail) {
        QTest::newRow(name) << QByteArray(program) << kind << QString::fromLatin1(detail);
    };
    using enum VerdictKind;
    row("os._exit(0)", "import os\nos._exit(0)", error, "ended without finishing check(): exit status 0");
    row("sys.exit(0)", "import sys\nsys.exit(0)", failed, "SystemExit: 0 (line 2: sys.exit(0))");
    row("SystemExit", "raise SystemExit", failed, "SystemExit (line 1");
    row("exit in atexit", "import atexit, os\natexit.register(os._exit, 0)\nassert False", failed,
        "AssertionError");
    row("crash", "import os\nos.kill(os.getpid(), 11)", error, "killed by signal 11 (SIGSEGV)");
    row("abort", "import os\nos.abort()", error, "killed by signal 6 (SIGABRT)");
    row("fork", "import os\nos.fork()", failed, "limit of the sandbox: no new processes");
    row("signal of a limit",
        "import os, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "open('/tmp/x', 'wb', 0).write(bytes(2 << 20))\nopen('/tmp/x', 'ab', 0).write(b'x')",
        error, "stopped while writing; limit of the sandbox: 1 MiB a file");
    row("fork bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", timed_out,
        "still running");
    row("too many threads",
        "import threading\nstop = threading.Event()\n"
        "try:\n  for i in range(100): threading.Thread(target=stop.wait).start()\n"
        "finally:\n  assert threading.active_count() == 33\n  stop.set()",
        failed,
        "can't start new thread (line 4: for i in range(100): threading.Thread(target=stop.wait)."
        "start()); limit of the sandbox: 32 threads");
    row("subprocess", "import subprocess\nsubprocess.run(['/usr/bin/true'])", failed, "BlockingIOError");
    row("10 GB", "x = bytearray(10 << 30)", failed,
        "MemoryError (line 1: x = bytearray(10 << 30)); limit of the sandbox: 512 MiB of memory");
    row("memory in pieces", "x = []\nwhile True: x.append(bytearray(1 << 20))", failed, "MemoryError");
    row("infinite loop", "while True: pass", timed_out,
        "still running; limit of the sandbox: 0.7 s of wall time");
    row("sleep", "import time\ntime.sleep(3600)", timed_out, "still running");
    row("loop that swallows everything", "while True:\n  try: raise ValueError\n  except BaseException: pass",
        timed_out, "still running");
    row("ignored signals",
        "import signal\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n"
        "  except OSError: pass\nwhile True: pass",
        timed_out, "still running");
    row("endless errors", "import os\nwhile True: os.write(2, b'x' * 65536)", error,
        "stopped while printing; limit of the sandbox: 256 MiB of output");
    row("flooded result", "import os\nwhile True: os.write(4, b'x' * 65536)", error,
        "stopped while printing; limit of the sandbox: 256 MiB of output");
    row("recursion", "def f(): f()\nf()", failed, "RecursionError");
    row("home", "import os\nos.listdir('/home')", failed, "FileNotFoundError");
    row("root", "import os\nos.listdir('/root')", failed, "FileNotFoundError");
    row("passwords", "open('/etc/passwd')", failed, "FileNotFoundError");
    row("proc", "open('/proc/self/mem', 'rb')", failed, "FileNotFoundError");
    row("write to /", "open('/x', 'w')", failed, "Read-only file system");
    row("write to /usr", "open('/usr/x', 'w')", failed, "Read-only file system");
    row("write to /dev", "open('/dev/x', 'w')", failed, "Read-only file system");
    row("write to /dev/shm", "open('/dev/shm/x', 'w')", failed, "Read-only file system");
    row("big file", "open('/tmp/x', 'wb').write(bytes(2 << 20))", failed,
        "File too large (line 1: open('/tmp/x', 'wb').write(bytes(2 << 20))); limit of the sandbox: 1 MiB a "
        "file");
    row("full /tmp", "for i in range(20): open(f'/tmp/{i}', 'wb').write(bytes(1 << 20))", failed,
        "limit of the sandbox: 16 MiB and 1024 files in /tmp");
    row("many files", "for i in range(5000): open(f'/tmp/{i}', 'w').close()", failed,
        "limit of the sandbox: 16 MiB and 1024 files in /tmp");
    row("many descriptors", "x = []\nwhile True: x.append(open('/dev/null'))", failed,
        "limit of the sandbox: 32 open files");
    row("kill everyone",
        "import os\nfor p in (1, os.getppid(), -1):\n  try: os.kill(p, 9)\n"
        "  except OSError: pass\nraise RuntimeError('still here')",
        failed, "RuntimeError: still here");
    row("stdin", "input()", failed, "EOFError");
    row("closed descriptors", "import os\nos.closerange(0, 100)", error, "ended without finishing check()");
    row("closed descriptors and sleep", "import os, time\nos.closerange(0, 100)\ntime.sleep(3600)", timed_out,
        "still running");
    row("raise limits", "import resource\nresource.setrlimit(resource.RLIMIT_AS, (-1, -1))", failed,
        "not allowed to raise maximum limit");
    row("forged marks",
        "import os\nprint('S', 'passed', flush=True)\nopen('/tmp/passed', 'w').write('passed')\n"
        "for fd in range(32):\n  try: os.write(fd, b'S' + bytes(32))\n  except OSError: pass\nos._exit(0)",
        error, "exit status 0");
    row("forged marks before a pass attempt", "import os\nos.write(4, bytes(32))\nos._exit(0)", error,
        "exit status 0");
    row("read descriptors",
        "import os\nfor fd in range(3, 32):\n"
        "  try: os.write(4, os.read(fd, 32))\n  except OSError: pass\nos._exit(0)",
        error, "exit status 0");
    row("read the input again", "import os\nos.lseek(3, 0, 0)", failed, "Bad file descriptor");
    row("nonce in frames",
        "import os, sys\nframe = sys._getframe()\nwhile frame:\n"
        "  code = frame.f_code\n"
        "  for x in [*frame.f_locals.values(), *frame.f_globals.values(), *code.co_consts]:\n"
        "    if type(x) is bytes and len(x) == 32:\n      os.write(4, x)\n      os._exit(7)\n"
        "  frame = frame.f_back\nos._exit(8)",
        error, "exit status 8");
    row("nonce in the garbage collector",
        "import gc, os\nfound = set()\nfor o in [*gc.get_objects(), *gc.get_referrers(os)]:\n"
        "  for x in [o, *gc.get_referents(o)]:\n"
        "    if type(x) is bytes and len(x) == 32 and max(x) > 127: found.add(x)\n"
        "if len(found) == 1: os.write(4, found.pop())\nos._exit(7 + len(found))",
        error, "exit status 7");
    row("bytecode", "(lambda: 0).__code__.replace(co_code=b'')", failed, "refuses code.__new__");
    row("disarm the guard",
        "import sys\nguard = sys.modules['__main__']._guard\n"
        "guard.__code__ = (lambda event, args: None).__code__",
        failed, "refuses to replace a function's code");
    row("run the harness again",
        "import sys\nsys.modules['__main__']._run(*[lambda *a: b''] * 4)\nassert False", failed,
        "AssertionError");
    row("hostile exception", "class E(Exception):\n  def __str__(self): raise E\nraise E", failed,
        "Exception that cannot be described");
    row("exception text with escapes", "raise ValueError('\\x1b[2J\\r\\nsecond')", failed,
        "ValueError: \xEF\xBF\xBD[2J");
    row("another process", "import os\nos.kill(2000000, 0)", failed, "ProcessLookupError");
}

void TestSandbox::attacks() {
    QFETCH(QByteArray, program);
    QFETCH(VerdictKind, kind);
    QFETCH(QString, detail);
    const auto limit = kind == VerdictKind::timed_out ? 700ms : 10s; // only the former is reached
    const Verdict found = verdict(program.toStdString(), limit);
    QVERIFY2(found.kind == kind, (std::string(to_string(found.kind)) + ": " + found.detail).c_str());
    const QString expected = QString::fromUtf8(detail.toLatin1());
    QVERIFY2(QString::fromStdString(found.detail).contains(expected), found.detail.c_str());
}

void TestSandbox::programs_data() {
    QTest::addColumn<QByteArray>("program");
    QTest::addColumn<VerdictKind>("kind");
    QTest::addColumn<QString>("detail");
    const auto row = [](const char* name, const QByteArray& program, VerdictKind kind, const char* detail) {
        QTest::newRow(name) << program << kind << QString::fromLatin1(detail);
    };
    using enum VerdictKind;
    row("nothing wrong", "x = 1", passed, "");
    row("what solutions import",
        "import bisect, collections, copy, dataclasses, datetime, decimal, enum, fractions, functools, "
        "hashlib, "
        "heapq, itertools, json, math, operator, random, re, statistics, string, time, typing\n"
        "assert hashlib.md5(b'').hexdigest().startswith('d41d')",
        passed, "");
    row("named tuples look at frames",
        "from collections import namedtuple\nassert namedtuple('P', 'x')(1).x == 1", passed, "");
    row("its own /tmp", "open('/tmp/x', 'w').write('x')\nassert open('/tmp/x').read() == 'x'", passed, "");
    row("prints much and passes", "print('x' * 1000000)", passed, "");
    row("assertion", "x = 2\nassert x == 1, 'no'\n", failed,
        "AssertionError: no (line 2: assert x == 1, 'no')");
    row("in a function", "def f(x):\n    return 1 / x\nf(0)", failed,
        "ZeroDivisionError: division by zero (line 2: return 1 / x)");
    row("syntax", "def f(:\n", failed, "SyntaxError: invalid syntax (<program>, line 1)");
    row("its own exception", "class Odd(Exception): pass\nraise Odd('x')", failed, "Odd: x");
    row("NUL", QByteArray("x = '\0'", 7), failed, "null bytes");
    row("invalid UTF-8", "x = '\xff'", failed, "UnicodeDecodeError");
    row("no __main__ part, as in human-eval", "if __name__ == '__main__': raise ValueError", passed, "");
    row("longer than a pipe", "x = '" + QByteArray(300000, 'x') + "'\nassert len(x) == 300000", passed, "");
}

void TestSandbox::programs() {
    attacks();
}

/// Children share our memory until they are bwrap, and with it a flag that leaving root changes.
void TestSandbox::manyStartAtOnce() {
    std::atomic<int> refused = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&refused] {
            const Fd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
            const std::array<int, 3> fds = {null.get(), null.get(), null.get()};
            Isolation isolation;
            isolation.scratch_bytes = 1U << 20U;
            isolation.scratch_files = 16;
            for (int n = 0; n < 150; ++n) {
                const pid_t pid = spawn_isolated({"/bin/true"}, fds, isolation);
                refused += pid < 0 ? 1 : 0;
                while (pid > 0 && ::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
                }
            }
        });
    }
    for (std::thread& thread : threads)
        thread.join();
    QCOMPARE(refused.load(), 0);
}

void TestSandbox::networkIsUnreachable() {
    const int server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    QVERIFY(::bind(server, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(server, 1) == 0);
    QVERIFY(::getsockname(server, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    const std::string port = std::to_string(ntohs(address.sin_port));
    const Verdict found =
        verdict("import socket\nsocket.create_connection(('127.0.0.1', " + port + "), timeout=1)");
    QVERIFY2(found.kind == VerdictKind::failed, found.detail.c_str());
    QVERIFY2(found.detail.starts_with("ConnectionRefusedError"), found.detail.c_str());
    pollfd entry{server, POLLIN, 0};
    QCOMPARE(::poll(&entry, 1, 0), 0); // nobody knocked
    ::close(server);
    const Verdict outside = verdict("import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=1)");
    QVERIFY2(outside.detail.find("Network is unreachable") != std::string::npos, outside.detail.c_str());
}

void TestSandbox::nothingIsInherited() {
    const int secret =
        ::open("/proc/self/environ", O_RDONLY); // without close-on-exec, as a careless library does
    QVERIFY(secret >= 0);
    const Verdict found =
        verdict("import os, resource, socket, sys\n"
                "ours = {'OPENBLAS_NUM_THREADS', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'MALLOC_ARENA_MAX'}\n"
                "assert set(os.environ) <= {'PWD', 'LC_CTYPE'} | ours, dict(os.environ)\n"
                "def is_open(fd):\n  try: os.fstat(fd)\n  except OSError: return False\n  return True\n"
                "assert [fd for fd in range(256) if is_open(fd)] == [0, 1, 2, 4]\n"
                "assert os.getuid() == 65534 and os.getpid() < 10 and os.getcwd() == '/tmp'\n"
                "assert sys.flags.isolated and sys.dont_write_bytecode\n"
                "limits = [resource.getrlimit(x) for x in (resource.RLIMIT_AS, resource.RLIMIT_CPU, "
                "resource.RLIMIT_NPROC,\n"
                "          resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE)]\n"
                "assert limits == [(512 << 20, 512 << 20), (10, 11), (34, 34), (32, 32), (1 << 20, 1 << 20), "
                "(0, 0)], limits\n");
    ::close(secret);
    QVERIFY2(found.kind == VerdictKind::passed, found.detail.c_str());
}

void TestSandbox::cpuTimeIsLimited() {
    SandboxConfig config;
    config.cpu_s = 1;
    const auto sandbox = Sandbox::open(config);
    QVERIFY(sandbox);
    const Verdict found = judge(sandbox->run("while True: pass", 20s), config, 20s);
    QVERIFY2(found.kind == VerdictKind::timed_out, found.detail.c_str());
    QCOMPARE(found.detail, std::string("still running; limit of the sandbox: 1 s of CPU time"));
}

void TestSandbox::outputIsKeptFromItsEnd() {
    const Verdict found =
        verdict("import os\nos.write(1, b'start')\nfor i in range(100): os.write(2, b'x' * 10000)\n"
                "os.write(1, b'\\xffend\\0')\nos._exit(3)");
    QCOMPARE(found.kind, VerdictKind::error);
    QVERIFY2(found.output.size() <= 64 * 1024, std::to_string(found.output.size()).c_str());
    QVERIFY(found.output.find("start") == std::string::npos);
    QVERIFY(found.output.ends_with("x\xEF\xBF\xBD"
                                   "end\xEF\xBF\xBD"));
    QVERIFY(found.detail.starts_with("ended without finishing check(): exit status 3; last output: "));
    QCOMPARE(verdict("print('seen')\nassert False").output, std::string("seen\n"));
}

void TestSandbox::cancelKillsAtOnce() {
    int ends[2];
    QVERIFY(::pipe(ends) == 0);
    const auto start = std::chrono::steady_clock::now();
    std::thread canceller([&] {
        std::this_thread::sleep_for(200ms);
        ::close(ends[1]); // the other end becomes readable
    });
    const SandboxOutcome outcome = sandbox_->run("while True: pass", 30s, ends[0]);
    canceller.join();
    ::close(ends[0]);
    QVERIFY(outcome.cancelled);
    QVERIFY(std::chrono::steady_clock::now() - start < 5s);
    QCOMPARE(judge(outcome, sandbox_->config(), 30s).kind, VerdictKind::unscored);
}

void TestSandbox::missingPartsFailClosed_data() {
    QTest::addColumn<int>("part");
    QTest::addColumn<QString>("message");
    QTest::addColumn<QString>("hint");
    QTest::newRow("bwrap") << 0 << "bubblewrap was not found at /nowhere"
                           << "apt-get install bubblewrap";
    QTest::newRow("python") << 1 << "Python 3 was not found at /nowhere"
                            << "apt-get install python3";
}

void TestSandbox::missingPartsFailClosed() {
    QFETCH(int, part);
    QFETCH(QString, message);
    QFETCH(QString, hint);
    SandboxConfig config;
    (part == 0 ? config.bwrap : config.python) = "/nowhere";
    const SandboxStatus status = probe_sandbox(config);
    QVERIFY(!status.available);
    QVERIFY2(status.message.starts_with(message.toStdString()), status.message.c_str());
    QVERIFY2(status.hint.find(hint.toStdString()) != std::string::npos, status.hint.c_str());
    QVERIFY(probe_sandbox().available);
}

void TestSandbox::brokenSandboxFailsClosed() {
    SandboxConfig config;
    config.bwrap = "/usr/bin/true"; // runs, exits 0, and makes no sandbox
    const SandboxStatus silent = probe_sandbox(config);
    QVERIFY(!silent.available);
    QVERIFY2(silent.message.starts_with("bubblewrap cannot make a sandbox here"), silent.message.c_str());
    QVERIFY(silent.hint.find("user namespaces") != std::string::npos);
    config = {};
    config.python = "/usr/bin/true"; // a sandbox without an interpreter in it
    QVERIFY(!probe_sandbox(config).available);
}

void TestSandbox::cleanText() {
    const auto clean = [](std::string_view bytes, std::size_t max = 100) { return clean_text(bytes, max); };
    QCOMPARE(clean("a\tb\nc"), std::string("a\tb\nc"));
    QCOMPARE(clean("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
             std::string("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
    const std::string mark = "\xEF\xBF\xBD";
    QCOMPARE(clean("\x1b[0m\r"), mark + "[0m" + mark);
    QCOMPARE(clean("\xff"), mark);
    QCOMPARE(clean("\xC0\xAF"), mark + mark);                       // overlong "/"
    QCOMPARE(clean("\xED\xA0\x80"), mark + mark + mark);            // a surrogate
    QCOMPARE(clean("\xF4\x90\x80\x80"), mark + mark + mark + mark); // beyond U+10FFFF
    QCOMPARE(clean("ab\xE2\x82"), "ab" + mark + mark);              // cut short
    QCOMPARE(clean("ab\xE2\x82\xAC", 4), std::string("ab"));        // no room for the whole character
}

QTEST_APPLESS_MAIN(TestSandbox)
#include "tst_sandbox.moc"
