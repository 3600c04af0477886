"""Chapter 11: the definitions prove themselves, agree with autograd, and explain every bug."""

import time

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from scipy.special import expit

import grader.widgets as widgets
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import lstm as chapter_11
from grader.proof import judge, prove
from grader.widgets.learner import LearnerProblem
from grader.widgets.lstm import NAMES, hand_set, learner_lstm, run_lstm
from grader.widgets.lstm_memory import keeping

CHAPTER = chapter_11.chapter
BY_NAME = {exercise.name: exercise for exercise in CHAPTER}
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]


def answer(name):
    return BY_NAME[name].answer


def judged(seed=0, name="", **names):
    """The report on what is handed in, by default for the one name."""
    return check_exercise(BY_NAME[name or next(iter(names))], LocalAttempt(names), seed)


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name(name):
    assert prove(BY_NAME[name], range(2)) == []  # 30 seeds of each were run once


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(BY_NAME[name]) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    fill_in = [e for e in core if e.kind != "quiz" and e.stub is None]
    assert 4 <= len(fill_in) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 95
    assert 5 <= len(QUIZ) <= 12


def test_a_check_answers_in_a_fifth_of_a_second():
    for name in TASKS:
        judge(BY_NAME[name], answer(name))  # the expected values are computed once
        start = time.process_time()
        judge(BY_NAME[name], answer(name))
        assert time.process_time() - start < 0.2, name


# --- independent oracles: formulas written again, and autograd -----------------------------------


def plain_lstm(x, h, c, Wx, Wh, b, p=None):
    """The step with autograd's arrays, gate by gate."""
    H = h.shape[1]
    parts = [
        anp.dot(x, Wx[:, k * H : (k + 1) * H])
        + anp.dot(h, Wh[:, k * H : (k + 1) * H])
        + b[k * H : (k + 1) * H]
        for k in range(4)
    ]
    bend = lambda a: 0.5 * (1 + anp.tanh(a / 2))  # noqa: E731
    pi, pf, po = (0, 0, 0) if p is None else (p[0], p[1], p[2])
    next_c = bend(parts[1] + pf * c) * c + bend(parts[0] + pi * c) * anp.tanh(parts[3])
    return bend(parts[2] + po * next_c) * anp.tanh(next_c), next_c


def plain_gru(x, h, Wx, Wh, b):
    H = h.shape[1]
    cut = [slice(k * H, (k + 1) * H) for k in range(3)]
    bend = lambda a: 0.5 * (1 + anp.tanh(a / 2))  # noqa: E731
    r = bend(anp.dot(x, Wx[:, cut[0]]) + anp.dot(h, Wh[:, cut[0]]) + b[cut[0]])
    z = bend(anp.dot(x, Wx[:, cut[1]]) + anp.dot(h, Wh[:, cut[1]]) + b[cut[1]])
    n = anp.tanh(anp.dot(x, Wx[:, cut[2]]) + anp.dot(r * h, Wh[:, cut[2]]) + b[cut[2]])
    return z * h + (1 - z) * n


def gradients(f, inputs):
    return [grad(f, k)(*inputs) for k in range(len(inputs))]


