"""Chapter 10: one recurrent unit over time, and a gradient on its way back through time."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .controls import choice, slider, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

STEPS = 16  # of the single unit
FIRST, SECOND = 3, 10  # when its two pulses arrive
LAGS, WIDTH, BATCH = 60, 32, 8  # of the layer whose gradient is followed
FLOOR, CEILING = 1e-16, 1e18


# --- one unit ------------------------------------------------------------------------------------


def unit_states(step: Callable, x: np.ndarray, weight: float) -> np.ndarray:
    """States of one unit that reads x (T,) with input weight 1, from a state of 0."""
    state, states = np.zeros((1, 1)), []
    for value in x:
        result = step(
            np.array([[value]]), state, np.ones((1, 1)), np.array([[weight]]), np.zeros(1)
        )
        state = result[0] if isinstance(result, tuple) else result
        states.append(state)
    return np.array(states, dtype=float).reshape(-1)


def own_states(f: Callable, x: np.ndarray, weight: float) -> np.ndarray:
    """The same with a learner's step, or with a learner's function for whole sequences."""
    if "step" not in learner.name_of(f):
        args = x[None, :, None], np.zeros((1, 1)), np.ones((1, 1)), np.array([[weight]])
        h = learner.call(f, *args, np.zeros(1))
        h = h[0] if isinstance(h, tuple) else h
        return learner.as_array(h, (1, len(x), 1), f)[0, :, 0]

    def step(*args):
        result = learner.call(f, *args)
        first = result[0] if isinstance(result, tuple) else result
        return learner.as_array(first, (1, 1), f)

    return unit_states(step, x, weight)


def explore_state(
    f: Callable | None = None,
    predict: str
    | None = "A pulse arrives at step 3. With a recurrent weight of 0.5, after how many "
    "steps is less than a tenth of the first state left? Then try a weight of 1.5: does it ever "
    "forget?",
) -> Explorer:
    """One recurrent unit, unrolled: two pulses come in, and the state carries them on.

    Parameters
    ----------
    f : the learner's ``rnn_step_forward(x, prev_h, Wx, Wh, b)`` or ``rnn_forward(x, h0, Wx, Wh,
        b)``, drawn in orange beside the reference
    predict : the question above the picture
    """
    t = np.arange(1, STEPS + 1)
    with style.rc():
        figure, (top, below) = style.subplots(
            2, 1, size=(8.4, 4.5), height_ratios=(1, 1.45), sharex=True
        )
        for k in t:
            top.annotate(
                "", (k, 0.86), (k, 0.22), arrowprops={"arrowstyle": "->", "color": "#999999"}
            )
            if k < STEPS:
                ends = {"arrowstyle": "->", "color": style.INK, "lw": 1.3}
                top.annotate("", (k + 0.73, 1.1), (k + 0.27, 1.1), arrowprops=ends)
        look = {"cmap": "RdBu", "vmin": -1, "vmax": 1, "edgecolors": style.INK, "clip_on": False}
        boxes = top.scatter(t, 0 * t, c=0.0 * t, s=260, marker="s", **look)
        balls = top.scatter(t, 0 * t + 1.1, c=0.0 * t, s=330, **look)
        top.set(ylim=(-0.35, 1.5), yticks=[0, 1.1], yticklabels=["input", "state"])
        top.set_title("The same unit at every step: blue positive, red negative")
        top.grid(False)
        top.tick_params(length=0)
        for side in ("left", "bottom"):
            top.spines[side].set_visible(False)
        below.axhline(0, color=style.GREY, lw=1)
        (line,) = below.plot(t, 0 * t, "o-", ms=5, color=style.REFERENCE, label="state")
        (own,) = below.plot(t, np.nan * t, "s--", ms=4, color=style.LEARNER)
        below.set(xlim=(0.4, STEPS + 0.6), ylim=(-1.5, 1.15), xticks=t, xlabel="time step")
        below.set_ylabel("state h")
        if f is not None:
            own.set_label(learner.name_of(f))
            below.legend(loc="lower right", ncols=2)
    picture = LiveFigure(
        figure,
        [boxes, balls, line, own],
        alt="Top: a recurrent unit unrolled over 16 steps, each state coloured by its value. "
        "Below: the state over time.",
    )

    def step(x, h, wx, wh, b):
        return np.tanh(x @ wx + h @ wh + b)

    def move(weight, first, second):
        x = np.zeros(STEPS)
        x[FIRST - 1], x[SECOND - 1] = first, second
        h = unit_states(step, x, weight)
        boxes.set_array(np.clip(x, -1, 1))
        balls.set_array(h)
        line.set_ydata(h)
        n = style.number
        reading = (
            f"State at step {FIRST}: **{n(h[FIRST - 1])}**, five steps later "
            f"**{n(h[FIRST + 4])}**, at the end **{n(h[-1])}**."
        )
        if f is None:
            return reading
        try:
            mine = own_states(f, x, weight)
        except LearnerProblem as problem:
            own.set_ydata(np.nan * t)
            return reading, str(problem)
        own.set_ydata(mine)
        gap = np.abs(mine - h).max()
        return f"{reading} `{learner.name_of(f)}` differs by at most {n(gap)}."

    controls = {
        "weight": slider("recurrent weight", 0.5, -2.0, 2.0, 0.05),
        "first": slider(f"pulse at step {FIRST}", 1.0, -3.0, 3.0, 0.1),
        "second": slider(f"pulse at step {SECOND}", 0.0, -3.0, 3.0, 0.1),
    }
    caption = (
        "h = tanh(x + w h). A weight below 1 in size forgets. Above 1 the state settles away from "
        "0 and keeps the sign of the pulse until another pulse is strong enough to turn it over. "
        "Below -1 it changes its sign at every step."
    )
    return explorer(picture, move, controls, predict, caption)


# --- the gradient back through time --------------------------------------------------------------


def recurrent_matrix(kind: str, radius: float, base: dict[str, np.ndarray]) -> np.ndarray:
    """A recurrent matrix with this spectral radius: the largest size of its eigenvalues."""
    return radius * base[kind]


def matrices(rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A random and an orthogonal (WIDTH, WIDTH) matrix, both with spectral radius 1."""
    w = rng.standard_normal((WIDTH, WIDTH))
    return {"random": w / np.abs(np.linalg.eigvals(w)).max(), "orthogonal": np.linalg.qr(w)[0]}


