"""Chapter 03: an activation with its slope, and what depth does to signal and gradient."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from . import learner, style
from .controls import choice, slider, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

X = np.linspace(-6, 6, 481)


def sigmoid(x):
    """1 / (1 + exp(-x)), written so that large x does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * x))


@dataclass(frozen=True)
class Activation:
    """A reference activation, its slope, and the limits that show both well."""

    name: str
    f: Callable
    df: Callable
    low: float
    high: float
    steepest: float
    alpha: tuple[float, float, float] | None = None  # start, least, most


ACTIVATIONS = {
    a.name: a
    for a in (
        Activation(
            "sigmoid",
            lambda x, alpha: sigmoid(x),
            lambda x, alpha: sigmoid(x) * (1 - sigmoid(x)),
            *(-0.1, 1.1, 0.4),
        ),
        Activation(
            "tanh",
            lambda x, alpha: np.tanh(x),
            lambda x, alpha: 1 - np.tanh(x) ** 2,
            *(-1.2, 1.2, 1.2),
        ),
        Activation(
            "ReLU",
            lambda x, alpha: np.maximum(x, 0),
            lambda x, alpha: (x > 0) * 1.0,
            *(-1.5, 6.0, 1.2),
        ),
        Activation(
            "leaky ReLU",
            lambda x, alpha: np.where(x > 0, x, alpha * x),
            lambda x, alpha: np.where(x > 0, 1.0, alpha),
            *(-3.0, 6.0, 1.2),
            alpha=(0.1, 0.0, 0.5),
        ),
        Activation(
            "scaled sigmoid",
            lambda x, alpha: sigmoid(alpha * x),
            lambda x, alpha: alpha * sigmoid(alpha * x) * (1 - sigmoid(alpha * x)),
            *(-0.1, 1.1, 2.1),
            alpha=(2.0, 0.2, 8.0),
        ),
    )
}


def guess(name: str | None, f: Callable | None) -> str:
    """The reference to begin with: the one that is asked for, or whose name is in f's name."""
    asked = (name or (learner.name_of(f) if f else "")).lower().replace("_", " ")
    words = {"scaled": "scaled sigmoid", "leaky": "leaky ReLU", "sigmoid": "sigmoid"}
    for word, known in (words | {"tanh": "tanh", "relu": "ReLU"}).items():
        if word in asked:
            return known
    if name is not None:
        raise ValueError(f"name is {name!r}; expected one of {', '.join(ACTIVATIONS)}")
    return "sigmoid"


def learner_activation(f: Callable, df: Callable | None, x: np.ndarray, alpha: float):
    """Values and slopes of a learner's activation at x.

    `f` may be plain (``relu(x)``) or a layer (``relu_forward(x) -> out, cache``); `df` may be
    plain (``drelu(x)``) or a layer (``relu_backward(dout, cache)``). Without `df` the slope
    is measured with central differences.
    """
    extra = {"alpha": alpha} if learner.accepts(f, "alpha") else {}

    def value(at):
        result = learner.call(f, at, **extra)
        out, cache = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
        return learner.as_array(out, at.shape, f), cache

    a, cache = value(x)
    if df is None:
        h = 1e-5
        return a, (value(x + h)[0] - value(x - h)[0]) / (2 * h)
    if learner.positional(df) == 2 and not learner.accepts(df, "alpha"):
        slope = learner.call(df, np.ones_like(x), cache)
    else:
        slope = learner.call(df, x, **({"alpha": alpha} if learner.accepts(df, "alpha") else {}))
    return a, learner.as_array(slope, x.shape, df)


