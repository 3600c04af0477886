"""Chapter 13, regularisation: what may stand beside the loss so that new data are predicted well.

Penalties and linear fits are checked by their values. A dropout mask is the learner's own draw: its
statistics are checked by drivers that put into words what they see.
"""

from functools import partial
from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter
from grader.exercises.optimisers import FORMS_AGREE, drive_rule

chapter = Chapter("13_regularisation", "Regularisation")

WHOLE = "The whole answer stands in `solutions/13_regularisation`."


def _declare(answer, make, bugs):
    """Mistakes of an answer: `make(key)` gives the wrong function or class of that name."""
    for key, (message, remedy) in bugs.items():
        chapter.mistake(answer, key, message, remedy)(make(key))


def _bugged(engine):
    """For an engine `engine(*args, bug=...)`: the function with one bug."""
    return lambda bug: partial(engine, bug=bug)


# --- the squared penalty -------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="loss, dw",
    difficulty=1,
    minutes=5,
    hints=(
        "The penalty is one number for the whole array: every weight, squared, summed, times l2.",
        "The derivative of l2 * w**2 with respect to w has a factor that is often forgotten.",
        f"`l2 * np.sum(w**2)` and `2 * l2 * w`. {WHOLE}",
    ),
    afterthought="With plain gradient descent and learning rate r, the penalty alone multiplies "
    "every weight at each step by the same number. Which one?",
)
def l2_penalty(w, l2):
    """The squared (L2) penalty: l2 times the sum of all squared weights, and its gradient.

    There is no 1/2 in front, and no mean: l2 * sum(w^2).

    Parameters
    ----------
    w : array of any shape
        Weights. Biases are never penalised, so they are not among them.
    l2 : float
        Strength of the penalty, at least 0.

    Returns
    -------
    loss : float
    dw : array like w
    """
    return l2 * np.sum(w**2), 2 * l2 * w


def _penalised(rng, *strengths):
    """Weights of both signs, away from 0, and the strengths."""
    for k, shape in enumerate([(3,), (4, 5), (2, 3, 5)]):
        w = rng.uniform(0.3, 2.5, shape) * rng.choice([-1.0, 1.0], shape)
        values = tuple(s * (0.4, 1.7, 0.05)[k] for s in strengths)
        shown = ", ".join(f"{value:.3g}" for value in values)
        yield Case((w, *values), label=f"w has shape {shape}, strength {shown}")


@chapter.cases(l2_penalty)
def l2_cases(rng):
    yield from _penalised(rng, 1.0)


def _l2(w, l2, bug):
    total, norm = np.sum(w**2), np.sqrt(np.sum(w**2))
    return {
        "factor": (l2 * total, l2 * w),
        "half": (0.5 * l2 * total, l2 * w),
        "half_loss_only": (0.5 * l2 * total, 2 * l2 * w),
        "norm": (l2 * norm, l2 * w / norm),
        "norm_loss_only": (l2 * norm, 2 * l2 * w),
        "mean": (l2 * np.mean(w**2), 2 * l2 * w / w.size),
        "mean_loss_only": (l2 * np.mean(w**2), 2 * l2 * w),
        "sum_squared": (l2 * np.sum(w) ** 2, 2 * l2 * np.sum(w) * np.ones_like(w)),
        "strength_missing": (l2 * total, 2 * w),
        "absolute": (l2 * np.sum(np.abs(w)), l2 * np.sign(w)),
        "pulls_outwards": (l2 * total, -2 * l2 * w),
    }[bug]


_declare(
    l2_penalty,
    _bugged(_l2),
    {
        "factor": (
            "The loss is right, and the gradient equals l2 * w: half of what it should be. That "
            "gradient belongs to a penalty with 1/2 in front.",
            "d/dw of l2 * w**2 is 2 * l2 * w. A gradient check shows it at once.",
        ),
        "half": (
            "Loss and gradient agree with each other, and both are half of what is asked for: this "
            "is the convention 0.5 * l2 * sum(w**2).",
            "Here the penalty is l2 * sum(w**2), without 1/2.",
        ),
        "half_loss_only": (
            "The gradient is right and the loss is half of it: a 1/2 stands in one and not in the "
            "other.",
            "The penalty is l2 * sum(w**2), without 1/2.",
        ),
        "norm": (
            "These are the values of the norm, the ROOT of the sum of squares. The squared norm "
            "is meant.",
            "No root: `l2 * np.sum(w**2)`.",
        ),
        "norm_loss_only": (
            "The gradient is that of the sum of squares; the loss is its root, the norm.",
            "No root: `l2 * np.sum(w**2)`.",
        ),
        "mean": (
            "Loss and gradient are divided by the number of weights: a mean where a sum is meant.",
            "`np.sum`, not `np.mean`.",
        ),
        "mean_loss_only": (
            "The loss is divided by the number of weights: a mean where a sum is meant.",
            "`np.sum`, not `np.mean`.",
        ),
        "sum_squared": (
            "The weights are added first and squared after: weights of different sign cancel, and "
            "all get the same gradient.",
            "Square each weight, then add.",
        ),
        "strength_missing": (
            "The gradient equals 2 * w: it does not contain l2.",
            "`2 * l2 * w`.",
        ),
        "absolute": (
            "These are the values of the L1 penalty, with absolute values.",
            "Squares: `l2 * np.sum(w**2)`.",
        ),
        "pulls_outwards": (
            "The gradient has the wrong sign: descending it would make the weights grow.",
            "`2 * l2 * w` points away from 0, and descent goes against it.",
        ),
    },
)


# --- ridge: the closed form ----------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="w, b",
    difficulty=3,
    minutes=12,
    hints=(
        "b is free, so it can be had first: the best b for any w makes the mean residual 0. What "
        "is left is a fit without b, of centred columns to a centred y.",
        "Set the gradient to 0: -Xc.T @ (yc - Xc @ w) / N + 2 * l2 * w = 0. That is a linear "
        "system for w. Do the 2 and the N stand in the right place?",
        "`A = Xc.T @ Xc / N + 2 * l2 * np.eye(D)`, `w = np.linalg.solve(A, Xc.T @ yc / N)`, "
        f"`b = y.mean() - X.mean(axis=0) @ w`. {WHOLE}",
    ),
    afterthought="With more columns than rows and l2 = 0 the matrix has no inverse. What does any "
    "l2 above 0 change?",
)
def ridge_fit(X, y, l2):
    """Ridge regression: a straight fit with the squared penalty, in closed form.

    Minimises (1 / 2N) ||y - X w - b||^2 + l2 * sum(w^2); the bias b is free, not penalised.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) array
    l2 : float
        Above 0; or 0 where the columns of X are independent (then it is least squares).

    Returns
    -------
    w : (D,) array
    b : float

    References
    ----------
    A. E. Hoerl, R. W. Kennard, "Ridge regression: biased estimation for nonorthogonal problems",
    Technometrics 12, 1970.
    """
    N, D = X.shape
    Xc, yc = X - X.mean(axis=0), y - y.mean()
    A = Xc.T @ Xc / N + 2 * l2 * np.eye(D)
    w = np.linalg.lstsq(A, Xc.T @ yc / N, rcond=None)[0]  # as solve, and no error if l2 = 0
    return w, y.mean() - X.mean(axis=0) @ w


def _table(rng, n, d, scales=True):
    """Columns of different scale and mean, and a y with a bias far from 0."""
    size = rng.uniform(0.6, 1.8, d) if scales else np.ones(d)
    X = rng.normal(0, 1, (n, d)) * size + rng.uniform(-1.5, 1.5, d)
    w = rng.uniform(0.5, 2, d) * rng.choice([-1.0, 1.0], d) * (np.arange(d) % 3 < 2)
    return X, X @ w + rng.uniform(2, 4) + rng.normal(0, 0.5, n)


@chapter.cases(ridge_fit)
def ridge_cases(rng):
    for n, d, l2 in [(7, 2, 0.3), (11, 4, 0.07), (5, 8, 0.6), (13, 3, 2.5), (12, 5, 0.0)]:
        X, y = _table(rng, n, d)
        yield Case((X, y, l2), label=f"N = {n}, D = {d}, l2 = {l2}")


@chapter.property(
    ridge_fit,
    "collinear",
    "With l2 above 0 the solution is unique, also with a constant column or with two equal ones. "
    "Here the result differs: it looks as if the penalty does not reach every column.",
)
def ridge_collinear(rng):
    X, y = _table(rng, 12, 4)
    X[:, 2] = 2.0
    yield Case((X, y, 0.4), drive=drive_w, label="column 2 is constant")
    X, y = _table(rng, 11, 5)
    X[:, 3] = X[:, 1]
    yield Case((X, y, 0.2), drive=drive_w, label="columns 1 and 3 are equal")


def drive_w(fit, X, y, *strengths):
    """The weights alone, for tables with constant or equal columns."""
    came = fit(X, y, *strengths)
    if came is None:
        return None
    return came[0] if isinstance(came, (tuple, list)) else came


def _ridge(X, y, l2, bug):
    N, D = X.shape
    mx, my = X.mean(axis=0), y.mean()
    if bug == "no_bias":
        mx, my = np.zeros(D), 0.0
    Xc, yc = X - mx, y - my
    if bug == "columns_not_centred":
        Xc = X
    strength = {"factor": l2, "not_divided": 2 * l2 / N, "alpha": l2 / N, "total": 2 * l2 * N}
    s = strength.get(bug, 2 * l2)
    if bug == "bias_penalised":
        rows = np.column_stack([X, np.ones(N)])
        both = np.linalg.lstsq(rows.T @ rows / N + s * np.eye(D + 1), rows.T @ y / N, rcond=None)[0]
        return both[:-1], both[-1]
    if bug == "no_penalty":
        s = 0.0
    if bug == "minus":
        s = -s
    penalty = s if bug == "every_entry" else s * np.eye(D)
    w = np.linalg.lstsq(Xc.T @ Xc / N + penalty, Xc.T @ yc / N, rcond=None)[0]
    if bug == "bias_zero":
        return w, 0.0
    if bug == "bias_is_mean":
        return w, y.mean()
    return w, my - mx @ w


_declare(
    ridge_fit,
    _bugged(_ridge),
    {
        "factor": (
            "The penalty counts half: this w minimises the loss with l2 / 2 in place of l2.",
            "The gradient of l2 * w**2 is 2 * l2 * w, so 2 * l2 stands on the diagonal.",
        ),
        "not_divided": (
            "The penalty is too weak by a factor of N: it looks as if X.T @ X is not divided by N "
            "while 2 * l2 is added as it is.",
            "Divide X.T @ X and X.T @ y by N, or add 2 * N * l2.",
        ),
        "alpha": (
            "These are the values for a penalty of l2 / 2N: l2 is used like the `alpha` of "
            "scikit-learn, whose loss is a sum, not a mean.",
            "In that library alpha would be 2 * N * l2.",
        ),
        "total": (
            "The penalty is too strong by a factor of N: X.T @ X is divided by N, and N is "
            "multiplied into l2 as well.",
            "Once is enough: `X.T @ X / N + 2 * l2 * I`.",
        ),
        "bias_penalised": (
            "These values come out when b is penalised like a weight: it looks like a column of "
            "ones with the penalty on the whole diagonal.",
            "Centre X and y, and b is out of the way; or set the last diagonal entry to 0.",
        ),
        "no_bias": (
            "There is no b: the fit is forced through the origin.",
            "Centre the columns of X and y before the fit, and compute b after it.",
        ),
        "columns_not_centred": (
            "y is centred and X is not: the columns' means spoil w.",
            "Subtract the mean of each column: `X - X.mean(axis=0)`.",
        ),
        "bias_zero": (
            "w is right, b is 0: it was computed on centred data and never moved back.",
            "b = y.mean() - X.mean(axis=0) @ w.",
        ),
        "bias_is_mean": (
            "w is right, b is the mean of y. That fits centred columns; for X as it is handed in, "
            "the columns' means have to be taken off.",
            "b = y.mean() - X.mean(axis=0) @ w.",
        ),
        "no_penalty": (
            "l2 has no effect: this is least squares.",
            "Add 2 * l2 to the diagonal.",
        ),
        "minus": (
            "The penalty has the wrong sign: it is taken off the diagonal, and w grows.",
            "Add 2 * l2 to the diagonal.",
        ),
        "every_entry": (
            "2 * l2 was added to EVERY entry of the matrix: a number broadcasts.",
            "`2 * l2 * np.eye(D)` reaches the diagonal only.",
        ),
    },
)


