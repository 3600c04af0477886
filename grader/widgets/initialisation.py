"""Chapter 06: where weights start, what that does to every layer, and which nets can be trained."""

import time
from collections.abc import Callable
from functools import cache
from itertools import pairwise

import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from . import learner, style
from .activations import ACTIVATIONS
from .controls import choice, slider, steps
from .depth import rms, through_layers
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

DEEPEST, WIDTH, BATCH = 30, 64, 64
FLOOR, CEILING = 1e-12, 1e6
EDGES = np.linspace(-4, 4, 65)

STARTS = {
    "He": lambda i, o, rng: rng.normal(0, np.sqrt(2 / i), (i, o)),
    "Xavier": lambda i, o, rng: rng.normal(0, np.sqrt(2 / (i + o)), (i, o)),
    "0.1 × normal": lambda i, o, rng: 0.1 * rng.standard_normal((i, o)),
    "0.01 × normal": lambda i, o, rng: 0.01 * rng.standard_normal((i, o)),
}
BENDS = ("sigmoid", "tanh", "ReLU")
_WHITE_TO_BLUE = LinearSegmentedColormap.from_list("signal", ["#FFFFFF", style.SKY, style.BLUE])


def draw(initialiser: Callable, fan_in: int, fan_out: int, rng) -> np.ndarray:
    """One draw of a learner's initialiser, of the right shape.

    Raises
    ------
    LearnerProblem
        when the initialiser fails, or gives another shape.
    """
    w = learner.call(initialiser, fan_in, fan_out, rng)
    return learner.as_array(w, (fan_in, fan_out), initialiser)


# --- layer by layer ------------------------------------------------------------------------------


