"""What an exercise's checks expect: computed once per definition and seed, never per learner."""

from __future__ import annotations

import copy
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations, product
from typing import Any

import numpy as np

from grader.agreement import size_of
from grader.attempt import driver_source
from grader.exercise import Case, Exercise, ExerciseError, Property
from grader.finite_differences import directional_derivative

PUBLIC_SEED = 0
NOISE = 1e-10  # relative wobble of the inputs that measures how sensitive an answer is
ROUNDINGS = 300  # how many roundings a reasonable rearrangement of the formula may cost


@dataclass(frozen=True, eq=False)
class Prepared:
    """A case with what the answer makes of it.

    Attributes
    ----------
    expected : dict
        Part name to expected value.
    tolerances : dict
        Part name to the largest allowed difference.
    dout : array, optional
        Upstream gradient, for the gradient of a forward function.
    slopes : tuple of (part, direction, slope, resolution)
        Directional derivatives of the reference forward: the second, independent oracle.
    """

    case: Case
    expected: dict[str, Any]
    tolerances: dict[str, float]
    dout: np.ndarray | None = None
    slopes: tuple[tuple[str, np.ndarray, float, float], ...] = ()
    property: Property | None = None


def rng_for(exercise: Exercise, seed: int) -> np.random.Generator:
    """A stream of its own for every exercise and seed."""
    return np.random.default_rng([seed, zlib.crc32(exercise.name.encode())])


@lru_cache(maxsize=512)
def prepare(exercise: Exercise, seed: int = PUBLIC_SEED) -> tuple[Prepared, ...]:
    """All cases of an exercise with their expected values.

    Raises
    ------
    ExerciseError
        If the declaration yields no case.
    """
    rng = rng_for(exercise, seed)
    if exercise.kind == "quiz":
        tolerance = exercise.rtol * (abs(exercise.answer) if _is_number(exercise.answer) else 1)
        return (Prepared(Case(), {"answer": exercise.answer}, {"answer": tolerance}),)
    make = _of_gradient if exercise.gradient_of else _of_values
    prepared = [make(exercise, case, rng) for case in cases_of(exercise, rng)]
    for item in exercise.properties:
        prepared += [_of_property(exercise, item, case, rng) for case in item.cases(rng)]
    if not prepared:
        raise ExerciseError(f"{exercise.name} has no cases; add @chapter.cases({exercise.name})")
    return tuple(prepared)


def cases_of(exercise: Exercise, rng: np.random.Generator) -> list[Case]:
    """The exercise's own cases, or those of the forward whose gradient it is."""
    source = exercise
    if exercise.cases is None and exercise.gradient_of:
        source = forward_of(exercise)
    return list(source.cases(rng)) if source.cases else []


def forward_of(exercise: Exercise) -> Exercise:
    """The forward exercise of a backward one."""
    from grader.exercises import get

    assert exercise.gradient_of
    return get(exercise.gradient_of)


def run_answer(exercise: Exercise, case: Case, answer: Any = None) -> Any:
    """Result of `answer` (by default the exercise's own) on a fresh copy of the case's inputs."""
    thing = exercise.answer if answer is None else answer
    args, kwargs = copy.deepcopy((case.args, case.kwargs))
    if case.drive is None:
        return thing(*args, **kwargs)
    return compiled(case.drive)(thing, *args)


@cache
def compiled(driver: Callable) -> Callable:
    """The driver as the learner's process sees it: from source, with `np` and nothing else."""
    frame: dict[str, Any] = {"np": np}
    exec(compile(driver_source(driver), f"<{driver.__name__}>", "exec"), frame)
    return frame[driver.__name__]


def by_part(exercise: Exercise, result: Any) -> dict[str, Any]:
    """Return values by name, without the kept one."""
    items = (result,) if len(exercise.returns) == 1 else tuple(result)
    return {
        name: item
        for i, (name, item) in enumerate(zip(exercise.returns, items, strict=False))
        if i != exercise.keep
    }


def gradients(
    exercise: Exercise, case: Case, dout: np.ndarray, answer: Any = None
) -> dict[str, Any]:
    """What `answer` (by default the exercise's own) gives with the reference forward's cache."""
    forward = forward_of(exercise)
    cache = run_answer(forward, case)[forward.keep]
    thing = exercise.answer if answer is None else answer
    return by_part(exercise, thing(dout.copy(), cache))


def _of_values(exercise: Exercise, case: Case, rng: np.random.Generator) -> Prepared:
    expected = by_part(exercise, run_answer(exercise, case))
    wobbled = _wobbled(case, rng)
    moved = by_part(exercise, run_answer(exercise, wobbled)) if wobbled else expected
    return Prepared(case, expected, _tolerances(exercise, expected, moved))


def _of_gradient(exercise: Exercise, case: Case, rng: np.random.Generator) -> Prepared:
    forward = forward_of(exercise)
    out = np.asarray(run_answer(forward, case)[0])
    dout = rng.standard_normal(out.shape)
    expected = gradients(exercise, case, dout)
    wobbled = _wobbled(case, rng)
    moved = gradients(exercise, wobbled, dout) if wobbled else expected
    slopes = _slopes(exercise, forward, case, dout, rng)
    return Prepared(case, expected, _tolerances(exercise, expected, moved), dout, slopes)


