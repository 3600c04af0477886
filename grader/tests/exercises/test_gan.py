"""Chapter 12: definitions prove themselves and agree with autograd; the training does its work."""

import hashlib

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.spatial
import scipy.special
import scipy.stats

from grader import gan_training
from grader.datasets import data_path
from grader.exercises import get, get_chapter
from grader.proof import prove
from grader.widgets import explore_best_discriminator, explore_digits, explore_gan

CHAPTER = get_chapter("12_gan")
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]
LOGS = {
    "discriminator_loss": lambda r, f: (
        anp.mean(anp.logaddexp(0.0, -r)) + anp.mean(anp.logaddexp(0.0, f))
    ),
    "generator_loss": lambda f: anp.mean(anp.logaddexp(0.0, -f)),
    "generator_loss_saturating": lambda f: anp.mean(anp.log(1 - 1 / (1 + anp.exp(-f)))),
    "discriminator_loss_least_squares": lambda r, f: (
        anp.mean((r - 1) ** 2) / 2 + anp.mean(f**2) / 2
    ),
    "generator_loss_least_squares": lambda f: anp.mean((f - 1) ** 2) / 2,
    "critic_loss": lambda r, f: anp.mean(f) - anp.mean(r),
}


def answer(name):
    return get(name).answer


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    seeds = 2 if name in ("debug_gan_gradients", "train_step", "sign_probe") else 8
    assert prove(get(name), range(seeds)) == []  # 30 seeds were run once, for all


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(get(name)) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    fill_in = [e for e in core if e.kind != "quiz" and e.stub is None]
    assert 4 <= len(fill_in) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 90
    assert 5 <= len(QUIZ) <= 12


def test_the_right_letter_varies():
    letters = [get(name).answer for name in QUIZ if get(name).choices]
    assert set(letters) == set("abcd")


# --- independent oracles -------------------------------------------------------------------------


@pytest.mark.parametrize("name", LOGS)
def test_losses_agree_with_autograd_on_100_shapes(name):
    rng = np.random.default_rng(1)
    count = 2 if "discriminator" in name or "critic" in name else 1
    for _ in range(100):
        logits = [rng.normal(0, 3, (int(rng.integers(1, 9)), 1)) for _ in range(count)]
        loss, *gradients = answer(name)(*logits)
        assert loss == pytest.approx(float(LOGS[name](*logits)), rel=1e-10, abs=1e-12)
        for place, gradient in enumerate(gradients):
            wanted = autograd.grad(LOGS[name], place)(*logits)
            np.testing.assert_allclose(gradient, wanted, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("size", [1.0, 40.0, 745.0, 1000.0, 1e6])
def test_losses_are_right_and_silent_at_every_size(size):
    z = np.array([[size], [-size]])
    with np.errstate(all="raise", under="ignore"):
        loss, dz = answer("generator_loss")(z)
        other, dother = answer("generator_loss_saturating")(z)
        both, dreal, dfake = answer("discriminator_loss")(z, z)
    assert loss == pytest.approx(-scipy.special.log_expit(z).mean(), rel=1e-12)
    assert other == pytest.approx(scipy.special.log_expit(-z).mean(), rel=1e-12)
    assert both == pytest.approx(loss - other, rel=1e-12)
    np.testing.assert_allclose(dz, -scipy.special.expit(-z) / 2, rtol=1e-12)
    np.testing.assert_allclose(dother, -scipy.special.expit(z) / 2, rtol=1e-12)
    np.testing.assert_allclose([dreal, dfake], [dz, -dother], rtol=1e-12)


def test_the_debug_answers_gradients_agree_with_autograd():
    rng = np.random.default_rng(2)
    for case in get("debug_gan_gradients").cases(rng):
        real, z, w, b, A, c = case.args

        def d_loss(w, b, real=real, fake=z @ A + c):
            t, u = anp.dot(real, w) + b, anp.dot(fake, w) + b
            return anp.mean(anp.logaddexp(0.0, -t)) + anp.mean(anp.logaddexp(0.0, u))

        def g_loss(A, c, z=z, w=w, b=b):
            return anp.mean(anp.logaddexp(0.0, -(anp.dot(anp.dot(z, A) + c, w) + b)))

        found = answer("debug_gan_gradients")(*case.args)
        wanted = [d_loss(w, b), *(autograd.grad(d_loss, i)(w, b) for i in (0, 1))]
        wanted += [g_loss(A, c), *(autograd.grad(g_loss, i)(A, c) for i in (0, 1))]
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9)


