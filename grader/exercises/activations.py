"""Chapter 03, activations: a bend between the layers, and the slope that the way back needs."""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("03_activations", "Activations")

SHAPES = [(3,), (5, 7), (2, 3, 5), (11, 13)]


def away_from_zero(rng, shape):
    """Both signs in every array, and no entry near the kink at 0."""
    x = rng.uniform(0.2, 3.0, shape) * rng.choice([-1.0, 1.0], shape)
    x.flat[:2] = -abs(x.flat[0]), abs(x.flat[1])  # an integer 0 made first must not set the type
    return x


def smooth_cases(rng):
    """Inputs for functions without a kink; the first holds the probes -3, 0 and 3."""
    yield Case((np.array([-3.0, 0.0, 3.0, 0.5]),), label="x = -3, 0, 3, 0.5")
    for shape in SHAPES[1:]:
        yield Case((rng.normal(0.3, 1.5, shape),), label=f"x has shape {shape}")


# --- ReLU: the bend itself -----------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    common_cache=True,
    difficulty=1,
    minutes=4,
    hints=(
        "Positive entries pass; all others become 0. Each entry is treated on its own.",
        "NumPy compares two arrays entry by entry: `np.maximum`. (`np.max` looks for the largest "
        "entry of one array.)",
        "`out = np.maximum(x, 0)`, and the cache is `x`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="Which of `x` and `out` does the slope need? Would the other do as well?",
)
def relu_forward(x):
    """The rectified linear unit of every entry, out = max(0, x).

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array like x
        0 where x is 0.
    cache
        Whatever `relu_backward` needs.
    """
    out = np.maximum(x, 0)
    return out, x


@chapter.cases(relu_forward)
def relu_forward_cases(rng):
    yield Case((np.array([-2.0, 0.0, 3.5]),), label="x = -2, 0, 3.5")
    for shape in SHAPES[1:]:
        yield Case((away_from_zero(rng, shape),), label=f"x has shape {shape}")


@chapter.mistake(
    relu_forward,
    "absolute_value",
    "These values equal |x|: negative entries come out positive. ReLU turns them into 0; at "
    "x = -2 it gives 0, not 2.",
    "`np.maximum(x, 0)`, not `np.abs(x)`.",
)
def relu_forward_absolute_value(x):
    return np.abs(x), x


@chapter.mistake(
    relu_forward,
    "mask_returned",
    "`out` holds only 0 and 1 (or False and True): it looks like the mask `x > 0`, which is the "
    "SLOPE of ReLU. ReLU lets the positive VALUES pass.",
    "Multiply `x` by its mask, or use `np.maximum(x, 0)`.",
)
def relu_forward_mask_returned(x):
    return x > 0, x


@chapter.mistake(
    relu_forward,
    "negative_side",
    "The negative entries came through and the positive ones are 0: the wrong side is cut off.",
    "`np.maximum`, not `np.minimum`.",
)
def relu_forward_negative_side(x):
    return np.minimum(x, 0), x


@chapter.mistake(
    relu_forward,
    "not_applied",
    "`out` equals `x`: nothing is cut off.",
    "Negative entries become 0.",
)
def relu_forward_not_applied(x):
    return x, x


@chapter.mistake(
    relu_forward,
    "largest_of_a_column",
    "`out` lost its first axis: these values equal the largest entry along axis 0. That is what "
    "`np.max(x, 0)` gives; the 0 is read as an axis.",
    "`np.maximum(x, 0)` compares entry by entry.",
)
def relu_forward_largest_of_a_column(x):
    return np.max(x, 0), x


@chapter.mistake(
    relu_forward,
    "one_decision_for_all",
    "Python was asked for ONE decision about a whole array: it looks like `max(0, x)` or "
    "`if x > 0`.",
    "`np.maximum(x, 0)` decides for every entry.",
)
def relu_forward_one_decision_for_all(x):
    return max(0, x), x


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=relu_forward,
    difficulty=1,
    minutes=6,
    hints=(
        "Where x is positive, out = x: what is the slope of that? Where x is negative, out stays "
        "0: what is its slope?",
        "Chain rule: the arriving gradient times the local slope, entry by entry. The local "
        "slope is 1 or 0.",
        "With `x` from the cache: `dout * (x > 0)`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="At x = 0 there is no slope. Any number from 0 to 1 will do; most code takes 0.",
)
def relu_backward(dout, cache):
    """Gradient of the loss with respect to the input of ReLU.

    Parameters
    ----------
    dout : array
        Gradient with respect to ReLU's output, same shape.
    cache
        What the own `relu_forward` returned.

    Returns
    -------
    dx : array like dout
    """
    x = cache
    return dout * (x > 0)


@chapter.cases(relu_backward)
def relu_backward_cases(rng):
    for shape in SHAPES:
        yield Case((away_from_zero(rng, shape),), label=f"x has shape {shape}")


@chapter.mistake(
    relu_backward,
    "slope_is_x",
    "These values equal `dout * x` where x is positive. The slope of out = x is 1, whatever x is: "
    "at x = 3 it is 1, not 3.",
    "Multiply `dout` by 1 where x > 0, and by 0 elsewhere.",
)
def relu_backward_slope_is_x(dout, cache):
    return dout * np.maximum(cache, 0)


@chapter.mistake(
    relu_backward,
    "upstream_missing",
    "These values are 0 and 1 (or False and True): the local slope alone. `dout` "
    "seems not to be used.",
    "Multiply the local slope by `dout`: that is the chain rule.",
)
def relu_backward_upstream_missing(dout, cache):
    return cache > 0


@chapter.mistake(
    relu_backward,
    "mask_of_dout",
    "These values equal `dout` with its negative entries set to 0: it looks as if ReLU is applied "
    "to the gradient. Which entries pass is decided by the sign of `x`, on the way forward.",
    "Use the mask `x > 0`, not `dout > 0`.",
)
def relu_backward_mask_of_dout(dout, cache):
    return np.maximum(dout, 0)


@chapter.mistake(
    relu_backward,
    "two_masks",
    "Too many entries are 0: a gradient passes only where both `x` and `dout` are positive. "
    "A negative gradient must pass too.",
    "Use the mask `x > 0` alone.",
)
def relu_backward_two_masks(dout, cache):
    return dout * (cache > 0) * (dout > 0)


@chapter.mistake(
    relu_backward,
    "slope_missing",
    "The gradient is passed on unchanged: the local slope is missing.",
    "Where x is negative, nothing passes.",
)
def relu_backward_slope_missing(dout, cache):
    return dout


@chapter.mistake(
    relu_backward,
    "wrong_side",
    "The gradient passes where x is negative and stops where x is positive: the mask is turned "
    "round.",
    "The mask is `x > 0`.",
)
def relu_backward_wrong_side(dout, cache):
    return dout * (cache < 0)


@chapter.mistake(
    relu_backward,
    "slope_of_absolute_value",
    "These values equal `dout` with its sign turned where x is negative: that is the slope of "
    "|x|, which is -1 there. ReLU is flat there.",
    "Where x is negative, the slope is 0.",
)
def relu_backward_slope_of_absolute_value(dout, cache):
    return dout * np.sign(cache)


# --- the slope of the sigmoid, from z and from a -------------------------------------------------


