"""Chapter 00, start here: slopes by nudging, and how to compare two gradients fairly.

Functions that take functions are checked by drivers: the function that is differentiated is
defined inside the driver, so that its source can travel to the learner's process.
"""

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("00_start_here", "Start here")

# Right programs differ by rounding, about 1e-16 / h = 1e-11, and forward differences by about h.
AGREE = 1e-7


# --- a first exercise, to try the machinery ------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="means",
    difficulty=1,
    minutes=3,
    hints=(
        "One number for each column comes out. Which axis has to disappear: the rows (axis 0) or "
        "the columns (axis 1)?",
        "`X.mean(axis=k)` averages along axis k, and that axis is gone from the result.",
        "`return X.mean(axis=0)`. The whole answer stands in `solutions/00_start_here`.",
    ),
    afterthought="What shape has `X - column_means(X)`, and why does NumPy allow it?",
)
def column_means(X):
    """The mean of each column of a table.

    Parameters
    ----------
    X : (N, D) array
        N examples, one a row, with D numbers each.

    Returns
    -------
    means : (D,) array
    """
    return X.mean(axis=0)


@chapter.cases(column_means)
def column_means_cases(rng):
    for shape in [(3, 2), (5, 3), (4, 7)]:
        yield Case((rng.normal(1, 2, shape),), label=f"X has shape {shape}")


@chapter.mistake(
    column_means,
    "means_of_rows",
    "`means` has one number per row; one per column is asked for. It looks like a mean over "
    "axis 1. The axis that is named is the one that disappears.",
    "Average over axis 0, the rows.",
)
def column_means_means_of_rows(X):
    return X.mean(axis=1)


@chapter.mistake(
    column_means,
    "mean_of_everything",
    "`means` is a single number: it looks like the mean of the whole table. Without `axis`, NumPy "
    "averages over every axis.",
    "Name the axis: `axis=0`.",
)
def column_means_mean_of_everything(X):
    return X.mean()


@chapter.mistake(
    column_means,
    "sum_not_mean",
    "These values are the sums of the columns: N times the means.",
    "Divide by the number of rows, or use `mean`.",
)
def column_means_sum_not_mean(X):
    return X.sum(axis=0)


@chapter.mistake(
    column_means,
    "wrong_count",
    "These values look like column sums divided by the number of columns. A column holds N "
    "numbers, one for each row.",
    "Divide by `X.shape[0]`.",
)
def column_means_wrong_count(X):
    return X.sum(axis=0) / X.shape[1]


@chapter.mistake(
    column_means,
    "kept_row",
    "The numbers are right, in a table with one row: the shape is (1, D), and (D,) is asked for.",
    "Leave out `keepdims=True`.",
)
def column_means_kept_row(X):
    return X.mean(axis=0, keepdims=True)


# --- comparing two arrays ------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="error",
    difficulty=2,
    minutes=10,
    rtol=1e-6,
    hints=(
        "Two jobs, in this order: first the shapes, then the numbers. What does `a - b` do when "
        "the shapes are (3,) and (3, 1)?",
        "The numbers: the largest |a - b| of all, over the largest |entry| of both arrays "
        "together. For two arrays of zeros the second number needs a floor.",
        "`if a.shape != b.shape: raise ValueError(...)`, then "
        "`np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max(), 1e-300)`. The whole answer "
        "stands in `solutions/00_start_here`.",
    ),
    afterthought="One entry of `a` is nan. What comes out, and is that `< 1e-7`?",
)
def relative_error(a, b):
    """How far apart two arrays are, compared with their size.

        max|a - b| / max(max|a|, max|b|, tiny)

    Parameters
    ----------
    a, b : arrays of the same shape

    Returns
    -------
    error : float
        0 if they are equal; also for two arrays of zeros, where `tiny`, a number such as 1e-300,
        keeps 0/0 away.

    Raises
    ------
    ValueError
        If the shapes differ, even where NumPy would broadcast one to the other.
    """
    if a.shape != b.shape:
        raise ValueError(f"shapes differ: {a.shape} and {b.shape}")
    size = max(np.abs(a).max(), np.abs(b).max(), 1e-300)
    return np.abs(a - b).max() / size


@chapter.cases(relative_error)
def relative_error_cases(rng):
    a = np.array([1.0, -2.0, 4.0]) * rng.uniform(0.9, 1.1, 3)
    yield Case((a, a + np.array([0.1, -0.2, -0.5])), label="three numbers")
    for shape, scale in [((4, 3), 1.0), ((2, 3, 5), 50.0), ((5,), 1e-5)]:
        a = scale * rng.standard_normal(shape)
        b = a + 1e-3 * scale * rng.standard_normal(shape)
        b.flat[1] = a.flat[1] + 0.3 * scale  # the largest difference is negative ...
        b.flat[2] = -3.5 * scale  # ... or the largest entry is, and it stands in b
        a.flat[2] = b.flat[2] + 0.2 * scale
        yield Case((a, b), label=f"shape {shape}, numbers of size {scale:g}")
    a = rng.uniform(1, 2, (3, 2))
    yield Case((a, a * (1 + 1e-6 * rng.uniform(0.5, 1, (3, 2)))), label="equal to six digits")


def drive_unequal_shapes(relative_error, a, b):
    """What happens with shapes that NumPy would broadcast."""
    try:
        return f"the number {float(relative_error(a, b)):.3g}"
    except NotImplementedError:
        raise
    except ValueError:
        return "ValueError"  # or a kind of it
    except Exception as problem:
        return type(problem).__name__


@chapter.property(
    relative_error,
    "shapes_first",
    "For arrays of different shapes a ValueError is asked for, and something else came out. "
    "NumPy may stretch one array over the other, and a wrong gradient can then look right.",
)
def relative_error_shapes(rng):
    row = rng.standard_normal(3)
    yield Case((row, row[None, :]), drive=drive_unequal_shapes, label="shapes (3,) and (1, 3)")
    yield Case((row, row[:, None]), drive=drive_unequal_shapes, label="shapes (3,) and (3, 1)")
    yield Case((np.ones(4), np.ones(())), drive=drive_unequal_shapes, label="shapes (4,) and ()")


@chapter.property(
    relative_error,
    "two_zeros_are_equal",
    "Two arrays of zeros are equal: their relative error is 0. Here 0 was divided by 0.",
)
def relative_error_zeros(rng):
    yield Case((np.zeros((2, 3)), np.zeros((2, 3))), label="two arrays of zeros")


@chapter.mistake(
    relative_error,
    "broadcast",
    "Arrays of different shapes were compared: NumPy stretched one over the other. A bias gradient "
    "of shape (1, 3) in place of (3,) would pass, and later turn the bias into a table.",
    "First line: `if a.shape != b.shape: raise ValueError(...)`.",
)
def relative_error_broadcast(a, b):
    return np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max(), 1e-300)


