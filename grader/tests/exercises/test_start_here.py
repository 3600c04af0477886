"""Chapter 00: many right programs pass, and the answers agree with independent oracles."""

import itertools
import math

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from autograd import jacobian as autograd_jacobian
from scipy import optimize

from grader.exercises import get
from grader.proof import judge

NUMERIC = ("numerical_gradient", "numerical_jacobian", "directional_derivative")


# --- right programs, written in many ways --------------------------------------------------------


def means_by_loop(X):
    return [sum(row[j] for row in X) / len(X) for j in range(X.shape[1])]


def means_by_product(X):
    return np.ones(len(X)) @ X / len(X)


def means_by_einsum(X):
    return np.einsum("nd->d", X) / X.shape[0]


def means_by_average(X):
    return np.average(X, axis=-2)


def means_by_transpose(X):
    return np.array([column.mean() for column in X.T])


def means_by_running_sum(X):
    total = np.zeros(X.shape[1])
    for row in X:
        total += row
    return total / len(X)


def error_by_ravel(a, b):
    if np.shape(a) != np.shape(b):
        raise ValueError
    both = np.concatenate([np.ravel(a), np.ravel(b)])
    return np.max(np.abs(np.ravel(a) - np.ravel(b))) / max(np.max(np.abs(both)), 1e-12)


def error_by_loop(a, b):
    if a.ndim != b.ndim or any(m != n for m, n in zip(a.shape, b.shape, strict=True)):
        raise ValueError("unequal shapes")
    size, gap = 1e-200, 0.0
    for x, y in zip(a.flat, b.flat, strict=True):
        size, gap = max(size, abs(x), abs(y)), max(gap, abs(x - y))
    return gap / size


def error_by_norms(a, b):
    if not a.shape == b.shape:
        raise ValueError(f"{a.shape} {b.shape}")
    inf = np.inf
    size = np.maximum(np.linalg.norm(a.ravel(), inf), np.linalg.norm(b.ravel(), inf))
    return np.linalg.norm((a - b).ravel(), inf) / (size + np.finfo(float).tiny)


def error_with_early_return(a, b):
    a, b = np.asarray(a, float), np.asarray(b, float)
    if list(a.shape) != list(b.shape):
        raise ValueError
    if (a == b).all():
        return 0
    return float(abs(a - b).max() / np.amax([abs(a), abs(b)]))


def error_by_stack(a, b):
    if a.shape != b.shape:
        raise ValueError
    pair = np.stack([a, b])
    return np.ptp(pair, axis=0).max() / max(np.abs(pair).max(), 1e-8)


def error_with_where(a, b):
    match a.shape == b.shape:
        case False:
            raise ValueError("shapes")
    size = max(abs(a).max(), abs(b).max())
    return np.max(np.fabs(np.subtract(a, b))) / np.where(size == 0, 1.0, size)


def gradient_in_place(f, x, h=1e-5):
    x = x if x.dtype.kind == "f" else x.astype(float)
    grad = np.zeros_like(x)
    for i in np.ndindex(*x.shape):
        old = x[i]
        x[i] = old + h
        above = f(x)
        x[i] = old - h
        below = f(x)
        x[i] = old
        grad[i] = (above - below) / (2 * h)
    return grad


def gradient_by_nditer(f, x, h=1e-5):
    x = 1.0 * x
    grad = np.zeros(x.shape)
    walk = np.nditer(x, flags=["multi_index"], op_flags=["readwrite"])
    while not walk.finished:
        i = walk.multi_index
        old = x[i]
        x[i] += h
        above = f(x)
        x[i] -= 2 * h
        below = f(x)
        x[i] = old
        grad[i] = (above - below) / 2 / h
        walk.iternext()
    return grad


def gradient_by_flat(f, x, h=1e-5):
    flat = x.ravel().astype(float)
    out = []
    for k in range(flat.size):
        e = np.zeros(flat.size)
        e[k] = h
        ahead, behind = (flat + e).reshape(x.shape), (flat - e).reshape(x.shape)
        out.append((f(ahead) - f(behind)) * (0.5 / h))
    return np.array(out).reshape(x.shape)


