"""Chapter 11: how long a cell keeps what it was given, and how far back a gradient reaches."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .controls import slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

STEPS, PULSE = 100, 10


def one_unit(forget_bias: float, recurrent: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Wx (1, 4), Wh (1, 4), b (4,) of a cell that takes in a pulse of 1 and nothing else."""
    Wx = np.array([[40.0, 0.0, 0.0, 0.0]])  # the input gate opens for the pulse
    Wh = np.array([[0.0, 0.0, 0.0, recurrent]])
    return Wx, Wh, np.array([-20.0, forget_bias, 2.0, 1.5])


def keeping(step: Callable, forget_bias: float) -> np.ndarray:
    """The cell after each of the steps; a pulse comes in at step `PULSE`."""
    Wx, Wh, b = one_unit(forget_bias, 0.0)
    h, c, cells = np.zeros((1, 1)), np.zeros((1, 1)), []
    for t in range(STEPS):
        came = learner.call(step, np.full((1, 1), float(t == PULSE)), h, c, Wx, Wh, b)
        if not isinstance(came, (tuple, list)) or len(came) < 2:
            raise LearnerProblem(f"`{learner.name_of(step)}` gives one value, not next_h, next_c.")
        h = learner.as_array(came[0], (1, 1), step, "next_h")
        c = learner.as_array(came[1], (1, 1), step, "next_c")
        cells.append(c[0, 0])
    return np.array(cells)


def explore_memory(
    step: Callable | None = None,
    predict: str | None = "At which forget bias is half of the pulse still there after 50 steps: "
    "near 1, near 4 or near 8? And is a plain RNN with a recurrent weight of 0.95 better or worse?",
) -> Explorer:
    """One cell, one pulse: what is kept, and how much of a gradient comes back.

    Parameters
    ----------
    step : the learner's ``lstm_step_forward``, drawn in orange
    predict : the question above the picture
    """
    time = np.arange(1, STEPS + 1)
    lag = np.arange(STEPS)
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.4))
        (cell,) = left.plot(time, 0 * time, color=style.BLUE, label="cell of the LSTM")
        (state,) = left.plot(time, 0 * time, "--", color=style.GREY, label="tanh RNN")
        look = {"color": style.LEARNER, "ls": (0, (4, 2)), "lw": 2.6}
        (own,) = left.plot(time, 0 * time * np.nan, **look)
        if step is not None:
            own.set_label(learner.name_of(step))
        left.set(
            title="a pulse at step 11", xlabel="step", ylabel="what is left", ylim=(-0.05, 1.05)
        )
        (back,) = right.semilogy(lag, 1.0 + 0 * lag, color=style.BLUE)
        (rnn_back,) = right.semilogy(lag, 1.0 + 0 * lag, "--", color=style.GREY)
        right.set(title="gradient by distance", xlabel="steps back", ylim=(1e-6, 3))
        right.set_ylabel("d c(100) / d c(100 − lag)")
        left.legend(loc="upper right")
    picture = LiveFigure(
        figure,
        [cell, state, back, rnn_back, own],
        alt="Left: what a cell keeps of one pulse over 100 steps, beside a tanh RNN. Right: the "
        "gradient that comes back along the cell, by distance.",
    )

    def move(forget_bias, weight):
        f = 0.5 * (1 + np.tanh(forget_bias / 2))
        kept = np.where(time > PULSE, np.tanh(1.5) * f ** np.maximum(time - PULSE - 1, 0), 0)
        cell.set_ydata(kept)
        h, states = 0.0, []
        for t in range(STEPS):
            h = np.tanh(weight * h + (1.5 if t == PULSE else 0.0))
            states.append(h)
        states = np.array(states)
        state.set_ydata(states)
        back.set_ydata(np.maximum(f**lag, 1e-12))
        slopes = weight * (1 - states[::-1] ** 2)  # of the last step first
        product = np.concatenate([[1.0], np.cumprod(slopes[:-1])])
        rnn_back.set_ydata(np.maximum(product, 1e-12))
        n = style.number
        half = np.log(0.5) / np.log(f)
        reading = (
            f"f = **{n(f, 4)}**: half is gone after **{half:,.1f}** steps. After 50 steps the cell "
            f"keeps **{n(f**50)}** of the pulse, and a gradient from 50 steps ahead arrives with "
            f"the same factor. The RNN's factor over its last 50 steps: **{n(product[50])}**."
        )
        if step is None:
            return reading
        try:
            own.set_ydata(keeping(step, forget_bias))
        except LearnerProblem as problem:
            own.set_ydata(time * np.nan)
            return reading, str(problem)
        return reading

    controls = {
        "forget_bias": slider("forget bias", 0.0, -2.0, 10.0, 0.1, ".1f"),
        "weight": slider("RNN's recurrent weight", 0.95, 0.5, 1.5, 0.01),
    }
    caption = (
        "Left: the input gate opens once and lets the pulse in; then the cell is multiplied by f "
        "in every step. Right: a gradient on its way back is multiplied by the same f."
    )
    return explorer(picture, move, controls, predict, caption, still={"forget_bias": 4.3})