@chapter.mistake(
    relative_error,
    "only_size_compared",
    "Shapes such as (3,) and (3, 1) were taken for equal: it looks as if the NUMBER of entries is "
    "compared, not the shape.",
    "Compare `a.shape` with `b.shape`.",
)
def relative_error_only_size_compared(a, b):
    if a.size != b.size:
        raise ValueError
    return relative_error_broadcast(a, b)


@chapter.mistake(
    relative_error,
    "assert_used",
    "Unequal shapes raise AssertionError here; a ValueError is asked for. Python skips an `assert` "
    "when it runs with -O, and callers cannot tell it from a bug.",
    "`raise ValueError(...)` under an `if`.",
)
def relative_error_assert_used(a, b):
    assert a.shape == b.shape
    return relative_error_broadcast(a, b)


@chapter.mistake(
    relative_error,
    "signed_difference",
    "The largest SIGNED difference was taken: an entry that is far too small counts for nothing.",
    "`np.abs(a - b).max()`: the absolute value comes first.",
)
def relative_error_signed_difference(a, b):
    return (a - b).max() / relative_error_size(a, b)


@chapter.mistake(
    relative_error,
    "sign_lost_late",
    "It looks as if the absolute value is taken after the maximum: |max(a - b)|. The largest "
    "difference may be a negative one.",
    "`np.abs(a - b).max()`, not `abs((a - b).max())`.",
)
def relative_error_sign_lost_late(a, b):
    return abs((a - b).max()) / relative_error_size(a, b)


@chapter.mistake(
    relative_error,
    "size_without_sign",
    "The size in the denominator looks like the largest entry, not the largest ABSOLUTE entry: "
    "negative numbers have a size too.",
    "`max(np.abs(a).max(), np.abs(b).max(), tiny)`.",
)
def relative_error_size_without_sign(a, b):
    if a.shape != b.shape:
        raise ValueError
    return np.abs(a - b).max() / max(a.max(), b.max(), 1e-300)


@chapter.mistake(
    relative_error,
    "sum_not_max",
    "The differences look added up, while the size is one entry's: the more entries, the larger "
    "this error. The largest difference is asked for.",
    "`.max()` in place of `.sum()`.",
)
def relative_error_sum_not_max(a, b):
    return np.abs(a - b).sum() / relative_error_size(a, b)


@chapter.mistake(
    relative_error,
    "mean_not_max",
    "The differences look averaged: one wrong entry among a thousand right ones would vanish.",
    "`.max()` in place of `.mean()`.",
)
def relative_error_mean_not_max(a, b):
    return np.abs(a - b).mean() / relative_error_size(a, b)


@chapter.mistake(
    relative_error,
    "entry_by_entry",
    "These values look like the largest ratio entry by entry, |a - b| / max(|a|, |b|). An entry "
    "that should be 0 holds only rounding noise, and its ratio can be 1 in a right gradient.",
    "Take both maxima first, then divide once.",
)
def relative_error_entry_by_entry(a, b):
    if a.shape != b.shape:
        raise ValueError
    return (np.abs(a - b) / np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-300)).max()


@chapter.mistake(
    relative_error,
    "sum_of_sizes",
    "The denominator looks like max|a| + max|b|: about twice the size, so the error comes out "
    "half as large.",
    "The larger of the two sizes, not their sum.",
)
def relative_error_sum_of_sizes(a, b):
    if a.shape != b.shape:
        raise ValueError
    return np.abs(a - b).max() / max(np.abs(a).max() + np.abs(b).max(), 1e-300)


@chapter.mistake(
    relative_error,
    "entry_by_entry_sum",
    "These values look like the largest ratio |a - b| / (|a| + |b|), entry by entry. An entry that "
    "should be 0 holds only rounding noise, and its ratio can be 1 in a right gradient.",
    "Take the maxima first, then divide once; the size is the larger one, not the sum.",
)
def relative_error_entry_by_entry_sum(a, b):
    if a.shape != b.shape:
        raise ValueError
    return (np.abs(a - b) / np.maximum(np.abs(a) + np.abs(b), 1e-8)).max()


@chapter.mistake(
    relative_error,
    "first_array_only",
    "The size looks taken from `a` alone. Then the error of (a, b) is not that of (b, a), and an "
    "`a` of zeros divides by nothing.",
    "Use the larger of max|a| and max|b|.",
)
def relative_error_first_array_only(a, b):
    if a.shape != b.shape:
        raise ValueError
    return np.abs(a - b).max() / max(np.abs(a).max(), 1e-300)


@chapter.mistake(
    relative_error,
    "absolute",
    "The difference is not divided by anything. Whether 0.001 is much depends on the size of the "
    "numbers.",
    "Divide by `max(max|a|, max|b|, tiny)`.",
)
def relative_error_absolute(a, b):
    if a.shape != b.shape:
        raise ValueError
    return np.abs(a - b).max()


@chapter.mistake(
    relative_error,
    "size_at_least_one",
    "For small numbers the error comes out far too small: it looks as if the size is never taken "
    "below 1. Late in training most gradients are small.",
    "Let `tiny` be tiny: 1e-300.",
)
def relative_error_size_at_least_one(a, b):
    if a.shape != b.shape:
        raise ValueError
    return np.abs(a - b).max() / max(np.abs(a).max(), np.abs(b).max(), 1.0)


@chapter.mistake(
    relative_error,
    "nothing_over_nothing",
    "Two arrays of zeros give 0/0. They are equal, so their error is 0.",
    "Put a tiny third number into the `max` of the denominator.",
)
def relative_error_nothing_over_nothing(a, b):
    if a.shape != b.shape:
        raise ValueError
    return np.abs(a - b).max() / np.maximum(np.abs(a).max(), np.abs(b).max())


def relative_error_size(a, b):
    """The right denominator, after the right look at the shapes."""
    if a.shape != b.shape:
        raise ValueError
    return max(np.abs(a).max(), np.abs(b).max(), 1e-300)