@chapter.exercise(
    points=2,
    returns="slope",
    difficulty=1,
    minutes=6,
    hints=(
        "The rule a (1 - a) needs the OUTPUT of the sigmoid. Here the input z is given.",
        "First compute the output a from z; then apply the rule.",
        "`a = 1 / (1 + np.exp(-z))`, then `a * (1 - a)`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="Where is this slope largest, and how large is it there?",
)
def dsigmoid_from_z(z):
    """Slope of the sigmoid at z, for every entry, from the INPUT z.

    Parameters
    ----------
    z : array of any shape

    Returns
    -------
    slope : array like z
        d sigmoid(z) / dz.
    """
    a = 1 / (1 + np.exp(-z))
    return a * (1 - a)


chapter.cases(dsigmoid_from_z)(smooth_cases)


@chapter.mistake(
    dsigmoid_from_z,
    "rule_fed_the_input",
    "These values equal z (1 - z): the rule is fed the input. It holds for the output. At z = 3 "
    "this gives -6, for a function that only rises.",
    "Compute the output first: a = sigmoid(z), then a (1 - a).",
)
def dsigmoid_from_z_rule_fed_the_input(z):
    return z * (1 - z)


@chapter.mistake(
    dsigmoid_from_z,
    "value_returned",
    "These values equal the sigmoid itself, not its slope.",
    "The slope is a (1 - a).",
)
def dsigmoid_from_z_value_returned(z):
    return 1 / (1 + np.exp(-z))


@chapter.mistake(
    dsigmoid_from_z,
    "missing_a",
    "The factor `a` of a (1 - a) seems to be missing.",
    "The slope has two factors: `a` and `(1 - a)`.",
)
def dsigmoid_from_z_missing_a(z):
    return 1 - 1 / (1 + np.exp(-z))


@chapter.mistake(
    dsigmoid_from_z,
    "sign",
    "Every slope is negative; the sigmoid only rises. It looks like a sign lost when 1 / (...) "
    "and exp(-z) were differentiated: two minus signs make a plus.",
    "The slope is a (1 - a), never below 0.",
)
def dsigmoid_from_z_sign(z):
    a = 1 / (1 + np.exp(-z))
    return a * (a - 1)


@chapter.mistake(
    dsigmoid_from_z,
    "slope_of_tanh",
    "These values equal 1 - tanh(z)**2: that is the slope of tanh.",
    "The slope of the sigmoid is a (1 - a).",
)
def dsigmoid_from_z_slope_of_tanh(z):
    return 1 - np.tanh(z) ** 2


@chapter.mistake(
    dsigmoid_from_z,
    "sigmoid_twice",
    "These values equal the rule applied to sigmoid(sigmoid(z)): one sigmoid too many.",
    "a = sigmoid(z), once; then a (1 - a).",
)
def dsigmoid_from_z_sigmoid_twice(z):
    a = 1 / (1 + np.exp(-1 / (1 + np.exp(-z))))
    return a * (1 - a)


@chapter.exercise(
    points=1,
    returns="slope",
    difficulty=1,
    minutes=3,
    hints=(
        "Here the output a is given already: no exponential is needed.",
        "The slope is the product of two numbers that add up to 1.",
        "`a * (1 - a)`. The whole answer stands in `solutions/03_activations`.",
    ),
    afterthought="Two functions, one slope. Which one saves an exponential in `backward`?",
)
def dsigmoid_from_a(a):
    """Slope of the sigmoid, for every entry, from its OUTPUT a = sigmoid(z).

    Parameters
    ----------
    a : array of any shape
        Numbers between 0 and 1.

    Returns
    -------
    slope : array like a
        d sigmoid(z) / dz, at the z that gave a.
    """
    return a * (1 - a)


@chapter.cases(dsigmoid_from_a)
def dsigmoid_from_a_cases(rng):
    yield Case((np.array([0.1, 0.5, 0.9526]),), label="a = 0.1, 0.5, 0.9526")
    for shape in SHAPES[1:]:
        yield Case((rng.uniform(0.02, 0.98, shape),), label=f"a has shape {shape}")


@chapter.mistake(
    dsigmoid_from_a,
    "sigmoid_again",
    "These values equal the slope at z = a: it looks as if `a` goes through the sigmoid once "
    "more. It is the output already.",
    "Use `a` as it is.",
)
def dsigmoid_from_a_sigmoid_again(a):
    return dsigmoid_from_z(a)


@chapter.mistake(
    dsigmoid_from_a,
    "slope_of_tanh",
    "These values equal 1 - a**2: that is the slope of tanh, from its output.",
    "The slope of the sigmoid is a (1 - a).",
)
def dsigmoid_from_a_slope_of_tanh(a):
    return 1 - a**2


@chapter.mistake(
    dsigmoid_from_a,
    "missing_a",
    "The factor `a` of a (1 - a) seems to be missing.",
    "The slope has two factors: `a` and `(1 - a)`.",
)
def dsigmoid_from_a_missing_a(a):
    return 1 - a


@chapter.mistake(
    dsigmoid_from_a,
    "sign",
    "Every slope is negative; the sigmoid only rises.",
    "The slope is a (1 - a).",
)
def dsigmoid_from_a_sign(a):
    return a * (a - 1)


# --- softmax: the one that couples its entries ---------------------------------------------------


@chapter.exercise(
    points=4,
    returns="out, cache",
    difficulty=2,
    minutes=12,
    rtol=1e-7,
    hints=(
        "Exponentials first, then each row is divided by its own sum. A row is what lies along "
        "the LAST axis.",
        "`keepdims=True` keeps the summed axis, so that the division fits any number of axes. "
        "For stability, subtract each row's own maximum first: e^(x - m) divided by its sum is "
        "the same softmax.",
        "`e = np.exp(x - x.max(axis=-1, keepdims=True))`, then "
        "`e / e.sum(axis=-1, keepdims=True)`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="Why does subtracting a number from a whole row change nothing?",
)
def softmax_forward(x):
    """Softmax over the last axis, out_i = e^(x_i) / sum_j e^(x_j).

    It holds for large inputs too: rows may sit at 1000 or at -1000, both in one batch.

    Parameters
    ----------
    x : (..., C) array

    Returns
    -------
    out : array like x
        Positive; each row (along the last axis) adds up to 1.
    cache
        Whatever `softmax_backward` needs.
    """
    e = np.exp(x - x.max(axis=-1, keepdims=True))  # the largest exponent of each row is 0
    out = e / e.sum(axis=-1, keepdims=True)
    return out, out


@chapter.cases(softmax_forward)
def softmax_cases(rng):
    for shape in [(3,), (5, 7), (2, 3, 5), (11, 13)]:
        yield Case((rng.normal(0.5, 1.5, shape),), label=f"x has shape {shape}")


def drive_row_sums(softmax_forward, x):
    """What each row adds up to."""
    with np.errstate(all="ignore"):
        return np.asarray(softmax_forward(x)[0]).sum(axis=-1)


def drive_shifted(softmax_forward, x, shift):
    """Softmax of rows that are all moved by the same number."""
    with np.errstate(all="ignore"):
        return np.asarray(softmax_forward(x + shift)[0])


def drive_extreme(softmax_forward, x):
    """Softmax of large numbers; warnings are not judged here, values are."""
    with np.errstate(all="ignore"):
        return np.asarray(softmax_forward(x)[0])


@chapter.property(
    softmax_forward, "rows_sum_to_1", "The entries along the last axis do not add up to 1."
)
def softmax_rows(rng):
    for shape in [(5, 7), (2, 3, 5)]:
        yield Case((rng.normal(0, 2, shape),), drive=drive_row_sums, label=f"shape {shape}")


@chapter.property(
    softmax_forward,
    "shift_invariance",
    "Adding one number to a whole row changes the result. It must not: e^(x + c) = e^c e^x, and "
    "e^c cancels.",
)
def softmax_shift(rng):
    for shift in (7.0, -11.0):
        x = rng.normal(0, 2, (5, 7))
        yield Case((x, shift), drive=drive_shifted, label=f"{shift:+g} on every entry")


@chapter.property(
    softmax_forward,
    "stable_at_1000",
    "With inputs around 1000 or -1000 the values are wrong or not numbers. e^1000 is too large "
    "for a float, and a row of zeros cannot be divided by its sum.",
)
def softmax_extremes(rng):
    x = _sixteenths(rng, (3, 5))
    yield Case((x + 1000,), drive=drive_extreme, label="all entries near 1000")
    x = _sixteenths(rng, (3, 5)) + np.array([[1000.0], [0.0], [-1000.0]])
    yield Case((x,), drive=drive_extreme, label="rows near 1000, 0 and -1000")
    x = np.array([[1000.0, 1001.0, -1000.0], [-1000.0, -1003.0, -999.0]])
    yield Case((x,), drive=drive_extreme, label="two small tables of extremes")


def _sixteenths(rng, shape):
    """Differences that survive next to 1000 in single precision too."""
    return np.round(16 * rng.normal(0, 1, shape)) / 16


@chapter.mistake(
    softmax_forward,
    "over_axis_0",
    "These values add up to 1 along axis 0, down the columns: the examples compete with each "
    "other, where the classes of one example should.",
    "Use `axis=-1`, for the maximum and for the sum.",
)
def softmax_forward_over_axis_0(x):
    e = np.exp(x - x.max(axis=0, keepdims=True))
    return e / e.sum(axis=0, keepdims=True), x


@chapter.mistake(
    softmax_forward,
    "over_everything",
    "All entries together add up to 1: the sum runs over the whole array, not over each row.",
    "Give the sum an axis: `axis=-1, keepdims=True`.",
)
def softmax_forward_over_everything(x):
    e = np.exp(x - x.max())
    return e / e.sum(), x


@chapter.mistake(
    softmax_forward,
    "no_shift",
    "Right for small inputs, not a number for large ones: e^1000 is inf, and inf / inf is nan. "
    "It looks as if the row's maximum is not subtracted first.",
    "Subtract each row's maximum: `x - x.max(axis=-1, keepdims=True)`.",
)
def softmax_forward_no_shift(x):
    e = np.exp(x)
    return e / e.sum(axis=-1, keepdims=True), x


@chapter.mistake(
    softmax_forward,
    "one_maximum_for_all",
    "Right as long as all rows are alike. A row far below the others becomes 0 / 0: it looks as "
    "if ONE maximum is subtracted from the whole batch.",
    "Each row has its own maximum: `x.max(axis=-1, keepdims=True)`.",
)
def softmax_forward_one_maximum_for_all(x):
    e = np.exp(x - x.max())
    return e / e.sum(axis=-1, keepdims=True), x


@chapter.mistake(
    softmax_forward,
    "clipped",
    "Right for small inputs; for large ones the differences inside a row are lost. It looks as "
    "if the inputs are clipped to a range. Softmax depends on differences only.",
    "Subtract each row's maximum; no clipping is needed.",
)
def softmax_forward_clipped(x):
    e = np.exp(np.clip(x, -500, 500))
    return e / e.sum(axis=-1, keepdims=True), x


@chapter.mistake(
    softmax_forward,
    "not_divided",
    "These are exponentials of x minus its maximum; they are not divided by their sum.",
    "Divide by `e.sum(axis=-1, keepdims=True)`.",
)
def softmax_forward_not_divided(x):
    return np.exp(x - x.max(axis=-1, keepdims=True)), x


@chapter.mistake(
    softmax_forward,
    "sign_of_the_shift",
    "The smallest entry got the largest share: it looks like exp(max - x) where exp(x - max) is "
    "meant.",
    "The exponent is x minus the maximum.",
)
def softmax_forward_sign_of_the_shift(x):
    e = np.exp(x.max(axis=-1, keepdims=True) - x)
    return e / e.sum(axis=-1, keepdims=True), x


@chapter.mistake(
    softmax_forward,
    "no_exponential",
    "The rows are divided by their sums, but no exponential is taken: negative numbers remain.",
    "Softmax divides e^x, not x.",
)
def softmax_forward_no_exponential(x):
    return x / x.sum(axis=-1, keepdims=True), x


@chapter.mistake(
    softmax_forward,
    "sigmoid",
    "These values equal the sigmoid of each entry: every entry is treated on its own. Softmax "
    "makes the entries of a row share one whole.",
    "Divide e^x by the sum over its row.",
)
def softmax_forward_sigmoid(x):
    return 1 / (1 + np.exp(-x)), x


@chapter.mistake(
    softmax_forward,
    "axis_lost",
    "The division does not fit: the sum over the last axis has lost that axis.",
    "Add `keepdims=True`, for the maximum and for the sum.",
)
def softmax_forward_axis_lost(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1), x


@chapter.exercise(
    points=3,
    returns="dx",
    gradient_of=softmax_forward,
    difficulty=3,
    minutes=20,
    rtol=1e-7,
    hints=(
        "Every input of a row moves every output of that row: d p_i / d x_j = p_i (1 if i = j, "
        "else 0) - p_i p_j. The chain rule adds up over the outputs i.",
        "Write dx_j = sum_i dout_i p_i (delta_ij - p_j) as two sums. The first has one term "
        "left; in the second, p_j does not depend on i and can be taken out.",
        "`p * (dout - (dout * p).sum(axis=-1, keepdims=True))`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="What does each row of `dx` add up to, and why must it?",
)
def softmax_backward(dout, cache):
    """Gradient of the loss with respect to the input of softmax: a vector-Jacobian product.

    No Jacobian needs to be built: the answer costs as much as the forward function.

    Parameters
    ----------
    dout : (..., C) array
        Gradient with respect to softmax's output.
    cache
        What the own `softmax_forward` returned.

    Returns
    -------
    dx : array like dout
    """
    p = cache
    mean = (dout * p).sum(axis=-1, keepdims=True)  # mean of dout, weighted by p: (..., 1)
    return p * (dout - mean)


@chapter.mistake(
    softmax_backward,
    "only_the_diagonal",
    "These values equal `dout * p * (1 - p)`: only the diagonal of the Jacobian is used, as for "
    "the sigmoid. Each input moves ALL outputs of its row.",
    "Subtract the rest: p_j times the sum of dout_i p_i.",
)
def softmax_backward_only_the_diagonal(dout, cache):
    return dout * cache * (1 - cache)


@chapter.mistake(
    softmax_backward,
    "upstream_missing",
    "These values equal p (1 - p): `dout` is not used, and only the diagonal of the Jacobian is.",
    "The chain rule needs `dout` and the whole row.",
)
def softmax_backward_upstream_missing(dout, cache):
    return cache * (1 - cache)


@chapter.mistake(
    softmax_backward,
    "coupling_missing",
    "These values equal `dout * p`: the part of the Jacobian that couples the outputs, -p_i p_j, "
    "is missing.",
    "Subtract p times the sum of dout * p over the row.",
)
def softmax_backward_coupling_missing(dout, cache):
    return dout * cache


@chapter.mistake(
    softmax_backward,
    "sum_over_everything",
    "The sum of dout * p runs over the whole array: the rows of a batch do not know of each other.",
    "Give the sum an axis: `axis=-1, keepdims=True`.",
)
def softmax_backward_sum_over_everything(dout, cache):
    return cache * (dout - (dout * cache).sum())


@chapter.mistake(
    softmax_backward,
    "sum_over_axis_0",
    "The sum of dout * p runs down axis 0, over the examples; it belongs to each row, along the "
    "last axis.",
    "Use `axis=-1`.",
)
def softmax_backward_sum_over_axis_0(dout, cache):
    return cache * (dout - (dout * cache).sum(axis=0, keepdims=True))


@chapter.mistake(
    softmax_backward,
    "sum_without_p",
    "The sum that is subtracted seems to be that of `dout` alone, where dout * p is meant.",
    "Weight the sum: `(dout * p).sum(axis=-1, keepdims=True)`.",
)
def softmax_backward_sum_without_p(dout, cache):
    return cache * (dout - dout.sum(axis=-1, keepdims=True))


@chapter.mistake(
    softmax_backward,
    "outer_p_missing",
    "These values equal `dout` minus its weighted sum: the factor p in front is missing.",
    "Multiply the bracket by p.",
)
def softmax_backward_outer_p_missing(dout, cache):
    return dout - (dout * cache).sum(axis=-1, keepdims=True)


@chapter.mistake(
    softmax_backward,
    "plus_for_minus",
    "The two parts of the Jacobian are added; the coupling -p_i p_j has a minus sign.",
    "p (dout - sum), not p (dout + sum).",
)
def softmax_backward_plus_for_minus(dout, cache):
    return cache * (dout + (dout * cache).sum(axis=-1, keepdims=True))


@chapter.mistake(
    softmax_backward,
    "gradient_of_the_loss",
    "These values equal p - dout: that looks like the gradient of softmax AND cross-entropy "
    "together, p - y. Here the loss is somewhere else, and `dout` is no label.",
    "Use the Jacobian of softmax alone.",
)
def softmax_backward_gradient_of_the_loss(dout, cache):
    return cache - dout


@chapter.mistake(
    softmax_backward,
    "axis_lost",
    "The subtraction does not fit: the sum over the last axis has lost that axis.",
    "Add `keepdims=True`.",
)
def softmax_backward_axis_lost(dout, cache):
    return cache * (dout - (dout * cache).sum(axis=-1))


# --- debug: a net with three activations, five bugs planted --------------------------------------

DEBUG_STUB = '''def debug_activation_net(x, y, W1, W2, W3, alpha):
    """Loss of a net with three activations, and its gradients, with five bugs in four lines.

    x (N, D) -> ReLU (N, H) -> scaled sigmoid (N, K) -> softmax (N, C); y (N, C) is one-hot.
    Returns loss, dW1, dW2, dW3.
    """
    # forward
    z1 = x @ W1
    a1 = np.abs(z1)  # ReLU
    z2 = a1 @ W2
    a2 = 1 / (1 + np.exp(-alpha * z2))  # scaled sigmoid
    z3 = a2 @ W3
    e = np.exp(z3 - z3.max(axis=1, keepdims=True))
    p = e / e.sum()  # softmax
    loss = -(y * np.log(p)).sum() / len(x)
    # backward
    dz3 = (p - y) / len(x)  # softmax and cross-entropy together
    dW3 = a2.T @ dz3
    dz2 = (dz3 @ W3.T) * z2 * (1 - z2)
    dW2 = a1.T @ dz2
    dz1 = (dz2 @ W2.T) * z1 * (z1 > 0)
    dW1 = x.T @ dz1
    return loss, dW1, dW2, dW3
'''


def _activation_net(x, y, W1, W2, W3, alpha, bugs=()):
    """The net of the debug exercise with only the named bugs left in."""
    z1 = x @ W1
    a1 = np.abs(z1) if "abs" in bugs else np.maximum(z1, 0)
    z2 = a1 @ W2
    a2 = 1 / (1 + np.exp(-alpha * z2))
    z3 = a2 @ W3
    e = np.exp(z3 - z3.max(axis=1, keepdims=True))
    p = e / (e.sum() if "axis" in bugs else e.sum(axis=1, keepdims=True))
    loss = -(y * np.log(p)).sum() / len(x)
    dz3 = (p - y) / len(x)
    value = z2 if "fed_z" in bugs else a2
    dz2 = (dz3 @ W3.T) * value * (1 - value) * (1 if "alpha" in bugs else alpha)
    dz1 = (dz2 @ W2.T) * (np.sign(z1) if "slope_abs" in bugs else z1 > 0)
    dz1 = dz1 * (z1 if "slope_x" in bugs else 1)
    return loss, x.T @ dz1, a1.T @ dz2, a2.T @ dz3


@chapter.exercise(
    points=4,
    returns="loss, dW1, dW2, dW3",
    difficulty=3,
    minutes=20,
    title="Debug: three activations, five bugs",
    stub=DEBUG_STUB,
    hints=(
        "Measure from the end: `dW3` first. It depends on the forward pass and one line of the "
        "way back. What should each row of p add up to?",
        "`dW2` is off twice: what is a (1 - a) fed with, and which factor does the chain rule "
        "bring out of sigmoid(alpha z)? `dW1` then tells about ReLU: its value and its slope are "
        "a pair, and here neither half is right.",
        "Axis 1 and keepdims in the softmax; alpha * a2 * (1 - a2); np.maximum(z1, 0); the slope "
        "(z1 > 0) alone. The whole answer stands in `solutions/03_activations`.",
    ),
    afterthought="A gradient check finds a pair that disagrees. Can it say which half is wrong?",
)
def debug_activation_net(x, y, W1, W2, W3, alpha):
    """Loss of a net with three activations, and its gradients, with five bugs in four lines.

    x (N, D) -> ReLU (N, H) -> scaled sigmoid (N, K) -> softmax (N, C); y (N, C) is one-hot.
    Returns loss, dW1, dW2, dW3.
    """
    # forward
    z1 = x @ W1
    a1 = np.maximum(z1, 0)  # ReLU
    z2 = a1 @ W2
    a2 = 1 / (1 + np.exp(-alpha * z2))  # scaled sigmoid
    z3 = a2 @ W3
    e = np.exp(z3 - z3.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)  # softmax
    loss = -(y * np.log(p)).sum() / len(x)
    # backward
    dz3 = (p - y) / len(x)  # softmax and cross-entropy together
    dW3 = a2.T @ dz3
    dz2 = (dz3 @ W3.T) * alpha * a2 * (1 - a2)
    dW2 = a1.T @ dz2
    dz1 = (dz2 @ W2.T) * (z1 > 0)
    dW1 = x.T @ dz1
    return loss, dW1, dW2, dW3


@chapter.cases(debug_activation_net)
def debug_cases(rng):
    for n, d, h, k, c, alpha in [(5, 3, 7, 4, 6, 1.5), (7, 4, 5, 3, 2, 0.6), (3, 5, 11, 2, 4, 2.5)]:
        y = np.eye(c)[rng.integers(0, c, n)]
        sizes = [(d, h), (h, k), (k, c)]
        weights = [rng.normal(0, 0.8, size) for size in sizes]
        yield Case(
            (rng.normal(0, 1, (n, d)), y, *weights, alpha),
            label=f"N = {n}, a {d}-{h}-{k}-{c} net, alpha = {alpha}",
        )


# In the order in which measuring finds them: from the loss towards the input.
PLANTED = {
    "axis": "`dW3` does not fit the loss. The row sums of p are worth a look.",
    "fed_z": "`dW3` fits the loss now, `dW2` does not: with what is the rule a (1 - a) fed?",
    "alpha": "`dW2` is off by one constant factor. What does the chain rule bring out of "
    "sigmoid(alpha z)?",
    "slope_x": "`dW2` and `dW3` fit the loss now, `dW1` does not: what is the slope of ReLU at "
    "z1 = 3?",
    "abs": "`dW1` does not fit the loss: value and slope of ReLU disagree where z1 < 0. Which of "
    "the two is right? What should come out at z1 = -2?",
}


def _planted(bugs):
    def net(x, y, W1, W2, W3, alpha):
        return _activation_net(x, y, W1, W2, W3, alpha, bugs)

    return net


for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(
            debug_activation_net, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        )(_planted(_bugs))


@chapter.mistake(
    debug_activation_net,
    "fits_but_is_not_relu",
    "All gradients fit the loss now, and the loss is that of another net: its first activation is "
    "|z1|, and the slope was made to fit it.",
    "Mend the forward half: `np.maximum(z1, 0)`, with the slope `(z1 > 0)`.",
)
def debug_activation_net_fits_but_is_not_relu(x, y, W1, W2, W3, alpha):
    return _activation_net(x, y, W1, W2, W3, alpha, ("abs", "slope_abs"))


# --- more: a sigmoid that never overflows --------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out",
    difficulty=2,
    minutes=10,
    optional=True,
    hints=(
        "e^(-x) overflows for very negative x, e^x for very positive x. Which of the two is small "
        "on which side?",
        "e^(-|x|) never exceeds 1. With e = e^(-|x|): for x >= 0 the answer is 1 / (1 + e), for "
        "x < 0 it is e / (1 + e).",
        "`e = np.exp(-np.abs(x))`, then `np.where(x >= 0, 1, e) / (1 + e)`. The whole answer "
        "stands in `solutions/03_activations`.",
    ),
    afterthought="(1 + tanh(x / 2)) / 2 is the same function. Why is it safe?",
)
def stable_sigmoid(x):
    """The sigmoid of every entry, without overflow for any x.

    "Without overflow" is meant strictly: no exponential of a large number is taken, not even
    in a branch of `np.where` whose result is thrown away.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array like x
    """
    e = np.exp(-np.abs(x))  # never above 1
    return np.where(x >= 0, 1, e) / (1 + e)


chapter.cases(stable_sigmoid)(smooth_cases)


def drive_without_overflow(stable_sigmoid, x):
    """One number at a time; nan for those on the way to which something overflowed."""
    found = []
    for number in x:
        try:
            with np.errstate(all="raise", under="ignore"):
                found.append(float(np.ravel(stable_sigmoid(np.array([number])))[0]))
        except FloatingPointError:
            found.append(np.nan)
    return np.array(found)


@chapter.property(
    stable_sigmoid,
    "no_overflow_at_1000",
    "At x = 1000 or x = -1000 something overflows on the way: an exponential of a large number is "
    "taken. With `np.where`, both branches are computed before one is chosen.",
)
def stable_sigmoid_extremes(rng):
    x = np.array([1000.0, -1000.0, 720.0, -720.0, 30.0, -30.0, 0.0])
    yield Case((x,), drive=drive_without_overflow, label="x = 1000, -1000, 720, -720, 30, -30, 0")


@chapter.mistake(
    stable_sigmoid,
    "overflow_on_the_left",
    "Right values, but at x = -1000 the exponential e^1000 overflows to inf on the way: it looks "
    "like 1 / (1 + e^(-x)) as it stands.",
    "Take the exponential of -|x| and treat the two sides apart.",
)
def stable_sigmoid_overflow_on_the_left(x):
    return 1 / (1 + np.exp(-x))


@chapter.mistake(
    stable_sigmoid,
    "overflow_on_the_right",
    "At x = 1000 the result is inf / inf: it looks like e^x / (1 + e^x) as it stands.",
    "Take the exponential of -|x| and treat the two sides apart.",
)
def stable_sigmoid_overflow_on_the_right(x):
    return np.exp(x) / (1 + np.exp(x))


@chapter.mistake(
    stable_sigmoid,
    "both_branches_computed",
    "Right values, but something overflows on both sides: `np.where` computes both formulas for "
    "all entries, and throws half of the results away afterwards.",
    "Make the exponent safe first: `np.exp(-np.abs(x))`.",
)
def stable_sigmoid_both_branches_computed(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-x)), np.exp(x) / (1 + np.exp(x)))


