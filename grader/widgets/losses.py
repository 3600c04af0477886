"""Chapter 04: a sure and wrong answer under three losses; scores, shares and their gradient."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .controls import choice, slider, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

Z = np.linspace(-8, 8, 161)


def sigmoid(z):
    """1 / (1 + exp(-z)), written so that large z does not overflow."""
    return 0.5 * (1 + np.tanh(0.5 * z))


# --- yes or no: confident and wrong --------------------------------------------------------------


def cross_entropy(z, y):
    """Loss and slope for logits z and one label y, 0 or 1; each entry on its own."""
    return np.logaddexp(0, z) - y * z, sigmoid(z) - y


def squared_error(z, y):
    """The squared error of sigmoid(z), and its slope with respect to z."""
    p = sigmoid(z)
    return (p - y) ** 2, 2 * (p - y) * p * (1 - p)


def hinge(z, y):
    """max(0, 1 - t z) with the label t = -1 or +1, and its slope."""
    t = 2 * y - 1
    missing = np.maximum(0, 1 - t * z)
    return missing, -t * (missing > 0)


LOSSES = {
    "cross-entropy": (cross_entropy, style.BLUE, "-"),
    "squared error": (squared_error, style.RED, "--"),
    "hinge": (hinge, style.GREEN, "-."),
}


def learner_loss(f: Callable, z: np.ndarray, y: float):
    """Loss and slope of a learner's ``f(z, y) -> (loss, dz)``, one logit at a time."""
    pairs = [_loss_and_gradient(f, np.array([each]), np.array([y])) for each in z]
    return np.array([loss for loss, _ in pairs]), np.array([dz[0] for _, dz in pairs])


def _loss_and_gradient(f: Callable, x: np.ndarray, y: np.ndarray):
    """What a learner's loss gives, as a number and an array of x's shape."""
    result = learner.call(f, x, y)
    if not isinstance(result, tuple) or len(result) < 2:
        said = f"`{learner.name_of(f)}` should return two things: the loss and its gradient."
        raise LearnerProblem(said)
    loss = learner.as_array(result[0], (), f, "the loss")
    return float(loss), learner.as_array(result[1], x.shape, f, "the gradient")


