"""Chapter 13: degree against error on old and new points; strength against boundary and weights."""

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from contourpy import contour_generator
from numpy.polynomial import legendre

from grader.datasets import make_moons

from . import learner, style
from .controls import choice, slider, steps, toggle
from .frame import Explorer, explorer
from .learner import LearnerProblem
from .live import LiveFigure

# --- the degree of a polynomial ------------------------------------------------------------------

LAST_DEGREE = 14
NOISE = 0.25
LINE = np.linspace(-1, 1, 241)
STRENGTHS = [("0", 0.0), *((f"1e{k}", 10.0**k) for k in range(-6, 1))]


def truth(x):
    """What the points lie around."""
    return np.sin(3.2 * x) + 0.4 * x


def noisy_points(n: int, rng) -> tuple[np.ndarray, np.ndarray]:
    """n points of the curve with noise, x between -1 and 1."""
    x = np.sort(rng.uniform(-1, 1, n))
    return x, truth(x) + NOISE * rng.standard_normal(n)


def powers(x: np.ndarray, degree: int) -> np.ndarray:
    """Columns that span all polynomials up to a degree, without the constant: (N, degree).

    Legendre polynomials: plain powers of x resemble each other so much that rounding would spoil
    the fit.
    """
    return legendre.legvander(x, degree)[:, 1:]


def penalised_fit(X: np.ndarray, y: np.ndarray, l2: float) -> tuple[np.ndarray, float]:
    """(1 / 2N) ||y - X w - b||^2 + l2 sum w^2, by least squares with D more rows."""
    n, d = X.shape
    if d == 0:
        return np.zeros(0), float(y.mean())
    mx, my = X.mean(axis=0), y.mean()
    rows = np.vstack([X - mx, np.sqrt(2 * n * l2) * np.eye(d)])
    w = np.linalg.lstsq(rows, np.concatenate([y - my, np.zeros(d)]), rcond=None)[0]
    return w, float(my - mx @ w)


def _own_fit(fit: Callable, X, y, *strengths) -> tuple[np.ndarray, float]:
    """What a learner's fit gives: w and b."""
    result = learner.call(fit, X, y, *strengths)
    if not isinstance(result, tuple) or len(result) < 2:
        said = f"`{learner.name_of(fit)}` should return two things: w and b."
        raise LearnerProblem(said)
    w = learner.as_array(result[0], (X.shape[1],), fit, "w")
    return w, float(learner.as_array(result[1], (), fit, "b"))


