"""Calls to functions that a learner wrote: an array comes back, or one clear sentence."""

import inspect
import warnings
from collections.abc import Callable

import numpy as np


class LearnerProblem(Exception):
    """What is wrong with a learner's function, as a sentence to show in the widget."""


def name_of(function: Callable) -> str:
    """The name to show for a function; a lambda is called "the function"."""
    name = getattr(function, "__name__", type(function).__name__)
    return "the function" if name == "<lambda>" else name


def call(function: Callable, *args, **kwargs):
    """Call a learner's function on copies of the arguments.

    Raises
    ------
    LearnerProblem
        when the function raises, is not written yet, or returns None.
    """
    shown = f"`{name_of(function)}`"
    args = tuple(a.copy() if isinstance(a, np.ndarray) else a for a in args)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            result = function(*args, **kwargs)
    except NotImplementedError:
        said = f"{shown} is not written yet, so only the reference is drawn."
        raise LearnerProblem(said) from None
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        raise LearnerProblem(f"{shown} stopped with {type(error).__name__}: {said}") from None
    if result is None:
        raise LearnerProblem(f"{shown} gave None. Does it end with `return`?")
    return result


def as_array(result, shape: tuple[int, ...], function: Callable, what: str = "") -> np.ndarray:
    """A result as a float array of the expected shape.

    Raises
    ------
    LearnerProblem
        when it is not an array of real numbers, or of another shape.
    """
    shown = f"{what} of `{name_of(function)}`" if what else f"`{name_of(function)}`"
    try:
        array = np.asarray(result, dtype=float)
    except (TypeError, ValueError):
        kind = type(result).__name__
        said = f"{shown} is a {kind}, where an array of numbers is expected."
        raise LearnerProblem(said) from None
    if array.shape != shape:
        raise LearnerProblem(f"{shown} has shape {array.shape} where shape {shape} is expected.")
    return array


def accepts(function: Callable, name: str) -> bool:
    """True if the function has a parameter of this name."""
    try:
        return name in inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False


def positional(function: Callable) -> int:
    """How many arguments the function must be given by position."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return 1
    return sum(
        p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        for p in parameters
    )
