"""Chapter 04, losses: one number to descend, and the gradient at the output that starts it all."""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("04_losses", "Losses and outputs")

LOG_RTOL = 1e-6  # leaves room for a constant such as 1e-8 inside a logarithm


# --- a number: the mean squared error ------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="loss, dx",
    difficulty=1,
    minutes=6,
    hints=(
        "First the loss: difference, square, mean over ALL entries of the table.",
        "Then the slope with respect to one entry of `pred`: the square brings out a 2, and the "
        "mean divides by the number of entries.",
        "`loss = ((pred - y) ** 2).mean()` and `dx = 2 * (pred - y) / pred.size`. The whole "
        "answer stands in `solutions/04_losses`.",
    ),
    afterthought="Half of the loss, or N times the loss, has its minimum at the same place. What "
    "does change?",
)
def mse_loss(pred, y):
    """Mean squared error over all entries, and its gradient.

    Parameters
    ----------
    pred : (N, K) array
        Predictions.
    y : (N, K) array
        Targets.

    Returns
    -------
    loss : float
        The mean of (pred - y)^2 over all N * K entries.
    dx : (N, K) array
        Gradient of the loss with respect to `pred`.
    """
    loss = ((pred - y) ** 2).mean()
    dx = 2 * (pred - y) / pred.size
    return loss, dx


@chapter.cases(mse_loss)
def mse_cases(rng):
    for n, k in [(3, 2), (5, 4), (7, 1), (4, 11)]:
        shift = rng.uniform(0.4, 0.9)  # so that the errors do not cancel
        yield Case(
            (rng.normal(shift, 1.5, (n, k)), rng.normal(0, 1, (n, k))),
            label=f"N = {n} examples with K = {k} numbers each",
        )


@chapter.mistake(
    mse_loss,
    "sum_for_mean",
    "Loss and gradient are too large by the number of entries, N * K: the squares are added up, "
    "not averaged.",
    "Use the mean; the gradient is divided by `pred.size` too.",
)
def mse_loss_sum_for_mean(pred, y):
    return ((pred - y) ** 2).sum(), 2 * (pred - y)


@chapter.mistake(
    mse_loss,
    "divided_by_n_only",
    "Loss and gradient are too large by K: it looks like a division by the N examples, where the "
    "mean runs over all N * K entries.",
    "Divide by `pred.size`.",
)
def mse_loss_divided_by_n_only(pred, y):
    return ((pred - y) ** 2).sum() / len(y), 2 * (pred - y) / len(y)


@chapter.mistake(
    mse_loss,
    "half_convention",
    "Loss and gradient are half of what is asked: they belong to the convention with 1/2 in front "
    "of the square. Some books use it; here the loss is the plain mean.",
    "loss = mean of squares, dx = 2 (pred - y) / size.",
)
def mse_loss_half_convention(pred, y):
    return ((pred - y) ** 2).mean() / 2, (pred - y) / pred.size


@chapter.mistake(
    mse_loss,
    "gradient_without_2",
    "The loss is right and the gradient is half of its slope: the 2 from the square is missing.",
    "d (pred - y)^2 / d pred = 2 (pred - y).",
)
def mse_loss_gradient_without_2(pred, y):
    return ((pred - y) ** 2).mean(), (pred - y) / pred.size


@chapter.mistake(
    mse_loss,
    "gradient_not_divided",
    "The loss is right and the gradient is too large by N * K: the loss is a mean, and its slope "
    "is not divided.",
    "Divide the gradient by `pred.size`.",
)
def mse_loss_gradient_not_divided(pred, y):
    return ((pred - y) ** 2).mean(), 2 * (pred - y)


@chapter.mistake(
    mse_loss,
    "gradient_divided_by_n_only",
    "The loss is right and the gradient is too large by K: it is divided by the N examples, where "
    "the mean runs over all N * K entries.",
    "Divide the gradient by `pred.size`.",
)
def mse_loss_gradient_divided_by_n_only(pred, y):
    return ((pred - y) ** 2).mean(), 2 * (pred - y) / len(y)


@chapter.mistake(
    mse_loss,
    "gradient_bare",
    "The gradient equals pred - y: both the 2 from the square and the division by the number of "
    "entries are missing.",
    "dx = 2 (pred - y) / size.",
)
def mse_loss_gradient_bare(pred, y):
    return ((pred - y) ** 2).mean(), pred - y


@chapter.mistake(
    mse_loss,
    "sign",
    "The gradient has the opposite sign: it looks like y - pred where pred - y is meant. The "
    "square hides it in the loss; a step with this gradient climbs.",
    "dx = 2 (pred - y) / size.",
)
def mse_loss_sign(pred, y):
    return ((pred - y) ** 2).mean(), 2 * (y - pred) / pred.size


@chapter.mistake(
    mse_loss,
    "not_squared",
    "The loss equals the mean of pred - y without the square. There an error of +3 and one of -3 "
    "cancel, and the number falls without end.",
    "Square the differences first.",
)
def mse_loss_not_squared(pred, y):
    return (pred - y).mean(), np.ones_like(pred) / pred.size


@chapter.mistake(
    mse_loss,
    "root",
    "The loss equals the ROOT of the mean squared error.",
    "Leave out the root.",
)
def mse_loss_root(pred, y):
    loss = np.sqrt(((pred - y) ** 2).mean())
    return loss, (pred - y) / pred.size / loss


@chapter.mistake(
    mse_loss,
    "one_loss_per_example",
    "One loss for each example came back; training needs one number for the whole batch.",
    "Take the mean without an axis.",
)
def mse_loss_one_loss_per_example(pred, y):
    return ((pred - y) ** 2).mean(axis=1), 2 * (pred - y) / pred.size


# --- yes or no: the binary cross-entropy ---------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="loss, dx",
    difficulty=2,
    minutes=9,
    rtol=LOG_RTOL,
    hints=(
        "For y = 1 the loss of one example is -log p. What is it for y = 0, where 1 - p is the "
        "probability of what happened?",
        "One formula holds both: -(y log p + (1 - y) log(1 - p)), then the mean. The slope of "
        "log p is 1/p; the slope of log(1 - p) is -1/(1 - p).",
        "`dx = (p - y) / (p * (1 - p)) / len(p)`. The whole answer stands in "
        "`solutions/04_losses`.",
    ),
    afterthought="How large is the slope at p = 0.001 when y is 1?",
)
def bce_loss(p, y):
    """Binary cross-entropy of probabilities, averaged over the examples, and its gradient.

    Parameters
    ----------
    p : (N,) array
        The predicted probability of "yes", strictly between 0 and 1.
    y : (N,) array
        What was true: 1 for yes, 0 for no.

    Returns
    -------
    loss : float
        The mean of -(y log p + (1 - y) log(1 - p)), natural logarithm.
    dx : (N,) array
        Gradient of the loss with respect to `p`.
    """
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    dx = (p - y) / (p * (1 - p)) / len(p)
    return loss, dx


def _zeros_and_ones(rng, n):
    """Labels with at least one of each kind, and not in equal numbers."""
    y = (rng.random(n) < 0.5).astype(float)
    y[:3] = rng.permutation([0.0, 1.0, 1.0])
    if y.sum() * 2 == n:
        y[-1] = 1 - y[-1]
    return y


@chapter.cases(bce_loss)
def bce_cases(rng):
    for n in (3, 5, 11):
        yield Case((rng.uniform(0.1, 0.9, n), _zeros_and_ones(rng, n)), label=f"N = {n}")


@chapter.mistake(
    bce_loss,
    "second_term_missing",
    "These values equal -y log p alone: the term (1 - y) log(1 - p) is missing. An example with "
    "y = 0 then costs nothing, whatever p is.",
    "Add the term for y = 0, in the loss and in its gradient.",
)
def bce_loss_second_term_missing(p, y):
    return -(y * np.log(p)).mean(), -y / p / len(p)


@chapter.mistake(
    bce_loss,
    "second_term_missing_in_loss",
    "The gradient is right; the loss equals -y log p alone. The term (1 - y) log(1 - p) is missing "
    "there: an example with y = 0 costs nothing, whatever p is.",
    "Add the term for y = 0 to the loss.",
)
def bce_loss_second_term_missing_in_loss(p, y):
    return -(y * np.log(p)).mean(), bce_loss(p, y)[1]


@chapter.mistake(
    bce_loss,
    "gradient_of_the_logit",
    "The gradient equals (p - y) / N. That is the slope with respect to the LOGIT, before the "
    "sigmoid; here it is asked with respect to the probability p.",
    "Divide by p (1 - p).",
)
def bce_loss_gradient_of_the_logit(p, y):
    return bce_loss(p, y)[0], (p - y) / len(p)


@chapter.mistake(
    bce_loss,
    "sum_for_mean",
    "Loss and gradient are N times too large: they are added up over the examples, not averaged.",
    "Divide both by the number of examples.",
)
def bce_loss_sum_for_mean(p, y):
    loss, dx = bce_loss(p, y)
    return loss * len(p), dx * len(p)