def gradient_by_identity(f, x, h=1e-5):
    steps = h * np.eye(x.size).reshape(x.size, *x.shape)
    return np.reshape([(f(x + s) - f(x - s)) / (2 * h) for s in steps], x.shape)


def gradient_nudged_back(f, x, h=1e-5):
    """Restores by adding h once more: x may end one rounding away from where it was."""
    work = x if x.dtype == float else np.array(x, dtype=float)
    grad = np.empty(work.shape)
    for i, _ in np.ndenumerate(work):
        work[i] += h
        above = f(work)
        work[i] -= 2 * h
        grad[i] = (above - f(work)) / (2 * h)
        work[i] += h
    return grad


def gradient_with_true_step(f, x, h=1e-5):
    """Divides by the step really taken."""
    x = np.asarray(x, dtype=np.float64)
    grad = np.zeros(x.shape)
    for i in itertools.product(*map(range, x.shape)):
        up, down = x.copy(), x.copy()
        up[i], down[i] = x[i] + h, x[i] - h
        grad[i] = (f(up) - f(down)) / (up[i] - down[i])
    return grad


def gradient_through_flat_iterator(f, x, h=1e-5):
    grad = np.zeros(x.shape)
    for k in range(x.size):
        up, down = np.array(x, float), np.array(x, float)
        up.flat[k] += h
        down.flat[k] -= h
        grad.flat[k] = (f(up) - f(down)) / (2 * h)
    return grad


def jacobian_by_columns(f, x, h=1e-5):
    columns = []
    for i in np.ndindex(x.shape):
        e = np.zeros(x.shape)
        e[i] = h
        columns.append((f(x + e) - f(x - e)) / (2 * h))
    return np.stack(columns, axis=-1).reshape(np.shape(columns[0]) + x.shape)


def jacobian_by_rows(f, x, h=1e-5):
    out = f(x)
    rows = [gradient_in_place(lambda x, k=k: f(x).flat[k], x.copy(), h) for k in range(out.size)]
    return np.array(rows).reshape(*out.shape, *x.shape)


def jacobian_in_place(f, x, h=1e-5):
    J = np.zeros(f(x).shape + x.shape)
    for i in np.ndindex(x.shape):
        old = x[i]
        x[i] = old + h
        above = f(x).copy()
        x[i] = old - h
        J[(slice(None),) * (J.ndim - x.ndim) + i] = (above - f(x)) / (2 * h)
        x[i] = old
    return J


def jacobian_by_flat(f, x, h=1e-5):
    out = np.asarray(f(x))
    J = np.empty((out.size, x.size))
    for k in range(x.size):
        up, down = x.copy(), x.copy()
        up.flat[k] += h
        down.flat[k] -= h
        J[:, k] = ((f(up) - f(down)) / (2 * h)).ravel()
    return J.reshape(out.shape + x.shape)


def jacobian_moved_axes(f, x, h=1e-5):
    J = np.zeros(x.shape + f(x).shape)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = 1
        J[i] = (f(x + h * e) - f(x - h * e)) / 2 / h
    return np.moveaxis(J, range(x.ndim), range(-x.ndim, 0))


def jacobian_with_ellipsis(f, x, h=1e-5):
    J = np.zeros((*f(x).shape, x.size))
    for k, e in enumerate(np.eye(x.size)):
        step = h * e.reshape(x.shape)
        J[..., k] = (f(x + step) - f(x - step)) / (2 * h)
    return J.reshape(*J.shape[:-1], *x.shape)


def slope_by_line(f, x, v, h=1e-5):
    def g(t):
        return f(x + t * v)

    return (g(h) - g(-h)) / (2 * h)


def slope_on_copies(f, x, v, h=1e-5):
    up, down = x.copy(), x.copy()
    up += h * v
    down -= h * v
    return float((f(up) - f(down)) / 2 / h)


def slope_in_place(f, x, v, h=1e-5):
    old = x.copy()
    x += h * v
    above = f(x)
    x[...] = old - h * v
    below = f(x)
    x[...] = old
    return (above - below) / (2 * h)


def slope_two_halves(f, x, v, h=1e-5):
    here = f(x)
    return ((f(x + h * v) - here) / h + (here - f(x - h * v)) / h) / 2


def slope_as_array(f, x, v, h=1e-5):
    return np.array((f(x + h * v) - f(x - h * v)) * 0.5 / h)


