# ruff: noqa: E501  (a style sheet and a script stand in this file)
"""Chapter 05: descent on a bowl, a boundary that moves while it is trained, a digit to draw."""

import base64
import html
import io
from collections.abc import Callable
from functools import lru_cache
from itertools import pairwise

import anywidget
import ipywidgets
import numpy as np
import traitlets

from grader.datasets import load_digits, make_moons, make_spiral

from . import learner, style
from .controls import choice, log_slider, slider, steps
from .frame import Explorer, explorer, replace_older
from .learner import LearnerProblem
from .live import LiveFigure

# --- gradient descent on the bowl of y = w x + b ---------------------------------------------------

LINE_X = np.arange(6.0)  # 0 ... 5, with targets y = x
DESCENT_STEPS = 60


def line_loss(w, b):
    """Mean squared error of w x + b against y = x on x = 0 ... 5; w and b may be arrays."""
    error = np.multiply.outer(np.asarray(w, float), LINE_X) + np.asarray(b, float)[..., None]
    return ((error - LINE_X) ** 2).mean(axis=-1)


def line_gradient(w: float, b: float) -> dict:
    """Gradient of `line_loss`."""
    error = w * LINE_X + b - LINE_X
    return {"w": 2 * (error * LINE_X).mean(), "b": 2 * error.mean()}


def steepest_curvature() -> float:
    """Largest eigenvalue of the bowl's second derivatives: beyond 2 / it, descent runs away."""
    rows = np.column_stack([LINE_X, np.ones_like(LINE_X)])
    return float(np.linalg.eigvalsh(2 * rows.T @ rows / len(rows))[-1])


def descend(step: Callable | None, lr: float, start=(-0.6, 3.2), count: int = DESCENT_STEPS):
    """The path of (w, b), (count + 1, 2), by `step(params, grads, lr)` or by plain descent."""
    params = {"w": np.array(start[0]), "b": np.array(start[1])}
    path = [start]
    for _ in range(count):
        grads = line_gradient(float(params["w"]), float(params["b"]))
        grads = {name: np.asarray(value) for name, value in grads.items()}
        if step is None:
            params = {name: params[name] - lr * grads[name] for name in params}
        else:
            new = learner.call(step, {k: v.copy() for k, v in params.items()}, grads, lr)
            if not isinstance(new, dict) or set(new) != {"w", "b"}:
                raise LearnerProblem(
                    f"`{learner.name_of(step)}` should return a dict with `w` and `b`."
                )
            params = {name: learner.as_array(new[name], (), step) for name in new}
        path.append((float(params["w"]), float(params["b"])))
        if not np.isfinite(path[-1]).all() or np.abs(path[-1]).max() > 1e6:
            break
    return np.array(path)


def explore_descent(
    step: Callable | None = None,
    predict: str | None = "The bowl is long and narrow. At which learning rate does the path begin "
    "to jump from wall to wall, and at which does it leave the picture? Say two numbers, then "
    "move the slider.",
) -> Explorer:
    """Gradient descent for y = w x + b on the loss's own map.

    Parameters
    ----------
    step : the learner's ``step(params, grads, lr) -> params`` (chapter 02's `sgd_step`), drawn in
        orange over the reference
    predict : the question above the picture
    """
    limit = 2 / steepest_curvature()
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.8, 3.7), width_ratios=(1.15, 1))
        w, b = np.meshgrid(np.linspace(-1.2, 3.2, 90), np.linspace(-4, 4.4, 90))
        levels = np.geomspace(0.02, 80, 15)
        left.contour(w, b, line_loss(w, b), levels=levels, colors=style.GREY, linewidths=0.8)
        left.plot([1], [0], "*", ms=14, color=style.GREEN, mec="white")
        left.set(
            title="The loss as a map", xlabel="w", ylabel="b", xlim=(-1.2, 3.2), ylim=(-4, 4.4)
        )
        left.grid(visible=False)
        (path,) = left.plot([], [], "o-", ms=3.5, lw=1.3, color=style.REFERENCE)
        (own_path,) = left.plot([], [], "o--", ms=3.5, lw=1.3, color=style.LEARNER)
        right.set(
            title="The loss, step by step",
            xlabel="step",
            xlim=(0, DESCENT_STEPS),
            yscale="log",
            ylim=(1e-3, 1e3),
        )
        (curve,) = right.plot([], [], color=style.REFERENCE, label="reference")
        (own,) = right.plot([], [], "--", color=style.LEARNER)
        if step is not None:
            own.set_label(learner.name_of(step))
            right.legend(loc="upper right")
    picture = LiveFigure(
        figure,
        [path, own_path, curve, own],
        alt="Left: contour lines of the loss over w and b, a long narrow bowl with its lowest "
        "point at w = 1, b = 0, and the path of gradient descent. Right: the loss at each step.",
    )

    def draw(points, line, losses):
        line.set_data(points[:, 0], points[:, 1])
        losses.set_data(np.arange(len(points)), line_loss(points[:, 0], points[:, 1]))

    def move(lr):
        points = descend(None, lr)
        draw(points, path, curve)
        last = float(line_loss(*points[-1]))
        n = style.number
        reading = f"Learning rate {n(lr)}: after {len(points) - 1} steps the loss is **{n(last)}**."
        if lr > limit:
            reading += f" Above 2 / curvature = {n(limit)} every step lands higher than the last."
        elif lr > limit / 2:
            reading += (
                " The path jumps across the narrow side, and still creeps along the long one."
            )
        else:
            reading += " The path falls into the valley at once, and then walks along its floor."
        if step is None:
            return reading
        try:
            points = descend(step, lr)
        except LearnerProblem as problem:
            own_path.set_data([], [])
            own.set_data([], [])
            return reading, str(problem)
        draw(points, own_path, own)
        return f"{reading} `{learner.name_of(step)}`: **{n(float(line_loss(*points[-1])))}**."

    controls = {"lr": slider("learning rate", 0.01, 0.002, 0.13, 0.002, form=".3f")}
    caption = (
        "Contours: the mean squared error of w x + b on the points y = x, x = 0 to 5. The star is "
        "the best line. One dot for each step."
    )
    return explorer(picture, move, controls, predict, caption, still={"lr": 0.088})


