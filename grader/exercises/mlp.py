"""Chapter 05, multilayer perceptron: a net as an object, its training loop, fair data, a line."""

from itertools import combinations, pairwise

import numpy as np

from grader.exercise import Case, Chapter
from grader.exercises.activations import relu_backward, relu_forward
from grader.exercises.backprop import affine_backward
from grader.exercises.losses import softmax_loss
from grader.exercises.neurons import affine_forward

chapter = Chapter("05_mlp", "Multilayer perceptron and gradient descent")


# --- fair data: every number about the scale comes from the training part ---------------------


@chapter.exercise(
    points=2,
    returns="x_train, x_val, x_test",
    difficulty=1,
    minutes=8,
    hints=(
        "Each column has its own mean and its own deviation. Which axis do the means run along?",
        "Validation and test stand for data that are not there yet. Whose mean and deviation may "
        "be used for them?",
        "`mean = x_train.mean(axis=0)`, `std = x_train.std(axis=0)`, 0 in `std` replaced by 1, "
        "then `(x - mean) / std` for each of the three. The whole answer stands in "
        "`solutions/05_mlp`.",
    ),
    afterthought="Is the mean of the new `x_test` zero? Should it be?",
)
def standardise_on_train(x_train, x_val, x_test):
    """Three parts of a data set on one scale, which the training part sets.

    After it, every column of the training part has mean 0 and standard deviation 1 (the root of
    the mean square, divided by N). A column that is constant in the training part has a
    deviation of 0: it is divided by 1 instead.

    Parameters
    ----------
    x_train : (N, D) array
    x_val : (N2, D) array
    x_test : (N3, D) array

    Returns
    -------
    x_train, x_val, x_test : arrays of the same shapes
    """
    mean = x_train.mean(axis=0)  # (D,)
    std = x_train.std(axis=0)
    std = np.where(std > 0, std, 1.0)
    return (x_train - mean) / std, (x_val - mean) / std, (x_test - mean) / std


@chapter.cases(standardise_on_train)
def standardise_cases(rng):
    for sizes, d, constant in [((7, 4, 3), 2, None), ((9, 5, 4), 3, None), ((12, 6, 8), 5, 2)]:
        # columns of different size; the three parts differ on purpose
        parts = []
        scale, middle = rng.uniform(0.5, 6, d), rng.uniform(-9, 9, d)
        for n in sizes:
            parts.append(
                middle
                + rng.normal(0, 1)
                + scale * rng.uniform(0.6, 2, d) * rng.normal(0, 1, (n, d))
            )
        label = f"{sizes[0]}, {sizes[1]} and {sizes[2]} rows of {d} columns"
        if constant is not None:
            parts[0][:, constant] = 4.0
            label += f"; column {constant} is constant in training"
        yield Case(tuple(parts), label=label)


def _standard(x, mean, std):
    return (x - mean) / np.where(std > 0, std, 1.0)


@chapter.mistake(
    standardise_on_train,
    "each_its_own",
    "Training is right; validation and test are scaled with their OWN means and deviations. The "
    "net would see them through other glasses than those it learned with, and a single new "
    "example could not be scaled at all.",
    "Use the mean and deviation of `x_train` for all three.",
)
def standardise_each_its_own(x_train, x_val, x_test):
    return tuple(_standard(x, x.mean(axis=0), x.std(axis=0)) for x in (x_train, x_val, x_test))


@chapter.mistake(
    standardise_on_train,
    "all_together",
    "The mean and the deviation look like those of all three parts together. Then the test part "
    "has told training something: a leak.",
    "Compute both from `x_train` alone.",
)
def standardise_all_together(x_train, x_val, x_test):
    x = np.vstack([x_train, x_val, x_test])
    return tuple(
        _standard(part, x.mean(axis=0), x.std(axis=0)) for part in (x_train, x_val, x_test)
    )


@chapter.mistake(
    standardise_on_train,
    "one_for_all_columns",
    "One mean and one deviation serve for the whole table: it looks as if the axis is missing. "
    "Large columns stay large.",
    "`x_train.mean(axis=0)` gives one mean for each column.",
)
def standardise_one_for_all_columns(x_train, x_val, x_test):
    return tuple(_standard(x, x_train.mean(), x_train.std()) for x in (x_train, x_val, x_test))


@chapter.mistake(
    standardise_on_train,
    "constant_column",
    "A column that is constant in training became nan or inf: its deviation is 0, and 0 / 0 is "
    "not a number.",
    "Replace a deviation of 0 by 1 before dividing.",
)
def standardise_constant_column(x_train, x_val, x_test):
    with np.errstate(all="ignore"):
        mean, std = x_train.mean(axis=0), x_train.std(axis=0)
        return tuple((x - mean) / std for x in (x_train, x_val, x_test))


@chapter.mistake(
    standardise_on_train,
    "variance",
    "The columns are divided by their variance: the root seems to be missing.",
    "Divide by `std`, the root of the variance.",
)
def standardise_variance(x_train, x_val, x_test):
    return tuple(
        _standard(x, x_train.mean(axis=0), x_train.var(axis=0)) for x in (x_train, x_val, x_test)
    )


@chapter.mistake(
    standardise_on_train,
    "not_centred",
    "The columns are divided by their deviation, and no mean is subtracted.",
    "Subtract the training mean first.",
)
def standardise_not_centred(x_train, x_val, x_test):
    return tuple(_standard(x, 0.0, x_train.std(axis=0)) for x in (x_train, x_val, x_test))


@chapter.mistake(
    standardise_on_train,
    "rows",
    "Each example is scaled by its own mean and deviation: the statistics run along the rows. "
    "Here each column is a quantity of its own.",
    "Use axis 0.",
)
def standardise_rows(x_train, x_val, x_test):
    return tuple(
        _standard(x, x.mean(axis=1, keepdims=True), x.std(axis=1, keepdims=True))
        for x in (x_train, x_val, x_test)
    )


@chapter.mistake(
    standardise_on_train,
    "min_max",
    "The columns run from 0 to 1: that is min-max scaling. Standardising gives mean 0 and "
    "deviation 1.",
    "Subtract the mean and divide by the deviation.",
)
def standardise_min_max(x_train, x_val, x_test):
    low, high = x_train.min(axis=0), x_train.max(axis=0)
    return tuple(_standard(x, low, high - low) for x in (x_train, x_val, x_test))


# --- a line in closed form --------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="w, b",
    difficulty=2,
    minutes=8,
    rtol=1e-7,
    hints=(
        "The bias is a weight too: that of an input which is always 1. Add such a column to x.",
        "With X = [x, 1], the best weights solve X^T X W = X^T y. `np.linalg.lstsq(X, y)` does it "
        "and copes with columns that depend on each other.",
        "`X = np.hstack([x, np.ones((len(x), 1))])`, `W = np.linalg.lstsq(X, y)[0]`, "
        "`w, b = W[:-1], W[-1]`. The whole answer stands in `solutions/05_mlp`.",
    ),
    afterthought="Where would gradient descent on the same loss end, and after how many steps?",
)
def least_squares(x, y):
    """Weights and bias of the linear model with the smallest mean squared error, with no training.

    Parameters
    ----------
    x : (N, D) array
        N is larger than D, and no column is a combination of others.
    y : (N, M) array

    Returns
    -------
    w : (D, M) array
    b : (M,) array
        The prediction is `x @ w + b`.
    """
    X = np.hstack([x, np.ones((len(x), 1))])  # (N, D + 1)
    W = np.linalg.lstsq(X, y, rcond=None)[0]  # (D + 1, M)
    return W[:-1], W[-1]


@chapter.cases(least_squares)
def least_squares_cases(rng):
    for n, d, m in [(6, 1, 1), (9, 3, 2), (12, 2, 4)]:
        x = rng.normal(1.5, 1, (n, d))
        y = x @ rng.normal(0, 1, (d, m)) + rng.normal(2, 1, m) + 0.3 * rng.normal(0, 1, (n, m))
        yield Case((x, y), label=f"N = {n}, D = {d}, M = {m}")


@chapter.mistake(
    least_squares,
    "through_zero",
    "These weights belong to a line through the origin: the bias is left out of the fit.",
    "Give x a column of ones; its weight is the bias.",
)
def least_squares_through_zero(x, y):
    return np.linalg.lstsq(x, y, rcond=None)[0], np.zeros(y.shape[1])