def test_forward_and_backward_agree_with_autograd_on_100_random_shapes():
    rng = np.random.default_rng(11)
    for trial in range(100):
        n, d, h = (int(v) for v in rng.integers(1, 6, 3))
        inputs = chapter_11._cell(rng, n, d, h)
        up_h, up_c = rng.normal(0, 1, (2, n, h))
        if trial % 2:
            inputs = (*inputs, rng.normal(0, 1, (3, h)))
        name = "lstm_peephole_step" if trial % 2 else "lstm_step"
        next_h, next_c, cache = answer(f"{name}_forward")(*inputs)
        right = plain_lstm(*inputs)
        np.testing.assert_allclose(next_h, right[0], rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(next_c, right[1], rtol=1e-10, atol=1e-12)

        def loss(*at, up_h=up_h, up_c=up_c):
            out = plain_lstm(*at)
            return anp.sum(up_h * out[0]) + anp.sum(up_c * out[1])

        found = answer(f"{name}_backward")(up_h, up_c, cache)
        for got, wanted in zip(found, gradients(loss, inputs), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-11)


def test_the_gru_agrees_with_autograd_on_100_random_shapes():
    rng = np.random.default_rng(12)
    for _ in range(100):
        n, d, h = (int(v) for v in rng.integers(1, 6, 3))
        inputs, up = chapter_11._cell(rng, n, d, h, 3), rng.normal(0, 1, (n, h))
        next_h, cache = answer("gru_step_forward")(*inputs)
        np.testing.assert_allclose(next_h, plain_gru(*inputs), rtol=1e-10, atol=1e-12)
        wanted = gradients(lambda *at, up=up: anp.sum(up * plain_gru(*at)), inputs)
        for got, right in zip(answer("gru_step_backward")(up, cache), wanted, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-11)


def test_sequences_agree_with_autograd_on_100_random_shapes():
    rng = np.random.default_rng(13)
    for _ in range(100):
        n, t, d, h = (int(v) for v in rng.integers(1, 5, 4))
        _, h0, _, Wx, Wh, b = chapter_11._cell(rng, n, d, h)
        x, up = rng.normal(0, 1, (n, t, d)), rng.normal(0, 1, (n, t, h))

        def loss(x, h0, Wx, Wh, b, up=up):
            state, cell, total = h0, 0 * h0, 0.0
            for k in range(x.shape[1]):
                state, cell = plain_lstm(x[:, k], state, cell, Wx, Wh, b)
                total = total + anp.sum(up[:, k] * state)
            return total

        inputs = (x, h0, Wx, Wh, b)
        out, cache = answer("lstm_forward")(*inputs)
        assert (up * out).sum() == pytest.approx(loss(*inputs), rel=1e-9, abs=1e-11)
        wanted = gradients(loss, inputs)
        for got, right in zip(answer("lstm_backward")(up, cache), wanted, strict=True):
            np.testing.assert_allclose(got, right, rtol=1e-9, atol=1e-11)


def test_the_repaired_debug_function_agrees_with_autograd():
    rng = np.random.default_rng(14)
    for case in BY_NAME["debug_lstm_gradients"].cases(rng):
        x, y, *weights = case.args

        def loss(Wx, Wh, b, w, x=x, y=y):
            state = cell = np.zeros((len(x), len(w)))
            for k in range(x.shape[1]):
                state, cell = plain_lstm(x[:, k], state, cell, Wx, Wh, b)
            return anp.mean((anp.dot(state, w) - y) ** 2) / 2

        value, found = answer("debug_lstm_gradients")(*case.args)
        assert value == pytest.approx(loss(*weights))
        wanted = gradients(loss, weights)
        for name, right in zip(("Wx", "Wh", "b", "w"), wanted, strict=True):
            np.testing.assert_allclose(found[name], right, rtol=1e-9, atol=1e-12)


def test_an_open_forget_gate_keeps_the_cell_and_its_gradient():
    """The constant error carousel: f = 1, i = 0."""
    rng = np.random.default_rng(15)
    x, prev_h, prev_c, Wx, Wh, b = chapter_11._cell(rng, 4, 3, 5)
    b[:5], b[5:10] = -1000, 1000
    with np.errstate(over="ignore"):
        _, next_c, cache = answer("lstm_step_forward")(x, prev_h, prev_c, Wx, Wh, b)
    np.testing.assert_array_equal(next_c, prev_c)
    dnext_c = rng.normal(0, 1, (4, 5))
    _, _, dprev_c, *_ = answer("lstm_step_backward")(0 * dnext_c, dnext_c, cache)
    np.testing.assert_array_equal(dprev_c, dnext_c)


def test_without_peepholes_the_peephole_step_is_the_plain_one():
    rng = np.random.default_rng(16)
    inputs = chapter_11._cell(rng, 4, 3, 5)
    with_zeros = answer("lstm_peephole_step_forward")(*inputs, np.zeros((3, 5)))[:2]
    plain = answer("lstm_step_forward")(*inputs)[:2]
    np.testing.assert_allclose(with_zeros, plain, rtol=1e-14)


def test_the_numbers_in_the_quiz_are_right():
    i, f, g, c = 0.5, 0.25, -1.0, 2.0
    assert f * c + i * g == BY_NAME["lstm_q1"].answer
    shapes = (10, 80), (20, 80), (80,)
    assert sum(int(np.prod(shape)) for shape in shapes) == BY_NAME["lstm_q5"].answer
    assert BY_NAME["lstm_q7"].answer == pytest.approx(0.00515, abs=1e-5)
    right = [BY_NAME[name].answer for name in QUIZ if isinstance(BY_NAME[name].answer, str)]
    assert set(right) == set("abcd")


# --- the learner's own forward goes before the backward ------------------------------------------


def test_the_backward_is_judged_with_the_cache_of_the_learners_own_forward():
    scope = {"np": np}
    exec(
        """
def lstm_step_forward(*inputs):
    x, h, c, Wx, Wh, b = inputs
    i, f, o, g = np.split(x @ Wx + h @ Wh + b, 4, axis=1)
    s = lambda v: 1 / (1 + np.exp(-v))
    c = s(f) * c + s(i) * np.tanh(g)
    return s(o) * np.tanh(c), c, {"mine": inputs}

def lstm_step_backward(dnext_h, dnext_c, cache):
    x, h, c, Wx, Wh, b = cache["mine"]
    i, f, o, g = np.split(x @ Wx + h @ Wh + b, 4, axis=1)
    i, f, o = (1 / (1 + np.exp(-v)) for v in (i, f, o))
    g = np.tanh(g)
    t = np.tanh(f * c + i * g)
    dc = dnext_c + dnext_h * o * (1 - t**2)
    da = np.hstack([dc * g * i * (1 - i), dc * c * f * (1 - f), dnext_h * t * o * (1 - o),
                    dc * i * (1 - g**2)])
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, h.T @ da, da.sum(axis=0)
""",
        scope,
    )
    for seed in range(10):
        attempt = LocalAttempt(scope)
        assert check_exercise(BY_NAME["lstm_step_backward"], attempt, seed).passed
    del scope["lstm_step_forward"]
    report = check_exercise(BY_NAME["lstm_step_backward"], LocalAttempt(scope))
    assert not report.passed
    assert "lstm_step_forward" in report.comment()


def test_a_backward_that_is_not_written_counts_as_not_attempted():
    scope = {"np": np}
    exec(
        """
def lstm_step_forward(x, h, c, Wx, Wh, b):
    raise NotImplementedError
def lstm_step_backward(dnext_h, dnext_c, cache):
    raise NotImplementedError
""",
        scope,
    )
    report = check_exercise(BY_NAME["lstm_step_backward"], LocalAttempt(scope))
    assert report.outcome == "not_attempted"


def test_a_wrong_forget_gate_is_called_by_its_name():
    report = judged(name="lstm_step_backward", lstm_step_backward=_wrong_forget_gate)
    assert report.cause.key == "lstm_step_backward.forget_sees_the_new_cell"


lstm_step_forward = chapter_11.lstm_step_forward  # where the driver looks for it


def _wrong_forget_gate(dnext_h, dnext_c, cache):
    x, prev_h, prev_c, Wx, Wh, i, f, o, g, t = cache
    dc = dnext_c + dnext_h * o * (1 - t**2)
    df = dc * np.arctanh(t)  # the new cell
    gates = [dc * g * i * (1 - i), df * f * (1 - f), dnext_h * t * o * (1 - o), dc * i * (1 - g**2)]
    da = np.hstack(gates)
    return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, prev_h.T @ da, da.sum(axis=0)


# --- explorers -----------------------------------------------------------------------------------


def test_the_lstm_set_by_hand_adds_the_marked_numbers():
    rng = np.random.default_rng(17)
    for _ in range(50):
        x = np.column_stack([rng.uniform(-1, 1, 16), rng.integers(0, 8, 16) == 0])
        found = run_lstm(hand_set(), x)
        goal = (x[:, 0] * x[:, 1]).sum()
        assert abs(found["y"][-1] - goal) < 0.05 * max(1, abs(goal)) ** 3


def test_the_explorers_formulas_are_those_of_the_exercise():
    rng = np.random.default_rng(18)
    Wx, Wh, b = rng.normal(0, 1, (2, 12)), rng.normal(0, 1, (3, 12)), rng.normal(0, 1, 12)
    params = {"Wx": Wx, "Wh": Wh, "b": b, "w": rng.normal(0, 1, 3), "w0": np.array(0.5)}
    x = rng.normal(0, 1, (9, 2))
    own = learner_lstm(answer("lstm_step_forward"), params, x, shift=0.7)
    found = run_lstm(params, x, shift=0.7)
    np.testing.assert_allclose(own["c"], found["c"])
    np.testing.assert_allclose(own["y"], found["y"])
    np.testing.assert_allclose(found["i"][0], expit((x[0] @ Wx + b)[:3]))


def test_inside_an_lstm_takes_the_learners_step_and_says_what_is_wrong():
    widget = widgets.explore_lstm(answer("lstm_step_forward"))
    assert len(widget.own["y"]) == len(widget.x)
    assert widget.problem == ""
    before = widget.own["y"][-1]
    widget.shift = -8.0
    assert widget.own["y"][-1] != before
    data, _ = widget._repr_mimebundle_()
    assert "alt=" in data["text/html"]
    assert {"image/png", "text/plain"} <= set(data)
    widget.close()
    for wrong, word in (
        (lambda *a: 1.0, "one value"),
        (lambda x, h, c, *w: (h, c[0], None), "next_c"),
    ):
        broken = widgets.explore_lstm(wrong)
        assert word in broken.problem
        broken.close()


def test_inside_an_lstm_refuses_weights_of_other_sizes():
    params = hand_set()
    assert tuple(params) == NAMES
    with pytest.raises(ValueError, match="two inputs"):
        widgets.explore_lstm(params={**params, "Wx": np.zeros((3, 8))})


def test_the_memory_explorer_draws_the_learners_cell_and_is_quick():
    explorer = widgets.explore_memory(answer("lstm_step_forward"))
    start = time.process_time()
    for bias in np.linspace(-2, 10, 10):
        explorer._show({"forget_bias": bias, "weight": 0.9})
        assert explorer.problem == ""
    assert (time.process_time() - start) / 10 < 0.1  # about 20 ms alone on a machine
    kept = keeping(answer("lstm_step_forward"), 2.0)
    assert kept[60] / kept[20] == pytest.approx(expit(2.0) ** 40, rel=1e-3)
    explorer.close()
    with pytest.raises(LearnerProblem):
        keeping(lambda *a: None, 0.0)