@chapter.mistake(
    stable_sigmoid,
    "sides_exchanged",
    "These values fall where the sigmoid rises: the formulas of the two sides look exchanged.",
    "For x >= 0: 1 / (1 + e), with e = e^(-|x|).",
)
def stable_sigmoid_sides_exchanged(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, e, 1) / (1 + e)


@chapter.mistake(
    stable_sigmoid,
    "symmetric",
    "Both sides got the values of the positive side: with e^(-|x|), the side x < 0 needs its own "
    "formula.",
    "For x < 0: e / (1 + e).",
)
def stable_sigmoid_symmetric(x):
    return 1 / (1 + np.exp(-np.abs(x)))


# --- more: the scaled sigmoid --------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="out, cache",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "It is the sigmoid of alpha times x.",
        "For the slope, the output and alpha will be needed: keep both.",
        "`out = 1 / (1 + np.exp(-alpha * x))`, and the cache is `(out, alpha)`. The whole answer "
        "stands in `solutions/03_activations`.",
    ),
    afterthought="Which other change to the layer would give the same output?",
)
def scaled_sigmoid_forward(x, alpha):
    """The sigmoid with a steepness, out = 1 / (1 + e^(-alpha x)).

    Parameters
    ----------
    x : array of any shape
    alpha : float
        Steepness, above 0.

    Returns
    -------
    out : array like x
    cache
        Whatever `scaled_sigmoid_backward` needs.
    """
    out = 1 / (1 + np.exp(-alpha * x))
    return out, (out, alpha)


