"""The course's data: loaders for what lies in ``datasets/``, and small generated 2-D sets.

Each file has a data sheet beside it (``datasets/digits.md``). The splits are written in the
file, so they never depend on a random stream.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

# Which forms of `digits` belong to which part when whole forms are kept together.
_BLOCKS: dict[str, Collection[int]] = {
    "train": range(8),
    "val": range(8, 11),
    "test": range(11, 14),
}
# Which of the five stratified folds belong to which part.
_FOLDS: dict[str, Collection[int]] = {"train": (2, 3, 4), "val": (1,), "test": (0,)}


@dataclass(frozen=True)
class Split:
    """Data in three parts: fit on `train`, choose on `val`, report on `test` (once).

    Attributes
    ----------
    x_train, x_val, x_test : (N, D) float64 arrays
    y_train, y_val, y_test : (N,) int arrays
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_val: np.ndarray
    y_val: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


@dataclass(frozen=True)
class Table(Split):
    """A `Split` that also knows the whole table and what its columns are called.

    Attributes
    ----------
    names : tuple of D str
    x : (N, D) float64 array, all rows in their original order
    y : (N,) int array
    fold : (N,) int array, 0 to 4; test is fold 0, validation fold 1
    """

    names: tuple[str, ...]
    x: np.ndarray
    y: np.ndarray
    fold: np.ndarray


def data_path(name: str) -> Path:
    """Where the data file `name` lies, in a checkout or in an installed package.

    Parameters
    ----------
    name : str
        A file name such as ``"digits.csv.gz"``.

    Raises
    ------
    FileNotFoundError
        If the file is in neither place.
    """
    package = Path(__file__).resolve().parent
    places = [package / "_data" / "datasets"]
    # Beside an installed package, a folder "datasets" would be somebody else's.
    if (package.parent / "pyproject.toml").is_file():
        places.append(package.parent / "datasets")
    for place in places:
        if (place / name).is_file():
            return place / name
    looked = " or ".join(str(place) for place in places)
    raise FileNotFoundError(
        f"The data file {name!r} was not found in {looked}. "
        "It comes with the course: get a fresh copy of the repository or install it again."
    )


@lru_cache(maxsize=1)
def _digits_table() -> np.ndarray:
    """The whole file, (1797, 67): 64 pixels, label, form, fold."""
    return np.loadtxt(data_path("digits.csv.gz"), delimiter=",", skiprows=1, dtype=np.int64)