def test_the_best_discriminators_loss_is_that_of_the_jensen_shannon_divergence():
    rng = np.random.default_rng(3)
    for _ in range(100):
        k = int(rng.integers(2, 9))
        p, q = rng.dirichlet(np.ones(k)), rng.dirichlet(np.ones(k))
        p[0] *= rng.integers(2)
        p /= p.sum()
        D, loss = answer("best_discriminator")(p, q)
        js = scipy.spatial.distance.jensenshannon(p, q) ** 2
        assert loss == pytest.approx(2 * np.log(2) - 2 * js, rel=1e-9)
        np.testing.assert_allclose(D * (p + q), p, atol=1e-15)


def test_mode_coverage_agrees_with_a_search_tree_on_100_shapes():
    rng = np.random.default_rng(4)
    for _ in range(100):
        n, k, d = rng.integers(1, 30), rng.integers(1, 6), rng.integers(1, 4)
        samples, centres = rng.normal(size=(n, d)), rng.normal(size=(k, d))
        near = scipy.spatial.cKDTree(samples).query_ball_point(centres, 0.8)
        modes, share = answer("mode_coverage")(samples, centres, 0.8, 2)
        assert modes == sum(len(rows) >= 2 for rows in near)
        assert share == pytest.approx(len({i for rows in near for i in rows}) / n)


def test_a_label_goes_in_and_leaves_no_gradient_on_100_shapes():
    rng = np.random.default_rng(5)
    for _ in range(100):
        n, d, c = (int(i) for i in rng.integers(1, 8, 3))
        x, y = rng.normal(size=(n, d)), rng.integers(0, c, n)
        out, cache = answer("conditional_input")(x, y, c)
        assert out.shape == (n, d + c)
        assert (out[:, d:].argmax(axis=1) == y).all() and (out[:, d:].sum(axis=1) == 1).all()
        dout = rng.normal(size=out.shape)
        dx = answer("conditional_input_backward")(dout, cache)
        f = lambda x, y=y, c=c, dout=dout: (answer("conditional_input")(x, y, c)[0] * dout).sum()  # noqa: E731
        step = rng.normal(size=x.shape)
        assert f(x + step) - f(x) == pytest.approx((dx * step).sum())


def test_one_round_is_the_exercises_round():
    rng = np.random.default_rng(6)
    real, z = rng.normal(size=(5, 3)), rng.normal(size=(4, 2))

    def pair():
        rng = np.random.default_rng(7)
        return (
            gan_training.Net((2, 6, 3), rng, dtype=float),
            gan_training.Net((3, 5, 1), rng, dtype=float),
        )

    (G, D), (G2, D2) = pair(), pair()
    for _ in range(3):
        one, two = gan_training.one_round(G, D, real, z), answer("train_step")(G2, D2, real, z)
        assert one == pytest.approx(two, rel=1e-12)
    np.testing.assert_allclose(G.flat, G2.flat, rtol=1e-10)
    np.testing.assert_allclose(D.flat, D2.flat, rtol=1e-10)


# --- what the lesson and the quiz say ------------------------------------------------------------