def explore_init(
    initialiser: Callable | None = None,
    predict: str | None = "20 layers of ReLU with He's start: the blue line is nearly level. Which "
    "way will it go with Xavier's start, and by what factor at each layer? Say it, then choose.",
) -> Explorer:
    """Signal, gradient and the spread of z in every layer, for a way to draw the weights.

    The net is 64 wide, without biases. The same inputs serve every position of the sliders.

    Parameters
    ----------
    initialiser : the learner's ``f(fan_in, fan_out, rng) -> (fan_in, fan_out)``; joins the list
    predict : the question above the picture
    """
    source = np.random.default_rng(3)
    x0 = source.standard_normal((BATCH, WIDTH))
    last_gradient = source.standard_normal((BATCH, WIDTH))
    own = f"{learner.name_of(initialiser)} (own)" if initialiser is not None else None
    starts: dict[str, Callable] = dict(STARTS)
    if own is not None and initialiser is not None:
        starts = {own: initialiser, **STARTS}

    @cache
    def weights(start):
        rng = np.random.default_rng(4)
        return np.array([draw(starts[start], WIDTH, WIDTH, rng) for _ in range(DEEPEST)])

    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7), width_ratios=(1.35, 1))
        (forward,) = left.semilogy(
            [1], [1], "o-", ms=4, lw=1.6, color=style.SIGNAL, label="signal, forward →"
        )
        (back,) = left.semilogy(
            [1], [1], "s-", ms=4, lw=1.6, color=style.GRADIENT, label="gradient, ← back"
        )
        left.set(xlim=(0, DEEPEST + 1), ylim=(FLOOR, 1e3 * CEILING))  # the legend stands on top
        left.set(title="Typical size in each layer", xlabel="layer", ylabel="root mean square")
        left.legend(loc="upper left", ncols=2)
        image = right.imshow(
            np.zeros((DEEPEST, len(EDGES) - 1)),
            cmap=_WHITE_TO_BLUE,
            vmin=0,
            vmax=1,
            aspect="auto",
            origin="lower",
            interpolation="nearest",
            extent=(EDGES[0], EDGES[-1], 0.5, DEEPEST + 0.5),
        )
        right.grid(False)
        right.set(title="Where z lies, layer by layer", xlabel="z", ylabel="layer")
    picture = LiveFigure(
        figure,
        [image, forward, back],
        alt="Left: root mean square of the signal and of the gradient in each layer, on a log "
        "scale. Right: one row for each layer, dark where many of its inputs z lie.",
    )

    def move(activation, start, scale, depth):
        known = ACTIVATIONS[activation]
        try:
            used = scale * weights(start)[:depth]
        except LearnerProblem as found:
            forward.set_data([], [])
            back.set_data([], [])
            image.set_data(np.zeros((DEEPEST, len(EDGES) - 1)))
            return "", str(found)
        with np.errstate(all="ignore"):
            signal, gradient, zs = through_layers(
                lambda z: known.f(z, 0.0), lambda z: known.df(z, 0.0), x0, used, last_gradient
            )
        layers = np.arange(1, depth + 1)
        for line, sizes in ((forward, signal), (back, gradient)):
            line.set_data(layers, np.clip(np.nan_to_num(sizes, posinf=CEILING), FLOOR, CEILING))
        rows = np.zeros((DEEPEST, len(EDGES) - 1))
        for row, z in zip(rows, zs, strict=False):
            counts, _ = np.histogram(np.clip(np.nan_to_num(z), EDGES[0], EDGES[-1]), EDGES)
            row[:] = np.sqrt(counts / counts.max())
        image.set_data(rows)
        n = style.number
        reading = (
            f"{activation}, {start} × {scale:.2f}: z has size {n(rms(zs[0]))} in layer 1 and "
            f"**{n(rms(zs[-1]))}** in layer {depth}. Of a gradient of size {n(gradient[-1])}, "
            f"**{n(gradient[0])}** arrives at layer 1"
        )
        if depth > 1 and gradient[0] > 0:
            factor = (gradient[0] / gradient[-1]) ** (1 / (depth - 1))
            reading += f": a factor of {n(factor, 2)} a layer"
        return reading + "."

    controls = {
        "activation": choice("activation", BENDS, "ReLU"),
        "start": choice("weights", starts, own or "He"),
        "scale": slider("times", 1.0, 0.1, 4.0, 0.05),
        "depth": slider("depth", 20, 2, DEEPEST, 1),
    }
    caption = (
        "Left: the axis is logarithmic, so a constant factor a layer is a straight line. Right: "
        "each row is the histogram of one layer's z; a dark line in the middle means that all "
        "z are nearly equal, dark edges mean that they lie beyond ±4."
    )
    return explorer(picture, move, controls, predict, caption)


# --- which nets can be trained? ------------------------------------------------------------------

COARSE = ((1, 2, 4, 8, 16, 32), tuple(2.0 ** np.arange(-2, 2.5, 0.5)))
FINE = ((1, 2, 4, 6, 8, 11, 16, 22, 32), tuple(2.0 ** np.arange(-2, 2.25, 0.25)))
GRIDS = {"coarse": COARSE, "fine": FINE}
NARROW, STEPS, ROWS = 32, 80, 64


@cache
def _digits():
    """Training images with their mean taken off, and one-hot labels, in single precision."""
    from grader.datasets import load_digits

    digits = load_digits()
    x = digits.x_train - digits.x_train.mean(axis=0)
    return x.astype(np.float32), np.eye(10, dtype=np.float32)[digits.y_train]


def _row_of_nets(initialiser, depth, scales):
    """Nets side by side: weights (S, in, out), hidden ones times the scale of their net."""
    rng = np.random.default_rng(5)
    sizes = [64] + [NARROW] * depth + [10]
    factor = np.array(scales)[:, None, None]
    layers = [
        (draw(initialiser, i, o, rng) * (factor if o != 10 else np.ones_like(factor)))
        for i, o in pairwise(sizes)
    ]
    return [w.astype(np.float32) for w in layers]


