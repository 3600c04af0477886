"""Chapter 03: what many layers do to the signal going forward and the gradient coming back."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .activations import ACTIVATIONS, learner_activation
from .controls import choice, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

DEEPEST, WIDTH, BATCH = 50, 64, 64
FLOOR, CEILING = 1e-12, 1e6
EDGES = np.linspace(-6, 6, 49)
Z = np.linspace(-6, 6, 241)


def rms(values: np.ndarray) -> float:
    """Root mean square: the typical size of a number in the array."""
    flat = values.reshape(-1)
    return float(np.sqrt(flat @ flat / flat.size))


def through_layers(f: Callable, df: Callable, x, weights, last_gradient):
    """Run x forward through the layers and a gradient back.

    Returns
    -------
    signal : RMS of the activations of each layer
    gradient : RMS of the gradient that arrives at each layer's activations
    zs : what each layer's activation was applied to
    """
    signal, zs, slopes = [], [], []
    for w in weights:
        z = x @ w
        x = f(z)
        zs.append(z)
        slopes.append(df(z))
        signal.append(rms(x))
    gradient, da = [], last_gradient
    for w, slope in zip(reversed(weights), reversed(slopes), strict=True):
        gradient.append(rms(da))
        da = (da * slope) @ w.T
    return np.array(signal), np.array(gradient[::-1]), zs


def explore_depth(
    f: Callable | None = None,
    df: Callable | None = None,
    depth: int = 20,
    predict: str | None = "With 20 sigmoid layers, 1e−12 of the gradient arrives at layer 1. The "
    "slope of tanh reaches 1. How much will arrive with tanh? Say a power of ten, then choose it.",
) -> Explorer:
    """Signal and gradient through 1 to 50 layers, and the inputs z of one layer's activation.

    The network is 64 wide, without biases; weights are normal with a standard deviation of
    ``scale / sqrt(fan_in)``. The same random numbers serve every position of the sliders.

    Parameters
    ----------
    f, df : the learner's activation and slope, as in `explore_activation`; they join the list
    depth : number of layers to begin with
    predict : the question above the picture
    """
    rng = np.random.default_rng(3)
    x0 = rng.standard_normal((BATCH, WIDTH))
    normal = rng.standard_normal((DEEPEST, WIDTH, WIDTH)) / np.sqrt(WIDTH)
    last_gradient = rng.standard_normal((BATCH, WIDTH))
    own = f"{learner.name_of(f)} (own)" if f is not None else None

    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7), width_ratios=(1.5, 1))
        (forward,) = left.semilogy(
            [1], [1], "o-", ms=4, lw=1.6, color=style.SIGNAL, label="signal, forward →"
        )
        (back,) = left.semilogy(
            [1], [1], "s-", ms=4, lw=1.6, color=style.GRADIENT, label="gradient, ← back"
        )
        (marker,) = left.plot([1, 1], [FLOOR, CEILING], color=style.GREY, lw=1, ls=":")
        left.set(xlim=(0, DEEPEST + 1), ylim=(FLOOR, CEILING))
        left.set(title="Typical size in each layer", xlabel="layer", ylabel="root mean square")
        left.legend(loc="upper left", ncols=2)
        bars = right.stairs(np.zeros(len(EDGES) - 1), EDGES, fill=True, color=style.SKY)
        (slope,) = right.plot(Z, Z * 0, color=style.GRADIENT, lw=2)
        right.set(xlim=(-6, 6), ylim=(0, 1.15), title="z in the chosen layer")
        right.set(xlabel="z", ylabel="share of z (tallest bar = 1)")
        (line, patch) = (slope, bars)
        right.legend([patch, line], ["histogram of z", "slope f '(z)"], loc="upper left", ncols=2)
    picture = LiveFigure(
        figure,
        [marker, forward, back, bars, slope],
        alt="Left: root mean square of activations and of gradients in each layer of a deep "
        "network, on a log scale. Right: histogram of one layer's inputs z, and the slope there.",
    )

    def move(activation, depth, scale, layer):
        problem = ""
        if activation == own:
            value = {"f": lambda z: learner_activation(f, df, z, 0.1)}
            try:
                # One call gives value and slope; the pair is kept for the call to df.
                def act(z):
                    value["a"], value["s"] = value["f"](z)
                    return value["a"]

                result = through_layers(
                    act, lambda z: value["s"], x0, scale * normal[:depth], last_gradient
                )
                curve = learner_activation(f, df, Z, 0.1)[1]
            except LearnerProblem as found:
                for artist in (forward, back, marker, slope):
                    artist.set_data([], [])
                bars.set_data(np.zeros(len(EDGES) - 1))
                return "", str(found)
        else:
            known = ACTIVATIONS[activation]
            alpha = known.alpha[0] if known.alpha else 0.0
            result = through_layers(
                lambda z: known.f(z, alpha),
                lambda z: known.df(z, alpha),
                x0,
                scale * normal[:depth],
                last_gradient,
            )
            curve = known.df(Z, alpha)
        signal, gradient, zs = result
        layers = np.arange(1, depth + 1)
        layer = min(layer, depth)
        for line, sizes in ((forward, signal), (back, gradient)):
            line.set_data(layers, np.clip(np.nan_to_num(sizes, posinf=CEILING), FLOOR, CEILING))
        marker.set_data([layer, layer], [FLOOR, CEILING])
        z = zs[layer - 1]
        counts, _ = np.histogram(np.clip(z, EDGES[0], EDGES[-1]), EDGES)
        bars.set_data(counts / counts.max())
        slope.set_data(Z, np.clip(curve, 0, 1.1))
        inside = np.mean(np.abs(z) <= 6)
        n = style.number
        reading = (
            f"Layer {depth} sends back a gradient of size {n(gradient[-1])}; "
            f"**{n(gradient[0])}** arrives at layer 1. "
            f"The signal of layer {depth} has size {n(signal[-1])}. "
            f"In layer {layer}, z has size {n(rms(z))}"
        )
        reading += "." if inside > 0.999 else f"; {1 - inside:.0%} of it lies beyond ±6."
        return reading, problem

    names = [own] if own else []
    controls = {
        "activation": choice("activation", names + list(ACTIVATIONS), own or "sigmoid"),
        "depth": slider("depth", depth, 1, DEEPEST, 1),
        "scale": slider("weight scale × 1/√fan_in", 1.0, 0.1, 3.0, 0.05),
        "layer": slider("layer of the histogram", min(15, depth), 1, DEEPEST, 1),
    }
    caption = (
        "A falling line means that layers shrink what passes through them; the axis is "
        f"logarithmic and ends at {FLOOR:g}. Right: wherever the bars stand under a low red "
        "line, little of the gradient passes."
    )
    return explorer(picture, move, controls, predict, caption)
