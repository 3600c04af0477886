"""Chapter 04: the definitions prove themselves, agree with others, and are fair to every style."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special
import sklearn.metrics

from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import get, get_chapter
from grader.proof import judge, prove
from grader.widgets import explore_confidence, explore_logits

CHAPTER = get_chapter("04_losses")
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]


def answer(name):
    return get(name).answer


def judged(seed=0, **names):
    """The report on the last of the named things, handed in beside the others."""
    return check_exercise(get(list(names)[-1]), LocalAttempt(names), seed)


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    seeds = 4 if name == "debug_logistic_step" else 25  # 100 seeds were run once, for all
    assert prove(get(name), range(seeds)) == []


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(get(name)) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    fill_in = [e for e in core if e.kind != "quiz" and e.stub is None]
    assert 4 <= len(fill_in) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 90
    assert 5 <= len(QUIZ) <= 12


def test_every_hint_ends_with_the_way_to_the_solution():
    for name in TASKS:
        assert "solutions/04_losses" in get(name).hints[2]


def test_the_right_letter_varies():
    letters = [get(name).answer for name in QUIZ if get(name).choices]
    assert len(set(letters)) == 4


# --- independent oracles -------------------------------------------------------------------------


def sizes(rng, count):
    return [int(n) for n in rng.integers(1, 9, count)]


def agree(found, graph, inputs):
    """Loss and gradient against autograd's."""
    assert found[0] == pytest.approx(float(graph(inputs)), rel=1e-11, abs=1e-13)
    np.testing.assert_allclose(found[1], autograd.grad(graph)(inputs), rtol=1e-9, atol=1e-12)


def log_softmax(x):
    m = anp.max(x, axis=1, keepdims=True)
    return x - m - anp.log(anp.sum(anp.exp(x - m), axis=1, keepdims=True))


def hinge_graph(x, y):
    one_hot = np.eye(x.shape[1])[y]
    true = anp.sum(x * one_hot, axis=1, keepdims=True)
    return anp.sum(anp.maximum(0, x - true + 1) * (1 - one_hot)) / len(y)


def entropy_graph(x, y):
    return -anp.sum(log_softmax(x) * np.eye(x.shape[1])[y]) / len(y)


def test_mse_agrees_with_autograd_and_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(1)
    for _ in range(100):
        shape = tuple(sizes(rng, 2))
        pred, y = rng.standard_normal(shape), rng.standard_normal(shape)
        found = answer("mse_loss")(pred, y)
        agree(found, lambda p, y=y: anp.mean((p - y) ** 2), pred)
        assert found[0] == pytest.approx(sklearn.metrics.mean_squared_error(y, pred))


def test_both_binary_cross_entropies_agree_with_autograd_and_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(2)
    for _ in range(100):
        n = sizes(rng, 1)[0]
        z, y = rng.normal(0, 2, n), rng.integers(0, 2, n).astype(float)
        p = scipy.special.expit(z)

        def of_p(p, y=y):
            return -anp.mean(y * anp.log(p) + (1 - y) * anp.log(1 - p))

        agree(answer("bce_loss")(p, y), of_p, p)
        agree(answer("bce_with_logits_loss")(z, y), lambda z, f=of_p: f(1 / (1 + anp.exp(-z))), z)
        wanted = sklearn.metrics.log_loss(y, p, labels=[0, 1])
        assert answer("bce_with_logits_loss")(z, y)[0] == pytest.approx(wanted, rel=1e-10)


def test_softmax_loss_agrees_with_autograd_scipy_and_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(3)
    for _ in range(100):
        n, c = sizes(rng, 2)
        c += 1
        x, y = rng.normal(0, 3, (n, c)), rng.integers(0, c, n)
        found = answer("softmax_loss")(x, y)
        agree(found, lambda x, y=y: entropy_graph(x, y), x)
        log_p = scipy.special.log_softmax(x, axis=1)
        assert found[0] == pytest.approx(-log_p[np.arange(n), y].mean(), rel=1e-12)
        p = scipy.special.softmax(x, axis=1)
        wanted = sklearn.metrics.log_loss(y, p, labels=list(range(c)))
        assert found[0] == pytest.approx(wanted, rel=1e-8)