def explore_degree(
    fit: Callable | None = None,
    predict: str
    | None = "As the degree grows from 0 to 14, what will the error on the 16 training "
    "points do, and what the error on new points? Say it, then drag the degree; the dots on the "
    "right leave their traces.",
) -> Explorer:
    """A polynomial fitted to a few noisy points: its curve, and its error on old and new points.

    Parameters
    ----------
    fit : the learner's ``ridge_fit(X, y, l2) -> (w, b)``, drawn in orange
    predict : the question above the picture
    """
    x_new, y_new = noisy_points(400, np.random.default_rng(1))
    data = {n: noisy_points(n, np.random.default_rng(6)) for n in (16, 64, 256)}
    degrees = np.arange(LAST_DEGREE + 1)
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.7))
        left.plot(LINE, truth(LINE), color=style.GREY, ls=":", lw=1.6, label="the truth")
        (points,) = left.plot([], [], "o", ms=6, color=style.INK, mec="white", label="training")
        (curve,) = left.plot(LINE, LINE, color=style.REFERENCE, label="the fit")
        (own,) = left.plot([], [], color=style.LEARNER, ls=(0, (4, 2)), lw=2.6)
        if fit is not None:
            own.set_label(learner.name_of(fit))
        left.set(title="the curve", xlabel="x", ylabel="y", xlim=(-1, 1), ylim=(-2.4, 2.4))
        left.set_xticks([-1, -0.5, 0, 0.5, 1])
        left.legend(loc="upper left", ncols=2)
        (old,) = right.plot(degrees, degrees, "o-", ms=5, color=style.BLUE, label="training points")
        (new,) = right.plot(degrees, degrees, "s-", ms=5, color=style.RED, label="new points")
        here = right.axvline(0, color=style.HERE, lw=1.2, ls=":")
        right.axhline(NOISE, color=style.GREY, lw=1.2, ls="--")
        right.text(LAST_DEGREE + 0.3, NOISE * 1.06, "noise", ha="right", color="#555555", size=9)
        right.set(title="root mean square error", xlabel="degree", ylabel="error", yscale="log")
        right.set(xlim=(-0.5, LAST_DEGREE + 0.5), ylim=(0.02, 5))
        right.set_yticks([0.03, 0.1, 0.3, 1, 3], ["0.03", "0.1", "0.3", "1", "3"])
        right.minorticks_off()
        right.legend(loc="upper left", ncols=2)
    picture = LiveFigure(
        figure,
        [points, curve, own, old, new, here],
        alt="Left: noisy points and a polynomial fitted to them. Right: its error on the training "
        "points and on new points against the degree.",
    )

    @lru_cache(maxsize=64)
    def errors(n, l2):
        """Root mean square errors on old and new points, for every degree."""
        x, y = data[n]
        table = []
        for degree in degrees:
            w, b = penalised_fit(powers(x, degree), y, l2)
            pairs = ((x, y), (x_new, y_new))
            table.append([np.sqrt(np.mean((powers(a, degree) @ w + b - t) ** 2)) for a, t in pairs])
        return np.array(table).T

    seen: dict = {"setting": None}

    def move(degree, l2, n, whole):
        x, y = data[n]
        if seen["setting"] != (l2, n):  # other curves: nothing of them was seen yet
            seen.update(setting=(l2, n), degrees=set())
        seen["degrees"].add(degree)
        visited = np.array([whole or d in seen["degrees"] for d in degrees])
        w, b = penalised_fit(powers(x, degree), y, l2)
        points.set_data(x, y)
        points.set_markersize({16: 6, 64: 4.5, 256: 3}[n])
        curve.set_ydata(powers(LINE, degree) @ w + b)
        both = errors(n, l2)
        for line, values in zip((old, new), both, strict=True):
            line.set_ydata(np.where(visited, np.maximum(values, 1e-9), np.nan))
        here.set_xdata([degree, degree])
        s = style.number
        size = np.abs(w).max(initial=0.0)
        reading = (
            f"Degree {degree}, {n} points: error on them **{s(both[0, degree])}**, on new points "
            f"**{s(both[1, degree])}**; largest weight {s(size, 2)}."
        )
        own.set_data([], [])
        if fit is None:
            return reading
        try:
            if degree == 0:
                return reading, "Degree 0 has no column to fit. Choose a higher degree."
            mine = _own_fit(fit, powers(x, degree), y, l2)
        except LearnerProblem as problem:
            return reading, str(problem)
        values = powers(LINE, degree) @ mine[0] + mine[1]
        own.set_data(LINE, values)
        gap = np.abs(values - curve.get_ydata()).max()
        return f"{reading} `{learner.name_of(fit)}` is off by at most **{s(gap)}**."

    controls = {
        "degree": slider("degree", 9 if fit else 3, 0, LAST_DEGREE, 1),
        "l2": steps("strength l2", STRENGTHS, 1e-3 if fit else 0.0),
        "n": choice("training points", [16, 64, 256]),
        "whole": toggle("show all degrees", fit is not None),
    }
    caption = (
        "Left: the fit follows its points. Right: blue only falls, red turns round. The dashed "
        "line is the noise itself, which no fit can foresee. With a strength above 0 or with more "
        "points a high degree does less harm."
    )
    return explorer(picture, move, controls, predict, caption, still={"degree": 12, "whole": True})


# --- the strength of a penalty -------------------------------------------------------------------

DEGREE = 6
PENALTIES = ("L2", "L1", "half of each")
EXPONENTS = np.round(np.arange(-4, 0.51, 0.25), 2)
SIDE = np.linspace(0, 1, 70)


def monomials(x: np.ndarray, degree: int = DEGREE) -> np.ndarray:
    """All products x1^i x2^j with 1 <= i + j <= degree, ordered by i + j: (N, 27) for degree 6."""
    pairs = [(total - j, j) for total in range(1, degree + 1) for j in range(total + 1)]
    return np.stack([x[:, 0] ** i * x[:, 1] ** j for i, j in pairs], axis=1)


