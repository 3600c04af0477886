"""Chapter 02, backpropagation: the gradients of one layer, one net, and any expression."""

from itertools import combinations

import numpy as np

from grader.exercise import Case, Chapter
from grader.exercises.neurons import affine_forward

chapter = Chapter("02_backprop", "Backpropagation")


# --- sigmoid: the first pair ---------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=1,
    minutes=5,
    hints=(
        "The formula is 1 / (1 + e^(-x)), for every number of `x` on its own.",
        "`np.exp` works on whole arrays. Which of `x` and `out` will the slope need?",
        "`out = 1 / (1 + np.exp(-x))`, and the cache is `out`. The whole answer stands in "
        "`solutions/02_backprop`.",
    ),
    afterthought="Which inputs give an output above 0.99? Guess before computing.",
)
def sigmoid_forward(x):
    """The sigmoid of every entry, out = 1 / (1 + e^(-x)).

    Parameters
    ----------
    x : array of any shape

    Returns
    -------
    out : array like x
    cache
        Whatever `sigmoid_backward` needs.
    """
    out = 1 / (1 + np.exp(-x))
    return out, out


@chapter.cases(sigmoid_forward)
def sigmoid_cases(rng):
    for shape in [(3,), (4, 3), (2, 3, 5), (5, 7)]:
        yield Case((rng.normal(0.3, 2, shape),), label=f"x has shape {shape}")


@chapter.mistake(
    sigmoid_forward,
    "sign_of_exponent",
    "These values fall where the sigmoid rises: it looks like `exp(x)` where `exp(-x)` is meant.",
    "The exponent is `-x`.",
)
def sigmoid_forward_sign_of_exponent(x):
    out = 1 / (1 + np.exp(x))
    return out, out


@chapter.mistake(
    sigmoid_forward,
    "brackets",
    "These values equal `1 / 1 + exp(-x)`: the division is done before the sum.",
    "Put the sum in brackets: `1 / (1 + np.exp(-x))`.",
)
def sigmoid_forward_brackets(x):
    out = 1 / 1 + np.exp(-x)
    return out, out


@chapter.mistake(
    sigmoid_forward,
    "tanh",
    "These values lie between -1 and 1: they equal tanh, not the sigmoid.",
    "The sigmoid lies between 0 and 1.",
)
def sigmoid_forward_tanh(x):
    out = np.tanh(x)
    return out, out


@chapter.mistake(
    sigmoid_forward,
    "no_activation",
    "`out` equals `x`: the sigmoid is never applied.",
    "Return `1 / (1 + np.exp(-x))`, not `x`.",
)
def sigmoid_forward_no_activation(x):
    return x, x


@chapter.exercise(
    points=2,
    returns="dx",
    gradient_of=sigmoid_forward,
    difficulty=1,
    minutes=6,
    hints=(
        "The slope of the sigmoid is a (1 - a), where a is its OUTPUT.",
        "Chain rule: the arriving gradient times the local slope, entry by entry.",
        "With `a` from the cache: `dout * a * (1 - a)`. The whole answer stands in "
        "`solutions/02_backprop`.",
    ),
    afterthought="Where is a (1 - a) largest, and how large is it there?",
)
def sigmoid_backward(dout, cache):
    """Gradient of the loss with respect to the input of the sigmoid.

    Parameters
    ----------
    dout : array
        Gradient with respect to the sigmoid's output, same shape.
    cache
        What the own `sigmoid_forward` returned.

    Returns
    -------
    dx : array like dout
    """
    a = cache
    return dout * a * (1 - a)


def _logit(a):
    """The input that the reference's cache belongs to."""
    return np.log(a / (1 - a))


@chapter.mistake(
    sigmoid_backward,
    "slope_of_the_input",
    "These values equal `dout * x * (1 - x)` with the INPUT x. The rule a (1 - a) needs the "
    "output: at x = 3 it gives -6, for a function that only rises.",
    "Use the output `a`; keep it in the cache.",
)
def sigmoid_backward_slope_of_the_input(dout, cache):
    x = _logit(cache)
    return dout * x * (1 - x)


@chapter.mistake(
    sigmoid_backward,
    "sigmoid_twice",
    "These values equal the slope rule applied to the sigmoid of the output: it looks as if the "
    "cached output goes through the sigmoid once more.",
    "If the cache holds the output already, use it as it is.",
)
def sigmoid_backward_sigmoid_twice(dout, cache):
    a = 1 / (1 + np.exp(-cache))
    return dout * a * (1 - a)


@chapter.mistake(
    sigmoid_backward,
    "missing_a",
    "The factor `a` of a (1 - a) seems to be missing.",
    "The slope has two factors: `a` and `(1 - a)`.",
)
def sigmoid_backward_missing_a(dout, cache):
    return dout * (1 - cache)


@chapter.mistake(
    sigmoid_backward,
    "missing_one_minus_a",
    "The factor `(1 - a)` of a (1 - a) seems to be missing.",
    "The slope has two factors: `a` and `(1 - a)`.",
)
def sigmoid_backward_missing_one_minus_a(dout, cache):
    return dout * cache


@chapter.mistake(
    sigmoid_backward,
    "upstream_missing",
    "These values equal the local slope alone: `dout` is not used.",
    "Multiply the local slope by `dout`: that is the chain rule.",
)
def sigmoid_backward_upstream_missing(dout, cache):
    return cache * (1 - cache)


