"""Chapter 01, neurons and forward propagation: from one weighted sum to a whole net."""

from itertools import pairwise

import numpy as np

from grader.exercise import Case, Chapter

chapter = Chapter("01_neurons", "Neurons and forward propagation")


def _sigmoid(z):
    return 1 / (1 + np.exp(-z))


# --- one neuron ------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out",
    difficulty=1,
    minutes=8,
    hints=(
        "Two steps. First the weighted sum of each row, plus the bias: one number per example. "
        "Then the sigmoid of that number.",
        "`x @ w` multiplies each row of `x` with `w` and adds up: (N, D) times (D,) gives (N,). "
        "`b` is one number, added to all of them.",
        "`z = x @ w + b`, then `out = 1 / (1 + np.exp(-z))`. The whole answer stands in "
        "`solutions/01_neurons`.",
    ),
    afterthought="What does the neuron say to an example that is all zeros?",
)
def neuron_forward(x, w, b):
    """Output of one neuron: weighted sum, plus bias, then the sigmoid 1 / (1 + e^(-z)).

    Parameters
    ----------
    x : (N, D) array
        N examples, one a row.
    w : (D,) array
        One weight per input.
    b : float
        The bias.

    Returns
    -------
    out : (N,) array
        One number between 0 and 1 per example.
    """
    z = x @ w + b  # (N, D) -> (N,)
    return 1 / (1 + np.exp(-z))


@chapter.cases(neuron_forward)
def neuron_cases(rng):
    x = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]])
    w, b = np.array([2.0, -1.0]), 0.5
    yield Case((x, w, b), label="small enough to do by hand; the first example is all zeros")
    for n, d in [(5, 3), (4, 7), (3, 6)]:
        x, w = rng.standard_normal((n, d)), rng.standard_normal(d)
        b = float(rng.choice([-1, 1]) * rng.uniform(0.5, 1.5))
        yield Case((x, w, b), label=f"N = {n}, D = {d}")


@chapter.mistake(
    neuron_forward,
    "bias_missing",
    "These values equal the neuron's output without `b`. Without a bias every neuron answers "
    "0.5 to an example of zeros, whatever its weights.",
    "Add `b` to the weighted sum, before the sigmoid.",
)
def neuron_forward_bias_missing(x, w, b):
    return _sigmoid(x @ w)


@chapter.mistake(
    neuron_forward,
    "activation_skipped",
    "These values equal the weighted sum itself: the sigmoid is never applied. A sigmoid's "
    "output lies between 0 and 1.",
    "Return `1 / (1 + np.exp(-z))`, not `z`.",
)
def neuron_forward_activation_skipped(x, w, b):
    return x @ w + b


@chapter.mistake(
    neuron_forward,
    "bias_after_activation",
    "These values equal the sigmoid of the weighted sum, with `b` added afterwards. The bias "
    "belongs inside: it moves the neuron's line.",
    "Add `b` first, then take the sigmoid.",
)
def neuron_forward_bias_after_activation(x, w, b):
    return _sigmoid(x @ w) + b


@chapter.mistake(
    neuron_forward,
    "bias_subtracted",
    "These values equal what results from x w - b: the bias is subtracted, as if it were a "
    "threshold.",
    "The bias is added: z = x w + b. A threshold t is a bias of -t.",
)
def neuron_forward_bias_subtracted(x, w, b):
    return _sigmoid(x @ w - b)


@chapter.mistake(
    neuron_forward,
    "not_summed",
    "One number per input came back: it looks as if each input is multiplied by its weight and "
    "sent through the sigmoid alone. A neuron adds up first, and answers once per example.",
    "Sum over the inputs before the sigmoid: `x @ w`.",
)
def neuron_forward_not_summed(x, w, b):
    return _sigmoid(x * w + b)


@chapter.mistake(
    neuron_forward,
    "summed_over_examples",
    "The sum runs over the examples: one number per input came back, one per example is meant.",
    "Examples are rows: sum along each row, axis 1. `x @ w` does that.",
)
def neuron_forward_summed_over_examples(x, w, b):
    return _sigmoid((x * w).sum(axis=0) + b)


@chapter.mistake(
    neuron_forward,
    "mean_not_sum",
    "These values equal what results from the MEAN of weight times input; a neuron takes the sum.",
    "Use `sum`, or `x @ w`.",
)
def neuron_forward_mean_not_sum(x, w, b):
    return _sigmoid((x * w).mean(axis=1) + b)


@chapter.mistake(
    neuron_forward,
    "kept_as_column",
    "The numbers are right and stand in a column of shape (N, 1). Compared with targets of shape "
    "(N,), a column broadcasts to a table of N times N.",
    "Keep `w` as it is, with shape (D,); `x @ w` is then (N,).",
)
def neuron_forward_kept_as_column(x, w, b):
    return _sigmoid(x @ w.reshape(-1, 1) + b)


@chapter.mistake(
    neuron_forward,
    "sign_of_exponent",
    "These values fall where the neuron's should rise: it looks like `exp(z)` where `exp(-z)` is "
    "meant.",
    "The exponent is `-z`.",
)
def neuron_forward_sign_of_exponent(x, w, b):
    return _sigmoid(-(x @ w + b))


@chapter.mistake(
    neuron_forward,
    "step",
    "Only 0 and 1 came back: that is a step, the activation of 1943. This neuron answers softly, "
    "with the sigmoid.",
    "Use `1 / (1 + np.exp(-z))`.",
)
def neuron_forward_step(x, w, b):
    return (x @ w + b > 0) * 1.0