@chapter.cases(scaled_sigmoid_forward)
def scaled_sigmoid_cases(rng):
    for shape, alpha in zip(SHAPES, (2.0, 0.5, 1.7, 4.0), strict=True):
        x = rng.normal(0.3, 1.0, shape)
        yield Case((x, alpha), label=f"x has shape {shape}, alpha = {alpha}")


@chapter.mistake(
    scaled_sigmoid_forward,
    "alpha_missing",
    "These values equal the plain sigmoid: `alpha` is not used.",
    "The exponent is `-alpha * x`.",
)
def scaled_sigmoid_forward_alpha_missing(x, alpha):
    out = 1 / (1 + np.exp(-x))
    return out, (out, alpha)


@chapter.mistake(
    scaled_sigmoid_forward,
    "alpha_outside",
    "These values equal alpha times the plain sigmoid: the output is scaled. Here the input is.",
    "The exponent is `-alpha * x`.",
)
def scaled_sigmoid_forward_alpha_outside(x, alpha):
    out = alpha / (1 + np.exp(-x))
    return out, (out, alpha)


@chapter.mistake(
    scaled_sigmoid_forward,
    "divided_by_alpha",
    "These values equal the sigmoid of x / alpha: a larger alpha makes the curve steeper, not "
    "flatter.",
    "Multiply `x` by `alpha`.",
)
def scaled_sigmoid_forward_divided_by_alpha(x, alpha):
    out = 1 / (1 + np.exp(-x / alpha))
    return out, (out, alpha)


