"""The gradient checker, usable on its own.

    from grader import gradcheck
    gradcheck(f, df, x)

Directions are Gaussian: entries of +1 and -1 cancel more often, and weights that are all
positive hide mean terms.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import Any

import numpy as np

from grader.finite_differences import (
    Judgement,
    Line,
    directional_derivative,
    roundoff,
    size,
)
from grader.gradcheck_report import (
    CannotCheck,
    GradcheckResult,
    Pair,
    entry_words,
    factor_words,
    listing,
    slice_words,
)

CONFIRMED = 3  # directions that must agree before "wrong" is said
WIDEST_MOVE = 0.25
RETRIES = 6  # rounds that may be repeated at other points
SEARCH_SECONDS = 4.0  # what the search for the wrong entries may take
FEW = 500  # inputs below this size are searched entry by entry


def gradcheck(
    f: Callable[..., Any],
    df: Callable[..., Any],
    *inputs: Any,
    names: Sequence[str] | None = None,
    rng: np.random.Generator | None = None,
    seed: int = 0,
    rounds: int = 3,
) -> GradcheckResult:
    """Compare a gradient written by hand with finite differences.

    Parameters
    ----------
    f
        f(*inputs) -> array or number, or (out, cache).
    df
        The claimed gradients, a tuple if there are several. By its signature it is called as

        - df(dout, *inputs): gradients of <dout, f>, dout of f's output shape;
        - df(dout, cache): the same, if f returns (out, cache) and df can take two arguments;
        - df(dout): the same, for layers that remember; the parameter's name says so;
        - df(*inputs): gradients of a number; or the derivative of an elementwise f(x).
    *inputs
        Float arrays and floats are varied. Anything else (labels, shapes, None) is passed on
        as it is, and gradients for it may be left out. Integers count as floats if no input
        is a float.
    names
        Names of the inputs in messages; by default the parameters of f.
    rng, seed
        Source of the random directions.
    rounds
        How many times it must come out right, each with other weights and directions.
    """
    rng = np.random.default_rng(seed) if rng is None else rng
    pair = None
    try:
        with np.errstate(all="ignore"):
            pair = Pair.of(f, df, inputs, names)
            found = _check(pair, rng, rounds)
    except CannotCheck as stop:
        found = GradcheckResult(stop.verdict, stop.message, stop.name)
    return replace(found, evaluations=pair.evaluations if pair else 0)


@dataclass(frozen=True)
class _Problem:
    """One set of inputs with weights u, and what df claims there."""

    pair: Pair
    inputs: dict[str, np.ndarray]
    u: np.ndarray
    y: np.ndarray
    claimed: dict[str, np.ndarray]
    rng: np.random.Generator

    @classmethod
    def posed(cls, pair: Pair, inputs: dict[str, np.ndarray], rng: np.random.Generator) -> _Problem:
        """Run f twice and df once, and refuse what can not be compared."""
        y, _ = pair.forward(pair.arguments(inputs))
        arguments = pair.arguments(inputs)
        again, cache = pair.forward(arguments)
        if y.shape != again.shape or not np.array_equal(y, again, equal_nan=True):
            text = "f gives another output when called again with the same inputs"
            hint = "fix the random draws (a mask, say) outside f"
            raise CannotCheck("not_repeatable", f"{text}; {hint}.")
        for i, name in pair.varied.items():
            if not np.array_equal(arguments[i], inputs[name], equal_nan=True):
                text = f"f changes its input `{name}` in place; let it work on a copy."
                raise CannotCheck("not_repeatable", text, name)
        if not np.isfinite(y).all():
            raise CannotCheck("nonfinite", "f returns nan or inf at these inputs.")
        plain = y.ndim == 0 and pair.style(y, cache) == "plain"
        u = np.ones(()) if plain else np.asarray(rng.standard_normal(y.shape))
        return cls(pair, inputs, u, y, pair.backward(u, inputs, y, cache), rng)

    def line(self, name: str, v: np.ndarray, noise: float = 0.0) -> Line:
        output = lambda inputs: self.pair.probe(inputs, self.y.shape)  # noqa: E731
        return Line(output, self.inputs, self.u, name, v, self.y, noise)

    def direction(self, name: str, small: bool = False) -> np.ndarray:
        """Gaussian, of the input's size; `small` favours entries whose gradient is small."""
        x, g = self.inputs[name], np.abs(self.claimed[name])
        v = np.asarray(self.rng.standard_normal(x.shape)) * size(x)
        if small and g.shape == x.shape and g.any():
            weight = 1 / (g / g.max() + 1e-2)
            v = v * weight / size(weight)
        return v

    def judge(self, name: str, small: bool = False) -> Judgement:
        """Verdict on one gradient; "wrong" only if several directions agree."""
        line = self.line(name, self.direction(name, small))
        noise = line.measured_noise()
        first = replace(line, noise=noise).judge(self.claimed[name])
        if first.kind != "wrong":
            return first
        for _ in range(CONFIRMED - 1):
            other = self.line(name, self.direction(name, small), noise)
            if other.judge(self.claimed[name]).kind != "wrong":
                return replace(first, kind="kink")  # wrong on one side only: a kink or a tie
        return first

    def single(self, name: str) -> bool:
        """Do outputs pass through single precision? Long numbers next to the inputs tell."""
        line = self.line(name, self.direction(name))
        return roundoff(*(line.at(t)[0] for t in (2.0**-30, 2.0**-29))) > 2.0**-30

    def supports(self, name: str, hypothesis: np.ndarray) -> bool:
        """Would this gradient be right?"""
        other = replace(self, claimed={**self.claimed, name: hypothesis})
        return all(other.judge(name, small).kind in ("ok", "zero") for small in (False, True))