# --- a layer -----------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out, cache",
    difficulty=1,
    minutes=8,
    common_cache=True,
    hints=(
        "An example may have any shape. Flatten each to one row first: `(N, d1, ..., dk)` "
        "becomes `(N, D)`.",
        "`x.reshape(len(x), -1)` keeps the first axis and joins the others. One matrix product "
        "with `w` then gives `(N, M)`; `b` is added to every row.",
        "`out = x.reshape(len(x), -1) @ w + b`, and the cache is `(x, w, b)`. The whole answer "
        "stands in `solutions/01_neurons`.",
    ),
    afterthought="Why does the cache keep `x` in its first shape?",
)
def affine_forward(x, w, b):
    """Output of a fully connected layer, out = x w + b.

    Parameters
    ----------
    x : (N, d1, ..., dk) array
        A batch of N examples. Each is flattened to D = d1 * ... * dk numbers.
    w : (D, M) array
    b : (M,) array

    Returns
    -------
    out : (N, M) array
    cache : tuple
        Whatever `affine_backward` needs.
    """
    out = x.reshape(len(x), -1) @ w + b  # (N, d1, ..., dk) -> (N, D) -> (N, M)
    return out, (x, w, b)


@chapter.cases(affine_forward)
def affine_cases(rng):
    for *shape, outputs in [
        (3, 5, 4),
        (5, 7, 3),
        (4, 2, 3, 5),
        (7, 2, 2, 2, 3),
        (6, 1, 4),
    ]:
        features = int(np.prod(shape[1:]))
        x = rng.standard_normal(shape)
        w = rng.standard_normal((features, outputs))
        b = rng.standard_normal(outputs)
        yield Case((x, w, b), label=f"N = {shape[0]}, D = {features}, M = {outputs}")


@chapter.mistake(
    affine_forward,
    "bias_missing",
    "`out` equals the matrix product alone: it looks as if `b` is never added.",
    "Add `b`; broadcasting adds it to every row.",
)
def affine_forward_bias_missing(x, w, b):
    return x.reshape(len(x), -1) @ w, (x, w, b)


@chapter.mistake(
    affine_forward,
    "not_flattened",
    "The matrix product does not fit: it looks as if `x` is used in its first shape.",
    "Flatten each example to one row of D numbers before the product.",
)
def affine_forward_not_flattened(x, w, b):
    return x @ w + b, (x, w, b)


@chapter.mistake(
    affine_forward,
    "bias_per_row",
    "The bias does not fit: it looks as if it is turned into a column, one number per example. "
    "`b` holds one number per output, shared by all examples.",
    "Add `b` as it is, with shape `(M,)`.",
)
def affine_forward_bias_per_row(x, w, b):
    return x.reshape(len(x), -1) @ w + b[:, None], (x, w, b)


@chapter.mistake(
    affine_forward,
    "batch_mixed",
    "Rows of `out` hold numbers from several examples: it looks as if the flattening starts from "
    "the last axis instead of keeping the first.",
    "`x.reshape(len(x), -1)` keeps the examples apart.",
)
def affine_forward_batch_mixed(x, w, b):
    return x.reshape(-1, len(x)).T @ w + b, (x, w, b)


# --- two layers ----------------------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="out",
    difficulty=2,
    minutes=12,
    hints=(
        "Three steps: the first layer, the sigmoid of every entry, the second layer. Write the "
        "shape behind each line.",
        "A layer is `rows @ weights + biases`. The second layer's rows are the hidden values, "
        "AFTER the sigmoid. Nothing follows the second layer.",
        "`hidden = 1 / (1 + np.exp(-(x @ W1 + b1)))`, then `out = hidden @ W2 + b2`. The whole "
        "answer stands in `solutions/01_neurons`.",
    ),
    afterthought="How many of these lines would change for a net with 1,000 hidden units?",
)
def two_layer_forward(x, W1, b1, W2, b2):
    """Output of a net with one hidden layer: layer, sigmoid, layer.

    The hidden layer has the sigmoid as its activation. The output layer has none: its numbers
    are scores, of any sign and size.

    Parameters
    ----------
    x : (N, D) array
        N examples, one a row.
    W1 : (D, H) array
        One column per hidden unit.
    b1 : (H,) array
    W2 : (H, M) array
        One column per output.
    b2 : (M,) array

    Returns
    -------
    out : (N, M) array
    """
    hidden = 1 / (1 + np.exp(-(x @ W1 + b1)))  # (N, D) -> (N, H)
    return hidden @ W2 + b2  # (N, H) -> (N, M)


def _net(rng, n, d, hidden, outputs):
    """A batch and the parameters of a net with one hidden layer, all random."""
    return (
        rng.standard_normal((n, d)),
        rng.standard_normal((d, hidden)),
        rng.standard_normal(hidden),
        rng.standard_normal((hidden, outputs)),
        rng.standard_normal(outputs),
    )


@chapter.cases(two_layer_forward)
def two_layer_forward_cases(rng):
    for n, d, hidden, outputs in [(3, 2, 4, 5), (5, 4, 3, 2), (4, 2, 5, 1), (6, 7, 2, 3)]:
        label = f"N = {n} examples, a {d}-{hidden}-{outputs} net"
        yield Case(_net(rng, n, d, hidden, outputs), label=label)


@chapter.mistake(
    two_layer_forward,
    "activation_skipped",
    "These values equal those of two layers without a bend between them. Such a net is one "
    "straight layer in disguise.",
    "Apply the sigmoid to the hidden layer.",
)
def two_layer_forward_activation_skipped(x, W1, b1, W2, b2):
    return (x @ W1 + b1) @ W2 + b2


@chapter.mistake(
    two_layer_forward,
    "activation_on_the_last_layer",
    "These values equal the right scores sent through one more sigmoid. The output layer has no "
    "activation here: scores may be negative, or 7.",
    "Return `hidden @ W2 + b2` as it is.",
)
def two_layer_forward_activation_on_the_last_layer(x, W1, b1, W2, b2):
    return _sigmoid(_sigmoid(x @ W1 + b1) @ W2 + b2)


@chapter.mistake(
    two_layer_forward,
    "activation_in_the_wrong_place",
    "These values equal what results when the sigmoid follows the SECOND layer and the first has "
    "none.",
    "The sigmoid stands between the two layers.",
)
def two_layer_forward_activation_in_the_wrong_place(x, W1, b1, W2, b2):
    return _sigmoid((x @ W1 + b1) @ W2 + b2)


