# SPDX-License-Identifier: Apache-2.0
_source = ""  # of the program whose lines are quoted

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

def _report(error):
    try:
        posix.write(4, b"E" + _describe(error))
    except BaseException:
        posix.write(4, b"EException that cannot be described")

def _end():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BaseException:
            pass
    posix._exit(0)