# --- one slope for each entry --------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="grad",
    difficulty=2,
    minutes=15,
    rtol=AGREE,
    hints=(
        "The gradient has one number for each entry of `x`, so it needs a loop over entries. "
        "`np.ndindex(x.shape)` walks through the indices of any shape.",
        "For each index: a copy with that ONE entry raised by h, a copy with it lowered by h, and "
        "the difference of the two values of f over 2h.",
        "`up, down = x.copy(), x.copy()`, then `up[i] += h`, `down[i] -= h`, "
        "`grad[i] = (f(up) - f(down)) / (2 * h)`. The whole answer stands in "
        "`solutions/00_start_here`.",
    ),
    afterthought="How often is f called for a million entries, and how long would that take if one "
    "call takes 10 ms?",
)
def numerical_gradient(f, x, h=1e-5):
    """The gradient of f at x by central differences, one entry after the other.

        grad[i] = (f(x with x[i] + h) - f(x with x[i] - h)) / (2 h)

    Parameters
    ----------
    f : function
        Takes an array of the shape of x, gives a number.
    x : array of any shape
        Floats; left unchanged.
    h : float
        The nudge.

    Returns
    -------
    grad : float array like x
    """
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        grad[i] = (f(up) - f(down)) / (2 * h)
    return grad


def drive_gradient_of_cubes(numerical_gradient, x, h):
    """f(x) = sum of x^3, with a step so coarse that a one-sided difference shows in the page."""
    return numerical_gradient(lambda x: np.sum(x**3), x, h)


def drive_gradient_of_waves(numerical_gradient, x):
    """Entries weighted differently and coupled: sum of x sin(x + k), plus (sum of x)^2 / n."""
    k = np.arange(x.size).reshape(x.shape)

    def f(x):
        return float((x * np.sin(x + k)).sum() + x.sum() ** 2 / x.size)

    return numerical_gradient(f, x)


def drive_gradient_of_loss(numerical_gradient, w, X, y):
    """The mean squared error of a linear layer, as a function of its weights."""
    return numerical_gradient(lambda w: ((X @ w - y) ** 2).mean(), w)


def drive_gradient_with_step(numerical_gradient, x, h):
    """A coarse step shows in the result, so h has to be used as it is given."""

    def f(x):
        return np.sum(np.exp(x) * (1 + x.sum()))

    return numerical_gradient(f, x, h)


@chapter.cases(numerical_gradient)
def numerical_gradient_cases(rng):
    x = np.array([0.5, -1.0, 2.0]) * rng.uniform(0.9, 1.1, 3)
    yield Case((x, 0.01), drive=drive_gradient_of_cubes, label="f(x) = sum(x**3), h = 0.01")
    for shape in [(2, 3), (2, 3, 5)]:
        yield Case(
            (rng.normal(0.5, 1, shape),),
            drive=drive_gradient_of_waves,
            label=f"f = sum(x * sin(x + k)) + sum(x)**2 / n, x of shape {shape}",
        )
    X, y = rng.standard_normal((7, 3)), rng.standard_normal((7, 2))
    w = rng.standard_normal((3, 2))
    yield Case((w, X, y), drive=drive_gradient_of_loss, label="f(w) = mean((X @ w - y)**2)")
    yield Case(
        (rng.uniform(-0.5, 1, 4), 0.1),
        drive=drive_gradient_with_step,
        label="a coarse step, h = 0.1",
    )


def drive_x_after_gradient(numerical_gradient, x):
    """What x holds after the call."""

    def f(x):
        return (x * np.sin(x)).sum()

    numerical_gradient(f, x)
    return x


@chapter.property(
    numerical_gradient,
    "x_left_unchanged",
    "After the call `x` holds other numbers than before. It belongs to the caller, and the next "
    "line of the caller's program would run on nudged values.",
)
def numerical_gradient_keeps_x(rng):
    yield Case((rng.uniform(0.5, 2, (3, 2)),), drive=drive_x_after_gradient, label="x after")


def _gradient_by(rule):
    """A gradient entry by entry; `rule(f, x, i, h)` gives one of them."""

    def numerical_gradient(f, x, h=1e-5):
        grad = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            grad[i] = rule(f, x.astype(float), i, h)
        return grad

    return numerical_gradient


def _moved(x, i, step):
    moved = x.copy()
    moved[i] += step
    return moved


GRADIENT_RULES = {
    "forward_difference": (
        "These values equal the forward difference (f(x + h) - f(x)) / h. Its error is of the size "
        "of h; that of the central difference is of the size of h squared.",
        "Nudge both ways: (f(x + h) - f(x - h)) / (2 h).",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(x)) / h,
    ),
    "backward_difference": (
        "These values equal the one-sided difference (f(x) - f(x - h)) / h. Its error is of the "
        "size of h; that of the central difference is of the size of h squared.",
        "Nudge both ways: (f(x + h) - f(x - h)) / (2 h).",
        lambda f, x, i, h: (f(x) - f(_moved(x, i, -h))) / h,
    ),
    "missing_half": (
        "Every entry is twice the right one: the two points lie 2h apart, and the difference looks "
        "divided by h.",
        "Divide by `2 * h`.",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(_moved(x, i, -h))) / h,
    ),
    "half_the_way": (
        "Every entry is half of the right one: it looks as if the entry is raised by h and then "
        "lowered by h, which leads back to where it started. The lower point lies at x - h.",
        "From x + h it takes a step of 2h down to reach x - h.",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(x)) / (2 * h),
    ),
    "brackets": (
        "Every entry is nearly nothing: it looks like `/ 2 * h`, which divides by 2 and then "
        "MULTIPLIES by h.",
        "Put the denominator in brackets: `/ (2 * h)`.",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(_moved(x, i, -h))) / 2 * h,
    ),
    "not_divided": (
        "These values are the differences f(x + h) - f(x - h), not yet divided by the distance.",
        "Divide by `2 * h`.",
        lambda f, x, i, h: f(_moved(x, i, h)) - f(_moved(x, i, -h)),
    ),
    "wrong_sign": (
        "Every entry has the opposite sign: it looks as if the upper value is subtracted from the "
        "lower one.",
        "f(x + h) comes first, minus f(x - h).",
        lambda f, x, i, h: (f(_moved(x, i, -h)) - f(_moved(x, i, h))) / (2 * h),
    ),
    "all_nudged_at_once": (
        "All entries are equal: it looks as if `x + h` nudges every entry at the same time. That "
        "gives the sum of all slopes.",
        "Nudge one entry only: `up[i] += h` on a copy.",
        lambda f, x, i, h: (f(x + h) - f(x - h)) / (2 * h),
    ),
    "same_array_twice": (
        "Every entry is zero. It looks as if both nudged points are one and the same array: "
        "`up = x` makes a second name, not a copy.",
        "Write `up = x.copy()` and `down = x.copy()`.",
        lambda f, x, i, h: 0.0 * f(x),
    ),
    "step_ignored": (
        "It is right for h = 1e-5 and wrong for another h: the argument `h` seems not to be used.",
        "Use `h`, not a number written into the function.",
        lambda f, x, i, h: (f(_moved(x, i, 1e-5)) - f(_moved(x, i, -1e-5))) / 2e-5,
    ),
}
for _key, (_message, _remedy, _rule) in GRADIENT_RULES.items():
    chapter.mistake(numerical_gradient, _key, _message, _remedy)(_gradient_by(_rule))


