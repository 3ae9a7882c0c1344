// SPDX-License-Identifier: Apache-2.0
// Ways by which a program could leave its interpreter's rules. Each program only tries the handle of a door.
#include "engine/eval/verdict.h"
#include "tests/engine/eval/leftovers.h"

#include <QtTest>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;

class TestSandboxDoors : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanup() { QVERIFY2(no_children_left(), "a process was left behind"); }
    void closed_data();
    void closed();

  private:
    std::optional<Sandbox> sandbox_;
};

void TestSandboxDoors::initTestCase() {
    adopt_orphans();
    auto sandbox = Sandbox::open();
    if (!sandbox)
        QSKIP(("no sandbox here: " + sandbox.error().message + ". " + sandbox.error().hint).c_str());
    sandbox_.emplace(std::move(*sandbox));
}

void TestSandboxDoors::closed_data() {
    QTest::addColumn<QByteArray>("program");
    QTest::addColumn<QString>("detail");
    const auto row = [](const char* name, const QByteArray& program, const char* detail) {
        QTest::newRow(name) << program << QString::fromLatin1(detail);
    };
    for (const char* module : {"ctypes", "_ctypes", "_ctypes_test", "_testcapi", "_testinternalcapi",
                               "_testbuffer", "_xxsubinterpreters", "_interpreters", "_cffi_backend"}) {
        row(module, QByteArray("import ") + module,
            (QByteArray("the sandbox has no module ") + module).constData());
    }
    row("ctypes without the guard's look",
        "import os, glob\nfiles = glob.glob('/usr/lib/python3*/lib-dynload/_ctypes.*')\n"
        "assert not any(os.stat(f).st_size for f in files if not os.path.isdir(f)), 'readable'\nraise "
        "OSError('empty')",
        "OSError: empty");
    row("a hidden module by another name",
        "import importlib.machinery as m, importlib.util as u, glob\n"
        "f = glob.glob('/usr/lib/python3*/lib-dynload/_ctypes.*')[0]\n"
        "l = m.ExtensionFileLoader('other._ctypes', "
        "f)\nu.module_from_spec(u.spec_from_loader('other._ctypes', l))",
        "the sandbox has no module _ctypes");
    row("packages of the system",
        "import os\nassert not os.path.exists('/usr/lib/python3/dist-packages/pip'), 'seen'\n"
        "import pkg_resources",
        "ModuleNotFoundError: No module named 'pkg_resources'");
    row("site packages by path",
        "import sys\nsys.path.append('/usr/lib/python3/dist-packages')\nimport _cffi_backend",
        "the sandbox has no module _cffi_backend");
    row("serialised code", "import marshal\nmarshal.loads(marshal.dumps((lambda: 0).__code__))",
        "PermissionError: the sandbox refuses to deserialise code");
    row("serialised code from a file",
        "import marshal\nmarshal.dump((lambda: 0).__code__, open('/tmp/x', "
        "'wb'))\nmarshal.load(open('/tmp/x', 'rb'))",
        "refuses marshal.load");
    row("serialised code by pickle",
        "import pickle, marshal\nclass C:\n"
        "  def __reduce__(self): return marshal.loads, (marshal.dumps((lambda: 0).__code__),)\n"
        "pickle.loads(pickle.dumps(C()))",
        "refuses to deserialise code");
    row("a compiled module in /tmp",
        "import py_compile, sys\nopen('/tmp/own.py', 'w').write('x = 1')\n"
        "py_compile.compile('/tmp/own.py', '/tmp/other.pyc')\nsys.path.insert(0, '/tmp')\nimport other",
        "refuses to deserialise code");
    row("a compiled module in an archive",
        "import py_compile, sys, zipfile\nopen('/tmp/own.py', 'w').write('x = 1')\n"
        "py_compile.compile('/tmp/own.py', '/tmp/other.pyc')\nzipfile.ZipFile('/tmp/a.zip', "
        "'w').write('/tmp/other.pyc', "
        "'other.pyc')\nsys.path.insert(0, '/tmp/a.zip')\nimport other",
        "refuses to deserialise code");
    row("the loader's own function",
        "import marshal, importlib._bootstrap_external as b\n"
        "b._compile_bytecode(memoryview(marshal.dumps((lambda: 0).__code__)), 'x', '/usr/lib/x.pyc')",
        "refuses to deserialise code");
    row("frozen code",
        "import _imp, marshal\n_imp.get_frozen_object('x', marshal.dumps((lambda: 0).__code__))",
        "refuses to deserialise code");
    row("replaced code", "(lambda: 0).__code__.replace(co_name='x')", "refuses code.__new__");
    row("the guard's defaults",
        "import sys\ng = sys.modules['__main__']._guard\ng.__defaults__ = (None,) * len(g.__defaults__)",
        "refuses to change its guard");
    row("tracing", "import sys\nsys.settrace(lambda *a: None)", "refuses sys.settrace");
    row("profiling", "import sys\nsys.setprofile(lambda *a: None)", "refuses sys.setprofile");
    row("a native module in /tmp",
        "import glob, shutil, sys\nshutil.copy(glob.glob('/usr/lib/python3*/lib-dynload/_json.*')[0], "
        "'/tmp/_json.so')\n"
        "sys.path.insert(0, '/tmp')\nimport _json",
        "native modules from the interpreter's own folders only");
    row("machine code from /tmp",
        "import mmap\nf = open('/tmp/x', 'w+b')\nf.write(bytes(4096))\nf.flush()\n"
        "mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "PermissionError: [Errno 1] Operation not permitted");
    row("machine code in memory", "import mmap\nmmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)",
        "PermissionError: [Errno 1] Operation not permitted");
    row("a program in /tmp",
        "import os\nopen('/tmp/x', 'w').write('#!/usr/bin/python3\\n')\nos.chmod('/tmp/x', "
        "0o700)\nos.execv('/tmp/x', ['x'])",
        "PermissionError: [Errno 13] Permission denied");
    row("a file without a name", "import os\nos.memfd_create('x')", "PermissionError: [Errno 1]");
    for (const char* family : {"AF_VSOCK", "AF_NETLINK", "AF_PACKET", "AF_ALG", "AF_BLUETOOTH"}) {
        row(family, QByteArray("import socket\nsocket.socket(socket.") + family + ", socket.SOCK_STREAM)",
            "[Errno 97] Address family not supported by protocol");
    }
}

void TestSandboxDoors::closed() {
    QFETCH(QByteArray, program);
    QFETCH(QString, detail);
    const Verdict found = judge(sandbox_->run(program.toStdString(), 20s), sandbox_->config(), 20s);
    QVERIFY2(found.kind == VerdictKind::failed,
             (std::string(to_string(found.kind)) + ": " + found.detail).c_str());
    QVERIFY2(QString::fromStdString(found.detail).contains(detail), found.detail.c_str());
}

QTEST_APPLESS_MAIN(TestSandboxDoors)
#include "tst_sandbox_doors.moc"