@chapter.mistake(
    least_squares,
    "bias_afterwards",
    "`w` belongs to a line through the origin; the bias was found afterwards, from what is left. "
    "The two have to be found together.",
    "Solve for weights and bias in one system, or subtract the means of x and y first.",
)
def least_squares_bias_afterwards(x, y):
    w = np.linalg.lstsq(x, y, rcond=None)[0]
    return w, (y - x @ w).mean(axis=0)


@chapter.mistake(
    least_squares,
    "bias_of_means",
    "`w` is right; `b` is the mean of y. It fits only if the columns of x have mean 0.",
    "b = mean(y) - mean(x) @ w.",
)
def least_squares_bias_of_means(x, y):
    w, _ = least_squares(x, y)
    return w, y.mean(axis=0)


@chapter.mistake(
    least_squares,
    "sign_of_the_bias",
    "`b` has the opposite sign: it looks like the mean of x @ w - y.",
    "b = mean(y - x @ w).",
)
def least_squares_sign_of_the_bias(x, y):
    w, b = least_squares(x, y)
    return w, -b


@chapter.mistake(
    least_squares,
    "not_solved",
    "These numbers equal X^T y: the system X^T X W = X^T y is set up and not solved.",
    "`np.linalg.solve(X.T @ X, X.T @ y)`, or `lstsq`.",
)
def least_squares_not_solved(x, y):
    W = np.hstack([x, np.ones((len(x), 1))]).T @ y
    return W[:-1], W[-1]


@chapter.mistake(
    least_squares,
    "bias_in_a_row",
    "`b` has shape (1, M), a table with one row; it needs shape (M,).",
    "Take the last row as `W[-1]`, not `W[-1:]`.",
)
def least_squares_bias_in_a_row(x, y):
    w, b = least_squares(x, y)
    return w, b[None, :]


@chapter.mistake(
    least_squares,
    "all_in_one",
    "`w` has a row too many: the bias is still in it.",
    "The row of the column of ones is `b`; the others are `w`.",
)
def least_squares_all_in_one(x, y):
    w, b = least_squares(x, y)
    return np.vstack([w, b]), b


# --- the net ----------------------------------------------------------------------------------