@chapter.mistake(
    numerical_gradient,
    "not_put_back",
    "`x` comes out nudged: it looks as if an entry is moved in place and not put back before the "
    "next one is moved.",
    "Work on a copy, or keep the old value and write it back.",
)
def numerical_gradient_not_put_back(f, x, h=1e-5):
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        grad[i] = (above - f(x)) / (2 * h)
    return grad


@chapter.mistake(
    numerical_gradient,
    "put_back_too_high",
    "`x` comes out changed: after `+= h` and `-= 2 * h`, adding 2h once more leaves it h too high.",
    "Add h, or keep the old value and write it back.",
)
def numerical_gradient_put_back_too_high(f, x, h=1e-5):
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        grad[i] = (above - f(x)) / (2 * h)
        x[i] += 2 * h
    return grad


@chapter.mistake(
    numerical_gradient,
    "flattened",
    "The numbers are right, in one long row: the gradient has the shape of `x`.",
    "Reshape to `x.shape` at the end.",
)
def numerical_gradient_flattened(f, x, h=1e-5):
    return numerical_gradient(f, x, h).reshape(-1)


# --- a whole table of slopes ---------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="J",
    difficulty=3,
    minutes=12,
    rtol=AGREE,
    hints=(
        "Nudge one entry of `x`, and the whole output answers: the difference of two outputs over "
        "2h is one COLUMN of the table.",
        "Call f once to learn the shape of the output; `J = np.zeros(out.shape + x.shape)`. For "
        "vectors, the column of entry j is `J[:, j]`.",
        "`J[(..., *i)] = (f(up) - f(down)) / (2 * h)` for every `i` in `np.ndindex(x.shape)`; the "
        "dots stand for all axes of the output. The whole answer stands in "
        "`solutions/00_start_here`.",
    ),
    afterthought="What is the Jacobian of f(x) = A @ x? And that of x -> x?",
)
def numerical_jacobian(f, x, h=1e-5):
    """All slopes of an array-valued f at x, by central differences.

    For vectors, x of shape (n,) and f(x) of shape (m,), it is the (m, n) table

        J[i, j] = (f(x with x[j] + h)[i] - f(x with x[j] - h)[i]) / (2 h)

    For other shapes the axes of the output come first, then those of x.

    Parameters
    ----------
    f : function
        Takes an array of the shape of x, gives an array.
    x : float array of any shape
        Left unchanged.
    h : float
        The nudge.

    Returns
    -------
    J : array of shape f(x).shape + x.shape
    """
    J = np.zeros(f(x).shape + x.shape)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += h
        down[i] -= h
        J[(..., *i)] = (f(up) - f(down)) / (2 * h)
    return J


def drive_jacobian_of_layer(numerical_jacobian, x, A):
    """f(x) = tanh(A x): n numbers in, m out."""
    return numerical_jacobian(lambda x: np.tanh(A @ x), x)


def drive_jacobian_of_products(numerical_jacobian, x, h):
    """Neighbours multiplied: n numbers in, n - 1 out."""
    return numerical_jacobian(lambda x: x[1:] * x[:-1] ** 2, x, h)


def drive_jacobian_with_step(numerical_jacobian, x, h):
    """A coarse step shows in the result."""
    return numerical_jacobian(lambda x: np.array([np.sum(x**3), np.exp(x).prod()]), x, h)


def drive_jacobian_of_table(numerical_jacobian, x, B):
    """f(x) = sin(x B) on tables: four axes come out."""
    return numerical_jacobian(lambda x: np.sin(x @ B), x)


def drive_x_after_jacobian(numerical_jacobian, x):
    """What x holds after the call."""
    numerical_jacobian(lambda x: np.array([x.sum() ** 2, x.prod()]), x)
    return x


@chapter.cases(numerical_jacobian)
def numerical_jacobian_cases(rng):
    x = rng.uniform(0.5, 2, 3)
    yield Case(
        (x, 0.01),
        drive=drive_jacobian_of_products,
        label="f(x) = x[1:] * x[:-1]**2, n = 3, h = 0.01",
    )
    for m, n in [(3, 5), (7, 2)]:
        yield Case(
            (rng.standard_normal(n), rng.normal(0, 0.7, (m, n))),
            drive=drive_jacobian_of_layer,
            label=f"f(x) = tanh(A @ x), m = {m}, n = {n}",
        )
    yield Case(
        (rng.uniform(0.3, 1, 3), 0.1),
        drive=drive_jacobian_with_step,
        label="a coarse step, h = 0.1",
    )


@chapter.property(
    numerical_jacobian,
    "tables",
    "For an `x` of shape (2, 3) and an output of shape (2, 5) the Jacobian has shape (2, 5, 2, 3): "
    "the axes of the output, then those of `x`.",
)
def numerical_jacobian_tables(rng):
    x, B = rng.standard_normal((2, 3)), rng.normal(0, 0.7, (3, 5))
    yield Case((x, B), drive=drive_jacobian_of_table, label="x (2, 3), output (2, 5)")


@chapter.property(
    numerical_jacobian,
    "x_left_unchanged",
    "After the call `x` holds other numbers than before. It belongs to the caller.",
)
def numerical_jacobian_keeps_x(rng):
    yield Case((rng.uniform(0.5, 2, 4),), drive=drive_x_after_jacobian, label="x after the call")


def _jacobian_by(rule):
    """Column by column; `rule(f, x, i, h)` gives the column of entry i."""

    def numerical_jacobian(f, x, h=1e-5):
        J = np.zeros(f(x).shape + x.shape)
        for i in np.ndindex(x.shape):
            J[(..., *i)] = rule(f, x, i, h)
        return J

    return numerical_jacobian