@chapter.mistake(
    bce_loss,
    "gradient_not_divided",
    "The loss is right and the gradient is N times too large: the loss is a mean, and its slope "
    "is not divided by N.",
    "Divide the gradient by the number of examples.",
)
def bce_loss_gradient_not_divided(p, y):
    loss, dx = bce_loss(p, y)
    return loss, dx * len(p)


@chapter.mistake(
    bce_loss,
    "sign_of_the_gradient",
    "The gradient has the opposite sign: where y is 1, a larger p must LOWER the loss.",
    "Mind the two minus signs: -y / p + (1 - y) / (1 - p).",
)
def bce_loss_sign_of_the_gradient(p, y):
    loss, dx = bce_loss(p, y)
    return loss, -dx


@chapter.mistake(
    bce_loss,
    "inner_slope_forgotten",
    "Where y is 0 the gradient has the wrong sign: the slope of log(1 - p) is -1 / (1 - p), with "
    "a minus from the inside.",
    "The gradient is -y / p + (1 - y) / (1 - p), divided by N.",
)
def bce_loss_inner_slope_forgotten(p, y):
    return bce_loss(p, y)[0], (-y / p - (1 - y) / (1 - p)) / len(p)


@chapter.mistake(
    bce_loss,
    "sign_of_the_loss",
    "Loss and gradient have the opposite sign: the minus in front of the logarithms is missing. "
    "The logarithm of a probability is negative; a loss is not.",
    "Put a minus in front of the sum.",
)
def bce_loss_sign_of_the_loss(p, y):
    loss, dx = bce_loss(p, y)
    return -loss, -dx


@chapter.mistake(
    bce_loss,
    "labels_exchanged",
    "These values are right for exchanged labels: p is the probability of y = 1.",
    "log p belongs to y, log(1 - p) to 1 - y.",
)
def bce_loss_labels_exchanged(p, y):
    return bce_loss(p, 1 - y)


@chapter.mistake(
    bce_loss,
    "logarithm_to_base_2",
    "These values equal those with the logarithm to base 2: too large by 1 / ln 2. The natural "
    "one is meant.",
    "Use `np.log`.",
)
def bce_loss_logarithm_to_base_2(p, y):
    loss, dx = bce_loss(p, y)
    return loss / np.log(2), dx / np.log(2)


@chapter.exercise(
    points=4,
    returns="loss, dx",
    difficulty=3,
    minutes=12,
    rtol=LOG_RTOL,
    hints=(
        "With p = sigmoid(z) the gradient shrinks to something very short. For the loss, write "
        "-log sigmoid(z) = log(1 + e^(-z)), and -log(1 - sigmoid(z)) = log(1 + e^z).",
        "Both cases together are log(1 + e^z) - y z. For large z, e^z overflows: take the larger "
        "of 0 and z out of the logarithm first, so that only e^(-|z|) is left inside.",
        "`np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))`, averaged, and "
        "`dx = (sigmoid(z) - y) / len(z)`. The whole answer stands in `solutions/04_losses`.",
    ),
    afterthought="At z = -1000 and y = 1 the loss is 1000. What does the detour over p report?",
)
def bce_with_logits_loss(z, y):
    """Sigmoid and binary cross-entropy in one step, and the gradient.

    It holds for large logits too: z may be 1000 or -1000, on the right side or on the wrong one.

    Parameters
    ----------
    z : (N,) array
        Logits: what goes into the sigmoid. Any numbers.
    y : (N,) array
        What was true: 1 for yes, 0 for no.

    Returns
    -------
    loss : float
        The mean of -(y log p + (1 - y) log(1 - p)) with p = sigmoid(z).
    dx : (N,) array
        Gradient of the loss with respect to `z`.
    """
    small = np.exp(-np.abs(z))  # never overflows: between 0 and 1
    loss = (np.maximum(z, 0) - y * z + np.log1p(small)).mean()
    p = np.where(z >= 0, 1, small) / (1 + small)  # the sigmoid
    return loss, (p - y) / len(z)


@chapter.cases(bce_with_logits_loss)
def bce_logits_cases(rng):
    for n in (3, 5, 11):
        z = rng.uniform(0.2, 2.5, n) * rng.choice([-1.0, 1.0], n)
        z[:2] = -abs(z[0]), abs(z[1])
        yield Case((z, _zeros_and_ones(rng, n)), label=f"N = {n}")


def drive_extreme_logits(bce_with_logits_loss, z, y):
    """Loss and gradient at large logits; warnings are not judged here, values are."""
    with np.errstate(all="ignore"):
        loss, dx = bce_with_logits_loss(z, y)[:2]
    return {"loss": loss, "dx": dx}


@chapter.property(
    bce_with_logits_loss,
    "stable_at_1000",
    "With logits around 1000 or -1000 the loss or the gradient is wrong or not a number. The "
    "sigmoid rounds to 0 or 1 there, and its logarithm knows nothing any more; e^1000 is too "
    "large for a float. (A clipped p, or a small constant inside the logarithm, gives a number, "
    "but not 1000.)",
)
def bce_logits_extremes(rng):
    z, mixed = np.array([1000.0, 900.0, 800.0]), np.array([1.0, 0.0, 0.0])
    drive = drive_extreme_logits
    yield Case((z, mixed), drive=drive, label="large logits, two of three wrong")
    yield Case((-z, mixed), drive=drive, label="large negative logits, one of three wrong")
    yield Case((z, np.ones(3)), drive=drive, label="large logits, all of them right")


def _through_p(z, y):
    """Loss and gradient by the detour over p; not stable."""
    p = 1 / (1 + np.exp(-z))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean(), (p - y) / len(z)


@chapter.mistake(
    bce_with_logits_loss,
    "through_the_probability",
    "Right for moderate logits, not a number for large ones: it looks like the detour over "
    "p = sigmoid(z). There p rounds to 0 or 1, and log(0) is -inf.",
    "Simplify on paper first: log(1 + e^z) - y z, with the larger of 0 and z taken out.",
)
def bce_with_logits_loss_through_the_probability(z, y):
    return _through_p(z, y)


@chapter.mistake(
    bce_with_logits_loss,
    "overflow_on_the_right",
    "Right for moderate logits; at +1000 the loss is inf: it looks like log(1 + e^z), where e^z "
    "overflows.",
    "max(z, 0) + log(1 + e^(-|z|)) is the same number, without an overflow.",
)
def bce_with_logits_loss_overflow_on_the_right(z, y):
    return (np.log1p(np.exp(z)) - y * z).mean(), bce_with_logits_loss(z, y)[1]


@chapter.mistake(
    bce_with_logits_loss,
    "overflow_on_the_left",
    "Right for moderate logits; at -1000 the loss is inf: it looks like log(1 + e^(-z)), where "
    "e^(-z) overflows.",
    "max(z, 0) + log(1 + e^(-|z|)) - y z has no overflow on either side.",
)
def bce_with_logits_loss_overflow_on_the_left(z, y):
    return (np.log1p(np.exp(-z)) + (1 - y) * z).mean(), bce_with_logits_loss(z, y)[1]


@chapter.mistake(
    bce_with_logits_loss,
    "logits_clipped",
    "Right for moderate logits; at 1000 the loss is 500. It looks as if the logits are clipped to "
    "a range.",
    "Take the larger of 0 and z out of the logarithm; no clipping is needed.",
)
def bce_with_logits_loss_logits_clipped(z, y):
    return bce_with_logits_loss(np.clip(z, -500, 500), y)


@chapter.mistake(
    bce_with_logits_loss,
    "gradient_overflows",
    "The loss is right; at +1000 the gradient is not a number: it looks like the sigmoid as "
    "e^z / (1 + e^z), which becomes inf / inf.",
    "1 / (1 + e^(-z)), or take only exponentials of negative numbers.",
)
def bce_with_logits_loss_gradient_overflows(z, y):
    e = np.exp(z)
    return bce_with_logits_loss(z, y)[0], (e / (1 + e) - y) / len(z)


@chapter.mistake(
    bce_with_logits_loss,
    "sigmoid_left_out",
    "These values treat z as a probability: the sigmoid is left out. The gradient equals "
    "(z - y) / N.",
    "p = sigmoid(z) first.",
)
def bce_with_logits_loss_sigmoid_left_out(z, y):
    return (np.maximum(z, 0) - y * z + np.log1p(np.exp(-np.abs(z)))).mean(), (z - y) / len(z)


@chapter.mistake(
    bce_with_logits_loss,
    "slope_twice",
    "The gradient equals (p - y) p (1 - p) / N: one slope of the sigmoid too many. The division "
    "by p (1 - p) in the gradient of the cross-entropy cancels it.",
    "The gradient with respect to z is (p - y) / N.",
)
def bce_with_logits_loss_slope_twice(z, y):
    loss, dx = bce_with_logits_loss(z, y)
    p = dx * len(z) + y
    return loss, dx * p * (1 - p)


