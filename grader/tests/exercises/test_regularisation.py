"""Chapter 13: the definitions prove themselves and agree with scikit-learn and autograd."""

import warnings

import autograd.numpy as anp
import ipywidgets
import numpy as np
import pytest
from autograd import grad
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge

import grader.widgets as widgets
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import regularisation as chapter_13
from grader.exercises.losses import softmax_loss
from grader.proof import prove

CHAPTER = chapter_13.chapter
BY_NAME = {exercise.name: exercise for exercise in CHAPTER}
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]
SLOW = {"lasso_fit": 1, "debug_regularised_loss": 2, "elastic_net_fit": 2}


def judged(seed=0, **names):
    (name,) = names
    return check_exercise(BY_NAME[name], LocalAttempt(names), seed)


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name(name):
    assert prove(BY_NAME[name], range(SLOW.get(name, 4))) == []  # 30 seeds of each were run once


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(BY_NAME[name]) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    assert 4 <= len([e for e in core if e.kind != "quiz" and e.stub is None]) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 90
    assert 5 <= len(QUIZ) <= 12
    assert all("solutions/13_regularisation" in BY_NAME[name].hints[2] for name in TASKS)


# --- oracles -------------------------------------------------------------------------------------


def tables(count):
    """Random shapes: also N < D, equal columns and constant ones."""
    rng = np.random.default_rng(3)
    for k in range(count):
        n, d = int(rng.integers(3, 15)), int(rng.integers(1, 9))
        X = rng.normal(0, rng.uniform(0.3, 2, d), (n, d)) + rng.normal(0, 2, d)
        if k % 5 == 1 and d > 1:
            X[:, -1] = X[:, 0]
        if k % 5 == 2:
            X[:, 0] = 3.0
        yield rng, X, X @ rng.standard_normal(d) + rng.normal(2, 1, n)


def test_ridge_agrees_with_scikit_learn_on_100_tables():
    for rng, X, y in tables(100):
        l2 = float(rng.uniform(0.01, 2))
        w, b = chapter_13.ridge_fit(X, y, l2)
        model = Ridge(alpha=2 * len(y) * l2, tol=1e-12).fit(X, y)
        np.testing.assert_allclose(w, model.coef_, rtol=1e-7, atol=1e-9)
        assert b == pytest.approx(model.intercept_, rel=1e-7, abs=1e-8)
        w, b = chapter_13.ridge_fit(X, y, 0.0)  # not unique where columns depend on each other
        np.testing.assert_allclose(X @ w + b, LinearRegression().fit(X, y).predict(X), atol=1e-6)


def test_lasso_and_elastic_net_agree_with_scikit_learn_on_100_tables():
    for k, (rng, X, y) in enumerate(tables(100)):
        l1, l2 = float(rng.uniform(0.05, 1)), float(rng.uniform(0.05, 1))
        settings = {"tol": 1e-12, "max_iter": 100_000}
        alpha = l1 + 2 * l2
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pairs = [
                (chapter_13.lasso_fit(X, y, l1), Lasso(alpha=l1, **settings).fit(X, y)),
                (
                    chapter_13.elastic_net_fit(X, y, l1, l2),
                    ElasticNet(alpha=alpha, l1_ratio=l1 / alpha, **settings).fit(X, y),
                ),
            ]
        for (w, b), model in pairs:
            unique = k % 5 != 1 or l2 is None
            if unique or isinstance(model, ElasticNet) and not isinstance(model, Lasso):
                np.testing.assert_allclose(w, model.coef_, atol=2e-5)
            np.testing.assert_allclose(X @ w + b, model.predict(X), atol=2e-5)


def test_the_limits_of_the_elastic_net():
    for rng, X, y in tables(20):
        l2 = float(rng.uniform(0.2, 1))
        w, b = chapter_13.elastic_net_fit(X, y, 0.0, l2)
        np.testing.assert_allclose(w, chapter_13.ridge_fit(X, y, l2)[0], atol=1e-6)
        w, b = chapter_13.elastic_net_fit(X, y, 1e4, l2)
        assert not w.any() and b == pytest.approx(y.mean())


def test_penalties_agree_with_autograd_on_100_shapes():
    rng = np.random.default_rng(5)
    for _ in range(100):
        w = rng.normal(0, 2, tuple(rng.integers(1, 6, rng.integers(1, 4))))
        l1, l2 = rng.uniform(0, 2, 2)

        def both(v, l1=l1, l2=l2):
            return l1 * anp.sum(anp.abs(v)) + l2 * anp.sum(v**2)

        value, gradient = chapter_13.elastic_net_penalty(w, l1, l2)
        assert value == pytest.approx(both(w))
        np.testing.assert_allclose(gradient, grad(both)(w), rtol=1e-12)
        parts = chapter_13.l1_penalty(w, l1), chapter_13.l2_penalty(w, l2)
        assert value == pytest.approx(parts[0][0] + parts[1][0])
        np.testing.assert_allclose(gradient, parts[0][1] + parts[1][1])


def test_soft_thresholding_is_the_minimum_it_claims_to_be():
    rng = np.random.default_rng(6)
    z, t = rng.normal(0, 2, 200), 0.7
    w = chapter_13.soft_threshold(z, t)
    others = w[:, None] + rng.normal(0, 0.5, (200, 50))
    best = (w - z) ** 2 / 2 + t * np.abs(w)
    assert np.all(best[:, None] <= (others - z[:, None]) ** 2 / 2 + t * np.abs(others) + 1e-12)


