"""Chapter 09: a gallery of augmentations, and what the layers of a trained CNN see."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from matplotlib import cbook, image

from grader.datasets import load_digits

from . import learner, style
from .controls import choice, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

COLUMNS = 8

# name: (function of (pictures, strength, rng), what a strength of 1 means)
AUGMENTATIONS: dict[str, tuple[Callable, str]] = {}


def _augmentations() -> dict[str, tuple[Callable, str]]:
    """The course's functions, with one strength from 0 to 1 for all."""
    if not AUGMENTATIONS:
        from grader.exercises import cnn

        def crop(x, s, rng):
            pad = round(s * x.shape[2] / 3)
            return cnn.random_crop(x, x.shape[2:], rng, pad=pad)

        def jitter(x, s, rng):
            colour = np.repeat(x, 3, axis=1) if x.shape[1] == 1 else x
            return cnn.color_jitter(colour, (0.7 * s, 0.7 * s, s), rng)

        AUGMENTATIONS.update(
            {
                "flip": (lambda x, s, rng: cnn.random_flip(x, s, rng), "every picture"),
                "crop": (crop, "shifts by a third of the side"),
                "rotate": (lambda x, s, rng: cnn.random_rotation(x, 180 * s, rng), "180 degrees"),
                "scale": (
                    lambda x, s, rng: cnn.random_scaling(x, (1 - 0.6 * s, 1 + s), rng),
                    "factors from 0.4 to 2",
                ),
                "colour": (jitter, "factors from 0.3 to 1.7, saturation from 0 to 2"),
                "noise": (lambda x, s, rng: cnn.add_noise(x, 0.5 * s, rng), "a deviation of 0.5"),
            }
        )
    return AUGMENTATIONS


@lru_cache(maxsize=1)
def portrait(side: int = 40) -> np.ndarray:
    """The face of the photograph that matplotlib ships, in colour: (3, side, side), 0 to 1."""
    colours = image.imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    face = colours[20:420, 60:460, :3].transpose(2, 0, 1) / 255.0  # (3, 400, 400)
    block = 400 // side
    return face.reshape(3, side, block, side, block).mean(axis=(2, 4))


def _colour(x: np.ndarray) -> np.ndarray:
    """Pictures (N, C, H, W) as matplotlib wants them: (N, H, W, 3), digits dark on white."""
    x = np.asarray(x, dtype=float)
    x = 1 - np.repeat(x, 3, axis=1) if x.shape[1] == 1 else x
    return np.clip(np.moveaxis(x, 1, -1), 0, 1)


def _apply(augment: Callable, x: np.ndarray, seed: int) -> np.ndarray:
    """A learner's `augment(x, rng)`; the number of pictures must stay."""
    out = learner.call(augment, x, np.random.default_rng(seed))
    try:
        out = np.asarray(out, dtype=float)
    except (TypeError, ValueError):
        raise LearnerProblem(f"`{learner.name_of(augment)}` gave no array of numbers.") from None
    if out.ndim != 4 or len(out) != len(x) or out.shape[1] not in (1, 3):
        raise LearnerProblem(
            f"`{learner.name_of(augment)}` gave shape {out.shape} for pictures of shape {x.shape}; "
            f"expected ({len(x)}, 1 or 3, h, w)."
        )
    return out