# --- the boundary, live while training --------------------------------------------------------------

TRAIN_STEPS = 600
GRID = 61


def _centred(data):
    x, y = data
    return (x - x.mean(axis=0)) / x.std(axis=0), y


POINTS = {
    "moons": lambda: _centred(make_moons(200, 0.15, 0)),
    "spiral": lambda: _centred(make_spiral(240, 3, 0.12, 1)),
}


class SmallNet:
    """The reference: affine, ReLU, affine, softmax, with chapter 05's `params` and `loss`."""

    def __init__(self, input_dim, hidden_dim, num_classes, weight_scale=1.0, reg=0.0):
        self.params = {}

    def loss(self, X, y=None):
        p = self.params
        h = np.maximum(X @ p["W1"] + p["b1"], 0)
        scores = h @ p["W2"] + p["b2"]
        if y is None:
            return scores
        rows = np.arange(len(X))
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        share = e / e.sum(axis=1, keepdims=True)
        d = share.copy()
        d[rows, y] -= 1
        d /= len(X)
        dh = (d @ p["W2"].T) * (h > 0)
        grads = {"W1": X.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ d, "b2": d.sum(axis=0)}
        return -np.log(np.maximum(share[rows, y], 1e-300)).mean(), grads


class Training:
    """One net on its way: `to(step)` goes on, or starts again where the step lies behind."""

    def __init__(self, net_class: Callable, x, y, width: int, lr: float):
        self.net_class, self.x, self.y, self.width, self.lr = net_class, x, y, width, lr
        self.losses: list[float] = []
        self.net = self._fresh()

    def _fresh(self):
        rng = np.random.default_rng(0)
        classes = int(self.y.max()) + 1
        net = self.net_class(2, self.width, classes, weight_scale=1.0, reg=0.0)
        net.params["W1"] = rng.standard_normal((2, self.width))
        net.params["b1"] = np.zeros(self.width)
        net.params["W2"] = rng.standard_normal((self.width, classes)) / np.sqrt(self.width)
        net.params["b2"] = np.zeros(classes)
        return net

    def to(self, step: int) -> None:
        if step < len(self.losses) - 1:
            self.net, self.losses = self._fresh(), []
        with np.errstate(all="ignore"):
            if not self.losses:
                self.losses.append(float(self.net.loss(self.x, self.y)[0]))
            while len(self.losses) <= step:
                grads = self.net.loss(self.x, self.y)[1]
                for name in grads:
                    self.net.params[name] = self.net.params[name] - self.lr * grads[name]
                self.losses.append(float(self.net.loss(self.x, self.y)[0]))


def _asked(net_class: Callable, work: Callable):
    """Run work that calls the learner's class; every failure becomes one sentence."""
    try:
        return work()
    except NotImplementedError:
        raise LearnerProblem(
            f"`{learner.name_of(net_class)}` is not written yet, so the reference is trained."
        ) from None
    except Exception as error:
        said = str(error).splitlines()[0] if str(error) else "no message"
        raise LearnerProblem(
            f"`{learner.name_of(net_class)}` stopped with {type(error).__name__}: {said}. "
            "The reference is trained in its place."
        ) from None