@chapter.mistake(
    two_layer_forward,
    "first_bias_missing",
    "These values equal what results without `b1`: all hidden lines go through the origin.",
    "Add `b1` before the sigmoid.",
)
def two_layer_forward_first_bias_missing(x, W1, b1, W2, b2):
    return _sigmoid(x @ W1) @ W2 + b2


@chapter.mistake(
    two_layer_forward,
    "second_bias_missing",
    "These values equal what results without `b2`: every output is off by its own constant.",
    "Add `b2` after the second product.",
)
def two_layer_forward_second_bias_missing(x, W1, b1, W2, b2):
    return _sigmoid(x @ W1 + b1) @ W2


@chapter.mistake(
    two_layer_forward,
    "both_biases_missing",
    "These values equal what results from the two matrix products alone: neither `b1` nor `b2` "
    "is added.",
    "Each layer is a product plus a bias.",
)
def two_layer_forward_both_biases_missing(x, W1, b1, W2, b2):
    return _sigmoid(x @ W1) @ W2


@chapter.mistake(
    two_layer_forward,
    "bias_after_activation",
    "These values equal what results when `b1` is added after the sigmoid. The bias belongs to "
    "the weighted sum.",
    "The hidden layer is sigmoid(x W1 + b1).",
)
def two_layer_forward_bias_after_activation(x, W1, b1, W2, b2):
    return (_sigmoid(x @ W1) + b1) @ W2 + b2


@chapter.mistake(
    two_layer_forward,
    "bias_as_column",
    "The sum does not fit: it looks as if `b1` is turned into a column, one number per EXAMPLE. "
    "It would run, with wrong values, whenever N equals H.",
    "Add `b1` as it is, with shape (H,): broadcasting gives it to every row.",
)
def two_layer_forward_bias_as_column(x, W1, b1, W2, b2):
    return _sigmoid(x @ W1 + b1[:, None]) @ W2 + b2


@chapter.mistake(
    two_layer_forward,
    "weights_transposed",
    "The product does not fit: it looks as if `W1` is transposed. `W1` has one row per input and "
    "one column per unit; a transpose runs only where both counts are equal.",
    "Use `x @ W1`, without `.T`.",
)
def two_layer_forward_weights_transposed(x, W1, b1, W2, b2):
    return _sigmoid(x @ W1.T + b1) @ W2 + b2


@chapter.mistake(
    two_layer_forward,
    "columns_are_examples",
    "The product does not fit: it looks like W1 times x, the order for examples that stand in "
    "columns. In this course examples are rows.",
    "Rows are examples: `x @ W1`.",
)
def two_layer_forward_columns_are_examples(x, W1, b1, W2, b2):
    return _sigmoid(W1 @ x + b1) @ W2 + b2


# --- counting ------------------------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="count",
    difficulty=1,
    minutes=8,
    hints=(
        "The input layer computes nothing, so it has no parameters. Every later layer has a "
        "table of weights and a list of biases.",
        "A layer with d inputs and m units has d * m weights and m biases. `sizes[:-1]` are the "
        "d, `sizes[1:]` the m.",
        "`sum(d * m + m for d, m in zip(sizes[:-1], sizes[1:]))`. The whole answer stands in "
        "`solutions/01_neurons`.",
    ),
    afterthought="In a 784-100-10 net, what share of all parameters is biases?",
)
def count_parameters(sizes):
    """How many weights and biases a fully connected net has.

    Parameters
    ----------
    sizes : list of int
        Units of each layer, inputs first: [64, 128, 10] is a net with 64 inputs, 128 hidden
        units and 10 outputs. The inputs are no neurons.

    Returns
    -------
    count : int
        All weights and all biases together.
    """
    count = 0
    for i in range(len(sizes) - 1):
        d, m = sizes[i], sizes[i + 1]
        count += d * m + m  # a weight per connection, a bias per unit
    return count


@chapter.cases(count_parameters)
def count_cases(rng):
    yield Case(([2, 3, 5],), label="a 2-3-5 net: small enough to count on paper")
    yield Case(([7, 4],), label="one layer, nothing hidden")
    for depth in (3, 4, 6):
        sizes = [int(n) for n in rng.permutation(np.arange(2, 40))[:depth]]
        yield Case((sizes,), label=f"sizes {'-'.join(map(str, sizes))}")


@chapter.mistake(
    count_parameters,
    "biases_forgotten",
    "This is the number of weights alone: the biases are parameters too, one per unit.",
    "Add one bias for every unit that is not an input.",
)
def count_parameters_biases_forgotten(sizes):
    return sum(d * m for d, m in pairwise(sizes))


@chapter.mistake(
    count_parameters,
    "inputs_given_biases",
    "This count has a bias for every input as well. The inputs are given numbers, not neurons: "
    "nothing is computed there.",
    "Count biases for the layers after the first only.",
)
def count_parameters_inputs_given_biases(sizes):
    return count_parameters(sizes) + sizes[0]


@chapter.mistake(
    count_parameters,
    "bias_per_input",
    "This count has one bias per input of each layer; a layer has one bias per unit, that is per "
    "output.",
    "A layer from d to m has d * m weights and m biases.",
)
def count_parameters_bias_per_input(sizes):
    return sum(d * m + d for d, m in pairwise(sizes))


@chapter.mistake(
    count_parameters,
    "one_bias_per_layer",
    "This count has a single bias for each layer. Every unit has a bias of its own.",
    "A layer with m units has m biases.",
)
def count_parameters_one_bias_per_layer(sizes):
    return sum(d * m + 1 for d, m in pairwise(sizes))


@chapter.mistake(
    count_parameters,
    "output_biases_forgotten",
    "This count has no biases for the output layer. Output units have a bias like all others.",
    "Every layer after the inputs has biases, the last one too.",
)
def count_parameters_output_biases_forgotten(sizes):
    return count_parameters(sizes) - sizes[-1]