def explore_augmentation(
    augment: Callable | None = None,
    read: Callable | None = None,
    predict: str | None = "Set the strength to 1. Which of the six changes will leave all digits "
    "what they are, which will make other digits, and which will make nothing at all?",
) -> Explorer:
    """A gallery: digits and a photograph, before and after an augmentation.

    Parameters
    ----------
    augment : the learner's ``augment(x, rng) -> x`` for (N, C, H, W) pictures; without it, the
        course's six functions with a strength to move
    read : a classifier of digits, ``read(x) -> scores (N, 10)`` for x (N, 1, 8, 8); its verdict
        then stands above each digit, in red if it differs from the label
    predict : the question above the picture
    """
    data = load_digits()
    rows = []
    for digit in (2, 3, 4, 6, 7, 8, 9):  # of each, the picture nearest to the mean of its class
        own = np.flatnonzero(data.y_val == digit)
        away = data.x_val[own] - data.x_val[own].mean(axis=0)
        rows.append(int(own[(away**2).sum(axis=1).argmin()]))
    digits = data.x_val[rows].reshape(-1, 1, 8, 8)
    labels = data.y_val[rows]
    face = portrait()[None]
    with style.rc():
        figure, axes = style.subplots(2, COLUMNS, size=(8.0, 2.6))
        before, after = axes[:COLUMNS], axes[COLUMNS:]
        for ax in axes:
            ax.set(xticks=[], yticks=[], xlim=(0, 1), ylim=(1, 0))
            ax.grid(False)
            for side in ax.spines.values():
                side.set_visible(True)
                side.set_color(style.PALE)
        blank = np.ones((2, 2, 3))
        shown = [ax.imshow(blank, extent=(0, 1, 1, 0), interpolation="nearest") for ax in axes]
        for ax, label in zip(before, labels, strict=False):
            ax.set_title(str(label), loc="center", fontsize=11)
        words = [
            ax.text(0.5, -0.06, "", ha="center", va="bottom", fontsize=10.5, clip_on=False)
            for ax in after
        ]
        before[0].set_ylabel("before", fontsize=10)
        after[0].set_ylabel("after", fontsize=10)
    for artist, picture in zip(shown, [*_colour(digits), *_colour(face)], strict=False):
        artist.set_data(picture)
    live = LiveFigure(
        figure,
        [*shown[COLUMNS:], *words],
        alt="Two rows of pictures: seven handwritten digits and a photograph of a face, above as "
        "they are, below after a random change.",
    )

    def change(kind, strength, seed):
        if augment is None:
            function = _augmentations()[kind][0]
            rng = np.random.default_rng(seed)
            return function(digits, strength, rng), function(face, strength, rng)
        return _apply(augment, digits, seed), _apply(augment, face, seed)

    def move(kind="", strength=1.0, seed=0):
        try:
            small, large = change(kind, strength, seed)
        except LearnerProblem:
            for artist in shown[COLUMNS:]:
                artist.set_data(blank)
            raise
        for artist, picture in zip(
            shown[COLUMNS:], [*_colour(small), *_colour(large)], strict=True
        ):
            artist.set_data(picture)
        name = learner.name_of(augment) if augment else kind
        meaning = f" Strength 1: {_augmentations()[kind][1]}." if augment is None else ""
        if read is None or small.shape[1:] != (1, 8, 8):
            for word in words:
                word.set_text("")
            return f"**{name}**, draw {seed}.{meaning}"
        scores = np.asarray(read(small))
        verdict = scores.argmax(axis=1)
        for word, found, label in zip(words, verdict, labels, strict=False):
            word.set_text(f"read {found}")
            word.set_color(style.INK if found == label else style.RED)
        right = int((verdict == labels).sum())
        return f"**{name}**, draw {seed}: the net reads {right} of 7 as labelled.{meaning}"

    controls = {}
    if augment is None:
        controls["kind"] = choice("change", _augmentations())
        controls["strength"] = slider("strength", 0.3, 0.0, 1.0, 0.05)
    controls["seed"] = slider("draw", 0, 0, 40, 1)
    caption = (
        "Above: seven validation digits and a photograph. Below: the same after one random change "
        "each. The label stays what it was; does the picture still deserve it?"
    )
    still = {"kind": "rotate", "strength": 1.0} if augment is None else None
    return explorer(live, move, controls, predict, caption, still=still)


