"""Chapter 00: how small should the step of a finite difference be?"""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .controls import log_slider, slider, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

STEPS = np.logspace(-1, -15, 225)
TINY = 1e-17  # an error of 0 is drawn here, since a log axis has no 0
EPS = np.finfo(float).eps


def forward_difference(f: Callable, x: float, h):
    """(f(x + h) - f(x)) / h: one step to the right."""
    return (f(x + h) - f(x)) / h


def central_difference(f: Callable, x: float, h):
    """(f(x + h) - f(x - h)) / 2h: one step to each side."""
    return (f(x + h) - f(x - h)) / (2 * h)


def complex_step(f: Callable, x: float) -> float:
    """The slope without any subtraction, for an f that accepts complex numbers."""
    try:
        slope = float(np.imag(f(complex(x, 1e-30))) / 1e-30)
    except TypeError:
        slope = np.nan
    if not np.isfinite(slope):
        raise ValueError("f does not work with complex numbers; give its derivative as df=...")
    return slope


def slope_at(f: Callable, df: Callable | None, x: float) -> float:
    """The exact slope that errors are measured from."""
    return float(df(x)) if df is not None else complex_step(f, x)


def learner_slope(numerical_gradient: Callable, f: Callable, x: float, h: float) -> float:
    """The slope by a learner's ``numerical_gradient(f, x, h)``, which works on arrays."""
    point = np.array([x])
    result = learner.call(numerical_gradient, lambda a: float(f(a.reshape(-1)[0])), point, h)
    try:
        values = np.asarray(result, dtype=float)
    except (TypeError, ValueError):
        values = np.empty(0)
    if values.size != 1:
        raise LearnerProblem(
            f"`{learner.name_of(numerical_gradient)}` gave an answer of shape {values.shape} for "
            "an x of shape (1,). The gradient has the shape of x."
        )
    return float(values.reshape(-1)[0])


def explore_step_size(
    f: Callable = np.sin,
    df: Callable | None = None,
    x: float = 1.0,
    numerical_gradient: Callable | None = None,
    predict: str | None = "A smaller step h gives a better slope. Down to which h? Say a power "
    "of ten, then drag h and watch the dots leave their trace.",
) -> Explorer:
    """Step size h against the error of forward and central differences.

    Parameters
    ----------
    f : the function to differentiate, of a number; must accept arrays
    df : its exact slope; without it the slope comes from a complex step
    x : the point to begin with
    numerical_gradient : the learner's ``numerical_gradient(f, x, h)``, drawn in orange
    predict : the question above the picture
    """
    name = learner.name_of(f)
    own_name = learner.name_of(numerical_gradient) if numerical_gradient else ""
    reach = np.linspace(x - 2, x + 2, 9)
    steep = 0.5 + 2.2 * max(abs(slope_at(f, df, at)) for at in reach)
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.9), width_ratios=(1.45, 1))
        (one,) = left.loglog(STEPS, STEPS, color=style.SKY, lw=1.6, label="forward difference")
        (two,) = left.loglog(STEPS, STEPS, color=style.BLUE, lw=1.6, label="central difference")
        (one_dot,) = left.plot([1], [1], "s", ms=10, color=style.SKY, mec=style.HERE)
        (two_dot,) = left.plot([1], [1], "o", ms=10, color=style.BLUE, mec=style.HERE)
        (own_dot,) = left.plot([], [], "D", ms=12, mfc="none", mec=style.LEARNER, mew=2.6)
        if numerical_gradient:
            own_dot.set_label(own_name)
        best = []  # where theory expects the lowest point of each V
        for h, text, align in ((np.sqrt(EPS), "√ε ", "right"), (np.cbrt(EPS), " ∛ε", "left")):
            best.append(left.axvline(h, ymax=0.78, color=style.GREY, lw=1, ls=":"))
            best.append(left.text(h, 2e-15, text, color="#555555", ha=align))
        left.set(xlim=(3e-16, 0.3), ylim=(1e-15, 30), xlabel="step size h", ylabel="error of slope")
        left.set(title="Error against step size")
        left.legend(loc="upper center")
        across = np.linspace(-2, 2, 401)
        (computed,) = right.plot(across, across, color=style.BLUE, lw=2.4, label="f, as computed")
        (true,) = right.plot(across, across, color=style.HERE, lw=1.4, ls="--", label="tangent")
        (probes,) = right.plot([], [], "o", ms=8, color=style.BLUE, mec=style.HERE)
        right.set(xlim=(-2, 2), ylim=(-steep, steep), title="The magnifying glass")
        right.set(xlabel="(t − x) / h", ylabel="(f(t) − f(x)) / h")
        right.legend(loc="upper left")
    picture = LiveFigure(
        figure,
        [*best, one, two, own_dot, one_dot, two_dot, true, computed, probes],
        alt="Left: the error of forward and central differences against the step size, two V "
        "shapes on logarithmic axes. Right: the function around x, enlarged to the step size.",
    )

    seen = {"x": None, "least": 1.0, "most": 0.0}

    def move(h, x, whole):
        exact = slope_at(f, df, x)
        if x != seen["x"]:  # a new point has new curves, and nothing of them was seen yet
            seen.update(x=x, least=h, most=h)
        seen.update(least=min(h, seen["least"]), most=max(h, seen["most"]))
        least, most = 0.99 * seen["least"], 1.01 * seen["most"]
        visited = whole | np.logical_and(least <= STEPS, most >= STEPS)
        with np.errstate(all="ignore"):
            for line, rule in ((one, forward_difference), (two, central_difference)):
                error = np.maximum(np.abs(rule(f, x, STEPS) - exact), TINY)
                line.set_ydata(np.where(visited, error, np.nan))
        for artist in best:
            artist.set_visible(whole)
        ahead, both = forward_difference(f, x, h), central_difference(f, x, h)
        for dot, value in ((one_dot, ahead), (two_dot, both)):
            dot.set_data([h], [max(abs(value - exact), 1.3e-15)])
        computed.set_ydata((f(x + across * h) - f(x)) / h)
        true.set_ydata(across * exact)
        probes.set_data([-1, 0, 1], [(f(x + k * h) - f(x)) / h for k in (-1, 0, 1)])
        reading = (
            f"h = {style.number(h, 3)}, exact slope of {name} at {style.number(x, 2)}: "
            f"**{exact:.12f}**. Forward {ahead:.12f}, error {abs(ahead - exact):.1e}. "
            f"Central {both:.12f}, error {abs(both - exact):.1e}."
        )
        if whole:
            reading += (
                " On the right of the V, the curve bends within the step: truncation. On the left, "
                "f is rounded to about 16 digits and the rounding is divided by h. ε = 2.2e−16 is "
                "the gap between 1 and the next number."
            )
        if numerical_gradient is None:
            return reading
        try:
            own = learner_slope(numerical_gradient, f, x, h)
        except LearnerProblem as problem:
            own_dot.set_data([], [])
            return reading, str(problem)
        own_dot.set_data([h], [max(abs(own - exact), 1.3e-15)])
        return f"{reading} `{own_name}` {own:.12f}, error {abs(own - exact):.1e}."

    controls = {
        "h": log_slider("step size h", 1e-2, -15, -1, 0.1),
        "x": slider("x", x, x - 2.0, x + 2.0, 0.05),
        "whole": toggle("show the whole curve"),
    }
    caption = (
        "Left: how wrong the slope is; the dots leave a trace. Right: f around x, enlarged until "
        "h fills the picture. Look for a bend where h is large, and for stairs where h is tiny."
    )
    return explorer(picture, move, controls, predict, caption, still={"whole": True})
