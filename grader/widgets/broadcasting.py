"""Chapter 00: what NumPy does with two arrays of different shapes."""

from functools import cache

import numpy as np
from matplotlib.collections import PolyCollection
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextPath
from matplotlib.transforms import Affine2D

from . import style
from .controls import steps
from .frame import Explorer, explorer
from .live import LiveFigure

SHAPES = [(), (3,), (4,), (1, 3), (1, 4), (3, 1), (4, 1), (3, 3), (3, 4), (4, 3), (4, 4)]
LEFT = {"A": 0.0, "B": 6.4, "A + B": 12.8}  # where each grid begins
REAL, SUM = "#9ecae9", "#f7d58b"


def shape_text(shape: tuple[int, ...]) -> str:
    """The shape as Python writes it."""
    return str(shape)


def result_shape(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[int, ...] | None:
    """The shape of A + B, or None where NumPy raises ValueError."""
    try:
        return np.broadcast_shapes(a, b)
    except ValueError:
        return None


def cells(shape: tuple[int, ...], full: tuple[int, ...]):
    """(row, column, is_copy) for each cell of `shape`, stretched to `full`.

    A missing axis is added in front, with length 1; an axis of length 1 is repeated.
    """
    rows, columns = (1, 1, *full)[-2:]
    own_rows, own_columns = (1, 1, *shape)[-2:]
    for i in range(rows):
        for j in range(columns):
            yield i, j, i >= own_rows or j >= own_columns


@cache
def glyphs(text: str) -> Path:
    """A number as an outline around (0, 0). All of them in one path draw faster than texts."""
    path = TextPath((0, 0), text, size=0.38)
    box = path.get_extents()
    return path.transformed(
        Affine2D().translate(-(box.x0 + box.x1) / 2, -(box.y0 + box.y1) / 2).scale(1, -1)
    )


def explain(a: tuple[int, ...], b: tuple[int, ...]) -> str:
    """What happens to the two shapes, in words."""
    full = result_shape(a, b)
    if full is None:
        pairs = list(zip(a[::-1], b[::-1], strict=False))
        at = next(i for i, (m, n) in enumerate(pairs) if m != n and 1 not in (m, n))
        m, n = pairs[at]
        where = "last axis" if at == 0 else "axis before it"
        return (
            f"**ValueError.** The shapes are written one under the other, right ends aligned. "
            f"In the {where}, {m} meets {n}. Two lengths fit if they are equal or one of them is 1."
        )
    if a == b:
        return f"The shapes are equal, so number meets number: {full}."
    said = []
    for name, shape in (("A", a), ("B", b)):
        padded = (1,) * (len(full) - len(shape)) + shape
        if len(shape) < len(full):
            said.append(f"{name} gets a new axis in front: {shape} is read as {padded}.")
        stretched = [f"{m} → {n}" for m, n in zip(padded, full, strict=True) if m != n]
        if stretched:
            said.append(f"{name} is repeated along an axis: {', '.join(stretched)}.")
    said.append(f"Result: **{full}**.")
    if len(a) != len(b) and 1 in a[1:] + b[1:] and full[0] == full[-1] and len(full) == 2:
        n = full[0]
        said.append(
            f"**A trap.** {n} predictions minus {n} targets should be {n} numbers. With one of "
            f"them as ({n},) and the other as ({n}, 1) it is {n * n}, without any error."
        )
    return " ".join(said)


def explore_broadcasting(
    predict: str | None = "A has shape (3,) and B has shape (3, 1). Which shape does A + B have, "
    "or is it an error?",
) -> Explorer:
    """Two shapes, how NumPy aligns them, and the shape of A + B or the ValueError.

    Parameters
    ----------
    predict : the question above the picture
    """
    with style.rc():
        figure, (ax,) = style.subplots(size=(8.6, 3.55))
        ax.axis("off")
        ax.set(xlim=(-0.6, 17.8), ylim=(6.35, -1.0), aspect="equal")
        # One collection for each kind of cell: a collection with one line style draws fast.
        stored = PolyCollection([], lw=1.4, facecolor=REAL, edgecolor=style.BLUE)
        summed = PolyCollection([], lw=1.4, facecolor=SUM, edgecolor=style.BLUE)
        repeated = PolyCollection([], lw=1.4, facecolor="white", edgecolor=style.GREY)
        repeated.set_linestyle((0, (2, 1.5)))
        for kind in (stored, summed, repeated):
            ax.add_collection(kind)
        heads = {}
        for name, x in LEFT.items():  # the name stays, the shape beside it changes
            ax.text(x, -0.4, name, fontsize=11.5, weight="bold")
            beside = x + (2.1 if name == "A + B" else 0.8)
            heads[name] = ax.text(beside, -0.4, "", fontsize=11.5, weight="bold")
        for x, sign in ((5.4, "+"), (11.8, "=")):
            ax.text(x, 2, sign, fontsize=20, ha="center", va="center", color=style.GREY)
        verdict = ax.text(LEFT["A + B"], 2, "", fontsize=12, color=style.RED, va="center")
        table = {"family": "monospace", "fontsize": 10.5, "va": "center"}
        ax.text(0, 5.35, "right ends aligned\nA\nB\nA + B", **table)
        aligned = ax.text(1.8, 5.35, "", **table)
        ink, pale = (PathPatch(Path([(0, 0)]), lw=0, color=c) for c in (style.INK, style.GREY))
        for patch in (ink, pale):
            ax.add_patch(patch)
        ax.text(9.0, 5.15, "filled: numbers in memory", fontsize=9.5, va="center")
        ax.text(9.0, 5.85, "dashed: repeated, not stored", fontsize=9.5, va="center")
        for y, look in ((4.85, stored), (5.55, repeated)):
            key = PolyCollection([_square(8.2, y, 0.6)], lw=1.4)
            key.update_from(look)
            ax.add_collection(key)
    picture = LiveFigure(
        figure,
        [stored, summed, repeated, *heads.values(), verdict, aligned, ink, pale],
        alt="Three grids of cells: array A, array B and A + B. Cells that NumPy repeats while it "
        "broadcasts are drawn dashed.",
    )

    def move(a, b):
        full = result_shape(a, b)
        A = 1 + np.arange(np.prod(a, dtype=int)).reshape(a)
        B = 10 * (1 + np.arange(np.prod(b, dtype=int))).reshape(b)
        squares: dict = {stored: [], summed: [], repeated: []}
        digits: dict = {ink: [], pale: []}
        for name, array in (("A", A), ("B", B), ("A + B", None if full is None else A + B)):
            heads[name].set_text("" if array is None else shape_text(array.shape))
            if array is None:
                continue
            shown = np.broadcast_to(array, full) if full is not None else array
            shown = shown.reshape((1, 1, *shown.shape)[-2:])
            for i, j, copy in cells(array.shape, full if full is not None else array.shape):
                kind = repeated if copy else summed if name == "A + B" else stored
                squares[kind].append(_square(LEFT[name] + j, i, 0.94))
                spot = Affine2D().translate(LEFT[name] + j + 0.47, i + 0.47)
                digits[pale if copy else ink].append(glyphs(str(shown[i, j])).transformed(spot))
        for patch, paths in digits.items():
            patch.set_path(Path.make_compound_path(*paths) if paths else Path([(0, 0)]))
        for kind, corners in squares.items():
            kind.set_verts(corners)
        verdict.set_text("" if full is not None else "ValueError:\nthese shapes\ndo not fit")
        aligned.set_text(_aligned(a, b, full))
        return explain(a, b)

    options = [(shape_text(s), s) for s in SHAPES]
    controls = {
        "a": steps("shape of A", options, (3, 4)),
        "b": steps("shape of B", options, (4,)),
    }
    caption = (
        "NumPy writes the shapes one under the other with their right ends aligned. Missing axes "
        "are added on the left; axes of length 1 are repeated. Anything else is an error."
    )
    return explorer(picture, move, controls, predict, caption)


def _square(x: float, y: float, side: float):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def _aligned(a, b, full) -> str:
    """The shapes as three lines, right ends aligned."""
    width = max(len(a), len(b), 1)

    def row(shape):
        return " ".join(f"{n:>3}" for n in ("",) * (width - len(shape)) + tuple(shape))

    last = row(full) if full is not None else row(("?",) * width)
    return f"\n{row(a)}\n{row(b)}\n{last}"