@chapter.mistake(
    count_parameters,
    "last_layer_forgotten",
    "The last layer is missing from this count: n sizes make n - 1 layers of weights, and the "
    "loop stops one too early.",
    "Pair every size with the next one, up to the end.",
)
def count_parameters_last_layer_forgotten(sizes):
    return count_parameters(sizes[:-1])


@chapter.mistake(
    count_parameters,
    "units_counted",
    "This is the number of units. Parameters sit on the connections: every input of a unit has a "
    "weight.",
    "Between d and m units there are d * m weights.",
)
def count_parameters_units_counted(sizes):
    return sum(sizes)


# --- linear layers in a row --------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="w, b",
    difficulty=3,
    minutes=14,
    hints=(
        "Two layers on paper: (x w1 + b1) w2 + b2. Multiply out. What stands with x? What is left?",
        "With x stands w1 w2; left over is b1 w2 + b2. So each further layer multiplies both the "
        "weights AND the bias collected so far, then adds its own bias.",
        "Start with the first layer's `w, b`; for each later layer `w, b = w @ wi, b @ wi + bi`. "
        "The whole answer stands in `solutions/01_neurons`.",
    ),
    afterthought="A net of 10-1000-10 without activation: how many parameters does its one layer "
    "have?",
)
def collapse_linear_stack(weights, biases):
    """The one layer that does what a stack of layers without activation does.

    For every x, ``((x @ weights[0] + biases[0]) @ weights[1] + biases[1]) ...`` equals
    ``x @ w + b``.

    Parameters
    ----------
    weights : list of arrays
        The first has shape (D, M1), the second (M1, M2), and so on.
    biases : list of arrays
        Shapes (M1,), (M2,), and so on; as many as weights.

    Returns
    -------
    w : (D, M) array
        M is the number of outputs of the last layer.
    b : (M,) array
    """
    w, b = weights[0], biases[0]
    for wi, bi in zip(weights[1:], biases[1:]):
        w, b = w @ wi, b @ wi + bi  # the next layer acts on the bias as well
    return w, b


def _stack(rng, sizes):
    """Weights and biases of layers without activation."""
    pairs = list(pairwise(sizes))
    weights = [rng.standard_normal(pair) for pair in pairs]
    biases = [rng.standard_normal(m) for _, m in pairs]
    return weights, biases


@chapter.cases(collapse_linear_stack)
def collapse_cases(rng):
    for sizes in [(2, 4, 3), (5, 3, 6, 2), (3, 4), (4, 2, 5, 3, 6)]:
        yield Case(_stack(rng, sizes), label=f"layers {'-'.join(map(str, sizes))}")


@chapter.mistake(
    collapse_linear_stack,
    "wrong_order",
    "The product does not fit: it looks as if the last layer is multiplied first. With examples "
    "in rows, the first layer stands leftmost: w1 w2 w3.",
    "Multiply from left to right, in the order of the layers.",
)
def collapse_linear_stack_wrong_order(weights, biases):
    w, b = weights[0], biases[0]
    for wi, bi in zip(weights[1:], biases[1:], strict=True):
        w, b = wi @ w, wi @ b + bi
    return w, b


@chapter.mistake(
    collapse_linear_stack,
    "biases_forgotten",
    "`w` is right and `b` is all zeros: the biases of the stack do not vanish, they add up to "
    "one bias.",
    "Collect the biases: each layer multiplies what is there by its weights and adds its own.",
)
def collapse_linear_stack_biases_forgotten(weights, biases):
    w, b = collapse_linear_stack(weights, biases)
    return w, 0 * b


@chapter.mistake(
    collapse_linear_stack,
    "last_bias_only",
    "`w` is right and `b` equals the last layer's bias alone. The earlier biases travel through "
    "the later layers and arrive changed, not lost.",
    "b = b @ wi + bi, for each later layer.",
)
def collapse_linear_stack_last_bias_only(weights, biases):
    w, _ = collapse_linear_stack(weights, biases)
    return w, biases[-1]


@chapter.mistake(
    collapse_linear_stack,
    "last_bias_forgotten",
    "`w` is right and `b` lacks the last layer's own bias.",
    "After the last product, add the last bias.",
)
def collapse_linear_stack_last_bias_forgotten(weights, biases):
    w, b = collapse_linear_stack(weights, biases)
    return w, b - biases[-1] if len(biases) > 1 else b


@chapter.mistake(
    collapse_linear_stack,
    "biases_added_up",
    "The biases do not fit: it looks as if they are added up as they are. A bias of the first "
    "layer goes through all later layers before it arrives.",
    "Multiply the collected bias by each later layer's weights: b = b @ wi + bi.",
)
def collapse_linear_stack_biases_added_up(weights, biases):
    w, b = weights[0], biases[0]
    for wi, bi in zip(weights[1:], biases[1:], strict=True):
        w, b = w @ wi, b + bi
    return w, b


@chapter.mistake(
    collapse_linear_stack,
    "bias_through_its_own_layer",
    "The product does not fit: it looks as if a bias is sent through the weights of its OWN "
    "layer. It is added after them.",
    "Layer i multiplies the biases of the layers before it, then adds its own.",
)
def collapse_linear_stack_bias_through_its_own_layer(weights, biases):
    w, b = weights[0], biases[0]
    for wi, bi in zip(weights[1:], biases[1:], strict=True):
        w, b = w @ wi, b @ wi + bi @ wi
    return w, b


@chapter.mistake(
    collapse_linear_stack,
    "w_transposed",
    "`w` is transposed: it has one row per output, and weights have one row per input.",
    "`w` has shape (D, M).",
)
def collapse_linear_stack_w_transposed(weights, biases):
    w, b = collapse_linear_stack(weights, biases)
    return w.T, b


# --- debug ---------------------------------------------------------------------------------------

