"""What `gradcheck` is given and what it gives back: calling f and df, and finding the words.

Nothing here differentiates; `grader.numerical` does.
"""

from __future__ import annotations

import inspect
import textwrap
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Verdict = str  # ok | wrong | shape | nonfinite | not_repeatable | inconclusive | crashed


@dataclass(frozen=True)
class GradcheckResult:
    """What a gradient check found. It is true in an `if` or `assert` only when all is well.

    Attributes
    ----------
    verdict
        ok, wrong, shape (or nothing returned), nonfinite, not_repeatable, crashed, or
        inconclusive: finite differences can not tell here.
    message
        The finding in full sentences, remarks included.
    input
        Name of the input whose gradient the verdict is about; empty if it is about all.
    relative_error
        Largest |difference| of directional derivatives, relative to their size.
    resolution
        How finely that could be measured at all (truncation, rounding and kinks, relative).
    where
        Which entries are wrong, if that could be found out.
    remarks
        Sentences on what deserves a word whatever the verdict.
    evaluations
        How often f was called.
    """

    verdict: Verdict
    message: str
    input: str = ""
    relative_error: float | None = None
    resolution: float | None = None
    where: str = ""
    remarks: tuple[str, ...] = ()
    evaluations: int = 0

    @property
    def ok(self) -> bool:
        return self.verdict == "ok"

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        return "\n".join(textwrap.fill(line, 100) for line in self.message.splitlines())


class CannotCheck(Exception):
    """The check ends here, with this verdict and sentence."""

    def __init__(self, verdict: Verdict, message: str, name: str = "") -> None:
        super().__init__(message)
        self.verdict, self.message, self.name = verdict, message, name


