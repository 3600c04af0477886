"""Why a value is wrong: first the exercise's own mistakes, then the structure of the error.

Everything said here is a hypothesis. When two explanations fit, neither is given.
"""

from __future__ import annotations

import itertools
import re
import warnings
from functools import lru_cache
from typing import Any

import numpy as np

from grader.agreement import Agreement, Disagreement, agree, kind_of, size_of
from grader.attempt import plain
from grader.exercise import Exercise, Mistake
from grader.expected import Prepared, by_part, gradients, run_answer
from grader.findings import Finding

CLOSE = 1e-6  # relative gap below which a structural explanation counts as exact


def of_part(exercise: Exercise, part: str, trials: list) -> tuple[Mistake | None, str]:
    """The one mistake that gives these values, or a structural remark, or neither."""
    mistake = _named(exercise, part, trials)
    if mistake is not None:
        return mistake, ""
    if exercise.kind == "quiz":
        return None, ""
    return None, _structure(exercise, part, trials)


def of_crash(exercise: Exercise, trials: list) -> Finding | None:
    """The one mistake that raises the same error on the same inputs."""
    crashed = [t for t in trials if t.problem is not None and t.call.error is not None]
    if not crashed or exercise.kind == "quiz":
        return None
    fits = [
        mistake
        for mistake in exercise.mistakes
        if all(
            _outcome(exercise, mistake, t.prepared)
            == ("raised", t.call.error.type, gist(t.call.error.message))
            for t in crashed
        )
    ]
    if len(fits) != 1:
        return None
    remedy = exercise.remedy_for(fits[0])
    why = crashed[0].problem.message
    key = f"{exercise.name}.{fits[0].key}"
    evidence = crashed[0].problem.evidence
    return Finding(key, "crashed", fits[0].message, "", why, remedy, evidence)


def _named(exercise: Exercise, part: str, trials: list) -> Mistake | None:
    """The mistake that explains the whole result; failing that, the one that explains `part`.

    A mistake that would spoil a part which is right says something false, so it is left out.
    """
    done = [t for t in trials if t.results]
    others = {p for t in done for p in t.prepared.expected} - {part}
    right = {p for p in others if not any(_differs(t, p) for t in done)}
    whole, partly = [], []
    for mistake in exercise.mistakes:
        if not _explains(exercise, mistake, part, done):
            continue
        fits = {p for p in others if _explains(exercise, mistake, p, done, also_right=True)}
        if fits == others:
            whole.append(mistake)
        elif right <= fits:
            partly.append(mistake)
    if len(whole) == 1:
        return whole[0]
    return partly[0] if not whole and len(partly) == 1 else None


def _differs(trial: Any, part: str) -> bool:
    return isinstance(trial.results.get(part), Disagreement)


def _explains(
    exercise: Exercise, mistake: Mistake, part: str, trials: list, also_right: bool = False
) -> bool:
    """Does the mistake give the learner's values of `part` in every case?

    It must differ from the answer somewhere, unless `also_right`.
    """
    differs = also_right
    for trial in trials:
        item = trial.prepared
        if part not in item.expected:
            continue
        outcome = _outcome(exercise, mistake, item)
        if outcome[0] != "returned" or part not in trial.results:
            return False
        wrong, got = outcome[1].get(part), trial.got.get(part)
        rule = item.property.accept if item.property else None
        if rule is not None:  # the learner's own draw: compare verdicts, not values
            if bool(rule(got, *item.case.args)) != bool(rule(wrong, *item.case.args)):
                return False
            differs |= isinstance(trial.results[part], Disagreement)
            continue
        if not _same(got, wrong, item.tolerances[part]):
            return False
        differs |= isinstance(trial.results[part], Disagreement)
    return differs


def _same(got: Any, wrong: Any, tolerance: float) -> bool:
    if wrong is None or (kind_of(wrong) != kind_of(got) and not _numeric(wrong)):
        return False
    if _numeric(wrong):
        limit = max(tolerance, 1e-9 * size_of(wrong))
        return isinstance(agree(got, wrong, limit), Agreement)
    return isinstance(agree(got, wrong, max(tolerance, 1e-9)), Agreement)


def _numeric(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value).dtype.kind in "iuf"
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_DOT = re.compile(r"not aligned: (\d+) \(dim \d+\) != (\d+) \(dim \d+\)")
_MATMUL = re.compile(r"^matmul: .*\(size (\d+) is different from (\d+)\)")


def gist(message: str) -> str:
    """A message, the same one for `np.dot` and `@` where the sizes of a product do not fit."""
    if found := _DOT.search(message):
        return f"product of {found[1]} with {found[2]}"
    if found := _MATMUL.search(message):
        return f"product of {found[2]} with {found[1]}"
    return message