@chapter.mistake(
    bce_with_logits_loss,
    "gradient_of_the_probability",
    "The gradient equals (p - y) / (p (1 - p)) / N: that is the slope with respect to p. Here it "
    "is asked with respect to z.",
    "Multiply by the slope of the sigmoid, p (1 - p): what is left is p - y.",
)
def bce_with_logits_loss_gradient_of_the_probability(z, y):
    loss, dx = bce_with_logits_loss(z, y)
    p = dx * len(z) + y
    return loss, dx / (p * (1 - p))


@chapter.mistake(
    bce_with_logits_loss,
    "sum_for_mean",
    "Loss and gradient are N times too large: they are added up over the examples, not averaged.",
    "Divide both by the number of examples.",
)
def bce_with_logits_loss_sum_for_mean(z, y):
    loss, dx = bce_with_logits_loss(z, y)
    return loss * len(z), dx * len(z)


@chapter.mistake(
    bce_with_logits_loss,
    "gradient_not_divided",
    "The loss is right and the gradient is N times too large: the loss is a mean, and its slope "
    "is not divided by N.",
    "Divide the gradient by the number of examples.",
)
def bce_with_logits_loss_gradient_not_divided(z, y):
    loss, dx = bce_with_logits_loss(z, y)
    return loss, dx * len(z)


@chapter.mistake(
    bce_with_logits_loss,
    "sign",
    "The gradient has the opposite sign: it looks like y - p where p - y is meant.",
    "The gradient is (p - y) / N.",
)
def bce_with_logits_loss_sign(z, y):
    loss, dx = bce_with_logits_loss(z, y)
    return loss, -dx


@chapter.mistake(
    bce_with_logits_loss,
    "second_term_missing",
    "The loss equals -y log p alone: the term for y = 0 is missing. A sure and wrong yes then "
    "costs nothing.",
    "Add (1 - y) log(1 - p).",
)
def bce_with_logits_loss_second_term_missing(z, y):
    return (y * np.logaddexp(0, -z)).mean(), bce_with_logits_loss(z, y)[1]


# --- one of many: softmax and cross-entropy ------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="loss, dx",
    difficulty=3,
    minutes=13,
    rtol=LOG_RTOL,
    hints=(
        "Softmax turns each row of scores into shares. The loss of one example is -log of the "
        "share that its TRUE class gets.",
        "`p[np.arange(N), y]` picks one entry from each row: column y[0] from row 0, column y[1] "
        "from row 1, and so on. The gradient is p with 1 subtracted at the same places, divided "
        "by N.",
        "`e = np.exp(x - x.max(axis=1, keepdims=True))`, `p = e / e.sum(axis=1, keepdims=True)`, "
        "`loss = -np.log(p[rows, y]).mean()`; then `p[rows, y] -= 1` and `dx = p / N`. The whole "
        "answer stands in `solutions/04_losses`.",
    ),
    afterthought="What does each row of the gradient add up to, and why must it?",
)
def softmax_loss(x, y):
    """Softmax and cross-entropy in one step, averaged over the examples, and the gradient.

    Parameters
    ----------
    x : (N, C) array
        Scores (logits), one for each class.
    y : (N,) array of int
        The true class of each example, 0 to C - 1.

    Returns
    -------
    loss : float
        The mean of -log p[i, y[i]], where row i of p is the softmax of row i of x.
    dx : (N, C) array
        Gradient of the loss with respect to `x`.
    """
    N = len(x)
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)  # (N, C), rows add up to 1
    loss = -np.log(p[np.arange(N), y]).mean()
    dx = p.copy()
    dx[np.arange(N), y] -= 1
    return loss, dx / N


def _labels(rng, n, c):
    """Classes for n examples, not all the same."""
    y = rng.integers(0, c, n)
    y[:2] = rng.permutation(c)[:2]
    return y


@chapter.cases(softmax_loss)
def softmax_loss_cases(rng):
    for n, c in [(3, 4), (5, 3), (11, 7)]:
        x = rng.uniform(-1.5, 1.5, (n, c))
        yield Case((x, _labels(rng, n, c)), label=f"N = {n} examples, C = {c} classes")


def _softmax(x, axis=1):
    e = np.exp(x)
    return e / e.sum(axis=axis, keepdims=True)


@chapter.mistake(
    softmax_loss,
    "sum_for_mean",
    "Loss and gradient are N times too large: they are added up over the examples, not averaged.",
    "Divide both by N.",
)
def softmax_loss_sum_for_mean(x, y):
    loss, dx = softmax_loss(x, y)
    return loss * len(x), dx * len(x)


@chapter.mistake(
    softmax_loss,
    "gradient_not_divided",
    "The loss is right and the gradient is N times too large: the loss is a mean, and its slope "
    "is not divided by N.",
    "Divide the gradient by N.",
)
def softmax_loss_gradient_not_divided(x, y):
    loss, dx = softmax_loss(x, y)
    return loss, dx * len(x)


@chapter.mistake(
    softmax_loss,
    "loss_not_divided",
    "The gradient is right and the loss is N times too large: it is added up over the examples.",
    "Divide the loss by N.",
)
def softmax_loss_loss_not_divided(x, y):
    loss, dx = softmax_loss(x, y)
    return loss * len(x), dx


@chapter.mistake(
    softmax_loss,
    "sign_of_the_loss",
    "The loss has the opposite sign: the minus in front of the logarithm is missing. The logarithm "
    "of a share is negative; a loss is not.",
    "-log p, averaged.",
)
def softmax_loss_sign_of_the_loss(x, y):
    loss, dx = softmax_loss(x, y)
    return -loss, dx


@chapter.mistake(
    softmax_loss,
    "mean_over_all_entries",
    "Loss and gradient are C times too small: it looks like the mean over the whole one-hot table. "
    "It has one entry per example that counts; divide by N.",
    "Divide by N, not by N * C.",
)
def softmax_loss_mean_over_all_entries(x, y):
    loss, dx = softmax_loss(x, y)
    return loss / x.shape[1], dx / x.shape[1]


@chapter.mistake(
    softmax_loss,
    "loss_over_all_entries",
    "The gradient is right and the loss is C times too small: it looks like the mean over the "
    "whole one-hot table. Only one entry per example counts.",
    "Divide the loss by N, not by N * C.",
)
def softmax_loss_loss_over_all_entries(x, y):
    loss, dx = softmax_loss(x, y)
    return loss / x.shape[1], dx


@chapter.mistake(
    softmax_loss,
    "one_not_subtracted",
    "The gradient equals p / N: the 1 at the true class is not subtracted. Every score would go "
    "down, that of the true class most of all.",
    "dx = p, minus 1 at [i, y[i]], divided by N.",
)
def softmax_loss_one_not_subtracted(x, y):
    return softmax_loss(x, y)[0], _softmax(x) / len(x)


@chapter.mistake(
    softmax_loss,
    "one_not_divided",
    "The 1 at the true class is subtracted after the division by N: it looks like p / N - 1. Both "
    "parts of p - 1 are divided.",
    "Subtract first, divide then.",
)
def softmax_loss_one_not_divided(x, y):
    dx = _softmax(x) / len(x)
    dx[np.arange(len(x)), y] -= 1
    return softmax_loss(x, y)[0], dx


@chapter.mistake(
    softmax_loss,
    "sign",
    "The gradient has the opposite sign: it looks like y - p where p - y is meant.",
    "The gradient is p, minus 1 at the true class.",
)
def softmax_loss_sign(x, y):
    loss, dx = softmax_loss(x, y)
    return loss, -dx


@chapter.mistake(
    softmax_loss,
    "true_class_only",
    "Only the true class has a gradient. The other scores count too: each of them takes its share "
    "of the whole.",
    "dx = p / N everywhere, and (p - 1) / N at the true class.",
)
def softmax_loss_true_class_only(x, y):
    loss, dx = softmax_loss(x, y)
    only = np.zeros_like(dx)
    only[np.arange(len(x)), y] = dx[np.arange(len(x)), y]
    return loss, only


@chapter.mistake(
    softmax_loss,
    "gradient_of_the_probabilities",
    "The gradient equals -1 / p at the true class: the slope with respect to the probabilities. It "
    "has to go back through softmax to the scores.",
    "With respect to the scores, softmax and logarithm together give p - 1 at the true class.",
)
def softmax_loss_gradient_of_the_probabilities(x, y):
    rows = np.arange(len(x))
    dx = np.zeros_like(x)
    dx[rows, y] = -1 / _softmax(x)[rows, y] / len(x)
    return softmax_loss(x, y)[0], dx


@chapter.mistake(
    softmax_loss,
    "every_row_with_every_label",
    "It looks like `p[:, y]`: that takes the columns of ALL labels from EVERY row. Each example "
    "has one label of its own.",
    "`p[np.arange(N), y]` pairs row i with label y[i].",
)
def softmax_loss_every_row_with_every_label(x, y):
    dx = _softmax(x)
    loss = -np.log(dx[:, y]).mean()
    dx[:, y] -= 1
    return loss, dx / len(x)


@chapter.mistake(
    softmax_loss,
    "labels_subtracted",
    "The subtraction does not fit: it looks like `p - y`, with class NUMBERS in y. That formula is "
    "meant for one-hot rows.",
    "Subtract 1 at [i, y[i]], or make one-hot rows first: `np.eye(C)[y]`.",
)
def softmax_loss_labels_subtracted(x, y):
    return softmax_loss(x, y)[0], (_softmax(x) - y) / len(x)