def _check(pair: Pair, rng: np.random.Generator, rounds: int) -> GradcheckResult:
    """Rounds at the given inputs; near a kink, at inputs moved by 1 %, 5 %, 25 %."""
    good, share, worst, coarsest, still = 0, 0.0, 0.0, 0.0, set(pair.varied.values())
    trouble, kinky = ("", Judgement("noisy", np.nan, np.nan)), False
    alive: dict[str, bool] = {}
    for _ in range(rounds + RETRIES):
        inputs = {n: _moved(x, share, rng) for n, x in pair.inputs.items()}
        try:
            problem = _Problem.posed(pair, inputs, rng)
        except CannotCheck:
            if not share:
                raise
            continue  # the move left f's domain
        _same_shapes(problem)
        alive = alive or {name: bool(g.any()) for name, g in problem.claimed.items()}
        judged = {name: problem.judge(name, small=good % 2 == 1) for name in inputs}
        if bad := [name for name, one in judged.items() if one.kind == "wrong"]:
            return _wrong(problem, bad, judged[bad[0]], share)
        still &= {name for name, one in judged.items() if one.kind == "zero"}
        unclear = [(name, one) for name, one in judged.items() if one.kind in ("kink", "noisy")]
        if unclear:
            trouble, kinky = unclear[0], kinky or unclear[0][1].kind == "kink"
        # A move to where f is flat proves nothing about a gradient that was not zero.
        lost = share and any(one.kind == "zero" and alive[n] for n, one in judged.items())
        if unclear or lost:
            share = {0.0: 0.01, 0.01: 0.05}.get(share, WIDEST_MOVE)
            continue
        good += 1
        worst = max(worst, *(one.error for one in judged.values()))
        coarsest = max(coarsest, *(one.resolution for one in judged.values()))
        if good == rounds:
            reason = "lie near a kink of f" if kinky else "leave the change of f in its rounding"
            return _right(problem, worst, coarsest, still, reason if share else "")
    return _unclear(problem, *trouble)


