"""Chapter 07: a race of optimisers on surfaces, and schedules to be told apart by their curves."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from grader.exercises.optimisers import (
    adagrad,
    adam,
    cosine_decay,
    exponential_decay,
    inverse_time_decay,
    linear_decay,
    plateau_decay,
    rmsprop,
    sgd,
    sgd_momentum,
    step_decay,
    warm_up,
)

from . import learner, style
from .controls import choice, log_slider, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

STEPS = 120
RATES = 10.0 ** np.arange(-3.5, 1.01, 0.125)
FAR = 6.0  # a runner that is farther out than this is lost
TINY = 1e-6

RULES = {
    "SGD": (sgd, style.GREY, "-"),
    "momentum": (sgd_momentum, style.RED, "-"),
    "Adagrad": (adagrad, style.PURPLE, (0, (5, 1.5))),
    "RMSProp": (rmsprop, style.GREEN, (0, (3, 1.2))),
    "Adam": (adam, style.BLUE, "-"),
}


# --- surfaces ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Surface:
    """A function of two weights, its gradient, where to start, and its lowest value."""

    name: str
    value: Callable
    gradient: Callable
    start: tuple[float, float]
    lowest: float
    goals: tuple[tuple[float, float], ...]


TURN = np.array([[np.cos(0.6), np.sin(0.6)], [-np.sin(0.6), np.cos(0.6)]])
CURVES = np.array([1.0, 100.0])  # curvatures of the valley, along and across


def _valley(w):
    return 0.5 * (CURVES * w**2).sum(axis=-1)


def _wells(w):
    x, y = w[..., 0], w[..., 1]
    return (x**2 - 1) ** 2 + 0.25 * x + 1.5 * y**2


def _wells_gradient(w):
    x, y = w[..., 0], w[..., 1]
    return np.stack([4 * x * (x**2 - 1) + 0.25, 3 * y], axis=-1)


def _saddle(w):
    x, y = w[..., 0], w[..., 1]
    return 1.5 * x**2 - 0.5 * y**2 + 0.25 * y**4


def _saddle_gradient(w):
    x, y = w[..., 0], w[..., 1]
    return np.stack([3 * x, -y + y**3], axis=-1)


_deep = min(np.roots([4, 0, -4, 0.25]).real)  # where the left well is deepest

SURFACES = {
    s.name: s
    for s in (
        Surface("valley", _valley, lambda w: CURVES * w, (-1.8, 0.9), 0.0, ((0, 0),)),
        Surface(
            "turned valley",
            lambda w: _valley(w @ TURN.T),
            lambda w: (CURVES * (w @ TURN.T)) @ TURN,
            (-1.8, -0.5),
            0.0,
            ((0, 0),),
        ),
        Surface("saddle", _saddle, _saddle_gradient, (-1.6, 0.05), -0.25, ((0, -1), (0, 1))),
        Surface(
            "two wells",
            _wells,
            _wells_gradient,
            (1.7, 1.0),
            float(_wells(np.array([_deep, 0.0]))),
            ((float(_deep), 0),),
        ),
    )
}


# --- runners -------------------------------------------------------------------------------------


def run(rule: Callable, surface: Surface, start, rates) -> np.ndarray:
    """Paths of one rule at several rates at once, (STEPS + 1, R, 2); lost runners become nan."""
    w = np.tile(np.asarray(start, float), (len(rates), 1))
    config = {"learning_rate": np.asarray(rates, float)[:, None]}
    path = [w]
    with np.errstate(all="ignore"):
        for _ in range(STEPS):
            w, config = rule(w, surface.gradient(w), config)
            w = np.where(np.abs(w).max(axis=1, keepdims=True) > FAR, np.nan, w)
            path.append(w)
    return np.array(path)


def run_own(rule: Callable, surface: Surface, start, rate: float) -> np.ndarray:
    """Path of a learner's rule, (STEPS + 1, 2).

    Raises
    ------
    LearnerProblem
        When the rule raises, or does not give a position and a dict.
    """
    w, config = np.asarray(start, float), {"learning_rate": float(rate)}
    path = [w]
    for _ in range(STEPS):
        came = learner.call(rule, w, surface.gradient(w), config)
        if not isinstance(came, (tuple, list)) or len(came) < 2 or not isinstance(came[1], dict):
            said = f"`{learner.name_of(rule)}` should give two values: next_w and config, a dict."
            raise LearnerProblem(said)
        w, config = learner.as_array(came[0], (2,), rule), came[1]
        if not np.isfinite(w).all() or np.abs(w).max() > FAR:
            path += [np.full(2, np.nan)] * (STEPS + 1 - len(path))
            break
        path.append(w)
    return np.array(path)


def gap_of(surface: Surface, path: np.ndarray) -> np.ndarray:
    """How far the loss is above the lowest point of the surface."""
    return surface.value(path) - surface.lowest + TINY


def pace(gaps: np.ndarray) -> np.ndarray:
    """Small is good: who arrives, and stays there, and among those who is on the way for less long.

    Parameters
    ----------
    gaps : (STEPS + 1, ...) array
        A lost runner has nan in it and is the worst.
    """
    logs = np.log10(gaps)
    means = logs[-STEPS // 4 :].max(axis=0) + 0.3 * logs.mean(axis=0)
    return np.where(np.isfinite(means), means, np.inf)


@lru_cache(maxsize=256)
def best_run(rule_name: str, surface_name: str, start: tuple[float, float]):
    """The fastest of all rates on the list, and its path."""
    surface = SURFACES[surface_name]
    paths = run(RULES[rule_name][0], surface, start, RATES)
    best = int(np.argmin(pace(gap_of(surface, paths))))
    return float(RATES[best]), paths[:, best]


def explore_optimisers(
    rule: Callable | None = None,
    surface: str = "valley",
    predict: str | None = "Each runner has the rate that suits it best. Which of the five is "
    "last on the valley, and which one overshoots? Say it, then drag `steps`. Then try the "
    "turned valley: who loses most by the turn?",
) -> Explorer:
    """A race of five optimisers on a surface of two weights, seen from above.

    Parameters
    ----------
    rule : the learner's own ``rule(w, dw, config) -> (next_w, config)``; it joins in orange
    surface : "valley", "turned valley", "saddle" or "two wells"
    predict : the question above the picture
    """
    if surface not in SURFACES:
        raise ValueError(f"surface is {surface!r}; expected one of {', '.join(SURFACES)}")
    own_name = learner.name_of(rule) if rule else ""
    runners = dict(RULES)
    if rule is not None:
        runners[own_name + " (own)"] = (rule, style.LEARNER, "-")
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(9.2, 4.2), width_ratios=(1.25, 1))
        left.set(xlabel="$w_1$", ylabel="$w_2$", xlim=(-2.2, 2.2), ylim=(-1.5, 1.5))
        left.grid(False)
        left.set_xticks(range(-2, 3))
        left.set_yticks((-1, 0, 1))
        lines, heads, curves = {}, {}, {}
        for name, (_, colour, dash) in runners.items():
            look: dict[str, Any] = {"color": colour, "ls": dash, "lw": 1.9}
            (lines[name],) = left.plot([], [], **look, marker=".", ms=4)
            (heads[name],) = left.plot([], [], "o", color=colour, ms=9, mec="white")
            (curves[name],) = right.plot([], [], **look, label=name)
        (goal,) = left.plot([], [], "*", color=style.INK, ms=13, mec="white")
        right.set(title="loss above the lowest point", xlabel="step", yscale="log")
        right.set(xlim=(0, STEPS), ylim=(TINY / 2, 60))
        figure.legend(handles=list(curves.values()), loc="outside upper center", ncols=6)
    moving = [goal, *lines.values(), *heads.values(), *curves.values()]
    picture = LiveFigure(
        figure,
        moving,
        alt="Left: contour lines of a surface with the paths of several optimisers from one "
        "start. Right: how far each is above the lowest point, step by step.",
    )
    drawn: dict = {"name": None, "contours": None}
    across, up = np.meshgrid(np.linspace(-2.2, 2.2, 111), np.linspace(-1.5, 1.5, 91))

    def draw(found: Surface) -> None:
        if drawn["name"] == found.name:
            return
        if drawn["contours"] is not None:
            drawn["contours"].remove()
        height = found.value(np.stack([across, up], axis=-1)) - found.lowest
        levels = height.max() * np.linspace(0.0, 1, 15)[1:] ** 2.2
        with style.rc():
            drawn["contours"] = left.contour(
                across, up, height, levels, colors="#B9C4CE", linewidths=0.9, zorder=0
            )
            left.set_title(found.name)
        goal.set_data(*zip(*found.goals, strict=True))
        drawn["name"] = found.name
        picture.background_changed()

    def move(surface, mode, rate, x, y, steps):
        found, start = SURFACES[surface], (float(x), float(y))
        draw(found)
        said, problem = [], ""
        for name, (function, _, _) in runners.items():
            try:
                if name in RULES and mode == "the best for each":
                    used, path = best_run(name, surface, start)
                elif name in RULES:
                    used, path = rate, run(function, found, start, [rate])[:, 0]
                elif mode == "the best for each":
                    options = [run_own(function, found, start, r) for r in RATES[::2]]
                    paces = [pace(gap_of(found, path)) for path in options]
                    used, path = RATES[::2][int(np.argmin(paces))], options[int(np.argmin(paces))]
                else:
                    used, path = rate, run_own(function, found, start, rate)
            except LearnerProblem as trouble:
                path, used, problem = np.full((STEPS + 1, 2), np.nan), np.nan, str(trouble)
            gaps = gap_of(found, path)
            lines[name].set_data(path[: steps + 1, 0], path[: steps + 1, 1])
            heads[name].set_data([path[steps, 0]], [path[steps, 1]])
            curves[name].set_data(np.arange(steps + 1), gaps[: steps + 1])
            shown = "lost" if not np.isfinite(gaps[steps]) else f"{gaps[steps]:.1e}"
            said.append((np.nan_to_num(gaps[steps], nan=np.inf), name, used, shown))
        said.sort(key=lambda item: item[0])
        order = "; ".join(
            f"{'**' if k == 0 else ''}{name}{'**' if k == 0 else ''} {shown} (rate {used:.2g})"
            for k, (_, name, used, shown) in enumerate(said)
            if np.isfinite(used)
        )
        return f"After {steps} steps, lowest loss first: {order}.", problem

    first = SURFACES[surface]
    controls = {
        "surface": choice("surface", SURFACES, surface),
        "mode": choice("learning rate", ["the best for each", "the same for all"]),
        "rate": log_slider("rate", 0.03, -3, 0, 0.05, ".2g"),
        "x": slider("start w1", first.start[0], -2.0, 2.0, 0.1, ".1f"),
        "y": slider("start w2", first.start[1], -1.4, 1.4, 0.05, ".2f"),
        "steps": slider("steps", 10, 0, STEPS, 1),
    }

    def restart(change):
        """Another surface begins at its own start."""
        controls["x"].value, controls["y"].value = SURFACES[change["new"]].start

    def fit(_=None):
        """Show the rate only where it matters."""
        same = controls["mode"].value == "the same for all"
        controls["rate"].layout.display = "flex" if same else "none"

    controls["surface"].observe(restart, "value")
    controls["mode"].observe(fit, "value")
    fit()
    caption = (
        "Left: the surface from above, a star at the lowest point; dots are steps. Right: the "
        "loss, on a logarithmic axis; a curve that ends left its surface. `The best for each` is "
        "the fastest rate on a fine list, for this surface and start."
    )
    return explorer(picture, move, controls, predict, caption, still={"steps": STEPS})


# --- name the curve ------------------------------------------------------------------------------

LAST = 120
BASE = 0.1
_LOSSES = [
    *np.linspace(1.0, 0.55, 27),
    *(0.57 + 0.01 * np.cos(np.arange(17))),
    *np.linspace(0.54, 0.45, 13),
    *(0.47 + 0.01 * np.cos(np.arange(12))),
    *np.linspace(0.44, 0.40, 20),
    *(0.43 + 0.01 * np.cos(np.arange(60))),
]


@dataclass(frozen=True)
class Curve:
    """A schedule to be recognised, and what gives it away."""

    name: str
    rate: Callable
    clue: str


CURVES_TO_NAME = (
    Curve(
        "inverse-time decay",
        lambda k: inverse_time_decay(k, BASE, 0.05),
        "on the axis of 1 / rate it is a straight line. Many texts call this curve linear decay.",
    ),
    Curve(
        "cosine decay",
        lambda k: cosine_decay(k, BASE, 100, 0.01),
        "flat at both ends, steepest in the middle, and held at its floor after step 100.",
    ),
    Curve(
        "exponential decay",
        lambda k: exponential_decay(k, BASE, 0.97),
        "on the logarithmic axis it is a straight line: the same factor at every step.",
    ),
    Curve(
        "linear decay",
        lambda k: linear_decay(k, BASE, 100, 0.005),
        "on the plain axis it is a straight line, and it stops at its floor.",
    ),
    Curve(
        "step decay",
        lambda k: step_decay(k, BASE, 0.5, 30),
        "stairs of equal length; on the logarithmic axis of equal height too.",
    ),
    Curve(
        "warm-up, then cosine",
        lambda k: warm_up(k, cosine_decay(k, BASE, 100), 15),
        "it climbs for 15 steps, from a first rate that is not 0.",
    ),
    Curve(
        "plateau decay",
        lambda k: plateau_decay(_LOSSES[:k], BASE, 0.5, 10),
        "stairs of unequal length: each fall is an answer to the validation loss.",
    ),
    Curve(
        "cosine without a clamp",
        lambda k: BASE * (1 + np.cos(np.pi * k / 60)) / 2,
        "after step 60 it climbs again and undoes the work: `min(step / total, 1)` is missing.",
    ),
)
AXES = ["rate", "rate, logarithmic", "1 / rate"]


def name_the_curve(
    schedule: Callable | None = None,
    curve: int = 1,
    predict: str | None = "Name curve 1 by its look alone. Then change the axis: which schedule "
    "is a straight line on a logarithmic axis, and which one on the axis of 1 / rate?",
) -> Explorer:
    """Eight schedules without their names.

    Parameters
    ----------
    schedule : the learner's own ``schedule(step) -> rate``, drawn in orange over the curve
    curve : the number of the curve to begin with, 1 to 8
    predict : the question above the picture
    """
    steps = np.arange(LAST + 1)
    tables = [np.array([float(c.rate(int(k))) for k in steps]) for c in CURVES_TO_NAME]
    with style.rc():
        figure, (ax,) = style.subplots(1, 1, size=(7.6, 3.5))
        (line,) = ax.plot([], [], color=style.REFERENCE, label="curve")
        (own,) = ax.plot([], [], color=style.LEARNER, ls=(0, (4, 2)), lw=2.6)
        ax.set(xlabel="step", xlim=(0, LAST))
        if schedule is not None:
            own.set_label(learner.name_of(schedule))
            ax.legend(loc="upper right")
    picture = LiveFigure(figure, [line, own], alt="A learning-rate schedule, rate against step.")
    shown: dict = {"axis": None}

    def frame_for(axis: str) -> None:
        if shown["axis"] == axis:
            return
        shown["axis"] = axis
        with style.rc():
            ax.set_yscale("log" if axis == AXES[1] else "linear")
            ax.set_ylim({AXES[0]: (0, 0.108), AXES[1]: (8e-4, 0.13), AXES[2]: (0, 125)}[axis])
            ax.set_ylabel("1 / rate" if axis == AXES[2] else "rate")
            ax.set_title("which schedule is it?")
        picture.background_changed()

    def on_axis(rates, axis):
        with np.errstate(all="ignore"):
            return 1 / rates if axis == AXES[2] else rates

    def move(curve, guess, axis):
        frame_for(axis)
        right, rates = CURVES_TO_NAME[curve - 1], tables[curve - 1]
        line.set_data(steps, on_axis(rates, axis))
        n = style.number
        reading = f"Step 0: {n(rates[0])}, step 50: {n(rates[50])}, step 120: {n(rates[120])}."
        if guess == right.name:
            reading += f" **Right**, {right.name}: {right.clue}"
        elif guess != "?":
            clue = next(c.clue for c in CURVES_TO_NAME if c.name == guess)
            reading += f" **Not this one.** How to know {guess}: {clue}"
        own.set_data([], [])
        if schedule is None:
            return reading
        try:
            came = [learner.call(schedule, int(k)) for k in steps]
            mine = learner.as_array(came, (LAST + 1,), schedule)
        except LearnerProblem as problem:
            return reading, str(problem)
        own.set_data(steps, on_axis(mine, axis))
        gap = np.abs(mine - rates).max()
        return reading + f" `{learner.name_of(schedule)}` is off by at most {n(gap, 4)}."

    names = sorted(c.name for c in CURVES_TO_NAME)
    controls = {
        "curve": slider("curve", curve, 1, len(CURVES_TO_NAME), 1),
        "guess": choice("it is", ["?", *names]),
        "axis": choice("axis", AXES),
    }
    caption = (
        "A curve is known by what turns it into a straight line, by its ends, and by what it does "
        "after its end."
    )
    solved = {"guess": CURVES_TO_NAME[curve - 1].name}
    return explorer(picture, move, controls, predict, caption, still=solved)