def explore_training(
    net_class: Callable | None = None,
    predict: str | None = "How many hidden units does it take to part the moons? Each unit gives "
    "the boundary one bend. Say a number, set the width, press play; then try the spiral.",
) -> Explorer:
    """The decision boundary of a two-layer net, live while it is trained.

    Parameters
    ----------
    net_class : the learner's class with chapter 05's `TwoLayerNet` contract; the reference is
        used without it
    predict : the question above the picture
    """
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.8, 3.9), width_ratios=(1, 1.05))
        colours = np.array([[0, 114, 178], [213, 94, 0], [0, 158, 115]]) / 255
        at = np.linspace(-2.3, 2.3, GRID)
        grid = np.column_stack([a.ravel() for a in np.meshgrid(at, at)])
        image = left.imshow(
            np.ones((GRID, GRID, 3)),
            extent=(-2.3, 2.3, -2.3, 2.3),
            origin="lower",
            interpolation="bilinear",
            aspect="auto",
        )
        marks = [
            left.plot([], [], mark, ms=5, color=colour, mec="white", mew=0.6)[0]
            for mark, colour in zip("osv", colours, strict=True)
        ]
        left.set(
            title="Who gets which place",
            xlabel="first input",
            ylabel="second input",
            xlim=(-2.3, 2.3),
            ylim=(-2.3, 2.3),
        )
        left.grid(visible=False)
        right.set(
            title="Training loss",
            xlabel="step",
            ylabel="cross-entropy (log scale)",
            xlim=(0, TRAIN_STEPS),
            yscale="log",
            ylim=(3e-3, 8),
        )
        (curve,) = right.plot([], [], color=style.LEARNER if net_class else style.REFERENCE)
        (dot,) = right.plot([], [], "o", ms=8, color=style.HERE, mec="white")
    picture = LiveFigure(
        figure,
        [image, *marks, curve, dot],
        alt="Left: points of two or three classes in the plane; the background shows which class "
        "the net gives to each place. Right: the training loss up to this step.",
    )
    state: dict = {"key": None, "training": None, "problem": ""}

    def begin(points, width, lr):
        x, y = POINTS[points]()
        state.update(key=(points, width, lr), problem="")
        for k, mark in enumerate(marks):
            mark.set_data(x[y == k, 0], x[y == k, 1])
        if net_class is not None:
            try:
                trial = _asked(net_class, lambda: Training(net_class, x, y, width, lr))
                _asked(net_class, lambda: (trial.to(1), trial.net.loss(x[:3])))
                state["training"] = trial
                return
            except LearnerProblem as problem:
                state["problem"] = str(problem)
        state["training"] = Training(SmallNet, x, y, width, lr)

    def move(points, width, lr, step, play=None):
        if state["key"] != (points, width, lr):
            begin(points, width, lr)
        run = state["training"]
        work = lambda: (run.to(step), run.net.loss(grid), run.net.loss(run.x))  # noqa: E731
        _, scores, own = _asked(run.net_class, work)
        scores, own = np.asarray(scores, float), np.asarray(own, float)
        classes = int(run.y.max()) + 1
        if scores.shape != (len(grid), classes):
            raise LearnerProblem(
                f"`loss(X)` gives shape {scores.shape}; scores of shape {(len(grid), classes)} "
                "are expected."
            )
        with np.errstate(all="ignore"):
            e = np.exp(scores - scores.max(axis=1, keepdims=True))
            share = np.nan_to_num(e / e.sum(axis=1, keepdims=True), nan=1 / classes)
        pale = 1 - 0.55 * (1 - colours[:classes])  # colours on white
        image.set_data((share @ pale).reshape(GRID, GRID, 3).clip(0, 1))
        losses = np.array(run.losses[: step + 1])
        curve.set_data(np.arange(len(losses)), losses)
        dot.set_data([step], [losses[step]])
        right_share = (own.argmax(axis=1) == run.y).mean()
        reading = (
            f"Step {step}: loss **{style.number(float(losses[step]))}**, **{right_share:.0%}** of "
            f"{len(run.y)} points on the right side, with {width} hidden "
            f"unit{'s' * (width != 1)} at rate {style.number(lr)}."
        )
        if not np.isfinite(losses[step]):
            reading += " The loss has run away: the rate is too large."
        return (reading, state["problem"]) if state["problem"] else reading

    counter = slider("step", 0, 0, TRAIN_STEPS, 1)
    player = ipywidgets.Play(
        value=0,
        min=0,
        max=TRAIN_STEPS,
        step=5,
        interval=80,
        description="train",
        show_repeat=False,
    )
    player.link = ipywidgets.jslink((player, "value"), (counter, "value"))
    controls = {
        "points": choice("points", POINTS),
        "width": steps("width", [1, 2, 3, 4, 8, 16, 64], 2),
        "lr": log_slider("learning rate", 1.0, -2, 1, 0.25, form=".3f"),
        "play": player,
        "step": counter,
    }
    caption = (
        "Left: the colour says which class the net gives to a place, and how surely. Right: the "
        "loss so far. Full-batch gradient descent; play trains on, and the slider goes back."
    )
    return explorer(picture, move, controls, predict, caption, still={"step": 600, "width": 16})