def explore_confidence(
    f: Callable | None = None,
    predict: str | None = "The target is yes. At z = -6 the net is sure, and wrong. Which of the "
    "three losses is steepest there, and which one is nearly flat? Say it, then drag z to the "
    "left; the dots on the right leave their traces.",
) -> Explorer:
    """Three losses of a yes-or-no answer against its logit z, and their slopes.

    Parameters
    ----------
    f : the learner's ``bce_with_logits_loss(z, y) -> (loss, dz)``, drawn in orange
    predict : the question above the picture
    """
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7))
        curves, slopes, dots = [], [], []
        for name, (_, colour, dash) in LOSSES.items():
            look = {"color": colour, "ls": dash}
            curves += left.plot(Z, Z, label=name, **look)
            slopes += right.plot(Z, Z, **look)
            for ax in (left, right):
                dots += ax.plot([0], [0], "o", ms=8, color=colour, mec="white", clip_on=False)
        mine = {"color": style.LEARNER, "ls": (0, (4, 2)), "lw": 2.6}
        (own_curve,) = left.plot(Z, Z * np.nan, **mine)
        (own_slope,) = right.plot(Z, Z * np.nan, **mine)
        if f is not None:
            own_curve.set_label(learner.name_of(f))
        here = [ax.axvline(0, color=style.HERE, lw=1.2, ls=":") for ax in (left, right)]
        left.set(title="the loss", xlabel="logit z", ylabel="loss", xlim=(-8, 8), ylim=(-0.3, 9.3))
        right.set(title="its slope: the pull on z", xlabel="logit z", ylabel="d loss / dz")
        right.set(xlim=(-8, 8), ylim=(-1.15, 1.15))
        left.legend(loc="upper center")
    picture = LiveFigure(
        figure,
        [*here, *curves, *slopes, own_curve, own_slope, *dots],
        alt="Left: cross-entropy, squared error and hinge loss of a yes-or-no answer against its "
        "logit. Right: the slopes of the three losses.",
    )
    seen: dict = {"target": None}
    own: dict = {}

    def own_curves(y):
        """The learner's curves, computed once for each target."""
        if y not in own:
            try:
                own[y] = learner_loss(f, Z, y)
            except LearnerProblem as problem:
                own[y] = str(problem)
        return own[y]

    def move(target, z, whole):
        y = 1.0 if target == "yes" else 0.0
        if seen["target"] != target:  # other curves: nothing of their slopes was seen yet
            seen.update(target=target, low=z, high=z)
        seen.update(low=min(z, seen["low"]), high=max(z, seen["high"]))
        visited = whole | np.logical_and(seen["low"] <= Z, seen["high"] >= Z)
        said = []
        n = style.number
        for i, (name, (loss, _, _)) in enumerate(LOSSES.items()):
            values, slope = loss(Z, y)
            curves[i].set_ydata(values)
            slopes[i].set_ydata(np.where(visited, slope, np.nan))
            value, pull = (float(part) for part in loss(np.array(z), y))
            dots[2 * i].set_data([z], [value])
            dots[2 * i + 1].set_data([z], [pull])
            said.append(f"{name} **{n(value)}**, slope **{n(pull + 0.0)}**")  # never -0
        for line in here:
            line.set_xdata([z, z])
        reading = f"z = {n(z, 1)}: the net says yes with p = {n(sigmoid(z))}, the target is "
        reading += f"{target}. " + "; ".join(said) + "."
        if f is None:
            return reading
        found = own_curves(y)
        if isinstance(found, str):
            own_curve.set_ydata(Z * np.nan)
            own_slope.set_ydata(Z * np.nan)
            return reading, found
        own_curve.set_ydata(found[0])
        own_slope.set_ydata(np.where(visited, found[1], np.nan))
        value, pull = (np.interp(z, Z, part) for part in found)
        return f"{reading} `{learner.name_of(f)}`: **{n(value)}**, slope **{n(pull)}**."

    controls = {
        "target": choice("target", ["yes", "no"]),
        "z": slider("z", 2.0, -8.0, 8.0, 0.1, ".1f"),
        "whole": toggle("show the whole slopes", f is not None),
    }
    caption = (
        "Left: what an answer costs. Right: how hard it pulls on z. Behind a sigmoid the squared "
        "error (dashed) is flat on both sides: where the answer is right, and where it is sure and "
        "wrong."
    )
    return explorer(picture, move, controls, predict, caption, still={"z": -6.0, "whole": True})


# --- one of many: scores, shares, gradient -------------------------------------------------------

CLASSES = ("A", "B", "C")


def softmax_loss(x, true):
    """Cross-entropy of scores x (..., C), and its slopes; one class is true."""
    m = x.max(axis=-1, keepdims=True)
    e = np.exp(x - m)
    p = e / e.sum(axis=-1, keepdims=True)
    loss = m[..., 0] + np.log(e.sum(axis=-1)) - x[..., true]
    return loss, p - np.eye(x.shape[-1])[true], p


def svm_loss(x, true):
    """Hinge loss of scores x (..., C) with margin 1, its slopes, and the margins."""
    margins = np.maximum(0, x - x[..., [true]] + 1)
    margins[..., true] = 0
    dx = (margins > 0) * 1.0
    dx[..., true] = -dx.sum(axis=-1)
    return margins.sum(axis=-1), dx, margins


def _listed(values) -> str:
    """Numbers with commas between them; what is 0 but for rounding is written as 0."""
    return ", ".join(style.number(round(float(v), 12) + 0.0) for v in values)