# --- lasso: one coordinate after the other -------------------------------------------------------

CONVERGED = 1e-5  # two methods that have both arrived differ by much less


@chapter.exercise(
    points=4,
    returns="w, b",
    difficulty=4,
    minutes=18,
    rtol=CONVERGED,
    seconds=5.0,
    hints=(
        "Centre X and y, and b is out of the way. Now hold all weights but one: a bowl in one "
        "variable plus l1 * |w_j| remains, and its minimum has a formula.",
        "Let r be the residual of ALL columns, size_j the mean square of column j, and rho = "
        "x_j @ r / N + size_j * w_j. The best w_j is 0 while |rho| <= l1; else rho is moved "
        "towards 0 by l1 and divided by size_j. Renew r after every single weight.",
        "Inner loop: `rho = Xc[:, j] @ r / N + size[j] * w[j]`, `new = np.sign(rho) * "
        "max(abs(rho) - l1, 0) / size[j]`, `r = r + Xc[:, j] * (w[j] - new)`, `w[j] = new`; go on "
        f"until nothing moves. {WHOLE}",
    ),
    afterthought="From which l1 on are all weights 0? The first sweep can tell.",
)
def lasso_fit(X, y, l1, num_sweeps=1000):
    """Lasso: a straight fit with the absolute (L1) penalty, by coordinate descent.

    Minimises (1 / 2N) ||y - X w - b||^2 + l1 * sum(|w|); the bias b is free. It starts from
    w = 0 and takes `num_sweeps` sweeps over all weights, or stops when a sweep moves no weight by
    more than 1e-10. Weights that the penalty removes are 0 exactly, and so is the weight of a
    constant column.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) array
    l1 : float
        At least 0.
    num_sweeps : int
        Enough to arrive at the minimum in all tables here.

    Returns
    -------
    w : (D,) array
    b : float

    References
    ----------
    R. Tibshirani, "Regression shrinkage and selection via the lasso", J. R. Statist. Soc. B 58,
    1996. J. Friedman, T. Hastie, R. Tibshirani, "Regularization paths for generalized linear models
    via coordinate descent", J. Statistical Software 33, 2010.
    """
    N, D = X.shape
    Xc, r = X - X.mean(axis=0), y - y.mean()  # r: the residual, w = 0 at the start
    size = (Xc**2).mean(axis=0)  # (D,)
    constant = np.ptp(X, axis=0) == 0
    w = np.zeros(D)
    for _ in range(num_sweeps):
        before = w.copy()
        for j in range(D):
            if constant[j]:
                continue
            rho = Xc[:, j] @ r / N + size[j] * w[j]
            new = np.sign(rho) * max(abs(rho) - l1, 0) / size[j]
            r = r + Xc[:, j] * (w[j] - new)
            w[j] = new
        if np.abs(w - before).max() < 1e-10:
            break
    return w, y.mean() - X.mean(axis=0) @ w


def _sparse_table(rng, n, d, l1, l2=0.0):
    """A table whose fit arrives soon, with no weight near the edge of being 0."""
    while True:
        X, y = _table(rng, n, d)
        w, _ = _coordinate(X, y, l1, l2, sweeps=60)
        Xc, yc = X - X.mean(axis=0), y - y.mean()
        pull = np.abs(Xc.T @ (yc - Xc @ w)) / n
        edge = l1 == 0 or np.all(pull[w == 0] < 0.95 * l1)
        settled = np.abs(w - _coordinate(X, y, l1, l2, sweeps=40)[0]).max() < 1e-8
        if edge and settled and np.all(np.abs(w[w != 0]) > 0.03):
            return X, y


FITS = [(9, 3, 0.3), (14, 5, 0.6), (7, 9, 0.5), (17, 6, 0.15), (15, 4, 0.0), (8, 3, 40.0)]


@chapter.cases(lasso_fit)
def lasso_cases(rng):
    for n, d, l1 in FITS:
        X, y = _sparse_table(rng, n, d, l1)
        yield Case((X, y, l1), label=f"N = {n}, D = {d}, l1 = {l1}")


def drive_zeros(fit, X, y, *strengths):
    """Which weights are 0, exactly."""
    came = fit(X, y, *strengths)
    if came is None:
        return None
    w = came[0] if isinstance(came, (tuple, list)) else came
    found = [str(j) for j in range(len(w)) if w[j] == 0]
    return "exactly 0: " + (", ".join(found) or "none")


NOT_EXACT = (
    "Not the right weights are exactly 0. Coordinate descent sets a weight to 0 whenever |rho| is "
    "not above l1; small steps along a gradient only come near."
)
NOT_CONSTANT = (
    "With a constant column in X the weights come out wrong, or as nan: such a column is all 0 "
    "once it is centred, and its mean square divides. Its weight has to stay 0."
)


@chapter.property(lasso_fit, "exact_zeros", NOT_EXACT)
def lasso_zeros(rng):
    for n, d, l1 in [(16, 7, 0.5), (10, 12, 0.7)]:
        X, y = _sparse_table(rng, n, d, l1)
        yield Case((X, y, l1), drive=drive_zeros, label=f"N = {n}, D = {d}, l1 = {l1}")


def _with_constant(rng, l1, l2=0.0):
    X, y = _sparse_table(rng, 16, 4, l1, l2)
    return np.insert(X, 2, 2.0, axis=1), y


@chapter.property(lasso_fit, "constant_column", NOT_CONSTANT)
def lasso_constant(rng):
    yield Case((*_with_constant(rng, 0.2), 0.2), drive=drive_w, label="column 2 is constant")


def _coordinate(X, y, l1, l2, bug="", sweeps=300):
    """Coordinate descent for lasso and elastic net, with room for one bug."""
    N, D = X.shape
    mx, my = X.mean(axis=0), y.mean()
    if bug == "no_bias":
        mx, my = np.zeros(D), 0.0
    Xc, r = X - mx, y - my
    size, w = (Xc**2).mean(axis=0), np.zeros(D)
    l1 = {"threshold_half": l1 / 2, "threshold_double": 2 * l1, "threshold_total": l1 / N}.get(
        bug, l1
    )
    sizes = np.ones(D) if bug == "columns_taken_as_standard" else size
    below = sizes + {
        "factor": l2,
        "l2_left_out": 0 * l2,
        "l2_not_divided": 2 * l2 / N,
        "l2_total": 2 * N * l2,
    }.get(bug, 2 * l2)
    if bug == "alpha_and_ratio":  # the strengths read as in scikit-learn
        l1, below = l1 * l2, sizes + l1 * (1 - l2)
    for _ in range(1 if bug == "one_sweep" else sweeps):
        before = w.copy()
        for j in range(D):
            if size[j] < 1e-20 and bug != "divides_by_zero":
                continue
            rho = Xc[:, j] @ r / N + (0 if bug == "own_part_missing" else sizes[j] * w[j])
            if bug == "hard_threshold":
                new = rho * (abs(rho) > l1)
            elif bug == "sign_lost":
                new = max(abs(rho) - l1, 0)
            elif bug == "positive_only":
                new = max(rho - l1, 0)
            elif bug == "no_threshold":
                new = rho - l1 * np.sign(rho)
            else:
                new = np.sign(rho) * max(abs(rho) - l1, 0)
            new = new if bug == "not_divided" else new / below[j]
            if bug != "residual_stays":
                r = r + Xc[:, j] * (w[j] - new)
            w[j] = new
        if not np.abs(w - before).max() > 1e-11:
            break
    if bug == "rescaled":
        w = w * (1 + 2 * l2)
    if bug == "bias_zero":
        return w, 0.0
    return w, y.mean() if bug == "bias_is_mean" else my - mx @ w


def _small_steps(X, y, l1):
    """(Sub)gradient descent: comes near, and has no exact zeros."""
    N = len(y)
    mx, my = X.mean(axis=0), y.mean()
    Xc, yc = X - mx, y - my
    w, rate = np.zeros(X.shape[1]), 0.5 / np.linalg.norm(Xc.T @ Xc / N, 2)
    for _ in range(400):
        w = w - rate * (Xc.T @ (Xc @ w - yc) / N + l1 * np.sign(w))
    return w, my - mx @ w


FIT_BUGS = {
    "threshold_half": (
        "The weights are moved towards 0 by half of what they should be: l1 / 2 instead of l1. "
        "That belongs to a loss without the 1/2 in front.",
        "With (1 / 2N) ||...||^2 the threshold for rho is l1.",
    ),
    "threshold_double": (
        "The weights are moved towards 0 by twice what they should be.",
        "With (1 / 2N) ||...||^2 the threshold for rho is l1.",
    ),
    "threshold_total": (
        "The penalty is too weak by a factor of N: it looks as if x_j @ r is not divided by N "
        "before it is compared with l1.",
        "rho = x_j @ r / N + size_j * w_j, with size_j the MEAN square.",
    ),
    "columns_taken_as_standard": (
        "The weights fit columns with a mean square of 1 only: the step is not divided by the size "
        "of the column.",
        "Divide by `(Xc[:, j] ** 2).mean()`.",
    ),
    "not_divided": (
        "The moved rho is not divided by the mean square of the column.",
        "new = S(rho, l1) / size_j.",
    ),
    "own_part_missing": (
        "rho lacks its own part: the residual of ALL columns is used, without column j put back.",
        "rho = x_j @ r / N + size_j * w_j.",
    ),
    "hard_threshold": (
        "Weights below the threshold are set to 0, and the others are not moved: that is hard "
        "thresholding.",
        "The others move towards 0 by l1 too: sign(rho) * max(|rho| - l1, 0).",
    ),
    "sign_lost": (
        "No weight is negative: |rho| lost its sign.",
        "sign(rho) * max(|rho| - l1, 0).",
    ),
    "positive_only": (
        "Negative weights are cut off to 0: it looks like max(rho - l1, 0).",
        "sign(rho) * max(|rho| - l1, 0).",
    ),
    "one_sweep": (
        "These are the weights after ONE sweep. Each weight changes the residual of the others, so "
        "it takes several.",
        "Sweep until no weight moves any more.",
    ),
    "residual_stays": (
        "Each weight is fitted alone: the residual is not renewed when a weight changes.",
        "r = r + x_j * (old w_j - new w_j), after each weight.",
    ),
    "no_bias": (
        "There is no b: the fit is forced through the origin.",
        "Centre the columns of X and y before the fit, and compute b after it.",
    ),
    "bias_zero": (
        "w is right, b is 0: it was computed on centred data and never moved back.",
        "b = y.mean() - X.mean(axis=0) @ w.",
    ),
    "bias_is_mean": (
        "w is right, b is the mean of y: the columns' means have to be taken off.",
        "b = y.mean() - X.mean(axis=0) @ w.",
    ),
    "divides_by_zero": (
        "A constant column gives 0 / 0: centred, its mean square is 0.",
        "Leave its weight at 0: `if size[j] == 0: continue`.",
    ),
}