@chapter.mistake(
    scaled_sigmoid_forward,
    "sign_of_exponent",
    "These values fall where the sigmoid rises: it looks like `exp(alpha * x)`.",
    "The exponent is `-alpha * x`.",
)
def scaled_sigmoid_forward_sign_of_exponent(x, alpha):
    out = 1 / (1 + np.exp(alpha * x))
    return out, (out, alpha)


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=scaled_sigmoid_forward,
    difficulty=2,
    minutes=6,
    optional=True,
    hints=(
        "out = sigmoid(u) with u = alpha x: two steps, so two factors.",
        "d sigmoid(u) / du = a (1 - a), and du / dx = alpha.",
        "With `a, alpha` from the cache: `dout * alpha * a * (1 - a)`. The whole answer stands "
        "in `solutions/03_activations`.",
    ),
    afterthought="With alpha = 4, where is the slope larger than the plain sigmoid's, and where "
    "is it smaller?",
)
def scaled_sigmoid_backward(dout, cache):
    """Gradient of the loss with respect to x. (`alpha` is fixed: it gets no gradient.)

    Parameters
    ----------
    dout : array
        Gradient with respect to the output, same shape.
    cache
        What the own `scaled_sigmoid_forward` returned.

    Returns
    -------
    dx : array like dout
    """
    a, alpha = cache
    return dout * alpha * a * (1 - a)


@chapter.mistake(
    scaled_sigmoid_backward,
    "alpha_missing",
    "These values equal `dout * a * (1 - a)`: the factor alpha, which the chain rule brings out "
    "of alpha x, is missing.",
    "Multiply by `alpha`.",
)
def scaled_sigmoid_backward_alpha_missing(dout, cache):
    a, alpha = cache
    return dout * a * (1 - a)


@chapter.mistake(
    scaled_sigmoid_backward,
    "alpha_twice",
    "These values carry alpha twice. It stands in the cached output already; the chain rule adds "
    "it once.",
    "`dout * alpha * a * (1 - a)`.",
)
def scaled_sigmoid_backward_alpha_twice(dout, cache):
    a, alpha = cache
    return dout * alpha**2 * a * (1 - a)


@chapter.mistake(
    scaled_sigmoid_backward,
    "slope_of_the_input",
    "These values equal the slope rule with the INPUT x where the output a is meant.",
    "Use the output `a`.",
)
def scaled_sigmoid_backward_slope_of_the_input(dout, cache):
    a, alpha = cache
    x = np.log(a / (1 - a)) / alpha
    return dout * alpha * x * (1 - x)


@chapter.mistake(
    scaled_sigmoid_backward,
    "alpha_in_the_bracket",
    "These values equal a (1 - alpha a) times `dout`: alpha stands inside the bracket. It "
    "multiplies the whole slope.",
    "`alpha * a * (1 - a)`.",
)
def scaled_sigmoid_backward_alpha_in_the_bracket(dout, cache):
    a, alpha = cache
    return dout * a * (1 - alpha * a)


@chapter.mistake(
    scaled_sigmoid_backward,
    "upstream_missing",
    "These values equal the local slope alone: `dout` is not used.",
    "Multiply the local slope by `dout`.",
)
def scaled_sigmoid_backward_upstream_missing(dout, cache):
    a, alpha = cache
    return alpha * a * (1 - a)


# --- more: tanh ----------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "NumPy knows this function. If it is written with exponentials, think of x = 1000.",
        "tanh(x) = 2 sigmoid(2x) - 1: a sigmoid, stretched to lie between -1 and 1.",
        "`out = np.tanh(x)`, and the cache is `out`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="Its outputs are centred on 0. What does the next layer gain from that?",
)
def tanh_forward(x):
    """The hyperbolic tangent of every entry, out = (e^x - e^-x) / (e^x + e^-x).

    It holds for large inputs too: tanh(1000) is 1.

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array like x
    cache
        Whatever `tanh_backward` needs.
    """
    out = np.tanh(x)
    return out, out


chapter.cases(tanh_forward)(smooth_cases)


def drive_tanh_extreme(tanh_forward, x):
    """tanh of large numbers; warnings are not judged here, values are."""
    with np.errstate(all="ignore"):
        return np.asarray(tanh_forward(x)[0])


@chapter.property(
    tanh_forward,
    "stable_at_1000",
    "At x = 1000 or x = -1000 the result is not a number: e^1000 is inf, and inf / inf is nan.",
)
def tanh_extremes(rng):
    x = np.array([[1000.0, -1000.0, 0.0], [400.0, -30.0, 720.0]])
    yield Case((x,), drive=drive_tanh_extreme, label="x between -1000 and 1000")


@chapter.mistake(
    tanh_forward,
    "overflow",
    "Right for small inputs, not a number for large ones: it looks like the formula with e^x and "
    "e^-x as it stands.",
    "Use `np.tanh`, or a sigmoid that does not overflow.",
)
def tanh_forward_overflow(x):
    out = (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x))
    return out, out


@chapter.mistake(
    tanh_forward,
    "half_the_input",
    "These values equal tanh(x / 2): it looks like 2 sigmoid(x) - 1. The sigmoid needs 2x.",
    "tanh(x) = 2 sigmoid(2x) - 1.",
)
def tanh_forward_half_the_input(x):
    out = 2 / (1 + np.exp(-x)) - 1
    return out, out


