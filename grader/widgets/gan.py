"""Chapter 12: a GAN, live. Samples, the discriminator's field and both losses while it trains."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import ipywidgets
import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.colors import LinearSegmentedColormap

from grader.exercises.gan import (
    discriminator_loss,
    discriminator_loss_least_squares,
    generator_loss,
    generator_loss_least_squares,
    generator_loss_saturating,
    mode_coverage,
)
from grader.gan_training import Net, one_round, ring, ring_centres

from . import learner, style
from .controls import choice, slider, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

MODES, DEVIATION, BATCH, HIDDEN = 8, 0.1, 64, 64
EVERY, FRAMES = 10, 200  # rounds between two pictures, pictures after the first
PATIENCE = 0.012  # seconds of training before a picture is drawn
SIDE, EDGE = 41, 3.0  # the field's grid
FIELD = LinearSegmentedColormap.from_list("field", ["#F6CDB3", "#FBF7F2", "#BBD9EE"], N=13)
CENTRES = ring_centres(MODES)


@dataclass(frozen=True)
class Setting:
    """How a GAN on the ring is trained.

    Attributes
    ----------
    name : str
    losses : the discriminator's loss and the generator's
    noise : how many random numbers G gets
    turns : updates of G for each update of D
    """

    name: str
    losses: tuple[Callable, Callable] = (discriminator_loss, generator_loss)
    noise: int = 2
    turns: int = 1


SETTINGS = {
    s.name: s
    for s in (
        Setting("non-saturating"),
        Setting("minimax", (discriminator_loss, generator_loss_saturating)),
        Setting("least squares", (discriminator_loss_least_squares, generator_loss_least_squares)),
        Setting("collapse", noise=32, turns=5),
    )
}


@dataclass(frozen=True)
class Moment:
    """What is kept of the training for one picture."""

    samples: np.ndarray  # (300, 2)
    push: np.ndarray  # (P, 2): minus the gradient of the generator's loss at the first P samples
    field: np.ndarray  # (SIDE, SIDE): D on the grid
    modes: int
    share: float


class History:
    """A training run on the ring that is continued when a later moment is asked for.

    Parameters
    ----------
    setting : Setting
    step : callable, optional
        A learner's ``train_step(G, D, real, z) -> (d_loss, g_loss)`` in place of ours.
    """

    def __init__(self, setting: Setting, step: Callable | None = None, seed: int = 0):
        self.setting, self.step = setting, step
        self.rng = np.random.default_rng(seed)
        self.G = Net((setting.noise, HIDDEN, HIDDEN, 2), self.rng)
        self.D = Net((2, HIDDEN, HIDDEN, 1), self.rng)
        self.z = self._noise(300, np.random.default_rng(99))
        line = np.linspace(-EDGE, EDGE, SIDE)
        self.grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2).astype(np.float32)
        self.losses: list[tuple[float, float]] = []  # of every round
        self.moments: list[Moment] = [self._look()]

    def extend(self, frame: int, seconds: float = np.inf) -> None:
        """Train until `frame` is there, or until the time is up."""
        end = time.perf_counter() + seconds
        while len(self.moments) <= frame and time.perf_counter() < end:
            found = [self._round() for _ in range(EVERY)]
            self.losses += found
            self.moments.append(self._look())

    def _round(self) -> tuple[float, float]:
        real = ring(BATCH, self.rng, MODES, DEVIATION).astype(np.float32)
        z, losses = self._noise(BATCH, self.rng), self.setting.losses
        if self.step is not None:
            found = learner.call(self.step, self.G, self.D, real, z)
            shown = f"`{learner.name_of(self.step)}`"
            if not isinstance(found, (tuple, list)) or len(found) < 2:
                raise LearnerProblem(f"{shown} should return two losses.")
            if not np.isfinite([self.G.flat.sum(), self.D.flat.sum()]).all():
                raise LearnerProblem(f"{shown}: the weights are no longer numbers.")
            return float(found[0]), float(found[1])
        found = one_round(self.G, self.D, real, z, *losses)
        for _ in range(self.setting.turns - 1):
            z = self._noise(BATCH, self.rng)
            one_round(self.G, self.D, real, z, *losses, update=(False, True))
        return found

    def _noise(self, n: int, rng: np.random.Generator) -> np.ndarray:
        return rng.normal(size=(n, self.setting.noise)).astype(np.float32)

    def _look(self) -> Moment:
        samples = self.G.forward(self.z)[0]
        logits, cache = self.D.forward(samples[:60])
        push = -self.D.backward(self.setting.losses[1](logits)[1], cache)[0] * len(logits)
        logits = self.D.forward(self.grid)[0].reshape(SIDE, SIDE)
        if self.setting.losses[0] is discriminator_loss_least_squares:
            field = np.clip(logits, 0, 1)
        else:
            field = 0.5 + 0.5 * np.tanh(logits / 2)
        modes, share = mode_coverage(samples, CENTRES, 3 * DEVIATION, 5)
        return Moment(samples, push, field, modes, float(share))


def explore_gan(
    step: Callable | None = None,
    setting: str = "non-saturating",
    predict: str | None = "The generator starts with a blob. Which will it do first: spread out to "
    "all eight clusters, or run to a few of them? And what will the discriminator's map look like "
    "when the generator is good? Say it, then press play.",
) -> Explorer:
    """A GAN on eight clusters, trained while it is watched; the slider goes back and forth in time.

    Parameters
    ----------
    step : the learner's ``train_step(G, D, real, z) -> (d_loss, g_loss)``; it trains the nets in
        place of ours, whatever the setting's loss
    setting : "non-saturating", "minimax", "least squares" or "collapse" (32 numbers of
        noise, five turns of G for each of D)
    predict : the question above the picture
    """
    if setting not in SETTINGS:
        raise ValueError(f"setting is {setting!r}; expected one of {', '.join(SETTINGS)}")
    with style.rc():
        figure, axes = style.subplots(2, 2, size=(9.2, 4.4), width_ratios=(1.05, 1))
        grid = axes[0].get_gridspec()
        axes[0].remove()
        axes[2].remove()
        left, top, low = figure.add_subplot(grid[:, 0]), axes[1], axes[3]
        field = left.imshow(
            np.zeros((SIDE, SIDE)),
            cmap=FIELD,
            vmin=0,
            vmax=1,
            origin="lower",
            extent=(-EDGE, EDGE, -EDGE, EDGE),
            interpolation="nearest",
        )
        real = ring(300, np.random.default_rng(5), MODES, DEVIATION)
        (dots,) = left.plot(*real.T, ".", ms=4, color=style.BLUE, label="real")
        (fakes,) = left.plot([], [], ".", ms=5, color=style.RED, label="generated")
        arrows = LineCollection([], colors=style.INK, linewidths=0.9)
        left.add_collection(arrows)
        left.set(xlim=(-EDGE, EDGE), ylim=(-EDGE, EDGE), xlabel="$x_1$", ylabel="$x_2$")
        left.set_title("samples, and the discriminator's map")
        left.grid(False)
        figure.legend(*left.get_legend_handles_labels(), loc="outside lower left", ncols=2)
        (d_line,) = top.plot([], [], lw=1.4, color=style.GREEN, label="discriminator")
        (g_line,) = top.plot([], [], lw=1.4, color=style.PURPLE, label="generator")
        top.axhline(2 * np.log(2), color=style.GREY, lw=1, ls=":")
        top.set(title="losses", xlim=(0, EVERY * FRAMES), ylim=(0, 4))
        top.legend(loc="upper right", ncols=2)
        (mode_line,) = low.plot([], [], color=style.INK, label="clusters hit, of 8")
        (share_line,) = low.plot(
            [], [], color=style.RED, lw=1.6, label="samples near one, in eighths"
        )
        low.set(xlabel="round", xlim=(0, EVERY * FRAMES), ylim=(-0.3, 11), yticks=(0, 4, 8))
        low.set_title("coverage")
        low.legend(loc="upper left", ncols=2, fontsize=8.5)
    picture = LiveFigure(
        figure,
        [field, dots, fakes, arrows, d_line, g_line, mode_line, share_line],
        alt="Left: real points in eight clusters on a ring, generated points, arrows that show "
        "where the discriminator pulls them, and its map: blue for real, orange for generated. "
        "Right: both losses, and how many clusters are hit, round by round.",
    )
    runs: dict[str, History] = {}
    live: dict[str, Any] = {"explorer": None, "timer": None}

    def again() -> None:
        """Go on training for a picture that was asked for and is not there yet."""
        live["timer"] = None
        made = live["explorer"]
        if made is not None and made._move is not None:
            made._show(made.values)

    def later() -> None:
        if live["timer"] is None:
            try:
                live["timer"] = asyncio.get_running_loop().call_later(0.01, again)
            except RuntimeError:
                pass  # a script or a test: the next move goes on

    def move(setting, frame, patient):
        if setting not in runs:
            runs[setting] = History(SETTINGS[setting], step)
        run, problem = runs[setting], ""
        try:
            run.extend(frame, np.inf if patient else PATIENCE)
        except LearnerProblem as found:
            problem = str(found)
        at = min(frame, len(run.moments) - 1)
        if at < frame and not problem:
            later()
        moment, rounds = run.moments[at], EVERY * at
        field.set_data(moment.field)
        fakes.set_data(*moment.samples.T)
        starts = moment.samples[: len(moment.push)]
        length = np.linalg.norm(moment.push, axis=1, keepdims=True)
        ends = starts + moment.push * (0.5 * np.tanh(length) / np.maximum(length, 1e-9))
        arrows.set_segments(np.stack([starts, ends], axis=1))
        losses = np.array(run.losses[:rounds]).reshape(-1, EVERY, 2).mean(axis=1)  # each a frame
        middle = EVERY * (np.arange(at) + 0.5)
        d_line.set_data(middle, losses[:, 0])
        g_line.set_data(middle, losses[:, 1])
        at_frames = EVERY * np.arange(at + 1)
        mode_line.set_data(at_frames, [m.modes for m in run.moments[: at + 1]])
        share_line.set_data(at_frames, [8 * m.share for m in run.moments[: at + 1]])
        said = f"Round {rounds}: **{moment.modes}** of 8 clusters hit; **{moment.share:.0%}** of "
        said += "the samples lie near one."
        if at:
            said += f" Losses: D {losses[-1, 0]:.2f}, G {losses[-1, 1]:.2f}."
        return said + (" (training ...)" if at < frame and not problem else ""), problem

    controls = {
        "setting": choice("game", SETTINGS, setting),
        "frame": slider("picture", 0, 0, FRAMES, 1),
        "patient": toggle("wait for the training"),
    }
    controls["patient"].layout.display = "none"  # only the still picture waits
    caption = (
        "Blue dots: data. Orange dots: the generator's. Background: D, blue where it says real, "
        "orange where it says generated. Black strokes: where the generator's loss pulls the dots. "
        f"A picture every {EVERY} rounds; what is trained already can be gone through in both "
        "directions. Dotted: 2 log 2, the discriminator's loss when it cannot tell."
    )
    made = explorer(
        picture, move, controls, predict, caption, still={"frame": FRAMES, "patient": True}
    )
    live["explorer"] = made
    _add_player(made, controls["frame"])
    return made


def _add_player(made: Explorer, frame: ipywidgets.IntSlider) -> None:
    """Play, pause and rewind, and a step in both directions, in front of the slider."""
    play = ipywidgets.Play(min=0, max=FRAMES, interval=90, show_repeat=False)
    play.link = ipywidgets.jslink((play, "value"), (frame, "value"))
    buttons = []
    for text, tip, step in (("◀", "one picture back", -1), ("▶", "one picture on", 1)):
        button = ipywidgets.Button(description=text, tooltip=tip, layout={"width": "38px"})

        def press(_button, step=step):
            frame.value = min(max(frame.value + step, 0), FRAMES)

        button.on_click(press)
        buttons.append(button)
    bar = next(child for child in made.children if isinstance(child, ipywidgets.Box))
    at = list(bar.children).index(frame)
    bar.children = (*bar.children[:at], play, *buttons, *bar.children[at:])