def _lasso_bug(bug):
    def wrong(X, y, l1, num_sweeps=1000):
        if bug == "small_steps":
            return _small_steps(X, y, l1)
        return _coordinate(X, y, l1, 0.0, bug)

    return wrong


_declare(
    lasso_fit,
    _lasso_bug,
    {
        **FIT_BUGS,
        "small_steps": (
            "The values come near, and no weight is exactly 0: it looks like gradient descent with "
            "l1 * sign(w). That slope jumps at 0, so small steps rattle around it.",
            "Solve for one weight at a time; the formula gives 0 itself.",
        ),
    },
)


# --- dropout -------------------------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="out, cache",
    difficulty=2,
    minutes=10,
    hints=(
        "In training every entry is kept with probability p, and what is kept must become larger, "
        "so that the mean stays. In test mode nothing happens at all.",
        "`rng.random(x.shape) < p` is True with probability p. A kept entry is divided by p. The "
        "mask is what backward needs.",
        "`rng = np.random.default_rng(dropout_param.get('seed'))`, `mask = (rng.random(x.shape) < "
        f"p) / p`, `out = x * mask`. {WHOLE}",
    ),
    afterthought="How much larger than x is the mean of x * mask over many masks, and how much its "
    "mean square?",
)
def dropout_forward(x, dropout_param):
    """Inverted dropout: entries are zeroed at random in training; in test mode x passes.

    Parameters
    ----------
    x : array of any shape
    dropout_param : dict
        "p": the probability of KEEPING an entry, above 0 and at most 1. "mode": "train" or "test".
        "seed" (optional): makes the draw repeatable, best by a generator of its own. Without it
        every call draws a new mask.

    Returns
    -------
    out : array like x
        In training each entry is kept on its own with probability p and divided by p, or is 0. In
        test mode it is x.
    cache
        Whatever `dropout_backward` needs.

    References
    ----------
    N. Srivastava and others, "Dropout: a simple way to prevent neural networks from overfitting",
    JMLR 15, 2014. (There the weights are scaled at test time; dividing by p in training spares
    that.)
    """
    p, mode = dropout_param["p"], dropout_param["mode"]
    if mode == "test":
        return x, (dropout_param, None)
    rng = np.random.default_rng(dropout_param.get("seed"))
    mask = (rng.random(x.shape) < p) / p
    return x * mask, (dropout_param, mask)


def _away_from_zero(rng, shape):
    return rng.uniform(0.5, 2, shape) * rng.choice([-1.0, 1.0], shape)


def drive_passes(dropout_forward, x, p, mode):
    """What comes out where nothing is to be dropped, in words: a wrong draw can not be repeated."""
    came = dropout_forward(x.copy(), {"p": p, "mode": mode})
    if came is None:
        return None
    if not isinstance(came, (tuple, list)) or len(came) < 2:
        raise TypeError("one value came back, where two are expected: out, cache")
    if came[0] is None:
        return None, None
    out = np.asarray(came[0], float)
    if out.shape != x.shape:
        return f"an array of shape {out.shape}", None
    for name, factor in [("x as it was", 1.0), ("x times p", p), ("x divided by p", 1 / p)]:
        if np.all(np.abs(out - factor * x) <= 1e-5 * np.abs(x)):
            return name, None
    return ("x with zeros in it" if np.any(out == 0) else "another array"), None


@chapter.cases(dropout_forward)
def dropout_cases(rng):
    for shape, p, mode in [
        ((30, 20), 0.3, "test"),
        ((50, 30), 1.0, "train"),
        ((5, 2, 30, 4), 0.8, "test"),
    ]:
        label = f"x has shape {shape}, {mode} mode, p = {p}"
        yield Case((_away_from_zero(rng, shape), p, mode), drive=drive_passes, label=label)


def _both_sides(rng, driver):
    """Training with keep probabilities on both sides of one half."""
    for p in (0.3, 0.8):
        x = _away_from_zero(rng, (90, 110))
        yield Case((x, p), drive=driver, label=f"x has shape (90, 110), train mode, p = {p}")


def drive_kept(dropout_forward, x, p):
    """Which share of the entries is not 0, in words."""
    came = dropout_forward(x.copy(), {"p": p, "mode": "train"})
    if came is None or came[0] is None:
        return None
    out = np.asarray(came[0])
    if out.shape != x.shape:
        return f"out has shape {out.shape}"
    kept = out != 0
    share = kept.mean()
    if np.all(kept == kept[:1]) or np.all(kept == kept[:, :1]):
        return "a share of p is kept" if abs(share - p) < 0.31 else "another share is kept"
    names = [
        ("a share of p is kept", p),
        ("a share of 1 - p is kept", 1 - p),
        ("half are kept", 0.5),
    ]
    near = [name for name, value in names if abs(share - value) < 0.03]
    return near[0] if near else "all are kept" if share == 1 else "another share is kept"


@chapter.property(
    dropout_forward,
    "share_kept",
    "In training a share of p should be kept, and it is not. p is the probability of KEEPING here; "
    "some libraries mean the probability of dropping.",
)
def dropout_kept(rng):
    yield from _both_sides(rng, drive_kept)


def drive_scale(dropout_forward, x, p):
    """By what the kept entries are multiplied, in words."""
    came = dropout_forward(x.copy(), {"p": p, "mode": "train"})
    if came is None or came[0] is None:
        return None
    out = np.asarray(came[0], float)
    if out.shape != x.shape:
        return f"out has shape {out.shape}"
    factors = (out / x)[out != 0]
    names = [("1 / p", 1 / p), ("1", 1.0), ("p", p), ("1 / (1 - p)", 1 / (1 - p)), ("2", 2.0)]
    for name, value in names:
        if factors.size and np.all(np.abs(factors - value) < 1e-5 * value):
            return f"multiplied by {name}"
    return "multiplied by another number"


@chapter.property(
    dropout_forward,
    "scale",
    "In training the entries that stay should be divided by p, so that the mean of many masks "
    "gives x back. They are multiplied by another number.",
)
def dropout_scale(rng):
    yield from _both_sides(rng, drive_scale)


def drive_grain(dropout_forward, x, p):
    """Is each entry drawn on its own?"""
    came = dropout_forward(x.copy(), {"p": p, "mode": "train"})
    if came is None or came[0] is None:
        return None
    kept = np.asarray(came[0]) != 0
    if kept.shape != x.shape:
        return f"out has shape {kept.shape}"
    if np.all(kept == kept[:1]):
        return "all examples have the same mask"
    if np.all(kept == kept[:, :1]):
        return "whole examples are dropped"
    return "each entry is drawn on its own"


@chapter.property(
    dropout_forward,
    "entry_by_entry",
    "The entries are not drawn one by one: whole rows or whole columns go together.",
)
def dropout_grain(rng):
    x = _away_from_zero(rng, (30, 40))
    yield Case((x, 0.6), drive=drive_grain, label="x has shape (30, 40), train mode, p = 0.6")


def drive_fresh(dropout_forward, x, p):
    """Do two calls without a seed drop the same entries?"""
    kept = []
    for _ in range(2):
        came = dropout_forward(x.copy(), {"p": p, "mode": "train"})
        if came is None or came[0] is None:
            return None
        kept.append(np.asarray(came[0]) != 0)
    same = kept[0].shape == kept[1].shape and np.all(kept[0] == kept[1])
    return "the same mask twice" if same else "a new mask"


@chapter.property(
    dropout_forward,
    "new_mask",
    "Two calls in training drop the same entries. Every forward pass needs a mask of its own; with "
    "one fixed mask a smaller net is trained, and nothing else.",
)
def dropout_fresh(rng):
    x = _away_from_zero(rng, (20, 30))
    yield Case((x, 0.6), drive=drive_fresh, label="two calls without a seed")


def drive_seed(dropout_forward, x, p, seed):
    """What "seed" does to the mask."""
    state = np.random.get_state()  # classic solutions set this generator; nobody else may notice
    kept = []
    for number in (seed, seed, seed + 1):
        came = dropout_forward(x.copy(), {"p": p, "mode": "train", "seed": number})
        if came is None or came[0] is None:
            return None
        kept.append(np.asarray(came[0]) != 0)
    np.random.set_state(state)
    if not np.all(kept[0] == kept[1]):
        return "the same seed gives another mask"
    if np.all(kept[0] == kept[2]):
        return "another seed gives the same mask"
    return "repeatable"


@chapter.property(
    dropout_forward,
    "seed",
    "With a seed in `dropout_param` the same seed should give the same mask, and another seed "
    "another mask.",
)
def dropout_seed(rng):
    x = _away_from_zero(rng, (20, 30))
    yield Case((x, 0.6, int(rng.integers(1000))), drive=drive_seed, label="seeds s, s and s + 1")


def _dropout(x, dropout_param, bug):
    p, mode, seed = dropout_param["p"], dropout_param["mode"], dropout_param.get("seed")
    if mode == "test" and bug == "scaled_at_test":
        return x * p, (dropout_param, None)
    if mode == "test" and bug == "divided_at_test":
        return x / p, (dropout_param, None)
    if mode == "test" and bug != "active_at_test":
        return x, (dropout_param, None)
    if bug == "seed_zero":
        seed = 0
    if bug == "seed_ignored":
        seed = None
    rng = np.random.default_rng(seed)
    shape = {"mask_shared": x.shape[1:], "whole_examples": x.shape[:1] + (1,) * (x.ndim - 1)}
    draw = rng.random(shape.get(bug, x.shape))
    if bug == "normal_draw":
        draw = rng.standard_normal(x.shape)
    kept = draw > p if bug in ("keeps_the_rest", "p_drops") else draw < p
    if bug == "always_half":
        kept = draw < 0.5
    with np.errstate(all="ignore"):
        scale = {
            "p_drops": 1 / (1 - p) if p < 1 else 1.0,
            "not_scaled": 1.0,
            "scaled_at_test": 1.0,
            "divided_at_test": 1.0,
            "multiplied_by_p": p,
            "scaled_by_the_rest": 1 / (1 - p) if p < 1 else np.inf,
        }.get(bug, 1 / p)
        return x * kept * scale, (dropout_param, kept * scale)


