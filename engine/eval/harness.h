// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace quantscope::eval {

/// Descriptors of the harness inside the sandbox, beside stdin (/dev/null), stdout and stderr (one capped
/// pipe).
inline constexpr int harness_input_fd = 3;  ///< the nonce, then the verdict program
inline constexpr int harness_result_fd = 4; ///< what happened, see below
inline constexpr int nonce_bytes = 32;

/// The Python program that runs a verdict program inside the sandbox. On descriptor 4 it writes "S" when it
/// starts, then either the nonce (check() returned) or "E" and the exception's last line; nothing more if the
/// program ends the interpreter itself.
///
/// The nonce exists in one place while the hostile program runs: the value stack of the module frame, as the
/// left operand of `read(nonce) + _run()`. No variable, constant, cell, frame attribute or garbage-collected
/// container refers to it (gc does not traverse running frames), its descriptor has been read past and
/// closed, and an exception drops it. Reading memory is left: there is no /proc in the sandbox, and the audit
/// hook, which Python code cannot remove, refuses ctypes, hand-made bytecode and changing a function's code.
inline constexpr const char* harness_source = R"PY(
import posix, sys

_source = ""

def _guard(event, args):
    if event[:7] == "ctypes." or event == "code.__new__":
        raise PermissionError("the sandbox refuses " + event)
    if event == "object.__setattr__" and args[1] == "__code__":
        raise PermissionError("the sandbox refuses to replace a function's code")

def _run(read, close, compiler, execute):
    global _source
    parts = []
    while part := read(3, 65536):
        parts.append(part)
    close(3)
    _source = b"".join(parts).decode()
    execute(compiler(_source, "<program>", "exec"), {})
    return b""

def _describe(error):
    kind = type(error)
    name = kind.__qualname__
    if kind.__module__ not in ("builtins", "__main__"):
        name = kind.__module__ + "." + name
    text = str(error).strip().partition("\n")[0][:500]
    if text:
        name += ": " + text
    line = 0
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>":
            line = trace.tb_lineno
        trace = trace.tb_next
    lines = _source.split("\n")
    if 0 < line <= len(lines):
        name += " (line %d: %s)" % (line, lines[line - 1].strip()[:200])
    return name.encode("utf-8", "replace")

posix.write(4, b"S")
try:
    sys.addaudithook(_guard)
    posix.write(4, posix.read(3, 32) + _run(posix.read, posix.close, compile, exec))
except BaseException as error:
    try:
        posix.write(4, b"E" + _describe(error))
    except BaseException:
        posix.write(4, b"EException that cannot be described")
posix._exit(0)
)PY";

} // namespace quantscope::eval