def train_row(
    initialiser: Callable, activation: str, depth: int, scales, rate: float, steps: int = STEPS
):
    """Train nets of one depth on the digits, one for each weight scale, side by side.

    Returns
    -------
    losses : (steps, S) array, the loss of each net on its batch, NaN where it blew up
    share : (S,) array, gradient at the first hidden layer over that at the last, before training
    """
    x, y = _digits()
    known = ACTIVATIONS[activation]
    weights = _row_of_nets(initialiser, depth, scales)
    biases = [np.zeros((len(scales), 1, w.shape[2]), np.float32) for w in weights]
    rng = np.random.default_rng(6)
    losses, share = [], None
    with np.errstate(all="ignore"):
        for _ in range(steps):
            rows = rng.integers(0, len(x), ROWS)
            inputs, slopes, a = [], [], x[rows]
            for w, b in zip(weights[:-1], biases[:-1], strict=True):
                inputs.append(a)
                z = a @ w + b
                a = known.f(z, 0.0)
                slopes.append(known.df(z, 0.0).astype(np.float32))
            inputs.append(a)
            scores = a @ weights[-1] + biases[-1]
            scores = scores - scores.max(axis=-1, keepdims=True)
            e = np.exp(scores)
            p = e / e.sum(axis=-1, keepdims=True)
            losses.append(-np.log((p * y[rows]).sum(axis=-1) + 1e-30).mean(axis=-1))
            dz = (p - y[rows]) / ROWS
            arriving = []
            for k in range(depth, -1, -1):
                da = dz @ weights[k].swapaxes(1, 2)
                dw = inputs[k].swapaxes(-1, -2) @ dz
                weights[k] = weights[k] - rate * dw
                biases[k] = biases[k] - rate * dz.sum(axis=1, keepdims=True)
                if k:
                    arriving.append(np.sqrt((da.astype(float) ** 2).mean(axis=(1, 2))))
                    dz = da * slopes[k - 1]
            if share is None:
                share = arriving[-1] / arriving[0]
    return np.array(losses), share


def trainability(
    initialiser: Callable, activation: str = "tanh", rate: float = 0.1, grid: str = "coarse"
):
    """Loss curves and gradient shares for depth against weight scale.

    Returns
    -------
    losses : (depths, steps, scales) array
    share : (depths, scales) array
    """
    depths, scales = GRIDS[grid]
    rows = [train_row(initialiser, activation, depth, scales, rate) for depth in depths]
    return np.array([losses for losses, _ in rows]), np.array([share for _, share in rows])


def learned(losses: np.ndarray) -> np.ndarray:
    """What is left of the loss of guessing, ln 10, over the last 20 steps: 1 learned nothing."""
    end = losses[:, -20:].mean(axis=1)
    return np.clip(np.nan_to_num(end / np.log(10), nan=1.0, posinf=1.0), 0, 1)


def draw_map(ax, losses, share, grid="coarse"):
    """Depth against scale on an axis; dark where the loss fell, dots where gradients arrive."""
    depths, scales = GRIDS[grid]
    ax.imshow(
        1 - learned(losses),
        cmap=_WHITE_TO_BLUE,
        vmin=0,
        vmax=1,
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(-0.5, len(scales) - 0.5, -0.5, len(depths) - 0.5),
    )
    across, up = np.meshgrid(np.arange(len(scales)), np.arange(len(depths)))
    level = (share > 0.03) & (share < 30)
    ax.plot(across[level], up[level], "o", ms=4, mfc="white", mec=style.INK, mew=0.9)
    ax.grid(False)
    ax.set_yticks(range(len(depths)), [str(d) for d in depths])
    every = 2 if grid == "coarse" else 4
    ticks = range(0, len(scales), every)
    ax.set_xticks(ticks, [f"{scales[i]:g}" for i in ticks])
    ax.set(xlabel="weights times", ylabel="hidden layers")


