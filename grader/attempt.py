"""How a check reaches learner code: one interface, in this process or in a worker.

A check asks an `Attempt` to call a function by name, to run a small trusted driver, or to read a
value. It gets a `Call` back: plain data, or what went wrong. A result never shares memory with
the learner's objects, and a learner's exception never passes through.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import linecache
import os
import sysconfig
import textwrap
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, Protocol

import numpy as np

from grader.limits import TimeUp, time_limit

Status = Literal["returned", "raised", "timed_out", "missing", "not_attempted", "died"]

MAX_BYTES = 64 * 2**20  # of one result
MAX_ITEMS = 20_000  # of all its containers together
MAX_PRINTED = 2_000  # characters kept of what a learner prints
_OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep
_LIBRARIES = tuple(
    {os.path.join(path, "") for key, path in sysconfig.get_paths().items() if "lib" in key}
)


@dataclass(frozen=True)
class Handle:
    """A value that stays with the learner's code (a cache, an object), known here by number."""

    number: int


@dataclass(frozen=True)
class Opaque:
    """Stands for a returned value that is not plain data."""

    what: str


@dataclass(frozen=True)
class Error:
    """An exception of the learner's code, in words.

    `line` and `text` say where in the learner's own code it happened; 0 and "" if unknown.
    """

    type: str
    message: str
    line: int = 0
    text: str = ""


@dataclass(frozen=True)
class Call:
    """What came back from learner code."""

    status: Status
    value: Any = None
    error: Error | None = None
    printed: str = ""
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def returned(self) -> bool:
        return self.status == "returned"


class Attempt(Protocol):
    """What a learner handed in, ready to be called."""

    def call(
        self, name: str, *args: Any, keep: int | None = None, seconds: float = 2.0, **kwargs: Any
    ) -> Call: ...

    def run(self, driver: Callable, name: str, *args: Any, seconds: float = 2.0) -> Call: ...

    def get(self, name: str) -> Call: ...

    def has(self, name: str) -> bool: ...


class LocalAttempt:
    """Learner code in this very process: the namespace of a notebook's kernel.

    Parameters
    ----------
    namespace : dict
        Names and what the learner bound to them.
    """

    def __init__(self, namespace: dict[str, Any]):
        self.namespace = namespace
        self._kept: dict[int, Any] = {}

    def has(self, name: str) -> bool:
        return name in self.namespace

    def call(
        self, name: str, *args: Any, keep: int | None = None, seconds: float = 2.0, **kwargs: Any
    ) -> Call:
        """Call `name(*args, **kwargs)` on fresh copies; item `keep` of the result stays here."""
        function = self.namespace.get(name)
        if function is None:
            return Call("missing")
        if not callable(function):
            kind = type(function).__name__
            return Call("raised", error=Error("TypeError", f"{name} is a {kind}, not a function"))
        args, kwargs = self._fresh(args), self._fresh(kwargs)
        return self._guarded(lambda: function(*args, **kwargs), keep, seconds)

    def run(self, driver: Callable, name: str, *args: Any, seconds: float = 2.0) -> Call:
        """Run a trusted driver as `driver(object called name, *args)`."""
        if self.namespace.get(name) is None:
            return Call("missing")
        return self.run_source(driver_source(driver), driver.__name__, name, *args, seconds=seconds)

    def run_source(
        self, source: str, entry: str, name: str, *args: Any, seconds: float = 2.0
    ) -> Call:
        """`run` for a driver that arrived as text."""
        thing = self.namespace.get(name)
        if thing is None:
            return Call("missing")
        frame: dict[str, Any] = {"np": np}
        exec(compile(source, _OURS + "driver", "exec"), frame)  # ours, sent by the checker
        args = self._fresh(args)
        return self._guarded(lambda: frame[entry](thing, *args), None, seconds)

    def get(self, name: str) -> Call:
        if name not in self.namespace:
            return Call("missing")
        return Call("returned", plain(self.namespace[name]))

    def _fresh(self, value: Any) -> Any:
        """Copies of data, so that in-place work by the learner stays with the learner."""
        if isinstance(value, Handle):
            return self._kept.pop(value.number)
        if isinstance(value, tuple):
            return tuple(self._fresh(item) for item in value)
        if isinstance(value, dict):
            return {key: self._fresh(item) for key, item in value.items()}
        return copy.deepcopy(value)

    def _guarded(self, thunk: Callable[[], Any], keep: int | None, seconds: float) -> Call:
        printed = Capped()
        error: Error | None = None
        status: Status = "returned"
        value: Any = None
        with quiet(printed) as caught:
            try:
                with time_limit(seconds) as clock:
                    value = self._take(thunk(), keep)
            except TimeUp:
                status = "timed_out"
            except NotImplementedError as problem:
                status, error = "not_attempted", describe(problem)
            except KeyboardInterrupt:
                raise  # the learner pressed stop
            except BaseException as problem:  # SystemExit too: the kernel must survive
                status, error = "raised", describe(problem)
        return Call(status, value, error, printed.text(), _distinct(caught), clock.elapsed)

    def _take(self, value: Any, keep: int | None) -> Any:
        """Plain data of a result; its item number `keep` is stored and replaced by a handle."""
        if keep is None or not isinstance(value, (tuple, list)) or len(value) <= keep:
            return plain(value)
        number = len(self._kept) + 1
        while number in self._kept:
            number += 1
        self._kept[number] = value[keep]
        kept = None if value[keep] is None else Handle(number)
        return tuple(kept if i == keep else plain(item) for i, item in enumerate(value))