def explore_logits(
    f: Callable | None = None,
    loss: str = "cross-entropy",
    predict: str | None = "Class A is true. With all three scores at 0, what will the three "
    "entries of the gradient be, and what do they add up to? And what changes when 1000 is added "
    "to every score? Say it, then move the sliders.",
) -> Explorer:
    """Three scores on sliders: the loss, the shares or margins, and the gradient.

    Parameters
    ----------
    f : the learner's ``softmax_loss(x, y) -> (loss, dx)`` (or ``svm_loss``), drawn in orange
    loss : the loss to begin with, "cross-entropy" or "hinge"
    predict : the question above the picture
    """
    if f is not None and "svm" in learner.name_of(f):
        loss = "hinge"
    with style.rc():
        figure, (left, middle, right) = style.subplots(
            1, 3, size=(9.2, 3.5), width_ratios=(1.25, 1, 1)
        )
        span = np.linspace(-6, 6, 121)
        (curve,) = left.plot(span, span, color=style.REFERENCE)
        (tangent,) = left.plot([0, 1], [0, 1], color=style.HERE, lw=3)
        (dot,) = left.plot([0], [0], "o", ms=9, color=style.HERE, mec="white")
        left.set(title="the loss", xlabel="score of the true class", ylim=(-0.4, 12), xlim=(-6, 6))
        bars = list(middle.bar(CLASSES, [0.5] * 3, color=style.BLUE, width=0.6))
        pulls = list(right.bar(CLASSES, [0.5] * 3, color=style.GRADIENT, width=0.6))
        (own_marks,) = right.plot(
            range(3), [np.nan] * 3, "D", ms=9, color=style.LEARNER, mec="white", clip_on=False
        )
        frame = middle.bar([0], [1], width=0.75, fill=False, ec=style.HERE, ls="--", lw=1.4)[0]
        right.axhline(0, color=style.HERE, lw=1)
        for ax in (middle, right):
            ax.grid(axis="x", visible=False)
    picture = LiveFigure(
        figure,
        [curve, tangent, dot, *bars, frame, *pulls, own_marks],
        alt="Left: the loss against the score of the true class, with a tangent. Middle: the "
        "shares, or the margins, of three classes. Right: the gradient for each score.",
    )
    shown = {"loss": None}

    def frame_for(kind):
        if shown["loss"] == kind:
            return
        shown["loss"] = kind
        with style.rc():
            middle.set_title("shares p" if kind == "cross-entropy" else "what is missing")
            middle.set_ylim(0, 1.05 if kind == "cross-entropy" else 12)
            most = 1.1 if kind == "cross-entropy" else 2.2
            right.set(title="gradient", ylim=(-most, most))
        picture.background_changed()

    def move(loss, true, a, b, c, shift):
        frame_for(loss)
        x, at = np.array([a, b, c]), CLASSES.index(true)
        compute = softmax_loss if loss == "cross-entropy" else svm_loss
        value, dx, heights = compute(x + shift, at)
        many = np.tile(x, (len(span), 1))
        many[:, at] = span
        curve.set_ydata(compute(many, at)[0])
        slope = dx[at]
        half = 1.5 / np.hypot(1, slope * 12 / 12.4)
        tangent.set_data([x[at] - half, x[at] + half], [value - slope * half, value + slope * half])
        dot.set_data([x[at]], [value])
        for bar, pull, height, d in zip(bars, pulls, heights, dx, strict=True):
            bar.set_height(height)
            pull.set_height(d)
        frame.set_x(at - 0.375)
        frame.set_height(1.0 if loss == "cross-entropy" else 11.4)
        own_marks.set_ydata([np.nan] * 3)
        listed = _listed(dx)
        what = "shares" if loss == "cross-entropy" else "missing margins"
        reading = (
            f"Loss **{style.number(float(value))}**; {what} ({_listed(heights)}); "
            f"gradient **({listed})**, which adds up to {_listed([dx.sum()])}."
        )
        if f is None:
            return reading
        own, gradient = _loss_and_gradient(f, (x + shift)[None, :], np.array([at]))
        own_marks.set_ydata(gradient[0])
        mine = f"**{style.number(own)}** and **({_listed(gradient[0])})**"
        return f"{reading} `{learner.name_of(f)}`: {mine}."

    controls = {
        "loss": choice("loss", ["cross-entropy", "hinge"], loss),
        "true": choice("true class", CLASSES),
        "a": slider("score of A", 3.0, -5.0, 5.0, 0.1, ".1f"),
        "b": slider("score of B", 2.0, -5.0, 5.0, 0.1, ".1f"),
        "c": slider("score of C", -1.0, -5.0, 5.0, 0.1, ".1f"),
        "shift": choice("add to all scores", [0, 10, 1000]),
    }
    caption = (
        "Left: the loss if only the score of the true class is moved; its tangent has the slope on "
        "the right. Middle: the dashed frame marks the true class. A step of training moves each "
        "score against its bar on the right."
    )
    return explorer(picture, move, controls, predict, caption, still={"a": 0.0})