def _of_property(
    exercise: Exercise, item: Property, case: Case, rng: np.random.Generator
) -> Prepared:
    expected = run_answer(exercise, case)
    wobbled = None if item.accept else _wobbled(case, rng)
    moved = run_answer(exercise, wobbled) if wobbled else expected
    limits = _tolerances(exercise, {item.key: expected}, {item.key: moved})
    return Prepared(case, {item.key: expected}, limits, property=item)


@lru_cache(maxsize=512)
def in_single_precision(exercise: Exercise, item: Prepared) -> tuple[dict[str, Any], ...]:
    """What the answer gives when some of its inputs are cast to float32.

    A learner may cast an input or a cached value; what comes out is float64 again, right to
    seven digits only. Every way to do so is tried.
    """
    if item.case.drive is not None or item.property is not None:
        return ()
    results = []
    ways = ((np.float32,), (np.float32, float))  # cast and left so, or cast back
    for which, kinds in product(_subsets(len(item.case.args)), ways):
        args = tuple(_cast(x, *kinds) if i in which else x for i, x in enumerate(item.case.args))
        case = Case(args, item.case.kwargs)
        if item.dout is None:
            results.append(by_part(exercise, run_answer(exercise, case)))
            continue
        forward = forward_of(exercise)
        cache = run_answer(forward, case)[forward.keep]
        for dout, kept in product(
            (item.dout, _cast(item.dout, *kinds)), (cache, _cast(cache, *kinds))
        ):
            results.append(by_part(exercise, exercise.answer(dout.copy(), kept)))
    return tuple(results)


def _subsets(count: int) -> list[tuple[int, ...]]:
    if count > 6:
        return [tuple(range(count))]
    return [c for size in range(count + 1) for c in combinations(range(count), size)]


def _cast(value: Any, *kinds: type) -> Any:
    """Float arrays cast to each kind in turn, inside tuples too."""
    if isinstance(value, tuple):
        return tuple(_cast(item, *kinds) for item in value)
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        for kind in kinds:
            value = value.astype(kind)
    return value


def _wobbled(case: Case, rng: np.random.Generator) -> Case | None:
    """The case with every float array moved by one part in 1e10."""

    def wobble(value: Any) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            return value * (1 + NOISE * rng.choice([-1.0, 1.0], value.shape))
        if isinstance(value, dict):
            return {key: wobble(item) for key, item in value.items()}
        return value

    if not any(isinstance(value, (np.ndarray, dict)) for value in case.args):
        return None
    args = tuple(wobble(value) for value in case.args)
    return Case(args, case.kwargs, case.drive, case.label)


def _tolerances(exercise: Exercise, expected: dict, moved: dict) -> dict[str, float]:
    """Largest allowed difference of each part.

    The error model: a right rearrangement differs by roundings (2e-16), amplified as much as
    the answer amplifies a wobble of its inputs. Never below `rtol` of the largest entry.
    """
    limits = {}
    for part, value in expected.items():
        if not isinstance(value, (np.ndarray, np.generic, float)):
            limits[part] = exercise.rtol
            continue
        with np.errstate(all="ignore"):
            change = size_of(np.asarray(moved[part], float) - np.asarray(value, float))
        amplified = ROUNDINGS * np.finfo(float).eps / NOISE * change
        limits[part] = max(exercise.rtol * size_of(value), amplified, 1e-300)
    return limits


def _slopes(
    exercise: Exercise, forward: Exercise, case: Case, dout: np.ndarray, rng: np.random.Generator
) -> tuple[tuple[str, np.ndarray, float, float], ...]:
    """Directional derivatives of the reference forward along one fixed direction per input."""
    wrt = {part.removeprefix("d"): part for part in exercise.parts}
    names = list(inputs_by_name(forward, case))
    inputs = {n: v for n, v in inputs_by_name(forward, case).items() if n in wrt}
    slopes = []
    for name, x in inputs.items():
        v = rng.standard_normal(x.shape)

        def f(*moved: np.ndarray) -> np.ndarray:
            values = {**inputs_by_name(forward, case), **dict(zip(inputs, moved, strict=True))}
            return forward.answer(*[values[n] for n in names], **case.kwargs)[0]

        slope, resolution = directional_derivative(f, inputs, dout, name, v)
        slopes.append((wrt[name], v, float(slope), float(resolution)))
    return tuple(slopes)


def inputs_by_name(exercise: Exercise, case: Case) -> dict[str, Any]:
    """The case's arguments under the names of the answer's signature."""
    if case.drive is not None:
        names = list(driver_names(case.drive))
    else:
        code = exercise.answer.__code__
        names = list(code.co_varnames[: code.co_argcount])
    return {**dict(zip(names, case.args, strict=False)), **case.kwargs}


def driver_names(driver: Callable) -> tuple[str, ...]:
    code = driver.__code__
    return code.co_varnames[1 : code.co_argcount]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