def test_svm_and_hinge_loss_agree_with_autograd_and_scikit_learn_on_100_shapes():
    rng = np.random.default_rng(4)
    for _ in range(100):
        n, c = sizes(rng, 2)
        c += 1
        x, y = rng.normal(0, 2, (n, c)), rng.integers(0, c, n)
        agree(answer("svm_loss")(x, y), lambda x, y=y: hinge_graph(x, y), x)
        s, t = rng.normal(0, 2, n), 2.0 * rng.integers(0, 2, n) - 1
        found = answer("hinge_loss")(s, t)
        agree(found, lambda s, t=t: anp.mean(anp.maximum(0, 1 - t * s)), s)
        if len(set(t)) == 2:  # scikit-learn reads a single label in its own way
            assert found[0] == pytest.approx(sklearn.metrics.hinge_loss(t, s))


@pytest.mark.parametrize("kind, graph", [("softmax", entropy_graph), ("svm", hinge_graph)])
def test_linear_models_agree_with_autograd_on_100_shapes(kind, graph):
    rng = np.random.default_rng(5)
    for _ in range(100):
        n, d, c = sizes(rng, 3)
        c += 1
        W, X, y = rng.standard_normal((d, c)), rng.standard_normal((n, d)), rng.integers(0, c, n)
        reg = float(rng.uniform(0, 2))
        for style in ("naive", "vectorized"):
            agree(
                answer(f"{kind}_loss_{style}")(W, X, y, reg),
                lambda W, X=X, y=y, reg=reg: graph(anp.dot(X, W), y) + reg * anp.sum(W**2),
                W,
            )


def test_log_sum_exp_agrees_with_scipy_on_100_shapes_and_at_every_size():
    rng = np.random.default_rng(6)
    for _ in range(100):
        shape = tuple(sizes(rng, rng.integers(1, 5)))
        x = rng.normal(0, 3, shape) + rng.choice([0.0, 1e3, -1e3, 1e6])
        wanted = scipy.special.logsumexp(x, axis=-1)
        np.testing.assert_allclose(answer("log_sum_exp")(x), wanted, rtol=1e-12)


def test_bce_with_logits_is_right_and_silent_at_every_size():
    for z in (-1e6, -1000.0, -745.0, -37.0, 0.0, 37.0, 745.0, 1000.0, 1e6):
        for y in (0.0, 1.0):
            with np.errstate(all="raise", under="ignore"):
                loss, dz = answer("bce_with_logits_loss")(np.array([z]), np.array([y]))
            assert loss == pytest.approx(np.logaddexp(0, -z if y else z), rel=1e-12)
            assert dz[0] == pytest.approx(scipy.special.expit(z) - y, rel=1e-12, abs=1e-300)


def test_the_debug_steps_gradients_agree_with_autograd():
    rng = np.random.default_rng(7)
    for case in get("debug_logistic_step").cases(rng):
        X, y, w, b, reg, lr = case.args

        def loss(w, b, X=X, y=y, reg=reg):
            z = anp.dot(X, w) + b
            return anp.mean(anp.log(1 + anp.exp(z)) - y * z) + reg * anp.sum(w**2)

        found = answer("debug_logistic_step")(*case.args)
        assert found[0] == pytest.approx(loss(w, b), rel=1e-12)
        np.testing.assert_allclose(found[1], autograd.grad(loss, 0)(w, b), rtol=1e-10)
        np.testing.assert_allclose(found[2], autograd.grad(loss, 1)(w, b), rtol=1e-10)
        np.testing.assert_allclose(found[3], w - lr * found[1])
        assert found[4] == pytest.approx(b - lr * found[2])


# --- what the lesson and the quiz say ------------------------------------------------------------