def digits_by_form() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All digits in their original order, with the form each was written on.

    For leave-some-writers-out experiments; `load_digits` gives the ready-made splits.

    Returns
    -------
    x : (1797, 64) float64 array, 0 to 1
    y : (1797,) int array, the digit
    form : (1797,) int array, 0 to 13, never decreasing
    """
    table = _digits_table()
    return table[:, :64] / 16.0, table[:, 64].copy(), table[:, 65].copy()


def load_digits(split: str = "stratified") -> Split:
    """Handwritten digits, 8x8 pixels, in fixed parts.

    Parameters
    ----------
    split : {"stratified", "blocks"}
        ``"stratified"``: every digit in every part in equal shares, 1077 / 360 / 360 images.
        ``"blocks"``: whole forms (hands) stay together, in order, 1029 / 386 / 382 images.

    Returns
    -------
    Split
        ``x_*`` are (N, 64) float64 in 0 to 1; ``y_*`` are (N,) int, the digit. Fresh arrays at
        every call.

    Raises
    ------
    ValueError
        If the split has another name.

    Examples
    --------
    >>> digits = load_digits()
    >>> digits.x_train.shape, digits.x_test.shape
    ((1077, 64), (360, 64))
    """
    table = _digits_table()
    if split == "stratified":
        group, parts = table[:, 66], _FOLDS
    elif split == "blocks":
        group, parts = table[:, 65], _BLOCKS
    else:
        raise ValueError(f"split must be 'stratified' or 'blocks', but it is {split!r}.")
    arrays = {}
    for part, members in parts.items():
        rows = table[np.isin(group, list(members))]  # (N, 67)
        arrays[f"x_{part}"] = rows[:, :64] / 16.0  # (N, 64)
        arrays[f"y_{part}"] = rows[:, 64].copy()  # (N,)
    return Split(**arrays)


@lru_cache(maxsize=1)
def _breast_cancer_table() -> tuple[tuple[str, ...], np.ndarray]:
    """Column names and the whole file, (569, 32): 30 measurements, malignant, fold."""
    path = data_path("breast_cancer.csv.gz")
    with gzip.open(path, "rt", encoding="ascii") as file:
        names = file.readline().strip().split(",")
        return tuple(names[:30]), np.loadtxt(file, delimiter=",")


def load_breast_cancer() -> Table:
    """Measurements of cell nuclei of 569 breast masses; malignant is class 1.

    Returns
    -------
    Table
        ``x_*`` are (N, 30) float64, not scaled; ``y_*`` are (N,) int, 1 for malignant. Parts of
        341 / 114 / 114 rows, malignant in equal shares. Fresh arrays at every call.
    """
    names, table = _breast_cancer_table()
    x, y, fold = table[:, :30], table[:, 30].astype(np.int64), table[:, 31].astype(np.int64)
    arrays = {}
    for part, members in _FOLDS.items():
        rows = np.isin(fold, list(members))  # (N,) of bool
        arrays[f"x_{part}"], arrays[f"y_{part}"] = x[rows], y[rows]
    return Table(**arrays, names=names, x=x.copy(), y=y, fold=fold)


def load_sunspots() -> tuple[np.ndarray, np.ndarray]:
    """The yearly sunspot number, 1700 to 2008.

    Returns
    -------
    year : (309,) int array
    number : (309,) float64 array, 0 or more
    """
    table = np.loadtxt(data_path("sunspots.csv"), delimiter=",", skiprows=1)
    return table[:, 0].astype(np.int64), table[:, 1].copy()


def load_photograph(height: int = 150) -> np.ndarray:
    """A photograph in grey: Grace Hopper, as matplotlib ships it (public domain, US Navy).

    Parameters
    ----------
    height : int
        Rows of the picture, 600 or one of its divisors; the width follows.

    Returns
    -------
    (height, width) float64 array, 0 (black) to 1 (white)

    Raises
    ------
    ValueError
        If 600 rows cannot be averaged into `height` equal groups.
    """
    from matplotlib import cbook, image

    colours = image.imread(cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    if height < 1 or len(colours) % height:
        raise ValueError(f"height must divide {len(colours)}, but it is {height}.")
    grey = colours[..., :3] @ np.array([0.299, 0.587, 0.114]) / 255.0  # (600, 512), ITU-R BT.601
    block = len(grey) // height
    width = grey.shape[1] // block
    blocks = grey[:, : width * block].reshape(height, block, width, block)
    return np.clip(blocks.mean(axis=(1, 3)), 0.0, 1.0)  # (height, width)


def make_moons(
    n: int, noise: float = 0.1, rng: np.random.Generator | int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Two half circles that reach into each other.

    Parameters
    ----------
    n : int
        Points in all; class 0 gets the extra one if `n` is odd.
    noise : float
        Standard deviation of the normal noise added to both coordinates.
    rng : Generator, int or None
        A generator or a seed.

    Returns
    -------
    x : (n, 2) float64 array
    y : (n,) int array, 0 or 1
    """
    rng = np.random.default_rng(rng)
    y = np.arange(n) % 2
    angle = rng.uniform(0.0, np.pi, n)
    upper = np.column_stack([np.cos(angle), np.sin(angle)])  # (n, 2)
    lower = np.column_stack([1.0 - np.cos(angle), 0.5 - np.sin(angle)])
    x = np.where(y[:, None] == 0, upper, lower)
    return x + noise * rng.standard_normal((n, 2)), y


def make_spiral(
    n: int, classes: int = 3, noise: float = 0.1, rng: np.random.Generator | int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Spiral arms, one per class, which no straight line can part.

    Parameters
    ----------
    n : int
        Points in all, dealt to the classes in turn.
    classes : int
        Number of arms; each makes about three quarters of a turn.
    noise : float
        Standard deviation of the normal noise added to the angle, in radians.
    rng : Generator, int or None
        A generator or a seed.

    Returns
    -------
    x : (n, 2) float64 array, within the unit circle
    y : (n,) int array, 0 to classes - 1
    """
    rng = np.random.default_rng(rng)
    y = np.arange(n) % classes
    radius = rng.uniform(0.05, 1.0, n)
    start = 2.0 * np.pi * y / classes
    angle = start + 1.5 * np.pi * radius + noise * rng.standard_normal(n)
    x = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])  # (n, 2)
    return x, y


def straight_line(
    n: int,
    slope: float = 2.0,
    intercept: float = 1.0,
    noise: float = 0.1,
    rng: np.random.Generator | int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Noisy points on the line ``y = slope * x + intercept``.

    Parameters
    ----------
    n : int
        Number of points, x uniform in -1 to 1.
    slope, intercept : float
    noise : float
        Standard deviation of the normal noise added to y.
    rng : Generator, int or None
        A generator or a seed.

    Returns
    -------
    x : (n, 1) float64 array
    y : (n, 1) float64 array
    """
    rng = np.random.default_rng(rng)
    x = rng.uniform(-1.0, 1.0, (n, 1))
    return x, slope * x + intercept + noise * rng.standard_normal((n, 1))
