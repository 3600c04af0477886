"""Finite differences are right, and the gradient checker neither cries wolf nor sleeps.

GRADER_DEEP=1 runs 10,000 right and 5,000 wrong gradients instead of a few hundred.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from grader import gradcheck
from grader.finite_differences import directional_derivative

DEEP = os.environ.get("GRADER_DEEP") == "1"
RIGHT_TRIALS = 10_010 if DEEP else 440
WRONG_TRIALS = 5_040 if DEEP else 336
SEED = int(os.environ.get("GRADER_SEED", "0"))
Arrays = tuple[np.ndarray, ...]


# --- operations with their right gradients ---------------------------------------------------
def affine(x, w, b):
    return x @ w + b


def affine_back(dout, x, w, b):
    return dout @ w.T, x.T @ dout, dout.sum(0)


def sigmoid(x):
    return np.where(x >= 0, 1 / (1 + np.exp(-np.abs(x))), 1 - 1 / (1 + np.exp(-np.abs(x))))


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def softmax_back(dout, x):
    p = softmax(x)
    return p * (dout - (p * dout).sum(1, keepdims=True))


def mse(pred, y):
    return ((pred - y) ** 2).mean()


def mse_back(dout, pred, y):
    d = 2 * dout * (pred - y) / pred.size
    return d, -d


def hinge(scores, b):
    """Mean over N of the sum over classes of max(0, s_j - s_0 + 1), s = scores + b."""
    s = scores + b
    return np.maximum(0, s[:, 1:] - s[:, :1] + 1).sum(1).mean()


def hinge_back(dout, scores, b):
    s = scores + b
    over = (s[:, 1:] - s[:, :1] + 1 > 0) * dout / len(s)
    d = np.concatenate([-over.sum(1, keepdims=True), over], axis=1)
    return d, d.sum(0)


def maximum(x):
    return x.max(1)


def maximum_back(dout, x):
    d = np.zeros_like(x)
    d[np.arange(len(x)), x.argmax(1)] = dout
    return d


def conv(x, w):
    """Valid cross-correlation: x (N, C, H, W), w (F, C, 2, 3)."""
    out = 0.0
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            patch = x[
                :, :, i : x.shape[2] - w.shape[2] + 1 + i, j : x.shape[3] - w.shape[3] + 1 + j
            ]
            out = out + np.einsum("nchw,fc->nfhw", patch, w[:, :, i, j])
    return out


def conv_back(dout, x, w):
    dx, dw = np.zeros_like(x), np.zeros_like(w)
    high, wide = dout.shape[2:]
    for i in range(w.shape[2]):
        for j in range(w.shape[3]):
            patch = x[:, :, i : i + high, j : j + wide]
            dw[:, :, i, j] = np.einsum("nchw,nfhw->fc", patch, dout)
            dx[:, :, i : i + high, j : j + wide] += np.einsum("nfhw,fc->nchw", dout, w[:, :, i, j])
    return dx, dw


def layer_norm(x, gamma, beta):
    centred = x - x.mean(1, keepdims=True)
    return gamma * centred / np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) + beta


def layer_norm_back(dout, x, gamma, beta):
    centred = x - x.mean(1, keepdims=True)
    std = np.sqrt((centred**2).mean(1, keepdims=True) + 1e-5)
    hat, d = centred / std, dout * gamma
    dx = (d - d.mean(1, keepdims=True) - hat * (d * hat).mean(1, keepdims=True)) / std
    return dx, (dout * hat).sum(0), dout.sum(0)


OPERATIONS: dict[str, tuple[Callable, Callable, tuple[tuple[int, ...], ...]]] = {
    "affine": (affine, affine_back, ((7, 5), (5, 3), (3,))),
    "sigmoid": (sigmoid, lambda d, x: d * sigmoid(x) * sigmoid(-x), ((5, 7),)),
    "tanh": (np.tanh, lambda d, x: d / np.cosh(x) ** 2, ((5, 7),)),
    "relu": (lambda x: np.maximum(x, 0), lambda d, x: d * (x > 0), ((5, 7),)),
    "leaky": (
        lambda x: np.where(x > 0, x, 0.01 * x),
        lambda d, x: d * np.where(x > 0, 1, 0.01),
        ((5, 7),),
    ),
    "softmax": (softmax, softmax_back, ((7, 5),)),
    "mse": (mse, mse_back, ((7, 5), (7, 5))),
    "hinge": (hinge, hinge_back, ((7, 5), (5,))),
    "max": (maximum, maximum_back, ((7, 5),)),
    "conv": (conv, conv_back, ((3, 2, 5, 7), (2, 2, 2, 3))),
    "layer_norm": (layer_norm, layer_norm_back, ((7, 5), (5,), (5,))),
}
KINKY = ("relu", "leaky", "hinge", "max")
KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "standard": lambda x: x,
    "large": lambda x: 10 * x,
    "small": lambda x: 1e-3 * x,
    "offset": lambda x: x + 10,
    "kinky": lambda x: np.round(x),  # zeros and ties everywhere
}


def drawn(name: str, kind: str, rng: np.random.Generator) -> tuple[Callable, Callable, list]:
    f, df, shapes = OPERATIONS[name]
    return f, df, [KINDS[kind](rng.standard_normal(shape)) for shape in shapes]


def as_tuple(g) -> Arrays:
    return g if isinstance(g, tuple) else (g,)


# --- no false alarm, no miss -----------------------------------------------------------------
def test_right_gradients_are_never_called_wrong():
    combinations = [(name, kind) for name in OPERATIONS for kind in KINDS]
    verdicts: Counter = Counter()
    unclear: Counter = Counter()
    for trial in range(RIGHT_TRIALS):
        name, kind = combinations[trial % len(combinations)]
        f, df, inputs = drawn(name, kind, np.random.default_rng([SEED, trial]))
        result = gradcheck(f, df, *inputs, seed=trial)
        verdicts[result.verdict] += 1
        unclear[name, kind] += result.verdict == "inconclusive"
        seed = f"{name}, {kind}, np.random.default_rng([{SEED}, {trial}])"
        assert result.verdict in ("ok", "inconclusive"), f"{seed}: {result}"
        assert result.ok or kind in ("large", "offset"), f"{seed}: {result}"
    print(verdicts, +unclear)
    assert verdicts["inconclusive"] <= 0.05 * RIGHT_TRIALS


def small_entry(g: np.ndarray) -> tuple[int, ...]:
    """The smallest entry that is not below a hundredth of the largest."""
    sizes = np.where(np.abs(g) > 0.01 * np.abs(g).max(), np.abs(g), np.inf)
    return np.unravel_index(int(np.argmin(sizes)), g.shape)


def one_small_entry(g: np.ndarray) -> np.ndarray:
    g = g.copy()
    g[small_entry(g)] *= 1 + 1e-4
    return g


def one_large_entry(g: np.ndarray) -> np.ndarray:
    g = g.copy()
    g[np.unravel_index(int(np.argmax(np.abs(g))), g.shape)] *= 1 + 1e-4
    return g


MUTANTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "factor": lambda g: 0.5 * g,
    "sign": lambda g: -g,
    "not_divided": lambda g: 7 * g,
    "small_entry": one_small_entry,
    "large_entry": one_large_entry,
    "transposed": lambda g: g.T if g.ndim > 1 else g[::-1],
    "zero": lambda g: 0 * g,
}


def test_wrong_gradients_are_never_called_right():
    combinations = [(n, k, m) for n in OPERATIONS for m in MUTANTS for k in KINDS if k != "large"]
    order = np.random.default_rng(SEED).permutation(len(combinations))
    verdicts: Counter = Counter()
    missed = []
    for trial in range(WRONG_TRIALS):
        name, kind, mutant = combinations[order[trial % len(order)]]
        rng = np.random.default_rng([SEED, trial, 1])
        f, df, inputs = drawn(name, kind, rng)
        which = int(rng.integers(len(inputs)))
        dout = rng.standard_normal(np.shape(f(*inputs)))
        right = as_tuple(df(dout, *inputs))[which]
        if not right.any():  # gamma rounded to zeros: 7 times zero is right
            verdicts["nothing to spoil"] += 1
            continue

        def wrong(*args, df=df, which=which, mutant=mutant):
            grads = list(as_tuple(df(*args)))
            grads[which] = MUTANTS[mutant](grads[which])
            return tuple(grads)

        result = gradcheck(f, wrong, *inputs, seed=trial)
        verdicts[result.verdict] += 1
        saturated = name in ("tanh", "sigmoid") and kind == "offset"  # slopes of 1e-8
        if result.ok or (result.verdict == "inconclusive" and not saturated):
            missed.append((name, kind, mutant, which, trial, str(result)))
    print(verdicts)
    assert not missed, f"seed {SEED}: {missed[:5]}"
    assert verdicts["inconclusive"] <= 0.01 * WRONG_TRIALS


# --- directional derivatives -----------------------------------------------------------------
def test_slopes_of_smooth_functions_are_right_to_1e_10_and_know_how_right_they_are():
    worst = 0.0
    for trial in range(2000 if DEEP else 300):
        rng = np.random.default_rng([SEED, trial, 2])
        name = list(OPERATIONS)[trial % len(OPERATIONS)]
        f, df, inputs = drawn(name, "standard", rng)
        named = {f"input {i}": x for i, x in enumerate(inputs)}
        u = rng.standard_normal(np.shape(f(*inputs)))
        for (label, x), g in zip(named.items(), as_tuple(df(u, *inputs)), strict=True):
            v = rng.standard_normal(x.shape) * 10.0 ** rng.integers(-6, 7)
            value, resolution = directional_derivative(f, named, u, label, v)
            size = max(np.sqrt(np.sum((g * v) ** 2)), abs(value))
            error = abs(value - np.sum(g * v))
            seed = f"{name}, {label}, np.random.default_rng([{SEED}, {trial}, 2])"
            assert error <= 2 * resolution, f"{seed}: off by {error}, claimed {resolution}"
            worst = max(worst, error / size)
            limit = 1e-9 if name in KINKY else 1e-10  # beside a kink the steps are small
            assert error <= limit * size, f"{seed}: relative error {error / size}"
    print(f"directional derivatives: worst relative error {worst:.1e}")


def test_a_direction_of_zeros_and_a_constant_function_have_slope_zero():
    x = np.ones((2, 3))
    assert directional_derivative(np.tanh, {"x": x}, x, "x", 0 * x) == (0.0, 0.0)
    value, resolution = directional_derivative(lambda x: 3.0, {"x": x}, 1.0, "x", x)
    assert value == 0.0 and resolution < 1e-10


def test_a_kink_close_by_is_stepped_over():
    x = np.array([1e-4, 1.0, -1.0])
    value, _ = directional_derivative(np.abs, {"x": x}, np.ones(3), "x", np.ones(3))
    assert value == pytest.approx(1.0, abs=1e-9)


def test_a_function_that_is_nan_nearby_has_no_slope():
    value, resolution = directional_derivative(
        lambda x: np.where(x == 0, 0.0, np.nan), {"x": np.zeros(3)}, np.ones(3), "x", np.ones(3)
    )
    assert np.isnan(value) and resolution == np.inf


# --- what is said ----------------------------------------------------------------------------
RNG = np.random.default_rng(5)
X, W, B = RNG.standard_normal((7, 5)), RNG.standard_normal((5, 3)), RNG.standard_normal(3)
SQUARE = RNG.standard_normal((5, 5))


def affine_with(**changed):
    """affine's gradients with some of dx, dw, db replaced by functions of the right one."""

    def df(dout, x, w, b):
        right = dict(zip(("dx", "dw", "db"), affine_back(dout, x, w, b), strict=True))
        return tuple(changed.get(name, lambda g: g)(g) for name, g in right.items())

    return df


