"""Chapter 01: many right programs pass, and the answers agree with independent oracles."""

import itertools
import math
from functools import reduce

import numpy as np
import pytest
from scipy.special import expit
from sklearn.neural_network import MLPClassifier

from grader.exercises import get, get_chapter
from grader.proof import judge

# --- right programs, written in many ways --------------------------------------------------------


def neuron_by_loops(x, w, b):
    answers = []
    for row in x:
        z = b
        for value, weight in zip(row, w, strict=True):
            z += value * weight
        answers.append(1 / (1 + math.exp(-z)))
    return np.array(answers)


def neuron_by_einsum(x, w, b):
    return 1.0 / (1.0 + np.exp(-np.einsum("nd,d->n", x, w) - b))


def neuron_by_tanh(x, w, b):
    return 0.5 + 0.5 * np.tanh((x.dot(w) + b) / 2)


def neuron_with_cache(x, w, b):
    z = np.sum(x * w, axis=1) + b
    out = np.exp(z) / (1 + np.exp(z))
    return out, (x, w, z)


def neuron_by_column_and_ravel(x, w, b):
    z = np.matmul(x, w[:, np.newaxis]) + b
    return (1 / (1 + np.exp(-z))).ravel()


def neuron_with_bias_as_input(x, w, b):
    ones = np.ones((len(x), 1))
    return 1 / (1 + np.exp(-np.hstack([x, ones]) @ np.append(w, b)))


def neuron_as_a_list(x, w, b):
    return [float(expit(np.dot(w, row) + b)) for row in x]


def affine_by_dot(x, w, b):
    return x.reshape(x.shape[0], -1).dot(w) + b, (x, w, b)


def affine_by_loops(x, w, b):
    out = np.zeros((len(x), w.shape[1]))
    for n, m in np.ndindex(out.shape):
        out[n, m] = sum(x[n].flat[d] * w[d, m] for d in range(len(w))) + b[m]
    return out, [x, w, b]


def affine_by_tensordot(x, w, b):
    table = w.reshape(*x.shape[1:], -1)
    return np.tensordot(x, table, axes=x.ndim - 1) + b, {"x": x, "w": w}


def affine_by_columns(x, w, b):
    rows = x.reshape(len(x), -1)
    return np.stack([rows @ w[:, m] + b[m] for m in range(len(b))], axis=1), (rows, w)


def affine_in_place(x, w, b):
    out = np.reshape(x, (x.shape[0], np.prod(x.shape[1:]))) @ w
    out += b.reshape(1, -1)
    return out, (x, w, b)


def affine_transposed_twice(x, w, b):
    return (w.T @ x.reshape(len(x), -1).T + b[:, None]).T, x


def net_by_helpers(x, W1, b1, W2, b2):
    def layer(rows, w, b):
        return rows @ w + b

    return layer(expit(layer(x, W1, b1)), W2, b2)


def net_by_einsum(x, W1, b1, W2, b2):
    a = 1 / (1 + np.exp(-np.einsum("nd,dh->nh", x, W1) - b1))
    return np.einsum("nh,hm->nm", a, W2) + b2


def net_in_place(x, W1, b1, W2, b2):
    a = x @ W1
    a += b1
    np.negative(a, out=a)
    np.exp(a, out=a)
    a += 1
    out = (1 / a) @ W2
    out += b2
    return out


def net_by_rows(x, W1, b1, W2, b2):
    return np.array([expit(row @ W1 + b1) @ W2 + b2 for row in x])


def net_in_columns(x, W1, b1, W2, b2):
    a = expit(W1.T @ x.T + b1.reshape(-1, 1))
    return (W2.T @ a + b2.reshape(-1, 1)).T


def net_with_cache(x, W1, b1, W2, b2):
    z = x.dot(W1) + b1
    a = np.where(z > 0, 1 / (1 + np.exp(-np.abs(z))), np.exp(-np.abs(z)) / (1 + np.exp(-np.abs(z))))
    return a.dot(W2) + b2, (x, a)


def net_unit_by_unit(x, W1, b1, W2, b2):
    out = np.tile(b2, (len(x), 1))
    for h in range(len(b1)):
        out = out + np.outer(expit(x @ W1[:, h] + b1[h]), W2[h])
    return out


def count_by_loop(sizes):
    total = 0
    for i in range(1, len(sizes)):
        total += sizes[i] * (sizes[i - 1] + 1)
    return total


def count_by_numpy(sizes):
    a = np.array(sizes)
    return (a[:-1] * a[1:]).sum() + a[1:].sum()


def count_by_dot(sizes):
    return int(np.dot(np.add(sizes[:-1], 1), sizes[1:]))


