# SPDX-License-Identifier: Apache-2.0
# The checking half: knows the nonce and runs the problem's test, for which the judged process is a function that
# takes and gives plain values. Runs the problem file's code only.
import builtins

class _Gone(BaseException):
    # The judged process ended, or what it says is no answer.
    pass

class _Undecided(BaseException):
    # A value does not go through the channel.
    pass

_end_of = None  # the first _Gone or _Undecided: the test may catch it, its verdict stays
_converted = False
_raised = (None, b"")  # the last exception of the judged process, and its own description

def _stop(kind, *text):
    global _end_of
    if _end_of is None:
        _end_of = kind(*text)
    raise _end_of

def _apply_changes(reader):
    for _ in range(reader.get()):
        value = reader.known[reader.get()]
        if type(value) is bytearray:
            value[:] = reader.get()
            continue
        if reader.take(1) != _CONTAINERS[type(value)] or type(value) in (tuple, frozenset):
            raise ValueError("an argument changed its type")
        count = reader.length()
        if type(value) is dict:
            items = [(reader.get(1), reader.get(1)) for _ in range(count)]
            value.clear()
            value.update(items)
        elif type(value) is list:
            value[:] = [reader.get(1) for _ in range(count)]
        else:
            items = [reader.get(1) for _ in range(count)]
            value.clear()
            value.update(items)

def _exception(name, args, description):
    global _raised, _converted
    kind = getattr(builtins, name, None)
    if not (isinstance(kind, type) and issubclass(kind, BaseException)) or type(description) is not bytes:
        raise ValueError("no exception")
    try:
        error = kind(*args)
    except Exception:
        _converted = True
        error = kind(str(args))
    _raised = (error, description)
    return error

def _call(args, named):
    global _converted
    if _end_of is not None:
        raise _end_of
    writer = _Writer()
    try:
        writer.put((args, named), exact=True)
        _send(writer)
    except _Unsendable as cause:
        _stop(_Undecided, "an argument cannot be sent: %s" % cause)
    except OSError:
        _stop(_Gone)
    message = _receive()
    if message is None:
        _stop(_Gone)
    error = result = undecided = None
    try:
        reader = _Reader(message, writer.kept)
        if message[:1] == b"s":
            undecided = reader.get()
        else:
            _apply_changes(reader)
            if reader.get():
                error = _exception(reader.get(), reader.get(), reader.get())
            else:
                result = reader.get()
            _converted = bool(reader.get()) or _converted
    except (ValueError, TypeError, IndexError, KeyError, AttributeError, OverflowError, RecursionError):
        _stop(_Gone)
    if undecided is not None:
        _stop(_Undecided, undecided)
    if error is not None:
        raise error
    return result

_lock = _thread.RLock()

def _candidate(*args, **named):
    with _lock:  # a test may call from several threads
        return _call(args, named)

def _field(read):
    size = int.from_bytes(read(3, 8), "little")
    parts = []
    while size > 0:
        part = read(3, min(size, 65536))
        parts.append(part)
        size -= len(part)
    return b"".join(parts).decode()

def _check(entry_point, reference, lines, test):
    # The prompt may define what the test uses beside the entry point, so it is run with its canonical solution.
    global _source
    names = {}
    exec(compile(reference, "<reference>", "exec"), names)
    _candidate.__name__ = _candidate.__qualname__ = entry_point
    names[entry_point] = _candidate
    _source = "\n" * int(lines) + test + "\ncheck(" + entry_point + ")"
    program = compile(_source, "<program>", "exec")
    if _receive() is None:
        _stop(_Gone)
    exec(program, names)

posix.write(4, b"S")
nonce = posix.read(3, 32)
fields = [_field(posix.read) for _ in range(4)]
posix.close(3)
try:
    _arm(fields[1] + fields[3])
    _check(*fields)
    if _end_of is not None:
        raise _end_of
    posix.write(4, nonce)
except BaseException as error:
    if type(_end_of) is _Gone:
        posix.write(4, b"D")
    elif type(_end_of) is _Undecided:
        posix.write(4, b"U" + str(_end_of).encode("utf-8", "replace"))
    else:
        if _converted:
            posix.write(4, b"C")
        if error is _raised[0]:
            posix.write(4, b"E" + _raised[1][:2000])
        else:
            _report(error)
_end()