def sizes_back(
    w: np.ndarray, b: np.ndarray, x: np.ndarray, last: np.ndarray, bend: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Mean length of the gradient at each lag over that at lag 0; and the states (T, N, H)."""
    states = np.zeros((LAGS, *last.shape))
    if bend:
        h = np.zeros_like(last)
        for t in range(LAGS):
            states[t] = h = np.tanh(x[t] + h @ w + b)
    slopes = 1 - states**2
    dh, sizes = last, [np.linalg.norm(last, axis=1).mean()]
    for t in reversed(range(LAGS)):
        dh = (dh * slopes[t]) @ w.T
        sizes.append(np.linalg.norm(dh, axis=1).mean())
    return np.array(sizes) / sizes[0], states


def own_sizes(forward: Callable, backward: Callable, w, b, x, last) -> np.ndarray:
    """The same with a learner's two step functions."""
    h, caches, eye = np.zeros_like(last), [], np.eye(WIDTH)
    for t in range(LAGS):
        h, cache = learner.call(forward, x[t], h, eye, w, b)[:2]
        caches.append(cache)
    dh, sizes = last, [np.linalg.norm(last, axis=1).mean()]
    for cache in reversed(caches):
        result = learner.call(backward, dh, cache)
        if not isinstance(result, (tuple, list)) or len(result) < 2:
            name = learner.name_of(backward)
            raise LearnerProblem(f"`{name}` gave one value; dx, dprev_h, ... are expected.")
        dh = learner.as_array(result[1], last.shape, backward, "`dprev_h`")
        sizes.append(np.linalg.norm(dh, axis=1).mean())
    return np.array(sizes) / sizes[0]


def explore_time_gradient(
    forward: Callable | None = None,
    backward: Callable | None = None,
    predict: str
    | None = "The tanh is off and the radius is 0.9. What is left of a gradient after 50 "
    "steps back: a half, a tenth, or less than a hundredth? And with the tanh on, more or less?",
) -> Explorer:
    """The size of a gradient on its way back through 60 steps, and the eigenvalues of Wh.

    Parameters
    ----------
    forward, backward : the learner's ``rnn_step_forward`` and ``rnn_step_backward``, drawn in
        orange beside the reference while the tanh is on
    predict : the question above the picture
    """
    rng = np.random.default_rng(6)
    base = matrices(rng)
    x = rng.standard_normal((LAGS, BATCH, WIDTH))
    last, b = rng.standard_normal((BATCH, WIDTH)), np.zeros(WIDTH)
    eigenvalues = {kind: np.linalg.eigvals(w) for kind, w in base.items()}
    both = forward is not None and backward is not None
    lags, angle = np.arange(LAGS + 1), np.linspace(0, 2 * np.pi, 121)

    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7), width_ratios=(1.7, 1))
        (law,) = left.semilogy(
            lags, lags + 1.0, ":", color=style.INK, label="radius to the power lag"
        )
        (curve,) = left.semilogy(lags, lags + 1.0, color=style.GRADIENT, label="gradient")
        (mine,) = left.semilogy(lags, lags * np.nan, "--", color=style.LEARNER)
        left.set(xlim=(0, LAGS), ylim=(FLOOR, CEILING), xlabel="lag: steps back in time")
        left.set(ylabel="length / length at lag 0", title="Gradient through time")
        if both:
            mine.set_label(f"{learner.name_of(backward)}")
        left.legend(loc="lower left")
        right.plot(np.cos(angle), np.sin(angle), color=style.GREY, lw=1.2)
        (dots,) = right.plot([0], [0], "o", ms=5, color=style.PURPLE, alpha=0.8)
        right.set(xlim=(-2.1, 2.1), ylim=(-2.1, 2.1), aspect="equal", xlabel="real part")
        right.set(title="Eigenvalues of Wh", ylabel="imaginary part")
    picture = LiveFigure(
        figure,
        [law, curve, mine, dots],
        alt="Left: length of a gradient against the number of steps it went back in time, on a log "
        "scale. Right: eigenvalues of the recurrent matrix with the unit circle.",
    )

    def show_sizes(line, sizes):
        line.set_ydata(np.clip(np.nan_to_num(sizes, posinf=CEILING), FLOOR, CEILING))

    def move(kind, radius, bend, strength):
        w = recurrent_matrix(kind, radius, base)
        sizes, states = sizes_back(w, b, strength * x, last, bend)
        show_sizes(curve, sizes)
        show_sizes(law, radius**lags)
        dots.set_data(radius * eigenvalues[kind].real, radius * eigenvalues[kind].imag)
        n = style.number
        reading = (
            f"50 steps back: **{n(sizes[50])}** of the gradient; {n(radius)}⁵⁰ = {n(radius**50)}."
        )
        if bend:
            reading += f" Mean slope of the tanh: **{n((1 - states**2).mean(), 2)}**."
        mine.set_ydata(lags * np.nan)
        if not both or not bend:
            return reading
        try:
            show_sizes(mine, own_sizes(forward, backward, w, b, strength * x, last))
        except LearnerProblem as problem:
            return reading, str(problem)
        return reading

    controls = {
        "kind": choice("Wh", ["random", "orthogonal"], "random"),
        "radius": slider("spectral radius", 0.9, 0.2, 2.0, 0.02),
        "bend": toggle("tanh", both),
        "strength": slider("size of the inputs", 0.3, 0.0, 3.0, 0.1),
    }
    caption = (
        "A gradient is multiplied by the transpose of Wh at each step back, and by the slopes of "
        "the tanh. Without the tanh, eigenvalues inside the circle make it vanish and one outside "
        "makes it explode. A random matrix may stretch it for some steps before its radius "
        "takes over."
    )
    return explorer(picture, move, controls, predict, caption, still={"bend": True})