_declare(
    dropout_forward,
    _bugged(_dropout),
    {
        "keeps_the_rest": (
            "A share of 1 - p is kept, and it is divided by p. Right at p = 0.5 only; at any other "
            "p the mean changes.",
            "`rng.random(x.shape) < p` keeps with probability p.",
        ),
        "p_drops": (
            "p is read as the probability of DROPPING: 1 - p is kept and divided by 1 - p. Good "
            "dropout, with p in its other meaning.",
            "Here p is the probability of keeping: `rng.random(x.shape) < p`, divided by p.",
        ),
        "not_scaled": (
            "What stays is not scaled: in test mode, where everything passes, the next layer gets "
            "1 / p times the signal it was trained on.",
            "Divide by p in training.",
        ),
        "scaled_at_test": (
            "Nothing is divided in training, and x is multiplied by p in test mode: dropout as "
            "first published. The inverted form divides in training and leaves x alone later.",
            "Divide the mask by p; in test mode return x.",
        ),
        "divided_at_test": (
            "x is divided by p in test mode, not in training.",
            "Divide the mask by p in training; in test mode return x.",
        ),
        "active_at_test": (
            "Entries are dropped in test mode too: predictions become random.",
            "In test mode return x.",
        ),
        "multiplied_by_p": (
            "What stays is multiplied by p where it should be divided: it became smaller still.",
            "`mask = (rng.random(x.shape) < p) / p`.",
        ),
        "scaled_by_the_rest": (
            "p is kept, and divided by 1 - p. Right at p = 0.5 only.",
            "Divide by p.",
        ),
        "always_half": (
            "Half of the entries stay, whatever p is.",
            "`rng.random(x.shape) < p`.",
        ),
        "normal_draw": (
            "Neither p nor 1 - p is kept: it looks as if numbers from a normal distribution are "
            "compared with p.",
            "`rng.random`, uniform between 0 and 1.",
        ),
        "mask_shared": (
            "All examples of the batch share one mask.",
            "Draw a mask with the shape of x.",
        ),
        "whole_examples": (
            "Whole examples are dropped.",
            "Draw a mask with the shape of x.",
        ),
        "seed_zero": (
            "The mask is always the same: it looks as if the generator starts from a fixed seed at "
            "every call.",
            "`np.random.default_rng(dropout_param.get('seed'))`: `None` draws anew each time.",
        ),
        "seed_ignored": (
            "`dropout_param['seed']` has no effect: the draw cannot be repeated.",
            "`np.random.default_rng(dropout_param.get('seed'))`.",
        ),
    },
)


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=dropout_forward,
    difficulty=1,
    minutes=4,
    hints=(
        "out = x * mask, with a mask that does not depend on x. What is the derivative of each "
        "entry?",
        "The same mask as on the way forward, its scale included. A new draw would let the "
        "gradient of other entries pass.",
        f"In training `dout * mask`, in test mode `dout`. {WHOLE}",
    ),
    afterthought="What gradient do the weights of a dropped unit get in that pass?",
)
def dropout_backward(dout, cache):
    """The gradient of inverted dropout.

    Parameters
    ----------
    dout : array like out
        The gradient of the loss with respect to out.
    cache
        From `dropout_forward`.

    Returns
    -------
    dx : array like x
    """
    dropout_param, mask = cache
    return dout if dropout_param["mode"] == "test" else dout * mask


def drive_same_mask(dropout_backward, x, dout, p):
    """Does the gradient pass where the signal passed, multiplied by the same number?"""
    forward = getattr(dropout_backward, "__globals__", {}).get("dropout_forward")
    param = {"p": p, "mode": "train"}
    mask = (np.random.default_rng(3).random(x.shape) < p) / p
    came = x * mask, (param, mask)  # the usual layout, where there is no forward to ask
    if forward is not None:
        try:
            came = forward(x.copy(), dict(param))
        except NotImplementedError:
            pass
    if not isinstance(came, (tuple, list)) or len(came) < 2 or came[0] is None:
        return "there is no dropout_forward beside it"
    factor = np.asarray(came[0], float) / x
    dx = dropout_backward(dout.copy(), came[1])
    if dx is None:
        return None
    got = np.asarray(dx[0] if isinstance(dx, tuple) else dx, float)
    if got.shape != x.shape:
        return f"dx has shape {got.shape}"
    got = got / dout
    for name, wanted in [
        ("as the signal did", factor),
        ("everywhere", np.ones_like(x)),
        ("in the right places, not scaled", 1.0 * (factor != 0)),
        ("in the right places, scaled twice", factor**2),
        ("where the signal did not pass", 1.0 * (factor == 0)),
    ]:
        if np.all(np.abs(got - wanted) < 1e-5 * np.abs(factor).max()):
            return f"the gradient passes {name}"
    same = np.mean((got != 0) == (factor != 0))
    return "other entries pass" if same < 1 else "the gradient has another scale"


@chapter.cases(dropout_backward)
def dropout_backward_cases(rng):
    for shape, p, mode in [((3, 4), 0.3, "test"), ((2, 5), 1.0, "train"), ((5, 2, 3), 0.8, "test")]:
        param, label = {"p": p, "mode": mode}, f"x has shape {shape}, {mode} mode, p = {p}"
        yield Case((_away_from_zero(rng, shape), param), label=label)


@chapter.property(
    dropout_backward,
    "same_mask",
    "In training the gradient does not pass as the signal did: same places, same scale. "
    "(`dropout_forward` runs first, and its own cache is handed on.)",
)
def dropout_same_mask(rng):
    for shape, p in [((6, 9), 0.3), ((3, 4, 5), 0.8)]:
        x, dout = _away_from_zero(rng, shape), _away_from_zero(rng, shape)
        label = f"x has shape {shape}, train mode, p = {p}"
        yield Case((x, dout, p), drive=drive_same_mask, label=label)


def _dropout_back(bug):
    def wrong(dout, cache):
        dropout_param, mask = cache
        if bug == "mask_in_test_mode":
            return dout * mask
        if dropout_param["mode"] == "test":
            return dout
        return {
            "mask_ignored": dout,
            "not_scaled": dout * (mask > 0),
            "scaled_twice": dout * mask * mask,
            "dropped_pass": dout * (mask == 0),
            "another_mask": dout * np.random.default_rng().permuted(mask),
        }[bug]

    return wrong


_declare(
    dropout_backward,
    _dropout_back,
    {
        "mask_ignored": (
            "The gradient passes everywhere, also where the signal was dropped.",
            "Multiply dout by the mask of the forward pass.",
        ),
        "not_scaled": (
            "The gradient passes in the right places, and the division by p is missing.",
            "Keep the scaled mask in the cache: dx = dout * mask.",
        ),
        "scaled_twice": (
            "The division by p comes twice on the way back.",
            "The mask contains 1 / p already: dx = dout * mask.",
        ),
        "dropped_pass": (
            "The gradient passes where the signal did NOT: the mask is turned round.",
            "dx = dout * mask, the same mask as forward.",
        ),
        "another_mask": (
            "Other entries pass than on the way forward: it looks as if a new mask is drawn.",
            "The forward pass puts its mask into the cache.",
        ),
        "mask_in_test_mode": (
            "In test mode there is no mask, and this function asks for one.",
            "In test mode dx = dout.",
        ),
    },
)


# --- early stopping ------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="stopped, best_epoch, best_loss, params",
    difficulty=3,
    minutes=12,
    hints=(
        "Three things have to be remembered: the best loss, a copy of the parameters it belongs "
        "to, and how many checks have passed since.",
        "Better means: below the best by MORE than min_delta. Everything else, nan too, makes the "
        "count go up. An array that is trained in place changes under a name that was kept.",
        "`if loss < self.best_loss - self.min_delta:` keep loss, epoch and `{name: value.copy() "
        "...}`, count 0; else count + 1. Return `self.waited >= self.patience`. "
        f"{WHOLE}",
    ),
    afterthought="The best of many noisy validation losses is a little lucky. What does that say "
    "about reporting it as the result?",
)
class EarlyStopping:
    """Stop training when the validation loss has not improved for a while; keep the best.

    Parameters
    ----------
    patience : int
        So many checks in a row without an improvement end the training.
    min_delta : float
        A loss is an improvement if it lies below the best so far by MORE than this. Other losses
        leave the best as it is. A loss of nan is no improvement.
    restore_best : bool
        Whether `restore` puts the best parameters back.

    Attributes
    ----------
    best_loss : float
        The best loss so far (inf before the first check).
    best_epoch : int
        Its number; the first check is number 0.
    """

    def __init__(self, patience=5, min_delta=0.0, restore_best=True):
        self.patience, self.min_delta, self.restore_best = patience, min_delta, restore_best
        self.best_loss, self.best_epoch = np.inf, -1
        ### BEGIN SOLUTION
        self.best_params, self.waited, self.epoch = {}, 0, -1
        ### END SOLUTION

    def update(self, loss, params):
        """Note one check; True if training should stop now.

        Parameters
        ----------
        loss : float
            The validation loss.
        params : dict of arrays
            The parameters as they are now. Training goes on to change these arrays in place.
        """
        ### BEGIN SOLUTION
        self.epoch += 1
        if loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch, self.waited = loss, self.epoch, 0
            self.best_params = {name: value.copy() for name, value in params.items()}
        else:
            self.waited += 1
        return self.waited >= self.patience
        ### END SOLUTION

    def restore(self, params):
        """Put the best parameters back into the dict `params` (if `restore_best`)."""
        ### BEGIN SOLUTION
        if self.restore_best:
            params.update({name: value.copy() for name, value in self.best_params.items()})
        ### END SOLUTION


def drive_stopping(EarlyStopping, losses, settings):
    """Train for scripted losses; when it stopped, what it kept, what is in params at the end."""
    stopper = EarlyStopping(**settings)
    params = {"W": np.zeros((2, 3)), "b": np.zeros(3)}
    stopped = len(losses)
    for epoch, loss in enumerate(losses):
        params["W"] += 1.0  # training, in place
        params["b"] = params["b"] - 0.5  # and with a new array
        if stopper.update(loss, params):
            stopped = epoch
            break
    net = {name: np.full_like(value, 99.0) for name, value in params.items()}
    stopper.restore(net)
    return int(stopped), int(stopper.best_epoch), float(stopper.best_loss), net


SCRIPTS = [
    ("patience 2", [1.0, 0.7, 0.8, 0.75, 0.6, 0.5], {"patience": 2}),
    (
        "patience 3, a better loss in between",
        [1.0, 0.6, 0.7, 0.65, 0.5, 0.55, 0.52, 0.51, 0.3],
        {"patience": 3},
    ),
    (
        "patience 3, min_delta 0.1",
        [1.0, 0.95, 0.88, 0.85, 0.81, 0.79, 0.83, 0.8, 0.77, 0.4, 0.43],
        {"patience": 3, "min_delta": 0.1},
    ),
    (
        "patience 2, min_delta 0.1, losses that creep down",
        [1.0, 0.93, 0.86, 0.79, 0.72, 0.65],
        {"patience": 2, "min_delta": 0.1},
    ),
    ("patience 4, never stops", [0.9, 0.8, 0.85, 0.7, 0.6, 0.65, 0.64], {"patience": 4}),
    (
        "patience 2, restore_best off",
        [0.9, 0.5, 0.6, 0.7, 0.4],
        {"patience": 2, "restore_best": False},
    ),
    ("patience 1", [0.9, 0.5, 0.6, 0.4], {"patience": 1}),
    ("patience 2, down after each rise", [1.0, 0.5, 0.9, 0.8, 0.7, 0.45], {"patience": 2}),
]


@chapter.cases(EarlyStopping)
def stopping_cases(rng):
    for label, losses, settings in SCRIPTS:
        factor = rng.uniform(1.0, 1.04)  # other numbers for every seed, the same story
        scaled = [round(float(factor * loss), 6) for loss in losses]
        yield Case((scaled, settings), drive=drive_stopping, label=label)