DEBUG_STUB = '''def debug_two_layer_forward(x, W1, b1, W2, b2):
    """Hidden values and scores of a net with one hidden layer. Four lines are wrong.

    Arguments are those of `two_layer_forward`. Returns hidden (N, H) and out (N, M).
    """
    z1 = x @ W1 + b1[:, None]  # weighted sums of the hidden units
    hidden = 1 / 1 + np.exp(-z1)  # the sigmoid
    z2 = hidden @ W2.T  # weighted sums of the output units
    out = z2 + b2[0]  # and their biases
    return hidden, out
'''


@chapter.exercise(
    points=4,
    returns="hidden, out",
    difficulty=2,
    minutes=15,
    title="Debug: it ran once, when every size was 3",
    stub=DEBUG_STUB,
    hints=(
        "The first two bugs stop the program. Read the shapes in the message: which array should "
        "have which? One bias belongs to a unit, not to an example.",
        "The last two run. Look at values: a sigmoid lies between 0 and 1. And for x = 0 with "
        "all weights 0, the scores must be exactly `b2`.",
        "`+ b1`; brackets around `(1 + np.exp(-z1))`; `hidden @ W2`; `+ b2`. The whole answer "
        "stands in `solutions/01_neurons`.",
    ),
    afterthought="Which of the four would a test with N = D = H = M = 3 have found?",
)
def debug_two_layer_forward(x, W1, b1, W2, b2):
    """Hidden values and scores of a net with one hidden layer. Four lines are wrong.

    Arguments are those of `two_layer_forward`. Returns hidden (N, H) and out (N, M).
    """
    z1 = x @ W1 + b1  # weighted sums of the hidden units
    hidden = 1 / (1 + np.exp(-z1))  # the sigmoid
    z2 = hidden @ W2  # weighted sums of the output units
    out = z2 + b2  # and their biases
    return hidden, out


@chapter.cases(debug_two_layer_forward)
def debug_cases(rng):
    for n, d, hidden, outputs in [(5, 3, 4, 2), (4, 2, 5, 3), (3, 6, 7, 4)]:
        label = f"N = {n} examples, a {d}-{hidden}-{outputs} net"
        yield Case(_net(rng, n, d, hidden, outputs), label=label)


def _planted(bugs):
    """The net with only the named bugs left in."""

    def forward(x, W1, b1, W2, b2):
        z1 = x @ W1 + (b1[:, None] if "column" in bugs else b1)
        hidden = 1 / 1 + np.exp(-z1) if "brackets" in bugs else 1 / (1 + np.exp(-z1))
        z2 = hidden @ (W2.T if "transposed" in bugs else W2)
        return hidden, z2 + (b2[0] if "one bias" in bugs else b2)

    return forward


PLANTED = {
    "bias_as_column": (
        {"column", "brackets", "transposed", "one bias"},
        "It stops at the first sum. `b1[:, None]` is a column, one number per row of the batch; "
        "a bias belongs to a unit, that is to a column of z1.",
    ),
    "second_weights_transposed": (
        {"brackets", "transposed", "one bias"},
        "The first sum fits now. It stops at the second product: `W2` has one row per hidden "
        "unit already, so it needs no transpose.",
    ),
    "brackets_and_one_bias_left": (
        {"brackets", "one bias"},
        "It runs, and the shapes are right. Two bugs are left, and both are silent. Look at the "
        "range of `hidden`: can a sigmoid give that?",
    ),
    "brackets_left": (
        {"brackets"},
        "One bug is left: some values of `hidden` are above 1. They equal 1 / 1 + exp(-z), where "
        "the division comes before the sum.",
    ),
    "one_bias_left": (
        {"one bias"},
        "One bug is left: `hidden` and the first column of `out` are right, the other columns are "
        "off by a constant. All outputs seem to share one bias.",
    ),
}
for _key, (_bugs, _message) in PLANTED.items():
    chapter.mistake(debug_two_layer_forward, _key, _message)(_planted(_bugs))


# --- more: any number of layers ----------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="out",
    difficulty=2,
    minutes=12,
    optional=True,
    hints=(
        "A loop over the layers, with one variable that holds the values of the layer before.",
        "All layers but the last: sigmoid of `a @ w + b`. The last one: `a @ w + b`.",
        "`a = x`; for all pairs but the last `a = 1 / (1 + np.exp(-(a @ w + b)))`; then "
        "`a @ weights[-1] + biases[-1]`. The whole answer stands in `solutions/01_neurons`.",
    ),
    afterthought="Information only moves forward here. Where would a loop in the net have to go?",
)
def mlp_forward(x, weights, biases):
    """Output of a feed-forward net of any depth: sigmoid after every layer except the last.

    Parameters
    ----------
    x : (N, D) array
    weights : list of arrays
        The first has shape (D, M1), the second (M1, M2), and so on. One is enough.
    biases : list of arrays
        Shapes (M1,), (M2,), and so on.

    Returns
    -------
    out : (N, M) array
        Scores: M is the number of outputs of the last layer.
    """
    a = x  # what the layer before gave
    for w, b in zip(weights[:-1], biases[:-1]):
        a = 1 / (1 + np.exp(-(a @ w + b)))
    return a @ weights[-1] + biases[-1]


@chapter.cases(mlp_forward)
def mlp_cases(rng):
    for n, *sizes in [(3, 2, 5, 4), (5, 4, 3, 6, 2), (4, 3, 2), (6, 5, 2, 3, 4, 7)]:
        x = rng.standard_normal((n, sizes[0]))
        label = f"N = {n}, a {'-'.join(map(str, sizes))} net"
        yield Case((x, *_stack(rng, sizes)), label=label)


@chapter.mistake(
    mlp_forward,
    "activation_on_the_last_layer",
    "These values equal the right scores sent through one more sigmoid. The last layer has none.",
    "Treat the last layer apart.",
)
def mlp_forward_activation_on_the_last_layer(x, weights, biases):
    return _sigmoid(mlp_forward(x, weights, biases))


