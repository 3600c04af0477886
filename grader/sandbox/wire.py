"""Messages between grader and worker: plain data in, plain data out, and never pickle.

A message is a JSON tree followed by the raw bytes of its arrays, in order. What arrives from a
worker is a stranger's bytes: sizes are checked before anything is allocated, types are a short
list, and whatever does not fit raises `ProtocolError`.
"""

from __future__ import annotations

import json
import math
import re
import struct
from typing import Any, NoReturn, get_args

import numpy as np

from grader.attempt import Call, Error, Handle, Opaque, Status

MAX_MESSAGE = 512 * 2**20  # bytes
MAX_TREE = 4 * 2**20  # bytes of JSON
MAX_NODES = 200_000
MAX_DEPTH = 16
MAX_INT_BITS = 14_000  # about the 4,300 digits that `str` agrees to print
MAX_TEXT = 5_000  # characters of an error, of what was printed, of a remark

_dumps, _loads = json.dumps, json.loads  # a learner may rebind those of `json`

LENGTH = struct.Struct("<Q")
_TREE = struct.Struct("<I")
_DTYPE = re.compile(r"\|b1|\|[iu]1|[<>][iu][248]|[<>]f(?:2|4|8|16)|[<>]c(?:8|16|32)|[<>]U\d{1,6}")
_INT = re.compile(r"-?0x[0-9a-f]{1,3600}")
_STATUSES = frozenset(get_args(Status))


class ProtocolError(ValueError):
    """The bytes that arrived are not a message."""


class Unsendable(TypeError):
    """The value is not plain data, or too large to send."""


def pack(value: Any, most: int = MAX_MESSAGE) -> bytes:
    """Write `value` as one message.

    Parameters
    ----------
    value : any
        Exact built-in types (None, bool, int, float, complex, str, tuple, list, dict with string
        or integer keys), arrays of kinds b i u f c U, and the classes of `grader.attempt`.
    most : int
        Bytes the message may have.

    Raises
    ------
    Unsendable
        For anything else, or for too much of it.
    """
    packer = _Packer(most)
    tree = packer.tree(value, 0)
    text = _dumps(tree, ensure_ascii=False, separators=(",", ":"))
    head = text.encode("utf-8", "surrogatepass")  # a lone surrogate is a legal Python string
    if len(head) > MAX_TREE:
        raise Unsendable(f"a value with {len(head):,} bytes of structure")
    return b"".join([_TREE.pack(len(head)), head, *packer.buffers])


def unpack(message: bytes | bytearray) -> Any:
    """Read one message; the inverse of `pack`.

    Raises
    ------
    ProtocolError
        If a single byte is out of place.
    """
    try:
        return _Unpacker(message).value()
    except ProtocolError:
        raise
    except (ValueError, TypeError, LookupError, struct.error, RecursionError) as problem:
        raise ProtocolError(f"not a message: {problem}") from None
    except (OverflowError, MemoryError) as problem:
        raise ProtocolError(f"not a message: {problem}") from None


def in_pieces(message: bytes) -> tuple[bytes, ...]:
    """A message behind its length: as one piece if it is short, without a copy if it is long."""
    length = LENGTH.pack(len(message))
    return (length + message,) if len(message) < 2**16 else (length, message)