@chapter.mistake(
    sigmoid_backward,
    "slope_missing",
    "The gradient is passed on unchanged: the local slope is missing.",
    "Multiply `dout` by a (1 - a).",
)
def sigmoid_backward_slope_missing(dout, cache):
    return dout


@chapter.mistake(
    sigmoid_backward,
    "slope_of_tanh",
    "These values equal `dout * (1 - a**2)`: that is the slope of tanh.",
    "The slope of the sigmoid is a (1 - a).",
)
def sigmoid_backward_slope_of_tanh(dout, cache):
    return dout * (1 - cache**2)


# --- the fully connected layer ---------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="dx, dw, db",
    gradient_of=affine_forward,
    common_cache=True,
    difficulty=2,
    minutes=15,
    hints=(
        "Each gradient has the shape of what it belongs to. `dout` is (N, M): which product "
        "with it gives (D, M)? Which one gives (N, D)?",
        "One entry of `b` is added to a whole column of `out`: N examples feel it. What "
        "happens to N gradients that arrive at one number?",
        "With `rows = x.reshape(len(x), -1)`: `dw = rows.T @ dout`, `db = dout.sum(axis=0)`, "
        "`dx = (dout @ w.T).reshape(x.shape)`. The whole answer stands in `solutions/02_backprop`.",
    ),
    afterthought="Why does `dx` need `w`, and `dw` need `x`?",
)
def affine_backward(dout, cache):
    """Gradients of a fully connected layer.

    Parameters
    ----------
    dout : (N, M) array
        Gradient of the loss with respect to the layer's output.
    cache : tuple
        What `affine_forward` returned: (x, w, b).

    Returns
    -------
    dx : (N, d1, ..., dk) array
    dw : (D, M) array
    db : (M,) array
    """
    x, w, b = cache
    rows = x.reshape(len(x), -1)  # (N, D)
    dx = (dout @ w.T).reshape(x.shape)
    dw = rows.T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