@pytest.mark.parametrize(
    ("change", "verdict", "name", "words"),
    [
        ({"dx": lambda g: -g}, "wrong", "x", "wrong sign"),
        ({"dw": lambda g: 2 * g}, "wrong", "w", "2 times what it should be"),
        ({"dw": lambda g: g / 7}, "wrong", "w", "1/7 of what it should be (7 is the length"),
        ({"db": lambda g: 0 * g}, "wrong", "b", "zero everywhere"),
        ({"dw": lambda g: g.T}, "shape", "w", "Transposed, it would agree"),
        ({"db": lambda g: g[None]}, "shape", "b", "Reshaped, it would agree"),
        ({"db": lambda g: None}, "shape", "b", "returned None for `b`"),
        ({"db": lambda g: "0"}, "shape", "b", "a str"),
        ({"db": lambda g: g / 0}, "nonfinite", "b", "contains inf"),
        ({"dx": lambda g: -g, "db": lambda g: -g}, "wrong", "x", "Also wrong: `b`"),
    ],
)
def test_the_message_names_the_input_and_the_cause(change, verdict, name, words):
    result = gradcheck(affine, affine_with(**change), X, W, B)
    assert result.verdict == verdict and not result.ok and not result
    assert words in str(result)
    assert f"`{name}`" in result.message