def count_by_making(sizes):
    pairs = itertools.pairwise(sizes)
    return sum(np.zeros(pair).size + np.zeros(pair[1]).size for pair in pairs)


def count_by_recursion(sizes):
    if len(sizes) < 2:
        return 0
    return sizes[0] * sizes[1] + sizes[1] + count_by_recursion(sizes[1:])


def count_as_float(sizes):
    sizes = list(sizes)
    before = sizes.pop(0)
    total = 0.0
    while sizes:
        now = sizes.pop(0)
        total += before * now + now
        before = now
    return total


def collapse_by_multi_dot(weights, biases):
    def product(several):
        return reduce(np.matmul, several)

    b = sum(product([bi, *weights[i + 1 :]]) for i, bi in enumerate(biases))
    return product(weights), b


def collapse_by_probing(weights, biases):
    def forward(x):
        for w, b in zip(weights, biases, strict=True):
            x = x @ w + b
        return x

    d = weights[0].shape[0]
    b = forward(np.zeros((1, d)))[0]
    return forward(np.eye(d)) - b, b


def collapse_by_augmentation(weights, biases):
    whole = np.eye(len(weights[0]) + 1)
    for w, b in zip(weights, biases, strict=True):
        corner = np.zeros((len(w) + 1, w.shape[1] + 1))
        corner[:-1, :-1], corner[-1, :-1], corner[-1, -1] = w, b, 1
        whole = whole @ corner
    return whole[:-1, :-1], whole[-1, :-1]


def collapse_by_recursion(weights, biases):
    if len(weights) == 1:
        return weights[0], biases[0]
    w, b = collapse_by_recursion(weights[:-1], biases[:-1])
    return w @ weights[-1], b @ weights[-1] + biases[-1]


def collapse_from_the_end(weights, biases):
    w, b = weights[-1], biases[-1]
    for wi, bi in zip(weights[-2::-1], biases[-2::-1], strict=True):
        b = bi @ w + b
        w = wi @ w
    return [w, b]


def collapse_in_place(weights, biases):
    w, b = weights[0], biases[0]
    for i in range(1, len(weights)):
        w = w.dot(weights[i])
        biases[i] += b.dot(weights[i])
        b = biases[i]
    return w, b


def debug_by_where(x, W1, b1, W2, b2):
    hidden = expit(x @ W1 + b1[None, :])
    return hidden, hidden @ W2 + b2[None]


def debug_by_rows(x, W1, b1, W2, b2):
    hidden = np.array([expit(row @ W1 + b1) for row in x])
    return hidden, np.array([h @ W2 + b2 for h in hidden])


def debug_in_columns(x, W1, b1, W2, b2):
    hidden = 1 / (1 + np.exp(-(W1.T @ x.T + b1[:, None])))
    return hidden.T, (W2.T @ hidden + b2[:, None]).T


def debug_as_a_list(x, W1, b1, W2, b2):
    z1 = x @ W1 + b1
    hidden = np.power(1 + np.exp(-z1), -1)
    return [hidden, hidden @ W2 + b2]


def debug_by_tanh(x, W1, b1, W2, b2):
    hidden = (1 + np.tanh((x @ W1 + b1) / 2)) / 2
    return hidden, np.add(hidden.dot(W2), b2)


def debug_by_einsum(x, W1, b1, W2, b2):
    hidden = expit(np.einsum("nd,dh->nh", x, W1) + b1)
    return hidden, np.einsum("nh,hm->nm", hidden, W2) + b2


def mlp_by_enumerate(x, weights, biases):
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        x = x @ w + b
        if i < len(weights) - 1:
            x = expit(x)
    return x


def mlp_with_cache(x, weights, biases):
    values = [x]
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        values.append(expit(values[-1] @ w + b))
    return values[-1] @ weights[-1] + biases[-1], values


def mlp_by_recursion(x, weights, biases):
    if len(weights) == 1:
        return x @ weights[0] + biases[0]
    return mlp_by_recursion(expit(x @ weights[0] + biases[0]), weights[1:], biases[1:])


def mlp_by_reduce(x, weights, biases):
    pairs = list(zip(weights, biases, strict=True))
    a = reduce(lambda a, p: expit(a @ p[0] + p[1]), pairs[:-1], x)
    return a @ pairs[-1][0] + pairs[-1][1]


def mlp_by_pop(x, weights, biases):
    while len(weights) > 1:
        x = expit(x.dot(weights.pop(0)) + biases.pop(0))
    return x.dot(weights[0]) + biases[0]


def mlp_in_columns(x, weights, biases):
    a = x.T
    for w, b in zip(weights[:-1], biases[:-1], strict=True):
        a = expit(w.T @ a + b[:, None])
    return (weights[-1].T @ a + biases[-1][:, None]).T