@chapter.mistake(
    affine_backward,
    "bias_per_example",
    "`db` has one number per example; it needs one per output. These values look like `dout` "
    "summed over axis 1. The bias is shared by all examples: which of them does one entry of "
    "`b` touch?",
    "Sum over the examples: axis 0.",
)
def affine_backward_bias_per_example(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout.sum(axis=1)


@chapter.mistake(
    affine_backward,
    "bias_kept_row",
    "`db` has shape (1, M), a table with one row; `b` has shape (M,). Added to `b` it would turn "
    "`b` into a table by broadcasting.",
    "Leave out `keepdims=True`.",
)
def affine_backward_bias_kept_row(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout.sum(axis=0, keepdims=True)


@chapter.mistake(
    affine_backward,
    "bias_not_summed",
    "`db` has the shape of `dout`: the gradients of the N examples are not added up. One entry "
    "of `b` touches all of them.",
    "Sum `dout` over axis 0.",
)
def affine_backward_bias_not_summed(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout


@chapter.mistake(
    affine_backward,
    "bias_all_summed",
    "`db` is a single number: it looks as if `dout` is summed over both axes.",
    "Sum over axis 0 only.",
)
def affine_backward_bias_all_summed(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout.sum()


@chapter.mistake(
    affine_backward,
    "bias_mean",
    "`db` equals the MEAN of `dout` over the examples. A division by N belongs to the loss; "
    "`dout` carries it already.",
    "Use `sum`, not `mean`.",
)
def affine_backward_bias_mean(dout, cache):
    dx, dw, _ = affine_backward(dout, cache)
    return dx, dw, dout.mean(axis=0)


@chapter.mistake(
    affine_backward,
    "all_divided_by_n",
    "`dw` and `db` are N times too small: it looks as if they are divided by the number of "
    "examples. That division belongs to the loss; `dout` carries it already.",
    "Take out the division by N.",
)
def affine_backward_all_divided_by_n(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw / len(dout), db / len(dout)


@chapter.mistake(
    affine_backward,
    "dx_flat",
    "`dx` holds the right numbers, flattened: it has shape (N, D), and `x` came as "
    "(N, d1, ..., dk).",
    "Reshape `dx` to `x.shape` at the end.",
)
def affine_backward_dx_flat(dout, cache):
    x, w, b = cache
    dx, dw, db = affine_backward(dout, cache)
    return dx.reshape(len(x), -1), dw, db


@chapter.mistake(
    affine_backward,
    "dw_transposed",
    "`dw` is transposed: its shape is (M, D), and `w` has (D, M).",
    "The product is `rows.T @ dout`, not `dout.T @ rows`.",
)
def affine_backward_dw_transposed(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dx, dw.T, db


@chapter.mistake(
    affine_backward,
    "dx_without_transpose",
    "The product for `dx` does not fit: it looks as if `w` is not transposed. The way back goes "
    "from M outputs to D inputs.",
    "Use `w.T`.",
)
def affine_backward_dx_without_transpose(dout, cache):
    x, w, b = cache
    dx = (dout @ w).reshape(x.shape)
    return dx, x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)


@chapter.mistake(
    affine_backward,
    "order_of_gradients",
    "The gradients come in another order: `dw` stands first. The order is that of the inputs: "
    "`dx, dw, db`.",
    "Return `dx, dw, db`.",
)
def affine_backward_order_of_gradients(dout, cache):
    dx, dw, db = affine_backward(dout, cache)
    return dw, dx, db


# --- a net with one hidden layer ---------------------------------------------------------------


def two_layer_cases(rng):
    """The worked example of the lesson with its harder companion, then random nets."""
    w1 = np.array([[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])
    b1 = np.array([0.7, 0.8, 0.9])
    w2 = np.array([[0.5], [0.6], [0.7]])
    b2 = np.array([0.1])
    x = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, -1.0]])
    y = np.array([[1.0], [0.0], [1.0]])
    yield Case((x, y, w1, b1, w2, b2), label="the lesson's 2-3-1 net with three examples")
    for n, d, hidden, outputs in [(5, 4, 3, 2), (3, 2, 5, 1), (7, 3, 4, 5)]:
        yield Case(
            (
                rng.standard_normal((n, d)),
                rng.uniform(0, 1, (n, outputs)),
                rng.standard_normal((d, hidden)),
                rng.standard_normal(hidden),
                rng.standard_normal((hidden, outputs)),
                rng.standard_normal(outputs),
            ),
            label=f"m = {n} examples, a {d}-{hidden}-{outputs} net",
        )


def _two_layer(X, Y, W1, b1, W2, b2, bug=""):
    """Gradients of the two-layer net with one of the classic bugs planted."""
    m = len(X) * W2.shape[1]
    Z1 = X @ W1 + b1
    A1 = 1 / (1 + np.exp(-Z1))
    Z2 = A1 @ W2 + b2
    A2 = 1 / (1 + np.exp(-Z2))
    if bug == "m_is_features":
        m = X.shape[1] * W2.shape[1]
    dA2 = {"sign": 2 * (Y - A2) / m, "no_factor_2": (A2 - Y) / m, "no_1_over_m": 2 * (A2 - Y)}.get(
        bug, 2 * (A2 - Y) / m
    )
    slope2 = {"output_slope": 1.0, "slope_of_z2": Z2 * (1 - Z2)}.get(bug, A2 * (1 - A2))
    dZ2 = dA2 * slope2
    if bug == "bce_delta":
        dZ2 = (A2 - Y) / m
    left = {"dw2_without_a1": np.ones_like(A1), "dw2_uses_z1": Z1}.get(bug, A1)
    dW2 = left.T @ dZ2
    dA1 = dZ2 @ W2.T
    if bug == "stale_w2":
        dA1 = dZ2 @ (W2 - dW2).T
    slope1 = {
        "missing_a1": 1 - A1,
        "missing_one_minus_a1": A1,
        "hidden_slope": 1.0,
        "slope_of_z1": Z1 * (1 - Z1),
    }.get(bug, A1 * (1 - A1))
    dZ1 = dA1 * slope1
    dW1 = X.T @ dZ1
    axis = 1 if bug == "bias_axis" else 0
    db1, db2 = dZ1.sum(axis=axis), dZ2.sum(axis=axis)
    if bug == "bias_mean":
        db1, db2 = dZ1.mean(axis=0), dZ2.mean(axis=0)
    return dW1, db1, dW2, db2


TWO_LAYER_BUGS = {
    "missing_a1": (
        "`dW1` and `db1` equal what results when the factor A1 of the slope A1 (1 - A1) is left "
        "out. Training still works with this bug, only worse.",
        "dZ1 = dA1 * A1 * (1 - A1).",
    ),
    "missing_one_minus_a1": (
        "`dW1` and `db1` equal what results when the factor (1 - A1) of the hidden slope is left "
        "out.",
        "dZ1 = dA1 * A1 * (1 - A1).",
    ),
    "hidden_slope": (
        "`dW1` and `db1` equal what results when the slope of the hidden sigmoid is left out.",
        "On the way back through the hidden layer, multiply by A1 (1 - A1).",
    ),
    "slope_of_z1": (
        "`dW1` and `db1` equal what results when the slope rule is fed Z1 instead of A1. "
        "a (1 - a) holds for the output of the sigmoid.",
        "Use A1 (1 - A1).",
    ),
    "output_slope": (
        "These values equal what results when the slope of the output sigmoid, A2 (1 - A2), is "
        "left out.",
        "dZ2 = dA2 * A2 * (1 - A2).",
    ),
    "slope_of_z2": (
        "These values equal what results when the output slope is fed Z2 instead of A2.",
        "Use A2 (1 - A2).",
    ),
    "bce_delta": (
        "These values equal what results from dZ2 = (A2 - Y) / m. That is the gradient of the "
        "cross-entropy; the loss here is the mean squared error.",
        "For the squared error, dZ2 = 2 (A2 - Y) / m * A2 * (1 - A2).",
    ),
    "no_1_over_m": (
        "Every gradient is too large by the number of entries of Y: the loss is a mean, and the "
        "division by m seems to be missing.",
        "Divide by m, the number of entries of Y.",
    ),
    "m_is_features": (
        "These values equal what results when m is read from the wrong axis: the number of "
        "features instead of the number of examples.",
        "m is `Y.size`: examples times outputs.",
    ),
    "no_factor_2": (
        "Every gradient is half of the right one: the 2 from the square seems to be missing.",
        "d (a - y)^2 / da = 2 (a - y).",
    ),
    "sign": (
        "Every gradient has the opposite sign: it looks like Y - A2 where A2 - Y is meant. A step "
        "with it climbs.",
        "dL/dA2 = 2 (A2 - Y) / m.",
    ),
    "dw2_without_a1": (
        "`dW2` equals what results when the hidden activations are left out: it looks like dZ2 "
        "alone, summed.",
        "dW2 = A1.T @ dZ2.",
    ),
    "dw2_uses_z1": (
        "`dW2` equals what results from Z1 where A1 is meant: W2 multiplies the output of the "
        "hidden sigmoid.",
        "dW2 = A1.T @ dZ2.",
    ),
    "stale_w2": (
        "`dW1` and `db1` equal what results when W2 is updated before it is used on the way back.",
        "Compute all gradients first; update afterwards.",
    ),
    "bias_axis": (
        "`db1` and `db2` have one number per example; they need one per unit. It looks like a "
        "sum over axis 1.",
        "Sum dZ over the examples: axis 0.",
    ),
    "bias_mean": (
        "`db1` and `db2` equal the mean of dZ over the examples. The division by m is in dA2 "
        "already.",
        "Use `sum`, not `mean`.",
    ),
}


@chapter.exercise(
    points=4,
    returns="dW1, db1, dW2, db2",
    difficulty=3,
    minutes=20,
    hints=(
        "Forward first, and keep Z1, A1, Z2, A2. Then walk back through the same lines in "
        "reverse: dA2, dZ2, (dW2, db2), dA1, dZ1, (dW1, db1).",
        "Two rules are enough: through a sigmoid, multiply by a (1 - a); through a layer, use "
        "the three lines of `affine_backward`. The start is dA2 = 2 (A2 - Y) / Y.size.",
        "dZ2 = dA2 * A2 * (1 - A2); dW2 = A1.T @ dZ2; db2 = dZ2.sum(axis=0); dA1 = dZ2 @ W2.T; "
        "dZ1 = dA1 * A1 * (1 - A1); and so on. The whole answer stands in `solutions/02_backprop`.",
    ),
    afterthought="The net over-predicts the example with y = 0. Which way do its weights move?",
)
def two_layer_gradients(X, Y, W1, b1, W2, b2):
    """Gradients of a net with one hidden layer, sigmoid in both layers.

    The loss is the mean squared error, L = mean((A2 - Y)**2), over all entries of Y.

    Parameters
    ----------
    X : (m, d) array
        m examples, one a row.
    Y : (m, k) array
        Targets.
    W1 : (d, h) array
    b1 : (h,) array
    W2 : (h, k) array
    b2 : (k,) array

    Returns
    -------
    dW1, db1, dW2, db2 : arrays like W1, b1, W2, b2
    """
    # forward, keeping what the way back needs
    A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))  # (m, h)
    A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))  # (m, k)
    # backward, the same steps in reverse
    dA2 = 2 * (A2 - Y) / Y.size
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dA1 = dZ2 @ W2.T
    dZ1 = dA1 * A1 * (1 - A1)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