def slope_by_linspace(f, x, v, h=1e-5):
    below, above = (f(x + t * v) for t in (-h, h))
    return np.diff([below, above])[0] / (h - -h)


def line_by_mean(X, y, w, b):
    error = X @ w + b - y
    return 2 * (error[:, None] * X).mean(axis=0), 2 * error.mean()


def line_by_einsum(X, y, w, b):
    e = np.einsum("nd,d->n", X, w) + b - y
    return np.einsum("n,nd->d", e, X) * 2 / len(y), e.sum() * 2 / len(y)


def line_by_loop(X, y, w, b):
    dw, db = np.zeros(len(w)), 0.0
    for row, target in zip(X, y, strict=True):
        miss = 2 * (sum(row * w) + b - target) / len(X)
        dw += miss * row
        db += miss
    return dw, db


def line_by_columns(X, y, w, b):
    d = 2 * (X.dot(w) + b - y) / y.size
    return d @ X, np.sum(d)


def line_by_augmentation(X, y, w, b):
    A = np.column_stack([X, np.ones(len(X))])
    g = 2 / len(A) * A.T @ (A @ np.append(w, b) - y)
    return [g[:-1], g[-1]]


def line_by_normal_equations(X, y, w, b):
    n = X.shape[0]
    dw = 2 / n * (X.T @ X @ w + b * X.sum(0) - X.T @ y)
    return dw, 2 / n * (X.sum(0) @ w + n * b - y.sum())


def complex_by_identity(f, x, h=1e-30):
    steps = 1j * h * np.eye(x.size).reshape(-1, *x.shape)
    return np.reshape([np.imag(f(x + s)) / h for s in steps], x.shape)


def complex_by_flat(f, x, h=1e-30):
    grad = np.zeros_like(x)
    for k in range(x.size):
        z = x + 0j
        z.flat[k] += complex(0, h)
        grad.flat[k] = f(z).imag / h
    return grad


def complex_by_list(f, x, h=1e-30):
    slopes = []
    for i in np.ndindex(x.shape):
        z = x.astype(np.complex128)
        z[i] = z[i] + h * 1j
        slopes.append((f(z) / h).imag)
    return np.array(slopes).reshape(x.shape)


def complex_put_back(f, x, h=1e-30):
    z = np.array(x, dtype=complex)
    grad = np.empty(x.shape)
    for i in np.ndindex(z.shape):
        z[i] = x[i] + 1j * h
        grad[i] = f(z).imag / h
        z[i] = x[i]
    return grad


def complex_by_minus(f, x, h=1e-30):
    grad = np.zeros(x.shape)
    for i in np.ndindex(x.shape):
        z = x.astype(complex)
        z[i] -= 1j * h
        grad[i] = -f(z).imag / h
    return grad


def complex_own_step(f, x, h=1e-30):
    grad = np.zeros(x.shape)
    for i, value in np.ndenumerate(x):
        z = x.astype(complex)
        z[i] = complex(value, h)
        grad[i] = np.divide(np.imag(f(z)), h)
    return grad