def explore_trainability(
    initialiser: Callable | None = None,
    predict: str | None = "A net of one hidden layer can be trained over a wide range of weight "
    "scales. Where will the range of a net of 32 layers lie, and how wide will it be?",
) -> Explorer:
    """Depth against weight scale: which nets learn the digits within 80 steps?

    Nets are 32 wide and are trained while the picture is made: the coarse map takes about a
    second, the fine one some more. Maps are kept, so each is computed once.

    Parameters
    ----------
    initialiser : the learner's ``f(fan_in, fan_out, rng) -> (fan_in, fan_out)``; Xavier's
        normal start without it
    predict : the question above the picture
    """
    used = initialiser or STARTS["Xavier"]
    name = learner.name_of(initialiser) if initialiser else "Xavier"

    @cache
    def map_of(activation, rate, grid):
        start = time.perf_counter()
        return *trainability(used, activation, rate, grid), time.perf_counter() - start

    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7), width_ratios=(1.25, 1))
        (curve,) = right.plot([0], [0], color=style.BLUE, lw=2)
        right.axhline(np.log(10), color=style.GREY, lw=1, ls=":")
        right.text(STEPS, np.log(10) + 0.08, "guessing", color=style.GREY, ha="right", fontsize=9)
        right.set(xlim=(0, STEPS), ylim=(0, 5), xlabel="step", ylabel="loss of the batch")
        right.set_title("The net in the frame")
        (frame,) = left.plot([0], [0], color=style.ORANGE, lw=2.5)
    picture = LiveFigure(
        figure,
        [frame, curve],
        alt="Left: a map, hidden layers upwards, weight scale to the right, blue where nets learn. "
        "Right: the loss curve of one net of the map.",
    )
    shown: dict = {"key": None}

    def move(activation, rate, grid, depth, scale):
        key = (activation, rate, grid)
        depths, scales = GRIDS[grid]
        try:
            losses, share, seconds = map_of(*key)
        except LearnerProblem as found:
            return "", str(found)
        if key != shown["key"]:
            with style.rc():
                left.clear()
                draw_map(left, losses, share, grid)
                left.set_title(f"{activation}, {name} × scale, rate {rate:g}")
                left.add_line(frame)
            shown["key"] = key
            picture.background_changed()
        row = int(np.argmin(np.abs(np.log(np.array(depths) / depth))))
        column = int(np.argmin(np.abs(np.log(np.array(scales) / scale))))
        x, y = np.array([-0.5, 0.5, 0.5, -0.5, -0.5]), np.array([-0.5, -0.5, 0.5, 0.5, -0.5])
        frame.set_data(column + x, row + y)
        curve.set_data(np.arange(1, STEPS + 1), np.clip(losses[row, :, column], 0, 5))
        n = style.number
        good = (learned(losses) < 0.5).sum(axis=1)
        reading = (
            f"{depths[row]} hidden layers, weights × {scales[column]:.2g}: the gradient at the "
            f"first layer is **{n(share[row, column])}** times that at the last; "
            f"**{1 - learned(losses)[row, column]:.0%}** of the loss of guessing is gone. With "
            f"{depths[row]} layers, {good[row]} of {len(scales)} scales lost at least half of it. "
            f"(Map of {losses.shape[0] * losses.shape[2]} nets, {seconds:.1f} s.)"
        )
        return reading

    controls = {
        "activation": choice("activation", BENDS, "tanh"),
        "rate": choice("rate", [0.03, 0.1, 0.3], 0.1),
        "grid": choice("map", GRIDS, "coarse"),
        "depth": steps("hidden layers", COARSE[0], 16),
        "scale": steps("weights times", [(f"{s:.2f}", s) for s in COARSE[1]], 1.0),
    }
    caption = (
        f"Each cell is a net, 32 wide, after {STEPS} steps of plain gradient descent on the "
        "digits: "
        "the darker, the more of the loss is gone. A dot marks the nets whose gradient at the "
        "first layer was within a factor of 30 of that at the last BEFORE training."
    )
    return explorer(picture, move, controls, predict, caption)