chapter.cases(two_layer_gradients)(two_layer_cases)

for _bug, (_message, _remedy) in TWO_LAYER_BUGS.items():

    def _with_bug(X, Y, W1, b1, W2, b2, bug=_bug):
        return _two_layer(X, Y, W1, b1, W2, b2, bug)

    chapter.mistake(two_layer_gradients, _bug, _message, _remedy)(_with_bug)


# --- debug: the same net, four bugs planted ---------------------------------------------------

DEBUG_STUB = '''def debug_two_layer_gradients(X, Y, W1, b1, W2, b2):
    """Gradients of a two-layer sigmoid net with the mean squared error. Four lines are wrong.

    Shapes and returns are those of `two_layer_gradients`.
    """
    m = X.shape[1] * Y.shape[1]  # entries of Y
    A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
    A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
    dA2 = 2 * (Y - A2) / m
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=1)
    dZ1 = (dZ2 @ W2.T) * (1 - A1)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=1)
    return dW1, db1, dW2, db2
'''


def _planted(names):
    """The buggy net with only the named bugs left in."""

    def gradients(X, Y, W1, b1, W2, b2):
        m = (X.shape[1] if "m" in names else len(X)) * Y.shape[1]
        A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
        A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
        dA2 = 2 * ((Y - A2) if "sign" in names else (A2 - Y)) / m
        dZ2 = dA2 * A2 * (1 - A2)
        dZ1 = (dZ2 @ W2.T) * (1 - A1) * (1 if "slope" in names else A1)
        axis = 1 if "axis" in names else 0
        return X.T @ dZ1, dZ1.sum(axis=axis), A1.T @ dZ2, dZ2.sum(axis=axis)

    return gradients


@chapter.exercise(
    points=4,
    returns="dW1, db1, dW2, db2",
    difficulty=3,
    minutes=20,
    title="Debug: four bugs in ten lines",
    stub=DEBUG_STUB,
    hints=(
        "Start with the shapes: which gradient does not have the shape of its parameter? Then "
        "compare `dW2` with finite differences: a constant factor is the same for every entry.",
        "A batch of 3 examples with 2 features tells `m` from the number of features. The sign "
        "of a constant factor of -1 comes from one line, the top one of the way back.",
        "m counts the entries of Y; dA2 starts with A2 - Y; both biases sum over axis 0; dZ1 "
        "needs A1 * (1 - A1). The whole answer stands in `solutions/02_backprop`.",
    ),
    afterthought="Which of the four would a look at the loss curve have found?",
)
def debug_two_layer_gradients(X, Y, W1, b1, W2, b2):
    """Gradients of a two-layer sigmoid net with the mean squared error. Four lines are wrong.

    Shapes and returns are those of `two_layer_gradients`.
    """
    m = X.shape[0] * Y.shape[1]  # entries of Y
    A1 = 1 / (1 + np.exp(-(X @ W1 + b1)))
    A2 = 1 / (1 + np.exp(-(A1 @ W2 + b2)))
    dA2 = 2 * (A2 - Y) / m
    dZ2 = dA2 * A2 * (1 - A2)
    dW2 = A1.T @ dZ2
    db2 = dZ2.sum(axis=0)
    dZ1 = (dZ2 @ W2.T) * A1 * (1 - A1)
    dW1 = X.T @ dZ1
    db1 = dZ1.sum(axis=0)
    return dW1, db1, dW2, db2


