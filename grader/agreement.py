"""Does a learner's value agree with the expected one? Shape first, then kind, then numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from grader.attempt import Opaque

SINGLE = "computed in single precision (float32); float64 is the course's habit"
FLOAT32 = 2e-5  # relative to the largest entry: some hundred roundings in single precision


@dataclass(frozen=True)
class Disagreement:
    """How a value differs from the expected one.

    `kind` is one of type, shape, nan, value; `message` is a sentence with `{part}` in it.
    """

    kind: str
    message: str
    got: Any = None
    where: str = ""
    expected: Any = None  # of the item that differs, where the value is a container


@dataclass(frozen=True)
class Agreement:
    """The value is right; `remarks` are worth a word, never points."""

    remarks: tuple[str, ...] = ()


def agree(got: Any, expected: Any, tolerance: float) -> Agreement | Disagreement:
    """Compare one returned value with the expected one.

    Parameters
    ----------
    got
        Plain data as returned (see `grader.attempt.plain`).
    expected
        Array, number, string, bool, None, or tuple, list or dict of those.
    tolerance : float
        Largest allowed absolute difference of numbers; inside a container, relative to the
        largest entry of the item.
    """
    if isinstance(expected, (dict, tuple, list)):
        return _agree_inside(got, expected, tolerance)
    if isinstance(expected, (str, bool)) or expected is None:
        plain = got.item() if isinstance(got, np.ndarray) and got.ndim == 0 else got
        same_kind = type(plain) is type(expected)
        if same_kind and plain == expected:
            return Agreement()
        return Disagreement("value", f"{{part}} is {brief(got)}, expected {brief(expected)}.", got)
    return _agree_numbers(got, np.asarray(expected), tolerance)


def _agree_inside(got: Any, expected: Any, tolerance: float) -> Agreement | Disagreement:
    """Containers, item by item."""
    if isinstance(expected, dict):
        if not isinstance(got, dict):
            return Disagreement("type", f"{{part}} is {kind_of(got)}, expected a dict.", got)
        if missing := [key for key in expected if key not in got]:
            names = ", ".join(f"`{key}`" for key in missing)
            return Disagreement("type", f"{{part}} has no entry {names}.", got)
        pairs = [(f"{{part}}[{key!r}]", got[key], value) for key, value in expected.items()]
    else:
        items = list(got) if isinstance(got, np.ndarray) and got.ndim else got
        if not isinstance(items, (tuple, list)):
            wanted = f"a {type(expected).__name__} of {len(expected)}"
            return Disagreement("type", f"{{part}} is {kind_of(got)}, expected {wanted}.", got)
        if len(items) != len(expected):
            found = f"{len(items)} items, expected {len(expected)}"
            return Disagreement("shape", f"{{part}} has {found}.", got)
        pairs = [
            (f"{{part}}[{i}]", *pair) for i, pair in enumerate(zip(items, expected, strict=True))
        ]
    remarks: list[str] = []
    for name, item, wanted in pairs:
        result = agree(item, wanted, _scaled(tolerance, wanted))
        if isinstance(result, Disagreement):
            message = result.message.replace("{part}", name)
            inner = result.expected if result.expected is not None else wanted
            return Disagreement(result.kind, message, result.got, result.where, inner)
        remarks += result.remarks
    return Agreement(tuple(dict.fromkeys(remarks)))


def _scaled(tolerance: float, expected: Any) -> float:
    """Tolerance of an item: relative to that item, as for a value of its own."""
    if isinstance(expected, (str, bool, dict, tuple, list)) or expected is None:
        return tolerance
    return tolerance * max(size_of(expected), 1e-300)


def _agree_numbers(got: Any, expected: np.ndarray, tolerance: Any) -> Agreement | Disagreement:
    remarks: list[str] = []
    if isinstance(got, Opaque) or got is None or isinstance(got, (str, dict)):
        wanted = "an array" if expected.ndim else "a number"
        return Disagreement("type", f"{{part}} is {kind_of(got)}, expected {wanted}.", got)
    if isinstance(got, (list, tuple)):
        try:
            array = np.asarray(got)
            if array.dtype.kind not in "biufc":
                raise ValueError
        except (ValueError, TypeError):
            return Disagreement("type", f"{{part}} is {kind_of(got)}, expected an array.", got)
        if isinstance(got, tuple) or expected.ndim == 0:
            return Disagreement("type", f"{{part}} is {kind_of(got)}, expected an array.", got)
        remarks.append("a list was returned where an array is meant; the numbers are right")
        got = array
    array = np.asarray(got)
    if array.shape != expected.shape:
        found, wanted = shape_text(array.shape), shape_text(expected.shape)
        return Disagreement("shape", f"{{part}} has shape {found}, expected {wanted}.", array)
    if array.dtype.kind == "c":
        return Disagreement("type", "{part} holds complex numbers, expected real ones.", array)
    if array.dtype.kind not in "biuf":
        held = "text" if array.dtype.kind in "US" else f"entries of type {array.dtype}"
        return Disagreement("type", f"{{part}} holds {held}, expected numbers.", array)
    if array.dtype.kind == "b" and expected.dtype.kind != "b":
        return Disagreement("type", "{part} holds True and False, expected numbers.", array)
    return _agree_entries(array, expected, tolerance, remarks)


def _agree_entries(
    array: np.ndarray, expected: np.ndarray, tolerance: Any, remarks: list[str]
) -> Agreement | Disagreement:
    values = array.astype(float)
    wanted = expected.astype(float)
    single = _is_single(array, expected)
    limit = np.maximum(tolerance, FLOAT32 * size_of(wanted)) if single else tolerance
    with np.errstate(all="ignore"):
        gap = np.abs(values - wanted)
        same = (values == wanted) | (np.isnan(values) & np.isnan(wanted)) | (gap <= limit)
    if same.all():
        if single and not (values == wanted).all():
            remarks.append(SINGLE)
        return Agreement(tuple(remarks))
    odd = ~np.isfinite(values) & ~same
    bad = odd if odd.any() else ~same
    gap = np.where(bad, np.where(np.isfinite(gap), gap, np.inf), -1.0)
    index = np.unravel_index(int(np.argmax(gap)), gap.shape)
    found, right = _apart(values[index], wanted[index])
    place = f"entry [{', '.join(map(str, index))}]" if index else "it"
    where = f"{place} is {found}, expected {right}"
    if odd.any():
        what = "nan" if np.isnan(values[odd]).any() else "inf"
        return Disagreement("nan", f"{{part}} contains {what}.", array, where)
    if not index:
        return Disagreement("value", f"{{part}} is {found}, expected {right}.", array, where)
    share = int(bad.sum())
    count = "every entry differs" if share == bad.size else f"{share} of {bad.size} entries differ"
    message = f"{{part}} has the right shape, but the numbers differ ({count})."
    return Disagreement("value", message, array, where)


def _is_single(array: np.ndarray, expected: np.ndarray) -> bool:
    """Single precision by type, or by having passed through it: every entry rounds to itself."""
    if array.dtype in (np.float32, np.float16):
        return True
    if array.dtype.kind != "f" or array.size < 1 or expected.dtype.kind != "f":
        return False
    with np.errstate(all="ignore"):
        if (expected.astype(np.float32).astype(float) == expected).all():
            return False  # the right values are short numbers themselves
        return bool((array.astype(np.float32).astype(float) == array).all())


def size_of(value: Any) -> float:
    """Largest absolute finite entry; 0 if there is none."""
    array = np.abs(np.asarray(value, dtype=float))
    array = array[np.isfinite(array)]
    return float(array.max()) if array.size else 0.0


def shape_text(shape: tuple[int, ...]) -> str:
    return "(), a single number" if shape == () else str(shape)


def kind_of(value: Any) -> str:
    """What a value is, in words with an article."""
    if value is None:
        return "None"
    if isinstance(value, Opaque):
        return value.what if " " in value.what else f"a {value.what}"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}" if value.ndim else "a number"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    name = {"int": "a number", "float": "a number", "str": "a string", "bool": "a bool"}
    return name.get(type(value).__name__, f"a {type(value).__name__}")


def brief(value: Any) -> str:
    """A value in one short line; what is none of ours to print, in words."""
    if isinstance(value, Opaque):
        return kind_of(value)
    text = repr(value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value)
    return text if len(text) <= 60 else text[:57] + "..."


def _apart(a: float, b: float) -> tuple[str, str]:
    """Two numbers, with as many digits as it takes to tell them apart."""
    for digits in (6, 9, 12, 17):
        found, right = f"{a:.{digits}g}", f"{b:.{digits}g}"
        if found != right:
            break
    return found, right