@chapter.mistake(
    softmax_loss,
    "softmax_over_axis_0",
    "The shares add up to 1 down the columns: the examples compete with each other, where the "
    "classes of one example should.",
    "Use `axis=1` in the softmax.",
)
def softmax_loss_softmax_over_axis_0(x, y):
    rows, p = np.arange(len(x)), _softmax(x, axis=0)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return loss, p / len(x)


@chapter.mistake(
    softmax_loss,
    "softmax_over_everything",
    "All shares of the batch together add up to 1: the sum in the softmax has no axis.",
    "`e.sum(axis=1, keepdims=True)`.",
)
def softmax_loss_softmax_over_everything(x, y):
    rows, p = np.arange(len(x)), _softmax(x, axis=None)
    loss = -np.log(p[rows, y]).mean()
    p[rows, y] -= 1
    return loss, p / len(x)


@chapter.mistake(
    softmax_loss,
    "log_of_the_sum_missing",
    "The loss equals the mean of the negative scores of the true class: the logarithm of the sum "
    "of exponentials is missing.",
    "-log p = log(sum of e^x over the row) - x at the true class.",
)
def softmax_loss_log_of_the_sum_missing(x, y):
    return -x[np.arange(len(x)), y].mean(), softmax_loss(x, y)[1]


@chapter.mistake(
    softmax_loss,
    "logarithm_to_base_2",
    "The loss is too large by 1 / ln 2: the logarithm to base 2 where the natural one is meant. "
    "The gradient p - y fits the natural one.",
    "Use `np.log`.",
)
def softmax_loss_logarithm_to_base_2(x, y):
    loss, dx = softmax_loss(x, y)
    return loss / np.log(2), dx


# --- a margin: the hinge loss for many classes ---------------------------------------------------


@chapter.exercise(
    points=4,
    returns="loss, dx",
    difficulty=3,
    minutes=13,
    hints=(
        "For one example: every WRONG class should stay at least 1 below the true one. What is "
        "missing to that is max(0, x_j - x_true + 1); add it up over the wrong classes.",
        "For the whole batch: `x - x[np.arange(N), y][:, None] + 1`, negative entries to 0, and "
        "the true class to 0. Each entry that is left pulls twice: +1 on its own score, -1 on "
        "that of the true class.",
        "`dx = (margins > 0) / N`, then `dx[rows, y] -= dx.sum(axis=1)`. The whole answer stands "
        "in `solutions/04_losses`.",
    ),
    afterthought="When does an example stop pulling on the weights? Does that ever happen with "
    "the cross-entropy?",
)
def svm_loss(x, y):
    """Hinge loss for many classes with margin 1, averaged over the examples, and the gradient.

    Parameters
    ----------
    x : (N, C) array
        Scores, one for each class.
    y : (N,) array of int
        The true class of each example, 0 to C - 1.

    Returns
    -------
    loss : float
        The mean over i of the sum over j != y[i] of max(0, x[i, j] - x[i, y[i]] + 1).
    dx : (N, C) array
        Gradient of the loss with respect to `x`.
    """
    N = len(x)
    rows = np.arange(N)
    margins = np.maximum(0, x - x[rows, y][:, None] + 1)  # (N, C)
    margins[rows, y] = 0  # the true class does not compete with itself
    dx = (margins > 0) / N
    dx[rows, y] -= dx.sum(axis=1)
    return margins.sum() / N, dx


def _margins(x, y):
    rows = np.arange(len(x))
    margins = x - x[rows, y][:, None] + 1
    margins[rows, y] = -1
    return margins


def _tells_apart(x, y):
    """No entry near the kink; one row with two or more pulls, one entry without a pull."""
    margins = _margins(x, y)
    pulls = (margins > 0).sum(axis=1)
    return np.abs(margins).min() > 0.02 and pulls.max() >= 2 and pulls.sum() < x.size - len(x)


@chapter.cases(svm_loss)
def svm_loss_cases(rng):
    for n, c in [(3, 4), (5, 3), (11, 7)]:
        y = _labels(rng, n, c)
        while True:
            x = rng.normal(0, 1.5, (n, c))
            if _tells_apart(x, y):
                break
        yield Case((x, y), label=f"N = {n} examples, C = {c} classes")


def _svm(x, y, bug=""):
    """Hinge loss and gradient with one bug planted."""
    n, rows = len(x), np.arange(len(x))
    gap = x - x[rows, y][:, None] + (0 if bug == "no_margin" else 1)
    if bug == "sign":
        gap = x[rows, y][:, None] - x + 1
    margins = np.maximum(0, gap)
    margins[rows, y] = 0
    dx = (margins > 0) * 1.0
    if bug == "sign":
        dx = -dx
    if bug == "squared":
        margins, dx = margins**2, 2 * margins
    if bug == "values_for_slopes":
        dx = margins.copy()
    if bug == "largest_only":
        top = margins.argmax(axis=1)
        keep = np.zeros_like(margins)
        keep[rows, top] = 1
        margins, dx = margins * keep, dx * keep
    pulls = dx.sum(axis=1)
    if bug == "true_class_pulled_once":
        pulls = np.minimum(pulls, 1)
    if bug != "true_class_without_gradient":
        dx[rows, y] -= pulls
    loss = margins.sum() / n + (bug == "true_class_counted")
    if bug == "sum_for_mean":
        return loss * n, dx
    if bug == "loss_not_divided":
        return loss * n, dx / n
    if bug == "mean_over_all_entries":
        return loss / x.shape[1], dx / x.size
    return loss, dx if bug == "gradient_not_divided" else dx / n


SVM_BUGS = {
    "true_class_counted": (
        "The loss is too large by exactly 1: the true class is counted too. It gives "
        "max(0, 0 + 1) = 1 for every example.",
        "Leave out j = y[i]: set the margin of the true class to 0.",
    ),
    "no_margin": (
        "These values equal max(0, x_j - x_true), without the margin of 1: being ahead by a hair "
        "is not enough here.",
        "max(0, x_j - x_true + 1).",
    ),
    "sign": (
        "These values equal max(0, x_true - x_j + 1): the difference is turned round, so a good "
        "score of the true class is punished.",
        "x_j - x_true + 1.",
    ),
    "true_class_without_gradient": (
        "The true class has no gradient. Every wrong class that is too close pulls twice: +1 on "
        "its own score, -1 on that of the true class.",
        "Subtract the number of pulls at [i, y[i]].",
    ),
    "true_class_pulled_once": (
        "The true class gets -1 where two or more wrong classes are too close. It is pulled once "
        "by EACH of them.",
        "Subtract the number of positive margins of the row.",
    ),
    "values_for_slopes": (
        "The gradient holds the margins themselves. The slope of max(0, m) is 1 where m > 0, "
        "whatever m is.",
        "Use the mask `margins > 0`.",
    ),
    "squared": (
        "These values equal the squared hinge loss: each margin is squared.",
        "Leave out the square; the slope is 1.",
    ),
    "largest_only": (
        "Only the worst of the wrong classes counts. That is another hinge loss (Crammer and "
        "Singer's); here all wrong classes that are too close are added up.",
        "Sum over the classes, not max.",
    ),
    "loss_not_divided": (
        "The gradient is right and the loss is N times too large: it is added up over the "
        "examples.",
        "Divide the loss by N.",
    ),
    "sum_for_mean": (
        "Loss and gradient are N times too large: they are added up over the examples, not "
        "averaged.",
        "Divide both by N.",
    ),
    "gradient_not_divided": (
        "The loss is right and the gradient is N times too large: the loss is a mean, and its "
        "slope is not divided by N.",
        "Divide the gradient by N.",
    ),
    "mean_over_all_entries": (
        "Loss and gradient are C times too small: it looks like the mean over all N * C entries. "
        "The classes are added up; the mean is over the examples.",
        "Divide by N.",
    ),
}


def _svm_with(bug):
    def wrong(x, y):
        loss, dx = _svm(x, y, bug)
        return loss, dx

    return wrong


for _bug, (_message, _remedy) in SVM_BUGS.items():
    chapter.mistake(svm_loss, _bug, _message, _remedy)(_svm_with(_bug))


# --- a linear model on top: data loss, penalty, gradient of W ------------------------------------