def test_the_numbers_in_the_quiz_are_right():
    errors = np.array([[3.0], [-3], [1], [-1]])
    assert answer("mse_loss")(errors, 0 * errors)[0] == get("losses_q2").answer
    assert -np.log(0.01) == pytest.approx(get("losses_q3").answer, abs=5e-4)
    scores = np.zeros((1, 10))
    first = answer("softmax_loss")(scores, np.array([3]))[0]
    assert first == pytest.approx(get("losses_q4").answer, abs=5e-4)
    x = np.log(np.array([[0.7, 0.2, 0.1]]))
    dx = answer("softmax_loss")(x, np.array([1]))[1][0]
    assert dict(get("losses_q5").choices)["a"] == f"({', '.join(f'{d:.1f}' for d in dx)})"
    both = answer("bce_loss")(np.array([0.9999]), np.array([0.0]))[0]
    assert both == pytest.approx(get("losses_q8").answer, abs=5e-3)
    p = scipy.special.expit(-10)
    assert p * (1 - p) == pytest.approx(0.00005, rel=0.1)
    assert answer("hinge_loss")(np.array([0.5]), np.array([-1.0]))[0] == get("losses_q10").answer
    found = answer("svm_loss")(np.array([[2.0, 1.5, -1.0]]), np.array([0]))[0]
    assert found == get("losses_q11").answer


def test_sigmoid_and_softmax_pass_on_prediction_minus_target():
    rng = np.random.default_rng(0)
    z, y = rng.normal(0, 2, 7), rng.integers(0, 2, 7).astype(float)
    p, cache = answer("sigmoid_forward")(z)
    two_steps = answer("sigmoid_backward")(answer("bce_loss")(p, y)[1], cache)
    np.testing.assert_allclose(two_steps, answer("bce_with_logits_loss")(z, y)[1], rtol=1e-9)


def test_two_scores_are_one_logit():
    rng = np.random.default_rng(1)
    x, y = rng.normal(0, 2, (6, 2)), rng.integers(0, 2, 6)
    binary = answer("bce_with_logits_loss")(x[:, 1] - x[:, 0], y * 1.0)[0]
    assert answer("softmax_loss")(x, y)[0] == pytest.approx(binary, rel=1e-12)


# --- fair to every style -------------------------------------------------------------------------


def mse_by_loop(pred, y):
    n, k = pred.shape
    loss, dx = 0, np.zeros((n, k))
    for i in range(n):
        for j in range(k):
            loss += (pred[i][j] - y[i][j]) ** 2
            dx[i, j] = 2 * (pred[i, j] - y[i, j]) / (n * k)
    return loss / (n * k), dx


def mse_in_place(pred, y):
    pred -= y
    loss = np.mean(np.square(pred))
    pred *= 2.0 / pred.size
    return loss, pred


def mse_by_norm(pred, y):
    diff = y - pred
    return np.linalg.norm(diff) ** 2 / diff.size, -2 / np.prod(diff.shape) * diff


def mse_einsum(pred, y):
    diff = pred - y
    return np.einsum("ij,ij->", diff, diff) / y.size, np.divide(diff, 0.5 * y.size)


def mse_flat(pred, y):
    diff = (pred - y).ravel()
    return float(diff @ diff / len(diff)), (diff * 2 / len(diff)).reshape(pred.shape)


def mse_expanded(pred, y):
    return (pred**2 - 2 * pred * y + y**2).mean(), (2 * pred - 2 * y) / (len(y) * y.shape[1])


def mse_float32(pred, y):
    pred, y = pred.astype(np.float32), y.astype(np.float32)
    return ((pred - y) ** 2).mean(), 2 * (pred - y) / pred.size


def mse_mean_of_means(pred, y):
    return ((pred - y) ** 2).mean(axis=0).mean(), [list(r) for r in 2 * (pred - y) / y.size]


def bce_by_loop(p, y):
    loss, dx = 0.0, np.zeros(len(p))
    for i in range(len(p)):
        if y[i] == 1:
            loss -= np.log(p[i])
            dx[i] = -1 / p[i] / len(p)
        else:
            loss -= np.log(1 - p[i])
            dx[i] = 1 / (1 - p[i]) / len(p)
    return loss / len(p), dx


def bce_where(p, y):
    happened = np.where(y == 1, p, 1 - p)
    return -np.log(happened).mean(), np.where(y == 1, -1, 1) / happened / p.size


def bce_two_terms(p, y):
    n = y.shape[0]
    return -(y @ np.log(p) + (1 - y) @ np.log1p(-p)) / n, (-y / p + (1 - y) / (1 - p)) / n


def bce_epsilon(p, y, eps=1e-8):
    loss = -np.mean(y * np.log(p + eps) + (1 - y) * np.log(1 - p + eps))
    return loss, (p - y) / (p * (1 - p) + eps) / len(p)