@dataclass
class Pair:
    """A function and its claimed gradient, called in a way that survives both.

    Attributes
    ----------
    varied : dict
        Position of each float input to the name it has in messages. All other inputs
        (integers, labels, None, dicts) are passed through as they are.
    evaluations, seconds
        How often f was called and how long that took: what a search for the place may cost.
    """

    f: Callable[..., Any]
    df: Callable[..., Any]
    given: tuple[Any, ...]
    varied: dict[int, str] = field(default_factory=dict)
    evaluations: int = 0
    seconds: float = 0.0

    @classmethod
    def of(cls, f: Callable, df: Callable, given: Sequence, names: Sequence | None) -> Pair:
        """Arrange the inputs: lists become arrays; if none is float, integers are made so."""
        inputs = [_as_array(x) for x in given]
        kinds = [x.dtype.kind if isinstance(x, np.ndarray) else "" for x in inputs]
        if "f" not in kinds:
            numbers = [isinstance(x, (int, np.ndarray)) and np.size(x) > 0 for x in inputs]
            inputs = [
                np.asarray(x, float) if number and np.asarray(x).dtype.kind in "iu" else x
                for x, number in zip(inputs, numbers, strict=True)
            ]
        inputs = [x.astype(float) if _is_float(x) else x for x in inputs]
        found = list(names) if names is not None else parameter_names(f, len(inputs))
        if len(found) != len(inputs):
            found = [f"input {i}" for i in range(len(inputs))]
        varied = {i: found[i] for i, x in enumerate(inputs) if _is_float(x) and x.size}
        if not varied:
            raise CannotCheck("inconclusive", "There is no float input to differentiate by.")
        return cls(f, df, tuple(inputs), varied)

    @property
    def inputs(self) -> dict[str, np.ndarray]:
        return {name: self.given[i] for i, name in self.varied.items()}

    def arguments(self, inputs: dict[str, np.ndarray]) -> list[Any]:
        """Positional arguments of f, float inputs replaced by fresh copies of these."""
        names = self.varied
        return [  # [()] turns a 0-d array into the number the user's function expects
            np.array(inputs[names[i]], float)[()] if i in names else x
            for i, x in enumerate(self.given)
        ]

    def forward(self, arguments: list[Any]) -> tuple[np.ndarray, Any]:
        """Output as a float array, and the cache if f returned (out, cache)."""
        start = time.perf_counter()
        try:
            out = self.f(*arguments)
        except Exception as error:
            raise CannotCheck("crashed", raised("f", error)) from error
        finally:
            self.evaluations += 1
            self.seconds += time.perf_counter() - start
        pair = isinstance(out, tuple) and len(out) == 2
        y, cache = out if pair else (out, _NO_CACHE)
        return numbers(y, "f"), cache

    def probe(self, inputs: dict[str, np.ndarray], shape: tuple[int, ...]) -> np.ndarray:
        """Output at a displaced point; nan where f fails there (a step may leave its domain)."""
        try:
            y = self.forward(self.arguments(inputs))[0]
        except CannotCheck:
            return np.full(shape, np.nan)
        return y if y.shape == shape else np.full(shape, np.nan)

    def backward(
        self, u: np.ndarray, inputs: dict[str, np.ndarray], y: np.ndarray, cache: Any
    ) -> dict[str, np.ndarray]:
        """Claimed gradients of <u, f> by name, None and other non-numbers refused in words."""
        arguments = self.arguments(inputs)
        style = self.style(y, cache)
        start = [u.copy()[()]] if style in ("dout", "cache", "layer") else []
        rest = {"cache": [cache], "layer": []}.get(style, arguments)
        try:
            returned = self.df(*start, *rest)
        except Exception as error:
            raise CannotCheck("crashed", raised("df", error)) from error
        several = isinstance(returned, tuple) or (
            isinstance(returned, list) and len(self.given) > 1
        )
        items = list(returned) if several else [returned]
        if len(items) == len(self.given):
            items = [items[i] for i in self.varied]
        if len(items) != len(self.varied):
            wanted = ", ".join(f"`{name}`" for name in self.varied.values())
            found = f"{len(items)} gradients" if several else "one gradient"
            raise CannotCheck("shape", f"df returned {found}, expected one for each of {wanted}.")
        claimed = {}
        for name, g in zip(self.varied.values(), items, strict=True):
            claimed[name] = numbers(g, "df", f" for `{name}`")
            if style == "elementwise" and claimed[name].shape == u.shape:
                claimed[name] = u * claimed[name]
        return claimed

    def style(self, y: np.ndarray, cache: Any) -> str:
        """How df is called: cache, layer, dout, plain or elementwise (see `gradcheck`)."""
        count = len(self.given)
        needed, most = arity(self.df)
        dout_first = first_parameter(self.df) in DOUT_NAMES
        if cache is not _NO_CACHE and needed <= 2 <= most:
            return "cache"
        if dout_first and most == 1:
            return "layer"
        if needed > count or (most > count and (dout_first or needed != count)):
            return "dout"
        if y.ndim == 0:
            return "plain"
        if count == 1 and y.shape == np.shape(self.given[0]):
            return "elementwise"
        what = f"f returns an array of shape {y.shape}"
        raise CannotCheck("shape", f"{what}, so df needs its upstream gradient: df(dout, ...).")


_NO_CACHE = object()
DOUT_NAMES = ("dout", "dy", "dz", "da", "grad", "grad_out", "grad_output", "upstream", "u")


def _as_array(x: Any) -> Any:
    """Floats and lists of numbers as arrays; anything else as it is."""
    try:
        array = np.asarray(x) if isinstance(x, (list, float, np.generic)) else x
    except ValueError:  # a list of arrays of different shapes
        return x
    return x if isinstance(x, list) and array.dtype.kind not in "biuf" else array