# --- a digit to draw ------------------------------------------------------------------------------

SIDE = 32  # the drawing; 4 x 4 of its cells make one pixel of the net's input

# Strokes of a few digits, in units of the drawing: (column, row).
STROKES = {
    2: [[(9, 9), (12, 5), (17, 4), (21, 7), (21, 12), (16, 18), (9, 26), (22, 26)]],
    3: [[(9, 6), (15, 4), (21, 7), (20, 12), (14, 15), (21, 18), (21, 24), (15, 27), (9, 25)]],
    0: [[(16, 4), (11, 7), (9, 15), (11, 24), (16, 27), (21, 24), (23, 15), (21, 7), (16, 4)]],
    4: [[(18, 4), (8, 19), (24, 19)], [(19, 11), (19, 28)]],
    7: [[(9, 5), (22, 5), (17, 15), (14, 27)], [(11, 16), (21, 16)]],
}


def stroked(digit: int) -> np.ndarray:
    """A drawn digit, (32, 32) of 0 and 1."""
    ink = np.zeros((SIDE, SIDE))
    row, column = np.mgrid[:SIDE, :SIDE]
    for stroke in STROKES[digit]:
        for (x0, y0), (x1, y1) in pairwise(stroke):
            for t in np.linspace(0, 1, 40):
                near = np.hypot(column - x0 - t * (x1 - x0), row - y0 - t * (y1 - y0)) <= 1.6
                ink[near] = 1
    return ink


def fit_to_frame(ink: np.ndarray) -> np.ndarray:
    """The drawing moved and stretched so that it fills the height, as the data's digits do."""
    rows, columns = np.where(ink.any(axis=1))[0], np.where(ink.any(axis=0))[0]
    if not len(rows):
        return ink
    top, left = rows[0], columns[0]
    height, width = rows[-1] + 1 - top, columns[-1] + 1 - left
    scale = SIDE / max(height, width)
    row, column = np.mgrid[:SIDE, :SIDE] + 0.5
    down = np.floor(top + height / 2 + (row - SIDE / 2) / scale).astype(int)
    across = np.floor(left + width / 2 + (column - SIDE / 2) / scale).astype(int)
    inside = (down >= top) & (down < top + height) & (across >= left) & (across < left + width)
    return np.where(inside, ink[down.clip(0, SIDE - 1), across.clip(0, SIDE - 1)], 0.0)


def shrink(ink: np.ndarray) -> np.ndarray:
    """(32, 32) of 0 and 1 -> (8, 8): the share of ink in each 4 x 4 cell, as the data were made."""
    return ink.reshape(8, 4, 8, 4).mean(axis=(1, 3))


@lru_cache(maxsize=1)
def _own_reader() -> Callable:
    """A net for those who bring none: 64 - 32 - 10, trained on the training part (1 s)."""
    data = load_digits()
    x, y = data.x_train, data.y_train
    rng = np.random.default_rng(0)
    net = SmallNet(64, 32, 10)
    net.params = {
        "W1": rng.normal(0, 0.2, (64, 32)),
        "b1": np.zeros(32),
        "W2": rng.normal(0, 0.2, (32, 10)),
        "b2": np.zeros(10),
    }
    for _ in range(500):
        grads = net.loss(x, y)[1]
        net.params = {name: p - 1.0 * grads[name] for name, p in net.params.items()}

    def reader(x):
        hidden = np.maximum(x @ net.params["W1"] + net.params["b1"], 0)
        return hidden, hidden @ net.params["W2"] + net.params["b2"]

    return reader


