"""The answers are right: judged by tools that know nothing of ours.

Gradients: HIPS autograd differentiates each forward answer, executed with `np` replaced by
`autograd.numpy`. Values: scipy.special. GRADER_DEEP=1 adds 10,000 finite-difference checks.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cache

import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
from autograd import elementwise_grad, grad, make_vjp

from grader import gradcheck
from grader.build import source_of
from grader.exercise import Exercise
from grader.exercises import all_exercises, get
from grader.expected import forward_of, inputs_by_name, prepare

TRIALS = 100
CLOSE = 1e-9
# From chapter 08 on answers write into arrays, which autograd cannot follow: the tests of those
# chapters (grader/tests/exercises/) bring oracles of their own.
BACKWARDS = [e for e in all_exercises() if e.gradient_of and e.chapter < "08"]
NAMES = [exercise.name for exercise in all_exercises()]


@cache
def traced(name: str) -> Callable:
    """An answer with `np` replaced, beside all other answers (some call each other)."""
    namespace: dict = {"np": anp}
    for exercise in all_exercises():
        if exercise.kind == "function":
            exec(compile(source_of(exercise.answer), exercise.name, "exec"), namespace)
    return namespace[name]


def agrees(got, expected, what=""):
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape, what
    size = np.abs(expected).max(initial=0) + 1e-300
    assert np.abs(got - expected).max(initial=0) <= CLOSE * size, what


def any_shape(rng, most=4) -> tuple[int, ...]:
    return tuple(int(n) for n in rng.integers(1, 7, rng.integers(1, most + 1)))


def affine_inputs(rng):
    *shape, outputs = (*any_shape(rng), int(rng.integers(1, 7)))
    features = int(np.prod(shape[1:]))
    return (
        rng.standard_normal(shape),
        rng.standard_normal((features, outputs)),
        rng.standard_normal(outputs),
    )


# Random inputs by forward function; one that is not here gets its own cases at many seeds.
INPUTS: dict[str, Callable] = {
    "affine_forward": affine_inputs,
    "sigmoid_forward": lambda rng: (rng.normal(0, 2, any_shape(rng)),),
    "relu_forward": lambda rng: (rng.normal(0, 2, any_shape(rng)),),
    "tanh_forward": lambda rng: (rng.normal(0, 2, any_shape(rng)),),
    "softmax_forward": lambda rng: (rng.normal(0, 2, any_shape(rng)),),
}


def drawn(forward: Exercise, trials: int, seed: int) -> Iterator[tuple[dict, dict]]:
    """Arguments of a forward function, by name, `trials` times; and keyword arguments."""
    rng = np.random.default_rng([seed, zlib.crc32(forward.name.encode())])
    if forward.name in INPUTS:
        names = list(inputs_by_name(forward, prepare(forward, 0)[0].case))
        for _ in range(trials):
            yield dict(zip(names, INPUTS[forward.name](rng))), {}
        return
    done = 0
    while done < trials:
        for case in forward.cases(rng):
            if case.drive is None:
                named = inputs_by_name(forward, case)
                yield {k: v for k, v in named.items() if k not in case.kwargs}, case.kwargs
                done += 1


@pytest.mark.parametrize("exercise", BACKWARDS, ids=lambda exercise: exercise.name)
def test_backward_agrees_with_autograd_on_a_hundred_random_inputs(exercise, seed):
    forward = forward_of(exercise)
    rng = np.random.default_rng(seed)
    for arguments, options in drawn(forward, TRIALS, seed):
        out, cache = forward.answer(*arguments.values(), **options)
        dout = rng.standard_normal(np.shape(out))
        found = exercise.answer(dout.copy(), cache)
        found = found if len(exercise.returns) > 1 else (found,)
        names, values = list(arguments), list(arguments.values())
        for part, value in zip(exercise.returns, found):
            name = part.removeprefix("d")
            if name not in names or not isinstance(arguments[name], (np.ndarray, float)):
                continue
            index = names.index(name)

            def moved(x, index=index, values=values, options=options):
                return traced(forward.name)(*values[:index], x, *values[index + 1 :], **options)[0]

            vjp, _ = make_vjp(moved)(values[index])
            shapes = [np.shape(v) for v in values]
            agrees(value, vjp(dout), f"{part}, inputs of shapes {shapes}")


@pytest.mark.parametrize("exercise", BACKWARDS, ids=lambda exercise: exercise.name)
def test_every_gradient_names_the_input_it_belongs_to(exercise):
    """So that no part escapes the comparison above."""
    forward = forward_of(exercise)
    names = set(inputs_by_name(forward, prepare(forward, 0)[0].case))
    assert {part.removeprefix("d") for part in exercise.returns} <= names


# --- gradients of whole nets -----------------------------------------------------------------


def two_layer_loss(X, Y, W1, b1, W2, b2):
    A1 = 1 / (1 + anp.exp(-(X @ W1 + b1)))
    A2 = 1 / (1 + anp.exp(-(A1 @ W2 + b2)))
    return ((A2 - Y) ** 2).mean()


@pytest.mark.parametrize("name", ["two_layer_gradients", "debug_two_layer_gradients"])
def test_the_two_layer_nets_agree_with_autograd(name, rng):
    for _ in range(TRIALS):
        n, d, h, k = (int(size) for size in rng.integers(1, 7, 4))
        shapes = [(n, d), (n, k), (d, h), (h,), (h, k), (k,)]
        values = [rng.standard_normal(shape) for shape in shapes]
        for i, got in enumerate(get(name).answer(*values), 2):
            agrees(got, grad(two_layer_loss, i)(*values), f"{shapes}, gradient {i}")


def activation_loss(x, y, W1, W2, W3, alpha):
    a1 = anp.maximum(x @ W1, 0)
    a2 = 1 / (1 + anp.exp(-alpha * (a1 @ W2)))
    z3 = a2 @ W3
    z3 = z3 - anp.max(z3, axis=1, keepdims=True)
    return -(y * (z3 - anp.log(anp.exp(z3).sum(axis=1, keepdims=True)))).sum() / len(x)


@pytest.mark.skipif("debug_activation_net" not in NAMES, reason="chapter 03 is not there")
def test_the_net_of_three_activations_agrees_with_autograd(rng):
    for _ in range(TRIALS):
        n, d, h, k, c = (int(size) for size in rng.integers(1, 7, 5))
        y = np.eye(c)[rng.integers(0, c, n)]
        weights = [rng.standard_normal(shape) for shape in [(d, h), (h, k), (k, c)]]
        values = [rng.standard_normal((n, d)), y, *weights, float(rng.uniform(0.5, 2))]
        loss, *gradients = get("debug_activation_net").answer(*values)
        agrees(loss, activation_loss(*values))
        for i, got in enumerate(gradients, 2):
            want = grad(activation_loss, i)(*values)
            assert np.abs(got - want).max() <= CLOSE * max(np.abs(want).max(), 1e-3)


def test_value_agrees_with_autograd_on_random_expressions(rng):
    Value = get("Value").answer

    def expression(values, plan):
        values = list(values)
        for kind, i, j in plan:
            a, b = values[i % len(values)], values[j % len(values)]
            step = [lambda a, b: a + b, lambda a, b: a * b, lambda a, b: b + a * 3][kind % 3]
            values.append(squash(step(a, b)) if kind > 2 else step(a, b) * 0.5)
        return values[-1]

    def squash(x):
        return x.sigmoid() if isinstance(x, Value) else 1 / (1 + anp.exp(-x))

    for _ in range(TRIALS):
        numbers = rng.standard_normal(4)
        plan = [tuple(int(n) for n in rng.integers(0, [6, 99, 99])) for _ in range(12)]
        nodes = [Value(number) for number in numbers]
        out = expression(nodes, plan)
        out.backward()
        want = grad(lambda x, plan=plan: expression([x[i] for i in range(4)], plan))(numbers)
        assert np.allclose([node.grad for node in nodes], want, rtol=1e-9, atol=1e-12)


# --- slopes and values -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, oracle",
    [
        ("sigmoid_forward", scipy.special.expit),
        ("stable_sigmoid", scipy.special.expit),
        ("softmax_forward", lambda x: scipy.special.softmax(x, axis=-1)),
        ("tanh_forward", np.tanh),
        ("relu_forward", lambda x: np.where(x > 0, x, 0.0)),
        ("dsigmoid_from_z", lambda z: elementwise_grad(lambda t: 1 / (1 + anp.exp(-t)))(z)),
        ("column_means", lambda x: np.add.reduce(x, 0) / len(x)),
    ],
)
def test_values_agree_with_independent_ones(name, oracle, rng):
    if name not in NAMES:
        pytest.skip("its chapter is not there")
    exercise = get(name)
    for _ in range(TRIALS):
        x = rng.normal(0, 3, any_shape(rng))
        got = exercise.answer(x.copy())
        agrees(got[0] if exercise.keep is not None else got, oracle(x), f"{x.shape}")


@pytest.mark.parametrize("name", ["stable_sigmoid", "softmax_forward", "tanh_forward"])
def test_stable_answers_agree_with_scipy_at_the_extremes(name):
    if name not in NAMES:
        pytest.skip("its chapter is not there")
    x = np.array([[-1000.0, -745.0, -30.0, 0.0, 30.0, 709.0, 1000.0], [1000.0] * 7])
    oracle = {
        "stable_sigmoid": scipy.special.expit,
        "softmax_forward": lambda x: scipy.special.softmax(x, axis=-1),
        "tanh_forward": np.tanh,
    }[name]
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        got = get(name).answer(x.copy())
    got = got[0] if get(name).keep is not None else got
    assert np.allclose(got, oracle(x), rtol=1e-12, atol=1e-300)


def test_affine_agrees_with_einsum(rng):
    for _ in range(TRIALS):
        x, w, b = affine_inputs(rng)
        want = np.einsum("nd,dm->nm", x.reshape(len(x), -1), w) + b
        agrees(get("affine_forward").answer(x, w, b)[0], want)


def test_the_lessons_worked_example_has_the_printed_numbers():
    """dW2 to 60 digits, computed once and for all; the exercise notebook prints it."""
    case = prepare(get("two_layer_gradients"), 0)[0].case
    dW2 = get("two_layer_gradients").answer(*case.args)[2].ravel()
    assert np.allclose(dW2, [0.0312245864, 0.0324561873, 0.0335227995], rtol=0, atol=6e-11)


# --- our own gradient checker on right answers -----------------------------------------------


def complaints(trials: int, seed: int) -> list[str]:
    """Right answers, judged by `gradcheck` on random inputs; the alarms it raises."""
    alarms = []
    each = -(-trials // len(BACKWARDS))
    for exercise in BACKWARDS:
        forward = forward_of(exercise)
        for number, (arguments, options) in enumerate(drawn(forward, each, seed)):
            if options or not all(isinstance(v, np.ndarray) for v in arguments.values()):
                continue
            result = gradcheck(forward.answer, exercise.answer, *arguments.values(), seed=number)
            if result.verdict not in ("ok", "inconclusive"):
                alarms.append(f"{exercise.name}, draw {number}: {result}")
    return alarms


def test_gradcheck_raises_no_alarm_on_right_answers(seed):
    assert complaints(200, seed) == []


@pytest.mark.deep
def test_gradcheck_raises_no_alarm_on_ten_thousand_right_answers(seed):
    assert complaints(10_000, seed + 1) == []