def strengths_of(penalty: str, strength: float) -> tuple[float, float]:
    """l1 and l2 of a choice in the explorer."""
    return {
        "L2": (0.0, strength),
        "L1": (strength, 0.0),
        "half of each": (strength / 2, strength / 2),
    }[penalty]


def proximal_path(X: np.ndarray, y: np.ndarray, pairs, rounds: int = 800) -> list[np.ndarray]:
    """Weights for each (l1, l2), each started from the one before: accelerated proximal steps.

    X and y are centred. One round is a product of D x D numbers, however many examples there are.
    """
    n, d = X.shape
    gram, pull = X.T @ X / n, X.T @ y / n
    top = np.linalg.eigvalsh(gram)[-1]
    w, found = np.zeros(d), []
    for l1, l2 in pairs:
        if l1 == 0:
            w = np.linalg.solve(gram + 2 * l2 * np.eye(d), pull)
            found.append(w)
            continue
        rate = 1 / (top + 2 * l2)
        ahead, t, threshold = w, 1.0, l1 * rate
        for _ in range(rounds):
            z = ahead - rate * (gram @ ahead - pull + 2 * l2 * ahead)
            new = z - np.clip(z, -threshold, threshold)
            if (new - w) @ (ahead - new) > 0:  # going too far: start the run-up again
                t = 1.0
            after = (1 + np.sqrt(1 + 4 * t * t)) / 2
            ahead, w, t = new + (t - 1) / after * (new - w), new, after
        found.append(w)
    return found