JACOBIAN_RULES = {
    "forward_difference": (
        "These values equal forward differences, (f(x + h) - f(x)) / h. Their error is of the size "
        "of h; that of central differences is of the size of h squared.",
        "Nudge both ways: (f(x + h) - f(x - h)) / (2 h).",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(x)) / h,
    ),
    "missing_half": (
        "Every entry is twice the right one: the two points lie 2h apart, and the difference looks "
        "divided by h.",
        "Divide by `2 * h`.",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(_moved(x, i, -h))) / h,
    ),
    "half_the_way": (
        "Every entry is half of the right one: it looks as if the entry is raised by h and then "
        "lowered by h, which leads back to where it started. The lower point lies at x - h.",
        "From x + h it takes a step of 2h down to reach x - h.",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(x)) / (2 * h),
    ),
    "brackets": (
        "Every entry is nearly nothing: it looks like `/ 2 * h`, which divides by 2 and then "
        "MULTIPLIES by h.",
        "Put the denominator in brackets: `/ (2 * h)`.",
        lambda f, x, i, h: (f(_moved(x, i, h)) - f(_moved(x, i, -h))) / 2 * h,
    ),
    "wrong_sign": (
        "Every entry has the opposite sign: it looks as if the upper value is subtracted from the "
        "lower one.",
        "f(x + h) comes first, minus f(x - h).",
        lambda f, x, i, h: (f(_moved(x, i, -h)) - f(_moved(x, i, h))) / (2 * h),
    ),
    "all_nudged_at_once": (
        "All columns are equal: it looks as if `x + h` nudges every entry at the same time.",
        "Nudge one entry only: `up[i] += h` on a copy.",
        lambda f, x, i, h: (f(x + h) - f(x - h)) / (2 * h),
    ),
    "step_ignored": (
        "It is right for h = 1e-5 and wrong for another h: the argument `h` seems not to be used.",
        "Use `h`, not a number written into the function.",
        lambda f, x, i, h: (f(_moved(x, i, 1e-5)) - f(_moved(x, i, -1e-5))) / 2e-5,
    ),
}
for _key, (_message, _remedy, _rule) in JACOBIAN_RULES.items():
    chapter.mistake(numerical_jacobian, _key, _message, _remedy)(_jacobian_by(_rule))


@chapter.mistake(
    numerical_jacobian,
    "transposed",
    "The axes are exchanged: those of `x` come first here. Row i of the Jacobian belongs to output "
    "i, column j to input j.",
    "Fill columns: `J[:, j] = ...`.",
)
def numerical_jacobian_transposed(f, x, h=1e-5):
    J = numerical_jacobian(f, x, h)
    out_axes = J.ndim - x.ndim
    return J.transpose(*range(out_axes, J.ndim), *range(out_axes))


@chapter.mistake(
    numerical_jacobian,
    "outputs_added",
    "One number for each entry of `x` came out: it looks as if the outputs are added up. That is "
    "the gradient of their sum.",
    "Keep the outputs apart: one row for each.",
)
def numerical_jacobian_outputs_added(f, x, h=1e-5):
    return numerical_gradient(lambda x: f(x).sum(), x, h)


@chapter.mistake(
    numerical_jacobian,
    "table_flattened",
    "It is right for vectors. For tables the axes are flattened: a (10, 6) table came out where "
    "(2, 5, 2, 3) is asked for.",
    "Reshape to `f(x).shape + x.shape`.",
)
def numerical_jacobian_table_flattened(f, x, h=1e-5):
    return numerical_jacobian(f, x, h).reshape(-1, x.size)


@chapter.mistake(
    numerical_jacobian,
    "not_put_back",
    "`x` comes out nudged: it looks as if an entry is moved in place and not put back before the "
    "next one is moved.",
    "Work on a copy, or keep the old value and write it back.",
)
def numerical_jacobian_not_put_back(f, x, h=1e-5):
    J = np.zeros(f(x).shape + x.shape)
    for i in np.ndindex(x.shape):
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        J[(..., *i)] = (above - f(x)) / (2 * h)
    return J


# --- one slope for all entries together ----------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="slope",
    difficulty=2,
    minutes=8,
    rtol=AGREE,
    hints=(
        "No loop: the whole of `x` takes one step along `v`, forwards and backwards.",
        "The two points are `x + h * v` and `x - h * v`. How far apart are they, counted in v?",
        "`(f(x + h * v) - f(x - h * v)) / (2 * h)`. The whole answer stands in "
        "`solutions/00_start_here`.",
    ),
    afterthought="If this number agrees with sum(grad * v) for one random v, can `grad` still be "
    "wrong?",
)
def directional_derivative(f, x, v, h=1e-5):
    """How fast f changes when x moves along v, by one central difference.

    It equals the sum over all entries of gradient times v, and costs two calls of f whatever the
    size of x.

        slope = (f(x + h v) - f(x - h v)) / (2 h)

    Parameters
    ----------
    f : function
        Takes an array of the shape of x, gives a number.
    x : array of any shape
        Left unchanged.
    v : array like x
        The direction, used as it is: a v twice as long gives a slope twice as large.
    h : float
        The step.

    Returns
    -------
    slope : float
    """
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


def drive_direction_of_waves(directional_derivative, x, v):
    """f = sum of x sin(x + k), plus (sum of x)^2 / n."""
    k = np.arange(x.size).reshape(x.shape)

    def f(x):
        return float((x * np.sin(x + k)).sum() + x.sum() ** 2 / x.size)

    return directional_derivative(f, x, v)


def drive_direction_of_cubes(directional_derivative, x, v):
    """f(x) = sum of x^3."""
    return directional_derivative(lambda x: np.sum(x**3), x, v)


def drive_direction_with_step(directional_derivative, x, v, h):
    """A coarse step shows in the result."""
    return directional_derivative(lambda x: np.exp(x).sum(), x, v, h)


def drive_x_and_v_after(directional_derivative, x, v):
    """What x and v hold after the call."""
    directional_derivative(lambda x: (x * np.sin(x)).sum(), x, v)
    return np.stack([x, v])


def drive_count_calls(directional_derivative, x, v):
    """A handful of calls of f, although x has a thousand entries."""
    calls = [0]

    def f(x):
        calls[0] += 1
        return (x * np.sin(x)).sum()

    slope = directional_derivative(f, x, v)
    if slope is None:
        return None
    return "a handful of calls" if calls[0] <= 10 else f"{calls[0]} calls"


@chapter.cases(directional_derivative)
def directional_derivative_cases(rng):
    yield Case(
        (rng.uniform(-0.5, 1, 4), np.array([0.0, 0.0, 1.0, 0.0]), 0.1),
        drive=drive_direction_with_step,
        label="f(x) = sum(exp(x)), v along one axis, a coarse step, h = 0.1",
    )
    x = np.array([0.5, -1.0, 2.0]) * rng.uniform(0.9, 1.1, 3)
    v = np.array([1.0, 0.5, 2.0]) * rng.uniform(0.9, 1.1, 3)
    yield Case((x, v), drive=drive_direction_of_cubes, label="f(x) = sum(x**3)")
    for shape in [(2, 3), (5, 3, 2)]:
        x = rng.normal(0.5, 1, shape)
        yield Case(
            (x, rng.uniform(0.5, 2, shape) * rng.choice([-1, 1, 1], shape)),
            drive=drive_direction_of_waves,
            label=f"f = sum(x * sin(x + k)) + sum(x)**2 / n, x of shape {shape}",
        )