@lru_cache(maxsize=8192)
def _outcome(exercise: Exercise, mistake: Mistake, item: Prepared) -> tuple:
    """What the mistake makes of a case: ("returned", parts) or ("raised", type, message).

    Once per definition and seed: every learner is compared with the same wrong values.
    """
    if exercise.kind == "quiz":
        return ("returned", {"answer": mistake.answer})
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if exercise.gradient_of and item.property is None:
                assert item.dout is not None
                parts = gradients(exercise, item.case, item.dout, mistake.answer)
            else:
                result = run_answer(exercise, item.case, mistake.answer)
                name = item.property.key if item.property else None
                parts = {name: result} if name else by_part(exercise, result)
    except Exception as problem:
        return ("raised", type(problem).__name__, gist(str(problem)[:500]))
    return ("returned", {part: plain(value) for part, value in parts.items()})


# --- the structure of the error ------------------------------------------------------------


def _structure(exercise: Exercise, part: str, trials: list) -> str:
    """What all failing cases have in common, as a hypothesis; "" when nothing stands out."""
    mine = [t for t in trials if part in t.results and t.prepared.property is None]
    failed = [t for t in mine if isinstance(t.results[part], Disagreement)]
    pairs = []
    for trial in failed:
        expected, got = trial.prepared.expected[part], trial.got.get(part)
        if not (_numeric(expected) and _numeric(got)):
            return ""
        pairs.append((np.asarray(got, float), np.asarray(expected, float)))
    if not pairs:
        return ""
    if factor := _common_factor(pairs, [_dimensions(t) for t in failed]):
        return f"It looks like the right values times {factor}."
    said = set.intersection(*(set(_explanations(*pair)) for pair in pairs))
    if len(said) == 1:
        return said.pop()
    if not said and len(failed) < len(mine):
        return "It is right for some inputs and wrong for others."
    return ""


def _explanations(got: np.ndarray, expected: np.ndarray) -> list[str]:
    """Every simple relation between the two arrays, besides a factor."""
    if not np.isfinite(got).all() or not np.isfinite(expected).all():
        return []
    if got.shape != expected.shape:
        return _shapes(got, expected)
    if not got.any():
        return ["All entries are zero."]
    if got.ndim == 2 and got.shape[0] == got.shape[1] and _close(got.T, expected):
        return ["It looks like the right values, transposed."]
    if expected.size > 1 and _close(got - expected, np.full_like(got, (got - expected).mean())):
        return [f"Every entry is off by the same amount, {(got - expected).mean():.4g}."]
    return []


def _shapes(got: np.ndarray, expected: np.ndarray) -> list[str]:
    if got.ndim == expected.ndim == 2 and got.T.shape == expected.shape:
        return ["It looks like the right values, transposed."] if _close(got.T, expected) else []
    if got.size == expected.size and _close(got.reshape(expected.shape), expected):
        return ["The numbers are right; the shape is not."]
    for count in range(1, got.ndim + 1):
        for axes in itertools.combinations(range(got.ndim), count):
            total = got.sum(axis=axes)
            if total.shape == expected.shape and _close(total, expected):
                which = " and ".join(map(str, axes))
                return [f"It looks as if the sum over axis {which} is missing."]
    return []


_FIXED = {"-1": -1.0, "2": 2.0, "1/2": 0.5, "-2": -2.0, "-1/2": -0.5}


def _common_factor(pairs: list[tuple], sizes: list[dict[str, int]]) -> str:
    """The one name of a factor between all pairs: a size such as 1/N, or a number; else ""."""
    factors = []
    for got, expected in pairs:
        factor = _factor(got, expected)
        if factor is None:
            return ""
        factors.append(factor)
    names = set.intersection(*map(_size_names, factors, sizes))
    first = factors[0]
    constant = all(abs(f - first) <= CLOSE * abs(first) for f in factors)
    fixed = [name for name, value in _FIXED.items() if abs(value - first) <= CLOSE * abs(first)]
    if len(names) == 1 and not (constant and fixed):
        return names.pop()
    if names and fixed or not constant:
        return ""
    return fixed[0] if fixed else f"{first:.7g}"


def _factor(got: np.ndarray, expected: np.ndarray) -> float | None:
    if got.shape != expected.shape or not np.isfinite(got).all() or expected.size < 2:
        return None
    square = float((expected * expected).sum())
    if square == 0 or not np.isfinite(square):
        return None
    factor = float((got * expected).sum()) / square
    return factor if factor and _close(got, factor * expected) else None


def _size_names(factor: float, sizes: dict[str, int]) -> set[str]:
    """Names such as 1/N of a factor."""
    table: dict[str, float] = {}
    for name, size in sizes.items():
        table |= {name: size, f"1/{name}": 1 / size, f"-{name}": -size, f"-1/{name}": -1 / size}
    return {name for name, value in table.items() if abs(value - factor) <= CLOSE * abs(factor)}


def _dimensions(trial: Any) -> dict[str, int]:
    """Sizes worth a name: of the first array argument, N and the size of an example."""
    for value in trial.prepared.case.args:
        if isinstance(value, np.ndarray) and value.ndim:
            n = value.shape[0]
            return {"N": n} | ({"D": value.size // n} if n else {})
    return {}


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.abs(a - b).max(initial=0) <= CLOSE * size_of(b))