RIGHT = {
    "column_means": (
        means_by_loop,
        means_by_product,
        means_by_einsum,
        means_by_average,
        means_by_transpose,
        means_by_running_sum,
    ),
    "relative_error": (
        error_by_ravel,
        error_by_loop,
        error_by_norms,
        error_with_early_return,
        error_by_stack,
        error_with_where,
    ),
    "numerical_gradient": (
        gradient_in_place,
        gradient_by_nditer,
        gradient_by_flat,
        gradient_by_identity,
        gradient_nudged_back,
        gradient_with_true_step,
        gradient_through_flat_iterator,
    ),
    "numerical_jacobian": (
        jacobian_by_columns,
        jacobian_by_rows,
        jacobian_in_place,
        jacobian_by_flat,
        jacobian_moved_axes,
        jacobian_with_ellipsis,
    ),
    "directional_derivative": (
        slope_by_line,
        slope_on_copies,
        slope_in_place,
        slope_two_halves,
        slope_as_array,
        slope_by_linspace,
    ),
    "debug_line_gradients": (
        line_by_mean,
        line_by_einsum,
        line_by_loop,
        line_by_columns,
        line_by_augmentation,
        line_by_normal_equations,
    ),
    "complex_step_gradient": (
        complex_by_identity,
        complex_by_flat,
        complex_by_list,
        complex_put_back,
        complex_by_minus,
        complex_own_step,
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
    names = {e.name for e in get_chapter_exercises() if e.kind != "quiz"}
    assert {name for name, many in RIGHT.items() if len(many) >= 6} == names


def get_chapter_exercises():
    from grader.exercises import get_chapter

    return get_chapter("00").exercises


# --- the answers against independent oracles -----------------------------------------------------


def waves(x):
    k = np.arange(x.size).reshape(x.shape)
    return (x * anp.sin(x + k)).sum() + x.sum() ** 2 / x.size


@pytest.mark.parametrize("shape", [(5,), (2, 3), (2, 3, 5)])
def test_the_gradient_agrees_with_automatic_differentiation(shape):
    x = np.random.default_rng(1).normal(0.5, 1, shape)
    exact = elementwise_grad(waves)(x)
    gap = np.abs(get("numerical_gradient").answer(waves, x) - exact).max()
    assert gap < 1e-9 * np.abs(exact).max()
    gap = np.abs(get("complex_step_gradient").answer(waves, x) - exact).max()
    assert gap < 1e-14 * np.abs(exact).max()


def test_the_gradient_agrees_with_scipy():
    x = np.random.default_rng(2).normal(0.5, 1, 6)
    forward = optimize.approx_fprime(x, waves)
    assert np.allclose(get("numerical_gradient").answer(waves, x), forward, rtol=1e-6, atol=1e-6)


def test_the_jacobian_agrees_with_automatic_differentiation():
    rng = np.random.default_rng(3)
    B = rng.normal(0, 0.7, (3, 5))

    def f(x):
        return anp.sin(anp.dot(x, B))

    for shape in [(3,), (2, 3)]:
        x = rng.standard_normal(shape)
        found, exact = get("numerical_jacobian").answer(f, x), autograd_jacobian(f)(x)
        assert found.shape == exact.shape == (*f(x).shape, *shape)
        assert np.abs(found - exact).max() < 1e-9


def test_the_directional_derivative_is_gradient_times_direction():
    rng = np.random.default_rng(4)
    x, v = rng.standard_normal((40, 25)), rng.standard_normal((40, 25))
    exact = (elementwise_grad(waves)(x) * v).sum()
    assert math.isclose(
        get("directional_derivative").answer(waves, x, v), exact, rel_tol=1e-8, abs_tol=1e-7
    )


def test_the_line_gradients_agree_with_central_differences():
    rng = np.random.default_rng(5)
    X, y, w, b = rng.standard_normal((7, 3)), rng.standard_normal(7), rng.standard_normal(3), 0.7
    dw, db = get("debug_line_gradients").answer(X, y, w, b)

    def loss(p):
        return ((X @ p[:-1] + p[-1] - y) ** 2).mean()

    exact = get("numerical_gradient").answer(loss, np.append(w, b))
    assert np.allclose(np.append(dw, db), exact, rtol=1e-8)


# --- what a checker must not let through ---------------------------------------------------------


@pytest.mark.parametrize("name", NUMERIC)
def test_one_sided_differences_miss_the_tolerance_by_far(name):
    """On every seed the forward difference differs ten times more than is allowed."""
    from grader.expected import by_part, prepare, run_answer

    exercise = get(name)
    (wrong,) = [m.answer for m in exercise.mistakes if m.key == "forward_difference"]
    for seed in range(20):
        margin = 0.0
        for item in prepare(exercise, seed):
            if item.property is None:
                found = by_part(exercise, run_answer(exercise, item.case, wrong))
                for part, value in found.items():
                    gap = np.abs(value - item.expected[part]).max()
                    margin = max(margin, gap / item.tolerances[part])
        assert margin > 10


def test_a_single_wrong_entry_is_not_averaged_away():
    error = get("relative_error").answer
    a = np.ones(1_000_000)
    b = a.copy()
    b[123_456] = 1.5
    assert error(a, b) == pytest.approx(1 / 3)
    assert math.isnan(error(np.where(a == b, a, np.nan), b))
