"""Chapter 05: the definitions prove themselves, agree with others, and are fair to every style."""

from itertools import combinations, pairwise

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.datasets import load_digits
from grader.exercises import get, get_chapter
from grader.exercises import mlp as chapter_05
from grader.proof import judge, prove
from grader.widgets import draw_digit, explore_descent, explore_training
from grader.widgets import mlp as mlp_widgets

CHAPTER = get_chapter("05_mlp")
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]
SEEDS = {
    "TwoLayerNet": 20,
    "fit": 20,
    "FullyConnectedNet": 12,
    "debug_mlp_step": 12,
}  # 100 ran once


def answer(name):
    return get(name).answer


def judged(name, thing, seed=0):
    names = {n: answer(n) for n in ("affine_forward", "affine_backward", "relu_forward")}
    return check_exercise(get(name), LocalAttempt({**names, name: thing}), seed)


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    assert prove(get(name), range(SEEDS.get(name, 100))) == []


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(get(name)) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    assert 4 <= len([e for e in core if e.kind != "quiz" and e.stub is None]) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 90
    assert 5 <= len(QUIZ) <= 12


def test_every_hint_ends_with_the_way_to_the_solution():
    for name in TASKS:
        assert "solutions/05_mlp" in get(name).hints[2]


def test_the_letters_of_the_right_answers_vary():
    letters = [get(name).answer for name in QUIZ if isinstance(get(name).answer, str)]
    assert set(letters) == {"a", "b", "c", "d"}
    assert max(map(letters.count, letters)) <= 4


BUGS = ("recursion", "kept", "first", *chapter_05.QUIET)


def expected_name(left):
    """Which bug shows itself first: a crash on the way back, at the update, or a wrong value."""
    for bug in ("recursion", "kept", "first"):
        if bug in left:
            return f"{bug}_left"
    return "_".join(bug for bug in chapter_05.QUIET if bug in left) + "_left"


def test_every_combination_of_the_seven_bugs_is_named_by_the_one_that_shows():
    exercise = get("debug_mlp_step")
    for count in range(1, 8):
        for left in combinations(BUGS, count):
            report = judge(exercise, chapter_05.planted_step(set(left)))
            assert report.cause.key == f"debug_mlp_step.{expected_name(left)}", left


def test_the_debug_stub_is_the_step_with_all_seven_bugs():
    frame = {"np": np}
    exec(chapter_05.DEBUG_STUB, frame)
    report = judge(get("debug_mlp_step"), frame["debug_mlp_step"])
    assert report.points == 0
    assert report.cause.key == "debug_mlp_step.recursion_left"


# --- independent oracles -------------------------------------------------------------------------


def autograd_loss(params, X, y, reg, depth):
    a = anp.reshape(X, (len(X), -1))
    for i in range(1, depth + 1):
        a = anp.dot(a, params[f"W{i}"]) + params[f"b{i}"]
        if i < depth:
            a = anp.maximum(a, 0)
    a = a - anp.max(a, axis=1, keepdims=True)
    log_p = a - anp.log(anp.sum(anp.exp(a), axis=1, keepdims=True))
    penalty = sum(anp.sum(params[f"W{i}"] ** 2) for i in range(1, depth + 1))
    return -anp.mean(log_p[np.arange(len(y)), y]) + 0.5 * reg * penalty


@pytest.mark.parametrize("name", ["TwoLayerNet", "FullyConnectedNet"])
def test_nets_agree_with_autograd_on_100_random_shapes(name):
    rng = np.random.default_rng(51)
    for _ in range(100):
        hidden = list(rng.integers(1, 7, 1 if name == "TwoLayerNet" else rng.integers(1, 5)))
        shape, c, n = tuple(rng.integers(1, 4, rng.integers(1, 4))), *rng.integers(2, 7, 2)
        d, reg = int(np.prod(shape)), float(rng.uniform(0, 1))
        if name == "TwoLayerNet":
            net = answer(name)(d, hidden[0], c, weight_scale=0.7, reg=reg)
        else:
            net = answer(name)(hidden, input_dim=d, num_classes=c, weight_scale=0.7, reg=reg)
        for key in net.params:
            net.params[key] = net.params[key] + 0.3 * rng.standard_normal(net.params[key].shape)
        X, y = rng.standard_normal((n, *shape)), rng.integers(0, c, n)
        loss, grads = net.loss(X, y)
        wanted = autograd.value_and_grad(autograd_loss)(net.params, X, y, reg, len(hidden) + 1)
        assert loss == pytest.approx(float(wanted[0]), rel=1e-12)
        assert set(grads) == set(net.params)
        for key in grads:
            np.testing.assert_allclose(grads[key], wanted[1][key], rtol=1e-9, atol=1e-13)