def explore_feature_maps(
    net,
    pictures: np.ndarray,
    labels: np.ndarray,
    predict: str | None = "Look at the red and blue squares of a filter. Will its map be bright "
    "inside the strokes, or along one side of them? Say which side, then compare.",
) -> Explorer:
    """The inside of a `ThreeLayerConvNet`: one filter from picture to pool, and all its maps.

    Parameters
    ----------
    net : an object like `ThreeLayerConvNet`: `params` with W1, b1, and `loss(X)` for the scores
    pictures : (N, C, H, W) array, as the net wants them
    labels : (N,) array of int
    predict : the question above the picture
    """
    from grader.nn import conv_forward, max_pool_forward

    W1, b1 = np.asarray(net.params["W1"], float), np.asarray(net.params["b1"], float)
    filters, size = len(W1), W1.shape[2]
    H, W = pictures.shape[2:]
    across = int(np.ceil(2 * np.sqrt(filters)))
    down = int(np.ceil(filters / across))
    with style.rc():
        figure, axes = style.subplots(2, 5, size=(7.8, 3.5), height_ratios=(1, 1.1))
        grid = axes[0].get_gridspec()
        for ax in axes[5:]:
            ax.remove()
        mosaic = figure.add_subplot(grid[1, :4])
        bars = figure.add_subplot(grid[1, 4])
        top = axes[:5]
        limit = float(np.abs(W1).max())
        strong = 1.0
        looks = [
            {"cmap": "Greys"},
            {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit},
            {"cmap": "RdBu_r"},
            {"cmap": "Greys"},
            {"cmap": "Greys"},
        ]
        sizes = [(H, W), (size, size), (H, W), (H, W), (H // 2, W // 2)]
        titles = ["picture", "filter", "convolution", "ReLU", "2x2 max pool"]
        shown = [
            ax.imshow(np.zeros(s), interpolation="nearest", **{"vmin": 0, "vmax": strong, **look})
            for ax, s, look in zip(top, sizes, looks, strict=True)
        ]
        tile = np.full((down * (H + 1) + 1, across * (W + 1) + 1), np.nan)
        all_maps = mosaic.imshow(
            tile, cmap="Greys", vmin=0, vmax=strong, aspect="auto", interpolation="nearest"
        )
        (frame,) = mosaic.plot([0], [0], color=style.RED, lw=2)
        for ax, title in zip(top, titles, strict=True):
            ax.set_title(title, fontsize=10.5)
        mosaic.set_title(f"all {filters} maps behind the ReLU", fontsize=10.5)
        for ax in (*top, mosaic):
            ax.set(xticks=[], yticks=[])
            ax.grid(False)
            for side in ax.spines.values():
                side.set_visible(True)
                side.set_color(style.PALE)
        classes = np.arange(net.params["b3"].size)
        shares = bars.barh(classes, np.zeros(len(classes)), color=style.BLUE)
        bars.set(xlim=(0, 1), yticks=classes, xticks=(0, 1), title="softmax")
        bars.tick_params(labelsize=8)
        bars.title.set_size(10.5)
        bars.invert_yaxis()
    live = LiveFigure(
        figure,
        [*shown, all_maps, frame, *shares],
        alt="Above: a digit, one filter of the net, and the map of that filter behind convolution, "
        "ReLU and pool. Below: the maps of all filters, and the shares of the ten classes.",
    )
    pool = {"pool_height": 2, "pool_width": 2, "stride": 2}

    def move(picture, filter):
        x = np.asarray(pictures[picture : picture + 1], float)
        z = conv_forward(x, W1, b1, {"stride": 1, "pad": (size - 1) // 2})[0]
        a = np.maximum(z, 0)
        pooled = max_pool_forward(a, pool)[0]
        stages = [x[0].mean(axis=0), W1[filter].mean(axis=0), z[0, filter], a[0, filter],
                  pooled[0, filter]]  # fmt: skip
        for artist, stage in zip(shown, stages, strict=True):
            artist.set_data(stage)
        span = float(np.abs(z[0, filter]).max()) or 1.0
        shown[2].set_clim(-span, span)
        for artist in (shown[3], shown[4]):
            artist.set_clim(0, span)
        shown[0].set_clim(0, float(np.abs(x).max()) or 1.0)
        for k in range(filters):
            i, j = divmod(k, across)
            i, j = i * (H + 1) + 1, j * (W + 1) + 1
            tile[i : i + H, j : j + W] = a[0, k]
        all_maps.set_data(tile)
        all_maps.set_clim(0, float(a.max()) or 1.0)
        i, j = divmod(filter, across)
        i, j = i * (H + 1), j * (W + 1)
        frame.set_data([j, j + W + 1, j + W + 1, j, j], [i, i, i + H + 1, i + H + 1, i])
        scores = np.asarray(net.loss(np.asarray(pictures[picture : picture + 1])), float)[0]
        p = np.exp(scores - scores.max())
        p /= p.sum()
        for bar, share in zip(shares, p, strict=True):
            bar.set_width(share)
        silent = int((a[0].max(axis=(1, 2)) == 0).sum())
        n = style.number
        return (
            f"A {labels[picture]}, read as **{p.argmax()}** ({p.max():.0%}). The map of filter "
            f"{filter} reaches {n(float(a[0, filter].max()), 2)}; "
            f"{np.mean(a[0, filter] == 0):.0%} of it is 0. Of all {filters} maps {silent} are "
            "silent for this picture."
        )

    controls = {
        "picture": slider("picture", 0, 0, len(pictures) - 1, 1),
        "filter": slider("filter", 0, 0, filters - 1, 1),
    }
    caption = (
        "Above: the way of one filter, red for positive numbers, blue for negative ones. Below: "
        "all maps that the fully connected layers get to see, before the pool; the framed one is "
        "the filter above."
    )
    return explorer(live, move, controls, predict, caption)
