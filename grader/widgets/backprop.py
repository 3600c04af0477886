"""Chapter 02: the gradients of a small network while it learns."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .activations import sigmoid
from .controls import choice, log_slider, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

NAMES = ("W1", "b1", "W2", "b2")
MOST_STEPS = 100
LIMITS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


def small_net() -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """The 2-3-1 network of the course's worked example: X, Y and [W1, b1, W2, b2]."""
    X = np.array([[1.0, 0.0], [0.0, 1.0]])
    Y = np.array([[1.0], [0.0]])
    W1 = np.array([[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])
    b1 = np.array([0.7, 0.8, 0.9])
    W2 = np.array([[0.5], [0.6], [0.7]])
    b2 = np.array([0.1])
    return X, Y, [W1, b1, W2, b2]


def loss_of(X, Y, W1, b1, W2, b2) -> float:
    """Mean squared error of the network: sigmoid in both layers."""
    return float(np.mean((sigmoid(sigmoid(X @ W1 + b1) @ W2 + b2) - Y) ** 2))


def loss_and_gradients(X, Y, W1, b1, W2, b2):
    """The loss, and its gradient with respect to each parameter."""
    A1 = sigmoid(X @ W1 + b1)  # (N, 3)
    A2 = sigmoid(A1 @ W2 + b2)  # (N, 1)
    dZ2 = 2 * (A2 - Y) / Y.size * A2 * (1 - A2)
    dZ1 = dZ2 @ W2.T * A1 * (1 - A1)
    loss = float(np.mean((A2 - Y) ** 2))
    return loss, [X.T @ dZ1, dZ1.sum(0), A1.T @ dZ2, dZ2.sum(0)]


def nudged(X, Y, params, h: float = 1e-5) -> list[np.ndarray]:
    """The same gradients by central differences: each parameter is nudged up and down."""
    result = []
    for p in params:
        g = np.empty_like(p)
        for i in np.ndindex(p.shape):
            kept = p[i]
            p[i] = kept + h
            up = loss_of(X, Y, *params)
            p[i] = kept - h
            g[i] = (up - loss_of(X, Y, *params)) / (2 * h)
            p[i] = kept
        result.append(g)
    return result


def learner_gradients(gradients: Callable, X, Y, params) -> list[np.ndarray]:
    """dW1, db1, dW2, db2 from a learner's ``two_layer_gradients(X, Y, W1, b1, W2, b2)``."""
    result = learner.call(gradients, X, Y, *params)
    if isinstance(result, dict):
        result = [result.get(f"d{name}", result.get(name)) for name in NAMES]
    if not isinstance(result, (tuple, list)) or len(result) != len(NAMES):
        raise LearnerProblem(
            f"`{learner.name_of(gradients)}` gave {type(result).__name__}; the four arrays "
            "dW1, db1, dW2, db2 are expected."
        )
    if all(g is None for g in result):
        raise LearnerProblem(f"`{learner.name_of(gradients)}` gave None for all four gradients.")
    return [
        learner.as_array(g, p.shape, gradients, f"d{name}")
        for g, p, name in zip(result, params, NAMES, strict=True)
    ]


def descend(rule: Callable, params, rate: float, steps: int) -> list[list[np.ndarray]]:
    """The parameters before each step of gradient descent, and after the last."""
    path = [[p.copy() for p in params]]
    for _ in range(steps):
        path.append([p - rate * g for p, g in zip(path[-1], rule(path[-1]), strict=True)])
    return path


def explore_two_layer(
    gradients: Callable | None = None,
    predict: str | None = "At the start the second layer's gradients are the larger ones. Will "
    "that still be so after 50 steps? And what does the loss do at a learning rate of 100?",
) -> Explorer:
    """The 2-3-1 network: loss while it learns, its gradients as bars, differences as dots.

    Parameters
    ----------
    gradients : the learner's ``two_layer_gradients(X, Y, W1, b1, W2, b2)``, which returns
        ``dW1, db1, dW2, db2``; drawn in orange, and used for a training run of its own
    predict : the question above the picture
    """
    X, Y, start = small_net()
    labels = [
        [f"W1[{i},{j}]" for i in range(2) for j in range(3)] + [f"b1[{j}]" for j in range(3)],
        [f"W2[{i}]" for i in range(3)] + ["b2"],
    ]
    where = {"W1[0,0]": (0, (0, 0)), "W1[1,2]": (0, (1, 2)), "b1[0]": (1, (0,))}
    where |= {"W2[0]": (2, (0, 0)), "W2[2]": (2, (2, 0)), "b2": (3, (0,))}
    own_name = learner.name_of(gradients) if gradients else ""

    with style.rc():
        figure, axes = style.subplots(1, 3, size=(8.8, 3.7), width_ratios=(1.35, 1.5, 0.9))
        time = np.arange(MOST_STEPS + 1)
        (curve,) = axes[0].plot(time, time, color=style.REFERENCE, label="reference")
        (own_curve,) = axes[0].plot([], [], color=style.LEARNER, ls=(0, (4, 2)), lw=2.6)
        (now,) = axes[0].plot([0], [0], "o", ms=10, color=style.HERE, mec="white", clip_on=False)
        axes[0].set(title="Loss", xlabel="steps of gradient descent", ylabel="mean squared error")
        axes[0].set(xlim=(0, MOST_STEPS), ylim=(0, 0.6))
        if gradients:
            own_curve.set_label(own_name)
            axes[0].legend(loc="upper right")
        bars, dots, own = [], [], []
        for ax, names, title in zip(axes[1:], labels, ("First layer", "Second layer"), strict=True):
            at = np.arange(len(names))
            bars.append(ax.bar(at, at * 0.0, 0.62, color=style.SKY, ec=style.HERE))
            dots += ax.plot(at, at, "o", ms=5, color=style.HERE)
            own += ax.plot(at, at * np.nan, "D", ms=9, mfc="none", mec=style.LEARNER, mew=2.4)
            ax.axhline(0, color=style.GREY, lw=1)
            ax.grid(axis="x", visible=False)
            ax.set(title=title, ylabel="gradient" if names is labels[0] else "")
            ax.set_xticks(at, names, rotation=90, fontsize=9)
        axes[2].tick_params(labelleft=False)
        keys = [bars[0], dots[0]] + ([own[0]] if gradients else [])
        texts = ["backprop", "nudge test"] + ([own_name] if gradients else [])
        axes[1].legend(keys, texts, loc="lower left", handlelength=1.4, fontsize=9)
    moving = [curve, own_curve, now, *bars[0], *bars[1], *own, *dots]
    picture = LiveFigure(
        figure,
        moving,
        alt="Left: the loss during gradient descent. Middle and right: the gradient of each "
        "parameter of a 2-3-1 network as a bar, with the result of a nudge test as a dot on it.",
    )
    kept: dict = {"limit": None}

    def run(weight, value, rate):
        """The training runs for this weight and rate; computed once for all numbers of steps."""
        if kept.get("key") != (weight, value, rate):
            params = [p.copy() for p in start]
            which, index = where[weight]
            params[which][index] = value
            path = descend(lambda p: loss_and_gradients(X, Y, *p)[1], params, rate, MOST_STEPS)
            kept.update(key=(weight, value, rate), path=path, own=None, problem="")
            if gradients is not None:
                rule = lambda p: learner_gradients(gradients, X, Y, p)  # noqa: E731
                try:
                    kept["own"] = descend(rule, params, rate, MOST_STEPS)
                except LearnerProblem as problem:
                    kept["problem"] = str(problem)
        return kept["path"]

    def fit_limits(gradients) -> None:
        """Choose a round limit, one for both layers; the axes are redrawn when it changes."""
        largest = max(np.abs(g).max() for g in gradients)
        limit = next((m for m in LIMITS if m >= largest), LIMITS[-1])
        if limit != kept["limit"]:
            kept["limit"] = limit
            ticks = np.array([-1, -0.5, 0, 0.5, 1]) * limit
            for ax in axes[1:]:
                ax.set_ylim(-1.6 * limit, 1.1 * limit)
                ax.set_yticks(ticks, [style.number(t, 4).rstrip("0").rstrip(".") for t in ticks])
            picture.background_changed()

    def move(weight, value, rate, steps):
        path = run(weight, value, rate)
        losses = [loss_of(X, Y, *p) for p in path]
        curve.set_ydata(losses)
        now.set_data([steps], [losses[steps]])
        params = path[steps]
        loss, exact = loss_and_gradients(X, Y, *params)
        checked = nudged(X, Y, [p.copy() for p in params])
        fit_limits(exact)
        for side, (b, d) in enumerate(zip(bars, dots, strict=True)):
            heights = np.concatenate([g.ravel() for g in exact[2 * side : 2 * side + 2]])
            for rectangle, height in zip(b, heights, strict=True):
                rectangle.set_height(height)
                rectangle.set_linewidth(0)
            d.set_ydata(np.concatenate([g.ravel() for g in checked[2 * side : 2 * side + 2]]))
        chosen = labels[where[weight][0] // 2].index(weight)
        bars[where[weight][0] // 2][chosen].set_linewidth(2)
        own_path = kept["own"]
        own_curve.set_data([], [])
        for line in own:
            line.set_ydata(np.full(len(line.get_xdata()), np.nan))
        problem = kept["problem"]
        if own_path is not None:
            with np.errstate(all="ignore"):
                own_curve.set_data(time, [loss_of(X, Y, *p) for p in own_path])
            # The same parameters for both, so that the gradients can be compared.
            mine = learner_gradients(gradients, X, Y, params)
            for side, line in enumerate(own):
                line.set_ydata(np.concatenate([g.ravel() for g in mine[2 * side : 2 * side + 2]]))
        gap = max(np.abs(e - c).max() for e, c in zip(exact, checked, strict=True))
        n = style.number
        return (
            f"After {steps} steps the loss is **{n(loss, 6)}** (before: {n(losses[0], 6)}). "
            f"Largest difference between bars and dots: {gap:.0e}.",
            problem,
        )

    controls = {
        "weight": choice("parameter to change", where, "W2[0]"),
        "value": slider("its value at the start", 0.5, -4.0, 4.0, 0.05),
        "rate": log_slider("learning rate", 1.0, -2, 2, 0.05, ".2g"),
        "steps": slider("steps", 0, 0, MOST_STEPS, 1),
    }

    def restore(change):
        """Another parameter is chosen: its slider begins at its own value."""
        which, index = where[change["new"]]
        controls["value"].value = float(start[which][index])

    controls["weight"].observe(restore, "value")
    caption = (
        "Left: the loss during gradient descent; the black dot is the step shown. Right: the "
        "slope of the loss along each parameter, by backpropagation (bars) and by nudging that "
        "parameter (dots). A dot off its bar means that one of the two is wrong. The parameter to "
        "change has a dark edge."
    )
    return explorer(picture, move, controls, predict, caption)
