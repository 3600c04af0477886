"""Chapter 15: what a batch does to its own numbers, and what a norm does to a deep net."""

from collections.abc import Callable
from functools import cache

import numpy as np

from . import learner, style
from .activations import ACTIVATIONS
from .controls import choice, slider, steps, toggle
from .depth import rms
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

EPS = 1e-5
DRAWN = 3072  # numbers of the feature; a multiple of every batch size on the slider
BATCHES = (1, 2, 3, 4, 8, 16, 32, 64, 256)
EDGES = np.linspace(-4, 4, 81)
RAW_EDGES = np.linspace(-20, 20, 101)


# --- one feature, many batches -------------------------------------------------------------------


def _counts(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """A histogram as shares, with what lies outside in the last bins."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / values.size


def own_batches(forward: Callable, batches: np.ndarray) -> np.ndarray:
    """The learner's batch norm on each batch, every one a call of its own.

    Raises
    ------
    LearnerProblem
        when the function fails, or gives something else than `out, cache`.
    """
    outs = []
    for batch in batches:
        result = learner.call(
            forward, batch[:, None], np.ones(1), np.zeros(1), {"mode": "train", "eps": EPS}
        )
        out = result[0] if isinstance(result, (tuple, list)) else result
        outs.append(learner.as_array(out, (len(batch), 1), forward, "`out`")[:, 0])
    return np.array(outs)


def explore_batch(
    forward: Callable | None = None,
    predict: str | None = "A batch of two has the values a and b. Which values can xhat take? Say "
    "them, then move the batch size to 2. And a batch of one?",
) -> Explorer:
    """One feature, before and after batch norm, for a batch size, a shift and a spread.

    Parameters
    ----------
    forward : the learner's ``batchnorm_forward(x, gamma, beta, bn_param)``; drawn in orange, for
        the first 24 batches
    predict : the question above the picture
    """
    standard = np.random.default_rng(15).standard_normal(DRAWN)
    lopsided = np.random.default_rng(16).exponential(1.0, DRAWN) - 1
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.4))
        before = left.stairs(np.zeros(len(RAW_EDGES) - 1), RAW_EDGES, fill=True, color=style.SKY)
        after = right.stairs(
            np.zeros(len(EDGES) - 1), EDGES, fill=True, color=style.BLUE, label="xhat, train mode"
        )
        test = right.stairs(
            np.zeros(len(EDGES) - 1), EDGES, color=style.INK, lw=1.4, label="test mode"
        )
        moving = [before, after, test]
        if forward is not None:
            (own,) = right.plot(
                [], [], "o", ms=5, mfc="none", color=style.LEARNER, label=learner.name_of(forward)
            )
            moving.append(own)
        left.set(title="One feature as it comes", xlabel="x", ylabel="share", ylim=(0, 0.2))
        right.set(title="After batch norm", xlabel="xhat", xlim=(-4, 4), ylim=(0, 0.42))
        for edge in (0.0, 1.0):
            right.axvline(edge, color=style.GREY, lw=0.9, ls=":")
        right.legend(loc="upper right", fontsize=8, handlelength=1.4)
    picture = LiveFigure(
        figure,
        moving,
        alt="Left: histogram of a feature. Right: histogram of its normalised values, each batch "
        "by its own mean and deviation, and in outline by the mean and deviation of all.",
    )

    def move(size, shift, spread, skewed):
        x = shift + spread * (lopsided if skewed else standard)
        batches = x.reshape(-1, size)
        middle = batches.mean(axis=1, keepdims=True)
        xhat = (batches - middle) / np.sqrt(batches.var(axis=1, keepdims=True) + EPS)
        fixed = (x - x.mean()) / np.sqrt(x.var() + EPS)
        before.set_data(_counts(x, RAW_EDGES))
        after.set_data(np.minimum(_counts(xhat, EDGES), 0.318))
        test.set_data(np.minimum(_counts(fixed, EDGES), 0.318))
        outside = ((xhat < 0) | (xhat > 1)).mean()
        n = style.number
        centre = n(abs(round(xhat.mean(), 6)), 2)
        reading = (
            f"{len(batches)} batches of {size}: xhat has mean {centre} and "
            f"deviation **{n(xhat.std(), 2)}**, lies between {n(xhat.min(), 2)} and "
            f"{n(xhat.max(), 2)}, and {100 * outside:.0f} % of it outside of 0 to 1. The batch "
            f"means stray by **{n(middle.std(), 2)}** around {n(x.mean(), 2)}."
        )
        if forward is None:
            return reading
        try:
            mine = own_batches(forward, batches[:24])
        except LearnerProblem as found:
            own.set_data([], [])
            return reading, str(found)
        gap = np.abs(mine - xhat[:24]).max()
        shares = _counts(mine, EDGES)
        own.set_data(((EDGES[1:] + EDGES[:-1]) / 2)[shares > 0], shares[shares > 0].clip(0, 0.318))
        return reading + f" `{learner.name_of(forward)}` is off by at most **{gap:.1g}**."

    controls = {
        "size": steps("batch size", BATCHES, 64),
        "shift": slider("shift", 5.0, -15.0, 15.0, 0.5),
        "spread": slider("spread", 2.0, 0.0, 5.0, 0.1),
        "skewed": toggle("a lopsided feature"),
    }
    caption = (
        "Left: 3072 values of one feature. Right, blue: each batch standardised by its own mean "
        "and deviation; bars that are too tall are cut off. Black: all values standardised with "
        "one mean and one deviation, as in test mode."
    )
    return explorer(picture, move, controls, predict, caption, still={"size": 2})


# --- with and without, layer by layer ------------------------------------------------------------

DEEPEST, WIDTH, ROWS = 30, 48, 40
FLOOR, CEILING = 1e-12, 1e6
NORMS = ("none", "batch norm", "layer norm")


def normalise(z: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """xhat and 1 / deviation along one axis."""
    z = z - z.mean(axis=axis, keepdims=True)
    scale = 1 / np.sqrt((z * z).mean(axis=axis, keepdims=True) + EPS)
    return z * scale, scale


def normalise_back(d: np.ndarray, xhat: np.ndarray, scale: np.ndarray, axis: int) -> np.ndarray:
    """The gradient of z, from that of xhat."""
    along = (d * xhat).mean(axis=axis, keepdims=True)
    return scale * (d - d.mean(axis=axis, keepdims=True) - xhat * along)


def own_norm(forward: Callable) -> Callable:
    """A learner's `..norm_forward`, with gamma 1 and beta 0, as `z -> xhat`."""

    def xhat(z):
        wide = np.ones(z.shape[1]), np.zeros(z.shape[1])
        result = learner.call(forward, z, *wide, {"mode": "train", "eps": EPS})
        out = result[0] if isinstance(result, (tuple, list)) else result
        return learner.as_array(out, z.shape, forward, "`out`")

    return xhat


def layers_of(act, weights, x, last, norm, own=None):
    """Signal and gradient sizes, and z after the norm, for each layer of one net.

    Parameters
    ----------
    act : Activation
    weights : (L, WIDTH, WIDTH) array
    x, last : the input, and the gradient that arrives behind the last layer
    norm : one of `NORMS`, or "own" with `own` in place of the forward pass
    """
    axis = {"batch norm": 0, "layer norm": 1}.get(norm)
    kept, signal, gradient = [], [], []
    for w in weights:
        z, scale = x @ w, None
        if norm == "own" and own is not None:
            z = own(z)
        elif axis is not None:
            z, scale = normalise(z, axis)
        x = act.f(z, 0.0)
        kept.append((z, scale))
        signal.append(rms(x))
    d = last
    for w, (z, scale) in zip(weights[::-1], kept[::-1], strict=True):
        gradient.append(rms(d))
        d = d * act.df(z, 0.0)
        if scale is not None and axis is not None:
            d = normalise_back(d, z, scale, axis)
        d = d @ w.T
    return np.array(signal), np.array(gradient[::-1]), [z for z, _ in kept]


def explore_norm_depth(
    forward: Callable | None = None,
    predict: str
    | None = "20 sigmoid layers with small weights, without a norm: the red line falls "
    "off the picture. What will batch norm make of it: a level line, or more? Say it, then choose.",
) -> Explorer:
    """Signal and gradient in every layer of a deep net, with a norm and without.

    Parameters
    ----------
    forward : the learner's ``batchnorm_forward`` or ``layernorm_forward``; joins the list, on
        the way forward
    predict : the question above the picture
    """
    source = np.random.default_rng(3)
    x0, last = source.standard_normal((ROWS, WIDTH)), source.standard_normal((ROWS, WIDTH))
    own_name = f"{learner.name_of(forward)} (own)" if forward is not None else None

    @cache
    def drawn():
        return np.random.default_rng(4).standard_normal((DEEPEST, WIDTH, WIDTH))

    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7), width_ratios=(1.35, 1))
        look = {"ms": 4, "lw": 1.6}
        (ahead,) = left.semilogy([1], [1], "o-", color=style.SIGNAL, label="signal →", **look)
        (back,) = left.semilogy([1], [1], "s-", color=style.GRADIENT, label="← gradient", **look)
        (bare_ahead,) = left.semilogy(
            [1], [1], "-", color=style.SKY, lw=1.2, label="signal, no norm"
        )
        (bare_back,) = left.semilogy(
            [1], [1], "--", color=style.GREY, lw=1.4, label="gradient, no norm"
        )
        left.set(xlim=(0, DEEPEST + 1), ylim=(FLOOR, 1e5 * CEILING))
        left.set(title="Typical size in each layer", xlabel="layer", ylabel="root mean square")
        left.legend(loc="upper left", ncols=2, fontsize=8.5)
        image = right.imshow(
            np.zeros((DEEPEST, len(EDGES) - 1)),
            cmap="Blues",
            vmin=0,
            vmax=1,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=(EDGES[0], EDGES[-1], 0.5, DEEPEST + 0.5),
        )
        right.grid(False)
        right.set(title="What the activation gets", xlabel="z, after the norm", ylabel="layer")
    picture = LiveFigure(
        figure,
        [image, bare_ahead, bare_back, ahead, back],
        alt="Left: root mean square of signal and gradient in each layer, with a norm and "
        "without, on a log scale. Right: a histogram for each layer of what its activation gets.",
    )

    def clipped(sizes):
        return np.clip(np.nan_to_num(sizes, nan=CEILING, posinf=CEILING), FLOOR, CEILING)

    def move(norm, activation, scale, depth):
        act, weights = ACTIVATIONS[activation], scale * drawn()[:depth]
        problem, own = "", None
        if norm == own_name and forward is not None:
            norm, own = "own", own_norm(forward)
        with np.errstate(all="ignore"):
            bare = layers_of(act, weights, x0, last, "none")
            try:
                signal, gradient, zs = layers_of(act, weights, x0, last, norm, own)
            except LearnerProblem as found:
                problem, (signal, gradient, zs) = str(found), bare
        layers = np.arange(1, depth + 1)
        for line, sizes in (
            (bare_ahead, bare[0]),
            (bare_back, bare[1]),
            (ahead, signal),
            (back, np.full(depth, np.nan) if norm == "own" else gradient),
        ):
            line.set_data(layers, np.where(np.isnan(sizes), np.nan, clipped(sizes)))
        rows = np.zeros((DEEPEST, len(EDGES) - 1))
        for row, z in zip(rows, zs, strict=False):
            counts = _counts(np.nan_to_num(z), EDGES)
            row[:] = np.sqrt(counts / counts.max())
        image.set_data(rows)
        n = style.number
        title = own_name if norm == "own" else norm
        reading = f"{activation}, weights of deviation {scale:.2f}, norm: {title}. "
        if norm == "own":
            axis = 0 if np.abs(zs[0].mean(axis=0)).max() < np.abs(zs[0].mean(axis=1)).max() else 1
            spread = n(zs[-1].std(axis=axis).mean(), 2)
            reading += f"z of layer {depth} has deviation {spread} along axis {axis}."
        elif gradient[0] > 0:
            factor = (gradient[0] / gradient[-1]) ** (1 / max(depth - 1, 1))
            reading += (
                f"Of a gradient of size {n(gradient[-1])}, **{n(gradient[0])}** arrives at layer "
                f"1: a factor of **{n(factor, 2)}** a layer."
            )
        return (reading, problem) if problem else reading

    options = [own_name, *NORMS] if own_name else list(NORMS)
    controls = {
        "norm": choice("norm", options, own_name or "none"),
        "activation": choice("activation", ("sigmoid", "tanh", "ReLU"), "sigmoid"),
        "scale": slider("weights", 0.1, 0.02, 0.6, 0.01),
        "depth": slider("depth", 20, 2, DEEPEST, 1),
    }
    caption = (
        "Left: solid lines with the chosen norm, thin and dashed lines without. The axis is "
        "logarithmic; what leaves the picture stays at its edge. Right: one row for each layer, "
        "dark where many z lie."
    )
    still = {} if own_name else {"norm": "batch norm"}
    return explorer(picture, move, controls, predict, caption, still=still)