chapter.cases(debug_two_layer_gradients)(two_layer_cases)

PLANTED = {
    "all_four_left": (
        {"m", "sign", "axis", "slope"},
        "All four bugs are still in. `db1` and `db2` have one number per example: start there.",
    ),
    "m_from_wrong_axis": (
        {"m"},
        "One bug is left: every gradient is off by the same factor, features / examples. It "
        "looks as if m is read from the wrong axis.",
    ),
    "sign_left": (
        {"sign"},
        "One bug is left: every gradient has the opposite sign.",
    ),
    "bias_axis_left": (
        {"axis"},
        "One bug is left: `db1` and `db2` have one number per example, not per unit.",
    ),
    "hidden_slope_left": (
        {"slope"},
        "One bug is left, the quiet one: `dW2` and `db2` are right, `dW1` and `db1` are off by "
        "a factor that changes from unit to unit. Which factor lies between dA1 and dZ1?",
    ),
    "m_and_slope_left": (
        {"m", "slope"},
        "Two bugs are left: one factor is common to all gradients, one belongs to the hidden "
        "layer alone.",
    ),
    "m_sign_slope_left": (
        {"m", "sign", "slope"},
        "The shapes are right now; three bugs are left. Compare `dW2` with finite differences: "
        "what is the constant factor, and what is its sign?",
    ),
}
for _key, (_names, _message) in PLANTED.items():
    chapter.mistake(debug_two_layer_gradients, _key, _message)(_planted(_names))

# Every other way to mend some of the four, so that none is taken for "one bug is left".
CLUES = {
    "axis": "`db1` and `db2` have one number per example, not per unit: start there.",
    "m": "One of them is a constant factor that all gradients share: which axis is m read from?",
    "sign": "`dW2` has the opposite sign; after that one is mended, measure again.",
}
_named = [names for names, _ in PLANTED.values()]
for _count, _word in ((2, "Two"), (3, "Three")):
    for _left in combinations(("axis", "m", "sign", "slope"), _count):
        if set(_left) not in _named:
            chapter.mistake(
                debug_two_layer_gradients,
                "_".join(_left) + "_left",
                f"{_word} bugs are left. {CLUES[_left[0]]}",
            )(_planted(set(_left)))


# --- any expression: a tiny automatic differentiation --------------------------------------------


@chapter.exercise(
    points=4,
    returns="data, grads",
    difficulty=4,
    minutes=25,
    optional=True,
    hints=(
        "Each operation makes a new `Value`, remembers its parents, and knows how to pass its "
        "own `grad` on to them. Addition passes it unchanged; multiplication passes it times "
        "the OTHER factor.",
        "A value that is used twice receives two contributions: add them with `+=`. `backward` "
        "visits the nodes from the end to the start, each after all of its users.",
        "Sort topologically by a depth-first walk over the parents, set the last `grad` to 1, "
        "and call each node's `_backward` in reverse order. The whole answer stands in "
        "`solutions/02_backprop`.",
    ),
    afterthought="PyTorch does the same with arrays in place of numbers.",
)
class Value:
    """A number that remembers how it was computed, and can find its gradient.

    `a + b`, `a * b` and `a.sigmoid()` give new `Value` objects, for `Value` or plain numbers b.
    After `out.backward()`, every value v that `out` depends on holds d out / d v in `v.grad`.

    Attributes
    ----------
    data : float
    grad : float
        0 until `backward` is called.
    """

    def __init__(self, data, parents=()):
        self.data = float(data)
        self.grad = 0.0
        self._parents = parents
        self._backward = lambda: None

    def __add__(self, other):
        ### BEGIN SOLUTION
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = backward
        return out
        ### END SOLUTION

    def __mul__(self, other):
        ### BEGIN SOLUTION
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = backward
        return out
        ### END SOLUTION

    def sigmoid(self):
        ### BEGIN SOLUTION
        a = 1 / (1 + np.exp(-self.data))
        out = Value(a, (self,))

        def backward():
            self.grad += a * (1 - a) * out.grad

        out._backward = backward
        return out
        ### END SOLUTION

    def backward(self):
        """Fill in `grad` of every value that this one depends on."""
        ### BEGIN SOLUTION
        order, seen = [], set()

        def visit(node):
            if id(node) not in seen:
                seen.add(id(node))
                for parent in node._parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node._backward()
        ### END SOLUTION

    __radd__ = __add__
    __rmul__ = __mul__


def drive_neuron(Value, numbers):
    """One neuron: sigmoid(w1 x1 + w2 x2 + b)."""
    w1, x1, w2, x2, b = (Value(number) for number in numbers)
    out = (w1 * x1 + w2 * x2 + b).sigmoid()
    out.backward()
    return np.array(float(out.data)), np.array([float(v.grad) for v in (w1, x1, w2, x2, b)])