def bce_clipped(p, y):
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return np.average(-np.log(np.abs(1 - y - p))), -(y - p) / p / (1 - p) / len(y)


def bce_boolean(p, y):
    yes = y.astype(bool)
    loss = -(np.log(p[yes]).sum() + np.log(1 - p[~yes]).sum()) / len(y)
    p[yes], p[~yes] = -1 / p[yes], 1 / (1 - p[~yes])
    return loss, p / len(y)


def bce_power(p, y):
    loss = -np.log(np.prod(p**y * (1 - p) ** (1 - y))) / len(p)
    return loss, ((1 - y) / (1 - p) - y / p) / len(p)


def logits_softplus(z, y):
    soft = np.logaddexp(0, z)
    return (soft - y * z).mean(), (scipy.special.expit(z) - y) / len(z)


def logits_where(z, y):
    p = np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))
    loss = np.where(z >= 0, (1 - y) * z + np.log1p(np.exp(-z)), -y * z + np.log1p(np.exp(z)))
    return loss.mean(), (p - y) / z.size


def logits_plain_log(z, y):
    loss = np.maximum(z, 0) - z * y + np.log(1 + np.exp(-np.abs(z)))
    return np.mean(loss), (1 / (1 + np.exp(-z)) - y) / len(y)


def logits_signs(z, y):
    t = 2 * y - 1
    return np.logaddexp(0, -t * z).mean(), -t * scipy.special.expit(-t * z) / len(z)


def logits_two_terms(z, y):
    loss = y * np.logaddexp(0, -z) + (1 - y) * np.logaddexp(0, z)
    return loss.sum() / len(z), (0.5 * (1 + np.tanh(z / 2)) - y) / len(z)


def logits_by_loop(z, y):
    loss, dz = 0.0, []
    for a, t in zip(z, y, strict=True):
        a = float(a)
        if a > 0:
            e = np.exp(-a)
            loss += a * (1 - t) + np.log(1 + e)
            dz.append((1 / (1 + e) - t) / len(z))
        else:
            e = np.exp(a)
            loss += -a * t + np.log(1 + e)
            dz.append((e / (1 + e) - t) / len(z))
    return loss / len(z), np.array(dz)


def logits_scipy(z, y):
    loss = -(y * scipy.special.log_expit(z) + (1 - y) * scipy.special.log_expit(-z))
    return loss.mean(), (scipy.special.expit(z) - y) / len(z)


def softmax_one_hot(x, y):
    one_hot = np.zeros_like(x)
    one_hot[np.arange(len(y)), y] = 1
    e = np.exp(x)
    p = e / np.sum(e, axis=1)[:, None]
    return -np.sum(one_hot * np.log(p)) / len(x), (p - one_hot) / x.shape[0]


def softmax_by_loop(x, y):
    loss, dx = 0.0, np.zeros(x.shape)
    for i in range(len(x)):
        total = sum(np.exp(v) for v in x[i])
        loss += np.log(total) - x[i, y[i]]
        for j in range(x.shape[1]):
            dx[i, j] = np.exp(x[i, j]) / total - (1 if j == y[i] else 0)
    return loss / len(x), dx / len(x)


def softmax_in_place(x, y):
    x -= x.max(axis=1)[:, np.newaxis]
    np.exp(x, out=x)
    x /= x.sum(axis=1, keepdims=True)
    loss = -np.log(x[range(len(y)), y]).sum() / len(y)
    x[range(len(y)), y] -= 1
    x /= len(y)
    return loss, x


def softmax_with_epsilon(x, y):
    p = np.exp(x - np.max(x, axis=1, keepdims=True))
    p /= np.sum(p, axis=1, keepdims=True)
    N = x.shape[0]
    loss = -np.sum(np.log(p[np.arange(N), y] + 1e-8)) / N
    dx = p.copy()
    dx[np.arange(N), y] -= 1
    return loss, dx / N


def softmax_by_log(x, y):
    log_p = x - scipy.special.logsumexp(x, axis=1, keepdims=True)
    return -np.take_along_axis(log_p, y[:, None], 1).mean(), (
        np.exp(log_p) - np.eye(x.shape[1])[y]
    ) / len(x)


