"""Chapter 11: inside an LSTM, gate by gate, on numbers that are drawn or typed.

`lstm.js` computes and draws; this module holds what it shows, asks the learner's own step, and
draws the still picture for pages without a kernel.
"""

import base64
import html
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import anywidget
import numpy as np
import traitlets

from . import learner, style
from .frame import replace_older
from .learner import LearnerProblem

HERE = Path(__file__).parent
NUMBERS = (0.3, -0.8, 0.6, 0.5, -0.4, 0.9, -0.2, 0.1, -0.6, 0.7, -0.9, 0.2, 0.4, -0.5, 0.8, -0.3)
MARKS = (2, 10)
NAMES = ("Wx", "Wh", "b", "w", "w0")
PREDICT = (
    "The answer should be the sum of the marked numbers. In which steps will the input gate i be "
    "open, and in which the forget gate f? Then lower the forget bias until f is about one half: "
    "what becomes of the answer?"
)


def hand_set() -> dict[str, np.ndarray]:
    """Weights written by hand: unit 1 adds the marked numbers up, unit 2 counts the marks.

    Returns
    -------
    dict
        Wx (2, 8), Wh (2, 8), b (8,) with the blocks i, f, o, g; w (2,), w0: the answer is
        h @ w + w0.
    """
    Wx, Wh, b = np.zeros((2, 8)), np.zeros((2, 8)), np.zeros(8)
    Wx[1, 0:2], b[0:2] = 16, -8  # i: open where a mark is
    b[2:6] = 8  # f and o: always open
    Wx[0, 6] = 0.1  # g of unit 1: a tenth of the number, where tanh is nearly straight
    b[7] = 0.2  # g of unit 2: the same at every step
    return {"Wx": Wx, "Wh": Wh, "b": b, "w": np.array([10.0, 0.0]), "w0": np.zeros(())}


def run_lstm(params: Mapping, x: np.ndarray, shift: float = 0.0) -> dict[str, np.ndarray]:
    """Gates, cells, hidden states (T, H) and answers (T,) of one sequence x (T, 2)."""
    H = len(params["w"])
    h, c, kept = np.zeros(H), np.zeros(H), {name: [] for name in "ifogch"}
    for step in x:
        a = step @ params["Wx"] + h @ params["Wh"] + params["b"]
        a[H : 2 * H] += shift
        i, f, o = 0.5 * (1 + np.tanh(a[: 3 * H].reshape(3, H) / 2))
        g = np.tanh(a[3 * H :])
        c = f * c + i * g
        h = o * np.tanh(c)
        for name, value in zip("ifogch", (i, f, o, g, c, h), strict=True):
            kept[name].append(value)
    found = {name: np.array(values) for name, values in kept.items()}
    return {**found, "y": found["h"] @ params["w"] + params["w0"]}


def learner_lstm(step: Callable, params: Mapping, x: np.ndarray, shift: float) -> dict:
    """Cells and answers of the learner's `step(x, prev_h, prev_c, Wx, Wh, b)`."""
    H = len(params["w"])
    b = params["b"].copy()
    b[H : 2 * H] += shift
    h, c, cells, answers = np.zeros((1, H)), np.zeros((1, H)), [], []
    for row in x:
        came = learner.call(step, row[None], h, c, params["Wx"], params["Wh"], b)
        if not isinstance(came, (tuple, list)) or len(came) < 2:
            said = "gives one value, where next_h, next_c, cache are expected"
            raise LearnerProblem(f"`{learner.name_of(step)}` {said}.")
        h = learner.as_array(came[0], (1, H), step, "next_h")
        c = learner.as_array(came[1], (1, H), step, "next_c")
        cells.append(c[0])
        answers.append(float(h[0] @ params["w"] + params["w0"]))
    return {"c": np.array(cells), "y": np.array(answers)}