def drive_shared(Value, numbers):
    """A value used several times: a * a + a * b + 3 * a, and a diamond on top of it."""
    a, b = (Value(number) for number in numbers)
    c = a * a + a * b + a * 3
    out = c * c + 2 * c + b + 1.5
    out.backward()
    return np.array(float(out.data)), np.array([float(v.grad) for v in (a, b, c)])


def drive_chain(Value, numbers):
    """Two layers of one unit each, joined: gradients through two sigmoids."""
    x, v, w = (Value(number) for number in numbers)
    hidden = (x * v).sigmoid()
    out = (hidden * w + hidden * x).sigmoid() * 2
    out.backward()
    return np.array(float(out.data)), np.array([float(p.grad) for p in (x, v, w, hidden)])


def drive_two_ways(Value, numbers):
    """c reaches the end by a short way and by a long one."""
    a, b = (Value(number) for number in numbers)
    c = a * b
    out = (c.sigmoid() * a + b).sigmoid() + c
    out.backward()
    return np.array(float(out.data)), np.array([float(v.grad) for v in (a, b, c)])


def drive_sums(Value, numbers):
    """Both numbers get gradients from sums and from products, on either side of the sign."""
    a, b = (Value(number) for number in numbers)
    p, q = a + b, b + a
    out = ((p * q) * a) * b
    out.backward()
    return np.array(float(out.data)), np.array([float(v.grad) for v in (a, b, p, q)])


@chapter.cases(Value)
def value_cases(rng):
    yield Case((rng.normal(0, 1, 5),), drive=drive_neuron, label="sigmoid(w1*x1 + w2*x2 + b)")
    yield Case((rng.normal(0, 1, 2),), drive=drive_shared, label="a value that is used twice")
    yield Case((rng.normal(0, 1, 3),), drive=drive_chain, label="two sigmoids in a row")
    yield Case((rng.normal(0, 1, 2),), drive=drive_two_ways, label="a short way and a long one")
    yield Case((rng.normal(0, 1, 2),), drive=drive_sums, label="sums and products of two values")


def _value_class(add=None, mul=None, squash=None, walk=None):
    """A `Value` with some operations replaced; operations are told how gradients travel."""

    class Variant(Value):
        def __add__(self, other):
            other = other if isinstance(other, Value) else Variant(other)
            out = Variant(self.data + other.data, (self, other))
            out._backward = lambda: (add or _pass_sum)(self, other, out)
            return out

        def __mul__(self, other):
            other = other if isinstance(other, Value) else Variant(other)
            out = Variant(self.data * other.data, (self, other))
            out._backward = lambda: (mul or _pass_product)(self, other, out)
            return out

        def sigmoid(self):
            out = Variant(1 / (1 + np.exp(-self.data)), (self,))
            out._backward = lambda: (squash or _pass_sigmoid)(self, out)
            return out

        def backward(self):
            (walk or Value.backward)(self)

        __radd__, __rmul__ = __add__, __mul__

    return Variant


def _pass_sum(a, b, out):
    a.grad += out.grad
    b.grad += out.grad


def _pass_product(a, b, out):
    a.grad += b.data * out.grad
    b.grad += a.data * out.grad


def _pass_sigmoid(a, out):
    a.grad += out.data * (1 - out.data) * out.grad


def _assign_sum(a, b, out):
    a.grad = out.grad
    b.grad = out.grad


def _assign_product(a, b, out):
    a.grad = b.data * out.grad
    b.grad = a.data * out.grad


def _assign_sigmoid(a, out):
    a.grad = out.data * (1 - out.data) * out.grad


def _own_factor(a, b, out):
    a.grad += a.data * out.grad
    b.grad += b.data * out.grad


def _slope_of_input(a, out):
    a.grad += a.data * (1 - a.data) * out.grad


def _depth_first(node):
    """Walks down before all users of a node have spoken."""
    node.grad = 1.0

    def go(current):
        current._backward()
        for parent in current._parents:
            go(parent)

    go(node)


def _breadth_first(node):
    """Each node once, level by level: too early for one that a longer way leads to as well."""
    node.grad = 1.0
    queue, seen = [node], {id(node)}
    for current in queue:
        current._backward()
        for parent in current._parents:
            if id(parent) not in seen:
                seen.add(id(parent))
                queue.append(parent)


def _forgets_seed(node):
    Value.backward(node)
    for each in _below(node):
        each.grad = 0.0


def _below(node):
    found = [node]
    for parent in node._parents:
        found += _below(parent)
    return found