def classes_by_dot(x, w, b):
    return np.argmax(np.dot(x, w) + b, axis=-1)


def classes_by_einsum(x, w, b):
    return np.einsum("nd,dc->nc", x, w).__iadd__(b).argmax(1)


def classes_by_sorting(x, w, b):
    return np.argsort(x @ w + b, axis=1)[:, -1]


def classes_transposed(x, w, b):
    return (w.T @ x.T + b[:, None]).argmax(axis=0)


def classes_by_softmax(x, w, b):
    e = np.exp(x @ w + b)
    return (e / e.sum(axis=1, keepdims=True)).argmax(axis=1)


def classes_by_rows(x, w, b):
    return np.array([int((row @ w + b).argmax()) for row in x])


def fence_by_cross(corners):
    W1, b1 = [], []
    for i in range(3):
        p, q, r = np.roll(corners, -i, axis=0)
        n = 200 * np.array([q[1] - p[1], p[0] - q[0]])
        n = n if (r - p) @ n > 0 else -n
        W1.append(n)
        b1.append(-p @ n)
    return np.array(W1).T, np.array(b1), np.ones((3, 1)), np.array([-2.5])


def fence_from_the_middle(corners):
    middle = corners.mean(axis=0)
    a, b = corners, np.roll(corners, -1, axis=0)
    n = np.column_stack([a[:, 1] - b[:, 1], b[:, 0] - a[:, 0]])
    n = n / np.linalg.norm(n, axis=1, keepdims=True) * 80
    n *= np.sign(((middle - a) * n).sum(axis=1))[:, None]
    return n.T, -(a * n).sum(axis=1), np.ones((3, 1)), np.array([-2.6])


def fence_of_noes(corners):
    """Hidden units that fire outside; the output says yes unless one of them does."""
    W1, b1, _, _ = fence_by_cross(corners)
    return -W1, -b1, -np.ones((3, 1)), np.array([0.5])


def fence_with_loud_output(corners):
    W1, b1, W2, b2 = fence_from_the_middle(corners)
    return W1, b1, 10 * W2, 10 * b2


def fence_with_spare_unit(corners):
    W1, b1, W2, b2 = fence_by_cross(corners)
    return np.c_[W1, [0, 0]], np.append(b1, 0), np.r_[W2, [[1.0]]], b2 - 0.5


def fence_by_solving(corners):
    """Each unit's z is 1 at its own corner and 0 at the two others: barycentric coordinates."""
    A = np.column_stack([corners, np.ones(3)])
    planes = 150 * np.linalg.inv(A)
    return planes[:2], planes[2], np.ones((3, 1)), [-2.5]


RIGHT = {
    "neuron_forward": (
        neuron_by_loops,
        neuron_by_einsum,
        neuron_by_tanh,
        neuron_with_cache,
        neuron_by_column_and_ravel,
        neuron_with_bias_as_input,
        neuron_as_a_list,
    ),
    "affine_forward": (
        affine_by_dot,
        affine_by_loops,
        affine_by_tensordot,
        affine_by_columns,
        affine_in_place,
        affine_transposed_twice,
    ),
    "two_layer_forward": (
        net_by_helpers,
        net_by_einsum,
        net_in_place,
        net_by_rows,
        net_in_columns,
        net_with_cache,
        net_unit_by_unit,
    ),
    "count_parameters": (
        count_by_loop,
        count_by_numpy,
        count_by_dot,
        count_by_making,
        count_by_recursion,
        count_as_float,
    ),
    "collapse_linear_stack": (
        collapse_by_multi_dot,
        collapse_by_probing,
        collapse_by_augmentation,
        collapse_by_recursion,
        collapse_from_the_end,
        collapse_in_place,
    ),
    "debug_two_layer_forward": (
        debug_by_where,
        debug_by_rows,
        debug_in_columns,
        debug_as_a_list,
        debug_by_tanh,
        debug_by_einsum,
    ),
    "mlp_forward": (
        mlp_by_enumerate,
        mlp_with_cache,
        mlp_by_recursion,
        mlp_by_reduce,
        mlp_by_pop,
        mlp_in_columns,
    ),
    "predict_classes": (
        classes_by_dot,
        classes_by_einsum,
        classes_by_sorting,
        classes_transposed,
        classes_by_softmax,
        classes_by_rows,
    ),
    "fence_triangle": (
        fence_by_cross,
        fence_from_the_middle,
        fence_of_noes,
        fence_with_loud_output,
        fence_with_spare_unit,
        fence_by_solving,
    ),
}


@pytest.mark.parametrize(
    ("name", "program"), [(name, program) for name, many in RIGHT.items() for program in many]
)
def test_right_programs_pass_whatever_their_form(name, program):
    for seed in range(20):
        report = judge(get(name), program, seed)
        assert report.passed, (seed, str(report))