def layers_of(net: Callable, x: np.ndarray) -> list[np.ndarray]:
    """What a net says about one image, as a list of flat layers with the ten scores last.

    `net` is called with x of shape (1, 64) and gives the scores, or a tuple of layers; or it is
    an object with `loss(X)` and, for its hidden layers, `params` W1, b1, W2, ...
    """
    layers: list = []
    if hasattr(net, "loss"):
        scores = learner.call(net.loss, x)
        params = getattr(net, "params", {})
        a, i = x, 1
        while f"W{i + 1}" in params:
            a = np.maximum(a @ params[f"W{i}"] + params[f"b{i}"], 0)
            layers.append(a)
            i += 1
        layers.append(scores)
        shown = net.loss
    else:
        result = learner.call(net, x)
        layers = list(result) if isinstance(result, (tuple, list)) else [result]
        shown = net
    flat = []
    for layer in layers:
        try:
            flat.append(np.asarray(layer, dtype=float).ravel())
        except (TypeError, ValueError):
            raise LearnerProblem(
                f"`{learner.name_of(shown)}` gave a {type(layer).__name__} where an array of "
                "numbers is expected."
            ) from None
    if flat[-1].shape != (10,):
        raise LearnerProblem(
            f"The last layer of `{learner.name_of(shown)}` has {flat[-1].size} numbers for one "
            "image; ten scores are expected."
        )
    return flat


DRAW_CSS = """
.nn-draw { max-width: 900px; padding: 4px 0 8px; font-size: 14px; line-height: 1.5;
  color: var(--jp-content-font-color1, #222); --ink: #222; }
.nn-draw .predict { border-left: 4px solid #0072b2; padding: 6px 12px; margin: 2px 0 8px;
  background: var(--jp-layout-color2, #f3f3f3); border-radius: 0 4px 4px 0; }
.nn-draw .bar { display: flex; flex-wrap: wrap; gap: 6px 12px; align-items: center; margin: 0 0 8px; }
.nn-draw button { font: inherit; font-size: 13px; padding: 3px 12px; border-radius: 4px;
  cursor: pointer; color: inherit; background: var(--jp-layout-color2, #eee);
  border: 1px solid var(--jp-border-color1, #bbb); }
.nn-draw label { display: inline-flex; align-items: center; gap: 6px; }
.nn-draw :is(button, input, canvas):focus-visible {
  outline: 3px solid var(--jp-brand-color1, #1976d2); outline-offset: 2px; }
.nn-draw .row { display: flex; flex-wrap: wrap; gap: 10px 22px; align-items: flex-start; }
.nn-draw figure { margin: 0; }
.nn-draw figcaption { font-size: 12.5px; color: var(--jp-content-font-color2, #555); max-width: 250px; }
.nn-draw canvas { display: block; background: #fff; border: 1px solid var(--jp-border-color1, #bbb);
  border-radius: 4px; }
.nn-draw canvas.pad { touch-action: none; cursor: crosshair; }
.nn-draw .say { padding: 6px 0 0; font-variant-numeric: tabular-nums; min-height: 3em; }
.nn-draw .problem { border-left: 4px solid #d55e00; padding: 6px 12px; margin: 4px 0;
  background: var(--jp-layout-color2, #f3f3f3); }
.nn-draw .problem:empty { display: none; }
"""