@chapter.mistake(
    mlp_forward,
    "activation_skipped",
    "These values equal those of a stack of layers without activation.",
    "Every layer but the last ends with the sigmoid.",
)
def mlp_forward_activation_skipped(x, weights, biases):
    for w, b in zip(weights, biases, strict=True):
        x = x @ w + b
    return x


@chapter.mistake(
    mlp_forward,
    "biases_forgotten",
    "These values equal what results without any bias.",
    "Each layer is a product plus its bias.",
)
def mlp_forward_biases_forgotten(x, weights, biases):
    return mlp_forward(x, weights, [0 * b for b in biases])


@chapter.mistake(
    mlp_forward,
    "always_the_input",
    "The product does not fit: it looks as if every layer is fed the input `x`. A layer is fed "
    "what the layer before it gave.",
    "Keep the values of the last layer in a variable and use it.",
)
def mlp_forward_always_the_input(x, weights, biases):
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        _sigmoid(x @ w + b)
    return x @ weights[-1] + biases[-1]


# --- more: without loops -----------------------------------------------------------------------


@chapter.exercise(
    points=2,
    returns="classes",
    difficulty=2,
    minutes=10,
    optional=True,
    title="Without loops: `predict_classes`",
    hints=(
        "The two inner loops together are one matrix product.",
        "`x @ w + b` holds all scores, (N, C). The place of the largest entry of each row is one "
        "NumPy call; it needs an axis.",
        "`(x @ w + b).argmax(axis=1)`. The whole answer stands in `solutions/01_neurons`.",
    ),
    afterthought="Where do the loops run now?",
)
def predict_classes(x, w, b):
    """For each example the unit with the largest score: a layer used as a classifier.

    Does what the three loops above do, without a Python loop.

    Parameters
    ----------
    x : (N, D) array
    w : (D, C) array
    b : (C,) array

    Returns
    -------
    classes : (N,) array of int
        Numbers from 0 to C - 1.
    """
    return (x @ w + b).argmax(axis=1)


def _scores(rng, n, d, classes):
    """A batch and a layer whose bias decides for at least one example."""
    while True:
        x, w = rng.standard_normal((n, d)), rng.standard_normal((d, classes))
        b = 2 * rng.standard_normal(classes)
        if ((x @ w + b).argmax(axis=1) != (x @ w).argmax(axis=1)).any():
            return x, w, b


@chapter.cases(predict_classes)
def predict_cases(rng):
    for n, d, classes in [(5, 3, 4), (8, 2, 3), (7, 6, 5)]:
        yield Case(_scores(rng, n, d, classes), label=f"N = {n}, D = {d}, C = {classes}")


@chapter.mistake(
    predict_classes,
    "bias_forgotten",
    "These classes equal those without `b`. A bias can tip the balance.",
    "Add `b` to the scores before looking for the largest.",
)
def predict_classes_bias_forgotten(x, w, b):
    return (x @ w).argmax(axis=1)


@chapter.mistake(
    predict_classes,
    "axis_of_examples",
    "One number per class came back: the largest is looked for along the examples, axis 0.",
    "Look along each row: axis 1.",
)
def predict_classes_axis_of_examples(x, w, b):
    return (x @ w + b).argmax(axis=0)


@chapter.mistake(
    predict_classes,
    "largest_score_itself",
    "The largest scores themselves came back; their places are wanted.",
    "`argmax` gives the place, `max` the value.",
)
def predict_classes_largest_score_itself(x, w, b):
    return (x @ w + b).max(axis=1)


# --- more: weights by hand ---------------------------------------------------------------------


@chapter.exercise(
    points=3,
    returns="inside",
    difficulty=4,
    minutes=20,
    optional=True,
    title="Fence a triangle by hand: `fence_triangle`",
    hints=(
        "Three hidden units, one per edge. Unit i says yes on the side of its edge where the "
        "third corner lies. The output says yes if all three do.",
        "The edge from p to q has direction d = q - p, and a vector across it is n = (-d[1], "
        "d[0]). The line is n x - n p = 0. If the third corner gives a negative value, flip n. "
        "Make n long (50 times a unit vector) so that the sigmoid is steep.",
        "Column i of W1 is 50 n / |n|, b1[i] = -W1[:, i] @ p; W2 is a column of ones and b2 is "
        "-2.5, so that the sum must exceed 2.5. The whole answer stands in `solutions/01_neurons`.",
    ),
    afterthought="How many hidden units does a fence with seven corners need? And one shaped like "
    "the letter L?",
)
def fence_triangle(corners):
    """Weights of a net that says yes inside a triangle, and no outside.

    The net is `two_layer_forward`; "yes" is an output above 0. Points within 0.05 of one of the
    three lines are not looked at.

    Parameters
    ----------
    corners : (3, 2) array
        The corners, in any order. All coordinates lie between -2 and 2.

    Returns
    -------
    W1 : (2, H) array
        Three hidden units are enough.
    b1 : (H,) array
    W2 : (H, 1) array
    b2 : (1,) array
    """
    W1, b1 = np.zeros((2, 3)), np.zeros(3)
    for i in range(3):
        p, q, third = corners[i], corners[(i + 1) % 3], corners[(i + 2) % 3]
        across = np.array([p[1] - q[1], q[0] - p[0]])
        across *= 50 / np.linalg.norm(across)  # long weights make a steep sigmoid
        if across @ (third - p) < 0:
            across = -across  # yes on the side of the third corner
        W1[:, i], b1[i] = across, -across @ p
    return W1, b1, np.ones((3, 1)), np.array([-2.5])  # all three must say yes


def drive_fence(fence_triangle, corners, points):
    """Which points the net with these weights says yes to."""
    W1, b1, W2, b2 = fence_triangle(corners)
    hidden = 1 / (1 + np.exp(-(points @ np.asarray(W1) + b1)))
    return (hidden @ np.asarray(W2) + b2)[:, 0] > 0