def test_every_exercise_has_six_right_programs():
    names = {e.name for e in get_chapter("01") if e.kind != "quiz"}
    assert {name for name, many in RIGHT.items() if len(many) >= 6} == names


# --- the answers against independent oracles -----------------------------------------------------


def test_the_net_agrees_with_scikit_learn():
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((40, 5)), np.arange(40) % 3
    theirs = MLPClassifier((7, 4), activation="logistic", max_iter=3, random_state=0)
    with pytest.warns(Warning):  # three steps are not enough to converge, and need not be
        theirs.fit(x, y)
    weights, biases = theirs.coefs_, theirs.intercepts_
    scores = get("mlp_forward").answer(x, weights, biases)
    share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    assert np.allclose(share, theirs.predict_proba(x), rtol=1e-10)
    assert get("count_parameters").answer([5, 7, 4, 3]) == sum(a.size for a in (*weights, *biases))


def test_a_net_of_two_layers_is_a_special_case():
    rng = np.random.default_rng(2)
    x, W1, b1 = rng.standard_normal((6, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    W2, b2 = rng.standard_normal((4, 2)), rng.standard_normal(2)
    out = get("two_layer_forward").answer(x, W1, b1, W2, b2)
    assert np.array_equal(out, get("mlp_forward").answer(x, [W1, W2], [b1, b2]))
    first = get("neuron_forward").answer(x, W1[:, 0], b1[0])
    assert np.allclose(first, expit(get("affine_forward").answer(x, W1, b1)[0][:, 0]), rtol=1e-14)


def test_a_stack_and_its_collapse_give_the_same_outputs():
    rng = np.random.default_rng(3)
    sizes = [4, 9, 2, 6, 3]
    weights = [rng.standard_normal(pair) for pair in itertools.pairwise(sizes)]
    biases = [rng.standard_normal(m) for m in sizes[1:]]
    x = rng.standard_normal((8, 4))
    out = x
    for w, b in zip(weights, biases, strict=True):
        out = out @ w + b
    w, b = get("collapse_linear_stack").answer(weights, biases)
    assert np.allclose(x @ w + b, out, rtol=1e-12)


# --- what a checker must not let through ---------------------------------------------------------


def by_loops(x, w, b):
    classes = []
    for n in range(len(x)):
        scores = []
        for c in range(w.shape[1]):
            score = b[c]
            for d in range(w.shape[0]):
                score += x[n, d] * w[d, c]
            scores.append(score)
        classes.append(scores.index(max(scores)))
    return np.array(classes)


def test_loops_over_single_numbers_are_right_too():
    assert judge(get("predict_classes"), by_loops).passed


def test_a_bias_column_that_fits_a_square_batch_is_still_found():
    """Where N equals H the wrong sum runs; the cases never have such sizes."""

    def column(x, W1, b1, W2, b2):
        return expit(x @ W1 + b1[:, None]) @ W2 + b2

    rng = np.random.default_rng(4)
    square = [rng.standard_normal(s) for s in ((3, 3), (3, 3), 3, (3, 3), 3)]
    assert column(*square).shape == (3, 3)
    report = judge(get("two_layer_forward"), column)
    assert report.cause.key == "two_layer_forward.bias_as_column"


PEELED = {
    0: "bias_as_column",
    1: "second_weights_transposed",
    2: "brackets_and_one_bias_left",
    3: "one_bias_left",
}


@pytest.mark.parametrize("mended", range(5))
def test_the_bugs_come_off_one_at_a_time(mended):
    exercise = get("debug_two_layer_forward")
    source = exercise.stub
    for wrong, right in [
        ("b1[:, None]", "b1"),
        ("W2.T", "W2"),
        ("1 / 1 + np.exp(-z1)", "1 / (1 + np.exp(-z1))"),
        ("b2[0]", "b2"),
    ][:mended]:
        assert wrong in source
        source = source.replace(wrong, right)
    namespace = {"np": np}
    exec(source, namespace)
    report = judge(exercise, namespace[exercise.name])
    if mended == 4:
        assert report.passed
    else:
        assert report.cause.key == f"{exercise.name}.{PEELED[mended]}"


def test_the_debug_stub_runs_where_every_size_is_three():
    """As its story says; and its values are wrong even there."""
    exercise = get("debug_two_layer_forward")
    namespace = {"np": np}
    exec(exercise.stub, namespace)
    rng = np.random.default_rng(5)
    net = [rng.standard_normal(s) for s in ((3, 3), (3, 3), 3, (3, 3), 3)]
    hidden, out = namespace[exercise.name](*net)
    assert hidden.shape == out.shape == (3, 3)
    assert not np.allclose(out, exercise.answer(*net)[1])