def softmax_transposed(x, y):
    e = np.exp(x.T - x.max())
    p = (e / e.sum(axis=0)).T
    loss = -np.log(np.choose(y, p.T)).mean()
    np.subtract.at(p, (np.arange(len(y)), y), 1)
    return loss, p / len(y)


def softmax_float32(x, y):
    return answer("softmax_loss")(x.astype(np.float32), y)


def softmax_more_returned(x, y):
    loss, dx = answer("softmax_loss")(x, y)
    return np.array(loss), dx


def svm_by_loop(x, y):
    loss, dx = 0.0, np.zeros_like(x)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            if j == y[i]:
                continue
            margin = x[i, j] - x[i, y[i]] + 1
            if margin > 0:
                loss += margin
                dx[i, j] += 1
                dx[i, y[i]] -= 1
    return loss / len(x), dx / len(x)


def svm_classic(x, y):
    N = x.shape[0]
    correct = x[np.arange(N), y]
    margins = np.maximum(0, x - correct[:, np.newaxis] + 1.0)
    margins[np.arange(N), y] = 0
    loss = np.sum(margins) / N
    num_pos = np.sum(margins > 0, axis=1)
    dx = np.zeros_like(x)
    dx[margins > 0] = 1
    dx[np.arange(N), y] -= num_pos
    dx /= N
    return loss, dx


def svm_minus_one(x, y):
    one_hot = np.eye(x.shape[1])[y]
    gap = x - (x * one_hot).sum(axis=1, keepdims=True) + 1
    loss = np.clip(gap, 0, None).sum() / len(x) - 1
    mask = (gap > 0) * 1.0
    return loss, (mask - one_hot * mask.sum(axis=1, keepdims=True)) / len(x)


def svm_in_place(x, y):
    rows = range(len(y))
    x -= x[rows, y].reshape(-1, 1).copy() - 1
    x[rows, y] = 0
    x[x < 0] = 0
    loss = x.sum() / len(y)
    x[x > 0] = 1
    x[rows, y] = -x.sum(axis=1)
    return loss, x / len(y)


def svm_with_delta(x, y, delta=1.0):
    diff = x - np.choose(y, x.T).reshape(-1, 1) + delta * (np.arange(x.shape[1]) != y[:, None])
    pull = np.where(diff > 0, 1.0, 0.0)
    for i, t in enumerate(y):
        pull[i, t] = -(pull[i].sum() - pull[i, t])
    return diff[diff > 0].sum() / len(y), pull / len(y)


def svm_masked(x, y):
    other = np.ones(x.shape, bool)
    other[np.arange(len(y)), y] = False
    gap = x[other].reshape(len(y), -1) - x[~other][:, None] + 1
    dx = np.zeros(x.shape)
    dx[other] = (gap > 0).ravel() / len(y)
    dx[~other] = -(gap > 0).sum(1) / len(y)
    return np.maximum(gap, 0).sum(1).mean(), dx


def linear_by_parts(W, X, y, reg):
    scores = X.dot(W)
    scores -= np.max(scores, axis=1, keepdims=True)
    p = np.exp(scores) / np.sum(np.exp(scores), axis=1, keepdims=True)
    N = X.shape[0]
    loss = np.sum(-np.log(p[np.arange(N), y])) / N + reg * np.sum(W * W)
    p[np.arange(N), y] -= 1
    return loss, np.dot(X.T, p) / N + 2 * reg * W


def linear_unshifted_with_epsilon(W, X, y, reg):
    e = np.exp(X @ W)
    p = e / (e.sum(axis=1).reshape(-1, 1) + 1e-8)
    loss = -np.log(p[np.arange(len(y)), y]).mean() + reg * (W**2).sum()
    dW = X.T @ (p - np.eye(W.shape[1])[y]) / len(y)
    dW += reg * 2 * W
    return loss, dW


def linear_naive(W, X, y, reg):
    return answer("softmax_loss_naive")(W, X, y, reg)


def linear_one_hot(W, X, y, reg):
    log_p = scipy.special.log_softmax(X @ W, axis=1)
    Y = (y[:, None] == np.arange(W.shape[1])).astype(float)
    loss = -(Y * log_p).sum() / len(X) + reg * np.linalg.norm(W) ** 2
    return loss, -(X.T @ (Y - np.exp(log_p))) / len(X) + 2.0 * reg * W