def test_predict_agrees_with_scikit_learn_on_the_same_weights():
    rng = np.random.default_rng(52)
    for seed in range(20):
        X, y = rng.standard_normal((30, 5)), np.arange(30) % 4
        theirs = MLPClassifier((6,), max_iter=1, solver="sgd", random_state=seed)
        theirs.partial_fit(X, y, classes=np.arange(4))
        net = answer("TwoLayerNet")(5, 6, 4)
        net.params.update(zip(("W1", "W2"), theirs.coefs_, strict=True))
        net.params.update(zip(("b1", "b2"), theirs.intercepts_, strict=True))
        assert (answer("predict")(net, X) == theirs.predict(X)).all()


def test_scaling_and_lines_agree_with_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(53)
    for _ in range(100):
        d, m = rng.integers(1, 7, 2)
        parts = [rng.normal(3, 2, (n, d)) for n in rng.integers(d + 2, 20, 3)]
        parts[0][:, 0] = 2.0  # a constant column
        scaler = StandardScaler().fit(parts[0])
        for got, part in zip(answer("standardise_on_train")(*parts), parts, strict=True):
            np.testing.assert_allclose(got, scaler.transform(part), rtol=1e-10, atol=1e-12)
        x, y = rng.normal(1, 1, (d + 8, d)), rng.standard_normal((d + 8, m))
        w, b = answer("least_squares")(x, y)
        line = LinearRegression().fit(x, y)
        np.testing.assert_allclose(w, line.coef_.T, rtol=1e-7, atol=1e-9)
        np.testing.assert_allclose(b, line.intercept_, rtol=1e-7, atol=1e-9)