@chapter.mistake(
    tanh_forward,
    "sigmoid",
    "These values lie between 0 and 1: they equal the sigmoid.",
    "tanh lies between -1 and 1.",
)
def tanh_forward_sigmoid(x):
    out = 1 / (1 + np.exp(-x))
    return out, out


@chapter.mistake(
    tanh_forward,
    "sign",
    "Every value has the opposite sign: the two exponentials in the numerator look exchanged.",
    "The numerator is e^x - e^-x.",
)
def tanh_forward_sign(x):
    return -np.tanh(x), -np.tanh(x)


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=tanh_forward,
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "The slope of tanh is 1 - a**2, where a is its OUTPUT.",
        "Chain rule: the arriving gradient times the local slope, entry by entry.",
        "With `a` from the cache: `dout * (1 - a**2)`. The whole answer stands in "
        "`solutions/03_activations`.",
    ),
    afterthought="The slope is 1 at 0: four times the sigmoid's best. Does a deep net keep it?",
)
def tanh_backward(dout, cache):
    """Gradient of the loss with respect to the input of tanh.

    Parameters
    ----------
    dout : array
        Gradient with respect to tanh's output, same shape.
    cache
        What the own `tanh_forward` returned.

    Returns
    -------
    dx : array like dout
    """
    a = cache
    return dout * (1 - a**2)


@chapter.mistake(
    tanh_backward,
    "slope_of_the_input",
    "These values equal `dout * (1 - x**2)` with the INPUT x. The rule needs the output: at "
    "x = 3 it gives -8, for a function that only rises.",
    "Use the output `a`; keep it in the cache.",
)
def tanh_backward_slope_of_the_input(dout, cache):
    return dout * (1 - np.arctanh(cache) ** 2)


@chapter.mistake(
    tanh_backward,
    "tanh_twice",
    "These values equal 1 - tanh(a)**2: it looks as if the cached output goes through tanh once "
    "more.",
    "If the cache holds the output already, use it as it is.",
)
def tanh_backward_tanh_twice(dout, cache):
    return dout * (1 - np.tanh(cache) ** 2)


@chapter.mistake(
    tanh_backward,
    "slope_of_the_sigmoid",
    "These values equal `dout * a * (1 - a)`: that is the slope of the sigmoid.",
    "The slope of tanh is 1 - a**2.",
)
def tanh_backward_slope_of_the_sigmoid(dout, cache):
    return dout * cache * (1 - cache)


@chapter.mistake(
    tanh_backward,
    "square_missing",
    "These values equal `dout * (1 - a)`: the square is missing.",
    "The slope is 1 - a**2.",
)
def tanh_backward_square_missing(dout, cache):
    return dout * (1 - cache)


@chapter.mistake(
    tanh_backward,
    "square_of_the_bracket",
    "These values equal `dout * (1 - a)**2`: the bracket is squared, not a.",
    "The slope is 1 - a**2.",
)
def tanh_backward_square_of_the_bracket(dout, cache):
    return dout * (1 - cache) ** 2


@chapter.mistake(
    tanh_backward,
    "slope_squared",
    "The local slope is applied twice: these values equal `dout * (1 - a**2)**2`.",
    "Once is enough: `dout * (1 - a**2)`.",
)
def tanh_backward_slope_squared(dout, cache):
    return dout * (1 - cache**2) ** 2


@chapter.mistake(
    tanh_backward,
    "upstream_missing",
    "These values equal the local slope alone: `dout` is not used.",
    "Multiply the local slope by `dout`.",
)
def tanh_backward_upstream_missing(dout, cache):
    return 1 - cache**2


# --- more: leaky ReLU ----------------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="out, cache",
    difficulty=1,
    minutes=4,
    optional=True,
    hints=(
        "Positive entries pass as they are. Negative entries pass too, made small.",
        "`np.where(condition, this, that)` chooses entry by entry.",
        "`out = np.where(x > 0, x, alpha * x)`, and the cache is `(x, alpha)`. The whole answer "
        "stands in `solutions/03_activations`.",
    ),
    afterthought="Which alpha gives ReLU, and which gives no bend at all?",
)
def leaky_relu_forward(x, alpha=0.01):
    """Leaky ReLU of every entry: x where x is positive, alpha * x where it is negative.

    Parameters
    ----------
    x : array of any shape
    alpha : float
        Slope on the negative side, between 0 and 1.

    Returns
    -------
    out : array like x
        0 where x is 0.
    cache
        Whatever `leaky_relu_backward` needs.
    """
    out = np.where(x > 0, x, alpha * x)
    return out, (x, alpha)


@chapter.cases(leaky_relu_forward)
def leaky_relu_forward_cases(rng):
    yield Case((np.array([-2.0, 0.0, 3.5]), 0.1), label="x = -2, 0, 3.5, alpha = 0.1")
    yield from leaky_relu_backward_cases(rng)


def leaky_relu_backward_cases(rng):
    yield Case((away_from_zero(rng, (5, 7)),), label="alpha as it comes, 0.01")
    for shape, alpha in [((3,), 0.2), ((2, 3, 5), 0.3), ((11, 13), 0.05)]:
        x = away_from_zero(rng, shape)
        yield Case((x, alpha), label=f"x has shape {shape}, alpha = {alpha}")


@chapter.mistake(
    leaky_relu_forward,
    "wrong_side",
    "The positive side is made small and the negative side passes: the two sides are exchanged.",
    "`np.where(x > 0, x, alpha * x)`.",
)
def leaky_relu_forward_wrong_side(x, alpha=0.01):
    return np.where(x > 0, alpha * x, x), (x, alpha)


@chapter.mistake(
    leaky_relu_forward,
    "no_leak",
    "Negative entries are 0: that is ReLU. The leak `alpha * x` is missing.",
    "On the negative side: `alpha * x`.",
)
def leaky_relu_forward_no_leak(x, alpha=0.01):
    return np.maximum(x, 0), (x, alpha)


@chapter.mistake(
    leaky_relu_forward,
    "floor_at_alpha",
    "Small and negative entries are lifted to alpha: it looks like `np.maximum(x, alpha)`.",
    "The negative side is `alpha * x`, not `alpha`.",
)
def leaky_relu_forward_floor_at_alpha(x, alpha=0.01):
    return np.maximum(x, alpha), (x, alpha)


@chapter.mistake(
    leaky_relu_forward,
    "negative_side_rises",
    "Negative entries came out positive: it looks like `alpha * abs(x)` on the negative side.",
    "On the negative side: `alpha * x`, which is negative.",
)
def leaky_relu_forward_negative_side_rises(x, alpha=0.01):
    return np.where(x > 0, x, -alpha * x), (x, alpha)


@chapter.mistake(
    leaky_relu_forward,
    "alpha_ignored",
    "The leak is 0.01 whatever `alpha` says: the number is written into the code.",
    "Use `alpha`.",
)
def leaky_relu_forward_alpha_ignored(x, alpha=0.01):
    return np.where(x > 0, x, 0.01 * x), (x, alpha)


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=leaky_relu_forward,
    difficulty=1,
    minutes=5,
    optional=True,
    hints=(
        "Two straight pieces, two slopes.",
        "The slope is 1 where x is positive and alpha where it is negative; multiply by `dout`.",
        "With `x, alpha` from the cache: `dout * np.where(x > 0, 1, alpha)`. The whole answer "
        "stands in `solutions/03_activations`.",
    ),
    afterthought="A unit with only negative inputs: what does its gradient do here, and in ReLU?",
)
def leaky_relu_backward(dout, cache):
    """Gradient of the loss with respect to x. (`alpha` is fixed: it gets no gradient.)

    Parameters
    ----------
    dout : array
        Gradient with respect to the output, same shape.
    cache
        What the own `leaky_relu_forward` returned.

    Returns
    -------
    dx : array like dout
    """
    x, alpha = cache
    return dout * np.where(x > 0, 1, alpha)


chapter.cases(leaky_relu_backward)(leaky_relu_backward_cases)


@chapter.mistake(
    leaky_relu_backward,
    "wrong_side",
    "The slope alpha stands on the positive side and 1 on the negative one: exchanged.",
    "1 where x > 0, alpha elsewhere.",
)
def leaky_relu_backward_wrong_side(dout, cache):
    x, alpha = cache
    return dout * np.where(x > 0, alpha, 1)