def explore_penalty(
    fit: Callable | None = None,
    predict: str | None = "Raise the strength. Which penalty will leave all 27 weights alive, only "
    "smaller, and which one will end one after the other? And what will the boundary look like at "
    "the strongest setting? Say it, then drag.",
) -> Explorer:
    """Two classes, a straight fit in 27 powers: the strength against boundary and weights.

    Parameters
    ----------
    fit : the learner's ``ridge_fit``, ``lasso_fit`` or ``elastic_net_fit``, drawn in orange
    predict : the question above the picture
    """
    x, label = make_moons(50, 0.33, 11)
    x_new, label_new = make_moons(600, 0.33, 12)
    y, y_new = 2.0 * label - 1, 2.0 * label_new - 1
    low, high = np.array([-2.0, -1.6]), np.array([3.0, 2.1])

    def centre(points):  # both coordinates between -1 and 1 on the picture
        return 2 * (points - low) / (high - low) - 1

    raw = monomials(centre(x))
    mean, scale = raw.mean(axis=0), raw.std(axis=0)
    X = (raw - mean) / scale
    X_new = (monomials(centre(x_new)) - mean) / scale
    across, up = low[0] + (high - low)[0] * SIDE, low[1] + (high - low)[1] * SIDE
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    G = (monomials(centre(grid)) - mean) / scale
    b = float(y.mean())  # the columns are centred

    @lru_cache(maxsize=4)
    def path(penalty):
        strong_first = [strengths_of(penalty, 10.0**e) for e in EXPONENTS[::-1]]
        return dict(zip(EXPONENTS[::-1], proximal_path(X, y - b, strong_first), strict=True))

    for each in PENALTIES:  # now, so that no move has to wait
        path(each)
    names = np.arange(1, X.shape[1] + 1)
    with style.rc():
        figure, (left, right) = style.subplots(1, 2, size=(8.6, 3.9), width_ratios=(1, 1.15))
        for value, mark, colour in ((0, "o", style.BLUE), (1, "s", style.RED)):
            left.plot(*x[label == value].T, mark, ms=5.5, color=colour, mec="white", zorder=3)
        (boundary,) = left.plot([], [], color=style.INK, lw=2.2)
        (own_boundary,) = left.plot([], [], color=style.LEARNER, ls=(0, (4, 2)), lw=2.6)
        left.set(title="50 points, and where the fit is 0", xlabel="x₁", ylabel="x₂")
        left.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        right.axhline(0, color=style.GREY, lw=1)
        (stems,) = right.plot([], [], color=style.REFERENCE, lw=4, solid_capstyle="butt")
        (gone,) = right.plot([], [], "o", ms=5, mfc="white", mec=style.GREY, label="exactly 0")
        (own_dots,) = right.plot([], [], "D", ms=4.5, color=style.LEARNER, mec="white")
        if fit is not None:
            own_dots.set_label(learner.name_of(fit))
        right.set(title="the 27 weights", xlabel="number of the weight (1, 2: straight terms)")
        right.set(xlim=(0, 28), ylim=(-30, 30), ylabel="weight")
        right.set_yscale("symlog", linthresh=0.1)
        right.set_yticks(
            [-10, -1, -0.1, 0, 0.1, 1, 10], ["−10", "−1", "−0.1", "0", "0.1", "1", "10"]
        )
        right.minorticks_off()
        right.legend(loc="upper right")
    picture = LiveFigure(
        figure,
        [boundary, own_boundary, stems, gone, own_dots],
        alt="Left: two classes of points and the line where the fit is 0. Right: the 27 weights of "
        "the fit; those that are exactly 0 are hollow.",
    )
    asked: dict = {}

    def draw_boundary(line, w, bias):
        pieces = contour_generator(across, up, (G @ w + bias).reshape(70, 70)).lines(0.0)
        gaps = [part for piece in pieces for part in (piece, [[np.nan, np.nan]])]
        line.set_data(*(np.concatenate(gaps).T if gaps else ([], [])))

    def own_at(penalty, exponent):
        """The learner's weights at this setting, asked for once."""
        l1, l2 = strengths_of(penalty, 10.0**exponent)
        key = (penalty, exponent)
        if key not in asked:
            given = (l1, l2)
            if learner.positional(fit) < 4:
                absolute = "ridge" not in learner.name_of(fit)
                given = (l1,) if absolute else (l2,)
                if (l2 if absolute else l1) > 0:
                    wanted = "L1" if absolute else "L2"
                    said = f"`{learner.name_of(fit)}` is drawn for {wanted} only. Choose {wanted}."
                    raise LearnerProblem(said)
            asked[key] = _own_fit(fit, X, y, *given)
        return asked[key]

    def move(penalty, strength):
        w = path(penalty)[strength]
        draw_boundary(boundary, w, b)
        heights = np.stack([0 * w, w, w + np.nan], axis=1).ravel()
        stems.set_data(np.repeat(names, 3), heights)
        zero = w == 0
        gone.set_data(names[zero], w[zero])
        s = style.number
        wrong = [np.mean((F @ w + b > 0) != (t > 0)) for F, t in ((X, y), (X_new, y_new))]
        reading = (
            f"Strength {s(10.0**strength, 4)}: **{27 - zero.sum()}** of 27 weights alive, largest "
            f"**{s(np.abs(w).max(), 2)}**. Wrong on the 50 points **{wrong[0]:.1%}**, on 600 new "
            f"ones **{wrong[1]:.1%}**."
        )
        for line in (own_boundary, own_dots):
            line.set_data([], [])
        if fit is None:
            return reading
        try:
            mine, bias = own_at(penalty, strength)
        except LearnerProblem as problem:
            return reading, str(problem)
        draw_boundary(own_boundary, mine, bias)
        own_dots.set_data(names, mine)
        gap = np.abs(mine - w).max()
        return (
            f"{reading} `{learner.name_of(fit)}`: {int((mine != 0).sum())} alive, off by at most "
            f"{s(gap)}."
        )

    first = (
        "L2" if fit is not None and "ridge" in learner.name_of(fit) else PENALTIES[fit is not None]
    )
    controls = {
        "penalty": choice("penalty", PENALTIES, first),
        "strength": steps(
            "strength", [(style.number(10.0**e, 4), e) for e in EXPONENTS], -1.5 if fit else -4.0
        ),
    }
    caption = (
        "A straight fit to -1 and +1 in all products of x₁ and x₂ up to degree 6; the classes are "
        "parted where it is 0. L2 makes weights smaller. L1 makes them smaller, and some of them "
        "exactly 0 (hollow)."
    )
    return explorer(
        picture, move, controls, predict, caption, still={"penalty": "L1", "strength": -1.5}
    )