def plain(value: Any) -> Any:
    """Copy `value` as plain data; what is none becomes `Opaque`.

    Exact built-in types and arrays only: a subclass with a clever `__eq__` must not reach
    a comparison. Nested containers share one budget, so that a list that holds itself a
    thousand times ends soon.
    """
    try:
        return _plain(value, 0, [MAX_ITEMS])
    except _TooMany:
        return Opaque(f"a {type(value).__name__} of too many parts")


class _TooMany(Exception):
    """The budget of parts is spent."""


def _plain(value: Any, depth: int, budget: list[int]) -> Any:
    kind = type(value)
    budget[0] -= 1
    if budget[0] < 0:
        raise _TooMany
    if kind is int and value.bit_length() > 1000:
        return Opaque("an integer too large for a float")
    if value is None or kind in (bool, int, float, complex, str):
        return value
    if depth > 6:
        return Opaque("a deeply nested value")
    if issubclass(kind, (np.ndarray, np.generic)):
        array = np.asarray(value).view(np.ndarray)
        if array.dtype.kind not in "biufcU":
            return Opaque(f"an array of {array.dtype}")
        if array.nbytes > MAX_BYTES:
            return Opaque(f"an array of {array.nbytes // 2**20} MB")
        return np.array(array, copy=True, order="C")
    if kind is list or issubclass(kind, tuple):
        if kind is not list:
            value = tuple.__getitem__(value, slice(None))  # without methods of a subclass
        if len(value) > MAX_ITEMS:
            return Opaque(f"a {kind.__name__} of {len(value)} items")
        items = [_plain(item, depth + 1, budget) for item in value]
        return items if kind is list else tuple(items)
    if issubclass(kind, dict):  # OrderedDict, defaultdict and their like
        pairs = list(dict.items(value))
        if len(pairs) > MAX_ITEMS or not all(type(key) in (str, int) for key, _ in pairs):
            return Opaque("a dict")
        return {key: _plain(item, depth + 1, budget) for key, item in pairs}
    return Opaque(kind.__name__)


def describe(problem: BaseException) -> Error:
    """An exception in words, with the deepest line that is the learner's own."""
    try:
        message = str(problem)[:500]
    except BaseException:
        message = ""
    line, text = 0, ""
    try:
        if isinstance(problem, SyntaxError):
            line, text = problem.lineno or 0, (problem.text or "").strip()
            message = problem.msg or message
        else:
            for frame, number in traceback.walk_tb(problem.__traceback__):
                path = frame.f_code.co_filename
                if not path.startswith(_OURS) and not path.startswith(_LIBRARIES):
                    line, text = number, linecache.getline(path, number).strip()
    except Exception:
        pass
    return Error(type(problem).__name__, message, line, text[:200])


@cache
def driver_source(driver: Callable) -> str:
    """Source of a driver: a plain function that uses its arguments and `np` only."""
    return textwrap.dedent(inspect.getsource(driver))


class Capped(io.TextIOBase):
    """Keeps the first characters written to it and counts the rest."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._room = MAX_PRINTED
        self._dropped = 0

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        kept = text[: self._room]
        if kept:
            self._parts.append(kept)
            self._room -= len(kept)
        self._dropped += len(text) - len(kept)
        return len(text)

    def text(self) -> str:
        more = f"\n... and {self._dropped:,} more characters" if self._dropped else ""
        return "".join(self._parts) + more


@contextlib.contextmanager
def quiet(printed: Capped) -> Iterator[list[warnings.WarningMessage]]:
    """Catch prints and warnings: they are remarks, never failures."""
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        warnings.catch_warnings(record=True) as caught,
        np.errstate(all="warn"),
    ):
        warnings.simplefilter("default")
        yield caught


def _distinct(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    seen = dict.fromkeys(str(item.message).strip()[:200] for item in caught)
    return tuple(seen)[:5]