def test_the_debug_step_is_the_step_that_autograd_takes():
    rng = np.random.default_rng(54)

    def loss(parameters, x, y):
        a = x
        for w, b in parameters[:-1]:
            a = anp.tanh(anp.dot(a, w) + b)
        return anp.mean((anp.dot(a, parameters[-1][0]) + parameters[-1][1] - y) ** 2)

    for _ in range(100):
        sizes = rng.integers(1, 7, rng.integers(2, 6))
        weights = [rng.standard_normal(shape) for shape in pairwise(sizes)]
        biases = [rng.standard_normal(size) for size in sizes[1:]]
        n = rng.integers(1, 7)
        x, y = rng.standard_normal((n, sizes[0])), rng.standard_normal((n, sizes[-1]))
        due = autograd.grad(loss)(list(zip(weights, biases, strict=True)), x, y)
        new = answer("debug_mlp_step")(x, y, weights, biases, 0.3)
        for i, (dw, db) in enumerate(due):
            np.testing.assert_allclose(new[0][i], weights[i] - 0.3 * dw, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(new[1][i], biases[i] - 0.3 * db, rtol=1e-9, atol=1e-12)


def test_fit_ends_where_least_squares_says():
    rng = np.random.default_rng(55)
    for _ in range(10):
        X, y = rng.standard_normal((12, 2)), rng.standard_normal((12, 2))
        params = {"W": np.zeros((2, 2)), "b": np.zeros(2)}
        losses, reason, found = chapter_05.drive_fit(
            answer("fit"), X, y, params, 0.3, 390, -1.0, 0.0
        )
        w, b = answer("least_squares")(X, y)
        assert (reason, len(losses)) == ("max_iter", 391)
        np.testing.assert_allclose(found["W"], w, atol=1e-4)
        np.testing.assert_allclose(found["b"], b, atol=1e-4)


# --- what the lesson and the quiz say ------------------------------------------------------------


def test_a_sigmoid_output_stays_above_five_for_targets_zero_to_five():
    x = np.arange(6.0)
    rng = np.random.default_rng(56)
    best = np.clip(x, 0, 1)
    assert ((best - x) ** 2).mean() == get("mlp_q6").answer == 5
    for w, b in rng.normal(0, 8, (500, 2)):
        z = np.clip(w * x + b, -30, 30)  # beyond 36 the computer rounds to 1
        assert ((1 / (1 + np.exp(-z)) - x) ** 2).mean() > 5


def test_the_numbers_of_the_quiz():
    net = answer("TwoLayerNet")(64, 32, 10)
    assert sum(p.size for p in net.params.values()) == get("mlp_q2").answer
    assert 100 * np.sqrt(0.03 * 0.97 / 360) == pytest.approx(get("mlp_q11").answer, abs=0.01)


def test_digits_reach_their_accuracy():
    digits = load_digits()
    x, _, x_test = answer("standardise_on_train")(
        np.vstack([digits.x_train, digits.x_val]), digits.x_val, digits.x_test
    )
    net = answer("TwoLayerNet")(64, 64, 10, weight_scale=0.1, reg=1e-3, seed=0)
    y = np.concatenate([digits.y_train, digits.y_val])
    answer("fit")(net, x, y, lr=0.5, max_iter=200)
    assert (answer("predict")(net, x_test) == digits.y_test).mean() >= 0.96


# --- fair to every style -------------------------------------------------------------------------


def scaled_by_loop(a, b, c):
    out = [np.array(part, dtype=float) for part in (a, b, c)]
    for j in range(a.shape[1]):
        mean = sum(a[:, j]) / len(a)
        std = (sum((a[:, j] - mean) ** 2) / len(a)) ** 0.5
        for part in out:
            part[:, j] = (part[:, j] - mean) / (std if std > 0 else 1)
    return tuple(out)


def scaled_in_place(a, b, c):
    mean, std = a.mean(0), a.std(0)
    std[std == 0] = 1
    for part in (a, b, c):
        part -= mean
        part /= std
    return [a, b, c]


def scaled_by_library(a, b, c):
    scaler = StandardScaler().fit(a)
    return scaler.transform(a), scaler.transform(b), scaler.transform(c)


def scaled_by_moments(a, b, c):
    mean = np.average(a, axis=0)
    std = np.sqrt(np.mean((a - mean) ** 2, axis=0))
    std = std + (std == 0)
    return tuple((part - mean[None, :]) / std[None, :] for part in (a, b, c))


def scaled_with_where(a, b, c):
    mean, std = a.mean(axis=0, keepdims=True), a.std(axis=0, keepdims=True)
    safe = np.where(std == 0, 1, std)
    return (a - mean) / safe, (b - mean) / safe, (c - mean) / safe


def scaled_with_divide(a, b, c):
    mean, std = a.mean(0), np.sqrt(a.var(0))
    keep = std > 1e-12
    return tuple(np.divide(p - mean, std, out=(p - mean).copy(), where=keep) for p in (a, b, c))


@pytest.mark.parametrize("thing", [
    scaled_by_loop, scaled_in_place, scaled_by_library, scaled_by_moments, scaled_with_where,
    scaled_with_divide,
])  # fmt: skip
def test_any_right_scaling_passes(thing):
    for seed in range(10):
        report = judged("standardise_on_train", thing, seed)
        assert report.passed, report.comment()


def line_by_normal_equations(x, y):
    X = np.c_[x, np.ones(len(x))]
    W = np.linalg.solve(X.T @ X, X.T @ y)
    return W[:-1], W[-1]


def line_by_centring(x, y):
    w = np.linalg.pinv(x - x.mean(0)) @ (y - y.mean(0))
    return w, y.mean(0) - x.mean(0) @ w


def line_ones_first(x, y):
    W = np.linalg.lstsq(np.column_stack([np.ones(len(x)), x]), y, rcond=None)[0]
    return W[1:], W[0]


def line_by_inverse(x, y):
    X = np.append(x, np.ones((x.shape[0], 1)), axis=1)
    W = np.linalg.inv(X.T.dot(X)).dot(X.T).dot(y)
    return W[: x.shape[1], :], W[x.shape[1], :]


def line_by_qr(x, y):
    q, r = np.linalg.qr(np.hstack((x, np.ones((len(x), 1)))))
    W = np.linalg.solve(r, q.T @ y)
    return W[:-1], W[-1].ravel()


def line_by_library(x, y):
    line = LinearRegression().fit(x, y)
    return line.coef_.T, line.intercept_


def line_column_by_column(x, y):
    X = np.hstack([x, np.ones((len(x), 1))])
    columns = [np.linalg.lstsq(X, y[:, k], rcond=None)[0] for k in range(y.shape[1])]
    W = np.array(columns).T
    return W[:-1], W[-1]


@pytest.mark.parametrize("thing", [
    line_by_normal_equations, line_by_centring, line_ones_first, line_by_inverse, line_by_qr,
    line_by_library, line_column_by_column,
])  # fmt: skip
def test_any_right_line_passes(thing):
    for seed in range(10):
        report = judged("least_squares", thing, seed)
        assert report.passed, report.comment()


class PlainNet:
    """Everything written out, with the global random stream."""

    def __init__(self, input_dim=64, hidden_dim=64, num_classes=10, weight_scale=0.1, reg=0.0):
        self.reg = reg
        self.params = {
            "W1": np.random.randn(input_dim, hidden_dim) * weight_scale,
            "W2": np.random.randn(hidden_dim, num_classes) * weight_scale,
            "b1": np.zeros(hidden_dim),
            "b2": np.zeros(num_classes),
        }

    def loss(self, X, y=None):
        p, N = self.params, X.shape[0]
        X = X.reshape(N, -1)
        Z = X.dot(p["W1"]) + p["b1"]
        A = np.maximum(0, Z)
        scores = A.dot(p["W2"]) + p["b2"]
        if y is None:
            return scores
        e = np.exp(scores)
        P = e / e.sum(1, keepdims=True)
        data = -np.log(P[range(N), y]).sum() / N
        P[range(N), y] -= 1
        P /= N
        dZ = P.dot(p["W2"].T)
        dZ[Z <= 0] = 0
        grads = {"W2": A.T.dot(P) + self.reg * p["W2"], "b2": P.sum(0)}
        grads["W1"] = X.T.dot(dZ) + self.reg * p["W1"]
        grads["b1"] = dZ.sum(0)
        penalty = 0.5 * self.reg * (np.sum(p["W1"] ** 2) + np.sum(p["W2"] ** 2))
        return data + penalty, grads


class NormNet(PlainNet):
    """The penalty by np.linalg.norm; extra entries in grads."""

    def loss(self, X, y=None):
        result = super().loss(X, y)
        if y is None:
            return result
        loss, grads = result
        half = 0.5 * self.reg
        old = half * sum(np.sum(self.params[w] ** 2) for w in ("W1", "W2"))
        new = half * sum(np.linalg.norm(self.params[w]) ** 2 for w in ("W1", "W2"))
        return loss - old + new, {**grads, "loss": loss}


class LoopNet(PlainNet):
    """One example at a time."""

    def loss(self, X, y=None):
        if y is None:
            return np.array([PlainNet.loss(self, x[None])[0] for x in X])
        reg, self.reg = self.reg, 0.0
        total, grads = 0.0, {k: np.zeros_like(v) for k, v in self.params.items()}
        for x, label in zip(X, y, strict=True):
            loss, g = PlainNet.loss(self, x[None], np.array([label]))
            total += loss / len(X)
            for k in grads:
                grads[k] += g[k] / len(X)
        self.reg = reg
        for k in ("W1", "W2"):
            total += 0.5 * reg * (self.params[k] * self.params[k]).sum()
            grads[k] += reg * self.params[k]
        return total, grads


class OneHotNet(PlainNet):
    """One-hot targets, logsumexp, einsum."""

    def loss(self, X, y=None):
        W1, b1, W2, b2 = map(self.params.get, ("W1", "b1", "W2", "b2"))
        X = X.reshape(len(X), W1.shape[0])
        z = np.einsum("nd,dh->nh", X, W1) + b1
        a = z * (z > 0)
        s = np.einsum("nh,hc->nc", a, W2) + b2
        if y is None:
            return s
        Y = np.eye(s.shape[1])[y]
        top = s.max(axis=1, keepdims=True)
        lse = top + np.log(np.exp(s - top).sum(axis=1, keepdims=True))
        loss = ((lse - s) * Y).sum() / len(X)
        loss = loss + self.reg / 2 * (np.vdot(W1, W1) + np.vdot(W2, W2))
        ds = (np.exp(s - lse) - Y) / len(X)
        dz = np.einsum("nc,hc->nh", ds, W2) * (z > 0)
        return loss, {
            "W1": np.einsum("nd,nh->dh", X, dz) + self.reg * W1,
            "b1": np.ones(len(X)) @ dz,
            "W2": np.einsum("nh,nc->hc", a, ds) + self.reg * W2,
            "b2": np.ones(len(X)) @ ds,
        }


class GradsKeptNet(PlainNet):
    """Gradients kept in the object and made anew at each call; numbers printed."""

    def loss(self, X, y=None):
        out = super().loss(X, y)
        if y is None:
            return out
        self.grads = out[1]
        print("loss", out[0])
        return float(out[0]), self.grads


class UniformNet(answer("TwoLayerNet")):
    """First weights uniform, with the same deviation."""

    def __init__(self, input_dim, hidden_dim, num_classes, weight_scale, reg):
        super().__init__(input_dim, hidden_dim, num_classes, weight_scale, reg)
        edge = weight_scale * np.sqrt(3)
        for name in ("W1", "W2"):
            self.params[name] = np.random.uniform(-edge, edge, self.params[name].shape)


class DeepAsTwo(answer("FullyConnectedNet")):
    """Built on the optional exercise."""

    def __init__(self, input_dim, hidden_dim, num_classes, weight_scale=0.1, reg=0.0):
        super().__init__([hidden_dim], input_dim, num_classes, 1, None, reg, weight_scale)


@pytest.mark.parametrize(
    "thing", [PlainNet, NormNet, LoopNet, OneHotNet, GradsKeptNet, UniformNet, DeepAsTwo]
)
def test_any_right_net_passes(thing):
    for seed in range(10):
        report = judged("TwoLayerNet", thing, seed)
        assert report.passed, report.comment()


def predict_by_loop(model, X):
    return [int(np.argmax(row)) for row in model.loss(X)]


def predict_by_sort(model, X):
    return np.argsort(model.loss(X), axis=-1)[:, -1]


def predict_by_softmax(model, X):
    e = np.exp(model.loss(X))
    return np.argmax(e / e.sum(1, keepdims=True), 1)


def predict_one_by_one(model, X):
    return np.array([model.loss(X[i : i + 1]).argmax() for i in range(len(X))])


def predict_by_mask(model, X):
    scores = model.loss(X)
    return np.where(scores == scores.max(axis=1)[:, None])[1]


def predict_transposed(model, X):
    return model.loss(X, None).T.argmax(0).astype(np.int32)


@pytest.mark.parametrize("thing", [
    predict_by_loop, predict_by_sort, predict_by_softmax, predict_one_by_one, predict_by_mask,
    predict_transposed,
])  # fmt: skip
def test_any_right_predict_passes(thing):
    for seed in range(10):
        report = judged("predict", thing, seed)
        assert report.passed, report.comment()


def fit_with_for(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
    history = []
    for step in range(max_iter + 1):
        loss, grads = model.loss(X, y)
        history.append(loss)
        if loss <= loss_threshold:
            return history, "threshold"
        if step and abs(history[-1] - history[-2]) < tol:
            return history, "converged"
        if step < max_iter:
            for name, grad in grads.items():
                model.params[name] -= lr * grad
    return history, "max_iter"


def fit_new_dict(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
    losses, previous, steps = [], None, 0
    while True:
        loss, grads = model.loss(X, y)
        losses += [loss]
        if not loss > loss_threshold:
            reason = "threshold"
            break
        if previous is not None and np.abs(previous - loss) < tol:
            reason = "converged"
            break
        if steps == max_iter:
            reason = "max_iter"
            break
        model.params = {k: v - lr * grads[k] for k, v in model.params.items()}
        previous, steps = loss, steps + 1
    return losses, reason


def fit_as_array(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
    losses, reason = fit_with_for(model, X, y, lr, max_iter, loss_threshold, tol)
    return np.array(losses), reason


def fit_with_sgd_step(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
    losses, last = [], np.inf
    for i in range(max_iter + 1):
        loss, grads = model.loss(X, y)
        losses.append(loss)
        if loss <= loss_threshold:
            return [losses, "threshold"]
        if abs(last - loss) < tol:
            return [losses, "converged"]
        if i == max_iter:
            return [losses, "max_iter"]
        last = loss
        model.params.update(answer("sgd_step")(model.params, grads, lr))


def fit_recursive(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0, _last=None):
    loss, grads = model.loss(X, y)
    if loss <= loss_threshold:
        return [loss], "threshold"
    if _last is not None and abs(loss - _last) < tol:
        return [loss], "converged"
    if max_iter == 0:
        return [loss], "max_iter"
    for name in model.params:
        model.params[name] = model.params[name] - lr * grads[name]
    rest, reason = fit_recursive(model, X, y, lr, max_iter - 1, loss_threshold, tol, loss)
    return [loss, *rest], reason


def fit_in_place(model, X, y, lr=0.1, max_iter=1000, loss_threshold=0.0, tol=0.0):
    losses, grads = [], {}
    while len(losses) <= max_iter:
        if losses:
            for name in sorted(model.params):
                np.subtract(model.params[name], lr * grads[name], out=model.params[name])
        loss, grads = model.loss(X, y)
        losses.append(float(loss))
        if loss <= loss_threshold:
            return losses, "threshold"
        if len(losses) >= 2 and -tol < losses[-1] - losses[-2] < tol:
            return losses, "converged"
    return losses, "max_iter"


@pytest.mark.parametrize("thing", [
    fit_with_for, fit_new_dict, fit_as_array, fit_with_sgd_step, fit_recursive, fit_in_place,
])  # fmt: skip
def test_any_right_loop_passes(thing):
    for seed in range(10):
        report = judged("fit", thing, seed)
        assert report.passed, report.comment()


def test_a_loop_that_only_returns_losses_is_told_so():
    def fit(model, X, y, **options):
        return fit_with_for(model, X, y, **options)[0]

    report = judged("fit", fit)
    assert not report.passed and report.outcome in ("wrong", "crashed")


def test_a_loop_that_never_stops_is_stopped():
    def fit(model, X, y, **options):
        while True:
            model.loss(X, y)

    report = judged("fit", fit)
    assert not report.passed and "did not stop" in report.comment()


# --- the explorers -------------------------------------------------------------------------------


@pytest.fixture
def made():
    widgets = []

    def make(widget):
        widgets.append(widget)
        return widget

    yield make
    for widget in widgets:
        widget.close()


def test_descent_draws_the_learners_step_over_the_reference(made):
    explorer = made(explore_descent(answer("sgd_step")))
    shown = set()
    for lr in (0.01, 0.07, 0.12):
        explorer.controls["lr"].value = lr
        assert explorer.problem == ""
        shown.add(explorer.picture.value)
        reference, own = explorer.reading.split("**")[1::2]
        assert reference == own
    assert len(shown) == 3
    wrong = made(explore_descent(lambda params, grads, lr: params["w"]))
    assert "dict" in wrong.problem


def test_the_boundary_moves_while_it_is_trained_and_goes_back(made):
    for net in (None, answer("TwoLayerNet")):
        explorer = made(explore_training(net))
        readings = []
        for step in (0, 40, 5, 40):
            explorer.controls["step"].value = step
            assert explorer.problem == ""
            readings.append(explorer.reading)
        assert readings[1] == readings[3] != readings[2]
        for name, value in (("width", 16), ("lr", 10.0), ("points", "spiral")):
            before = explorer.picture.value
            explorer.controls[name].value = value
            assert explorer.picture.value != before, name
            assert explorer.problem == ""


def test_a_net_that_is_not_ready_gives_a_sentence_and_the_reference(made):
    class Unwritten:
        def __init__(self, *args, **options):
            raise NotImplementedError

    class Broken(PlainNet):
        def loss(self, X, y=None):
            return 1 / 0

    class Flat(PlainNet):
        def loss(self, X, y=None):
            result = super().loss(X, y)
            return result.argmax(axis=1) if y is None else result

    assert "not written yet" in made(explore_training(Unwritten)).problem
    assert "ZeroDivisionError" in made(explore_training(Broken)).problem
    assert "shape" in made(explore_training(Flat)).problem


def test_drawn_digits_are_read_by_the_supplied_net_and_by_a_learners(made):
    widget = made(draw_digit())
    for digit in mlp_widgets.STROKES:
        widget.ink = mlp_widgets.stroked(digit).astype(int).ravel().tolist()
        assert widget.reading.startswith(f"The net reads a {digit} ")
    widget.ink = [0] * 1024
    assert "empty" in widget.reading
    own = made(draw_digit(answer("TwoLayerNet")(64, 20, 10), lambda x: x - 0.5))
    assert [len(layer) for layer in own.layers] == [20, 10] and own.problem == ""
    assert "ten scores" in made(draw_digit(lambda x: np.zeros(3))).problem
    assert "ZeroDivisionError" in made(draw_digit(lambda x: 1 / 0)).problem
    data, _ = own._repr_mimebundle_()
    assert data["image/png"].startswith("iVBORw0KGgo") and len(data["text/plain"]) > 40


def test_a_drawing_is_shrunk_as_the_data_were():
    ink = np.zeros((32, 32))
    ink[4:8, 8:10] = 1  # half of one cell
    small = mlp_widgets.shrink(ink)
    assert small[1, 2] == 0.5 and small.sum() == 0.5
    framed = mlp_widgets.fit_to_frame(ink)
    assert framed.any(axis=1).all() and framed.any(axis=0).sum() == 16
