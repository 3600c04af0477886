"""Chapter 12: two densities and the best discriminator; digits drawn on request."""

from collections.abc import Callable

import numpy as np

from grader.gan_training import NOISE, load_generators

from . import learner, style
from .controls import choice, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

X = np.linspace(-5, 5, 401)


def _bell(x, mean, deviation):
    return np.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * np.sqrt(2 * np.pi))


def data_density(x):
    """Two bells of unequal weight."""
    return 0.65 * _bell(x, -1.2, 0.6) + 0.35 * _bell(x, 1.6, 0.5)


def log_densities(mean: float, deviation: float):
    """log p and log q on X; they stay finite where the densities underflow."""
    q = -0.5 * ((X - mean) / deviation) ** 2 - np.log(deviation * np.sqrt(2 * np.pi))
    a = np.log(0.65 / 0.6) - 0.5 * ((X + 1.2) / 0.6) ** 2
    b = np.log(0.35 / 0.5) - 0.5 * ((X - 1.6) / 0.5) ** 2
    return np.logaddexp(a, b) - 0.5 * np.log(2 * np.pi), q


def explore_best_discriminator(
    loss_of: Callable | None = None,
    predict: str | None = "The generator's bell stands far to the right. What does the best "
    "discriminator say under it, and which of the two losses still pulls it back? Say it, then "
    "drag the mean to the left.",
) -> Explorer:
    """Two densities in one dimension, the best discriminator, and what the generator feels.

    Parameters
    ----------
    loss_of : the learner's ``generator_loss(logits_fake) -> (loss, dlogits_fake)``, drawn in orange
    predict : the question above the picture
    """
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(9.2, 3.7))
        left.fill_between(X, data_density(X), color=style.BLUE, alpha=0.25, lw=0, label="data p")
        (bell,) = left.plot(X, X, color=style.RED, label="generator q")
        (best,) = left.plot(X, X, color=style.INK, lw=1.8, ls="--", label="best D = p / (p + q)")
        left.set(title="densities, and the best D", xlabel="x", xlim=(-5, 5), ylim=(-0.03, 1.5))
        left.set_yticks((0, 0.5, 1))
        left.legend(loc="upper left", ncols=1, fontsize=8.5)
        (flat,) = right.plot(X, X, color=style.GREY, label="minimax")
        (pull,) = right.plot(X, X, color=style.BLUE, label="non-saturating")
        own_look = {"color": style.LEARNER, "ls": (0, (4, 2)), "lw": 2.6}
        (own,) = right.plot(X, X * np.nan, **own_look)
        right.axhline(0, color=style.INK, lw=0.8)
        right.set(title="pull on a generated example at x", xlabel="x", xlim=(-5, 5), ylim=(-8, 8))
        right.set_ylabel("to the left          to the right")
        right.set_yticks((-5, 0, 5))
        if loss_of is not None:
            own.set_label(learner.name_of(loss_of))
        right.legend(loc="upper left", fontsize=8.5)
        (where,) = right.plot([], [], color=style.RED, lw=7, alpha=0.35, solid_capstyle="butt")
    picture = LiveFigure(
        figure,
        [bell, best, where, flat, pull, own],
        alt="Left: the density of the data, two bells, that of the generator, one bell, and the "
        "best discriminator. Right: how strongly the minimax and the non-saturating loss pull a "
        "generated example at every x, and to which side.",
    )

    def move(mean, deviation):
        log_p, log_q = log_densities(mean, deviation)
        logit = log_p - log_q
        steep = np.gradient(logit, X)
        q, D = np.exp(log_q), np.exp(-np.logaddexp(0, -logit))
        bell.set_ydata(q)
        best.set_ydata(D)
        pull.set_ydata(np.exp(-np.logaddexp(0, logit)) * steep)  # (1 - D) dt/dx
        flat.set_ydata(D * steep)
        where.set_data([mean - deviation, mean + deviation], [0, 0])
        h = X[1] - X[0]
        p = np.exp(log_p)
        loss = h * (p * np.logaddexp(0, -logit) + q * np.logaddexp(0, logit)).sum()
        here = [h * (q * abs(line.get_ydata())).sum() for line in (pull, flat)]
        n = style.number
        reading = (
            f"The best discriminator's loss is **{n(loss)}** (2 log 2 = {n(2 * np.log(2))} is the "
            f"most it can be). Mean pull on the generator's own examples: non-saturating "
            f"**{n(here[0])}**, minimax **{n(here[1])}**."
        )
        if loss_of is None:
            return reading
        own.set_ydata(X * np.nan)
        found = learner.call(loss_of, logit[:, None])
        if not isinstance(found, (tuple, list)) or len(found) < 2:
            return reading, f"`{learner.name_of(loss_of)}` should give a loss and a gradient."
        try:
            slope = learner.as_array(found[1], (len(X), 1), loss_of, "the gradient")
        except LearnerProblem as problem:
            return reading, str(problem)
        own.set_ydata(-slope[:, 0] * len(X) * steep)
        return reading

    controls = {
        "mean": slider("generator: mean", 3.6, -4.0, 4.0, 0.1, ".1f"),
        "deviation": slider("deviation", 0.5, 0.3, 2.5, 0.05),
    }
    caption = (
        "Left: D is the share of the data among everything that comes at x. Right: minus the slope "
        "of the generator's loss; above 0 the example is pulled to the right. The orange bar shows "
        "where the generator's examples are."
    )
    still = {"mean": 3.0, "deviation": 0.5}
    return explorer(picture, move, controls, predict, caption, still=still)


