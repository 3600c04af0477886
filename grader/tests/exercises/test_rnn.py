"""Chapter 10: the definitions prove themselves, agree with oracles, and draw what they say."""

# ruff: noqa: B023  (losses for autograd are used within the turn of the loop that makes them)

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad
from scipy.signal import convolve
from scipy.special import log_softmax

import grader.widgets as widgets
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import rnn as chapter_10
from grader.proof import judge, prove
from grader.widgets.rnn import explore_state, explore_time_gradient

CHAPTER = chapter_10.chapter
BY_NAME = {exercise.name: exercise for exercise in CHAPTER}
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]
SEEDS = {"debug_char_model": 1, "sample": 2}  # 30 seeds of each were run once


def answer(name):
    return BY_NAME[name].answer


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name(name):
    assert prove(BY_NAME[name], range(SEEDS.get(name, 5))) == []


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(BY_NAME[name]) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    fill_in = [e for e in core if e.kind != "quiz" and e.stub is None]
    assert 4 <= len(fill_in) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 90
    assert 5 <= len(QUIZ) <= 12


def test_every_hint_ends_with_the_way_to_the_solution():
    for name in TASKS:
        assert "solutions/10_rnn" in BY_NAME[name].hints[2]


def test_a_check_is_fast():
    for name in TASKS:
        judge(BY_NAME[name], answer(name))  # prepares the expected values
        times = [judge(BY_NAME[name], answer(name)).milliseconds for _ in range(3)]
        assert min(times) < 200, name


# --- independent oracles -------------------------------------------------------------------------


def states(x, h0, Wx, Wh, b, xp=anp):
    """The recurrence, written for autograd."""
    h, out = h0, []
    for t in range(x.shape[1]):
        h = xp.tanh(xp.dot(x[:, t], Wx) + xp.dot(h, Wh) + b)
        out.append(h)
    return xp.stack(out, axis=1)


def sequence(rng):
    n, t, d, h = (int(k) for k in rng.integers(1, 6, 4))
    x, h0 = rng.normal(0, 1, (n, t, d)), rng.uniform(-1, 1, (n, h))
    return x, h0, *chapter_10._cell(rng, d, h)


def test_a_sequence_and_its_gradients_agree_with_autograd_on_100_shapes():
    rng = np.random.default_rng(1)
    for _ in range(100):
        args = sequence(rng)
        h, cache = answer("rnn_forward")(*args)
        np.testing.assert_allclose(h, states(*args, xp=np), rtol=1e-12)
        dh = rng.standard_normal(h.shape)
        found = answer("rnn_backward")(dh, cache)
        for k, got in enumerate(found):
            wanted = grad(lambda *a: anp.sum(states(*a) * dh), k)(*args)
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)
        step = [args[0][:, 0], *args[1:]]
        _, cache = answer("rnn_step_forward")(*step)
        for k, got in enumerate(answer("rnn_step_backward")(dh[:, 0], cache)):
            wanted = grad(lambda x, *a: anp.sum(states(x[:, None], *a)[:, 0] * dh[:, 0]), k)(*step)
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)


def test_truncation_is_a_gradient_with_the_state_held_constant_at_each_cut():
    rng = np.random.default_rng(2)
    for _ in range(30):
        x, h0, Wx, Wh, b = sequence(rng)
        window, h = int(rng.integers(1, 5)), states(x, h0, Wx, Wh, b, xp=np)
        dh = rng.standard_normal(h.shape)

        def loss(x, Wx, Wh, b):
            total = 0.0
            for s in range(0, x.shape[1], window):
                at = h[:, s - 1] if s else h0  # a constant: nothing flows back from here
                part = slice(s, s + window)
                total = total + anp.sum(states(x[:, part], at, Wx, Wh, b) * dh[:, part])
            return total

        found = answer("truncated_bptt")(x, h0, Wx, Wh, b, dh, window)
        for k, got in enumerate(found):
            wanted = grad(loss, k)(x, Wx, Wh, b)
            np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-10)


def test_the_loss_agrees_with_scipy_and_its_gradient_with_autograd_on_100_shapes():
    rng = np.random.default_rng(3)
    for _ in range(100):
        n, t, v = (int(k) for k in rng.integers(1, 7, 3))
        x, y = rng.normal(0, 3, (n, t, v)), rng.integers(0, v, (n, t))
        mask = rng.random((n, t)) < 0.7
        loss, dx = answer("temporal_softmax_loss")(x, y, mask)
        log_p = np.take_along_axis(log_softmax(x, axis=2), y[..., None], 2)[..., 0]
        assert loss == pytest.approx(-(log_p * mask).sum() / n, rel=1e-12, abs=1e-12)
        hot = np.eye(v)[y] * mask[..., None]

        def f(x):
            return anp.sum(hot * (anp.log(anp.sum(anp.exp(x), 2, keepdims=True)) - x)) / n

        np.testing.assert_allclose(dx, grad(f)(x), atol=1e-10)


def test_lookup_and_layer_agree_with_their_one_hot_and_loop_forms_on_100_shapes():
    rng = np.random.default_rng(4)
    for _ in range(100):
        n, t, v, d = (int(k) for k in rng.integers(1, 6, 4))
        ids, W = rng.integers(0, v, (n, t)), rng.normal(0, 1, (v, d))
        out, cache = answer("word_embedding_forward")(ids, W)
        hot = np.eye(v)[ids]
        dout = rng.standard_normal(out.shape)
        np.testing.assert_allclose(out, hot @ W)
        dW = answer("word_embedding_backward")(dout, cache)
        np.testing.assert_allclose(dW, np.einsum("ntv,ntd->vd", hot, dout), atol=1e-12)
        w, b, dup = rng.normal(0, 1, (d, v)), rng.normal(0, 1, v), rng.normal(0, 1, (n, t, v))
        layer, cache = answer("temporal_affine_forward")(out, w, b)
        np.testing.assert_allclose(layer, np.einsum("ntd,dm->ntm", out, w) + b, atol=1e-12)
        found = answer("temporal_affine_backward")(dup, cache)
        for k, got in enumerate(found):
            wanted = grad(lambda x, w, b: anp.sum((anp.dot(x, w) + b) * dup), k)(out, w, b)
            np.testing.assert_allclose(got, wanted, atol=1e-10)