@chapter.exercise(
    points=4,
    returns="loss, dW",
    difficulty=2,
    minutes=10,
    rtol=LOG_RTOL,
    hints=(
        "Three steps: scores = X W; the loss of the scores; the penalty. `softmax_loss` above does "
        "the second one.",
        "`dW` has the shape of W, (D, C). It is what an affine layer does with the gradient of its "
        "output, plus the slope of the penalty: the square brings out a 2.",
        "`loss, dscores = softmax_loss(X @ W, y)`; then `loss + reg * np.sum(W * W)` and "
        "`X.T @ dscores + 2 * reg * W`. The whole answer stands in `solutions/04_losses`.",
    ),
    afterthought="With W = 0, what is the loss for ten classes? It is the first number to look at.",
)
def softmax_loss_vectorized(W, X, y, reg):
    """Loss of a linear softmax classifier with a penalty on its weights, and the gradient of W.

    Parameters
    ----------
    W : (D, C) array
        Weights; the scores are X @ W.
    X : (N, D) array
        Inputs, one example per row.
    y : (N,) array of int
        The true class of each example, 0 to C - 1.
    reg : float
        Strength of the penalty.

    Returns
    -------
    loss : float
        The mean cross-entropy plus reg * sum(W * W). No factor 1/2.
    dW : (D, C) array
        Gradient of this loss with respect to `W`.
    """
    loss, dscores = softmax_loss(X @ W, y)
    return loss + reg * np.sum(W * W), X.T @ dscores + 2 * reg * W


def linear_cases(rng):
    """Inputs, weights and labels whose scores lie on no kink of the hinge loss."""
    for n, d, c, reg in [(5, 3, 4, 0.3), (7, 4, 3, 0.05), (4, 6, 5, 1.5)]:
        y = _labels(rng, n, c)
        while True:
            X, W = rng.normal(0, 1, (n, d)), rng.normal(0, 0.6, (d, c))
            if _tells_apart(X @ W, y) and np.abs(X @ W).max() < 3:
                break
        yield Case((W, X, y, reg), label=f"N = {n}, D = {d}, C = {c}, reg = {reg}")


chapter.cases(softmax_loss_vectorized)(linear_cases)

LINEAR_BUGS = {
    "penalty_missing": (
        "Loss and gradient are those without the penalty: `reg` seems not to be used.",
        "Add reg * sum(W * W) to the loss and 2 * reg * W to the gradient.",
    ),
    "penalty_missing_in_loss": (
        "The gradient is right; the loss is that without the penalty.",
        "Add reg * sum(W * W) to the loss.",
    ),
    "penalty_missing_in_gradient": (
        "The loss is right; the gradient is that without the penalty.",
        "Add 2 * reg * W to the gradient.",
    ),
    "penalty_slope_without_2": (
        "The loss holds reg * sum(W * W), and the gradient reg * W: the two do not fit. The square "
        "brings out a 2.",
        "The gradient of the penalty is 2 * reg * W.",
    ),
    "half_penalty": (
        "Loss and gradient fit each other, with the penalty 0.5 * reg * sum(W * W). Some courses "
        "use it; here the penalty has no factor 1/2.",
        "Penalty reg * sum(W * W), gradient 2 * reg * W.",
    ),
    "half_penalty_in_loss": (
        "The gradient is right; the loss holds 0.5 * reg * sum(W * W). The two do not fit.",
        "The penalty is reg * sum(W * W).",
    ),
    "penalty_divided_by_n": (
        "The penalty and its gradient are divided by N together with the data loss. The penalty "
        "counts once, not per example.",
        "Add the penalty after the division by N.",
    ),
    "penalty_of_absolute_values": (
        "The penalty equals reg * sum(|W|), with slope reg * sign(W): that is the L1 penalty.",
        "Square the weights.",
    ),
    "sum_for_mean": (
        "The data part of loss and gradient is N times too large: it is added up over the "
        "examples, not averaged.",
        "Divide the data loss and its gradient by N; the penalty comes after that.",
    ),
    "gradient_not_divided": (
        "The loss is right; the data part of the gradient is N times too large.",
        "Divide the gradient of the data loss by N.",
    ),
    "transposed": (
        "`dW` is transposed: its shape is (C, D), and W has (D, C).",
        "The product is `X.T @ dscores`.",
    ),
    "sign": (
        "The data part of the gradient has the opposite sign.",
        "Check the sign of the gradient of the scores; X.T @ dscores adds none.",
    ),
}


def _linear(data_loss, W, X, y, reg, bug=""):
    """A linear model's loss and gradient with one bug planted."""
    n = len(X)
    data, dscores = data_loss(X @ W, y)
    slope = X.T @ dscores
    penalty, pull = reg * np.sum(W * W), 2 * reg * W
    if bug == "penalty_of_absolute_values":
        penalty, pull = reg * np.abs(W).sum(), reg * np.sign(W)
    if bug == "sign":
        slope = -slope
    if bug in ("sum_for_mean", "gradient_not_divided"):
        slope = slope * n
    in_loss = {
        "penalty_missing": 0,
        "penalty_missing_in_loss": 0,
        "half_penalty": 0.5,
        "half_penalty_in_loss": 0.5,
        "penalty_divided_by_n": 1 / n,
    }.get(bug, 1)
    in_gradient = {
        "penalty_missing": 0,
        "penalty_missing_in_gradient": 0,
        "penalty_slope_without_2": 0.5,
        "half_penalty": 0.5,
        "penalty_divided_by_n": 1 / n,
    }.get(bug, 1)
    loss = data * (n if bug == "sum_for_mean" else 1) + in_loss * penalty
    dW = slope + in_gradient * pull
    return loss, dW.T if bug == "transposed" else dW


def _linear_with(data_loss, bug):
    def wrong(W, X, y, reg):
        return _linear(data_loss, W, X, y, reg, bug)

    return wrong


def _linear_mistakes(answer, data_loss):
    """The mistakes that a linear model's loss invites, whatever its data loss is."""
    for bug, (message, remedy) in LINEAR_BUGS.items():
        chapter.mistake(answer, bug, message, remedy)(_linear_with(data_loss, bug))


_linear_mistakes(softmax_loss_vectorized, softmax_loss)


@chapter.mistake(
    softmax_loss_vectorized,
    "one_not_subtracted",
    "The gradient is that of p instead of p - y: the 1 at the true class is not subtracted.",
    "dscores = p, minus 1 at [i, y[i]], divided by N.",
)
def softmax_loss_vectorized_one_not_subtracted(W, X, y, reg):
    loss, _ = softmax_loss_vectorized(W, X, y, reg)
    return loss, X.T @ _softmax(X @ W) / len(X) + 2 * reg * W


# --- debug: one step of logistic regression, five bugs planted -----------------------------------

DEBUG_STUB = '''def debug_logistic_step(X, y, w, b, reg, lr):
    """One step of logistic regression, with five bugs.

    p = sigmoid(X w + b) is the probability of y = 1. The loss is the mean binary cross-entropy
    plus reg * sum(w * w). X (N, D), y (N,) holds 0 and 1, w (D,), b a number.
    Returns loss, dw, db, and the weights after one step downhill: w_next, b_next.
    """
    p = 1 / (1 + np.exp(-(X @ w + b)))
    error = y - p
    loss = error.mean() + reg * np.sum(w * w)
    # gradients of the loss
    dz = error / len(X)
    dw = X.T @ dz + reg * w
    db = dz.mean()
    # the step
    w_next = w + lr * dw
    b_next = b + lr * db
    return loss, dw, db, w_next, b_next
'''


def _logistic_step(X, y, w, b, reg, lr, bugs=(), data=None):
    """The step of the debug exercise with only the named bugs left in."""
    p = 1 / (1 + np.exp(-(X @ w + b)))
    cross_entropy = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean()
    if data is not None:
        cross_entropy = data(p, y)
    loss = ((y - p).mean() if "raw_error" in bugs else cross_entropy) + reg * np.sum(w * w)
    dz = (y - p if "sign" in bugs else p - y) / len(X)
    dw = X.T @ dz + (1 if "slope" in bugs else 2) * reg * w
    db = dz.mean() if "mean" in bugs else dz.sum()
    way = 1 if "uphill" in bugs else -1
    return loss, dw, db, w + way * lr * dw, b + way * lr * db


@chapter.exercise(
    points=5,
    returns="loss, dw, db, w_next, b_next",
    difficulty=3,
    minutes=14,
    title="Debug: logistic regression, five bugs",
    stub=DEBUG_STUB,
    rtol=LOG_RTOL,
    hints=(
        "The loss first: can it fall below 0? Can two opposite fits have the same one? An error "
        "with a sign is no loss. Then compare `dw` and `db` with finite differences.",
        "Gradient and step share a minus. `error = y - p` with `w + lr * ...` is a pair that "
        "works for the data part, but `dw` is asked to be the GRADIENT, and the penalty is "
        "in it too.",
        "Cross-entropy with both terms; `dz = (p - y) / len(X)`; `2 * reg * w`; `db = dz.sum()`; "
        "`w - lr * dw` and `b - lr * db`. The whole answer stands in `solutions/04_losses`.",
    ),
    afterthought="Two of the five bugs hide each other in the first steps. Which two?",
)
def debug_logistic_step(X, y, w, b, reg, lr):
    """One step of logistic regression, with five bugs.

    p = sigmoid(X w + b) is the probability of y = 1. The loss is the mean binary cross-entropy
    plus reg * sum(w * w). X (N, D), y (N,) holds 0 and 1, w (D,), b a number.
    Returns loss, dw, db, and the weights after one step downhill: w_next, b_next.
    """
    p = 1 / (1 + np.exp(-(X @ w + b)))
    loss = -(y * np.log(p) + (1 - y) * np.log(1 - p)).mean() + reg * np.sum(w * w)
    # gradients of the loss
    dz = (p - y) / len(X)
    dw = X.T @ dz + 2 * reg * w
    db = dz.sum()
    # the step
    w_next = w - lr * dw
    b_next = b - lr * db
    return loss, dw, db, w_next, b_next