# --- a digit, please -----------------------------------------------------------------------------

ROWS, COLUMNS = 4, 8


def explore_digits(
    generator: Callable | None = None,
    predict: str | None = "The noise of each place stays the same when the label changes. Will the "
    "4 and the 9 in one place have anything in common, slant or thickness? Say it, then drag the "
    "label.",
) -> Explorer:
    """Digits on request, drawn by a conditional generator.

    Parameters
    ----------
    generator : the learner's ``generator(z, y) -> images``, z (N, 16) noise and y (N,) labels;
        images (N, 64), from -1 (white) to 1 (black); without it, one that ships with the course
    predict : the question above the picture
    """
    nets = load_generators()["conditional"]
    noise = np.random.default_rng(3).normal(size=(ROWS * COLUMNS, NOISE))
    start, end = np.random.default_rng(8).normal(size=(2, NOISE))
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(9.2, 3.9), width_ratios=(1.75, 1))
        sheet = left.imshow(
            np.zeros((9 * ROWS + 1, 9 * COLUMNS + 1)), cmap="Greys", vmin=-1, vmax=1
        )
        large = right.imshow(np.zeros((8, 8)), cmap="Greys", vmin=-1, vmax=1)
        left.set_title("32 draws of noise, one label")
        right.set_title("one noise turned into another")
        for ax in (left, right):
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
    picture = LiveFigure(
        figure,
        [sheet, large],
        alt="Left: 32 generated digits of the chosen label. Right: one digit, whose noise is a mix "
        "of two draws.",
    )

    def draw(z, y, rounds):
        if generator is not None:
            images = learner.call(generator, z, y)
            return learner.as_array(images, (len(z), 64), generator)
        hot = np.eye(10)[y]
        return nets[rounds].forward(np.hstack([z, hot]).astype(np.float32))[0]

    def move(label, mix, rounds=0):
        # a turn keeps the length of the noise where a straight line would shorten it
        between = np.cos(mix * np.pi / 2) * start + np.sin(mix * np.pi / 2) * end
        z = np.vstack([noise, between])
        images = draw(z, np.full(len(z), label), rounds)
        tiles = np.full((9 * ROWS + 1, 9 * COLUMNS + 1), -0.6)
        for i, image in enumerate(images[:-1]):
            r, c = divmod(i, COLUMNS)
            tiles[9 * r + 1 : 9 * r + 9, 9 * c + 1 : 9 * c + 9] = image.reshape(8, 8)
        sheet.set_data(tiles)
        large.set_data(images[-1].reshape(8, 8))
        spread = float(images[:-1].std(axis=0).mean())
        after = "" if generator is not None else f" after {rounds:,} rounds"
        return (
            f"The label is **{label}**{after}. Spread of the 32 images: {style.number(spread, 2)}."
        )

    controls = {
        "label": slider("label", 3, 0, 9, 1),
        "mix": slider("mix of two noises", 0.0, 0.0, 1.0, 0.05),
    }
    if generator is None:
        many = sorted(nets)
        controls["rounds"] = choice("rounds of training", many, many[-1])
    caption = (
        "Left: every place has noise of its own, which stays; the label is the same for all. "
        "Right: the noise goes from one draw to another. Spread: the mean deviation of a pixel "
        "over the 32 images, where white is -1 and black is 1."
    )
    return explorer(picture, move, controls, predict, caption, still={"label": 3, "mix": 0.5})