class _Packer:
    def __init__(self, most: int):
        self.buffers: list[bytes] = []
        self._room = most
        self._nodes = 0

    def tree(self, value: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise Unsendable(f"a value with more than {MAX_NODES:,} parts")
        if depth > MAX_DEPTH:
            raise Unsendable("a deeply nested value")
        kind = type(value)
        if value is None or kind is bool:
            return value
        if kind is str:
            self._room -= 4 * len(value)
            if self._room < 0:
                raise Unsendable("a very long text")
            return value
        if kind is int:
            if value.bit_length() > MAX_INT_BITS:
                raise Unsendable(f"an integer of {value.bit_length():,} bits")
            return ["i", hex(value)]
        if kind is float:
            return ["f", struct.pack("<d", value).hex()]
        if kind is complex:
            return ["c", struct.pack("<dd", value.real, value.imag).hex()]
        if kind is tuple or kind is list:
            return ["t" if kind is tuple else "l", [self.tree(item, depth + 1) for item in value]]
        if kind is dict:
            if not all(type(key) in (str, int) for key in value):
                raise Unsendable("a dict with keys other than strings and integers")
            return ["d", [[self.tree(k, depth), self.tree(v, depth + 1)] for k, v in value.items()]]
        if kind is np.ndarray:
            return ["a", *self._array(value)]
        if isinstance(value, np.generic):
            return ["s", *self._array(np.asarray(value))]
        if kind is Handle:
            return ["handle", value.number]
        if kind is Opaque:
            return ["opaque", value.what]
        if kind is Error:
            return ["error", value.type, value.message, value.line, value.text]
        if kind is Call:
            inside = self.tree(value.value, depth + 1), self.tree(value.error, depth + 1)
            seconds = struct.pack("<d", value.seconds).hex()
            return ["call", value.status, *inside, value.printed, list(value.warnings), seconds]
        raise Unsendable(f"a value of type {kind.__name__}")

    def _array(self, array: np.ndarray) -> tuple[str, list[int]]:
        if not _DTYPE.fullmatch(array.dtype.str) or not array.dtype.itemsize:
            raise Unsendable(f"an array of {array.dtype}")
        self._room -= array.nbytes  # as many as it says: a broadcast array may own very few
        if self._room < 0:
            raise Unsendable(f"a result of {array.nbytes // 2**20:,} MB")
        self.buffers.append(array.tobytes())
        return array.dtype.str, list(array.shape)


class _Unpacker:
    def __init__(self, message: bytes | bytearray):
        self._raw = memoryview(message)
        (length,) = _TREE.unpack_from(self._raw)
        self._at = _TREE.size + length
        if length > MAX_TREE or self._at > len(self._raw):
            _refuse("length of the tree")
        text = str(self._raw[_TREE.size : self._at], "utf-8", "surrogatepass")
        self._tree = _loads(text, parse_constant=_refuse, parse_float=_refuse)
        self._nodes = 0

    def value(self) -> Any:
        value = self._read(self._tree, 0)
        if self._at != len(self._raw):
            _refuse("bytes left over")
        return value

    def _read(self, tree: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES or depth > MAX_DEPTH:
            _refuse("too many parts")
        if tree is None or type(tree) in (bool, str):
            return tree
        if type(tree) is not list or not tree or type(tree[0]) is not str:
            _refuse("shape of the tree")
        tag, *rest = tree
        read = _READERS.get(tag)
        if read is None:
            _refuse("an unknown kind")
        return read(self, depth + 1, *rest)

    def _items(self, items: Any, depth: int) -> list[Any]:
        _require(type(items) is list, "a sequence")
        return [self._read(item, depth) for item in items]

    def _dict(self, depth: int, items: Any) -> dict[Any, Any]:
        _require(type(items) is list, "a dict")
        pairs = {}
        for key, value in items:
            name = self._read(key, depth)
            _require(type(name) in (str, int), "a key")
            pairs[name] = self._read(value, depth)
        return pairs

    def _array(self, _depth: int, dtype: Any, shape: Any) -> np.ndarray:
        _require(type(dtype) is str and _DTYPE.fullmatch(dtype), "a kind of array")
        _require(type(shape) is list and len(shape) <= 32, "a shape")
        _require(all(type(n) is int and 0 <= n < 2**40 for n in shape), "a shape")
        kind = np.dtype(dtype)
        count = math.prod(shape)
        end = self._at + count * kind.itemsize
        _require(kind.itemsize and end <= len(self._raw), "bytes of an array")
        array = np.frombuffer(self._raw[self._at : end], kind).reshape(shape).copy()
        self._at = end
        # bytes that no such array can hold make NumPy misbehave later, far from here
        if kind.kind == "b":
            _require(not (array.view(np.uint8) > 1).any(), "a truth value")
        if kind.kind == "U" and count:
            points = np.frombuffer(array.tobytes(), kind.byteorder.replace("|", "=") + "u4")
            _require(points.max() <= 0x10FFFF, "a character")
        return array

    def _scalar(self, depth: int, dtype: Any, shape: Any) -> Any:
        _require(shape == [], "a scalar")
        return self._array(depth, dtype, shape)[()]

    def _call(
        self, depth: int, status: Any, value: Any, error: Any, printed: Any, notes: Any, time: Any
    ) -> Call:
        _require(status in _STATUSES, "a status")
        what = self._read(error, depth)
        _require(what is None or type(what) is Error, "an error")
        _require(type(notes) is list and len(notes) <= 20, "warnings")
        seconds = _float(time)
        _require(0 <= seconds < 1e6, "a duration")
        warnings = tuple(_text(note) for note in notes)
        return Call(status, self._read(value, depth), what, _text(printed), warnings, seconds)


_READERS: dict[str, Any] = {
    "i": lambda self, depth, text: _int(text),
    "f": lambda self, depth, text: _float(text),
    "c": lambda self, depth, text: complex(*struct.unpack("<dd", bytes.fromhex(text))),
    "t": lambda self, depth, items: tuple(self._items(items, depth)),
    "l": lambda self, depth, items: self._items(items, depth),
    "d": lambda self, depth, items: self._dict(depth, items),
    "a": lambda self, depth, dtype, shape: self._array(depth, dtype, shape),
    "s": lambda self, depth, dtype, shape: self._scalar(depth, dtype, shape),
    "handle": lambda self, depth, number: Handle(_small(number)),
    "opaque": lambda self, depth, what: Opaque(_text(what)),
    "error": lambda self, depth, kind, message, line, text: Error(
        _text(kind), _text(message), _small(line), _text(text)
    ),
    "call": lambda self, depth, *parts: self._call(depth, *parts),
}


def _int(text: Any) -> int:
    _require(type(text) is str and _INT.fullmatch(text), "an integer")
    return int(text, 16)


def _float(text: Any) -> float:
    return float(struct.unpack("<d", bytes.fromhex(text))[0])


def _small(number: Any) -> int:
    _require(type(number) is int and 0 <= number < 2**31, "a number")
    return int(number)


def _text(text: Any) -> str:
    """Words meant for people: short, and fit for any file or screen."""
    _require(type(text) is str, "a text")
    return text[:MAX_TEXT].encode("utf-8", "replace").decode()


def _require(holds: Any, what: str) -> None:
    if not holds:
        _refuse(what)


def _refuse(what: str) -> NoReturn:
    raise ProtocolError(f"not a message: {what}")