def _moved(x: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """x with every entry moved by a share of its spread; what has one sign keeps it.

    The widest move goes by size: it leaves the flat ends of saturated functions.
    """
    if not share:
        return x
    spread = size(x) if share == WIDEST_MOVE or not np.ptp(x) else size(x - x.mean())
    y = x + share * spread * rng.standard_normal(x.shape)
    one_sign = 1.0 if (x >= 0).all() else -1.0 if (x <= 0).all() else 0.0
    return np.asarray(one_sign * np.abs(y) if one_sign and x.any() else y)


def _same_shapes(problem: _Problem) -> None:
    """Shapes and finite numbers, before anything is compared (a product would broadcast)."""
    for name, g in problem.claimed.items():
        shape = problem.inputs[name].shape
        if g.shape != shape:
            text = f"The gradient of `{name}` has shape {g.shape}, expected {shape} like `{name}`."
            raise CannotCheck("shape", text + _reshaped(problem, name), name)
        if not np.isfinite(g).all():
            what = "nan" if np.isnan(g).any() else "inf"
            raise CannotCheck("nonfinite", f"The gradient of `{name}` contains {what}.", name)


def _reshaped(problem: _Problem, name: str) -> str:
    """What would make a gradient of the wrong shape right."""
    g, shape = problem.claimed[name], problem.inputs[name].shape
    if not np.isfinite(g).all():
        return ""
    tries = {"Transposed, it would agree.": g.T, "Reshaped, it would agree.": g}
    for axis in range(g.ndim):
        tries[f"Summed over axis {axis}, it would agree."] = g.sum(axis)
    for hint, other in tries.items():
        fits = other.shape == shape or (hint[0] == "R" and other.size == np.prod(shape))
        if fits and problem.supports(name, other.reshape(shape)):
            return " " + hint
    return ""


def _right(
    problem: _Problem, worst: float, resolution: float, still: set[str], moved_because: str
) -> GradcheckResult:
    checked = [name for name in problem.inputs if name not in still]
    remarks = []
    if still:
        zero = listing([name for name in problem.inputs if name in still])
        remarks.append(f"f does not change with {zero} here, and a gradient of zero agrees.")
    if moved_because:
        remarks.append(f"These inputs {moved_because}, so inputs beside them were checked.")
    if checked and problem.single(checked[0]):
        remarks.append("f computes in single precision (float32 or less).")
    text = f"Right: finite differences agree to {worst:.0e} for {listing(checked)}."
    message = " ".join([text if checked else "Right.", *remarks])
    return GradcheckResult("ok", message, "", worst, resolution, "", tuple(remarks))


def _wrong(problem: _Problem, bad: list[str], one: Judgement, share: float) -> GradcheckResult:
    name = bad[0]
    text = f"The gradient of `{name}` is wrong: it differs from finite differences"
    text += f" by {one.error:.1e} (relative), measured to {one.resolution:.0e}."
    how = _how(problem, name)
    where = "" if how else _where(problem, name)
    others = [n for n in problem.inputs if n not in bad]
    remarks = []
    if len(bad) > 1:
        remarks.append(f"Also wrong: {listing(bad[1:])}.")
    if others:
        remarks.append(f"No difference seen for {listing(others)}.")
    if share:
        remarks.append("This was seen beside the given inputs, where f is easier to measure.")
    message = " ".join(filter(None, [text, how, where, *remarks]))
    return GradcheckResult("wrong", message, name, one.error, one.resolution, where, tuple(remarks))


def _unclear(problem: _Problem, name: str, one: Judgement) -> GradcheckResult:
    """Why finite differences can not tell, as far as that shows."""
    if not name:
        reason = "f fails near these inputs"
    elif problem.single(name):
        reason = "f computes in single precision (float32 or less), about 7 digits"
    elif one.kind == "kink":
        reason = "f has too many kinks near these inputs"
    elif not np.isfinite(one.error):
        reason = "f is not finite near these inputs"
    else:
        reason = "the change of f drowns in its rounding"
    text = f"Finite differences can not tell: {reason}."
    blur = one.resolution + one.error
    if blur < 0.1:
        text += f" They see no mistake in `{name}` larger than {blur:.0e} (relative)."
    return GradcheckResult("inconclusive", text, name, one.error, one.resolution)


def _how(problem: _Problem, name: str) -> str:
    """A single cause that explains the whole difference, tried by checking the repaired one."""
    g = problem.claimed[name]
    if not g.any():
        return "It is zero everywhere."
    if problem.supports(name, np.zeros_like(g)):
        return f"It should be zero: f does not change with `{name}` here."
    v = problem.direction(name)
    output = lambda *values: problem.pair.probe(  # noqa: E731
        dict(zip(problem.inputs, values, strict=True)), problem.y.shape
    )
    true, _ = directional_derivative(output, problem.inputs, problem.u, name, v)
    factor = float(np.sum(g * v)) / true if true else np.nan
    if np.isfinite(factor) and factor and problem.supports(name, g / factor):
        shapes = {f"`{n}`": x.shape for n, x in problem.inputs.items()}
        return factor_words(factor, {**shapes, "the output": problem.y.shape})
    for axes in list(permutations(range(g.ndim)))[1:24]:
        turned = g.transpose(axes)
        if turned.shape == g.shape and problem.supports(name, turned):
            return "It looks transposed" + (f" (axes {axes})." if g.ndim > 2 else ".")
    return ""


def _where(problem: _Problem, name: str) -> str:
    """Entry by entry if there are few, slice by slice otherwise, if the time allows it."""
    x, g = problem.inputs[name], problem.claimed[name]
    each = 12 * problem.pair.seconds / problem.pair.evaluations
    noise = problem.line(name, problem.direction(name)).measured_noise()
    if x.size < FEW and x.size * each < SEARCH_SECONDS:
        wrong, measured = np.zeros(x.shape, bool), g.copy()
        for index in np.ndindex(x.shape):
            v = np.zeros(x.shape)
            v[index] = size(x)
            one = problem.line(name, v, noise).judge(g)
            wrong[index] = one.kind == "wrong"
            measured[index] += one.gap / v[index] if wrong[index] else 0.0
        measured[np.abs(measured) < 1e-9 * np.abs(g).max()] = 0.0  # rounding, not a value
        return entry_words(wrong, g, measured)
    if sum(x.shape) * each > SEARCH_SECONDS:
        return ""
    indices: dict[int, list[int]] = {axis: [] for axis in range(x.ndim)}
    for axis, length in enumerate(x.shape):
        for i in range(length):
            mask = np.arange(length).reshape([-1 if a == axis else 1 for a in range(x.ndim)]) == i
            line = problem.line(name, problem.direction(name) * mask, noise)
            if line.judge(g).kind == "wrong":
                indices[axis].append(i)
    sentence = slice_words(indices, x.shape)
    return f"{sentence}." if sentence else ""