@chapter.exercise(
    points=5,
    returns="scores, loss, grads",
    difficulty=3,
    minutes=20,
    hints=(
        "The net is a chain of functions that are there already: affine, ReLU, affine, and the "
        "loss. Keep each cache; on the way back call the partners in reverse order.",
        "The penalty 0.5 * reg * sum(W * W) has the gradient reg * W. It is added to the loss and "
        "to dW1 and dW2, and not to the biases.",
        "`h, c1 = affine_forward(X, W1, b1)`, `a, c2 = relu_forward(h)`, `scores, c3 = "
        "affine_forward(a, W2, b2)`; then `loss, dscores = softmax_loss(scores, y)`, `da, dW2, "
        "db2 = affine_backward(dscores, c3)`, `_, dW1, db1 = affine_backward(relu_backward(da, "
        "c2), c1)`. The whole answer stands in `solutions/05_mlp`.",
    ),
    afterthought="With zeros in place of small random weights, which gradients would be zero too?",
)
class TwoLayerNet:
    """A classifier: affine - ReLU - affine - softmax.

    Parameters
    ----------
    input_dim, hidden_dim, num_classes : int
        D, H and C.
    weight_scale : float
        Standard deviation of the first weights, which are normal with mean 0. Biases start at 0.
    reg : float
        Strength of the penalty 0.5 * reg * (sum(W1 * W1) + sum(W2 * W2)); biases are not in it.

    Attributes
    ----------
    params : dict
        W1 (D, H), b1 (H,), W2 (H, C), b2 (C,). Whoever trains the net changes these entries.
    """

    def __init__(
        self, input_dim=64, hidden_dim=64, num_classes=10, weight_scale=1e-1, reg=0.0, seed=None
    ):
        rng = np.random.default_rng(seed)
        self.reg = reg
        self.params = {}
        ### BEGIN SOLUTION
        self.params["W1"] = weight_scale * rng.standard_normal((input_dim, hidden_dim))
        self.params["b1"] = np.zeros(hidden_dim)
        self.params["W2"] = weight_scale * rng.standard_normal((hidden_dim, num_classes))
        self.params["b2"] = np.zeros(num_classes)
        ### END SOLUTION

    def loss(self, X, y=None):
        """Scores, or the loss and its gradients.

        Parameters
        ----------
        X : (N, d1, ..., dk) array, where d1 * ... * dk = D
        y : (N,) array of int, optional
            The right class of each example.

        Returns
        -------
        scores : (N, C) array
            If `y` is None.
        loss, grads : float, dict
            If `y` is given. The loss is the softmax cross-entropy, averaged over N, plus the
            penalty; `grads` holds its gradient for every entry of `params`, by the same names.
        """
        ### BEGIN SOLUTION
        W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
        h, first = affine_forward(X, W1, b1)  # (N, H)
        a, bend = relu_forward(h)
        scores, second = affine_forward(a, W2, b2)  # (N, C)
        if y is None:
            return scores

        loss, dscores = softmax_loss(scores, y)
        loss += 0.5 * self.reg * ((W1**2).sum() + (W2**2).sum())

        da, dW2, db2 = affine_backward(dscores, second)
        _, dW1, db1 = affine_backward(relu_backward(da, bend), first)
        dW1 += self.reg * W1
        dW2 += self.reg * W2
        return loss, {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
        ### END SOLUTION


def drive_two_layer(TwoLayerNet, X, y, params, reg):
    """Scores, loss and gradients with given parameters; asked twice, the second answer counts."""
    (d, h), c = params["W1"].shape, params["b2"].size
    net = TwoLayerNet(d, h, c, weight_scale=0.1, reg=reg)
    for name in params:
        net.params[name] = params[name].copy()
    net.loss(X.copy(), y.copy())
    scores = net.loss(X.copy())
    loss, grads = net.loss(X.copy(), y.copy())
    return scores, loss, grads


def drive_first_params(TwoLayerNet, sizes, scale):
    """What a new net's parameters look like: shapes, and the size of the numbers."""
    net = TwoLayerNet(sizes[0], sizes[1], sizes[2], weight_scale=scale, reg=0.0)
    seen = {}
    for name in ("W1", "b1", "W2", "b2"):
        value = np.asarray(net.params[name], dtype=float)
        seen[name + " has shape"] = list(value.shape)
        if name.startswith("b"):
            seen[name + " is zero"] = bool((value == 0).all())
        else:
            ratio = float(value.std()) / scale  # 1, give or take the luck of the draw
            seen[name + ", deviation / weight_scale"] = round(min(ratio, 9))
            seen[name + " has both signs"] = bool((value < 0).any() and (value > 0).any())
    return seen


def _away_from_the_kink(rng, n, shape, h, c):
    """Inputs and weights for which no hidden unit sits near 0, and every unit sees both sides."""
    d = int(np.prod(shape))
    while True:
        X = rng.standard_normal((n, *shape))
        params = {
            "W1": rng.normal(0, 1 / np.sqrt(d), (d, h)),
            "b1": rng.normal(0, 0.5, h),
            "W2": rng.normal(0, 0.8, (h, c)),
            "b2": rng.normal(0, 0.5, c),
        }
        z = X.reshape(n, d) @ params["W1"] + params["b1"]
        scores = np.maximum(z, 0) @ params["W2"] + params["b2"]
        if np.abs(z).min() > 1e-3 and (z < 0).any() and (z > 0).any() and (scores < 0).any():
            return X, params


@chapter.cases(TwoLayerNet)
def two_layer_net_cases(rng):
    for n, shape, h, c, reg in [
        (3, (4,), 5, 2, 0.0),
        (5, (3,), 4, 6, 0.7),
        (7, (2, 3, 2), 5, 4, 0.05),
    ]:
        X, params = _away_from_the_kink(rng, n, shape, h, c)
        y = rng.integers(0, c, n)
        label = f"X has shape {X.shape}, H = {h}, C = {c}, reg = {reg}"
        yield Case((X, y, params, reg), drive=drive_two_layer, label=label)


@chapter.property(
    TwoLayerNet,
    "first_params",
    "The parameters of a new net are not as described: W1 (D, H) and W2 (H, C) random with "
    "deviation `weight_scale`, b1 (H,) and b2 (C,) zero.",
)
def two_layer_first_params(rng):
    for sizes, scale in [((30, 20, 7), 0.02), ((11, 40, 13), 3.0)]:
        yield Case((sizes, scale), drive=drive_first_params, label=f"D, H, C = {sizes}")


def _net_with(bug):
    """A `TwoLayerNet` with one bug."""

    class Variant(TwoLayerNet):
        def __init__(self, input_dim, hidden_dim, num_classes, weight_scale=0.1, reg=0.0):
            super().__init__(input_dim, hidden_dim, num_classes, weight_scale, reg)
            shapes = {name: value.shape for name, value in self.params.items()}
            rng = np.random.default_rng()
            for name, shape in shapes.items():
                if bug == "weights_zero" and name[0] == "W":
                    self.params[name] = np.zeros(shape)
                if bug == "weight_scale_unused" and name[0] == "W":
                    self.params[name] = rng.standard_normal(shape)
                if bug == "only_positive" and name[0] == "W":
                    self.params[name] = weight_scale * np.sqrt(12) * rng.uniform(0, 1, shape)
                if bug == "bias_random" and name[0] == "b":
                    self.params[name] = weight_scale * rng.standard_normal(shape)

        def loss(self, X, y=None):
            W1, b1, W2, b2 = (self.params[name] for name in ("W1", "b1", "W2", "b2"))
            h, first = affine_forward(X, W1, b1)
            a, bend = relu_forward(h)
            if bug == "no_relu":
                a = h
            scores, second = affine_forward(a, W2, b2)
            last = scores
            if bug == "relu_on_scores":
                scores, last = relu_forward(scores)
            if y is None:
                if bug == "probabilities":
                    e = np.exp(scores - scores.max(axis=1, keepdims=True))
                    return e / e.sum(axis=1, keepdims=True)
                if bug == "classes":
                    return scores.argmax(axis=1)
                return scores
            loss, dscores = softmax_loss(scores, y)
            if bug == "not_averaged":
                loss, dscores = loss * len(y), dscores * len(y)
            factor = {
                "no_penalty": 0.0,
                "penalty_only_in_gradient": 0.0,
                "whole_penalty": 1.0,
                "half_missing_in_loss": 1.0,
            }.get(bug, 0.5)
            weights = {"penalty_on_first_only": (W1,), "penalty_on_last_only": (W2,)}.get(
                bug, (W1, W2)
            )
            if bug == "biases_penalised":
                weights = (W1, b1, W2, b2)
            if bug == "norm_not_squared":
                loss += 0.5 * self.reg * sum(np.sqrt((p**2).sum()) for p in weights)
            else:
                loss += factor * self.reg * sum((p**2).sum() for p in weights)
            if bug == "relu_on_scores":
                dscores = relu_backward(dscores, last)
            da, dW2, db2 = affine_backward(dscores, second)
            if bug not in ("relu_backward_missing", "no_relu"):
                da = relu_backward(da, bend)
            _, dW1, db1 = affine_backward(da, first)
            strength = {
                "no_penalty": 0.0,
                "penalty_only_in_loss": 0.0,
                "whole_penalty": 2.0,
                "gradient_doubled": 2.0,
            }.get(bug, 1.0)
            grads = {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}
            for name in grads:
                if any(self.params[name] is p for p in weights):
                    grads[name] = grads[name] + strength * self.reg * self.params[name]
            if bug == "bias_gradients_missing":
                del grads["b1"], grads["b2"]
            return loss, grads

    return Variant


for _bug, (_message, _remedy) in {
    "no_penalty": (
        "Right without regularisation; with `reg` above 0 the penalty is missing in the loss and "
        "in the gradients.",
        "Add 0.5 * reg * sum(W * W) to the loss and reg * W to dW, for W1 and W2.",
    ),
    "penalty_only_in_loss": (
        "The loss holds the penalty; `dW1` and `dW2` do not. Gradient and loss belong to "
        "different functions then, as a gradient check would show.",
        "Add reg * W1 to dW1 and reg * W2 to dW2.",
    ),
    "penalty_only_in_gradient": (
        "The gradients hold the penalty, the loss does not.",
        "Add 0.5 * reg * sum(W * W) to the loss.",
    ),
    "whole_penalty": (
        "Loss and gradients fit each other, and the penalty is twice the one asked for: it looks "
        "like reg * sum(W * W). Here it is half of that.",
        "0.5 * reg * sum(W * W) in the loss, reg * W in the gradient.",
    ),
    "half_missing_in_loss": (
        "The gradients are right; the loss holds reg * sum(W * W) without the factor 0.5. Its "
        "gradient would be 2 * reg * W.",
        "Put 0.5 in front of the penalty in the loss.",
    ),
    "gradient_doubled": (
        "The loss is right; the gradients hold 2 * reg * W. The factor 0.5 in the loss cancels "
        "the 2.",
        "Add reg * W.",
    ),
    "norm_not_squared": (
        "The penalty in the loss looks like the norm of the weights, not its square: a root is "
        "taken.",
        "Use (W ** 2).sum().",
    ),
    "biases_penalised": (
        "The penalty holds the biases too. Only W1 and W2 are in it: a bias shifts, it does not "
        "make a function steep.",
        "Leave b1 and b2 out.",
    ),
    "penalty_on_first_only": (
        "The penalty holds W1 and not W2.",
        "Add the same two terms for W2.",
    ),
    "penalty_on_last_only": (
        "The penalty holds W2 and not W1.",
        "Add the same two terms for W1.",
    ),
    "no_relu": (
        "These values equal those of two affine layers with no ReLU between them: one straight "
        "line in disguise.",
        "Pass the first layer's output through `relu_forward`.",
    ),
    "relu_on_scores": (
        "The scores hold no negative number: it looks as if the last layer has a ReLU too. Scores "
        "go to the softmax as they are.",
        "Use ReLU after the hidden layer only.",
    ),
    "relu_backward_missing": (
        "Scores, loss and the gradients of the last layer are right; `W1` and `b1` equal what "
        "results when the way back skips the ReLU.",
        "Between the two layers call `relu_backward(da, cache)`.",
    ),
    "probabilities": (
        "`loss(X)` returns probabilities. Asked without y, the net gives scores: what comes out "
        "of the last affine layer.",
        "Return the scores before any softmax.",
    ),
    "classes": (
        "`loss(X)` returns one class for each example. Asked without y, the net gives all scores, "
        "(N, C).",
        "Return the scores; `predict` takes the argmax.",
    ),
    "not_averaged": (
        "Without the penalty, loss and gradients are N times too large: it looks like a sum over "
        "the examples where the mean is meant.",
        "`softmax_loss` averages already; take its results as they are.",
    ),
    "bias_gradients_missing": (
        "`grads` has no entry for the biases. Every parameter needs its gradient.",
        "`affine_backward` returns dx, dw and db: keep all of db.",
    ),
    "weights_zero": (
        "The first weights are all 0. Then all hidden units are alike, and ReLU passes no "
        "gradient on: the net never gets away from the start.",
        "Draw the weights at random: weight_scale * rng.standard_normal(shape).",
    ),
    "weight_scale_unused": (
        "The first weights have deviation 1: it looks as if `weight_scale` is not used.",
        "Multiply the random numbers by `weight_scale`.",
    ),
    "only_positive": (
        "The first weights have one sign only: it looks like `rand`, numbers from 0 to 1. They "
        "should lie around 0.",
        "Use normal numbers: `rng.standard_normal(shape)` or `np.random.randn`.",
    ),
    "bias_random": (
        "The biases of a new net are random; they start at 0. The random weights make the units "
        "different already.",
        "`np.zeros(hidden_dim)`, `np.zeros(num_classes)`.",
    ),
}.items():
    chapter.mistake(TwoLayerNet, _bug, _message, _remedy)(_net_with(_bug))


# --- predict ----------------------------------------------------------------------------------


@chapter.exercise(
    points=1,
    returns="classes",
    difficulty=1,
    minutes=3,
    hints=(
        "`model.loss(X)` without y gives the scores, one row for each example.",
        "The class is the place of the largest score in its row: `argmax` along which axis?",
        "`return model.loss(X).argmax(axis=1)`. The whole answer stands in `solutions/05_mlp`.",
    ),
    afterthought="Why is no softmax needed here?",
)
def predict(model, X):
    """The class that a classifier gives to each example.

    Parameters
    ----------
    model
        Anything with `loss(X)`, which returns scores, (N, C).
    X : (N, ...) array

    Returns
    -------
    classes : (N,) array of int
        For each example the place of its largest score.
    """
    return model.loss(X).argmax(axis=1)


def drive_predict(predict, X, W):
    """`predict` with a linear model, which has nothing but `params` and `loss`."""

    class Linear:
        def __init__(self):
            self.params = {"W": W}

        def loss(self, X, y=None):
            scores = X @ self.params["W"]
            if y is None:
                return scores
            raise TypeError("loss(X, y) was called with y; without it the scores come back")

    return predict(Linear(), X)


@chapter.cases(predict)
def predict_cases(rng):
    for n, d, c in [(6, 3, 4), (9, 2, 5), (5, 4, 3)]:
        while True:
            X, W = rng.standard_normal((n, d)), rng.standard_normal((d, c))
            scores = X @ W
            gap = np.diff(np.sort(scores, axis=1)[:, -2:])
            classes = scores.argmax(axis=1)
            best = np.abs(scores).argmax(axis=1)
            if gap.min() > 1e-3 and len(set(classes)) > 1 and (best != classes).any():
                break
        yield Case((X, W), drive=drive_predict, label=f"N = {n}, C = {c}")


@chapter.mistake(
    predict,
    "down_the_columns",
    "There is one number for each class, not for each example: the argmax runs down axis 0.",
    "Use axis=1.",
)
def predict_down_the_columns(model, X):
    return model.loss(X).argmax(axis=0)


@chapter.mistake(
    predict,
    "place_in_the_table",
    "A single number came back: the place of the largest score of the whole table. The axis is "
    "missing.",
    "Use axis=1.",
)
def predict_place_in_the_table(model, X):
    return model.loss(X).argmax()


@chapter.mistake(
    predict,
    "largest_score",
    "These are the largest scores themselves, not their places: `max` where `argmax` is meant.",
    "Use `argmax(axis=1)`.",
)
def predict_largest_score(model, X):
    return model.loss(X).max(axis=1)


@chapter.mistake(
    predict,
    "scores",
    "All scores came back; one class for each example is asked for.",
    "Take the argmax along axis 1.",
)
def predict_scores(model, X):
    return model.loss(X)


@chapter.mistake(
    predict,
    "smallest",
    "These are the places of the SMALLEST scores.",
    "A large score speaks for its class: argmax.",
)
def predict_smallest(model, X):
    return model.loss(X).argmin(axis=1)


@chapter.mistake(
    predict,
    "absolute",
    "These are the places of the scores that are largest without their sign. A score of -5 "
    "speaks against its class.",
    "Take the argmax of the scores as they are.",
)
def predict_absolute(model, X):
    return np.abs(model.loss(X)).argmax(axis=1)


# --- the loop ---------------------------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="losses, reason, params",
    difficulty=3,
    minutes=17,
    hints=(
        "One round: ask for loss and gradients, note the loss, look at the three reasons, and only "
        "then take a step. How many losses are noted if no step is allowed?",
        "The reasons stand between noting the loss and the step. For the second one, compare the "
        "last two losses; a change can be a rise as well.",
        "`loss, grads = model.loss(X, y); losses.append(loss)`, then `if loss <= loss_threshold: "
        "return losses, 'threshold'`, `if len(losses) > 1 and abs(losses[-2] - loss) < tol: ...`, "
        "`if len(losses) > max_iter: ...`, then the step. The whole answer stands in "
        "`solutions/05_mlp`.",
    ),
    afterthought="Training stopped as 'converged'. Is that a minimum, or a learning rate that is "
    "too small?",
)
def fit(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
    """Train a model by gradient descent on the whole batch, until there is a reason to stop.

    Each round asks `loss, grads = model.loss(X, y)` once and notes the loss. Then the reasons are
    looked at, in this order:

    1. "threshold": the loss is at or below `loss_threshold`.
    2. "converged": the loss differs from that of the round before by less than `tol`, upwards or
       downwards. (Not in the first round.)
    3. "max_iter": `max_iter` steps have been taken.

    If none holds, every parameter takes one step: new = old - lr * gradient. So the last loss
    belongs to the parameters that the model is left with, and there is one loss more than steps.

    Parameters
    ----------
    model
        Anything with a dict `params` and with `loss(X, y) -> loss, grads`. Its `params` are
        changed.
    X, y : arrays
    lr : float
        Learning rate.
    max_iter : int
        Largest number of steps.
    loss_threshold, tol : float

    Returns
    -------
    losses : list of float
    reason : str
        "threshold", "converged" or "max_iter".
    """
    losses = []
    while True:
        loss, grads = model.loss(X, y)
        losses.append(float(loss))
        if loss <= loss_threshold:
            return losses, "threshold"
        if len(losses) > 1 and abs(losses[-1] - losses[-2]) < tol:
            return losses, "converged"
        if len(losses) > max_iter:
            return losses, "max_iter"
        for name in model.params:
            model.params[name] = model.params[name] - lr * grads[name]


def drive_fit(fit, X, y, params, lr, max_iter, loss_threshold, tol):
    """`fit` with a linear model; what it returned, and the parameters that it left behind."""

    class Line:
        def __init__(self):
            self.params = {name: value.copy() for name, value in params.items()}
            self.asked = 0

        def loss(self, X, y=None):
            self.asked += 1
            if self.asked > 400:
                raise RuntimeError("fit asked for the loss 400 times and did not stop")
            error = X @ self.params["W"] + self.params["b"] - y
            slope = 2 * error / error.size
            return (error**2).mean(), {"W": X.T @ slope, "b": slope.sum(axis=0)}

    line = Line()
    result = fit(line, X, y, lr=lr, max_iter=max_iter, loss_threshold=loss_threshold, tol=tol)
    if result is None:
        return None
    if isinstance(result, (tuple, list)) and len(result) == 2:
        return result[0], result[1], line.params
    return result, "", line.params


def _losses_of_a_line(X, y, params, lr, steps):
    """The losses of plain descent, to set thresholds between."""
    W, b, losses = params["W"], params["b"], []
    for _ in range(steps):
        error = X @ W + b - y
        losses.append((error**2).mean())
        slope = 2 * error / error.size
        W, b = W - lr * X.T @ slope, b - lr * slope.sum(axis=0)
    return np.array(losses)


@chapter.cases(fit)
def fit_cases(rng):
    for n, d, m, kind in [
        (4, 2, 1, "max_iter"),
        (5, 3, 2, "threshold"),
        (7, 2, 3, "converged"),
        (8, 2, 2, "exact"),
        (9, 3, 1, "first fall"),
        (6, 3, 2, "rising"),
        (5, 2, 2, "at once"),
        (6, 2, 1, "two reasons"),
    ]:
        while True:
            X, y = rng.standard_normal((n, d)), rng.normal(0.5, 1, (n, m))
            params = {"W": rng.standard_normal((d, m)), "b": rng.standard_normal(m)}
            if kind == "exact":
                y = X @ rng.standard_normal((d, m)) + rng.standard_normal(m)
            rows = np.hstack([X, np.ones((n, 1))])
            steepest = 2 * np.linalg.eigvalsh(rows.T @ rows)[-1] / (n * m)
            lr = float((2.6 if kind == "rising" else 0.55) / steepest)
            losses = _losses_of_a_line(X, y, params, lr, 30)
            drops = np.abs(np.diff(losses))
            if kind == "exact" and losses[7] < 2 * drops[5]:
                continue  # falls so fast that a small loss and a small change come together
            if kind == "rising" and np.all(np.diff(losses) > 0):
                break
            # falls that shrink steadily, so that no threshold lies near a loss
            if kind != "rising" and np.all(drops[1:12] < 0.93 * drops[:11]) and drops[11] > 1e-4:
                break
        max_iter, threshold, tol = 40, 0.0, 0.0
        if kind == "max_iter":
            max_iter, label = 5, "no reason but the number of steps"
        elif kind == "threshold":
            threshold, label = float(losses[5:7].mean()), "a threshold that the loss reaches"
        elif kind == "converged":
            tol, label = float(np.sqrt(drops[7] * drops[8])), "falls that become small"
        elif kind == "exact":
            tol, label = float(np.sqrt(drops[5] * drops[6])), "points on a line: the loss goes to 0"
        elif kind == "first fall":
            tol, label = float((drops[0] + losses[0]) / 2), "the first fall is below tol already"
        elif kind == "rising":
            max_iter, tol, label = 6, float(drops[0] / 3), "a rate at which the loss rises"
        elif kind == "at once":
            threshold, label = float(1.2 * losses[0]), "the threshold holds before the first step"
        else:
            threshold, tol = float(losses[3:5].mean()), float(np.sqrt(drops[2] * drops[3]))
            label = "threshold and tol hold in the same round"
        label = f"{label} (lr = {lr:.2g}, max_iter = {max_iter})"
        yield Case((X, y, params, lr, max_iter, threshold, tol), drive=drive_fit, label=label)


def _fit_with(bug):
    """`fit` with one bug."""

    def fit(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
        losses = []
        if bug == "last_loss_missing":
            for _ in range(max_iter):
                loss, grads = model.loss(X, y)
                losses.append(float(loss))
                if loss <= loss_threshold:
                    return losses, "threshold"
                if len(losses) > 1 and abs(losses[-1] - losses[-2]) < tol:
                    return losses, "converged"
                for name in model.params:
                    model.params[name] = model.params[name] - lr * grads[name]
            return losses, "max_iter"
        while True:
            loss, grads = model.loss(X, y)
            losses.append(float(loss))
            change = losses[-2] - losses[-1] if len(losses) > 1 else np.inf
            if bug != "rise_counts":
                change = abs(change)
            if bug == "relative_change" and len(losses) > 1:
                change = change / losses[-2]
            if bug == "since_the_start" and len(losses) > 1:
                change = abs(losses[0] - losses[-1])
            if bug == "last_but_one" and len(losses) > 1:
                change = abs(losses[-3] - losses[-1]) if len(losses) > 2 else np.inf
            low, flat = loss <= loss_threshold, change < tol
            if bug == "no_threshold":
                low = False
            if bug == "threshold_from_above":
                low = loss >= loss_threshold
            if bug == "no_convergence":
                flat = False
            if bug == "small_loss_converges":
                flat = loss < tol
            done = len(losses) > max_iter + (bug == "one_step_more")
            reason = "threshold" if low else "converged" if flat else "max_iter" if done else ""
            if bug == "order" and flat and low:
                reason = "converged"
            if reason and bug != "step_before_stop":
                return losses, "max_iter" if bug == "one_reason" else reason
            rate = {"rate_unused": 1.0, "uphill": -lr}.get(bug, lr)
            for name in model.params:
                if bug == "biases_forgotten" and name == "b":
                    continue
                model.params[name] = model.params[name] - rate * grads[name]
            if bug == "model_unchanged":
                model.params.update(_unmoved(model.params, rate, grads))
            if reason:
                return losses, reason

    return fit


def _unmoved(params, rate, grads):
    return {name: params[name] + rate * grads[name] for name in params}


for _bug, (_message, _remedy) in {
    "last_loss_missing": (
        "There is one loss too few: the loop ends after the last step without asking for the loss "
        "once more. So nobody knows how good the parameters are that the model is left with.",
        "Note the loss first, look at the reasons, and take the step last.",
    ),
    "one_step_more": (
        "One step more than `max_iter` is taken.",
        "After k rounds k losses are noted and k - 1 steps are taken.",
    ),
    "step_before_stop": (
        "Losses and reasons are right; the parameters have gone one step too far. It looks as if "
        "the step comes before the reasons to stop.",
        "Look at the reasons before the step.",
    ),
    "rise_counts": (
        "A rising loss is taken for convergence: the difference is negative, and that is less "
        "than `tol`. It looks as if `abs` is missing.",
        "Compare `abs(losses[-1] - losses[-2])` with `tol`.",
    ),
    "relative_change": (
        "The change is compared relative to the loss; here `tol` is an absolute change.",
        "Compare `abs(losses[-1] - losses[-2])` with `tol`.",
    ),
    "since_the_start": (
        "The change is measured from the FIRST loss; convergence is about the round before.",
        "Compare the last two losses.",
    ),
    "last_but_one": (
        "The change is measured over two rounds; convergence is about the round before.",
        "Compare `losses[-1]` with `losses[-2]`.",
    ),
    "no_threshold": (
        "The loss threshold is never a reason to stop.",
        "Stop with 'threshold' once `loss <= loss_threshold`.",
    ),
    "threshold_from_above": (
        "Training stops as long as the loss is still ABOVE the threshold: the comparison points "
        "the wrong way.",
        "Stop once `loss <= loss_threshold`.",
    ),
    "no_convergence": (
        "A loss that no longer changes is never a reason to stop.",
        "Stop with 'converged' once two losses in a row differ by less than `tol`.",
    ),
    "small_loss_converges": (
        "A loss below `tol` is taken for convergence. Convergence is a small CHANGE, at whatever "
        "height.",
        "Compare the last two losses.",
    ),
    "order": (
        "Where threshold and convergence hold in the same round, the reason is 'converged'; the "
        "threshold comes first.",
        "Look at the threshold before the change.",
    ),
    "one_reason": (
        "The reason is always 'max_iter'; the loop itself stops where it should.",
        "Return the reason that holds.",
    ),
    "rate_unused": (
        "The steps are whole gradients: `lr` seems not to be used.",
        "Multiply the gradient by `lr`.",
    ),
    "uphill": (
        "The steps go up the slope: the loss rises from round to round.",
        "new = old - lr * gradient.",
    ),
    "biases_forgotten": (
        "The weights move and the bias does not: every entry of `params` takes a step.",
        "Loop over all names in `model.params`.",
    ),
    "model_unchanged": (
        "The parameters of the model never change. A line such as `p = p - lr * g` makes a new "
        "array and leaves the model alone.",
        "Store the new array: `model.params[name] = ...`, or work in place with `-=`.",
    ),
}.items():
    chapter.mistake(fit, _bug, _message, _remedy)(_fit_with(_bug))


# --- debug: a net of any depth, seven bugs planted --------------------------------------------

DEBUG_STUB = '''def debug_mlp_step(x, y, weights, biases, lr):
    """One step of gradient descent for a net of any depth. Seven things are wrong in it.

    The hidden layers have a tanh, the last one has none. The loss is the mean squared error over
    all entries of y.

    Parameters
    ----------
    x : (N, D) array
    y : (N, M) array
    weights, biases : lists of arrays, first layer first
    lr : float

    Returns
    -------
    new_weights, new_biases : lists of arrays, with the shapes of the old ones
    """
    a, kept, zs = x, [], []
    for w, b in zip(weights, biases):
        z = a @ w + b
        a = np.tanh(z) if len(zs) < len(weights) - 1 else z
        kept.append(a)  # for the gradient of this layer's weights
        zs.append(z)

    delta = 2 * (y - a)  # gradient of the loss for the last z
    dws, dbs = [], []
    for layer in reversed(range(len(weights))):
        dws.insert(0, kept[layer].T @ delta)
        dbs.insert(0, delta)
        if layer > 0:
            delta = delta * (1 - zs[layer - 1] ** 2)  # for the z of the layer before

    new_weights = [w - lr * dws[0] for w in weights]
    new_biases = [b - lr * db for b, db in zip(biases, dbs)]
    return new_weights, new_biases
'''


@chapter.exercise(
    points=4,
    returns="new_weights, new_biases",
    difficulty=4,
    minutes=20,
    title="Debug: seven bugs, peeled one at a time",
    stub=DEBUG_STUB,
    hints=(
        "Run it and read the message: which two shapes do not fit, and in which line? Mend that "
        "one thing and run it again. Three bugs show themselves so; then the tape takes over.",
        "A layer's weight gradient is (what the layer was fed).T @ (its delta), each layer has its "
        "own, and a delta reaches the layer before through the weights: delta @ w.T. On the tape, "
        "a factor of -1 and a factor of N * M have one line in common.",
        "Keep `a` BEFORE it is replaced; delta = 2 * (a - y) / y.size; db = delta.sum(axis=0); "
        "delta = (delta @ weights[layer].T) * (1 - np.tanh(zs[layer - 1]) ** 2); and "
        "zip(weights, dws). The whole answer stands in `solutions/05_mlp`.",
    ),
    afterthought="Which of the seven would have gone unnoticed with N = 1 and square weights?",
)
def debug_mlp_step(x, y, weights, biases, lr):
    """One step of gradient descent for a net of any depth. Seven things are wrong in it.

    The hidden layers have a tanh, the last one has none. The loss is the mean squared error over
    all entries of y.

    Parameters
    ----------
    x : (N, D) array
    y : (N, M) array
    weights, biases : lists of arrays, first layer first
    lr : float

    Returns
    -------
    new_weights, new_biases : lists of arrays, with the shapes of the old ones
    """
    a, kept, zs = x, [], []
    for w, b in zip(weights, biases):
        kept.append(a)  # for the gradient of this layer's weights
        z = a @ w + b
        a = np.tanh(z) if len(zs) < len(weights) - 1 else z
        zs.append(z)

    delta = 2 * (a - y) / y.size  # gradient of the loss for the last z
    dws, dbs = [], []
    for layer in reversed(range(len(weights))):
        dws.insert(0, kept[layer].T @ delta)
        dbs.insert(0, delta.sum(axis=0))
        if layer > 0:
            # for the z of the layer before
            delta = (delta @ weights[layer].T) * (1 - kept[layer] ** 2)

    new_weights = [w - lr * dw for w, dw in zip(weights, dws)]
    new_biases = [b - lr * db for b, db in zip(biases, dbs)]
    return new_weights, new_biases


@chapter.cases(debug_mlp_step)
def debug_mlp_cases(rng):
    for n, sizes, lr in [(3, (2, 4, 5), 0.1), (4, (3, 5, 2), 0.7), (6, (4, 3, 5, 2), 0.3)]:
        weights = [rng.normal(0, 0.8, shape) for shape in pairwise(sizes)]
        biases = [rng.normal(0, 0.5, size) for size in sizes[1:]]
        x, y = rng.standard_normal((n, sizes[0])), rng.normal(0.5, 1, (n, sizes[-1]))
        net = " - ".join(map(str, sizes))
        label = f"N = {n}, a {net} net, lr = {lr}"
        yield Case((x, y, weights, biases, lr), label=label)


def planted_step(left):
    """The step with only the bugs in `left`: kept, recursion, first, sign, mean, bias, slope."""

    def step(x, y, weights, biases, lr):
        a, fed, outputs, zs = x, [], [], []
        for w, b in zip(weights, biases):
            fed.append(a)
            z = a @ w + b
            a = np.tanh(z) if len(zs) < len(weights) - 1 else z
            outputs.append(a)
            zs.append(z)
        kept = outputs if "kept" in left else fed
        delta = 2 * ((y - a) if "sign" in left else (a - y))
        if "mean" not in left:
            delta = delta / y.size
        dws, dbs = [], []
        for layer in reversed(range(len(weights))):
            dws.insert(0, kept[layer].T @ delta)
            dbs.insert(0, delta if "bias" in left else delta.sum(axis=0))
            if layer > 0:
                slope = 1 - (zs if "slope" in left else outputs)[layer - 1] ** 2
                delta = (delta if "recursion" in left else delta @ weights[layer].T) * slope
        own = [dws[0]] * len(dws) if "first" in left else dws
        new_weights = [w - lr * dw for w, dw in zip(weights, own)]
        return new_weights, [b - lr * db for b, db in zip(biases, dbs)]

    return step


QUIET = ("bias", "sign", "mean", "slope")  # bugs that run
DEBUG_CLUES = {
    "bias": "The biases have grown to one row for each example: a bias is shared, so its gradient "
    "is summed over the examples",
    "sign": "The step goes uphill: compare the difference in the first line of the way back with "
    "the sign of the update",
    "mean": "The step grows with the number of entries of y: the loss is a mean",
    "slope": "The hidden layers are off, entry by entry, and the last one is not touched by it: "
    "1 - a**2 is the slope of tanh for its output a",
}
chapter.mistake(
    debug_mlp_step,
    "recursion_left",
    "It stops on the way back, where one layer's delta is handed to the layer before: it looks as "
    "if it does not go through the weights between the two. The shapes tell: delta has one column "
    "for each unit of ITS layer. Other bugs may wait behind this one.",
    "delta @ weights[layer].T, then the slope.",
)(planted_step({"recursion", *QUIET}))
chapter.mistake(
    debug_mlp_step,
    "kept_left",
    "It stops at the update of the first layer: its gradient has one row for each of its OUTPUTS. "
    "It looks as if the layer's output is kept where its input is needed. Other bugs may wait "
    "behind this one.",
    "Append `a` to `kept` before it is replaced.",
)(planted_step({"kept", *QUIET}))
chapter.mistake(
    debug_mlp_step,
    "first_left",
    "The first layer is updated, then it stops at the second: it looks as if every layer gets the "
    "gradient of the first. Other bugs may wait behind this one.",
    "Walk through both lists together: zip(weights, dws).",
)(planted_step({"first", *QUIET}))
for _count, _word in enumerate(
    (
        "One bug is left",
        "Two bugs are left",
        "Three bugs are left",
        "All that runs, runs; four bugs are left",
    ),
    start=1,
):
    for _left in combinations(QUIET, _count):
        chapter.mistake(
            debug_mlp_step,
            "_".join(_left) + "_left",
            f"{_word}. {DEBUG_CLUES[_left[0]]}.",
        )(planted_step(set(_left)))


# --- more: any number of layers ---------------------------------------------------------------


@chapter.exercise(
    points=4,
    returns="scores, loss, grads",
    difficulty=4,
    minutes=30,
    optional=True,
    hints=(
        "`TwoLayerNet` with a loop. Number the layers from 1 to L; the last one has no ReLU.",
        "Keep the caches in a list, and walk back through it in reverse. The sizes are "
        "[input_dim, *hidden_dims, num_classes].",
        "Forward: `X, c = affine_forward(X, W_i, b_i)`, and, for i < L, `X, m = relu_forward(X)`. "
        "Back: for i = L ... 1, `relu_backward` unless i = L, `affine_backward`, and reg * W_i. "
        "The whole answer stands in `solutions/05_mlp`.",
    ),
    afterthought="What would have to change for dropout or batch normalisation (13, 15)?",
)
class FullyConnectedNet:
    """A classifier with any number of hidden layers: (affine - ReLU) x (L - 1) - affine - softmax.

    Parameters
    ----------
    hidden_dims : list of int
        Size of each hidden layer.
    input_dim, num_classes : int
    dropout_keep_ratio : float
        Here always 1 (no dropout).
    normalization : None
        Here always None.
    reg : float
        Strength of the penalty 0.5 * reg * sum(W * W) over all weight matrices.
    weight_scale : float
        Standard deviation of the first weights. Biases start at 0.
    dtype : numpy type
        Of all parameters.
    seed : int, optional

    Attributes
    ----------
    params : dict
        W1, b1, W2, b2, ..., up to the last layer, number L = len(hidden_dims) + 1.
    """

    def __init__(
        self,
        hidden_dims,
        input_dim=64,
        num_classes=10,
        dropout_keep_ratio=1,
        normalization=None,
        reg=0.0,
        weight_scale=1e-2,
        dtype=np.float64,
        seed=None,
    ):
        rng = np.random.default_rng(seed)
        self.reg = reg
        self.num_layers = len(hidden_dims) + 1
        self.params = {}
        ### BEGIN SOLUTION
        sizes = [input_dim, *hidden_dims, num_classes]
        for i in range(1, self.num_layers + 1):
            shape = (sizes[i - 1], sizes[i])
            self.params[f"W{i}"] = (weight_scale * rng.standard_normal(shape)).astype(dtype)
            self.params[f"b{i}"] = np.zeros(sizes[i], dtype=dtype)
        ### END SOLUTION

    def loss(self, X, y=None):
        """Scores (N, C) if `y` is None, else the loss and a dict of gradients."""
        ### BEGIN SOLUTION
        last, caches = self.num_layers, []
        out = X
        for i in range(1, last + 1):
            out, layer = affine_forward(out, self.params[f"W{i}"], self.params[f"b{i}"])
            bend = None
            if i < last:
                out, bend = relu_forward(out)
            caches.append((layer, bend))
        if y is None:
            return out

        loss, dout = softmax_loss(out, y)
        grads = {}
        for i in range(last, 0, -1):
            layer, bend = caches[i - 1]
            if i < last:
                dout = relu_backward(dout, bend)
            W = self.params[f"W{i}"]
            dout, dW, grads[f"b{i}"] = affine_backward(dout, layer)
            grads[f"W{i}"] = dW + self.reg * W
            loss += 0.5 * self.reg * (W**2).sum()
        return loss, grads
        ### END SOLUTION


def drive_deep(FullyConnectedNet, X, y, params, reg):
    """Scores, loss and gradients with given parameters; asked twice, the second answer counts."""
    depth = len(params) // 2
    hidden = [params["b" + str(i)].size for i in range(1, depth)]
    d, c = params["W1"].shape[0], params["b" + str(depth)].size
    net = FullyConnectedNet(hidden, input_dim=d, num_classes=c, reg=reg, weight_scale=0.1)
    for name in params:
        net.params[name] = params[name].copy()
    net.loss(X.copy(), y.copy())
    scores = net.loss(X.copy())
    loss, grads = net.loss(X.copy(), y.copy())
    return scores, loss, grads


def drive_deep_params(FullyConnectedNet, hidden, d, c, scale):
    """What a new net's parameters look like: names, shapes, and the size of the numbers."""
    net = FullyConnectedNet(list(hidden), input_dim=d, num_classes=c, weight_scale=scale)
    seen = {"names": sorted(net.params)}
    for name in seen["names"]:
        value = np.asarray(net.params[name], dtype=float)
        seen[name + " has shape"] = list(value.shape)
        if name.startswith("b"):
            seen[name + " is zero"] = bool((value == 0).all())
        else:
            ratio = float(value.std()) / scale  # 1, give or take the luck of the draw
            seen[name + ", deviation / weight_scale"] = round(min(ratio, 9))
    return seen


def _deep_case(rng, n, shape, sizes):
    """Inputs and parameters for which no hidden unit sits near 0."""
    while True:
        X = rng.standard_normal((n, *shape))
        params, a, near = {}, X.reshape(n, -1), np.inf
        for i, (rows, columns) in enumerate(pairwise(sizes), start=1):
            params[f"W{i}"] = rng.normal(0, np.sqrt(2 / rows), (rows, columns))
            params[f"b{i}"] = rng.normal(0, 0.4, columns)
            z = a @ params[f"W{i}"] + params[f"b{i}"]
            if i < len(sizes) - 1:
                near = min(near, np.abs(z).min() if (z < 0).any() and (z > 0).any() else 0)
                a = np.maximum(z, 0)
        if near > 1e-3 and (z < 0).any() and (a > 0).any():
            return X, params


@chapter.cases(FullyConnectedNet)
def fully_connected_cases(rng):
    for n, shape, sizes, reg in [
        (3, (4,), (4, 5, 2), 0.0),
        (5, (3,), (3, 6, 4, 5), 0.6),
        (4, (2, 3), (6, 5, 7, 4, 3), 0.08),
    ]:
        X, params = _deep_case(rng, n, shape, sizes)
        y = rng.integers(0, sizes[-1], n)
        label = f"X has shape {X.shape}, hidden layers {list(sizes[1:-1])}, reg = {reg}"
        yield Case((X, y, params, reg), drive=drive_deep, label=label)


@chapter.property(
    FullyConnectedNet,
    "first_params",
    "The parameters of a new net are not as described: W1, b1, ..., WL, bL with shapes that chain, "
    "weights random with deviation `weight_scale`, biases zero.",
)
def fully_connected_first_params(rng):
    for hidden, d, c, scale in [((20, 30), 11, 9, 0.02), ((15, 25, 12, 18), 21, 8, 3.0)]:
        label = f"hidden layers {list(hidden)}"
        yield Case((hidden, d, c, scale), drive=drive_deep_params, label=label)


def _deep_with(bug):
    """A `FullyConnectedNet` with one bug."""

    class Variant(FullyConnectedNet):
        def __init__(self, hidden_dims, **options):
            super().__init__(hidden_dims, **options)
            last = str(self.num_layers)
            for name in list(self.params):
                value = self.params[name]
                if bug == "last_layer_missing" and name[1:] == last:
                    del self.params[name]
                if bug == "weight_scale_unused" and name[0] == "W":
                    self.params[name] = np.random.default_rng().standard_normal(value.shape)

        def loss(self, X, y=None):
            last = self.num_layers
            caches, out = [], X
            for i in range(1, last + 1):
                out, layer = affine_forward(out, self.params[f"W{i}"], self.params[f"b{i}"])
                bend = None
                bends = i < last or bug == "relu_on_scores"
                if bug == "relu_only_first":
                    bends = i == 1
                if bends:
                    out, bend = relu_forward(out)
                caches.append((layer, bend))
            if y is None:
                return out
            loss, dout = softmax_loss(out, y)
            grads = {}
            for i in range(last, 0, -1):
                layer, bend = caches[i - 1]
                if bend is not None and not (bug == "relu_backward_skipped" and i < last - 1):
                    dout = relu_backward(dout, bend)
                W = self.params[f"W{i}"]
                dout, dW, grads[f"b{i}"] = affine_backward(dout, layer)
                inside = bug != "no_penalty"
                if bug == "penalty_on_last_only":
                    inside = i == last
                if bug == "penalty_without_last":
                    inside = i < last
                reg = self.reg if inside else 0.0
                grads[f"W{i}"] = dW + (0.0 if bug == "penalty_only_in_loss" else reg) * W
                if bug == "whole_penalty":
                    grads[f"W{i}"] = dW + 2 * reg * W
                half = 1.0 if bug in ("whole_penalty", "half_missing_in_loss") else 0.5
                loss += half * reg * (W**2).sum()
            return loss, grads

    return Variant


for _bug, (_message, _remedy) in {
    "no_penalty": (
        "Right without regularisation; with `reg` above 0 the penalty is missing in the loss and "
        "in the gradients.",
        "Add 0.5 * reg * sum(W * W) to the loss and reg * W to dW, for every layer.",
    ),
    "penalty_only_in_loss": (
        "The loss holds the penalty; the gradients of the weights do not.",
        "Add reg * W to each dW.",
    ),
    "whole_penalty": (
        "The penalty is twice the one asked for: it looks like reg * sum(W * W) with gradient "
        "2 * reg * W.",
        "0.5 * reg * sum(W * W), with gradient reg * W.",
    ),
    "half_missing_in_loss": (
        "The gradients are right; the loss holds reg * sum(W * W) without the factor 0.5.",
        "Put 0.5 in front of the penalty.",
    ),
    "penalty_on_last_only": (
        "Only the last layer's weights are in the penalty: it looks as if it is added outside of "
        "the loop.",
        "Add the penalty for every layer.",
    ),
    "penalty_without_last": (
        "The last layer's weights are missing in the penalty.",
        "Add the penalty for every layer, the last one too.",
    ),
    "relu_on_scores": (
        "The scores hold no negative number: it looks as if the last layer has a ReLU too.",
        "The loop over affine and ReLU ends one layer earlier.",
    ),
    "relu_only_first": (
        "With one hidden layer all is right; with more, these values equal those of a net with a "
        "ReLU after the first layer only.",
        "Every hidden layer has its ReLU.",
    ),
    "relu_backward_skipped": (
        "The last two layers are right. Further back, the gradients equal what results when the "
        "way back skips a ReLU.",
        "Call `relu_backward` for every hidden layer, with its own cache.",
    ),
    "last_layer_missing": (
        "The last layer has no parameters: a net with two hidden layers has three affine layers.",
        "Use the sizes [input_dim, *hidden_dims, num_classes].",
    ),
    "weight_scale_unused": (
        "The first weights have deviation 1: it looks as if `weight_scale` is not used.",
        "Multiply the random numbers by `weight_scale`.",
    ),
}.items():
    chapter.mistake(FullyConnectedNet, _bug, _message, _remedy)(_deep_with(_bug))


# --- quiz -------------------------------------------------------------------------------------

chapter.quiz(
    "mlp_q1",
    "What is a fully connected layer, and what does it do?",
    choices={
        "a": "every output is a weighted sum of ALL inputs plus a bias; it mixes all inputs anew",
        "b": "every output looks at a few neighbouring inputs; it finds local patterns",
        "c": "it connects every neuron with every other neuron of the same layer",
        "d": "it chooses the class: the last step of every net, without weights",
    },
    answer="a",
    wrong={
        "b": "That is a convolution. A fully connected layer knows no neighbourhood: shuffle the "
        "inputs and the rows of w together, and nothing changes.",
        "c": "The connections run from one layer to the next, not inside a layer.",
        "d": "It has most of the weights of many nets, and it may stand anywhere.",
    },
    explanation="out = x @ w + b, with D * M weights and M biases. The lesson shuffles the pixels "
    "of all digits: the net learns as before.",
)
chapter.quiz(
    "mlp_q2",
    "How many parameters has a 64 - 32 - 10 net? Answer with a number.",
    answer=2410,
    wrong={
        2368: "The biases are missing: 32 + 10 more.",
        2400: "The biases of the last layer are missing: 10 more.",
        2378: "The biases of the hidden layer are missing: 32 more.",
        106: "That is the number of units.",
    },
    explanation="64 * 32 + 32 + 32 * 10 + 10 = 2410. Nearly all of them sit in the first layer.",
)
chapter.quiz(
    "mlp_q3",
    "What makes a multilayer perceptron more than a linear model?",
    choices={
        "a": "the number of its weights",
        "b": "the training by gradient descent",
        "c": "several layers in a row, with or without a bend",
        "d": "a bend (an activation) between affine layers",
    },
    answer="d",
    wrong={
        "a": "Wide affine layers in a row have many weights, and are one linear map.",
        "b": "A straight line can be trained by gradient descent as well.",
        "c": "Without a bend the layers collapse into one.",
    },
    explanation="Affine, bend, affine. One hidden layer that is wide enough can come as close as "
    "wished to any continuous function on a bounded region; that says nothing about finding it.",
)
chapter.quiz(
    "mlp_q4",
    "What is the order of one round of gradient descent for a multilayer perceptron?",
    choices={
        "a": "update, forward, loss, backward",
        "b": "forward, loss, backward through all layers, then update all parameters",
        "c": "forward, then for each layer from the last to the first: gradient, update at once",
        "d": "forward, loss, update of the last layer; the hidden layers have no target",
    },
    answer="b",
    wrong={
        "a": "Before the loss and its gradient are known there is nothing to update with.",
        "c": "Then the gradient of an earlier layer would go through weights that have changed "
        "already. It is the bug 'stale W2' of chapter 02.",
        "d": "Hidden layers need no target: the chain rule brings them their gradient.",
    },
    explanation="All gradients belong to one set of parameters; so compute them all, then step. "
    "And: along the NEGATIVE gradient.",
)
chapter.quiz(
    "mlp_q5",
    "Gradient descent has stopped: the loss no longer changes. What is certain?",
    choices={
        "a": "the global minimum is reached",
        "b": "a local minimum is reached",
        "c": "the steps have become too small to matter: a flat place, or too small a rate",
        "d": "the net fits the training data",
    },
    answer="c",
    wrong={
        "a": "Only for a convex loss, such as that of a straight line, and even then only if the "
        "rate was large enough.",
        "b": "A saddle or a long plain looks the same from where one stands.",
        "d": "The height of the flat place is another question. A net with all weights 0 stands "
        "still at once.",
    },
    explanation="'Converged' is a statement about the last two losses. In general gradient descent "
    "finds a place that is nearly flat, not the lowest one.",
)
chapter.quiz(
    "mlp_q6",
    "A net has one sigmoid output; the targets are 0, 1, 2, 3, 4, 5. Below which number can the "
    "mean squared error not fall? Answer with a number.",
    answer=5,
    wrong={
        0: "The sigmoid never exceeds 1: it cannot reach 2, 3, 4 or 5.",
        30: "That is the sum 0 + 0 + 1 + 4 + 9 + 16; the loss is the mean over six.",
        7.5: "That is the sum 30 divided by 4; all six examples count.",
        1: "That is the limit of the outputs, not of the loss.",
    },
    explanation="At best the outputs are 0, 1, 1, 1, 1, 1: errors 0, 0, 1, 2, 3, 4, and (1 + 4 + 9 "
    "+ 16) / 6 = 5. The output 1 is never reached, so the loss stays above 5. A linear output "
    "has no such floor.",
)
chapter.quiz(
    "mlp_q7",
    "Which output and loss suit a regression, such as the height of a place in metres?",
    choices={
        "a": "softmax and cross-entropy",
        "b": "sigmoid and squared error",
        "c": "no activation and squared error",
        "d": "ReLU and cross-entropy",
    },
    answer="c",
    wrong={
        "a": "Softmax gives shares of classes; a height is no class.",
        "b": "A sigmoid ends at 1. It would need targets squeezed into 0 to 1, and could not go "
        "beyond the largest height it was squeezed with.",
        "d": "Cross-entropy compares probabilities.",
    },
    explanation="A linear head can give any number. Squared error belongs to it: the best constant "
    "is the mean. Both losses are supervised: they need targets.",
)
chapter.quiz(
    "mlp_q8",
    "Many convolutional nets end in a fully connected layer or a small multilayer perceptron. What "
    "is it for?",
    choices={
        "a": "it makes the image smaller before the convolutions",
        "b": "it flattens the feature maps and combines them all into one score for each class",
        "c": "it shares its weights over all places of the image",
        "d": "it keeps the places of the features, for an output of the size of the image",
    },
    answer="b",
    wrong={
        "a": "It stands at the end; pooling and strides make maps smaller.",
        "c": "Sharing is what the convolution does. In a fully connected layer every place has "
        "weights of its own.",
        "d": "After flattening, neighbourhood is gone; whoever needs places keeps convolutions.",
    },
    explanation="(N, C, H, W) -> (N, C*H*W) -> scores. The convolutions find features, the head "
    "decides. It is the net of this chapter with other inputs (09), and often holds most weights.",
)
chapter.quiz(
    "mlp_q9",
    "`x` is np.array([0, 1, 2, 3, 4, 5]), six examples of one feature. Which shapes do x and w "
    "need for x @ w + b with one output?",
    choices={
        "a": "x (6,) and w (1, 6): one weight for each example",
        "b": "x (1, 6) and w (6, 1)",
        "c": "x (6, 1) and w (6, 1)",
        "d": "x (6, 1) and w (1, 1): one weight for each feature",
    },
    answer="d",
    wrong={
        "a": "np.dot refuses: shapes (6,) and (1, 6) not aligned. And weights belong to features, "
        "not to examples.",
        "b": "It runs, and treats the six numbers as ONE example with six features.",
        "c": "(6, 1) @ (6, 1) does not fit: the inner sizes are 1 and 6.",
    },
    explanation="Rows are examples, columns are features: `x.reshape(-1, 1)` or `x[:, None]`.",
)
chapter.quiz(
    "mlp_q10",
    "Ten learning rates and five widths were tried; the best on the TEST part has 98.6 %. What is "
    "wrong with reporting 98.6 %?",
    choices={
        "a": "nothing: the test part was not trained on",
        "b": "the number is too good: the choice among 50 nets has used the test part",
        "c": "the number is too low: with all data in training it would be better",
        "d": "accuracy cannot be measured on 360 images",
    },
    answer="b",
    wrong={
        "a": "Choosing is a kind of training too. The best of 50 is lucky as well as good.",
        "c": "That may be so, and is another matter: the report is about the net at hand.",
        "d": "It can, with a standard error of sqrt(p (1 - p) / 360).",
    },
    explanation="Fit on training, choose on validation, report on test, once. Means and deviations "
    "for scaling come from training alone.",
)
chapter.quiz(
    "mlp_q11",
    "A net makes 3 % errors on 360 test images. Roughly how large is the standard error of the "
    "accuracy, in percentage points? One place after the point is enough.",
    answer=0.9,
    rtol=0.03,
    wrong={
        0.05: "That is 1 / sqrt(360), as a fraction; p (1 - p) is missing.",
        3: "That is the error rate itself.",
        17: "The division by 360 is missing: sqrt(0.03 * 0.97 / 360).",
        0.009: "Right as a fraction; in percentage points it is 100 times that.",
    },
    explanation="sqrt(0.03 * 0.97 / 360) = 0.009. So 97.0 and 97.5 % on this part do not tell two "
    "nets apart.",
)
chapter.quiz(
    "mlp_q12",
    "What happens in training, in the right words? (1) forward, (2) a loss compares output and "
    "target, (3) gradients by backpropagation, (4) a step.",
    choices={
        "a": "the loss is the error y - output, and it is made as small as possible",
        "b": "backpropagation is gradient descent: (3) and (4) are one thing",
        "c": "a step along the NEGATIVE gradient of a loss that is never below its minimum",
        "d": "a step along the gradient, until the error of each neuron is zero",
    },
    answer="c",
    wrong={
        "a": "A signed error has no minimum: it falls for ever as the output grows. A loss, such "
        "as the mean squared error, has one.",
        "b": "(3) computes, (4) uses. Any optimiser can stand at (4).",
        "d": "Along the gradient the loss rises; and hidden neurons have no error of their own.",
    },
    explanation="Forward, loss, backward, step, again, until a threshold, a standstill or a number "
    "of rounds: the loop `fit`.",
)
