"""Chapter 08: what a larger kernel sees, and what it costs."""

from collections.abc import Callable

import numpy as np

from . import learner, style
from .controls import choice, slider
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure


def gaussian(size: int, width: float) -> np.ndarray:
    """A bell of (size, size) weights that sum to 1."""
    at = np.arange(size) - (size - 1) / 2
    bell = np.exp(-(at**2) / (2 * width**2))
    return np.outer(bell, bell) / bell.sum() ** 2


def edge(size: int) -> np.ndarray:
    """The slope of a bell to the right: a vertical-edge kernel of any size."""
    at = np.arange(size) - (size - 1) / 2
    kernel = gaussian(size, size / 4) * at
    return kernel / max(abs(kernel).sum() / 2, 1e-12)


def ring(size: int) -> np.ndarray:
    """A narrow bell minus a wide one: a spot of about that size."""
    kernel = gaussian(size, size / 7) - gaussian(size, size / 3)
    return kernel / max(abs(kernel).sum() / 2, 1e-12)


KINDS = {
    "box": lambda size: np.full((size, size), 1 / size**2),
    "bell": lambda size: gaussian(size, size / 4),
    "edge": edge,
    "spot": ring,
}


def slide(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The map of a kernel, edges repeated so that it keeps the picture's size."""
    far = len(kernel) // 2
    padded = np.pad(picture, far, mode="edge")
    if far == 0:
        return kernel[0, 0] * picture
    # A sum over the kernel's cells: each sees a shifted picture.
    out = np.zeros_like(picture)
    height, width = picture.shape
    for (i, j), weight in np.ndenumerate(kernel):
        out += weight * padded[i : i + height, j : j + width]
    return out


def explore_kernel_size(
    kernel_of: Callable | None = None,
    predict: str | None = "With a box of 3 x 3 the map is a little blurred. From which size on can "
    "the eyes not be found any more? And how many times as many multiplications does 15 x 15 cost "
    "as 3 x 3?",
) -> Explorer:
    """A kernel that grows, its map of a photograph, and its cost.

    Parameters
    ----------
    kernel_of : the learner's own kernel, ``kernel_of(size) -> (size, size) array``, as one more
        kind to choose
    predict : the question above the picture
    """
    from grader.datasets import load_photograph

    photograph = load_photograph(75)
    height, width = photograph.shape
    kinds = [*KINDS] + ([learner.name_of(kernel_of)] if kernel_of else [])
    with style.rc():
        figure, (left, middle, right) = style.subplots(1, 3, size=(8.6, 3.4))
        grey = {"cmap": "gray", "vmin": 0, "vmax": 1}
        left.imshow(photograph, **grey)
        weights = middle.imshow(np.zeros((15, 15)), cmap="PuOr_r", vmin=-1, vmax=1)
        middle.set(xlim=(-0.5, 14.5), ylim=(14.5, -0.5))
        found = right.imshow(photograph, **grey)
        for ax, title in ((left, "picture"), (middle, "kernel"), (right, "map")):
            ax.set(xticks=[], yticks=[], title=title)
            ax.grid(False)
        (seen,) = left.plot([], [], color=style.ORANGE, lw=2)
    picture = LiveFigure(
        figure,
        [weights, found, seen],
        alt="A photograph with the window of the kernel, the kernel's weights, and the map.",
    )

    def move(kind, size):
        side = 2 * size + 1
        if kind in KINDS:
            kernel = KINDS[kind](side)
        else:
            assert kernel_of is not None
            kernel = learner.as_array(learner.call(kernel_of, side), (side, side), kernel_of)
        shown = np.full((15, 15), np.nan)
        from_ = 7 - size
        shown[from_ : from_ + side, from_ : from_ + side] = kernel / (abs(kernel).max() or 1)
        weights.set_array(shown)
        out = slide(photograph, kernel)
        signed = kernel.min() < 0
        reach = max(abs(out).max(), 1e-12)
        found.set_array(0.5 + out / (2 * reach) if signed else out / reach)
        x, y = 26.5, 26.5  # the window, around an eye
        a, b = x - side / 2, x + side / 2
        c, d = y - side / 2, y + side / 2
        seen.set_data([a, b, b, a, a], [c, c, d, d, c])
        count = side**2
        return (
            f"{side} × {side} = **{count} weights**. At all {height * width} places: "
            f"**{count * height * width:,} multiplications**, {count / 9:.3g} times those of 3 × 3."
        )

    controls = {
        "kind": choice("kind", kinds, kinds[-1] if kernel_of else "box"),
        "size": slider("cells on each side of the middle", 1, 0, 7, 1),
    }
    caption = (
        "The orange frame is what one unit sees. Weights: orange positive, purple negative. The "
        "map of a kernel with negative weights is grey where it gives 0."
    )
    return explorer(picture, move, controls, predict, caption, still={"size": 4})


__all__ = ["LearnerProblem", "explore_kernel_size"]