def _triangle(rng, turn):
    """Corners of a roomy triangle with the given sense of rotation."""
    start = rng.uniform(0, 2 * np.pi)
    angles = start + turn * (np.array([0, 1, 2]) * 2 * np.pi / 3 + rng.uniform(-0.35, 0.35, 3))
    return rng.uniform(0.8, 1.3, (3, 1)) * np.column_stack([np.cos(angles), np.sin(angles)])


@chapter.cases(fence_triangle)
def fence_cases(rng):
    for turn in (1, -1, 1, -1):
        corners = _triangle(rng, turn)
        points = rng.uniform(-1.6, 1.6, (400, 2))
        far = np.ones(len(points), bool)
        for p, q in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            normal = np.array([p[1] - q[1], q[0] - p[0]]) / np.linalg.norm(q - p)
            far &= np.abs((points - p) @ normal) > 0.05
        sense = "anticlockwise" if turn > 0 else "clockwise"
        yield Case((corners, points[far]), drive=drive_fence, label=f"corners {sense}")


def _fence(corners, steep=50.0, votes=2.5, turn=False):
    """A fence with a chosen steepness and number of votes; `turn` trusts the order of corners."""
    W1, b1, W2, b2 = fence_triangle(corners)
    W1, b1 = W1 * steep / 50, b1 * steep / 50
    if turn:
        (ax, ay), (bx, by), (cx, cy) = corners
        sense = np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))
        W1, b1 = sense * W1, sense * b1
    return W1, b1, W2, np.array([-votes])


chapter.mistake(
    fence_triangle,
    "one_yes_is_enough",
    "The net says yes everywhere: it looks as if one hidden yes is enough. Every point lies on "
    "the inner side of some edge.",
    "All three must say yes: with output weights of 1, an output bias of -2.5.",
)(lambda corners: _fence(corners, votes=0.5))
chapter.mistake(
    fence_triangle,
    "two_are_enough",
    "The net says yes beyond the edges too: these answers equal those of a net that asks for two "
    "hidden yes of three.",
    "All three must say yes: with output weights of 1, an output bias of -2.5.",
)(lambda corners: _fence(corners, votes=1.5))
chapter.mistake(
    fence_triangle,
    "says_no_everywhere",
    "The net says no everywhere. Either the lines face outwards, or the weights are so small "
    "that no hidden unit ever comes close to 1.",
    "Print the hidden values for the middle of the triangle: all three should be near 1.",
)(lambda corners: _fence(corners, steep=0.5))
chapter.mistake(
    fence_triangle,
    "order_of_corners",
    "It works for corners that run anticlockwise and says no everywhere for the others: it looks "
    "as if the side of each line is taken from the order of the corners.",
    "Ask the third corner on which side it lies, and flip the line if needed.",
)(lambda corners: _fence(corners, turn=True))


# --- quiz --------------------------------------------------------------------------------------