def test_the_convolution_agrees_with_scipy_on_100_shapes():
    rng = np.random.default_rng(5)
    for _ in range(100):
        n, t, d, m, k, dilation = (int(v) for v in rng.integers(1, 5, 6))
        x, w, b = (rng.normal(0, 1, s) for s in [(n, t, d), (k, d, m), (m,)])
        out, _ = answer("conv1d_forward")(x, w, b, {"dilation": dilation})
        wanted = np.tile(b, (n, t, 1))
        for i in range(d):
            for j in range(m):
                taps = np.zeros((k - 1) * dilation + 1)
                taps[::dilation] = w[::-1, i, j]  # a convolution turns its taps round
                full = [convolve(row, taps)[:t] for row in x[:, :, i]]
                wanted[:, :, j] += full
        np.testing.assert_allclose(out, wanted, atol=1e-10)


def test_the_debugged_model_agrees_with_autograd():
    rng = np.random.default_rng(6)
    for case in chapter_10.debug_cases(rng):
        x, y, W_embed, h0, Wx, Wh, b, W_vocab = case.args
        hot_x, hot_y = np.eye(len(W_embed))[x], np.eye(len(W_embed))[y]

        def loss(W_embed, Wx, Wh, b, W_vocab):
            s = anp.dot(states(anp.dot(hot_x, W_embed), h0, Wx, Wh, b), W_vocab)
            return anp.sum(hot_y * (anp.log(anp.sum(anp.exp(s), 2, keepdims=True)) - s)) / len(x)

        found = answer("debug_char_model")(*case.args)
        inputs = W_embed, Wx, Wh, b, W_vocab
        assert found[0] == pytest.approx(loss(*inputs))
        for k, got in enumerate(found[1:]):
            np.testing.assert_allclose(got, grad(loss, k)(*inputs), atol=1e-9)


def test_the_numbers_in_the_quiz_are_right():
    Wx, Wh, b = chapter_10._cell(np.random.default_rng(0), 10, 64)
    assert BY_NAME["rnn_q2"].answer == Wx.size + Wh.size + b.size
    h, _ = answer("rnn_forward")(
        np.zeros((8, 20, 5)), np.zeros((8, 7)), *chapter_10._cell(np.random.default_rng(0), 5, 7)
    )
    assert BY_NAME["rnn_q4"].answer == h.shape
    loss, _ = answer("temporal_softmax_loss")(np.zeros((1, 1, 27)), [[3]], np.ones((1, 1)))
    assert BY_NAME["rnn_q7"].answer == pytest.approx(np.exp(loss))
    x, w, touched = np.zeros((1, 40, 1)), np.ones((3, 1, 1)), None
    x[0, 0] = 1
    for dilation in (1, 2, 4, 8):
        x, _ = answer("conv1d_forward")(x, w, np.zeros(1), {"dilation": dilation})
        touched = np.flatnonzero(x[0, :, 0])
    assert BY_NAME["rnn_q9"].answer == touched.max() + 1


# --- sampling: right draws pass, on many seeds and by every road ---------------------------------


def sample_by_gumbel(params, start, end, rng, temperature=1.0, max_len=20):
    h, word, out = np.zeros(len(params["b"])), start, []
    for _ in range(max_len):
        h, scores = chapter_10._next_scores(params, h, word)
        word = int(np.argmax(scores / temperature + rng.gumbel(size=len(scores))))
        if word == end:
            break
        out.append(word)
    return out


def test_samples_drawn_in_another_way_pass_on_many_seeds():
    for seed in range(5):
        attempt = LocalAttempt({"sample": sample_by_gumbel})
        report = check_exercise(BY_NAME["sample"], attempt, seed)
        assert report.passed, (seed, report.comment())


# --- the explorers -------------------------------------------------------------------------------


@pytest.fixture
def closing():
    opened = []
    yield lambda explorer: opened.append(explorer) or explorer
    for explorer in opened:
        explorer.close()


def test_a_unit_forgets_or_keeps(closing):
    e = closing(widgets.explore_state())
    e.controls["weight"].value = 0.5
    assert "0.000" in e.reading or "e−" in e.reading
    e.controls["weight"].value = 1.5
    assert "**0.85" in e.reading


def test_the_explorers_take_the_learners_functions_and_say_what_is_wrong(closing):
    for f in (answer("rnn_step_forward"), answer("rnn_forward")):
        e = closing(explore_state(f))
        assert "differs by at most 0.000" in e.reading and not e.problem

    def step_forward(x, prev_h, Wx, Wh, b):
        return np.zeros(3), None

    assert "shape" in closing(explore_state(step_forward)).problem
    own = answer("rnn_step_forward"), answer("rnn_step_backward")
    e = closing(explore_time_gradient(*own))
    assert not e.problem
    e = closing(explore_time_gradient(own[0], lambda dnext_h, cache: None))
    assert "gave None" in e.problem


def test_without_a_bend_an_orthogonal_matrix_follows_the_law(closing):
    e = closing(explore_time_gradient())
    e.controls["kind"].value = "orthogonal"
    e.controls["radius"].value = 0.9
    assert "**0.005**" in e.reading