def test_a_missing_sum_is_named():
    def df(dout, x, w, b):
        return dout @ w.T, x.T @ dout, dout

    assert "Summed over axis 0, it would agree" in gradcheck(affine, df, X, W, B).message


def test_a_transposed_square_gradient_is_named():
    result = gradcheck(lambda x, w: x @ w, lambda d, x, w: (d @ w.T, d.T @ x), X, SQUARE)
    assert result.input == "w" and "transposed" in result.message


def test_one_wrong_entry_is_found_and_quoted():
    def spoil(g):
        g[3, 1] += 1e-3
        return g

    result = gradcheck(affine, affine_with(dw=spoil), X, W, B)
    assert result.where.startswith("Only entry [3, 1] is wrong")


@pytest.mark.parametrize("rows", [7, 200])
def test_a_wrong_row_is_found_in_small_and_large_inputs(rows):
    def spoil(g):
        g[4] *= 1.5
        return g

    x = np.random.default_rng(1).standard_normal((rows, 5))
    result = gradcheck(affine, affine_with(dx=spoil), x, W, B)
    assert "index 4 of axis 0" in result.where and "axis 1" not in result.where


def test_a_slow_function_is_not_searched_entry_by_entry(monkeypatch):
    monkeypatch.setattr("grader.numerical.SEARCH_SECONDS", 0.0)
    result = gradcheck(affine, affine_with(dx=np.sin), X, W, B)
    assert result.verdict == "wrong" and result.where == "" and result.evaluations < 400