@chapter.property(
    directional_derivative,
    "x_left_unchanged",
    "After the call `x` or `v` holds other numbers than before. Both belong to the caller.",
)
def directional_derivative_keeps_x(rng):
    x, v = rng.uniform(0.5, 2, (2, 3)), rng.uniform(0.5, 2, (2, 3))
    yield Case((x, v), drive=drive_x_and_v_after, label="x and v after the call")


@chapter.property(
    directional_derivative,
    "two_calls",
    "f is called again and again. Two calls are enough, for any number of entries: that is what "
    "the directional derivative is for.",
)
def directional_derivative_is_cheap(rng):
    x, v = rng.standard_normal((40, 25)), rng.standard_normal((40, 25))
    yield Case((x, v), drive=drive_count_calls, label="x has 1,000 entries")


DIRECTION_RULES = {
    "forward_difference": (
        "The value equals the forward difference (f(x + h v) - f(x)) / h. Its error is of the size "
        "of h; that of the central difference is of the size of h squared.",
        "Step both ways: (f(x + h v) - f(x - h v)) / (2 h).",
        lambda f, x, v, h=1e-5: (f(x + h * v) - f(x)) / h,
    ),
    "missing_half": (
        "The slope is twice the right one: the two points lie 2h apart, and the difference looks "
        "divided by h.",
        "Divide by `2 * h`.",
        lambda f, x, v, h=1e-5: (f(x + h * v) - f(x - h * v)) / h,
    ),
    "brackets": (
        "The slope is nearly nothing: it looks like `/ 2 * h`, which divides by 2 and then "
        "MULTIPLIES by h.",
        "Put the denominator in brackets: `/ (2 * h)`.",
        lambda f, x, v, h=1e-5: (f(x + h * v) - f(x - h * v)) / 2 * h,
    ),
    "wrong_sign": (
        "The slope has the opposite sign: it looks as if the step goes against `v`.",
        "f(x + h v) comes first, minus f(x - h v).",
        lambda f, x, v, h=1e-5: (f(x - h * v) - f(x + h * v)) / (2 * h),
    ),
    "made_unit_length": (
        "The slope equals the right one divided by the length of `v`: it looks as if `v` is "
        "brought to length 1. Then it no longer equals sum(gradient * v).",
        "Use `v` as it is.",
        lambda f, x, v, h=1e-5: _along(f, x, v / np.sqrt((v * v).sum()), h),
    ),
    "direction_ignored": (
        "The slope equals the one along (1, 1, ..., 1): `v` seems not to be used.",
        "Step by `h * v`, not by `h`.",
        lambda f, x, v, h=1e-5: _along(f, x, np.ones_like(x), h),
    ),
    "not_added_up": (
        "An array came out: it looks like gradient times `v`, entry by entry, not yet added up.",
        "One number is asked for; and no gradient is needed for it.",
        lambda f, x, v, h=1e-5: numerical_gradient(f, x, h) * v,
    ),
    "step_ignored": (
        "It is right for h = 1e-5 and wrong for another h: the argument `h` seems not to be used.",
        "Use `h`, not a number written into the function.",
        lambda f, x, v, h=1e-5: _along(f, x, v, 1e-5),
    ),
}


def _along(f, x, v, h):
    return (f(x + h * v) - f(x - h * v)) / (2 * h)


for _key, (_message, _remedy, _rule) in DIRECTION_RULES.items():
    chapter.mistake(directional_derivative, _key, _message, _remedy)(_rule)


@chapter.mistake(
    directional_derivative,
    "whole_gradient",
    "The slope looks right, and it costs 2 calls for every entry of `x`: it looks as if the whole "
    "numerical gradient is computed first. With a million entries that is the difference between "
    "a blink and a day.",
    "Two calls are enough: f(x + h v) and f(x - h v).",
)
def directional_derivative_whole_gradient(f, x, v, h=1e-5):
    return (numerical_gradient(f, x, h) * v).sum()


@chapter.mistake(
    directional_derivative,
    "moved_in_place",
    "`x` comes out moved: `x += h * v` changes the caller's array.",
    "`x + h * v` makes a new array.",
)
def directional_derivative_moved_in_place(f, x, v, h=1e-5):
    x += h * v
    above = f(x)
    x -= 2 * h * v
    return (above - f(x)) / (2 * h)


# --- debug: a straight line, four bugs -----------------------------------------------------------

DEBUG_STUB = '''def debug_line_gradients(X, y, w, b):
    """Gradients of the mean squared error of a linear fit, mean((X @ w + b - y)**2).

    Four things are wrong.

    Parameters
    ----------
    X : (N, D) array
    y : (N,) array
    w : (D,) array
    b : float

    Returns
    -------
    dw : (D,) array
    db : float
    """
    N = X.shape[1]  # number of examples
    error = X @ w + b - y
    rows = X - X.mean(axis=0)
    dw = rows.T @ error / N
    db = 2 * error / N
    return dw, db
'''


@chapter.exercise(
    points=3,
    returns="dw, db",
    difficulty=2,
    minutes=15,
    title="Debug: four bugs in five lines",
    stub=DEBUG_STUB,
    hints=(
        "Shapes first: which gradient does not have the shape of what it belongs to? Mend that "
        "one and measure again.",
        "Is the ratio to the numerical gradient the same for every entry of `dw`? If not, a line "
        "does something else than scaling. If it is, compare the ratio with 2, N and D.",
        "`N = X.shape[0]`; no `rows`, but `X` itself; `dw = 2 * X.T @ error / N`; "
        "`db = 2 * error.sum() / N`. The whole answer stands in `solutions/00_start_here`.",
    ),
    afterthought="With the bug in `rows`, training ends at the very same line. Why? What is the "
    "sum of the errors there?",
)
def debug_line_gradients(X, y, w, b):
    """Gradients of the mean squared error of a linear fit, mean((X @ w + b - y)**2).

    Parameters
    ----------
    X : (N, D) array
    y : (N,) array
    w : (D,) array
    b : float

    Returns
    -------
    dw : (D,) array
    db : float
    """
    N = X.shape[0]  # number of examples
    error = X @ w + b - y
    dw = 2 * X.T @ error / N
    db = 2 * error.sum() / N
    return dw, db


@chapter.cases(debug_line_gradients)
def debug_line_cases(rng):
    for n, d in [(5, 2), (7, 3), (11, 1), (3, 5)]:
        X = rng.normal(0.7, 1, (n, d))
        w, b = rng.standard_normal(d), float(rng.uniform(0.5, 1.5))
        y = X @ rng.standard_normal(d) - 1 + 0.1 * rng.standard_normal(n)
        yield Case((X, y, w, b), label=f"N = {n} examples, D = {d} features")