def test_the_numbers_in_the_quiz_are_right():
    slope = answer("generator_loss")(np.zeros((1, 1)))[1][0, 0]
    assert slope == get("gan_q3").answer
    D, _ = answer("best_discriminator")(np.array([0.3, 0.7]), np.array([0.1, 0.9]))
    assert D[0] == pytest.approx(get("gan_q4").answer)
    zero = np.zeros((2, 1))
    lost = answer("discriminator_loss")(zero, zero)[0]
    assert lost == pytest.approx(get("gan_q5").answer, abs=1e-4)
    z = np.array([[-6.0]])
    ratio = answer("generator_loss")(z)[1] / answer("generator_loss_saturating")(z)[1]
    assert ratio[0, 0] == pytest.approx(get("gan_q6").answer, rel=1e-5)
    images, labels = np.zeros((32, 64)), np.arange(32) % 10
    assert answer("conditional_input")(images, labels, 10)[0].shape == get("gan_q9").answer


def test_the_probe_knows_the_wrong_sign_that_stands_in_print():
    def minimises_p(z):
        p = scipy.special.expit(z)
        return p.mean(), p * (1 - p) / len(z)

    at = np.array([-6.0, 0.0, 6.0])
    slopes, measured, right = answer("sign_probe")(minimises_p, at)
    assert not right and (slopes > 0).all() and np.allclose(slopes, measured)
    slopes, _, right = answer("sign_probe")(answer("generator_loss"), at)
    assert right and np.allclose(slopes, [-0.9975, -0.5, -0.0025], atol=5e-5)


# --- the shipped generators ----------------------------------------------------------------------


def test_the_shipped_generators_are_those_of_the_data_sheet():
    content = data_path(gan_training.FILE).read_bytes()
    sheet = data_path("gan_checkpoints.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in sheet
    assert len(content) < 300_000
    nets = gan_training.load_generators()
    assert {name: tuple(kept) for name, kept in nets.items()} == gan_training.KEPT
    assert all(f"{name}_{k}" in sheet for name, kept in nets.items() for k in kept)


def test_the_longest_training_obeys_its_label():
    x, y = gan_training.digits_to_train()
    middles = np.array([x[y == k].mean(axis=0) for k in range(10)])
    labels = np.arange(200) % 10
    z = np.random.default_rng(0).normal(size=(200, gan_training.NOISE))
    kept = gan_training.load_generators()["conditional"]
    out, _ = answer("conditional_input")(z, labels, 10)
    images = kept[max(kept)].forward(out.astype(np.float32))[0]
    nearest = ((images[:, None] - middles) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == labels).mean() > 0.8
    assert images.reshape(20, 10, 64).std(axis=0).mean() > 0.1  # not one image for each label


# --- the explorers -------------------------------------------------------------------------------


def test_the_live_gan_trains_goes_back_and_takes_a_learners_round():
    shown = explore_gan(answer("train_step"))
    shown.controls["patient"].value = True
    shown.controls["frame"].value = 12
    assert "Round 120" in shown.reading and not shown.problem
    late = shown.reading
    shown.controls["frame"].value = 3
    assert "Round 30:" in shown.reading
    shown.controls["frame"].value = 12
    assert shown.reading == late
    shown.close()


def test_a_broken_round_is_a_sentence():
    shown = explore_gan(lambda G, D, real, z: None)
    shown.controls["frame"].value = 1
    assert "gave None" in shown.problem
    shown.close()


def test_the_other_explorers_take_the_learners_functions():
    shown = explore_best_discriminator(answer("generator_loss"))
    shown.controls["mean"].value = -1.0
    assert "best discriminator" in shown.reading and not shown.problem
    shown.close()
    shown = explore_digits(lambda z, y: np.tanh(z[:, :1] + y[:, None] * np.ones((len(z), 64))))
    shown.controls["label"].value = 7
    assert "**7**" in shown.reading and not shown.problem
    shown.close()
    shown = explore_digits(lambda z, y: z)
    assert "shape" in shown.problem
    shown.close()
