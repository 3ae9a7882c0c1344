# SPDX-License-Identifier: Apache-2.0
# First part of every harness: what a judged program may not do inside its interpreter. sandbox.h says how much
# that is worth. What the guard uses is bound in its defaults, a tuple that nobody can change, as globals,
# builtins and closures can be reached and replaced from the judged program. _HIDDEN and _MAX_THREADS come before.
import _imp, _thread, posix, resource, sys, types

_REFUSED = frozenset((
    "code.__new__", "marshal.load", "sys.settrace", "sys.setprofile", "sys.monitoring.register_callback",
    "cpython.PyInterpreterState_New",
))
_SITE = "/site"  # where sandbox_layout.cpp puts the packages of the allow list
try:
    _packages = posix.listdir(_SITE)
    sys.path.append(_SITE)
except OSError:
    _packages = []

def _guard(event, args, type=type, str=str, bytes=bytes, memoryview=memoryview, len=len, hidden=_HIDDEN,
           refused=_REFUSED, threads=_MAX_THREADS, count=_thread._count, frame=sys._getframe,
           loader=sys.modules["_frozen_importlib_external"]._compile_bytecode.__code__,
           roots=tuple(path + "/" for path in sys.path), function=type(lambda: 0), open=posix.open,
           read=posix.read, close=posix.close, ImportError=ImportError, PermissionError=PermissionError,
           RuntimeError=RuntimeError):
    if event == "import":
        module = str.rpartition(args[0], ".")[2]
        if module in hidden:
            raise ImportError("the sandbox has no module " + module)
        file = args[1]
        if file is not None and (type(file) is not str or not file.startswith(roots) or "/../" in file):
            raise ImportError("the sandbox loads native modules from the interpreter's own folders only")
    elif event == "marshal.loads":
        # Compiled modules of the read-only folders, exactly as they are stored there, and data without code.
        # `data` is a copy; what is going to be read must not change after this look.
        data = args[0]
        if b"c" not in data and b"\xe3" not in data:
            return
        if frame(1).f_code is loader:
            names = frame(1).f_locals
            given = names["data"]
            path = names["bytecode_path"]
            if (type(given) is memoryview and type(given.obj) is bytes and type(path) is str
                    and path.startswith(roots) and "/../" not in path):
                fd = open(path, 0)
                stored = read(fd, 17 + len(data))
                close(fd)
                if stored[16:] == data:
                    return
        raise PermissionError("the sandbox refuses to deserialise code")
    elif event == "_thread.start_new_thread" or event == "_thread.start_joinable_thread":
        if count() >= threads:
            raise RuntimeError("can't start new thread")
    elif event in refused or event[:7] == "ctypes.":
        raise PermissionError("the sandbox refuses " + event)
    elif event == "object.__setattr__":
        if args[1] == "__code__":
            raise PermissionError("the sandbox refuses to replace a function's code")
        if args[1] == "__defaults__" and type(args[0]) is function and args[0].__code__.co_name == "_guard":
            raise PermissionError("the sandbox refuses to change its guard")

def _coroutine(func, original=types.coroutine):
    # The library's own way replaces the function's code, which the guard refuses.
    if type(func) is types.FunctionType and func.__code__.co_flags & 0x1A0 == 0x20:
        import functools
        @functools.wraps(func)
        def start(*args, **named):
            return types._GeneratorWrapper(func(*args, **named))
        return start
    return original(func)

def _no_frozen_object(name, data=None):
    raise ImportError("the sandbox refuses to deserialise code")

def _arm(source):
    # numpy before 1.25 replaces its functions' code while it is imported: it may, before anything else runs.
    for package in _packages:
        if package in source:
            try:
                __import__(package)
            except Exception:
                pass  # the program meets it again
    types.coroutine = _coroutine
    # Frozen modules are read from their files like all others; what loads them would make code of any bytes.
    _imp._override_frozen_modules_for_tests(-1)
    _imp.get_frozen_object = _no_frozen_object
    # The main thread, and the process that bubblewrap keeps beside it.
    resource.setrlimit(resource.RLIMIT_NPROC, (_MAX_THREADS + 2,) * 2)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    sys.addaudithook(_guard)