def linear_einsum(W, X, y, reg):
    x = np.einsum("nd,dc->nc", X, W)
    p = scipy.special.softmax(x, axis=1)
    q = p - np.eye(W.shape[1])[y]
    loss = scipy.special.logsumexp(x, axis=1).mean() - np.take_along_axis(x, y[:, None], 1).mean()
    return loss + reg * np.vdot(W, W), np.einsum("nd,nc->dc", X, q) / len(y) + 2 * reg * W


def linear_outer(W, X, y, reg):
    loss, dW = reg * np.square(W).sum(), 2 * reg * W
    for row, t in zip(X, y, strict=True):
        p = scipy.special.softmax(row @ W)
        loss = loss - np.log(p[t]) / len(X)
        p[t] -= 1
        dW = dW + np.outer(row, p) / len(X)
    return loss, dW


def linear_svm_classic(W, X, y, reg):
    scores = X @ W
    N = len(X)
    margins = np.maximum(0, scores - scores[np.arange(N), y].reshape(N, 1) + 1)
    margins[np.arange(N), y] = 0
    loss = margins.sum() / N + reg * (W * W).sum()
    mask = (margins > 0).astype(int)
    mask[np.arange(N), y] = -mask.sum(axis=1)
    return loss, X.T.dot(mask) / N + 2 * reg * W


def hinge_where(s, y):
    return np.where(y * s < 1, 1 - y * s, 0).mean(), np.where(y * s < 1, -y, 0.0) / len(s)


def hinge_loop(s, y):
    terms = [max(0, 1 - a * b) for a, b in zip(y, s, strict=True)]
    return sum(terms) / len(s), np.array(
        [-b / len(s) if t > 0 else 0 for t, b in zip(terms, y, strict=True)]
    )


def step_from_logits(X, y, w, b, reg, lr):
    z = X.dot(w) + b
    loss = np.mean(np.logaddexp(0, z) - y * z) + reg * w.dot(w)
    dz = scipy.special.expit(z) - y
    dw, db = np.mean(X * dz[:, None], axis=0) + reg * w * 2, np.mean(dz)
    return loss, dw, db, w - lr * dw, b - lr * db


def step_in_place(X, y, w, b, reg, lr):
    p = 1 / (1 + np.exp(-(X @ w + b)))
    error = y - p
    loss = -np.mean(np.where(y == 1, np.log(p + 1e-8), np.log(1 - p + 1e-8))) + reg * np.sum(w * w)
    dz = -error / len(X)
    dw = X.T @ dz + 2 * reg * w
    db = np.sum(dz)
    w -= lr * dw
    b -= lr * db
    return loss, dw, db, w, b


STYLES = {
    "mse_loss": [
        mse_by_loop, mse_in_place, mse_by_norm, mse_einsum, mse_flat, mse_expanded, mse_float32,
        mse_mean_of_means,
    ],
    "bce_loss": [
        bce_by_loop, bce_where, bce_two_terms, bce_epsilon, bce_clipped, bce_boolean, bce_power,
    ],
    "bce_with_logits_loss": [
        logits_softplus, logits_where, logits_plain_log, logits_signs, logits_two_terms,
        logits_by_loop, logits_scipy,
    ],
    "softmax_loss": [
        softmax_one_hot, softmax_by_loop, softmax_in_place, softmax_with_epsilon, softmax_by_log,
        softmax_transposed, softmax_float32, softmax_more_returned,
    ],
    "svm_loss": [
        svm_by_loop, svm_classic, svm_minus_one, svm_in_place, svm_with_delta, svm_masked,
    ],
    "softmax_loss_vectorized": [
        linear_by_parts, linear_unshifted_with_epsilon, linear_naive, linear_one_hot,
        linear_einsum, linear_outer,
    ],
    "svm_loss_vectorized": [linear_svm_classic, answer("svm_loss_naive")],
    "hinge_loss": [hinge_where, hinge_loop],
    "log_sum_exp": [
        lambda x: scipy.special.logsumexp(x, axis=-1),
        lambda x: np.logaddexp.reduce(x, axis=-1),
    ],
    "debug_logistic_step": [step_from_logits, step_in_place],
}  # fmt: skip