class LSTMWidget(anywidget.AnyWidget):
    """The widget behind `explore_lstm`; its state is what the browser and Python share.

    Attributes
    ----------
    x : list of [number, mark]
    unit, at : which unit is shown, and at which step the reading is
    shift : added to the bias of the forget gates
    low : the smallest number that can be drawn, -1 or 0
    own, problem : cells and answers of the learner's step, or the sentence that says why not
    """

    _esm = (HERE / "lstm.js").read_text(encoding="utf-8")
    _css = (HERE / "lstm.css").read_text(encoding="utf-8")
    params = traitlets.Dict().tag(sync=True)
    x = traitlets.List().tag(sync=True)
    units = traitlets.List().tag(sync=True)
    unit = traitlets.Int(0).tag(sync=True)
    at = traitlets.Int(0).tag(sync=True)
    shift = traitlets.Float(0.0).tag(sync=True)
    low = traitlets.Int(-1).tag(sync=True)
    predict = traitlets.Unicode("").tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    own_name = traitlets.Unicode("").tag(sync=True)
    own = traitlets.Dict().tag(sync=True)
    problem = traitlets.Unicode("").tag(sync=True)

    def __init__(self, step, params, numbers, marks, units, predict):
        self.weights = {name: np.asarray(params[name], float) for name in NAMES}
        self.weights["w0"] = self.weights["w0"].reshape(())  # (1,) would be text in the browser
        hidden = len(self.weights["w"])
        if self.weights["Wx"].shape != (2, 4 * hidden):
            shape = self.weights["Wx"].shape
            raise ValueError(f"Wx has shape {shape}; two inputs and {hidden} units make (2, 4H)")
        self._step = step
        x = [[float(v), int(t in marks)] for t, v in enumerate(numbers)]
        super().__init__(
            params={name: value.tolist() for name, value in self.weights.items()},
            x=x,
            units=list(units),
            at=min(marks, default=0),
            low=-1 if min(numbers) < 0 else 0,
            predict=predict or "",
            alt="An LSTM over time: the numbers and marks it reads, the input, forget and output "
            "gate, candidate and cell of one unit, and its answer beside the right one.",
            own_name=learner.name_of(step) if step else "",
        )
        self.observe(self._ask_learner, ["x", "shift"])
        self._ask_learner()
        replace_older(self)

    def _ask_learner(self, _change=None) -> None:
        """Bring the learner's cells and answers up to date."""
        if self._step is None:
            return
        x = np.array(self.x, float)
        try:
            own = learner_lstm(self._step, self.weights, x, self.shift)
            self.own, self.problem = {name: own[name].tolist() for name in own}, ""
        except LearnerProblem as problem:
            self.own, self.problem = {}, str(problem).replace("`", "")

    def close(self) -> None:
        """Close the widget and its layout."""
        self._step = None
        self.unobserve_all()
        self.layout.close()
        super().close()

    def still(self):
        """The same rows as a matplotlib figure, for pages without a kernel."""
        x, unit = np.array(self.x, float), self.unit
        found = run_lstm(self.weights, x, self.shift)
        at = np.arange(1, len(x) + 1)
        with style.rc():
            figure, axes = style.subplots(
                7, 1, size=(8.0, 7.2), sharex=True, height_ratios=(1.3, 1, 1, 1, 1, 1.3, 1.5)
            )
            colours = np.where(x[:, 1] > 0, style.GREEN, style.PALE)
            axes[0].bar(at, x[:, 0], color=list(colours))
            rows = (("i", style.GREEN), ("f", style.BLUE), ("o", style.PURPLE), ("g", style.GREY))
            for ax, (name, colour) in zip(axes[1:5], rows, strict=True):
                ax.bar(at, found[name][:, unit], color=colour)
                ax.set_ylim(0 if name != "g" else -1.05, 1.05)
            axes[5].bar(at, found["c"][:, unit], color=style.SKY)
            axes[5].plot(at, found["h"][:, unit], ":", color=style.PURPLE, label="hidden h")
            axes[6].step(
                at,
                np.cumsum(x[:, 0] * x[:, 1]),
                color=style.INK,
                lw=1.4,
                where="mid",
                label="sum of the marked numbers",
            )
            axes[6].plot(at, found["y"], color=style.RED, label="the LSTM's answer")
            if self.own.get("y"):
                axes[6].plot(at, self.own["y"], "--", color=style.LEARNER, label=self.own_name)
            labels = ("number", "i", "f", "o", "g", "cell c", "answer")
            for ax, name in zip(axes, labels, strict=True):
                ax.set_ylabel(name, rotation=0, ha="right", va="center")
                ax.axhline(0, color=style.GREY, lw=0.8)
            lines = [*axes[5].lines[:1], *axes[6].lines[:-1]]
            figure.legend(handles=lines, loc="outside lower center", ncols=len(lines))
            axes[6].set(xlabel="step (marked numbers in green)", xticks=at)
        return figure

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        file = io.BytesIO()
        self.still().savefig(file, format="png", dpi=150)
        png = base64.b64encode(file.getvalue()).decode("ascii")
        name = self.units[self.unit] if self.units else str(self.unit + 1)
        caption = (
            f"Unit {html.escape(str(name))}. Bars in green are marked numbers. In JupyterLab the "
            "numbers can be drawn."
        )
        figure = (
            f'<figure><img src="data:image/png;base64,{png}" alt="{html.escape(self.alt)}" '
            f'width="780" style="max-width:100%;background:#fff"><figcaption>{caption}</figcaption>'
            "</figure>"
        )
        data = {**data, "image/png": png, "text/html": figure, "text/plain": self.alt}
        return data, {**metadata, "image/png": {"width": 780, "alt": self.alt}}


def explore_lstm(
    step: Callable | None = None,
    params: Mapping[str, np.ndarray] | None = None,
    numbers: Sequence[float] = NUMBERS,
    marks: Sequence[int] = MARKS,
    predict: str | None = PREDICT,
    unit: int = 0,
) -> LSTMWidget:
    """Inside an LSTM that adds marked numbers up: gates and cell over time.

    Parameters
    ----------
    step : the learner's ``lstm_step_forward(x, prev_h, prev_c, Wx, Wh, b)``, whose cell and
        answer are drawn in orange beside the reference
    params : weights of a trained LSTM: Wx (2, 4H), Wh (H, 4H), b (4H,), w (H,), w0; by default
        two units set by hand
    numbers : the sequence to begin with, each between -1 and 1, or all between 0 and 1
    marks : which of them are marked, counted from 0
    predict : the question above the picture
    unit : the one to begin with, counted from 0
    """
    units = ["sum", "count"] if params is None else []
    widget = LSTMWidget(step, params or hand_set(), numbers, tuple(marks), units, predict)
    widget.unit = unit
    return widget