chapter.mistake(
    Value,
    "assigned_not_added",
    "These gradients equal what results when a second contribution overwrites the first: it "
    "looks like `grad =` where `grad +=` is meant.",
    "A value that is used twice gets two contributions; add them up.",
)(_value_class(_assign_sum, _assign_product, _assign_sigmoid))
chapter.mistake(
    Value,
    "own_factor",
    "The gradients of a product look exchanged: each factor got its own value instead of the "
    "other's.",
    "d(ab)/da = b.",
)(_value_class(mul=_own_factor))
chapter.mistake(
    Value,
    "slope_of_the_input",
    "The sigmoid's gradient equals x (1 - x) with its input; the rule needs its output.",
    "Use the output a: a (1 - a).",
)(_value_class(squash=_slope_of_input))
chapter.mistake(
    Value,
    "visited_too_early",
    "A node seems to pass its gradient on before all of its users have added theirs; some "
    "contributions are then counted twice.",
    "Visit the nodes in reverse topological order, each once.",
)(_value_class(walk=_depth_first))
chapter.mistake(
    Value,
    "level_by_level",
    "It is right until a value reaches the end by a short way and by a long one: it looks as if "
    "the nodes are visited level by level. Such a node passes its gradient on before the "
    "contribution of the long way has arrived.",
    "Visit the nodes in reverse topological order, each after all of its users.",
)(_value_class(walk=_breadth_first))
chapter.mistake(
    Value,
    "start_is_zero",
    "All gradients are zero: it looks as if the last value's own gradient is never set to 1.",
    "d out / d out = 1: start `backward` with `self.grad = 1.0`.",
)(_value_class(walk=_forgets_seed))


# --- the step that uses the gradients ------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="params",
    difficulty=1,
    minutes=6,
    hints=(
        "The gradient points uphill. Which way does the step go?",
        "For every name in `params`: the new value is the old one minus lr times its gradient.",
        "`return {name: params[name] - lr * grads[name] for name in params}`. The whole answer "
        "stands in `solutions/02_backprop`.",
    ),
    afterthought="Backpropagation computed `grads`; this line is the optimiser. Two jobs.",
)
def sgd_step(params, grads, lr):
    """One step of gradient descent for every parameter.

    Parameters
    ----------
    params : dict of str to array
    grads : dict of str to array
        The gradient of the loss for each parameter, under the same name.
    lr : float
        Learning rate.

    Returns
    -------
    params : dict of str to array
        The new values. The old arrays may be changed in place.
    """
    return {name: params[name] - lr * grads[name] for name in params}


def drive_step(sgd_step, params, grads, lr):
    """Accepts a new dict, and work in place; a function that does nothing gives None."""
    before = {name: value.copy() for name, value in params.items()}
    new = sgd_step(params, grads, lr)
    moved = any(not np.array_equal(params[name], before[name]) for name in before)
    return params if new is None and moved else new


@chapter.cases(sgd_step)
def sgd_cases(rng):
    for lr in (0.1, 0.5, 0.01):
        params = {"W1": rng.normal(0, 1, (2, 3)), "b1": rng.normal(0, 1, 3)}
        params["W2"] = rng.normal(0, 1, (3, 1))
        grads = {name: rng.normal(0, 1, value.shape) for name, value in params.items()}
        yield Case((params, grads, lr), drive=drive_step, label=f"lr = {lr}")


@chapter.mistake(
    sgd_step,
    "uphill",
    "The parameters moved along the gradient, which points uphill: the loss would rise.",
    "Subtract: new = old - lr * gradient.",
)
def sgd_step_uphill(params, grads, lr):
    return {name: params[name] + lr * grads[name] for name in params}


@chapter.mistake(
    sgd_step,
    "learning_rate_dropped",
    "The step is the whole gradient: it looks as if `lr` is not used.",
    "Multiply the gradient by `lr`.",
)
def sgd_step_learning_rate_dropped(params, grads, lr):
    return {name: params[name] - grads[name] for name in params}


@chapter.mistake(
    sgd_step,
    "biases_forgotten",
    "The weights moved, the bias did not: every parameter takes a step.",
    "Loop over all names of `params`.",
)
def sgd_step_biases_forgotten(params, grads, lr):
    return {
        name: value - (lr * grads[name] if name.startswith("W") else 0)
        for name, value in params.items()
    }


@chapter.mistake(
    sgd_step,
    "nothing_changed",
    "The parameters came back unchanged. A line such as `p = p - ...` gives a new array and "
    "leaves the dict alone.",
    "Store the new array in the dict that is returned.",
)
def sgd_step_nothing_changed(params, grads, lr):
    return params


@chapter.mistake(
    sgd_step,
    "step_returned",
    "The steps themselves came back, not the new parameters.",
    "Return old minus step.",
)
def sgd_step_step_returned(params, grads, lr):
    return {name: lr * grads[name] for name in params}


# --- quiz ----------------------------------------------------------------------------------------