@chapter.cases(debug_logistic_step)
def debug_cases(rng):
    for n, d, reg, lr in [(5, 3, 0.2, 0.5), (7, 4, 0.05, 0.1), (3, 2, 1.0, 0.3)]:
        w = rng.uniform(0.3, 0.9, d) * rng.choice([-1.0, 1.0], d)
        b = float(rng.uniform(0.2, 0.6))
        X = rng.uniform(-1.5, 1.5, (n, d))
        label = f"N = {n}, D = {d}, reg = {reg}, lr = {lr}"
        yield Case((X, _zeros_and_ones(rng, n), w, b, reg, lr), label=label)


# In the order in which measuring finds them.
PLANTED = {
    "raw_error": "The loss is not the cross-entropy. It looks like the mean of an error with a "
    "sign, where too much and too little cancel.",
    "sign": "The loss is right now, `dw` and `db` do not fit it. Compare their signs with finite "
    "differences: which way does p - y point, and which way y - p?",
    "slope": "`dw` does not fit the loss. Its data part is worth keeping: what is the slope of "
    "reg * sum(w * w)?",
    "mean": "`dw` fits the loss now, `db` does not: it is off by the number of examples. How "
    "often is N divided by?",
    "uphill": "All gradients fit the loss. A gradient points uphill: which way does the step go?",
}


def _planted(bugs, data=None):
    def step(X, y, w, b, reg, lr):
        return _logistic_step(X, y, w, b, reg, lr, bugs, data)

    return step


for _count in range(len(PLANTED), 0, -1):
    for _bugs in combinations(PLANTED, _count):
        _left = "One bug is left." if _count == 1 else f"{_count} bugs are left."
        chapter.mistake(
            debug_logistic_step, "left_" + "_".join(_bugs), f"{_left} {PLANTED[_bugs[0]]}"
        )(_planted(_bugs))

chapter.mistake(
    debug_logistic_step,
    "half_a_cross_entropy",
    "The data part of the loss equals -y log p alone: an example with y = 0 costs nothing.",
    "Add the term (1 - y) log(1 - p).",
)(_planted((), lambda p, y: -(y * np.log(p)).mean()))
chapter.mistake(
    debug_logistic_step,
    "squared_error",
    "The data part of the loss is the mean squared error of p: a loss, but not the cross-entropy, "
    "and not the one whose gradient is p - y.",
    "Use the binary cross-entropy.",
)(_planted((), lambda p, y: ((p - y) ** 2).mean()))


# --- more: log-sum-exp ---------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out",
    difficulty=2,
    minutes=8,
    optional=True,
    rtol=1e-7,
    hints=(
        "e^1000 is too large for a float, but log(e^1000 + e^999) is a harmless 1000.3. What can "
        "be taken out of the sum?",
        "With m, the largest entry of the row: e^x = e^m e^(x - m). The factor e^m leaves the "
        "logarithm as +m.",
        "`m = x.max(axis=-1, keepdims=True)`, then "
        "`m[..., 0] + np.log(np.exp(x - m).sum(axis=-1))`. The whole answer stands in "
        "`solutions/04_losses`.",
    ),
    afterthought="The gradient of log-sum-exp is a function from chapter 03. Which one?",
)
def log_sum_exp(x):
    """The logarithm of the sum of exponentials, over the last axis.

    It holds for large inputs too: rows may sit at 1000 or at -1000, both in one batch.

    Parameters
    ----------
    x : (..., C) array

    Returns
    -------
    out : (...) array
        log(e^(x_1) + ... + e^(x_C)) of each row; the last axis is gone.
    """
    m = x.max(axis=-1, keepdims=True)
    return m[..., 0] + np.log(np.exp(x - m).sum(axis=-1))


@chapter.cases(log_sum_exp)
def log_sum_exp_cases(rng):
    for shape in [(4, 3), (5, 7), (2, 3, 5)]:
        yield Case((rng.normal(0.5, 1.5, shape),), label=f"x has shape {shape}")


def drive_log_sum_exp(log_sum_exp, x):
    """Values at large inputs; warnings are not judged here."""
    with np.errstate(all="ignore"):
        return log_sum_exp(x)


@chapter.property(
    log_sum_exp,
    "stable_at_1000",
    "With rows near 1000 or -1000 the values are wrong or not numbers: e^1000 overflows, and a sum "
    "of zeros has no logarithm.",
)
def log_sum_exp_extremes(rng):
    x = np.round(16 * rng.normal(0, 1, (3, 5))) / 16
    rows = np.array([[1000.0], [0.0], [-1000.0]])
    yield Case((x + rows,), drive=drive_log_sum_exp, label="rows near 1000, 0 and -1000")
    x = np.round(16 * rng.normal(0, 1, (4, 3))) / 16
    yield Case((x - 1000,), drive=drive_log_sum_exp, label="all rows near -1000")


@chapter.mistake(
    log_sum_exp,
    "no_shift",
    "Right for small inputs, infinite for large ones: it looks as if no maximum is taken out "
    "first.",
    "Subtract the row's maximum before `exp`, and add it again after `log`.",
)
def log_sum_exp_no_shift(x):
    return np.log(np.exp(x).sum(axis=-1))


@chapter.mistake(
    log_sum_exp,
    "shift_not_added",
    "Each value is too small by the row's maximum: it is subtracted before `exp` and not added "
    "again after `log`.",
    "Add the maximum at the end.",
)
def log_sum_exp_shift_not_added(x):
    return np.log(np.exp(x - x.max(axis=-1, keepdims=True)).sum(axis=-1))


@chapter.mistake(
    log_sum_exp,
    "one_maximum_for_all",
    "Right as long as all rows are alike. A row far below the others becomes log 0: it looks as if "
    "ONE maximum is taken out of the whole batch.",
    "Each row has its own maximum.",
)
def log_sum_exp_one_maximum_for_all(x):
    return x.max() + np.log(np.exp(x - x.max()).sum(axis=-1))


@chapter.mistake(
    log_sum_exp,
    "maximum_alone",
    "These values equal the row's maximum: a good approximation when one entry leads by far, and "
    "too small otherwise.",
    "Add the logarithm of the sum of e^(x - maximum).",
)
def log_sum_exp_maximum_alone(x):
    return x.max(axis=-1)


@chapter.mistake(
    log_sum_exp,
    "axis_kept",
    "The last axis is still there, with length 1: one number per row is meant.",
    "Leave out `keepdims=True` in the last sum, and take `m[..., 0]`.",
)
def log_sum_exp_axis_kept(x):
    m = x.max(axis=-1, keepdims=True)
    return m + np.log(np.exp(x - m).sum(axis=-1, keepdims=True))


@chapter.mistake(
    log_sum_exp,
    "over_everything",
    "One number for the whole array: the sum has no axis.",
    "Sum over the last axis.",
)
def log_sum_exp_over_everything(x):
    return x.max() + np.log(np.exp(x - x.max()).sum())


@chapter.mistake(
    log_sum_exp,
    "over_axis_0",
    "The sum runs over axis 0, down the columns; a row is what lies along the last axis.",
    "Use `axis=-1`.",
)
def log_sum_exp_over_axis_0(x):
    m = x.max(axis=0, keepdims=True)
    return m[0] + np.log(np.exp(x - m).sum(axis=0))


@chapter.mistake(
    log_sum_exp,
    "sum_of_logs",
    "These values equal the sum of the entries: log and sum have changed places. The logarithm of "
    "a sum is not the sum of the logarithms.",
    "Sum the exponentials first.",
)
def log_sum_exp_sum_of_logs(x):
    return x.sum(axis=-1)


# --- more: the hinge loss for yes or no ----------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="loss, dx",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "y s is positive when the sign of the score is right. The loss is 0 from y s = 1 on, and "
        "below that it is what is missing to 1.",
        "`np.maximum(0, 1 - y * s)`, then the mean. Where 1 - y s is positive, its slope with "
        "respect to s is -y; elsewhere it is 0.",
        "`dx = -y * (y * s < 1) / len(s)`. The whole answer stands in `solutions/04_losses`.",
    ),
    afterthought="What comes out if the labels are 0 and 1 by mistake?",
)
def hinge_loss(s, y):
    """Hinge loss for two classes, averaged over the examples, and the gradient.

    Parameters
    ----------
    s : (N,) array
        Scores; the sign of a score is the decision.
    y : (N,) array
        The labels -1 and +1 (not 0 and 1).

    Returns
    -------
    loss : float
        The mean of max(0, 1 - y s).
    dx : (N,) array
        Gradient of the loss with respect to `s`.
    """
    missing = np.maximum(0, 1 - y * s)  # what is missing to a margin of 1
    return missing.mean(), -y * (missing > 0) / len(s)