def drive_nan(EarlyStopping, losses, settings):
    """When training stops, with a loss that is nan on the way."""
    stopper, params = EarlyStopping(**settings), {"W": np.zeros(2)}
    for epoch, loss in enumerate(losses):
        answer = stopper.update(loss, params)
        if answer is None:
            return None
        if answer:
            return f"stopped at check {epoch}, best {float(stopper.best_loss):.6g}"
    return f"did not stop, best {float(stopper.best_loss):.6g}"


@chapter.property(
    EarlyStopping,
    "nan",
    "A loss of nan was taken for an improvement, or stopped the counting. No comparison with nan "
    "is true: ask whether the loss IS better, not whether it is worse.",
)
def stopping_nan(rng):
    low = float(rng.uniform(0.4, 0.5))
    losses = [0.9, low, float("nan"), float("nan"), 0.3]
    yield Case((losses, {"patience": 2}), drive=drive_nan, label="nan at checks 2 and 3")


def _stopper(bug):
    class Wrong:
        def __init__(self, patience=5, min_delta=0.0, restore_best=True):
            self.patience, self.delta, self.back = patience, min_delta, restore_best
            self.best_loss, self.best_epoch, self.last = np.inf, -1, np.inf
            self.kept, self.waited, self.epoch = {}, 0, -1

        def update(self, loss, params):
            self.epoch += 1
            delta = {"delta_ignored": 0.0, "delta_sign": -self.delta}.get(bug, self.delta)
            against = self.last if bug == "compared_with_the_last" else self.best_loss
            better = loss < against - delta
            if bug == "asks_for_worse":
                better = not loss >= against - delta
            self.last = loss
            if better:
                self.waited = self.waited if bug == "count_never_reset" else 0
                self.best_loss, self.best_epoch = loss, self.epoch
                copies = {name: value.copy() for name, value in params.items()}
                aliased = dict(params) if bug == "copies_the_dict_only" else params
                kept_alias = bug in ("copies_the_dict_only", "keeps_a_name")
                self.kept = aliased if kept_alias else copies
            else:
                self.waited += 1
                if bug == "best_creeps" and loss < self.best_loss:
                    self.best_loss, self.best_epoch = loss, self.epoch
                    self.kept = {name: value.copy() for name, value in params.items()}
            if bug == "one_check_late":
                return self.waited > self.patience
            if bug == "one_check_early":
                return self.waited >= max(self.patience - 1, 1)
            return self.waited >= self.patience

        def restore(self, params):
            if bug == "nothing_restored" or (not self.back and bug != "always_restores"):
                return
            params.update(self.kept)

    return Wrong


_declare(
    EarlyStopping,
    _stopper,
    {
        "compared_with_the_last": (
            "Each loss is compared with the one before it, not with the best so far: a loss that "
            "rises and falls a little counts as an improvement.",
            "Compare with `self.best_loss`.",
        ),
        "count_never_reset": (
            "An improvement does not set the count back to 0: bad checks are added up over the "
            "whole training.",
            "`self.waited = 0` at each improvement.",
        ),
        "one_check_late": (
            "It stops one check too late: after patience + 1 checks without an improvement.",
            "`self.waited >= self.patience`.",
        ),
        "one_check_early": (
            "It stops one check too early.",
            "`self.waited >= self.patience`; the count goes up by 1 at each check without an "
            "improvement.",
        ),
        "delta_ignored": (
            "Any loss below the best counts: `min_delta` seems not to be used.",
            "`loss < self.best_loss - self.min_delta`.",
        ),
        "delta_sign": (
            "min_delta has the wrong sign: a loss a little ABOVE the best counts as an "
            "improvement.",
            "`loss < self.best_loss - self.min_delta`.",
        ),
        "best_creeps": (
            "The best is renewed by falls smaller than min_delta while the count goes on: the next "
            "loss is then measured against another best.",
            "Renew the best only when the loss is an improvement.",
        ),
        "keeps_a_name": (
            "The parameters that come back are the last ones, not the best: `self.best = params` "
            "keeps a second name for the same dict.",
            "Copy every array: `{name: value.copy() for name, value in params.items()}`.",
        ),
        "copies_the_dict_only": (
            "Some of the parameters that come back are the last ones: the dict was copied and its "
            "arrays were not. What is trained in place changes in both.",
            "Copy every array: `{name: value.copy() for name, value in params.items()}`.",
        ),
        "nothing_restored": (
            "`restore` changes nothing: the last parameters stay.",
            "`params.update(...)` with copies of the best.",
        ),
        "always_restores": (
            "The best parameters came back although `restore_best` is False.",
            "`if self.restore_best:`.",
        ),
        "asks_for_worse": (
            "All is right but nan: it counts as an improvement, since the question was whether the "
            "loss is worse.",
            "Ask `if loss < self.best_loss - self.min_delta:`, which is False for nan.",
        ),
    },
)


# --- debug: a net with dropout and a penalty, five bugs planted ----------------------------------

DEBUG_STUB = '''def debug_regularised_loss(X, y, W1, b1, W2, b2, l2, p, u):
    """Loss and gradients of a net with dropout and a penalty, with five bugs in five lines.

    A hidden layer with ReLU, inverted dropout behind it, then scores. The loss is the mean
    cross-entropy of the softmax plus l2 * (sum of W1**2 + sum of W2**2). `u` holds a number
    between 0 and 1 for each hidden entry, in place of a draw: an entry is kept where u < p.
    Returns loss, dW1, db1, dW2, db2.
    """
    N = len(y)
    # forward
    h = np.maximum(0, X @ W1 + b1)
    mask = (u > p) / p
    kept = h * mask
    scores = kept @ W2 + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    share = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(share[np.arange(N), y]).mean()
    loss = loss + l2 * (np.sum(W1**2) + np.sum(W2**2)) / N
    # backward
    decay = l2
    dscores = (share - np.eye(W2.shape[1])[y]) / N
    dW2 = kept.T @ dscores + decay * W2
    db2 = dscores.sum(axis=0)
    dh = (dscores @ W2.T) * (mask > 0)
    dz = dh * (h > 0)
    dW1 = X.T @ dz + decay * W1
    db1 = dz.sum(axis=0) + decay * b1
    return loss, dW1, db1, dW2, db2
'''


def _regularised(X, y, W1, b1, W2, b2, l2, p, u, bugs=()):
    """The debug exercise with only the named bugs left in."""
    N = len(y)
    h = np.maximum(0, X @ W1 + b1)
    mask = ((u > p) if "kept" in bugs else (u < p)) / p
    kept = h * mask
    scores = kept @ W2 + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    share = e / e.sum(axis=1, keepdims=True)
    penalty = l2 * (np.sum(W1**2) + np.sum(W2**2)) / (N if "mean" in bugs else 1)
    loss = -np.log(share[np.arange(N), y]).mean() + penalty
    decay = l2 if "factor" in bugs else 2 * l2
    dscores = (share - np.eye(W2.shape[1])[y]) / N
    dW2 = kept.T @ dscores + decay * W2
    dz = (dscores @ W2.T) * ((mask > 0) if "scale" in bugs else mask) * (h > 0)
    db1 = dz.sum(axis=0) + (decay * b1 if "bias" in bugs else 0)
    return loss, X.T @ dz + decay * W1, db1, dW2, dscores.sum(axis=0)


@chapter.exercise(
    points=4,
    returns="loss, dW1, db1, dW2, db2",
    difficulty=3,
    minutes=16,
    title="Debug: dropout and a penalty, five bugs",
    stub=DEBUG_STUB,
    hints=(
        "Two bugs are in the loss itself, and a gradient check is blind to a loss that is wrong. "
        "Look at them alone: the mean of `mask` over many draws should be 1; with l2 = 0 and then "
        "l2 = 1 the loss should differ by the sum of squares.",
        "Then the gradient check of the function against its own loss, one array after the other. "
        "With l2 = 0 the penalty is out of the way; with p = 1 the dropout is.",
        "(u < p) / p; no division by N in the penalty; decay = 2 * l2; dh is multiplied by mask, "
        f"scale included; db1 gets no decay. {WHOLE}",
    ),
    afterthought="Which of the five would a falling training loss have shown?",
)
def debug_regularised_loss(X, y, W1, b1, W2, b2, l2, p, u):
    """Loss and gradients of a net with dropout and a penalty, with five bugs in five lines.

    A hidden layer with ReLU, inverted dropout behind it, then scores. The loss is the mean
    cross-entropy of the softmax plus l2 * (sum of W1**2 + sum of W2**2). `u` holds a number
    between 0 and 1 for each hidden entry, in place of a draw: an entry is kept where u < p.
    Returns loss, dW1, db1, dW2, db2.
    """
    N = len(y)
    # forward
    h = np.maximum(0, X @ W1 + b1)
    mask = (u < p) / p
    kept = h * mask
    scores = kept @ W2 + b2
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    share = e / e.sum(axis=1, keepdims=True)
    loss = -np.log(share[np.arange(N), y]).mean()
    loss = loss + l2 * (np.sum(W1**2) + np.sum(W2**2))
    # backward
    decay = 2 * l2
    dscores = (share - np.eye(W2.shape[1])[y]) / N
    dW2 = kept.T @ dscores + decay * W2
    db2 = dscores.sum(axis=0)
    dh = (dscores @ W2.T) * mask
    dz = dh * (h > 0)
    dW1 = X.T @ dz + decay * W1
    db1 = dz.sum(axis=0)
    return loss, dW1, db1, dW2, db2


@chapter.cases(debug_regularised_loss)
def debug_cases(rng):
    for n, d, h, c, l2, p in [
        (5, 2, 6, 3, 0.1, 0.7),
        (7, 3, 5, 4, 0.02, 0.3),
        (9, 4, 8, 2, 0.3, 0.8),
    ]:
        while True:
            X, y = rng.standard_normal((n, d)), rng.integers(0, c, n)
            W1, b1 = rng.standard_normal((d, h)), rng.normal(0.5, 0.6, h)
            W2, b2 = rng.standard_normal((h, c)), rng.standard_normal(c)
            u, z = rng.random((n, h)), X @ W1 + b1
            some = [((z > 0) & side).sum() for side in (u < p, u > p)]
            if min(some) >= 4 and np.abs(z).min() > 1e-2 and np.abs(u - p).min() > 1e-3:
                break
        label = f"N = {n}, D = {d}, H = {h}, C = {c}, l2 = {l2}, p = {p}"
        yield Case((X, y, W1, b1, W2, b2, l2, p, u), label=label)


# In the order in which measuring finds them: the loss, then its gradients.
PLANTED = {
    "kept": "The loss is off, also without a penalty. Which share of the entries is kept, and what "
    "is the mean of `mask` over many draws?",
    "mean": "Without a penalty the loss is right. How far should it rise from l2 = 0 to l2 = 1?",
    "factor": "The loss is right. A gradient check with p = 1 and l2 above 0: what does it say "
    "about dW2, and by which factor?",
    "scale": "The penalty's gradient is right. A gradient check with l2 = 0 and p below 1: what "
    "does it say about dW1? What did the forward pass multiply h by?",
    "bias": "One gradient is left. Which arrays does the penalty of the loss contain?",
}


def _planted(bugs):
    def run(X, y, W1, b1, W2, b2, l2, p, u):
        return _regularised(X, y, W1, b1, W2, b2, l2, p, u, bugs)

    return run