DRAW_JS = """
// A pad of 32 x 32 cells. The browser keeps the drawing; Python shrinks it and asks the net.
const SIDE = 32, CELL = 7;

function element(tag, set = {}, ...children) {
  const e = document.createElement(tag);
  Object.assign(e, set);
  e.append(...children);
  return e;
}

function show(x) {
  if (!Number.isFinite(x)) return "–";
  return x.toFixed(2).replace("-", "\\u2212");
}

function render({ model, el }) {
  const root = element("div", { className: "nn-draw" });
  el.append(root);
  if (model.get("predict")) {
    const text = element("div", { className: "predict" });
    text.append(element("b", { textContent: "Predict first. " }), model.get("predict"));
    root.append(text);
  }
  let ink = Array.from(model.get("ink")), pen = [16, 16], down = false, last = null, timer = null;
  const button = (text, act) => {
    const b = element("button", { type: "button", textContent: text });
    b.addEventListener("click", act);
    return b;
  };
  const send = () => {
    clearTimeout(timer);
    timer = setTimeout(() => { model.set("ink", ink.slice()); model.save_changes(); }, 40);
  };
  const clear = () => { ink = new Array(SIDE * SIDE).fill(0); paint(); send(); };
  const example = () => { model.set("example", model.get("example") + 1); model.save_changes(); };
  const frame = element("input", { type: "checkbox", checked: model.get("frame") });
  frame.addEventListener("change", () => { model.set("frame", frame.checked); model.save_changes(); });
  root.append(element("div", { className: "bar" }, button("Clear", clear), button("Example", example),
    element("label", {}, frame, "fit to the frame")));

  const canvas = (w, h, label) => {
    const c = element("canvas", { width: 2 * w, height: 2 * h });
    c.style.width = w + "px"; c.style.height = h + "px";
    c.setAttribute("role", "img"); c.setAttribute("aria-label", label);
    return c;
  };
  const pad = canvas(SIDE * CELL, SIDE * CELL, "");
  pad.className = "pad"; pad.tabIndex = 0;
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", "drawing pad, 32 by 32 cells. Arrow keys move the pen, space lowers or lifts it, E erases under it, delete clears.");
  const small = canvas(136, 136, "the drawing shrunk to 8 by 8");
  const hidden = canvas(210, 160, "the numbers of the hidden layers");
  const scores = canvas(190, 226, "share of each digit");
  const under = (c, text) => element("figure", {}, c, element("figcaption", { textContent: text }));
  const penSays = element("figcaption", { textContent: "" });
  penSays.setAttribute("aria-live", "polite");
  const left = element("figure", {}, pad, penSays);
  const layersText = element("figcaption", {});
  root.append(element("div", { className: "row" }, left, under(small, "8 x 8, what the net is given"),
    element("figure", {}, hidden, layersText), under(scores, "softmax of the ten scores")));
  const say = element("div", { className: "say" });
  say.setAttribute("aria-live", "polite");
  const problem = element("div", { className: "problem" });
  root.append(say, problem);

  function paint() {
    const g = pad.getContext("2d");
    g.setTransform(2, 0, 0, 2, 0, 0);
    g.fillStyle = "#fff"; g.fillRect(0, 0, SIDE * CELL, SIDE * CELL);
    g.strokeStyle = "#eee"; g.lineWidth = 1;
    for (let i = 4; i < SIDE; i += 4) {
      g.beginPath(); g.moveTo(i * CELL, 0); g.lineTo(i * CELL, SIDE * CELL);
      g.moveTo(0, i * CELL); g.lineTo(SIDE * CELL, i * CELL); g.stroke();
    }
    g.fillStyle = "#222";
    ink.forEach((v, i) => { if (v) g.fillRect((i % SIDE) * CELL, Math.floor(i / SIDE) * CELL, CELL, CELL); });
    if (document.activeElement === pad || pad.getRootNode().activeElement === pad) {
      g.strokeStyle = down ? "#d55e00" : "#0072b2"; g.lineWidth = 2;
      g.strokeRect((pen[0] - 1) * CELL, (pen[1] - 1) * CELL, 3 * CELL, 3 * CELL);
    }
    penSays.textContent = `draw with the mouse, or here with arrow keys and space; the pen is ${down ? "down" : "up"}`;
  }
  function dot(x, y, value = 1) {
    for (let r = Math.floor(y) - 2; r <= y + 2; r++) for (let c = Math.floor(x) - 2; c <= x + 2; c++) {
      if (r >= 0 && c >= 0 && r < SIDE && c < SIDE && Math.hypot(r - y, c - x) <= 1.6) ink[r * SIDE + c] = value;
    }
  }
  function line(a, b) {
    const n = Math.max(1, Math.ceil(2 * Math.hypot(b[0] - a[0], b[1] - a[1])));
    for (let i = 0; i <= n; i++) dot(a[0] + ((b[0] - a[0]) * i) / n, a[1] + ((b[1] - a[1]) * i) / n);
  }
  const where = (e) => {
    const box = pad.getBoundingClientRect();
    return [((e.clientX - box.left) / box.width) * SIDE - 0.5, ((e.clientY - box.top) / box.height) * SIDE - 0.5];
  };
  pad.addEventListener("pointerdown", (e) => {
    pad.focus(); pad.setPointerCapture(e.pointerId); down = false;
    last = where(e); dot(...last); paint(); send(); e.preventDefault();
  });
  pad.addEventListener("pointermove", (e) => {
    if (!last) return;
    const now = where(e); line(last, now); last = now; paint(); send();
  });
  const lift = () => { last = null; };
  pad.addEventListener("pointerup", lift);
  pad.addEventListener("pointercancel", lift);
  pad.addEventListener("focus", paint);
  pad.addEventListener("blur", paint);
  pad.addEventListener("keydown", (e) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (by) {
      const next = [Math.min(SIDE - 1, Math.max(0, pen[0] + by[0])), Math.min(SIDE - 1, Math.max(0, pen[1] + by[1]))];
      if (down) line(pen, next);
      pen = next;
    } else if (e.key === " " || e.key === "Enter") {
      down = !down; if (down) dot(...pen);
    } else if (e.key === "e" || e.key === "E") dot(...pen, 0);
    else if (e.key === "Delete" || e.key === "Backspace") clear();
    else return;
    e.preventDefault(); e.stopPropagation(); paint(); send();
  });

  function cells(c, values, columns, size, colour) {
    const g = c.getContext("2d");
    values.forEach((v, i) => {
      g.fillStyle = colour(v);
      g.fillRect((i % columns) * size, Math.floor(i / columns) * size, size - 1, size - 1);
    });
  }
  function update() {
    const pixels = model.get("pixels"), layers = model.get("layers"), shares = model.get("shares");
    let g = small.getContext("2d");
    g.setTransform(2, 0, 0, 2, 0, 0); g.clearRect(0, 0, 136, 136);
    cells(small, pixels, 8, 17, (v) => `rgb(${255 - 222 * v},${255 - 222 * v},${255 - 222 * v})`);
    g = hidden.getContext("2d");
    g.setTransform(2, 0, 0, 2, 0, 0); g.clearRect(0, 0, 210, 160);
    const inner = layers.slice(0, -1), space = 160 / Math.max(1, inner.length);
    inner.forEach((layer, k) => {
      const top = Math.max(...layer.map(Math.abs), 1e-9);
      let size = 20;
      while (size > 3 && Math.ceil(layer.length / Math.floor(210 / size)) * size > space - 6) size -= 1;
      g.save(); g.translate(0, k * space);
      cells(hidden, layer, Math.floor(210 / size), size, (v) => {
        const t = Math.abs(v) / top, to = v < 0 ? [213, 94, 0] : [0, 114, 178];
        return `rgb(${to.map((q) => Math.round(240 + (q - 240) * t)).join(",")})`;
      });
      g.restore();
    });
    layersText.textContent = inner.length
      ? `hidden: ${inner.map((l) => l.length).join(" + ")} units, ${inner.map((l) => l.filter((v) => v !== 0).length).join(" + ")} lit up`
      : "this net shows no hidden layers";
    g = scores.getContext("2d");
    g.setTransform(2, 0, 0, 2, 0, 0); g.clearRect(0, 0, 190, 226);
    g.font = "13px sans-serif"; g.textBaseline = "middle";
    const best = shares.length ? shares.indexOf(Math.max(...shares)) : -1;
    shares.forEach((p, k) => {
      const y = 12 + 22 * k;
      g.fillStyle = "#222"; g.font = (k === best ? "bold " : "") + "13px sans-serif"; g.fillText(k, 6, y);
      g.fillStyle = k === best ? "#0072b2" : "#a9c9df"; g.fillRect(22, y - 7, 110 * p, 14);
      g.fillStyle = "#222"; g.fillText(show(p), 138, y);
    });
    say.textContent = model.get("reading");
    problem.textContent = model.get("problem");
    scores.setAttribute("aria-label", model.get("reading"));
  }
  for (const e of root.querySelectorAll("input, button, canvas")) e.dataset.lmSuppressShortcuts = "true";
  const watched = ["pixels", "layers", "shares", "reading", "problem"].map((t) => "change:" + t);
  for (const event of watched) model.on(event, update);
  const fromKernel = (message) => { if (message.ink) { ink = message.ink.slice(); paint(); } };
  model.on("msg:custom", fromKernel);
  paint(); update();
  return () => {
    clearTimeout(timer);
    for (const event of watched) model.off(event, update);
    model.off("msg:custom", fromKernel);
  };
}
export default { render };
"""


