# SPDX-License-Identifier: Apache-2.0
# Values between checker and judged process: a tag, then what it needs, depth first. Containers and NaNs are
# numbered in the order in which they are met, in a call's arguments and then in its answer, so that what is the
# same object on one side is the same on the other.
import struct

_MAX_DEPTH = 100
_MAX_MESSAGE = 64 << 20
_FROM, _TO = 6, 7  # descriptors of the other process
_CONTAINERS = {list: b"l", tuple: b"t", dict: b"d", set: b"S", frozenset: b"Z"}

class _Unsendable(Exception):
    pass

class _Writer:
    def __init__(self, known=()):
        self.out = []
        self.numbers = {id(value): number for number, value in enumerate(known)}
        self.kept = list(known)  # ids stay theirs as long as the objects live
        self.converted = False  # something was sent as a value of its base type

    def number(self, value):
        self.numbers[id(value)] = len(self.kept)
        self.kept.append(value)

    def put(self, value, exact=False, depth=0):
        kind = type(value)
        out = self.out
        if value is None:
            out.append(b"N")
        elif kind is bool:
            out.append(b"T" if value else b"F")
        elif kind is int:
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            out.append(b"i" + struct.pack("<I", len(data)) + data)
        elif kind is str:
            data = value.encode("utf-8", "surrogatepass")
            out.append(b"s" + struct.pack("<I", len(data)) + data)
        elif kind is bytes:
            out.append(b"b" + struct.pack("<I", len(value)) + value)
        elif kind is complex:
            out.append(b"c" + struct.pack("<dd", value.real, value.imag))
        elif id(value) in self.numbers:
            out.append(b"r" + struct.pack("<I", self.numbers[id(value)]))
        elif kind is float:
            if value != value:
                self.number(value)
            out.append(b"f" + struct.pack("<d", value))
        elif kind is bytearray:
            self.number(value)
            out.append(b"y" + struct.pack("<I", len(value)) + bytes(value))
        elif kind in _CONTAINERS:
            self.number(value)
            self.items(kind, value, exact, depth)
        elif exact:
            raise _Unsendable(kind.__name__)
        else:
            self.put_base(kind, value, depth)

    def items(self, kind, value, exact, depth):
        if depth >= _MAX_DEPTH:
            raise _Unsendable("nesting beyond %d" % _MAX_DEPTH)
        items = list(kind.items(value) if kind is dict else kind.__iter__(value))
        self.out.append(_CONTAINERS[kind] + struct.pack("<I", len(items)))
        for item in items:
            if kind is dict:
                self.put(item[0], exact, depth + 1)
                self.put(item[1], exact, depth + 1)
            else:
                self.put(item, exact, depth + 1)

    def put_base(self, kind, value, depth):
        # A subclass is sent as its base type's own methods read it: what it overrides has no say.
        self.converted = True
        mro = type.__dict__["__mro__"].__get__(kind)
        for base in (int, float, complex, str, bytes, bytearray, *_CONTAINERS):
            if base in mro:
                if base in _CONTAINERS:
                    self.number(value)
                    self.items(base, value, False, depth)
                elif base is float:
                    self.put(float.__add__(value, -0.0))
                elif base is complex:
                    self.put(complex.__add__(value, complex(-0.0, -0.0)))
                elif base is int:
                    self.put(int.__add__(value, 0))
                elif base is str:
                    self.put(str.__str__(value))
                elif base is bytearray:
                    self.put(bytearray(bytearray.__getitem__(value, slice(None))))
                else:
                    self.put(bytes.__getitem__(value, slice(None)))
                return
        raise _Unsendable(kind.__name__)

class _Reader:
    # Meant for bytes of a hostile sender: whatever is wrong with them is a ValueError or TypeError.
    def __init__(self, data, known=()):
        self.data = data
        self.at = 0
        self.known = list(known)

    def take(self, count):
        end = self.at + count
        if end > len(self.data):
            raise ValueError("the message is cut short")
        piece = self.data[self.at:end]
        self.at = end
        return piece

    def length(self):
        return int.from_bytes(self.take(4), "little")

    def number(self, value):
        self.known.append(value)
        return value

    def get(self, depth=0):
        tag = self.take(1)
        if tag == b"N":
            return None
        if tag == b"T" or tag == b"F":
            return tag == b"T"
        if tag == b"i":
            return int.from_bytes(self.take(self.length()), "little", signed=True)
        if tag == b"s":
            return self.take(self.length()).decode("utf-8", "surrogatepass")
        if tag == b"b":
            return self.take(self.length())
        if tag == b"f":
            value = struct.unpack("<d", self.take(8))[0]
            return value if value == value else self.number(value)
        if tag == b"c":
            return complex(*struct.unpack("<dd", self.take(16)))
        if tag == b"y":
            return self.number(bytearray(self.take(self.length())))
        if tag == b"r":
            number = self.length()
            if number >= len(self.known) or self.known[number] is _Reader:
                raise ValueError("the message refers to what is not there")
            return self.known[number]
        if depth >= _MAX_DEPTH:
            raise ValueError("the message is nested too deeply")
        return self.items(tag, depth + 1)

    def items(self, tag, depth):
        count = self.length()
        if tag == b"l":
            value = self.number([])
            for _ in range(count):
                value.append(self.get(depth))
        elif tag == b"d":
            value = self.number({})
            for _ in range(count):
                key = self.get(depth)
                value[key] = self.get(depth)
        elif tag == b"S":
            value = self.number(set())
            for _ in range(count):
                value.add(self.get(depth))
        elif tag == b"t" or tag == b"Z":
            at = len(self.known)
            self.known.append(_Reader)  # not there yet
            value = [self.get(depth) for _ in range(count)]
            value = self.known[at] = tuple(value) if tag == b"t" else frozenset(value)
        else:
            raise ValueError("the message has an unknown tag")
        return value

def _send(writer, write=posix.write):
    data = b"".join(writer.out)
    if len(data) > _MAX_MESSAGE:
        raise _Unsendable("more than %d MiB" % (_MAX_MESSAGE >> 20))
    data = struct.pack("<I", len(data)) + data
    while data:
        data = data[write(_TO, data):]

def _receive(read=posix.read):
    # The next message, or None at the stream's end.
    def take(count):
        parts = []
        while count > 0:
            part = read(_FROM, min(count, 1 << 20))
            if not part:
                return None
            parts.append(part)
            count -= len(part)
        return b"".join(parts)
    head = take(4)
    size = None if head is None else int.from_bytes(head, "little")
    if size is None or size > _MAX_MESSAGE:
        return None
    return take(size)