for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        _key, _said = "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        chapter.mistake(debug_regularised_loss, _key, _said)(_planted(_bugs))


# --- more: the other penalties -------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="loss, dw",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "The absolute value has slope 1 on the right of 0 and -1 on the left.",
        "There is a function that gives -1, 0 or 1.",
        f"`l1 * np.sum(np.abs(w))` and `l1 * np.sign(w)`. {WHOLE}",
    ),
    afterthought="The gradient does not depend on how large a weight is. What does that do to a "
    "weight of 0.001, and what to one of 10?",
)
def l1_penalty(w, l1):
    """The absolute (L1) penalty: l1 times the sum of all absolute weights, and its gradient.

    Parameters
    ----------
    w : array of any shape
        Weights.
    l1 : float
        Strength of the penalty, at least 0.

    Returns
    -------
    loss : float
    dw : array like w
        At a weight of 0, where there is a corner, it is 0.
    """
    return l1 * np.sum(np.abs(w)), l1 * np.sign(w)


@chapter.cases(l1_penalty)
def l1_cases(rng):
    yield from _penalised(rng, 1.0)


def drive_corner(l1_penalty, w, l1):
    """The gradient where some weights are 0."""
    came = l1_penalty(w, l1)
    return None if came is None else came[1]


@chapter.property(
    l1_penalty, "corner", "At a weight of 0 the gradient should be 0: any pull would move it away."
)
def l1_corner(rng):
    w = np.array([0.0, *rng.uniform(0.5, 2, 3), 0.0, *-rng.uniform(0.5, 2, 2)])
    yield Case((w, 0.3), drive=drive_corner, label="some weights are 0")


def _l1(w, l1, bug):
    total, sign = np.sum(np.abs(w)), np.sign(w)
    with np.errstate(all="ignore"):
        return {
            "sign_missing": (l1 * total, l1 * w),
            "all_ones": (l1 * total, l1 * np.ones_like(w)),
            "absolute_gradient": (l1 * total, l1 * np.abs(w)),
            "not_absolute": (l1 * np.sum(w), l1 * np.ones_like(w)),
            "mean": (l1 * np.mean(np.abs(w)), l1 * sign / w.size),
            "strength_missing": (l1 * total, sign),
            "squares": (l1 * np.sum(w**2), 2 * l1 * w),
            "corner_left": (l1 * total, l1 * np.where(w > 0, 1.0, -1.0)),
            "corner_right": (l1 * total, l1 * np.where(w >= 0, 1.0, -1.0)),
            "corner_divided": (l1 * total, l1 * w / np.abs(w)),
        }[bug]


_declare(
    l1_penalty,
    _bugged(_l1),
    {
        "sign_missing": (
            "The gradient grows with w. That of |w| is 1 or -1.",
            "`l1 * np.sign(w)`.",
        ),
        "all_ones": (
            "The gradient is l1 everywhere, also where w is negative.",
            "`l1 * np.sign(w)`.",
        ),
        "absolute_gradient": ("The gradient equals l1 * |w|.", "`l1 * np.sign(w)`."),
        "not_absolute": (
            "The weights are added without their absolute values: they cancel.",
            "`np.sum(np.abs(w))`.",
        ),
        "mean": ("Divided by the number of weights: a mean where a sum is meant.", "`np.sum`."),
        "strength_missing": ("The gradient does not contain l1.", "`l1 * np.sign(w)`."),
        "squares": ("These are the values of the L2 penalty.", "`np.abs`, not a square."),
        "corner_left": ("A weight of 0 gets the gradient -l1.", "`np.sign(0)` is 0."),
        "corner_right": ("A weight of 0 gets the gradient l1.", "`np.sign(0)` is 0."),
        "corner_divided": ("w / |w| is nan at 0.", "`np.sign(0)` is 0."),
    },
)


@chapter.exercise(
    points=1,
    returns="loss, dw",
    difficulty=1,
    minutes=3,
    optional=True,
    hints=(
        "Both penalties at once: values add, and so do gradients.",
        "The two functions are there already, in this notebook or in the head.",
        "`l1 * np.sum(np.abs(w)) + l2 * np.sum(w**2)` and `l1 * np.sign(w) + 2 * l2 * w`. " + WHOLE,
    ),
    afterthought="Which of the two parts decides about a weight of 0.001, and which about 1000?",
)
def elastic_net_penalty(w, l1, l2):
    """The elastic net's penalty: l1 * sum(|w|) + l2 * sum(w^2), and its gradient.

    Parameters
    ----------
    w : array of any shape
    l1, l2 : float
        Strengths, at least 0. l1 = 0 leaves the squared penalty, l2 = 0 the absolute one.

    Returns
    -------
    loss : float
    dw : array like w
        At a weight of 0 the part of l1 is 0.

    References
    ----------
    H. Zou, T. Hastie, "Regularization and variable selection via the elastic net",
    J. R. Statist. Soc. B 67, 2005.
    """
    return l1 * np.sum(np.abs(w)) + l2 * np.sum(w**2), l1 * np.sign(w) + 2 * l2 * w


@chapter.cases(elastic_net_penalty)
def elastic_penalty_cases(rng):
    yield from _penalised(rng, 1.0, 0.7)


def _elastic(w, l1, l2, bug):
    a, s, da, ds = np.sum(np.abs(w)), np.sum(w**2), np.sign(w), 2 * w
    return {
        "factor": (l1 * a + l2 * s, l1 * da + l2 * w),
        "half": (l1 * a + 0.5 * l2 * s, l1 * da + l2 * w),
        "exchanged": (l2 * a + l1 * s, l2 * da + l1 * ds),
        "ratio": (l1 * (l2 * a + (1 - l2) / 2 * s), l1 * (l2 * da + (1 - l2) * w)),
        "l1_left_out": (l2 * s, l2 * ds),
        "l2_left_out": (l1 * a, l1 * da),
        "gradient_without_l1": (l1 * a + l2 * s, l2 * ds),
        "mean": (l1 * np.mean(np.abs(w)) + l2 * np.mean(w**2), (l1 * da + l2 * ds) / w.size),
    }[bug]


_declare(
    elastic_net_penalty,
    _bugged(_elastic),
    {
        "factor": (
            "The loss is right; the squared part of the gradient is half of what it should be.",
            "d/dw of l2 * w**2 is 2 * l2 * w.",
        ),
        "half": (
            "The squared part is half of what is asked for, in loss and gradient.",
            "l2 * sum(w**2), without 1/2.",
        ),
        "exchanged": ("l1 and l2 are exchanged.", "l1 belongs to |w|, l2 to w**2."),
        "ratio": (
            "l1 and l2 are read as the strength and the ratio of scikit-learn. Here they are two "
            "strengths.",
            "l1 * sum(|w|) + l2 * sum(w**2).",
        ),
        "l1_left_out": ("The part with l1 is missing.", "Add l1 * sum(|w|)."),
        "l2_left_out": ("The part with l2 is missing.", "Add l2 * sum(w**2)."),
        "gradient_without_l1": (
            "The loss is right; its gradient lacks the part of l1.",
            "Add l1 * sign(w).",
        ),
        "mean": ("Divided by the number of weights: a mean where a sum is meant.", "`np.sum`."),
    },
)


@chapter.exercise(
    points=1,
    returns="out",
    difficulty=2,
    minutes=4,
    optional=True,
    hints=(
        "Everything moves towards 0 by t, and nothing goes past it.",
        "The size becomes max(|z| - t, 0). And the sign?",
        f"`np.sign(z) * np.maximum(np.abs(z) - t, 0)`. {WHOLE}",
    ),
    afterthought="It is the minimum over w of (w - z)**2 / 2 + t * |w|. Where does the parabola "
    "win, where the corner?",
)
def soft_threshold(z, t):
    """Soft thresholding, the step of the L1 penalty: every entry moves towards 0 by t, or to 0.

    Entry by entry it is the w that minimises (w - z)^2 / 2 + t * |w|.

    Parameters
    ----------
    z : array of any shape
    t : float
        At least 0.

    Returns
    -------
    out : array like z
        Entries with |z| <= t are 0 exactly.
    """
    return np.sign(z) * np.maximum(np.abs(z) - t, 0)


@chapter.cases(soft_threshold)
def soft_cases(rng):
    for shape, t in [((6,), 0.8), ((4, 7), 0.3), ((2, 3, 4), 1.5)]:
        z = rng.uniform(0.1, 3, shape) * rng.choice([-1.0, 1.0], shape)
        z.flat[:4] = [t + 0.7, -t - 0.9, 0.6 * t, -0.4 * t]
        yield Case((z, t), label=f"z has shape {shape}, t = {t}")


def _soft(z, t, bug):
    return {
        "hard": z * (np.abs(z) > t),
        "past_zero": z - t * np.sign(z),
        "sign_lost": np.maximum(np.abs(z) - t, 0),
        "positive_only": np.maximum(z - t, 0),
        "clipped": np.clip(z, -t, t),
        "half": np.sign(z) * np.maximum(np.abs(z) - t / 2, 0),
        "outwards": np.sign(z) * (np.abs(z) + t) * (np.abs(z) > t),
    }[bug]


_declare(
    soft_threshold,
    _bugged(_soft),
    {
        "hard": ("Large entries did not move: that is hard thresholding.", "They lose t too."),
        "past_zero": ("Small entries went past 0 to the other side.", "`np.maximum(..., 0)`."),
        "sign_lost": ("No entry is negative: the sign was lost.", "Multiply by `np.sign(z)`."),
        "positive_only": ("Negative entries became 0.", "Work on |z|, give the sign back after."),
        "clipped": (
            "These are z clipped to -t ... t: what was taken OFF, not what is left.",
            "z - clip(z) is what is left.",
        ),
        "half": ("The entries moved by t / 2.", "By t."),
        "outwards": ("Large entries moved away from 0.", "|z| - t."),
    },
)


@chapter.exercise(
    points=2,
    returns="w, b",
    difficulty=3,
    minutes=6,
    optional=True,
    rtol=CONVERGED,
    seconds=5.0,
    hints=(
        "`lasso_fit` with one line changed. Which one feels the squared penalty?",
        "For one weight: size_j / 2 * w^2 - rho * w + l1 * |w| + l2 * w^2. Where is its minimum?",
        "`new = np.sign(rho) * max(abs(rho) - l1, 0) / (size[j] + 2 * l2)`. " + WHOLE,
    ),
    afterthought="Two equal columns: how does the lasso divide the weight between them, and how "
    "the elastic net?",
)
def elastic_net_fit(X, y, l1, l2, num_sweeps=1000):
    """Elastic net: a straight fit with both penalties, by coordinate descent.

    Minimises (1 / 2N) ||y - X w - b||^2 + l1 * sum(|w|) + l2 * sum(w^2); b is free. l1 = 0 is
    ridge regression, l2 = 0 the lasso. Weights that are removed are 0 exactly, and so is the weight
    of a constant column.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) array
    l1, l2 : float
        At least 0. (scikit-learn: alpha = l1 + 2 l2, l1_ratio = l1 / alpha.)
    num_sweeps : int
        It starts from w = 0, and may stop when a sweep moves no weight by more than 1e-10.

    Returns
    -------
    w : (D,) array
    b : float
    """
    N, D = X.shape
    Xc, r = X - X.mean(axis=0), y - y.mean()
    size = (Xc**2).mean(axis=0)  # (D,)
    constant = np.ptp(X, axis=0) == 0
    w = np.zeros(D)
    for _ in range(num_sweeps):
        before = w.copy()
        for j in range(D):
            if constant[j]:
                continue
            rho = Xc[:, j] @ r / N + size[j] * w[j]
            new = np.sign(rho) * max(abs(rho) - l1, 0) / (size[j] + 2 * l2)
            r = r + Xc[:, j] * (w[j] - new)
            w[j] = new
        if np.abs(w - before).max() < 1e-10:
            break
    return w, y.mean() - X.mean(axis=0) @ w