def explore_activation(
    f: Callable | None = None,
    df: Callable | None = None,
    name: str | None = None,
    predict: str | None = "At which x is the slope of the sigmoid largest, and how large is it "
    "there? Say a number, then drag x; the dot on the right leaves its trace.",
) -> Explorer:
    """An activation and its slope, with a tangent that moves along.

    Parameters
    ----------
    f : the learner's activation, drawn in orange beside the reference: ``f(x)``, or a layer's
        ``f(x) -> (out, cache)``; given ``alpha=`` if it has a parameter of that name
    df : the learner's slope: ``df(x)``, or a layer's ``df(dout, cache)``; without it the
        slope of `f` is measured with finite differences
    name : the reference to begin with; by default the one that `f`'s name speaks of
    predict : the question above the picture
    """
    first = guess(name, f)
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.5))
        look = {"color": style.REFERENCE, "label": "reference"}
        (curve,) = left.plot(X, X, **look)
        (slope,) = right.plot(X, X, **look)
        (tangent,) = left.plot([0, 1], [0, 1], color=style.HERE, lw=3)
        dots = [
            ax.plot([0], [0], "o", ms=9, color=style.HERE, mec="white", clip_on=False)[0]
            for ax in (left, right)
        ]
        mine = {"color": style.LEARNER, "ls": (0, (4, 2)), "lw": 2.6}
        (own_curve,) = left.plot(X, X * np.nan, **mine)
        (own_slope,) = right.plot(X, X * np.nan, **mine)
        for ax in (left, right):
            ax.set(xlabel="x", xlim=(-6, 6))
            if f is not None:
                own_curve.set_label(learner.name_of(f))
                own_slope.set_label(learner.name_of(df) if df else "slope, measured")
        left.set_ylabel("f(x)")
        right.set_ylabel("slope  f '(x)")
    moving = [curve, slope, own_curve, own_slope, tangent, *dots]
    picture = LiveFigure(
        figure,
        moving,
        alt="Left: an activation f(x) with its tangent at one point. "
        "Right: the slope of the activation at every x, the same point marked.",
    )
    shown = {"name": None}
    seen: dict = {"key": None}

    def frame_for(act: Activation) -> None:
        if act.name == shown["name"]:
            return
        shown["name"] = act.name
        with style.rc():
            left.set(ylim=(act.low, act.high), title=f"{act.name}: value")
            right.set(ylim=(-0.08 * act.steepest, act.steepest), title=f"{act.name}: slope")
            if f is not None:
                for ax in (left, right):
                    ax.legend(loc="upper left")
        picture.background_changed()

    def move(name, x, alpha, whole):
        act = ACTIVATIONS[name]
        frame_for(act)
        if seen["key"] != (name, alpha):  # another function: nothing of its slope was seen yet
            seen.update(key=(name, alpha), low=x, high=x)
        seen.update(low=min(x, seen["low"]), high=max(x, seen["high"]))
        visited = whole | np.logical_and(seen["low"] <= X, seen["high"] >= X)
        here = np.array([x])
        a, s = act.f(here, alpha)[0], act.df(here, alpha)[0]
        curve.set_ydata(act.f(X, alpha))
        slope.set_ydata(np.where(visited, act.df(X, alpha), np.nan))
        # The tangent is one unit of picture long, however steep it is.
        half = 1.6 / np.hypot(1, s * 12 / (act.high - act.low))
        tangent.set_data([x - half, x + half], [a - s * half, a + s * half])
        dots[0].set_data([x], [a])
        dots[1].set_data([x], [s])
        n = style.number
        reading = f"At x = {n(x, 2)} the {name} is f(x) = **{n(a)}** and its slope is **{n(s)}**."
        if f is None:
            return reading
        try:
            own = learner_activation(f, df, X, alpha)
        except LearnerProblem as problem:
            own_curve.set_ydata(X * np.nan)
            own_slope.set_ydata(X * np.nan)
            return reading, str(problem)
        own_curve.set_ydata(own[0])
        own_slope.set_ydata(own[1])
        a, s = (np.interp(x, X, values) for values in own)
        return f"{reading} `{learner.name_of(f)}`: **{n(a)}** and **{n(s)}**."

    controls = {
        "name": choice("reference" if f else "activation", ACTIVATIONS, first),
        "x": slider("x", 1.5, -6.0, 6.0, 0.05),
        "alpha": slider("alpha", 0.1, 0.0, 8.0, 0.05),
        "whole": toggle("show the whole slope", f is not None),
    }

    def fit_alpha(_=None):
        """Show alpha only where it matters, with a range that suits the function."""
        wanted = ACTIVATIONS[controls["name"].value].alpha
        controls["alpha"].layout.display = "flex" if wanted else "none"
        if wanted:
            start, low, high = wanted
            with controls["alpha"].hold_trait_notifications():
                controls["alpha"].min, controls["alpha"].max = min(low, 0.0), high
                controls["alpha"].value = start
                controls["alpha"].min = low

    controls["name"].observe(fit_alpha, "value")
    fit_alpha()
    caption = (
        "Left: the function, with its tangent in black. Right: how steep the tangent is, at every "
        "x. A gradient on its way back is multiplied by the height on the right."
    )
    return explorer(picture, move, controls, predict, caption, still={"whole": True})