@chapter.mistake(
    leaky_relu_backward,
    "no_leak",
    "Nothing passes where x is negative: that is ReLU's slope. The leak is missing.",
    "Where x is negative, the slope is alpha.",
)
def leaky_relu_backward_no_leak(dout, cache):
    return dout * (cache[0] > 0)


@chapter.mistake(
    leaky_relu_backward,
    "alpha_without_upstream",
    "Where x is negative, `dx` is alpha itself: `dout` is used on the positive side only.",
    "Both sides are multiplied by `dout`.",
)
def leaky_relu_backward_alpha_without_upstream(dout, cache):
    x, alpha = cache
    return np.where(x > 0, dout, alpha)


@chapter.mistake(
    leaky_relu_backward,
    "slope_times_x",
    "The slope on the negative side looks like alpha * x: that is the value, not the slope.",
    "The slope of alpha * x is alpha.",
)
def leaky_relu_backward_slope_times_x(dout, cache):
    x, alpha = cache
    return dout * np.where(x > 0, 1, alpha * x)


@chapter.mistake(
    leaky_relu_backward,
    "mask_of_dout",
    "The leak stands where `dout` is negative. Which side it is, is decided by the sign of `x`.",
    "Use the mask `x > 0`, not `dout > 0`.",
)
def leaky_relu_backward_mask_of_dout(dout, cache):
    return np.where(dout > 0, dout, cache[1] * dout)


@chapter.mistake(
    leaky_relu_backward,
    "upstream_missing",
    "These values equal the local slope alone: `dout` is not used.",
    "Multiply the local slope by `dout`.",
)
def leaky_relu_backward_upstream_missing(dout, cache):
    x, alpha = cache
    return np.where(x > 0, 1.0, alpha)


# --- more: counting units that do not answer -----------------------------------------------------


@chapter.exercise(
    points=2,
    returns="share",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "A unit is a column. It is dead if NO example of the batch wakes it.",
        "Compare with 0, then ask for each column whether all entries say yes: `.all(axis=0)`.",
        "`(a == 0).all(axis=0).mean()`. The whole answer stands in `solutions/03_activations`.",
    ),
    afterthought="Half of all entries are 0 in a healthy ReLU layer. Why is that no alarm?",
)
def dead_fraction(a):
    """Share of the units that are dead on this batch.

    A unit (a column) is dead if its output is 0 for EVERY example of the batch. A unit that is 0
    for some examples and not for others is alive.

    Parameters
    ----------
    a : (N, M) array
        Outputs of a ReLU layer: N examples, M units; no entry is negative.

    Returns
    -------
    share : float
        Dead units divided by M, between 0 and 1.
    """
    return (a == 0).all(axis=0).mean()


@chapter.cases(dead_fraction)
def dead_cases(rng):
    for examples, units, dead in [(11, 7, 2), (5, 13, 3), (7, 5, 0), (13, 11, 10)]:
        a = np.maximum(rng.standard_normal((examples, units)), 0)
        a[0] = rng.uniform(0.1, 2.0, units)  # every unit answers to the first example ...
        a[-1] = 0  # ... and none to the last
        a[:, rng.permutation(units)[:dead]] = 0
        yield Case((a,), label=f"N = {examples}, M = {units}")


@chapter.mistake(
    dead_fraction,
    "share_of_zeros",
    "This is the share of entries that are 0. A unit that is 0 for some examples is alive.",
    "First decide for each column, then average over the columns.",
)
def dead_fraction_share_of_zeros(a):
    return (a == 0).mean()


@chapter.mistake(
    dead_fraction,
    "examples_counted",
    "This is the share of EXAMPLES that wake no unit: the axes are exchanged. Units are columns.",
    "Use `all(axis=0)`.",
)
def dead_fraction_examples_counted(a):
    return (a == 0).all(axis=1).mean()


@chapter.mistake(
    dead_fraction,
    "any_zero",
    "Units that are 0 for a single example are counted: it looks like `any` where `all` is meant.",
    "Use `all(axis=0)`.",
)
def dead_fraction_any_zero(a):
    return (a == 0).any(axis=0).mean()


@chapter.mistake(
    dead_fraction,
    "count_returned",
    "This is the NUMBER of dead units. The share is that number divided by the number of units.",
    "Divide by M, or take the mean.",
)
def dead_fraction_count_returned(a):
    return (a == 0).all(axis=0).sum()


@chapter.mistake(
    dead_fraction,
    "share_alive",
    "This is the share of units that are alive: 1 minus the right answer.",
    "Count the columns where all entries are 0.",
)
def dead_fraction_share_alive(a):
    return (a > 0).any(axis=0).mean()


@chapter.exercise(
    points=2,
    returns="share",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "Two ends, two conditions: near `low`, or near `high`.",
        "How near is `margin` times the width of the range, `high - low`.",
        "`near = margin * (high - low)`, then `((a < low + near) | (a > high - near)).mean()`. "
        "The whole answer stands in `solutions/03_activations`.",
    ),
    afterthought="At margin 0.05 a sigmoid's slope has fallen below 0.05 times 0.95. How much of "
    "its best is left?",
)
def saturated_fraction(a, low=0.0, high=1.0, margin=0.05):
    """Share of the entries that lie near an end of the activation's range.

    An entry is saturated if it is less than `margin * (high - low)` away from `low` or `high`.
    (An entry at exactly that distance may count or not.)

    Parameters
    ----------
    a : array of any shape
        Outputs of an activation whose range is from `low` to `high`.
    low, high : float
        0 and 1 for the sigmoid, -1 and 1 for tanh.
    margin : float
        As a share of the range.

    Returns
    -------
    share : float
        Saturated entries divided by all entries, between 0 and 1.
    """
    near = margin * (high - low)
    return ((a < low + near) | (a > high - near)).mean()


@chapter.cases(saturated_fraction)
def saturated_cases(rng):
    yield Case((_spread(rng, (11, 13), 0.0, 1.0),), label="a sigmoid's outputs")
    yield Case((_spread(rng, (7, 17), -1.0, 1.0), -1.0, 1.0), label="tanh's outputs")
    yield Case((_spread(rng, (5, 7, 3), -1.0, 1.0), -1.0, 1.0, 0.1), label="margin = 0.1")