chapter.quiz(
    "neurons_q1",
    "Forward propagation through a layer: how is its output computed?",
    choices={
        "a": "each input is multiplied by its own weight and sent through the activation",
        "b": "for each unit, all inputs are weighted and added up, the bias is added, and the "
        "activation is applied",
        "c": "the output is compared with the target, and the difference is passed on",
        "d": "the weights are changed a little, layer by layer, from the first to the last",
    },
    answer="b",
    wrong={
        "a": "The sum is missing, and the bias. A unit gives one number, however many inputs it "
        "has.",
        "c": "No target is needed to compute an output. Comparing comes later, in the loss.",
        "d": "Forward propagation changes nothing. It computes.",
    },
    explanation="out = f(x w + b), layer after layer: what one layer gives is what the next one "
    "gets. The last layer's numbers are the net's output.",
)
chapter.quiz(
    "neurons_q2",
    "Training runs forward and backward, again and again. Which sentence is right?",
    choices={
        "a": "forward computes outputs and loss; backward computes gradients; then the optimiser "
        "changes the weights",
        "b": "forward computes the loss; backward changes the weights",
        "c": "forward is for training, backward is for prediction",
        "d": "backward runs the net with inputs and outputs exchanged",
    },
    answer="a",
    wrong={
        "b": "Backward changes nothing: it hands gradients over. The step is the optimiser's.",
        "c": "Prediction needs forward only. Training needs both.",
        "d": "Nothing is run in reverse: what travels back is the slope of the loss.",
    },
    explanation="Forward: inputs to outputs, keeping what the way back needs. Backward: the chain "
    "rule, from the loss to every parameter. Chapter 02 is about it.",
)
chapter.quiz(
    "neurons_q3",
    "The basic words: which sentence uses all of them rightly?",
    choices={
        "a": "the input layer multiplies by weights; hidden layers add biases; the output layer "
        "applies the activation",
        "b": "weights are the values that flow through the net; activations are what is learned",
        "c": "a neuron weights and sums its inputs, adds a bias and applies an activation; neurons "
        "side by side form a layer; weights and biases are learned",
        "d": "every neuron has one weight and one bias, so a layer of 10 neurons has 20 parameters",
    },
    answer="c",
    wrong={
        "a": "The input layer computes nothing; every other layer does all three.",
        "b": "It is the other way round: activations flow, weights are learned.",
        "d": "A neuron has one weight per input. With 64 inputs, 10 neurons have 650 parameters.",
    },
    explanation="Input layer: the given numbers. Hidden layers: neurons whose values nobody "
    "prescribes. Output layer: the answer. The activation is what makes depth worth having.",
)
chapter.quiz(
    "neurons_q4",
    "A neuron has weights (2, -1) and bias 0.5. The input is (1, 3). What is z, its value before "
    "the activation? Answer with a number.",
    answer=-0.5,
    wrong={
        -1: "The bias is missing.",
        5.5: "The sign of the second weight is lost: 2 * 1 + (-1) * 3 + 0.5.",
        -1.5: "The bias is added, not subtracted.",
        0.3775406687981454: "That is the sigmoid of z; z itself is asked for.",
    },
    explanation="2 * 1 + (-1) * 3 + 0.5 = -0.5. The point lies on the no-side of the neuron's "
    "line, and close to it.",
)
chapter.quiz(
    "neurons_q5",
    "A batch of 32 images with 784 pixels goes through a 784-100-10 net. What is the shape of the "
    "hidden values? Answer with a tuple.",
    answer=(32, 100),
    wrong={
        (100, 32): "Examples are rows in this course: the batch comes first.",
        (784, 100): "That is the shape of the first weights.",
        (32, 784): "That is the shape of the batch itself.",
        (32, 10): "That is the shape of the output.",
        (100,): "That is one example's hidden values, and the shape of the biases.",
    },
    explanation="(32, 784) @ (784, 100) + (100,) gives (32, 100): one row per image, one column "
    "per hidden unit.",
)
chapter.quiz(
    "neurons_q6",
    "How many parameters does a 64-128-10 net have? Answer with a number.",
    answer=9610,
    wrong={
        9472: "Those are the weights; the biases are missing.",
        9674: "The 64 inputs have no biases: nothing is computed there.",
        9664: "The biases are counted on the input side of each layer.",
        202: "Those are the units.",
        9474: "Every unit has its own bias, not every layer.",
    },
    explanation="64 * 128 + 128 + 128 * 10 + 10 = 9,610. Most of it lies in the first layer.",
)
chapter.quiz(
    "neurons_q7",
    "A net has 50 layers and no activation anywhere. What can it compute?",
    choices={
        "a": "the same functions as a single layer x w + b",
        "b": "polynomials up to degree 50",
        "c": "any continuous function, if the layers are wide",
        "d": "more than one layer, because it has more parameters",
    },
    answer="a",
    wrong={
        "b": "Inputs are only ever multiplied by numbers, never by each other.",
        "c": "That needs a bend. Without one, the output is a straight function of the input.",
        "d": "More parameters, the same functions: fifty matrices multiply into one.",
    },
    explanation="(x w1 + b1) w2 + b2 = x (w1 w2) + (b1 w2 + b2). The activation between the layers "
    "is what makes depth more than a detour.",
)
chapter.quiz(
    "neurons_q8",
    "A program says it is a 2-3-1 net with the sigmoid in both layers. Which line of its print-out "
    "is impossible?",
    choices={
        "a": "W1 has shape (2, 3)",
        "b": "hidden value of unit 3: 1.6",
        "c": "output 0.975 for an example with target 0",
        "d": "b2 = [-4.1]",
    },
    answer="b",
    wrong={
        "a": "Two inputs, three hidden units: that is right.",
        "c": "A poor answer, and a possible one: before training, anything between 0 and 1 is.",
        "d": "A bias may be any number.",
    },
    explanation="A sigmoid gives numbers between 0 and 1. A value of 1.6 is what z might be: the "
    "activation was skipped, or the number was invented.",
)
chapter.quiz(
    "neurons_q9",
    "Why can no single neuron compute XOR?",
    choices={
        "a": "its weights cannot be negative",
        "b": "it has too few weights: with two more it could",
        "c": "its yes and no are parted by one straight line, and no line parts the two diagonals",
        "d": "the sigmoid is too soft; a hard step could",
    },
    answer="c",
    wrong={
        "a": "They can. Negative weights only turn the line around.",
        "b": "Two inputs need two weights. More weights need more inputs, such as x1 x2.",
        "d": "Soft or hard, the border is where z = 0: a line.",
    },
    explanation="Two hidden neurons draw two lines, and a third one combines their answers. "
    "Minsky and Papert made the limit famous in 1969.",
)
chapter.quiz(
    "neurons_q10",
    "The universal approximation theorem (Cybenko 1989; Hornik, Stinchcombe and White 1989): what "
    "does it promise for a continuous function on a closed, bounded region?",
    choices={
        "a": "gradient descent finds the right weights, given time",
        "b": "one hidden layer, wide enough, comes as close as one likes with SOME weights",
        "c": "a net with enough layers of any width is exact",
        "d": "a net that fits the training points is right between them",
    },
    answer="b",
    wrong={
        "a": "It says that weights exist. How to find them is another matter.",
        "c": "It speaks of width, and of coming close; exactness is not promised.",
        "d": "It says nothing about training points. Fitting them and being right elsewhere are "
        "two things.",
    },
    explanation="Existence, not learning. How many units are needed, whether training finds them, "
    "and what happens on new data: the theorem is silent on all three.",
)
chapter.quiz(
    "neurons_q11",
    "The loop of learning in its right order: what are its parts?",
    choices={
        "a": "forward, loss, gradients of the loss, a step against the gradients",
        "b": "forward, target minus output, add that difference to all weights",
        "c": "loss, forward, a step along the gradients, gradients",
        "d": "gradients, forward, loss, a jump to the global minimum",
    },
    answer="a",
    wrong={
        "b": "Target minus output is not a loss: it can be negative, and errors of both signs "
        "cancel. Each weight needs its own slope.",
        "c": "The loss needs an output first, and a step along the gradient climbs.",
        "d": "No step jumps to the global minimum; in general a valley nearby is found.",
    },
    explanation="Net, loss, gradient, step. Chapters 04, 02 and 05 are about the last three.",
)
chapter.quiz(
    "neurons_q12",
    "The same layer as a matrix product and as three nested Python loops: what differs?",
    choices={
        "a": "the product skips multiplications by small weights",
        "b": "the product approximates; the loops are exact",
        "c": "nothing but rounding in the last digits, and speed, by a factor of hundreds or more",
        "d": "the product needs the batch to be square",
    },
    answer="c",
    wrong={
        "a": "Both do all N D M multiplications.",
        "b": "Both round in the last digit, each in its own order.",
        "d": "Any (N, D) fits any (D, M).",
    },
    explanation="The work is the same; the product does it in compiled code that uses the "
    "processor's caches and wide registers. The lesson measures it.",
)