@chapter.cases(hinge_loss)
def hinge_cases(rng):
    for n in (5, 7, 12):
        y = 2 * _zeros_and_ones(rng, n) - 1
        ys = rng.uniform(-2, 3, n)  # y s: wrong, right but close, right with room
        zones = [rng.uniform(-2, -0.2), rng.uniform(0.1, 0.9), rng.uniform(1.2, 3)]
        ys[:3] = rng.permutation(zones)
        ys[3:] = np.where(np.abs(ys[3:] - 1) < 0.05, 1.3, ys[3:])
        ys[3:5] = rng.permutation([rng.uniform(-2, -0.2), rng.uniform(1.2, 3)])
        yield Case((y * ys, y), label=f"N = {n}")


def _hinge(s, y, bug=""):
    """Binary hinge loss and gradient with one bug planted."""
    missing = np.maximum(0, (0 if bug == "no_margin" else 1) - y * s)
    pulls = (missing > 0) * 1.0
    if bug == "labels_0_and_1":
        missing = np.maximum(0, 1 - (y > 0) * s)
        return missing.mean(), -(y > 0) * (missing > 0) / len(s)
    if bug == "gap":
        return np.abs(y - s).mean(), np.sign(s - y) / len(s)
    if bug == "sign":
        missing = np.maximum(0, 1 + y * s)
        return missing.mean(), y * (missing > 0) / len(s)
    if bug == "no_mask":
        pulls = np.ones_like(s)
    if bug == "not_cut_off":
        return (1 - y * s).mean(), -y / len(s)
    if bug == "squared":
        return (missing**2).mean(), -2 * y * missing / len(s)
    dx = -y * pulls
    if bug == "sign_of_the_gradient":
        dx = -dx
    if bug == "label_missing_in_gradient":
        dx = -pulls
    if bug == "sum_for_mean":
        return missing.sum(), dx
    return missing.mean(), dx if bug == "gradient_not_divided" else dx / len(s)


HINGE_BUGS = {
    "gap": (
        "These values equal |y - s|, the gap between score and label. The hinge loss asks for a "
        "margin: a score of 5 for the label +1 costs nothing.",
        "max(0, 1 - y * s).",
    ),
    "labels_0_and_1": (
        "These values result when the label -1 is read as 0: then 1 - y s is 1 for that class, "
        "whatever the score is.",
        "Use the labels -1 and +1 as they come.",
    ),
    "no_margin": (
        "These values equal max(0, -y s), without the margin of 1: being right by a hair is not "
        "enough here.",
        "max(0, 1 - y * s).",
    ),
    "sign": (
        "These values equal max(0, 1 + y s): being right is punished.",
        "max(0, 1 - y * s).",
    ),
    "not_cut_off": (
        "These values equal 1 - y s without the cut at 0: a score that is right by far makes the "
        "loss negative.",
        "Use np.maximum(0, ...), and no gradient where it cuts.",
    ),
    "no_mask": (
        "The loss is right; the gradient is not 0 where the loss is 0. An example beyond the "
        "margin does not pull.",
        "Multiply by the mask `1 - y * s > 0`.",
    ),
    "sign_of_the_gradient": (
        "The gradient has the opposite sign: a step with it makes the margins smaller.",
        "The slope of 1 - y s with respect to s is -y.",
    ),
    "label_missing_in_gradient": (
        "The gradient is -1 / N for both classes: the slope of 1 - y s with respect to s is -y.",
        "Multiply by -y.",
    ),
    "squared": ("These values equal the squared hinge loss.", "Leave out the square."),
    "sum_for_mean": (
        "Loss and gradient are N times too large: they are added up over the examples, not "
        "averaged.",
        "Divide both by N.",
    ),
    "gradient_not_divided": (
        "The loss is right and the gradient is N times too large: the loss is a mean.",
        "Divide the gradient by N.",
    ),
}


def _hinge_with(bug):
    def wrong(s, y):
        return _hinge(s, y, bug)

    return wrong


for _bug, (_message, _remedy) in HINGE_BUGS.items():
    chapter.mistake(hinge_loss, _bug, _message, _remedy)(_hinge_with(_bug))


# --- more: three more linear losses --------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="loss, dW",
    difficulty=2,
    minutes=8,
    optional=True,
    hints=(
        "Three steps: scores = X W; the loss of the scores; the penalty. `svm_loss` above does the "
        "second one.",
        "`dW` is what an affine layer does with the gradient of its output, plus the slope of the "
        "penalty.",
        "`loss, dscores = svm_loss(X @ W, y)`; then `loss + reg * np.sum(W * W)` and "
        "`X.T @ dscores + 2 * reg * W`. The whole answer stands in `solutions/04_losses`.",
    ),
    afterthought="Only the data loss differs from the softmax classifier. Which lines are the "
    "same?",
)
def svm_loss_vectorized(W, X, y, reg):
    """Loss of a linear support vector machine, and the gradient of W. No loop over examples.

    Parameters
    ----------
    W : (D, C) array
        Weights; the scores are X @ W.
    X : (N, D) array
        Inputs, one example per row.
    y : (N,) array of int
        The true class of each example, 0 to C - 1.
    reg : float
        Strength of the penalty.

    Returns
    -------
    loss : float
        The mean hinge loss (margin 1, summed over the wrong classes) plus reg * sum(W * W).
    dW : (D, C) array
        Gradient of this loss with respect to `W`.
    """
    loss, dscores = svm_loss(X @ W, y)
    return loss + reg * np.sum(W * W), X.T @ dscores + 2 * reg * W


@chapter.exercise(
    points=2,
    returns="loss, dW",
    difficulty=2,
    minutes=12,
    optional=True,
    rtol=LOG_RTOL,
    hints=(
        "One example at a time: its scores are X[i] @ W, a row of C numbers. Softmax of the row, "
        "then -log of the entry y[i].",
        "Column j of dW gets X[i] times (p[j] - 1) if j is the true class, else X[i] times p[j].",
        "Add up over i, divide loss and dW by N, and add the penalty and its slope at the very "
        "end. The whole answer stands in `solutions/04_losses`.",
    ),
    afterthought="How many times faster is the version without loops? Time both on the digits.",
)
def softmax_loss_naive(W, X, y, reg):
    """`softmax_loss_vectorized` with explicit loops: the same loss, the same gradient.

    Parameters
    ----------
    W : (D, C) array
    X : (N, D) array
    y : (N,) array of int
    reg : float

    Returns
    -------
    loss : float
        The mean cross-entropy plus reg * sum(W * W).
    dW : (D, C) array
    """
    N, C = len(X), W.shape[1]
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(N):
        scores = X[i] @ W  # (C,)
        e = np.exp(scores - scores.max())
        p = e / e.sum()
        loss -= np.log(p[y[i]])
        for j in range(C):
            dW[:, j] += (p[j] - (j == y[i])) * X[i]
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


@chapter.exercise(
    points=2,
    returns="loss, dW",
    difficulty=2,
    minutes=12,
    optional=True,
    hints=(
        "Two loops: over the examples i, and over the classes j. Skip j = y[i].",
        "If the margin scores[j] - scores[y[i]] + 1 is positive, it adds to the loss, X[i] to "
        "column j of dW, and -X[i] to column y[i].",
        "After the loops divide loss and dW by N, then add the penalty and its slope. The whole "
        "answer stands in `solutions/04_losses`.",
    ),
    afterthought="How often is the inner `if` true at the start, with W near 0?",
)
def svm_loss_naive(W, X, y, reg):
    """`svm_loss_vectorized` with explicit loops: the same loss, the same gradient.

    Parameters
    ----------
    W : (D, C) array
    X : (N, D) array
    y : (N,) array of int
    reg : float

    Returns
    -------
    loss : float
        The mean hinge loss (margin 1, summed over the wrong classes) plus reg * sum(W * W).
    dW : (D, C) array
    """
    N, C = len(X), W.shape[1]
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(N):
        scores = X[i] @ W  # (C,)
        for j in range(C):
            margin = scores[j] - scores[y[i]] + 1
            if j != y[i] and margin > 0:
                loss += margin
                dW[:, j] += X[i]
                dW[:, y[i]] -= X[i]
    return loss / N + reg * np.sum(W * W), dW / N + 2 * reg * W


_linear_mistakes(svm_loss_vectorized, svm_loss)
_linear_mistakes(softmax_loss_naive, softmax_loss)
_linear_mistakes(svm_loss_naive, svm_loss)
for _task in (svm_loss_vectorized, svm_loss_naive):
    chapter.cases(_task)(linear_cases)
    for _bug in ("true_class_counted", "true_class_without_gradient", "true_class_pulled_once"):
        chapter.mistake(_task, _bug, *SVM_BUGS[_bug])(_linear_with(_svm_with(_bug), ""))