class DrawDigit(anywidget.AnyWidget):
    """The widget behind `draw_digit`: the pad in the browser, the net in Python.

    Attributes
    ----------
    ink : the drawing, 1024 numbers 0 or 1, row by row
    frame : stretch the drawing to the frame first
    example : raised by the button; each rise brings the next drawn digit
    pixels, layers, shares : what the net is given, its layers, and softmax of its scores
    reading, problem : the sentences shown
    """

    _esm = DRAW_JS
    _css = DRAW_CSS
    ink = traitlets.List([0] * SIDE * SIDE).tag(sync=True)
    frame = traitlets.Bool(True).tag(sync=True)
    example = traitlets.Int(0).tag(sync=True)
    pixels = traitlets.List([0.0] * 64).tag(sync=True)
    layers: traitlets.List = traitlets.List().tag(sync=True)
    shares: traitlets.List = traitlets.List().tag(sync=True)
    reading = traitlets.Unicode("").tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)
    predict = traitlets.Unicode("").tag(sync=True)

    def __init__(self, net: Callable | None, prepare: Callable | None, predict: str):
        self._net: Callable | None = _own_reader() if net is None else net
        self._prepare = prepare
        first = stroked(next(iter(STROKES)))
        super().__init__(ink=first.astype(int).ravel().tolist(), predict=predict)
        self.observe(self._read, ["ink", "frame"])
        self.observe(self._next_example, "example")
        self._read()
        replace_older(self)

    def _next_example(self, _change=None) -> None:
        digit = list(STROKES)[self.example % len(STROKES)]
        self.ink = stroked(digit).astype(int).ravel().tolist()
        self.send({"ink": self.ink})

    def _read(self, _change=None) -> None:
        """Shrink the drawing and ask the net."""
        ink = np.asarray(self.ink, dtype=float)
        if ink.shape != (SIDE * SIDE,) or self._net is None:
            return
        ink = ink.reshape(SIDE, SIDE)
        small = shrink(fit_to_frame(ink) if self.frame else ink)
        self.pixels = small.ravel().tolist()
        if not small.any():
            self.layers, self.shares, self.problem = [], [], ""
            self.reading = "The pad is empty."
            return
        try:
            x = small.reshape(1, 64)
            if self._prepare is not None:
                x = learner.as_array(learner.call(self._prepare, x), (1, 64), self._prepare)
            layers = layers_of(self._net, x)
        except LearnerProblem as problem:
            self.layers, self.shares, self.reading = [], [], ""
            self.problem = str(problem).replace("`", "")
            return
        scores = np.nan_to_num(layers[-1])
        e = np.exp(scores - scores.max())
        share = e / e.sum()
        first, second = np.argsort(share)[::-1][:2]
        self.layers = [layer.tolist() for layer in layers]
        self.shares = share.tolist()
        self.problem = ""
        self.reading = (
            f"The net reads a {first} ({share[first]:.0%}); its second choice is {second} "
            f"({share[second]:.0%})."
        )

    def close(self) -> None:
        """Close the widget and its layout."""
        self._net = self._prepare = None
        self.unobserve_all()
        self.layout.close()
        super().close()

    def _still(self) -> bytes:
        """The pad, the 8 x 8 image, the hidden layers and the shares, for pages without a kernel."""
        with style.rc():
            figure, axes = style.subplots(1, 4, size=(8.8, 2.5))
            axes[0].imshow(np.reshape(self.ink, (SIDE, SIDE)), cmap="Greys", vmin=0, vmax=1)
            axes[0].set_title("drawn, 32 x 32")
            axes[1].imshow(np.reshape(self.pixels, (8, 8)), cmap="Greys", vmin=0, vmax=1)
            axes[1].set_title("shrunk, 8 x 8")
            inner = np.concatenate(self.layers[:-1]) if len(self.layers) > 1 else np.zeros(1)
            columns = int(np.ceil(np.sqrt(len(inner))))
            padded = np.full(columns * -(-len(inner) // columns), np.nan)
            padded[: len(inner)] = inner
            axes[2].imshow(padded.reshape(-1, columns), cmap="Blues", vmin=0)
            axes[2].set_title(f"{len(inner)} hidden units")
            for ax in axes[:3]:
                ax.set(xticks=[], yticks=[])
                ax.grid(visible=False)
            axes[3].barh(range(10), self.shares or [0] * 10, color=style.BLUE)
            axes[3].set(title="shares", yticks=range(10), xlim=(0, 1))
            axes[3].invert_yaxis()
            axes[3].grid(visible=False)
            buffer = io.BytesIO()
            figure.savefig(buffer, format="png", dpi=160, facecolor="white")
        return buffer.getvalue()

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        png = base64.b64encode(self._still()).decode("ascii")
        alt = f"A drawn digit, shrunk to 8 x 8, and what a net says about it. {self.reading}"
        figure = (
            f'<figure><img src="data:image/png;base64,{png}" alt="{html.escape(alt)}" width="880" '
            'style="max-width:100%;background:#fff"><figcaption>In JupyterLab the pad can be drawn '
            f"on. {html.escape(self.reading)}</figcaption></figure>"
        )
        data = {**data, "image/png": png, "text/html": figure, "text/plain": alt}
        return data, metadata


def draw_digit(
    net: Callable | None = None,
    prepare: Callable | None = None,
    predict: str | None = "Draw a 7, with and without a bar. Which of the two will the net read "
    "rightly? Then untick 'fit to the frame' and draw a small one in a corner: what now?",
) -> DrawDigit:
    """A digit to draw, with mouse or keyboard, read by a net; each layer's numbers light up.

    Parameters
    ----------
    net : the learner's: a function ``net(x)`` of x (1, 64) that returns the ten scores or a tuple
        of layers with the scores last; or an object with ``loss(X)`` and ``params``, such as
        chapter 05's `TwoLayerNet`. Without it a small net of our own is trained.
    prepare : applied to x (1, 64), numbers from 0 to 1, before the net sees it: the scaling that
        the net was trained with
    predict : the question above the picture
    """
    return DrawDigit(net, prepare, predict or "")