def test_an_input_without_influence_is_remarked():
    result = gradcheck(lambda x, b: 2 * x, lambda d, x, b: (2 * d, 0 * b), X, B)
    assert result.ok and "does not change with `b`" in result.remarks[0]
    result = gradcheck(lambda x, b: 2 * x, lambda d, x, b: (2 * d, b), X, B)
    assert "should be zero" in result.message


def test_redrawn_masks_and_changes_in_place_are_not_repeatable():
    rng = np.random.default_rng(0)
    result = gradcheck(lambda x: x * (rng.random(x.shape) > 0.5), lambda d, x: d, X)
    assert result.verdict == "not_repeatable" and "mask" in result.message

    def doubled(x):
        x *= 2
        return x

    kept = X.copy()
    result = gradcheck(doubled, lambda d, x: 2 * d, X)
    assert result.verdict == "not_repeatable" and "in place" in result.message
    assert (kept == X).all()


def test_single_precision_is_noticed_and_never_called_wrong():
    def f(x):
        return np.tanh(x.astype(np.float32))

    for seed in range(20):
        result = gradcheck(f, lambda d, x: d / np.cosh(x) ** 2, X, seed=seed)
        assert result.verdict == "inconclusive" and "single precision" in result.message
        assert gradcheck(f, lambda d, x: 2 * d / np.cosh(x) ** 2, X).verdict == "wrong"


def test_rounded_outputs_are_inconclusive():
    def f(x):
        return np.round(np.tanh(x), 6)

    for seed in range(20):
        verdict = gradcheck(f, lambda d, x: d / np.cosh(x) ** 2, X, seed=seed).verdict
        assert verdict == "inconclusive"