@chapter.cases(elastic_net_fit)
def elastic_cases(rng):
    for n, d, l1, l2 in [(9, 3, 0.3, 0.2), (7, 9, 0.5, 0.1), (14, 5, 0.0, 0.4), (15, 4, 0.4, 0.0)]:
        X, y = _sparse_table(rng, n, d, l1, l2)
        yield Case((X, y, l1, l2), label=f"N = {n}, D = {d}, l1 = {l1}, l2 = {l2}")


@chapter.property(elastic_net_fit, "exact_zeros", NOT_EXACT)
def elastic_zeros(rng):
    X, y = _sparse_table(rng, 12, 9, 0.6, 0.1)
    yield Case((X, y, 0.6, 0.1), drive=drive_zeros, label="N = 12, D = 9, l1 = 0.6, l2 = 0.1")


@chapter.property(elastic_net_fit, "constant_column", NOT_CONSTANT)
def elastic_constant(rng):
    label = "column 2 is constant, l2 = 0"
    yield Case((*_with_constant(rng, 0.2), 0.2, 0.0), drive=drive_w, label=label)


def _elastic_bug(bug):
    def wrong(X, y, l1, l2, num_sweeps=1000):
        if bug == "exchanged":
            l1, l2 = l2, l1
        return _coordinate(X, y, l1, l2, bug)

    return wrong


ELASTIC_BUGS = {
    "factor": (
        "The squared penalty counts half: it looks like size_j + l2 in the divisor.",
        "The gradient of l2 * w**2 is 2 * l2 * w, so 2 * l2 joins the divisor.",
    ),
    "l2_left_out": ("l2 has no effect: this is the lasso.", "Divide by size_j + 2 * l2."),
    "l2_not_divided": (
        "The squared penalty is too weak by a factor of N.",
        "size_j is a MEAN square; 2 * l2 is added to it as it is.",
    ),
    "l2_total": (
        "The squared penalty is too strong by a factor of N.",
        "size_j is a MEAN square; 2 * l2 is added to it as it is.",
    ),
    "alpha_and_ratio": (
        "l1 and l2 are read as scikit-learn's alpha and l1_ratio. Here they are two strengths.",
        "l1 is the threshold for rho, 2 * l2 joins the divisor.",
    ),
    "exchanged": ("l1 and l2 are exchanged.", "l1 is the threshold, 2 * l2 joins the divisor."),
    "rescaled": (
        "w is multiplied by 1 + 2 * l2 at the end, a correction from the first paper. The minimum "
        "of the loss is asked for.",
        "Leave w as it comes out of the sweeps.",
    ),
}
_shared = ("own_part_missing", "one_sweep", "residual_stays", "bias_zero", "divides_by_zero")
_declare(elastic_net_fit, _elastic_bug, {**ELASTIC_BUGS, **{key: FIT_BUGS[key] for key in _shared}})


# --- more: weight decay beside the gradient ------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="next_w, config",
    difficulty=2,
    minutes=8,
    optional=True,
    rtol=FORMS_AGREE,
    hints=(
        "Adam as it was, and beside its step another one, straight towards 0.",
        "The decay does not pass through m and v: there it would be divided by the gradient's own "
        "size, and weights with large gradients would hardly decay.",
        "`next_w = w - rate * (m_hat / (np.sqrt(v_hat) + epsilon) + decay * w)`; m and v see dw "
        f"only. {WHOLE}",
    ),
    afterthought="For plain gradient descent the two ways are the same. Which decay belongs to "
    "which l2?",
)
def adamw(w, dw, config=None):
    """One step of Adam with decoupled weight decay (AdamW).

    Adam's step from dw alone, and beside it learning_rate * weight_decay * w, both taken at the old
    w: next_w = w - learning_rate * (m_hat / (sqrt(v_hat) + epsilon) + weight_decay * w).

    Parameters
    ----------
    w : array of any shape
    dw : array like w
        The gradient of the loss, without any penalty.
    config : dict or None
        May hold "learning_rate" (1e-3), "beta1" (0.9), "beta2" (0.999), "epsilon" (1e-8),
        "weight_decay" (1e-2), and the states "m", "v" (zeros) and "t" (0), the count of steps.

    Returns
    -------
    next_w : array like w
    config : dict
        With the new "m", "v" and "t".

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019.
    """
    config = {} if config is None else config
    rate, decay = config.get("learning_rate", 1e-3), config.get("weight_decay", 1e-2)
    beta1, beta2 = config.get("beta1", 0.9), config.get("beta2", 0.999)
    epsilon = config.get("epsilon", 1e-8)
    t = config.get("t", 0) + 1
    m = beta1 * config.get("m", np.zeros_like(w)) + (1 - beta1) * dw
    v = beta2 * config.get("v", np.zeros_like(w)) + (1 - beta2) * dw**2
    config.update(m=m, v=v, t=t)
    m_hat, v_hat = m / (1 - beta1**t), v / (1 - beta2**t)
    return w - rate * (m_hat / (np.sqrt(v_hat) + epsilon) + decay * w), config


@chapter.cases(adamw)
def adamw_cases(rng):
    strong = {"learning_rate": 0.1, "weight_decay": 0.5, "beta1": 0.8, "beta2": 0.9}
    for steps, shape, config in [
        (1, (3,), None),
        (1, (4,), {"learning_rate": 0.1, "weight_decay": 0.3}),
        (4, (4, 5), None),
        (5, (2, 3, 5), strong),
        (3, (5, 7), {"learning_rate": 0.07, "weight_decay": 0.2, "t": 3}),
    ]:
        w = rng.uniform(0.5, 3, shape) * rng.choice([-1.0, 1.0], shape)
        g = rng.uniform(2, 5, (steps, *shape)) * rng.choice([-1.0, 1.0], (steps, *shape))
        if config and "t" in config:
            config = {**config, "m": rng.normal(0, 1, shape), "v": rng.uniform(2, 12, shape)}
        if steps == 4:
            g[:, 1] = 0.0  # these entries never have a gradient
        shown = {k: x for k, x in (config or {}).items() if k not in ("m", "v")}
        said = ", ".join(f"{k} {x:g}" for k, x in shown.items()) or "config=None"
        yield Case((w, g, config), drive=drive_rule, label=f"{said}; steps: {steps}")


def _adamw(w, dw, config=None, bug=""):
    config = dict(config or {})
    rate, decay = config.get("learning_rate", 1e-3), config.get("weight_decay", 1e-2)
    beta1, beta2 = config.get("beta1", 0.9), config.get("beta2", 0.999)
    if bug == "decay_fixed":
        decay = 1e-2
    if bug == "in_the_gradient":
        dw = dw + decay * w
    if bug == "in_the_gradient_twice":
        dw = dw + 2 * decay * w
    t = config.get("t", 0) + 1
    m = beta1 * config.get("m", 0 * w) + (1 - beta1) * dw
    v = beta2 * config.get("v", 0 * w) + (1 - beta2) * dw**2
    config.update(m=m, v=v, t=t)
    if bug == "no_bias_correction":
        step = rate * m / (np.sqrt(v) + 1e-8)
    else:
        step = rate * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + 1e-8)
    shrink = {
        "rate_missing": decay * w,
        "grows": -rate * decay * w,
        "factor": 2 * rate * decay * w,
        "after_the_step": rate * decay * (w - step),
        "divided_too": rate * decay * w / (np.sqrt(v / (1 - beta2**t)) + 1e-8),
        "no_decay": 0,
        "in_the_gradient": 0,
        "in_the_gradient_twice": 0,
    }.get(bug, rate * decay * w)
    return w - step - shrink, config


_declare(
    adamw,
    _bugged(_adamw),
    {
        "in_the_gradient": (
            "The decay is added to the gradient: that is Adam with an L2 penalty. It passes "
            "through m and v, and is divided by the gradient's size.",
            "m and v see dw only; subtract rate * decay * w beside the step.",
        ),
        "in_the_gradient_twice": (
            "2 * decay * w is added to the gradient: that is Adam with an L2 penalty.",
            "m and v see dw only; subtract rate * decay * w beside the step.",
        ),
        "divided_too": (
            "m is Adam's own, but the decay is divided by the root of v as well.",
            "Only m_hat is divided; decay * w is not.",
        ),
        "rate_missing": (
            "The decay is not multiplied by the learning rate: w shrinks far too fast.",
            "rate * decay * w.",
        ),
        "grows": ("The decay has the wrong sign: the weights grow.", "Subtract it."),
        "factor": ("The decay is twice too strong.", "rate * decay * w, without a 2."),
        "after_the_step": (
            "The decay acts on the weights after Adam's step. Both are to be taken at the old w.",
            "w - rate * (m_hat / ... + decay * w).",
        ),
        "no_decay": ("`weight_decay` has no effect: this is Adam.", "Subtract rate * decay * w."),
        "decay_fixed": (
            "The decay is always 0.01: `config['weight_decay']` seems not to be used.",
            "0.01 is the default only.",
        ),
        "no_bias_correction": (
            "The decay is right; m and v are used without their correction for the start.",
            "m / (1 - beta1**t), v / (1 - beta2**t).",
        ),
    },
)


# --- more: bias and variance ---------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="bias2, variance",
    difficulty=2,
    minutes=5,
    optional=True,
    title="`bias_variance`: two sources of one error",
    hints=(
        "Average the predictions over the training sets first. How far is that average from the "
        "truth? And how far do single fits lie from their own average?",
        "Axis 0 counts the training sets. Square at each point, then take the mean over points.",
        "`middle = predictions.mean(axis=0)`, `((middle - truth) ** 2).mean()`, "
        f"`((predictions - middle) ** 2).mean()`. {WHOLE}",
    ),
    afterthought="Add the two. Which error comes out, and what is missing if the truth is known "
    "with noise only?",
)
def bias_variance(predictions, truth):
    """Squared bias and variance of a method, from fits to many training sets.

    Parameters
    ----------
    predictions : (R, N) array
        Row r: what the fit to training set r says at N points.
    truth : (N,) array
        The values without noise.

    Returns
    -------
    bias2 : float
        (mean prediction - truth)^2 at each point, averaged over points.
    variance : float
        Mean square deviation of the predictions from their own mean at each point (divided by R),
        averaged over points.
    """
    middle = predictions.mean(axis=0)  # (R, N) -> (N,)
    return ((middle - truth) ** 2).mean(), ((predictions - middle) ** 2).mean()


@chapter.cases(bias_variance)
def bias_variance_cases(rng):
    for r, n in [(3, 4), (7, 2), (5, 9)]:
        truth = rng.normal(0, 2, n)
        predictions = truth + rng.uniform(0.3, 1, n) + rng.normal(0, 0.8, (r, n))
        yield Case((predictions, truth), label=f"{r} training sets, {n} points")