chapter.quiz(
    "backprop_q1",
    "What does backpropagation compute?",
    choices={
        "a": "the gradient of the loss with respect to every parameter",
        "b": "the new weights after one step of training",
        "c": "the error of each neuron, measured against its own target",
        "d": "the learning rate that makes the loss fall fastest",
    },
    answer="a",
    wrong={
        "b": "The new weights come from the optimiser. It uses what backpropagation computed.",
        "c": "Hidden neurons have no target of their own. What flows back is the derivative of "
        "one number, the loss.",
        "d": "The learning rate is chosen by a person or a schedule; no gradient contains it.",
    },
    explanation="Backpropagation is the chain rule, applied from the loss backwards. It gives "
    "gradients and changes nothing. Gradient descent, momentum or Adam then decide on the step.",
)
chapter.quiz(
    "backprop_q2",
    "Forward propagation runs first. What must it keep for the way back?",
    choices={
        "a": "nothing: the way back computes everything from the loss",
        "b": "only the final output",
        "c": "the values that the local slopes depend on, such as each layer's input and output",
        "d": "the gradients of the previous batch",
    },
    answer="c",
    wrong={
        "a": "The slope of a sigmoid is a (1 - a): without a there is nothing to multiply with.",
        "b": "dW1 needs the first layer's input, and the hidden slope needs the hidden output.",
        "d": "Each batch has its own gradients; the old ones play no part in the chain rule.",
    },
    explanation="That store is the cache. It is also why training needs more memory than "
    "prediction: every layer's values wait for the way back.",
)
chapter.quiz(
    "backprop_q3",
    "A net has P = 1,000,000 parameters. Roughly what does its whole gradient cost by "
    "backpropagation, and what by central differences?",
    choices={
        "a": "2 forward passes against 2",
        "b": "about 3 forward passes against 2,000,000",
        "c": "1,000,000 forward passes against 2,000,000",
        "d": "about 3 forward passes against 1,000",
    },
    answer="b",
    wrong={
        "a": "Central differences nudge one parameter at a time, twice.",
        "c": "Backpropagation goes through the net once, for all parameters together.",
        "d": "Each parameter needs its own two nudged forward passes.",
    },
    explanation="One affine layer's way back costs about two forwards; the whole gradient costs "
    "at most about three. That is the method's great strength. Its price: memory for the cache, "
    "and every step must have a derivative.",
)
chapter.quiz(
    "backprop_q4",
    "How do backpropagation and gradient descent differ?",
    choices={
        "a": "they are two names for one algorithm",
        "b": "gradient descent computes the gradient; backpropagation updates the weights",
        "c": "backpropagation computes the gradient; gradient descent is one way to use it",
        "d": "backpropagation is gradient descent with an automatic learning rate",
    },
    answer="c",
    wrong={
        "a": "The same gradient can feed plain descent, momentum or Adam: two jobs, two parts.",
        "b": "It is the other way round.",
        "d": "Backpropagation knows no learning rate. Adaptive rates belong to the optimiser.",
    },
    explanation="One `backward`, many optimisers. The lesson runs three of them on the same "
    "gradient.",
)
chapter.quiz(
    "backprop_q5",
    "Who found it? Which sentence is right?",
    choices={
        "a": "Rumelhart, Hinton and Williams invented the idea in 1986; nothing like it was known",
        "b": "it was part of the perceptron of 1958",
        "c": "Werbos invented gradient descent in 1974",
        "d": "Linnainmaa described reverse-mode differentiation in 1970, Werbos proposed it for "
        "nets in 1974, and the 1986 paper showed what hidden layers learn with it",
    },
    answer="d",
    wrong={
        "a": "The 1986 Nature paper made it famous; the method is older.",
        "b": "The perceptron had one trained layer and no chain rule.",
        "c": "Gradient descent goes back to Cauchy, 1847. Werbos wrote about derivatives.",
    },
    explanation="Linnainmaa 1970; Werbos 1974; Rumelhart, Hinton and Williams, 'Learning "
    "representations by back-propagating errors', Nature 323, 1986.",
)
chapter.quiz(
    "backprop_q6",
    "Which of these are usually trained with gradients from backpropagation? An image "
    "classifier (1), a translator (2), an image generator (3), a decision tree (4).",
    choices={"a": "only 1", "b": "1 and 2", "c": "1, 2 and 3", "d": "all four"},
    answer="c",
    wrong={
        "a": "Sequences and generators are differentiable too.",
        "b": "A generator's images have a gradient with respect to its weights.",
        "d": "The splits of a decision tree are steps: no slope to follow.",
    },
    explanation="Wherever the way from parameters to loss has slopes: vision, language, speech, "
    "generation, control. A tree's splits have none, so trees are grown in another way.",
)
chapter.quiz(
    "backprop_q7",
    "L = (w x - 1)^2 with w = 3 and x = 2. What is dL/dw? Answer with a number.",
    answer=20,
    wrong={
        10: "The 2 from the square is missing: dL/d(wx) = 2 (w x - 1).",
        30: "That is dL/dx: the factor of w is x, and x is 2.",
        25: "That is L itself.",
        5: "That is w x - 1, the inner value.",
    },
    explanation="2 (w x - 1) x = 2 * 5 * 2 = 20. A nudge agrees: w = 3.001 gives L = 25.020.",
)
chapter.quiz(
    "backprop_q8",
    "A batch of 32 examples with 10 numbers each goes through a layer with 4 outputs. What is "
    "the shape of dw? Answer with a tuple.",
    answer=(10, 4),
    wrong={
        (4, 10): "That is the transpose: w is (D, M), and so is dw.",
        (32, 4): "That is the shape of dout.",
        (32, 10): "That is the shape of dx.",
    },
    explanation="A gradient has the shape of what it belongs to. The 32 examples are summed "
    "inside the product x.T @ dout.",
)
chapter.quiz(
    "backprop_q9",
    "A program trains a 2-3-1 net with sigmoid layers on targets 1 and 0. Which line of its "
    "printed result is impossible?",
    choices={
        "a": "outputs 0.522 and 0.502 after 1,000 steps",
        "b": "the loss fell by 0.7 % in 10 steps",
        "c": "W2 has shape (2, 2)",
        "d": "an output weight fell although one target is 1",
    },
    answer="c",
    wrong={
        "a": "A small learning rate leaves it undecided for long; that can happen.",
        "b": "With a small learning rate it can, as the worked example shows.",
        "d": "The other example can pull more strongly; in the worked example it does.",
    },
    explanation="W2 connects 3 hidden units with 1 output: it must be (3, 1). Shapes betray "
    "invented numbers before any arithmetic does.",
)