@pytest.mark.parametrize("offset", [1e2, 1e4, 1e6])
def test_a_function_much_narrower_than_its_input_is_large_gives_no_false_alarm(offset):
    for seed in range(20):
        x = np.random.default_rng([SEED, seed]).standard_normal((5, 7)) + offset
        f, df = lambda x: np.tanh(x - offset), lambda d, x: d / np.cosh(x - offset) ** 2
        assert gradcheck(f, df, x, seed=seed).ok
        assert gradcheck(f, lambda d, x, df=df: 2 * df(d, x), x, seed=seed).verdict == "wrong"


def test_inputs_at_a_kink_are_left_and_the_remark_says_so():
    result = gradcheck(lambda x: np.maximum(x, 0), lambda d, x: d * (x > 0), np.zeros((3, 4)))
    assert result.ok and "near a kink" in result.remarks[0]


def test_exceptions_become_sentences():
    def unfinished(dout, x):
        raise NotImplementedError

    def broken(dout, x):
        return dout.nothing

    assert "not written yet" in gradcheck(np.tanh, unfinished, X).message
    result = gradcheck(np.tanh, broken, X)
    assert result.verdict == "crashed" and "df raised AttributeError in line" in result.message
    assert "of `broken`" in result.message
    assert gradcheck(lambda x: x.nothing, broken, X).message.startswith("f raised")
    assert gradcheck(lambda x: None, broken, X).message == "f returned None, expected an array."


def test_points_outside_the_domain_are_avoided():
    assert gradcheck(np.log, lambda d, x: d / x, np.array([0.5, 1e-6, 3.0])).ok
    assert gradcheck(np.log, lambda d, x: d / x, np.array([0.5, -1.0])).verdict == "nonfinite"


# --- how df may be written -------------------------------------------------------------------
def test_every_documented_signature_is_understood():
    assert gradcheck(affine, affine_back, X, W, B).ok
    assert gradcheck(lambda x: (x**2).sum(), lambda x: 2 * x, X).ok
    assert gradcheck(lambda x: (x**2).sum(), lambda dout, x: 2 * dout * x, X).ok
    assert gradcheck(np.sin, np.cos, X).ok
    assert gradcheck(np.tanh, lambda x: 1 - np.tanh(x) ** 2, X).ok
    assert gradcheck(lambda x: x**2, lambda x: 2 * x, 3).ok
    assert gradcheck(lambda x: x**3, lambda x: 3 * x**2, 1.5).ok
    assert gradcheck(lambda *a: affine(*a), lambda *a: affine_back(*a), X, W, B).ok
    with_cache = gradcheck(
        lambda x, w, b: (x @ w + b, (x, w)),
        lambda dout, cache: (dout @ cache[1].T, cache[0].T @ dout, dout.sum(0)),
        *(X, W, B),
    )
    assert with_cache.ok


def test_a_layer_that_remembers_is_called_directly_after_its_forward():
    class Tanh:
        def forward(self, x):
            self.out = np.tanh(x)
            return self.out

        def backward(self, dout):
            return dout * (1 - self.out**2)

    layer = Tanh()
    assert gradcheck(layer.forward, layer.backward, X).ok


def test_labels_are_passed_on_and_need_no_gradient():
    labels = np.arange(7) % 5

    def loss(scores, y):
        return -np.log(softmax(scores)[np.arange(7), y]).mean()

    def back(scores, y):
        return (softmax(scores) - np.eye(5)[y]) / 7

    assert gradcheck(loss, back, X, labels).ok
    assert gradcheck(loss, lambda s, y: (back(s, y), None), X, labels).ok
    result = gradcheck(loss, lambda s, y: 7 * back(s, y), X, labels)
    assert result.input == "scores" and "7 times what it should be" in result.message


def test_the_result_is_data():
    result = gradcheck(np.sin, np.cos, X, names=["angle"])
    assert result and result.evaluations < 60 and result.relative_error < 1e-10
    assert "`angle`" in str(result)
    with pytest.raises(FrozenInstanceError):
        result.verdict = "wrong"


def test_the_same_seed_gives_the_same_result():
    one, two = (gradcheck(affine, affine_with(dx=np.sin), X, W, B, seed=4) for _ in range(2))
    assert one == two