def _bias_variance(predictions, truth, bug):
    middle = predictions.mean(axis=0)
    bias2, variance = ((middle - truth) ** 2).mean(), predictions.var(axis=0).mean()
    return {
        "not_squared": (np.abs(middle - truth).mean(), variance),
        "points_averaged_first": ((middle - truth).mean() ** 2, variance),
        "total_error": (((predictions - truth) ** 2).mean(), variance),
        "around_the_truth": (bias2, ((predictions - truth) ** 2).mean()),
        "wrong_axis": (bias2, predictions.var(axis=1).mean()),
        "all_at_once": (bias2, predictions.var()),
        "deviation": (bias2, predictions.std(axis=0).mean()),
        "sample_variance": (bias2, predictions.var(axis=0, ddof=1).mean()),
        "summed": (bias2 * truth.size, variance * truth.size),
    }[bug]


_declare(
    bias_variance,
    _bugged(_bias_variance),
    {
        "not_squared": ("The bias is not squared.", "Square at each point, then take the mean."),
        "points_averaged_first": (
            "The bias is averaged over the points before it is squared: too high here and too low "
            "there cancel.",
            "Square at each point, then take the mean.",
        ),
        "total_error": (
            "bias2 is the whole error: single predictions against the truth. Their mean belongs "
            "there.",
            "`predictions.mean(axis=0)` first.",
        ),
        "around_the_truth": (
            "variance is the whole error: deviations from the truth, not from the mean prediction.",
            "Deviations from `predictions.mean(axis=0)`.",
        ),
        "wrong_axis": (
            "The variance is taken along the points of one fit. It is about different fits at the "
            "same point.",
            "`axis=0`.",
        ),
        "all_at_once": (
            "The variance is taken over all entries at once: it contains how the curve itself "
            "varies.",
            "`axis=0`, then the mean over points.",
        ),
        "deviation": ("The root is one too many: a standard deviation.", "Squares, no root."),
        "sample_variance": (
            "The variance is divided by R - 1. Here it is R, so that bias2 + variance is exactly "
            "the mean square error.",
            "`ddof=0`, the default.",
        ),
        "summed": ("Both are sums over the points; means are meant.", "`.mean()`."),
    },
)


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "regularisation_q1",
    "Epoch 8: training loss 0.30, validation loss 0.41. Epoch 60: training loss 0.02, validation "
    "loss 0.78. What has happened since epoch 8?",
    choices={
        "a": "underfitting: the net is too small",
        "b": "the learning rate is too small",
        "c": "overfitting: the net fits what is peculiar to its training examples",
        "d": "nothing to worry about: the training loss is what counts",
    },
    answer="c",
    wrong={
        "a": "A net that underfits has a high TRAINING loss. Here it is 0.02.",
        "b": "The training loss falls fifteenfold: the steps are long enough.",
        "d": "New data are like the validation data, and there the loss has nearly doubled.",
    },
    explanation="The gap has grown from 0.11 to 0.76. More data, a penalty, dropout, a smaller net "
    "or an early stop are worth a try; each has to show on the validation data that it helps.",
)
chapter.quiz(
    "regularisation_q2",
    "Training accuracy 61 %, validation accuracy 60 %, and a linear model gets 74 %. What is worth "
    "trying first?",
    choices={
        "a": "a weaker penalty, a better initialisation or learning rate, longer training",
        "b": "dropout",
        "c": "a stronger penalty",
        "d": "a smaller net",
    },
    answer="a",
    wrong={
        "b": "There is no gap to close: training and validation differ by one point.",
        "c": "A penalty makes the fit to the training data worse, and that fit is the problem.",
        "d": "Less capacity cannot help a net that does not fit its own training data.",
    },
    explanation="High error on both is underfitting: too little capacity, too strong a penalty, or "
    "an optimisation that goes nowhere, as after a bad initialisation (chapter 06).",
)
chapter.quiz(
    "regularisation_q3",
    "The penalty is l2 * sum(w**2) with l2 = 0.1. What is its gradient at a weight of -3? Answer "
    "with a number.",
    answer=-0.6,
    wrong={
        -0.3: "That belongs to 0.5 * l2 * sum(w**2). The square brings down a 2.",
        0.6: "The sign: the gradient points away from 0, to the left here.",
        0.9: "That is the penalty itself.",
        -0.1: "That is the gradient of l1 * |w|, with l1 = 0.1.",
        0.3: "Sign and factor: 2 * 0.1 * (-3).",
    },
    explanation="2 * l2 * w. Some texts write alpha * sum(w**2), some put 1/2 in front, and the "
    "gradients differ by 2. Penalty and gradient have to come from the same line.",
)
chapter.quiz(
    "regularisation_q4",
    "Which sentence about L1 and L2 penalties is right?",
    choices={
        "a": "both reduce the number of parameters",
        "b": "L2 sets many weights to exactly 0",
        "c": "both penalise biases like weights",
        "d": "L1 can set weights to exactly 0; L2 makes weights smaller, in general not 0",
    },
    answer="d",
    wrong={
        "a": "The count stays. L1 can make some of them 0, which then could be left out.",
        "b": "Near 0 the pull 2 * l2 * w fades away; nothing pushes a weight all the way.",
        "c": "A bias makes no function wilder, so it is left free, as in ridge and lasso here.",
    },
    explanation="The pull of L1 is as strong near 0 as far away, so it wins against a weak slope "
    "of the loss. The exact 0 needs a step that can reach it, such as soft thresholding.",
)
chapter.quiz(
    "regularisation_q5",
    "Inverted dropout keeps with p = 0.8. By what is a kept entry multiplied in training? Answer "
    "with a number.",
    answer=1.25,
    wrong={
        0.8: "That makes it smaller still. The mean should stay, so it has to become larger.",
        5: "That is 1 / (1 - p). One in five is dropped, so the others make up for one fifth.",
        1: "Then the mean in training is 0.8 x, and x in test mode.",
        0.2: "That is the probability of dropping.",
    },
    explanation="0.8 * 1.25 = 1: the mean over masks is x, and in test mode x passes untouched. "
    "The older form multiplies by 0.8 at test time instead.",
)
chapter.quiz(
    "regularisation_q6",
    "When is a new dropout mask drawn, and what happens to the dropped units?",
    choices={
        "a": "once for each epoch; they recompute their weights",
        "b": "at every forward pass in training, for each example; they pass no signal and no "
        "gradient in that pass",
        "c": "once, before training; they are removed for good",
        "d": "at every prediction too; the answers are then averaged",
    },
    answer="b",
    wrong={
        "a": "A mask lives for one forward and backward pass. Nothing is recomputed.",
        "c": "That would be a smaller net, and no dropout.",
        "d": "In test mode all units work. Averaging over masks is possible, and slow.",
    },
    explanation="Each pass trains another thinned net, all with shared weights; the whole net then "
    "comes near to their average. It makes each step noisier, so training usually takes longer.",
)
chapter.quiz(
    "regularisation_q7",
    "The elastic net has the penalty l1 * sum|w| + l2 * sum w**2. When is it ridge regression?",
    choices={
        "a": "for l1 = 0, with a straight fit and squared error",
        "b": "for l1 towards infinity",
        "c": "for l2 = 0",
        "d": "for l1 = l2",
    },
    answer="a",
    wrong={
        "b": "Then every weight is 0. A text says so; the lesson computes both limits.",
        "c": "Then it is the lasso.",
        "d": "Then both penalties are at work.",
    },
    explanation="Without the absolute part the squared one is left. The L2 penalty is the general "
    "idea; ridge regression is its use in a linear least-squares fit, where a closed form exists.",
)
chapter.quiz(
    "regularisation_q8",
    "A text lists cross-validation among the remedies for overfitting. Which sentence is right?",
    choices={
        "a": "it is one: each fold trains the model a little further",
        "b": "it is one: it makes the training set larger",
        "c": "it measures how well a setting does on new data, so a better setting can be chosen; "
        "the training itself is unchanged",
        "d": "it is a metric, like accuracy",
    },
    answer="c",
    wrong={
        "a": "Each fold trains a fresh model, which is thrown away.",
        "b": "Each fold trains on less than all data.",
        "d": "It is a procedure; any metric can be estimated with it.",
    },
    explanation="A thermometer is no medicine. It tells which strength of the medicine works, and "
    "that is worth a lot (chapter 14).",
)
chapter.quiz(
    "regularisation_q9",
    "Few training images, a large gap. Which of these is no remedy against overfitting?",
    choices={
        "a": "more training images, or shifted copies of them",
        "b": "averaging several nets that were trained apart",
        "c": "a penalty on the weights, dropout, or fewer hidden units",
        "d": "more epochs",
    },
    answer="d",
    wrong={
        "a": "More data make peculiarities average out: the surest remedy. Copies that keep the "
        "meaning help too (chapter 09).",
        "b": "An ensemble averages the variance away (chapter 22).",
        "c": "All three make wild functions dearer or impossible.",
    },
    explanation="A text advises more epochs for a small data set; it is the other way round: the "
    "gap mostly grows with time, and early stopping is the remedy. A learning-rate schedule is a "
    "tool of optimisation; it may help or hurt here.",
)
chapter.quiz(
    "regularisation_q10",
    "Twenty sigmoid layers whose gradient vanishes. What does an L2 penalty do about that?",
    choices={
        "a": "it cures it: the gradient of the penalty reaches every layer",
        "b": "it makes it worse if anything: smaller weights multiply the gradient by less",
        "c": "it cures it: the weights grow",
        "d": "it turns it into an explosion",
    },
    answer="b",
    wrong={
        "a": "That gradient knows nothing of the data: it only pulls the weights to 0.",
        "c": "A penalty makes weights smaller.",
        "d": "Smaller weights are the opposite of an explosion.",
    },
    explanation="On its way back the signal is multiplied by the weights of every layer (chapter "
    "06). Shrinking them may calm an explosion; it cannot bring back what has vanished.",
)
chapter.quiz(
    "regularisation_q11",
    "Adam with l2 * sum(w**2) in the loss, or AdamW: what is the difference?",
    choices={
        "a": "none: both multiply every weight by the same number",
        "b": "AdamW has no learning rate",
        "c": "AdamW penalises biases only",
        "d": "in the loss the pull is divided by the gradient's own size, so weights with large "
        "gradients hardly decay; AdamW shrinks all by the same factor",
    },
    answer="d",
    wrong={
        "a": "So it is for plain gradient descent. Adam divides whatever is in the gradient.",
        "b": "It has one, and the decay is multiplied by it.",
        "c": "Weights decay; biases are usually left out.",
    },
    explanation="rate * decay * w is taken off beside Adam's step. For plain descent "
    "decay = 2 * l2 gives the same path; for Adam no l2 does.",
)
chapter.quiz(
    "regularisation_q12",
    "Three training sets give the predictions 2, 4 and 6 at a point where the truth is 3. What is "
    "the squared bias there? Answer with a number.",
    answer=1,
    wrong={
        2.666667: "That is the variance: (4 + 0 + 4) / 3.",
        3.666667: "That is the whole error, bias and variance together: (1 + 1 + 9) / 3.",
        4: "That is the mean prediction. How far is it from the truth?",
        0: "The mean prediction is 4, not 3.",
    },
    rtol=1e-3,
    explanation="(4 - 3)**2 = 1, and the variance is 8/3; together 11/3, the mean square error. A "
    "stronger penalty lowers the variance and raises the bias. In between lies the best sum.",
)