@pytest.mark.parametrize(
    "name, attempt", [(name, attempt) for name, many in STYLES.items() for attempt in many]
)
def test_any_right_implementation_passes(name, attempt):
    for seed in range(20):
        report = judged(seed, **{name: attempt})
        assert report.passed, (seed, report.comment())


def test_a_linear_model_may_call_the_learners_own_loss():
    names = {"softmax_loss": softmax_one_hot, "np": np}
    source = (
        "def softmax_loss_vectorized(W, X, y, reg):\n"
        "    loss, d = softmax_loss(X @ W, y)\n"
        "    return loss + reg * np.sum(W * W), X.T @ d + 2 * reg * W\n"
    )
    exec(source, names)
    assert judged(softmax_loss_vectorized=names["softmax_loss_vectorized"]).passed


# --- wrong in ways that a good check must see ----------------------------------------------------


def cause(name, attempt, seed=0):
    report = judge(get(name), attempt, seed)
    assert not report.passed
    return report.cause.key


def test_an_epsilon_is_no_stable_loss():
    def attempt(z, y):
        p = 1 / (1 + np.exp(-z))
        loss = -np.mean(y * np.log(p + 1e-12) + (1 - y) * np.log(1 - p + 1e-12))
        return loss, (p - y) / len(z)

    report = judge(get("bce_with_logits_loss"), attempt, 0)
    assert report.cause.key == "bce_with_logits_loss.stable_at_1000"
    assert 0 < report.points < report.max_points  # loss and gradient are right elsewhere


def test_a_penalty_that_is_right_without_its_weight_is_found():
    def attempt(W, X, y, reg):
        loss, dW = answer("softmax_loss_vectorized")(W, X, y, reg)
        return loss, dW - reg * W

    assert cause("softmax_loss_vectorized", attempt) == (
        "softmax_loss_vectorized.penalty_slope_without_2"
    )


def test_the_order_in_which_bugs_are_mended_does_not_matter():
    """Bugs mended from the last line upwards are named too."""

    def step_only(X, y, w, b, reg, lr):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        error = y - p
        loss = error.mean() + reg * np.sum(w * w)
        dz = error / len(X)
        dw = X.T @ dz + reg * w
        db = dz.mean()
        return loss, dw, db, w - lr * dw, b - lr * db

    found = cause("debug_logistic_step", step_only)
    assert found == "debug_logistic_step.left_raw_error_sign_slope_mean"


def test_a_half_mended_loss_is_named_while_other_bugs_are_left():
    def half(X, y, w, b, reg, lr):
        p = 1 / (1 + np.exp(-(X @ w + b)))
        loss = -(y * np.log(p)).mean() + reg * np.sum(w * w)
        dz = (y - p) / len(X)
        dw, db = X.T @ dz + reg * w, dz.mean()
        return loss, dw, db, w + lr * dw, b + lr * db

    report = judge(get("debug_logistic_step"), half, 0)
    assert report.points == 0
    assert report.cause.key == "debug_logistic_step.half_a_cross_entropy"
    assert "right" not in report.cause.message  # the other parts are not, yet


# --- the explorers -------------------------------------------------------------------------------


def test_the_explorers_draw_a_learners_loss_and_say_its_numbers():
    picture = explore_confidence(answer("bce_with_logits_loss"))
    picture.controls["z"].value = -6.0
    assert not picture.problem and "`bce_with_logits_loss`: **6.002**" in picture.reading
    picture = explore_logits(answer("svm_loss"))
    assert picture.values["loss"] == "hinge" and not picture.problem
    picture.close()


@pytest.mark.parametrize("explore", [explore_confidence, explore_logits])
def test_an_explorer_says_what_is_wrong_with_a_learners_loss(explore):
    def unwritten(x, y):
        raise NotImplementedError

    assert "not written yet" in explore(unwritten).problem
    assert "two things" in explore(lambda x, y: 1.0).problem
    assert "shape" in explore(lambda x, y: (1.0, np.zeros(7))).problem


def test_adding_1000_to_all_scores_changes_nothing():
    picture = explore_logits()
    before = picture.reading
    picture.controls["shift"].value = 1000
    assert picture.reading == before