def _is_float(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


def numbers(value: Any, who: str, for_what: str = "") -> np.ndarray:
    """The value as a float array, or the sentence that says what it is instead."""
    if value is None:
        raise CannotCheck("shape", f"{who} returned None{for_what}, expected an array.")
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        what = "complex numbers" if array.dtype.kind == "c" else f"a {type(value).__name__}"
        raise CannotCheck("shape", f"{who} returned {what}{for_what}, expected real numbers.")
    return array.astype(float)


def raised(who: str, error: Exception) -> str:
    """One sentence on an exception in f or df, with the last line outside libraries."""
    if isinstance(error, NotImplementedError):
        return f"{who} is not written yet (it raised NotImplementedError)."
    frames = traceback.extract_tb(error.__traceback__)[1:]  # the first frame is ours
    own = [frame for frame in frames if "site-packages" not in frame.filename]
    place = f" in line {own[-1].lineno} of `{own[-1].name}`" if own else ""
    text = str(error).strip().split("\n")[0]
    return f"{who} raised {type(error).__name__}{place}{': ' if text else ''}{text.rstrip('.')}."


def parameter_names(f: Callable, count: int) -> list[str]:
    """Names of the first parameters of f, or numbered ones."""
    try:
        parameters = list(inspect.signature(f).parameters.values())[:count]
    except (TypeError, ValueError):
        parameters = []
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(named) == count:
        return named
    return ["x"] if count == 1 else [f"input {i}" for i in range(count)]


def arity(f: Callable) -> tuple[int, float]:
    """Smallest and largest number of positional arguments; (0, inf) if it can not be told."""
    if isinstance(f, np.ufunc):
        return f.nin, f.nin
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return 0, np.inf
    places = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    endless = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    return sum(p.default is p.empty for p in places), np.inf if endless else len(places)


def first_parameter(f: Callable) -> str:
    try:
        return next(iter(inspect.signature(f).parameters), "")
    except (TypeError, ValueError):
        return ""


def factor_words(c: float, shapes: dict[str, tuple[int, ...]]) -> str:
    """A constant factor between claimed and true gradient, named where a size explains it.

    Parameters
    ----------
    c
        Claimed gradient = c * true gradient.
    shapes
        Shapes of the inputs and of the output, by the name they have in messages.
    """
    if abs(c + 1) <= 1e-6:
        return "It looks like the right gradient with the wrong sign."
    sign = " and of the wrong sign" if c < 0 else ""
    size = max(abs(c), 1 / abs(c))
    text = f"{size:.6g} times" if abs(c) > 1 else f"1/{size:.6g} of"
    sizes: dict[str, float] = {}
    for name, shape in shapes.items():
        for axis, length in enumerate(shape):
            sizes.setdefault(f"the length of axis {axis} of {name}", length)
        sizes.setdefault(f"the number of entries of {name}", float(np.prod(shape)))
    fits = {
        f"{size:.6g} is {what}": length
        for what, length in sizes.items()
        if length > 2 and abs(length - size) <= 1e-6 * size
    }
    why = f" ({'; '.join(list(fits)[:2])})" if fits else ""
    return f"Every entry is {text} what it should be{sign}{why}."


def entry_words(wrong: np.ndarray, claimed: np.ndarray, measured: np.ndarray) -> str:
    """Which entries are wrong, from one verdict per entry; the worst is quoted."""
    if not wrong.any() or wrong.ndim == 0:
        return ""
    gap = np.where(wrong, np.abs(claimed - measured), -1.0)
    worst = np.unravel_index(int(np.argmax(gap)), gap.shape)
    place = f"[{', '.join(map(str, worst))}]"
    quote = f"{claimed[worst]:.6g} where finite differences give {measured[worst]:.6g}"
    if wrong.sum() == 1:
        return f"Only entry {place} is wrong: {quote}."
    indices = {axis: np.unique(np.nonzero(wrong)[axis]).tolist() for axis in range(wrong.ndim)}
    block = np.prod([len(kept) for kept in indices.values()])
    share = slice_words(indices, wrong.shape) if block == wrong.sum() else ""
    count = "All" if wrong.all() else f"{wrong.sum()} of"
    return f"{share or f'{count} {wrong.size} entries are wrong'}; entry {place} is {quote}."


def slice_words(indices: dict[int, list[int]], shape: tuple[int, ...]) -> str:
    """Which slices are wrong, from the wrong indices along each axis; empty if all are."""
    parts = []
    for axis, wrong in indices.items():
        if 0 < len(wrong) < shape[axis]:
            listed = ", ".join(map(str, wrong[:6])) + (", ..." if len(wrong) > 6 else "")
            word = "index" if len(wrong) == 1 else "indices"
            parts.append(f"{word} {listed} of axis {axis}")
    return f"Wrong only at {' and '.join(parts)}" if parts else ""


def listing(names: Sequence[str]) -> str:
    """`x`, `w` and `b`."""
    quoted = [f"`{name}`" for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
