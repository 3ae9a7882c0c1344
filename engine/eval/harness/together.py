# SPDX-License-Identifier: Apache-2.0
# Program and test in one interpreter; harness.h has the protocol.
#
# The nonce exists in one place while the program runs: the value stack of the module frame, as the left operand
# of `read(nonce) + _run()`. No variable, constant, cell, frame attribute or garbage-collected container refers
# to it (gc does not traverse running frames), its descriptor has been read past and closed, and an exception
# drops it.
def _run(read, close, compiler, execute):
    global _source
    parts = []
    while part := read(3, 65536):
        parts.append(part)
    close(3)
    _source = b"".join(parts).decode()
    _arm(_source)
    execute(compiler(_source, "<program>", "exec"), {})
    return b""

posix.write(4, b"S")
try:
    posix.write(4, posix.read(3, 32) + _run(posix.read, posix.close, compile, exec))
except BaseException as error:
    _report(error)
_end()