def test_the_debugged_loss_agrees_with_autograd_and_with_chapter_04():
    rng = np.random.default_rng(7)
    for _ in range(30):
        n, d, h, c = rng.integers(2, 8, 4)
        X, y, p = rng.standard_normal((n, d)), rng.integers(0, c, n), rng.uniform(0.3, 1)
        arrays = [rng.standard_normal(s) for s in ((d, h), (h,), (h, c), (c,))]
        u, l2 = rng.random((n, h)), rng.uniform(0, 1)

        def loss(arrays, X=X, y=y, u=u, p=p, l2=l2):
            W1, b1, W2, b2 = arrays
            s = anp.maximum(X @ W1 + b1, 0) * (u < p) / p @ W2 + b2
            s = s - anp.max(s, axis=1, keepdims=True)
            data = anp.mean(anp.log(anp.sum(anp.exp(s), axis=1)) - s[np.arange(len(y)), y])
            return data + l2 * (anp.sum(W1**2) + anp.sum(W2**2))

        found = chapter_13.debug_regularised_loss(X, y, *arrays, l2, p, u)
        assert found[0] == pytest.approx(loss(arrays))
        for mine, theirs in zip(found[1:], grad(loss)(arrays), strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12)
        h1 = np.maximum(X @ arrays[0] + arrays[1], 0)
        plain = softmax_loss(h1 @ arrays[2] + arrays[3], y)[0]
        again = chapter_13.debug_regularised_loss(X, y, *arrays, 0.0, 1.0, u)[0]
        assert again == pytest.approx(plain)


def test_decoupled_decay_is_adam_plus_a_shrinking_and_l2_for_plain_descent():
    from grader.exercises.optimisers import adam

    rng = np.random.default_rng(8)
    w, config, other = rng.standard_normal((4, 3)), {"weight_decay": 0.3}, {}
    for _ in range(6):
        g = rng.standard_normal(w.shape)
        plain, other = adam(w, g, other)
        stepped, config = chapter_13.adamw(w, g, config)
        np.testing.assert_allclose(stepped, plain - 1e-3 * 0.3 * w, rtol=1e-9)
        w = stepped
        other = {**other, "m": config["m"], "v": config["v"], "t": config["t"]}


def test_bias_and_variance_add_up_to_the_error():
    rng = np.random.default_rng(9)
    for _ in range(50):
        r, n = rng.integers(2, 9, 2)
        predictions, t = rng.standard_normal((r, n)), rng.standard_normal(n)
        assert sum(chapter_13.bias_variance(predictions, t)) == pytest.approx(
            ((predictions - t) ** 2).mean()
        )


# --- dropout and the debug exercise --------------------------------------------------------------


def test_a_check_of_dropout_leaves_the_generator_of_the_notebook_alone():
    np.random.seed(4)
    wanted = np.random.rand(3)
    np.random.seed(4)

    def classic(x, dropout_param):
        np.random.seed(dropout_param["seed"])
        return x * (np.random.rand(*x.shape) < dropout_param["p"]) / dropout_param["p"], None

    kept = np.random.get_state()
    for thing in (chapter_13.dropout_forward, classic):
        np.random.set_state(kept)
        drive = chapter_13.drive_seed
        drive(thing, np.ones((5, 6)), 0.5, 1)
        np.testing.assert_array_equal(np.random.rand(3), wanted)


def test_a_backward_without_its_forward_gets_the_usual_cache():
    from types import FunctionType

    answer = chapter_13.dropout_backward
    alone = FunctionType(answer.__code__, {"np": np}, "dropout_backward")
    assert judged(dropout_backward=alone).passed
    assert not judged(dropout_backward=lambda dout, cache: dout * 2).passed


def test_the_bugs_may_be_mended_in_any_order():
    namespace = {"np": np}
    exec(chapter_13.DEBUG_STUB, namespace)
    report = judged(debug_regularised_loss=namespace["debug_regularised_loss"])
    assert report.cause.key == "debug_regularised_loss.left_kept_mean_factor_scale_bias"
    rng = np.random.default_rng(1)
    for _ in range(3):
        left = list(rng.permutation(list(chapter_13.PLANTED)))
        while left:
            left.pop()
            report = judged(debug_regularised_loss=chapter_13._planted(tuple(left)))
            assert report.passed == (not left)
            if left:
                ordered = [bug for bug in chapter_13.PLANTED if bug in left]
                key = "left_" + "_".join(ordered)
                assert report.cause.key == f"debug_regularised_loss.{key}"


# --- the explorers -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["explore_degree", "explore_penalty"])
def test_each_control_changes_the_explorer(name):
    explorer = getattr(widgets, name)()
    for key, control in explorer.controls.items():
        before = explorer.picture.value, explorer.reading
        if hasattr(control, "options"):
            values = [v[1] if isinstance(v, tuple) else v for v in control.options]
            control.value = next(value for value in values if value != control.value)
        elif isinstance(control, ipywidgets.Checkbox):
            control.value = not control.value
        else:
            control.value += control.step
        assert (explorer.picture.value, explorer.reading) != before, key
        assert explorer.problem == "", key
    explorer.close()


def test_the_learners_fit_lies_on_the_reference_and_a_broken_one_gets_a_sentence():
    explorer = widgets.explore_degree(chapter_13.ridge_fit)
    assert "off by at most" in explorer.reading and explorer.problem == ""
    explorer.close()
    for fit in (chapter_13.elastic_net_fit, chapter_13.lasso_fit, chapter_13.ridge_fit):
        explorer = widgets.explore_penalty(fit)
        assert "off by at most" in explorer.reading and explorer.problem == ""
        explorer.close()
    for broken in (lambda X, y, l2: None, lambda X, y, l2: (X, 0), lambda X, y, l2: 1 / 0):
        explorer = widgets.explore_degree(broken)
        assert "the function" in explorer.problem and "Degree" in explorer.reading
        explorer.close()