def _planted(names):
    """The buggy gradients with only the named bugs left in."""

    def gradients(X, y, w, b):
        N = X.shape[1] if "count" in names else X.shape[0]
        error = X @ w + b - y
        rows = X - X.mean(axis=0) if "centred" in names else X
        dw = (1 if "two" in names else 2) * rows.T @ error / N
        db = 2 * (error if "bias" in names else error.sum()) / N
        return dw, db

    return gradients


PLANTED = {
    "all_four_left": (
        {"count", "centred", "two", "bias"},
        "All four bugs are still in. `db` has one number per example, and `b` is one number: start "
        "there.",
    ),
    "bias_not_summed": (
        {"bias"},
        "One bug is left: `db` has one number per example. One `b` serves all of them, so their "
        "contributions add up.",
    ),
    "wrong_count": (
        {"count"},
        "One bug is left: both gradients are off by the same factor, examples / features. It looks "
        "as if N is read from the wrong axis.",
    ),
    "missing_two": (
        {"two"},
        "One bug is left: `dw` is half of what it should be. The square has a derivative with a 2.",
    ),
    "centred_rows": (
        {"centred"},
        "One bug is left, the quiet one: `db` is right, and `dw` is off by another amount for each "
        "entry. Which array should stand in the product, and which one does?",
    ),
    "three_left": (
        {"count", "centred", "two"},
        "`db` is a single number now; three bugs are left. Is the ratio of `dw` to the numerical "
        "gradient the same for every entry?",
    ),
    "count_and_two_left": (
        {"count", "two"},
        "Two bugs are left, both constant factors: one in `dw` and `db`, one in `dw` alone.",
    ),
    "centred_and_two_left": (
        {"centred", "two"},
        "Two bugs are left, both in the line of `dw`: a factor, and an array that is not `X`.",
    ),
    "count_and_centred_left": (
        {"count", "centred"},
        "Two bugs are left: a factor that both gradients share, and an array in the line of `dw` "
        "that is not `X`.",
    ),
}
for _key, (_names, _message) in PLANTED.items():
    chapter.mistake(debug_line_gradients, _key, _message)(_planted(_names))


# --- more: a slope without a subtraction ---------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="grad",
    difficulty=3,
    minutes=10,
    optional=True,
    rtol=1e-12,
    hints=(
        "Taylor again, with the step i h: f(x + i h) = f(x) + i h f'(x) - h^2 f''(x) / 2 - ... "
        "Where does f'(x) stand?",
        "It is the imaginary part, divided by h. Nothing is subtracted, so h may be as small as "
        "1e-30. The nudged copy has to hold complex numbers.",
        "`z = x.astype(complex)`, `z[i] += 1j * h`, `grad[i] = f(z).imag / h`. The whole answer "
        "stands in `solutions/00_start_here`.",
    ),
    afterthought="Why does this go wrong, silently, for a function with `np.abs` in it?",
)
def complex_step_gradient(f, x, h=1e-30):
    """The gradient of f at x by a step into the complex plane, exact to rounding.

        grad[i] = imaginary part of f(x with x[i] + i h), divided by h

    Parameters
    ----------
    f : function
        Takes a complex array of the shape of x, gives a complex number.
    x : float array of any shape
        Left unchanged.
    h : float
        May be tiny: nothing is subtracted.

    Returns
    -------
    grad : float array like x
    """
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        z = x.astype(complex)
        z[i] += 1j * h
        grad[i] = f(z).imag / h
    return grad


def drive_complex_step_of_waves(complex_step_gradient, x):
    """f = sum of x sin(x + k), plus (sum of x)^2 / n."""
    k = np.arange(x.size).reshape(x.shape)
    return complex_step_gradient(lambda x: (x * np.sin(x + k)).sum() + x.sum() ** 2 / x.size, x)


def drive_complex_step_of_cubes(complex_step_gradient, x):
    """f(x) = sum of x^3."""
    return complex_step_gradient(lambda x: np.sum(x**3), x)


def drive_complex_step_with_step(complex_step_gradient, x, h):
    """A coarse step shows in the result."""
    return complex_step_gradient(lambda x: np.sum(x**3), x, h)


@chapter.cases(complex_step_gradient)
def complex_step_cases(rng):
    x = np.array([0.5, -1.0, 2.0]) * rng.uniform(0.9, 1.1, 3)
    yield Case((x,), drive=drive_complex_step_of_cubes, label="f(x) = sum(x**3)")
    for shape in [(5,), (2, 3)]:
        yield Case(
            (rng.normal(0.5, 1, shape),),
            drive=drive_complex_step_of_waves,
            label=f"f = sum(x * sin(x + k)) + sum(x)**2 / n, x of shape {shape}",
        )
    x = rng.uniform(0.5, 2, 3)
    yield Case((x, 0.01), drive=drive_complex_step_with_step, label="a coarse step, h = 0.01")


def _complex_by(rule):
    def complex_step_gradient(f, x, h=1e-30):
        grad = np.zeros(x.shape)
        for i in np.ndindex(x.shape):
            grad[i] = rule(f, x, i, h)
        return grad

    return complex_step_gradient