def _spread(rng, shape, low, high):
    """Outputs in random order: some near each end (more near the upper one), some between."""
    count = int(np.prod(shape))
    zones = [(0.001, 0.03), (0.06, 0.09), (0.12, 0.88), (0.91, 0.94), (0.97, 0.999)]
    zone = np.concatenate([[0, 0, 1, 2, 3, 4, 4, 4], rng.integers(0, 5, count - 8)])
    inside = np.array([rng.uniform(*zones[i]) for i in rng.permutation(zone)])
    inside[: count // 10] = rng.uniform(0.97, 0.999, count // 10)
    return low + (high - low) * inside.reshape(shape)


@chapter.mistake(
    saturated_fraction,
    "upper_end_only",
    "Only the entries near the upper end are counted; the lower end is as flat.",
    "Count both ends.",
)
def saturated_fraction_upper_end_only(a, low=0.0, high=1.0, margin=0.05):
    return (a > high - margin * (high - low)).mean()


@chapter.mistake(
    saturated_fraction,
    "lower_end_only",
    "Only the entries near the lower end are counted; the upper end is as flat.",
    "Count both ends.",
)
def saturated_fraction_lower_end_only(a, low=0.0, high=1.0, margin=0.05):
    return (a < low + margin * (high - low)).mean()


@chapter.mistake(
    saturated_fraction,
    "margin_not_scaled",
    "Right for the sigmoid, too small for tanh: the margin is taken as a distance. It is a share "
    "of the range, which is 2 wide for tanh.",
    "Multiply the margin by `high - low`.",
)
def saturated_fraction_margin_not_scaled(a, low=0.0, high=1.0, margin=0.05):
    return ((a < low + margin) | (a > high - margin)).mean()


@chapter.mistake(
    saturated_fraction,
    "range_ignored",
    "Right for the sigmoid only: the ends are taken as 0 and 1 whatever `low` and `high` say.",
    "Use `low` and `high`.",
)
def saturated_fraction_range_ignored(a, low=0.0, high=1.0, margin=0.05):
    return ((a < margin) | (a > 1 - margin)).mean()


@chapter.mistake(
    saturated_fraction,
    "share_between",
    "This is the share of entries that are NOT saturated.",
    "Count the entries near the ends.",
)
def saturated_fraction_share_between(a, low=0.0, high=1.0, margin=0.05):
    near = margin * (high - low)
    return ((a > low + near) & (a < high - near)).mean()


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "activations_q1",
    "Ten linear layers are stacked with nothing between them. What can they compute that one "
    "linear layer cannot?",
    choices={
        "a": "functions of more inputs",
        "b": "any curve, given enough units",
        "c": "curves with up to ten bends",
        "d": "nothing: their product is one linear layer",
    },
    answer="d",
    wrong={
        "a": "The number of inputs is the number of rows of the first matrix.",
        "b": "That needs a bend. A product of matrices is a matrix.",
        "c": "A bend comes from an activation; ten layers without one have none.",
    },
    explanation="x W1 W2 ... W10 = x (W1 W2 ... W10). An activation between the layers prevents "
    "the collapse: that is its first task.",
)
chapter.quiz(
    "activations_q2",
    "Which row gives the output ranges right?",
    choices={
        "a": "sigmoid (0, 1); tanh (-1, 1); ReLU all numbers; leaky ReLU from 0 up",
        "b": "sigmoid (-1, 1); tanh (0, 1); ReLU from 0 up; leaky ReLU from 0 up",
        "c": "sigmoid (0, 1); tanh (-1, 1); ReLU from 0 up; leaky ReLU all numbers",
        "d": "sigmoid (0, 1); tanh (0, 1); ReLU (0, 1); leaky ReLU (-1, 1)",
    },
    answer="c",
    wrong={
        "a": "ReLU never goes below 0; leaky ReLU does.",
        "b": "Sigmoid and tanh are exchanged, and leaky ReLU has a negative side.",
        "d": "tanh goes below 0, and ReLU has no ceiling.",
    },
    explanation="The ends 0, 1 and -1 are never reached (the intervals are open), only rounded to "
    "on a computer. No ceiling for ReLU: it cannot saturate above.",
)
chapter.quiz(
    "activations_q3",
    "ReLU of -2 is 0. What does ReLU give at x = 3, and what is its slope there?",
    choices={
        "a": "value 3, slope 3",
        "b": "value 3, slope 1",
        "c": "value 1, slope 1",
        "d": "value 3, slope 0",
    },
    answer="b",
    wrong={
        "a": "The value is x, and the slope of x is 1: a larger x does not make it steeper.",
        "c": "The slope is right. The value is x itself; 1 is the mask.",
        "d": "0 is the slope on the negative side.",
    },
    explanation="Where x is positive, ReLU is x: value 3, slope 1. Texts that print |x| for the "
    "value or x for the slope have both been seen.",
)
chapter.quiz(
    "activations_q4",
    "A program defines `def sigmoid_derivative(x): return x * (1 - x)` and calls it with the "
    "input of the sigmoid, x = 3. What does it return? Answer with a number.",
    answer=-6,
    wrong={
        0.0452: "That is the right slope; but 3 * (1 - 3) is something else.",
        6: "3 * (1 - 3): the bracket is negative.",
        0.9526: "That is sigmoid(3), the value that should have been passed.",
    },
    explanation="-6, for a function that only rises; the slope is 0.0452. The formula holds for "
    "the OUTPUT of the sigmoid. The same trap waits in 1 - x**2 for tanh: -8 instead of 0.0099.",
)
chapter.quiz(
    "activations_q5",
    "Where is the sigmoid's slope close to 0?",
    choices={
        "a": "where its input is near 0 or 1",
        "b": "where its output is near 0 or 1",
        "c": "where its output is near 0.5",
        "d": "nowhere: it is 0.25 everywhere",
    },
    answer="b",
    wrong={
        "a": "At input 0 the slope has its maximum, 0.25; at input 1 it is still 0.197.",
        "c": "Output 0.5 belongs to input 0, where the slope is largest.",
        "d": "0.25 is the largest value of the slope.",
    },
    explanation="a (1 - a) is small when a is near 0 or 1: the unit is saturated. That happens "
    "at inputs far from 0, on either side.",
)
chapter.quiz(
    "activations_q6",
    "The scaled sigmoid is 1 / (1 + exp(-alpha x)). What is its slope at x = 0 for alpha = 4? "
    "Answer with a number.",
    answer=1,
    wrong={
        0.25: "That is the plain sigmoid's slope: alpha comes out of the exponent as a factor.",
        4: "alpha times a (1 - a), and a is 0.5 at x = 0.",
        2: "alpha times a (1 - a) has two factors of 0.5.",
    },
    explanation="alpha a (1 - a) = 4 * 0.25 = 1. But at x = 3 it is 2.5e-5, against 0.045 for the "
    "plain sigmoid: steeper in the middle, flatter outside. Scaling all weights by 4 does the "
    "same, so nothing is cured.",
)
chapter.quiz(
    "activations_q7",
    "1000 is added to every entry of a row before softmax. What happens to the exact result?",
    choices={
        "a": "it saturates: one entry becomes 1, the others 0",
        "b": "nothing",
        "c": "it becomes nan",
        "d": "all entries become equal",
    },
    answer="b",
    wrong={
        "a": "Only DIFFERENCES between entries count; they stay as they were.",
        "c": "In a program without the shift it does; the function itself does not change.",
        "d": "Equal shares belong to equal inputs.",
    },
    explanation="e^1000 cancels. That is why the maximum may be subtracted first, and why a large "
    "input alone does not saturate a softmax; a large difference does.",
)
chapter.quiz(
    "activations_q8",
    "Every example of the batch gives a ReLU unit a negative input. What does its weight get?",
    choices={
        "a": "a small gradient that slowly brings the unit back",
        "b": "the same gradient as before",
        "c": "a gradient of exactly 0",
        "d": "a gradient that grows with depth",
    },
    answer="c",
    wrong={
        "a": "The slope is 0, not small. Leaky ReLU would give such a small gradient.",
        "b": "The chain rule multiplies by the slope on the negative side.",
        "d": "Whatever arrives is multiplied by 0.",
    },
    explanation="0 times anything is 0: the unit is dead on this batch. Only a change of the "
    "layers before it, or another batch, can wake it. Leaky ReLU keeps a small slope there: it is "
    "a remedy for dead units, not for vanishing gradients.",
)
chapter.quiz(
    "activations_q9",
    "Gradients vanish in a deep net of sigmoids. Which sentence is right?",
    choices={
        "a": "ReLU solves the problem for good",
        "b": "L2 regularisation solves it by keeping the weights small",
        "c": "ReLU helps because its slope is 1 on one side; initialisation, normalisation and "
        "residual connections have their share",
        "d": "gradient clipping solves it",
    },
    answer="c",
    wrong={
        "a": "With the wrong initialisation a ReLU net loses its gradient too, layer by layer.",
        "b": "Smaller weights make the product of factors smaller still.",
        "d": "Clipping shortens gradients that are too long. It is for the opposite case.",
    },
    explanation="The gradient at layer 1 is a product over all layers of slopes AND weights. The "
    "activation is one of its factors. Clipping is for gradients that explode.",
)
chapter.quiz(
    "activations_q10",
    "A net tells ten digits apart; each image is exactly one digit. Which activations suit its "
    "hidden layers and its output?",
    choices={
        "a": "softmax hidden, ReLU at the output",
        "b": "ReLU hidden, softmax at the output",
        "c": "ReLU hidden, tanh at the output",
        "d": "none hidden, sigmoid at the output",
    },
    answer="b",
    wrong={
        "a": "Softmax makes the units of a layer compete for one whole: meant for class shares.",
        "c": "tanh gives numbers between -1 and 1: no shares, and they need not add up to 1.",
        "d": "Without a bend the hidden layers collapse; ten sigmoids give ten separate yes-or-no "
        "answers.",
    },
    explanation="The output's activation follows from the task: softmax for one class of many, "
    "sigmoid for yes or no, none for a number without bounds, tanh for one between -1 and 1. The "
    "hidden one is chosen by gradient and cost: ReLU is a good first try.",
)
chapter.quiz(
    "activations_q11",
    "A neuron has inputs 1 and 2, weights 0.5 and -1, bias 0.25, and a ReLU. What is its output? "
    "Answer with a number.",
    answer=0,
    wrong={
        -1.25: "That is z, before the ReLU: 0.5 - 2 + 0.25.",
        1.25: "ReLU is not the absolute value.",
        -1.5: "That is the weighted sum without bias and without ReLU.",
    },
    explanation="z = 0.5 * 1 - 1 * 2 + 0.25 = -1.25, and ReLU turns it into 0. Weighted sum, "
    "bias, activation: the three steps of every neuron.",
)