chapter.cases(softmax_loss_naive)(linear_cases)


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "losses_q1",
    "What is a loss function?",
    choices={
        "a": "the share of examples that the net gets wrong",
        "b": "the difference y - prediction, with its sign",
        "c": "one number that says how badly predictions fit the targets, with a slope that "
        "training can follow",
        "d": "the rule that changes the weights",
    },
    answer="c",
    wrong={
        "a": "That is the error rate. It is a staircase: flat almost everywhere, so it has no "
        "slope to follow.",
        "b": "Errors with a sign cancel: +3 and -3 make 0. And their sum can fall without end.",
        "d": "That is the optimiser. It uses the slope of the loss.",
    },
    explanation="One number, smallest for a perfect fit, and with a slope. What people care about "
    "(accuracy, cost, lives) is measured beside it; the loss is what can be followed downhill.",
)
chapter.quiz(
    "losses_q2",
    "Four errors y - prediction: 3, -3, 1, -1. What is the mean squared error? Answer with a "
    "number.",
    answer=5,
    wrong={
        0: "That is the mean error: the signs cancel, although no prediction is right.",
        20: "That is the sum of the squares; there are four.",
        2: "That is the mean of the absolute values.",
        2.5: "That is half of it: a convention of some books, not the mean.",
        4: "That is the square of the mean absolute error: square first, average then.",
    },
    explanation="(9 + 9 + 1 + 1) / 4 = 5. The mean of the raw errors is 0 here: that is why an "
    "error is not yet a loss.",
)
chapter.quiz(
    "losses_q3",
    "A classifier gives the true class a probability of 0.01. What is the cross-entropy of this "
    "example (natural logarithm)? Answer with a number, to three digits.",
    answer=4.605,
    wrong={
        0.01: "That is about -log(0.99). The probability of the TRUE class counts.",
        2: "That is the logarithm to base 10.",
        6.64: "That is the logarithm to base 2.",
        0.99: "1 - p is another measure; the cross-entropy is -log p.",
        -4.605: "The logarithm of 0.01 is negative; the loss has a minus in front.",
    },
    explanation="-log 0.01 = 4.605: the surprise at what happened. At 0.5 it is 0.693, at 0.99 it "
    "is 0.01, and at 0 it has no end.",
    rtol=2e-3,
)
chapter.quiz(
    "losses_q4",
    "A new classifier for ten classes gives all of them the same score. What is its cross-entropy "
    "(natural logarithm)? Answer with a number, to three digits.",
    answer=2.303,
    wrong={
        0.1: "That is the probability of each class; the loss is -log of it.",
        1: "That is the logarithm to base 10.",
        3.32: "That is the logarithm to base 2.",
        0: "A loss of 0 belongs to a probability of 1 for every true class.",
        0.9: "That is the error rate by guessing.",
    },
    explanation="-log(1/10) = log 10 = 2.303. The first number to look at when training starts: "
    "much more than log C means confident and wrong from the beginning.",
    rtol=2e-3,
)
chapter.quiz(
    "losses_q5",
    "Softmax gives (0.7, 0.2, 0.1), and the second class is the true one. What is the gradient of "
    "the cross-entropy with respect to the three scores?",
    choices={
        "a": "(0.7, -0.8, 0.1)",
        "b": "(-0.7, 0.8, -0.1)",
        "c": "(0, -5, 0)",
        "d": "(0.7, 0.2, 0.1)",
    },
    answer="a",
    wrong={
        "b": "The sign is turned round: a higher score of the true class must lower the loss.",
        "c": "That is the slope with respect to the probabilities, -1 / 0.2. It still has to go "
        "back through softmax.",
        "d": "That is p; 1 is to be subtracted at the true class.",
    },
    explanation="p - y. The entries add up to 0: what one class gains the others lose. No factor "
    "p (1 - p) is left, so a wrong and sure answer gets a full gradient.",
)
chapter.quiz(
    "losses_q6",
    "Which row fits output and loss to the task?",
    choices={
        "a": "a price: sigmoid and cross-entropy; spam or not: none and MSE; one of ten digits: "
        "sigmoid and MSE",
        "b": "a price: softmax and MSE; spam or not: tanh and hinge; one of ten digits: none and "
        "MSE",
        "c": "a price: sigmoid and MSE; spam or not: softmax over one score; one of ten digits: "
        "ten MSEs",
        "d": "a price: none and MSE; spam or not: sigmoid and binary cross-entropy; one of ten "
        "digits: softmax and cross-entropy",
    },
    answer="d",
    wrong={
        "a": "A sigmoid never goes above 1, and prices do.",
        "b": "Softmax gives shares of a whole; one price is no share.",
        "c": "Softmax over a single score is always 1.",
    },
    explanation="The task decides: what values can the target take, and what does a mistake cost? "
    "Output and loss are chosen as a pair. A target outside the output's range can never be "
    "reached; chapter 05 shows a net that stops at exactly that wall.",
)
chapter.quiz(
    "losses_q7",
    "Which sentence about mean squared error and cross-entropy is right?",
    choices={
        "a": "squared error is for supervised learning, cross-entropy for unsupervised",
        "b": "both compare with known targets; squared error suits numbers, cross-entropy suits "
        "classes",
        "c": "cross-entropy needs no targets",
        "d": "they have the same gradient",
    },
    answer="b",
    wrong={
        "a": "One reads it, and it is wrong: cross-entropy needs the true class of every example.",
        "c": "The true class picks the probability whose logarithm is taken.",
        "d": "Behind a sigmoid the squared error has a factor p (1 - p) more, which goes to 0 when "
        "the unit is saturated.",
    },
    explanation="Both are supervised. Squared error belongs to a normal error around a number, "
    "cross-entropy to the probability of a class.",
)
chapter.quiz(
    "losses_q8",
    "y is 0, and the net says p = 0.9999. A program computes the binary cross-entropy as "
    "-y log p. How much too small is its result? Answer with a number, to three digits.",
    answer=9.21,
    wrong={
        0: "The program reports 0. The true loss is -log(1 - p).",
        4: "That is the logarithm to base 10.",
        13.29: "That is the logarithm to base 2.",
    },
    explanation="The missing term is -(1 - y) log(1 - p) = -log 0.0001 = 9.21. With only one term, "
    "a net that says 'yes' to everything has a loss of nearly 0.",
    rtol=2e-3,
)
chapter.quiz(
    "losses_q9",
    "A sigmoid unit has z = -10, and the target is 1. Which loss gives z the larger push?",
    choices={
        "a": "the squared error: its square makes large errors count more",
        "b": "both the same: the error is about 1 in both",
        "c": "the cross-entropy: its gradient is p - y, about -1; that of the squared error "
        "carries p (1 - p), about 0.00005",
        "d": "neither: a saturated unit has no gradient with any loss",
    },
    answer="c",
    wrong={
        "a": "The error itself is at most 1 here, and it is multiplied by the slope of the "
        "sigmoid.",
        "b": "The error is the same; the way back through the sigmoid is not.",
        "d": "The 1 / (p (1 - p)) of the cross-entropy cancels the slope of the sigmoid.",
    },
    explanation="Confident and wrong is where learning is needed most. The cross-entropy pushes at "
    "full speed there; the squared error behind a sigmoid hardly moves.",
)
chapter.quiz(
    "losses_q10",
    "Binary hinge loss, labels -1 and +1: the label is -1 and the score is 0.5. What is the loss? "
    "Answer with a number.",
    answer=1.5,
    wrong={
        0.5: "That is 1 - s: the label is left out, or read as +1.",
        1: "That results if the label -1 is coded as 0.",
        0: "The score has the wrong sign, so the loss is not 0.",
        -0.5: "That is y s. The loss is max(0, 1 - y s).",
    },
    explanation="max(0, 1 - (-1) 0.5) = 1.5: 1 for the margin, 0.5 for standing on the wrong side. "
    "The hinge loss is not the gap between score and label: a score of -5 would cost nothing, and "
    "the gap would be 4.",
)
chapter.quiz(
    "losses_q11",
    "Multi-class hinge loss with margin 1: scores (2.0, 1.5, -1.0), and the first class is the "
    "true one. What is the loss? Answer with a number.",
    answer=0.5,
    wrong={
        1.5: "The true class is counted too: it gives max(0, 0 + 1) = 1.",
        0: "The first class leads, but by 0.5 only; a margin of 1 is asked for.",
        -1.5: "A margin below 0 counts as 0: -1.0 - 2.0 + 1 is cut off.",
    },
    explanation="max(0, 1.5 - 2 + 1) = 0.5 and max(0, -1 - 2 + 1) = 0. The third class is far "
    "enough away and does not pull at all.",
)
chapter.quiz(
    "losses_q12",
    "The last layer of a classifier is affine, 'without activation'. What are its ten outputs?",
    choices={
        "a": "class probabilities",
        "b": "logits: scores that softmax turns into probabilities, inside the loss",
        "c": "the predicted class",
        "d": "one-hot labels",
    },
    answer="b",
    wrong={
        "a": "Nothing makes them positive or lets them add up to 1. One reads it in descriptions "
        "of nets; the rows of the output tell.",
        "c": "The class is the place of the largest of them, the argmax.",
        "d": "One-hot rows are the targets.",
    },
    explanation="Most losses take logits, because sigmoid or softmax and logarithm are stable only "
    "together. Put softmax in front of such a loss and it is applied twice: training still "
    "runs, slowly, and nothing complains.",
)