COMPLEX_RULES = {
    "real_differences": (
        "The values are right to about ten digits only: it looks like a central difference with a "
        "real step, which loses digits in the subtraction.",
        "Step into the complex plane: `z[i] += 1j * h`.",
        lambda f, x, i, h: (f(_moved(x, i, 1e-5)) - f(_moved(x, i, -1e-5))) / 2e-5,
    ),
    "real_part": (
        "These values look like the real part, divided by h: enormous numbers. The slope stands in "
        "the imaginary part.",
        "Take `.imag`.",
        lambda f, x, i, h: f(_moved(x.astype(complex), i, 1j * h)).real / h,
    ),
    "divided_by_2h": (
        "Every entry is half of the right one: there is one step here, not two, so the divisor is "
        "h.",
        "Divide by `h`.",
        lambda f, x, i, h: f(_moved(x.astype(complex), i, 1j * h)).imag / (2 * h),
    ),
    "not_divided": (
        "These values look like the imaginary part itself, of size h: the division is missing.",
        "Divide by `h`.",
        lambda f, x, i, h: f(_moved(x.astype(complex), i, 1j * h)).imag,
    ),
    "real_nudge": (
        "Every entry is zero: it looks as if a real h is added. Then the imaginary part stays 0.",
        "Add `1j * h`.",
        lambda f, x, i, h: f(_moved(x.astype(complex), i, h)).imag / h,
    ),
    "all_nudged_at_once": (
        "All entries are equal: it looks as if every entry is nudged at the same time.",
        "Nudge one entry only: `z[i] += 1j * h`.",
        lambda f, x, i, h: f(x + 1j * h).imag / h,
    ),
}
for _key, (_message, _remedy, _rule) in COMPLEX_RULES.items():
    chapter.mistake(complex_step_gradient, _key, _message, _remedy)(_complex_by(_rule))


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "start_here_q1",
    "`prediction` has shape (6,) and `y` has shape (6, 1). What is the shape of `prediction - y`? "
    "Answer with a tuple.",
    answer=(6, 6),
    wrong={
        (6,): "NumPy does not drop the axis of length 1; it stretches it.",
        (6, 1): "The shape (6,) is read as (1, 6), and then both axes of length 1 are stretched.",
        (1, 6): "Both arrays are stretched, each along its axis of length 1.",
        (12,): "Subtraction does not join arrays.",
    },
    explanation="(6,) is read as (1, 6). Against (6, 1) both are stretched to (6, 6): every "
    "prediction minus every target, 36 numbers, and no error message.",
)
chapter.quiz(
    "start_here_q2",
    "`X` has shape (32, 10): 32 examples, one a row. What is the shape of `X.sum(axis=0)`? Answer "
    "with a tuple.",
    answer=(10,),
    wrong={
        (32,): "The axis that is named is the one that disappears: axis 0 has length 32.",
        (1, 10): "Only with `keepdims=True`.",
        (32, 1): "That is axis 1 with `keepdims=True`.",
        (): "Only a sum over all axes leaves a single number.",
    },
    explanation="The axis that is named disappears. Axis 0 counts the examples, so what is left is "
    "one number for each of the 10 columns.",
)
chapter.quiz(
    "start_here_q3",
    "`x = np.array([1.0, 2.0])`, then `up = x`, then `up[0] += 0.5`. What is `x[0]` now? Answer "
    "with a number.",
    answer=1.5,
    wrong={
        1: "`up = x` makes a second name for the same array. `x.copy()` makes a second array.",
        0.5: "`+=` adds to what is there.",
    },
    explanation="`up` and `x` are two names of one array. A function that nudges `up` nudges the "
    "caller's `x`. So does a slice or, often, a reshape: they are views.",
)
chapter.quiz(
    "start_here_q4",
    "Central differences in float64, numbers of ordinary size. Which h gives the smallest error?",
    choices={
        "a": "0.1",
        "b": "about 1e-5",
        "c": "about 1e-8",
        "d": "1e-15, as the derivative is the limit for h to 0",
    },
    answer="b",
    wrong={
        "a": "The curve bends within such a step: truncation, about h squared.",
        "c": "That is the best step of the FORWARD difference, near the square root of 2.2e-16.",
        "d": "The two values of f then agree in all but the last digit, and the rounding of that "
        "digit is divided by 1e-15.",
    },
    explanation="Truncation falls like h squared, rounding grows like 2.2e-16 / h. They meet near "
    "the cube root of 2.2e-16, about 6e-6.",
)
chapter.quiz(
    "start_here_q5",
    "A net has 1,000 parameters. How many times must its loss be computed for the whole gradient "
    "by central differences? Answer with a number.",
    answer=2000,
    wrong={
        1000: "Each parameter is nudged up and down: two losses for each.",
        1001: "That is the count of FORWARD differences: one nudge each, and the loss itself once.",
        2: "Two are enough for ONE direction: that is the directional derivative.",
        2001: "Central differences do not use the loss at the point itself.",
    },
    explanation="Two for each parameter. Along one direction two are enough, whatever the number "
    "of parameters. And backpropagation, chapter 02, gets the whole gradient for about three.",
)
chapter.quiz(
    "start_here_q6",
    "Somebody's gradient is exactly half of the right one in every entry. What does "
    "`relative_error(theirs, right)` give? Answer with a number.",
    answer=0.5,
    wrong={
        1: "The difference is |right| / 2, and the larger size is |right|.",
        2: "That is the ratio of the two.",
        0.25: "The size is the larger one of the two, not their sum and not a square.",
        0.3333: "That is |a - b| / (|a| + |b|), another definition that is in use.",
        1 / 3: "That is |a - b| / (|a| + |b|), another definition that is in use.",
    },
    explanation="max|a - b| = |right| / 2, over max|right|: 0.5. A forgotten factor 2 shows as "
    "0.5, a wrong sign as 2.",
)
chapter.quiz(
    "start_here_q7",
    "A text says: training minimises the error y - prediction. What is wrong with that?",
    choices={
        "a": "nothing, this is the definition",
        "b": "it has no minimum: predictions that are far too large make it as negative as one "
        "likes",
        "c": "it should be prediction - y",
        "d": "only that it must be divided by the number of examples",
    },
    answer="b",
    wrong={
        "a": "Its minimum is minus infinity. And errors of both signs cancel: a bad fit can have a "
        "sum of 0.",
        "c": "The other sign has the same fault, in the other direction.",
        "d": "A mean of signed errors cancels as well as a sum does.",
    },
    explanation="What is minimised is a LOSS, a number that is smallest when the fit is best, such "
    "as the mean of (y - prediction)^2. The signed error appears in its gradient.",
)
chapter.quiz(
    "start_here_q8",
    "Four tools and four jobs. Which line is right?",
    choices={
        "a": "NumPy: arrays and their arithmetic. pandas: tables with named columns. Matplotlib: "
        "pictures. Git: the history of files.",
        "b": "NumPy: pictures. pandas: arrays. Matplotlib: tables. Git: the history of files.",
        "c": "NumPy: arrays. pandas: neural networks. Matplotlib: pictures. Git: installing "
        "packages.",
        "d": "NumPy: neural networks with automatic gradients. pandas: tables. Matplotlib: "
        "pictures. Git: a text editor.",
    },
    answer="a",
    wrong={
        "b": "Pictures come from Matplotlib, arrays from NumPy.",
        "c": "pandas handles tables; packages are installed by pip or conda.",
        "d": "NumPy has no automatic gradients: in this course they are written by hand.",
    },
    explanation="This course needs NumPy and Matplotlib only. pandas helps with tables that have "
    "names and gaps; Git keeps every version of a file and lets several people work on it.",
)
chapter.quiz(
    "start_here_q9",
    '`pip install scipy` said "successfully installed", and yet a notebook cell says '
    "`ModuleNotFoundError: No module named 'scipy'`. What is the likeliest cause?",
    choices={
        "a": "the computer needs a restart",
        "b": "the notebook's kernel runs in another Python environment than that pip",
        "c": "the package is broken",
        "d": "notebooks cannot import packages from pip",
    },
    answer="b",
    wrong={
        "a": "At most the kernel does, and only if it is the right one.",
        "c": 'A broken package gives another message than "no module named".',
        "d": "They can: from the environment that the kernel runs in.",
    },
    explanation="`import sys; print(sys.executable)` in a cell shows which Python runs there; "
    "`%pip install ...` in a cell installs for that very one.",
)
