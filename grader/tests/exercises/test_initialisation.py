"""Chapter 06: the definitions prove themselves, agree with others, and are fair to every style."""

import itertools
import math
import time

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.stats

import grader.widgets as widgets
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import get, get_chapter
from grader.exercises import initialisation as chapter_06
from grader.proof import judge, prove
from grader.widgets import initialisation as pictures

CHAPTER = get_chapter("06_initialisation")
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]
STARTS = ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]


def answer(name):
    return get(name).answer


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name(name):
    slow = name in STARTS or name.startswith("debug")  # 100 seeds of these were run once
    assert prove(get(name), range(3 if slow else 100)) == []


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
        assert "solutions/06_initialisation" in get(name).hints[2]


# --- independent oracles -------------------------------------------------------------------------

RULES = {
    "he_normal": lambda i, o: scipy.stats.norm(0, math.sqrt(2 / i)),
    "xavier_normal": lambda i, o: scipy.stats.norm(0, math.sqrt(2 / (i + o))),
    "he_uniform": lambda i, o: scipy.stats.uniform(-math.sqrt(6 / i), 2 * math.sqrt(6 / i)),
    "xavier_uniform": lambda i, o: scipy.stats.uniform(
        -math.sqrt(6 / (i + o)), 2 * math.sqrt(6 / (i + o))
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_draws_follow_the_distribution_that_scipy_has_on_100_shapes(name):
    rng = np.random.default_rng(7)
    for _ in range(100):
        fan_in, fan_out = (int(n) for n in rng.integers(5, 60, 2))
        w = answer(name)(fan_in, fan_out, rng)
        assert w.shape == (fan_in, fan_out)
        rule = RULES[name](fan_in, fan_out)
        assert scipy.stats.kstest(w.ravel(), rule.cdf).pvalue > 1e-5
        assert name.endswith("normal") or np.abs(w).max() <= rule.support()[1]


def test_the_thresholds_are_many_deviations_away():
    """The numbers behind the comment on false alarms in the definitions."""
    n = 170 * 530
    assert 2 * scipy.stats.norm.sf(7) < 1e-11
    for kurtosis in (3.0, 1.8):
        deviation = math.sqrt(2 * (kurtosis - 1) / n)  # of the difference of two variances
        assert 2 * scipy.stats.norm.sf(0.05 / deviation) < 1e-12
    assert 2 * scipy.stats.norm.sf(0.8 / math.sqrt(24 / n)) < 1e-300
    assert 2 * scipy.stats.norm.sf(0.01 / math.sqrt(0.8 / n / 4)) < 1e-10


def random_gradients(rng):
    count = rng.integers(1, 6)
    shapes = [tuple(rng.integers(1, 6, rng.integers(1, 5))) for _ in range(count)]
    return {f"p{k}": rng.normal(0, rng.uniform(0.1, 9), shape) for k, shape in enumerate(shapes)}


def test_norms_and_clipping_agree_with_the_definition_on_100_random_dicts():
    rng = np.random.default_rng(8)
    for _ in range(100):
        grads = random_gradients(rng)
        flat = np.concatenate([g.ravel() for g in grads.values()])
        norms, total = answer("gradient_norms")(grads)
        assert total == pytest.approx(scipy.linalg.norm(flat), rel=1e-12)
        for name, g in grads.items():
            assert norms[name] == pytest.approx(scipy.linalg.norm(g.ravel()), rel=1e-12)

        limit = rng.uniform(0.1, 10)
        clipped, norm = answer("clip_by_global_norm")(grads, limit)
        after = np.concatenate([clipped[name].ravel() for name in grads])
        assert norm == pytest.approx(total, rel=1e-12)
        assert scipy.linalg.norm(after) == pytest.approx(min(total, limit), rel=1e-12)
        assert after @ flat == pytest.approx(np.linalg.norm(after) * total, rel=1e-12)  # direction

        by_value = answer("clip_by_value")(grads, limit)
        for name, g in grads.items():
            wanted = [max(-limit, min(limit, entry)) for entry in g.ravel()]
            np.testing.assert_array_equal(by_value[name].ravel(), wanted)


def test_the_debug_steps_gradients_agree_with_autograd_on_100_shapes():
    rng = np.random.default_rng(9)
    for _ in range(100):
        n, d, h, c = (int(k) for k in rng.integers(2, 7, 4))
        x, y = rng.standard_normal((n, d)), np.eye(c)[rng.integers(0, c, n)]
        weights = [rng.normal(0, 0.7, size) for size in [(d, h), (h, h), (h, c)]]

        def loss(weights, x=x, y=y):
            a = anp.tanh(x @ weights[0])
            scores = (a + anp.tanh(a @ weights[1])) @ weights[2]
            shifted = scores - anp.max(scores, axis=1, keepdims=True)
            logs = shifted - anp.log(anp.sum(anp.exp(shifted), axis=1, keepdims=True))
            return -anp.sum(y * logs) / len(x)

        wanted = autograd.grad(loss)(weights)
        got = answer("debug_clipped_gradients")(x, y, *weights, 1e9)
        assert got[0] == pytest.approx(loss(weights), rel=1e-10)
        for mine, theirs in zip(got[1:4], wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-8, atol=1e-12)
        short = answer("debug_clipped_gradients")(x, y, *weights, got[4] / 3)
        np.testing.assert_allclose(short[1], got[1] / 3, rtol=1e-10)


def test_lsuv_gives_every_layer_deviation_one_and_keeps_directions_on_100_nets():
    rng = np.random.default_rng(10)
    for _ in range(100):
        sizes = rng.integers(3, 20, rng.integers(3, 6))
        x = rng.normal(1, 2, (50, sizes[0]))
        weights = [rng.normal(0.1, 1, pair) for pair in itertools.pairwise(sizes)]
        for old, w in zip(weights, answer("lsuv_init")(x, weights), strict=True):
            z = x @ w
            assert z.std() == pytest.approx(1, rel=1e-9)
            np.testing.assert_allclose(w / w.std(), old / old.std(), rtol=1e-9)
            x = np.maximum(z, 0)


def test_equal_columns_stay_equal_while_a_net_is_trained():
    rng = np.random.default_rng(11)
    x, y = rng.standard_normal((40, 5)), rng.standard_normal((40, 2))
    w1, w2 = np.full((5, 6), 0.3), np.full((6, 2), -0.2)
    for _ in range(50):
        a = np.tanh(x @ w1)
        error = (a @ w2 - y) / len(x)
        w1, w2 = w1 - 0.1 * x.T @ ((error @ w2.T) * (1 - a**2)), w2 - 0.1 * a.T @ error
    assert np.abs(w1 - 0.3).max() > 0.01
    assert answer("distinct_units")(w1) == 1


# --- right code passes, whatever its style -------------------------------------------------------


def normal_styles(deviation):
    def by_scale(fan_in, fan_out, rng):
        return rng.standard_normal((fan_in, fan_out)) * deviation(fan_in, fan_out)

    def by_keywords(fan_in, fan_out, rng):
        return rng.normal(loc=0.0, scale=deviation(fan_in, fan_out), size=[fan_in, fan_out])

    def single(fan_in, fan_out, rng):
        return by_scale(fan_in, fan_out, rng).astype(np.float32)

    def turned(fan_in, fan_out, rng):
        return (deviation(fan_in, fan_out) * rng.standard_normal((fan_out, fan_in))).T

    def row_by_row(fan_in, fan_out, rng):
        return [rng.normal(0, deviation(fan_in, fan_out), fan_out) for _ in range(fan_in)]

    def entry_by_entry(fan_in, fan_out, rng):
        w = np.empty((fan_in, fan_out))
        for i in range(fan_in):
            for j in range(fan_out):
                w[i, j] = rng.normal(0, deviation(fan_in, fan_out))
        return w

    def box_muller(fan_in, fan_out, rng):
        u, v = 1 - rng.random((fan_in, fan_out)), rng.random((fan_in, fan_out))
        return deviation(fan_in, fan_out) * np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * v)

    def rng_made_safe(fan_in, fan_out, rng):
        return by_scale(fan_in, fan_out, np.random.default_rng(rng))  # a Generator comes back

    return [by_scale, by_keywords, single, turned, row_by_row, entry_by_entry, box_muller,
            rng_made_safe]  # fmt: skip


def uniform_styles(limit):
    def stretched(fan_in, fan_out, rng):
        return (2 * rng.random((fan_in, fan_out)) - 1) * limit(fan_in, fan_out)

    def by_keywords(fan_in, fan_out, rng):
        a = limit(fan_in, fan_out)
        return rng.uniform(low=-a, high=a, size=[fan_in, fan_out])

    def single(fan_in, fan_out, rng):
        return stretched(fan_in, fan_out, rng).astype(np.float32)

    def turned(fan_in, fan_out, rng):
        return stretched(fan_out, fan_in, rng).T

    def row_by_row(fan_in, fan_out, rng):
        a = limit(fan_in, fan_out)
        return [list(rng.uniform(-a, a, fan_out)) for _ in range(fan_in)]

    def sign_and_size(fan_in, fan_out, rng):
        size = rng.uniform(0, limit(fan_in, fan_out), (fan_in, fan_out))
        return size * rng.choice([-1.0, 1.0], (fan_in, fan_out))

    def flat_first(fan_in, fan_out, rng):
        a = limit(fan_in, fan_out)
        return rng.uniform(-a, a, fan_in * fan_out).reshape(fan_in, fan_out)

    return [stretched, by_keywords, single, turned, row_by_row, sign_and_size, flat_first]


DEVIATIONS = {
    "he_normal": lambda i, o: math.sqrt(2 / i),
    "xavier_normal": lambda i, o: (0.5 * (i + o)) ** -0.5,
}
LIMITS = {
    "he_uniform": lambda i, o: math.sqrt(3) * math.sqrt(2 / i),
    "xavier_uniform": lambda i, o: (6.0 / (i + o)) ** 0.5,
}


@pytest.mark.parametrize("name", STARTS)
def test_right_starts_pass_in_every_style_and_on_many_seeds(name):
    symmetric = name.startswith("xavier")
    styles = normal_styles(DEVIATIONS[name]) if name in DEVIATIONS else uniform_styles(LIMITS[name])
    for style in styles:
        if style.__name__ == "turned" and not symmetric and name == "he_uniform":
            continue  # the limit would be that of the other fan
        for seed in range(2 if style.__name__ == "entry_by_entry" else 5):
            report = judge(get(name), style, seed)
            assert report.passed, (style.__name__, seed, report.comment())


def in_place_norm(grads, max_norm):
    norm = math.sqrt(sum(float(np.vdot(g, g)) for g in grads.values()))
    if norm > max_norm:
        for g in grads.values():
            g *= max_norm / norm
    return grads, norm


def torch_style(grads, max_norm):
    norm = np.linalg.norm([np.linalg.norm(g) for g in grads.values()])
    factor = np.clip(max_norm / (norm + 1e-6), None, 1.0)
    return {name: g * factor for name, g in grads.items()}, norm


def laid_end_to_end(grads, max_norm):
    norm = np.linalg.norm(np.concatenate([np.ravel(g) for g in grads.values()]))
    return {k: g if norm <= max_norm else g / norm * max_norm for k, g in grads.items()}, norm


def tensorflow_style(grads, max_norm):
    norm = sum(np.square(g).sum() for g in grads.values()) ** 0.5
    return {k: g * max_norm / np.maximum(norm, max_norm) for k, g in grads.items()}, norm


def loops(grads, max_norm):
    total = 0.0
    for g in grads.values():
        for entry in g.flat:
            total += entry * entry
    norm = total**0.5
    factor = 1.0
    if norm > max_norm:
        factor = max_norm / norm
    result = {}
    for name in grads:
        result[name] = grads[name] * factor
    return result, norm


def with_minimum(grads, max_norm):
    norm = np.sqrt(sum(np.sum(g**2) for g in grads.values()))
    with np.errstate(divide="ignore"):
        factor = min(1, max_norm / norm)
    return dict(zip(grads, [factor * g for g in grads.values()], strict=True)), norm


def single_precision(grads, max_norm):
    clipped, norm = loops(grads, max_norm)
    return {name: g.astype(np.float32) for name, g in clipped.items()}, np.float32(norm)


NORM_CLIPS = [in_place_norm, torch_style, tensorflow_style, laid_end_to_end, loops, with_minimum,
              single_precision]  # fmt: skip


@pytest.mark.parametrize("style", NORM_CLIPS, ids=lambda f: f.__name__)
def test_right_clipping_by_norm_passes_in_every_style(style):
    for seed in range(20):
        report = judge(get("clip_by_global_norm"), style, seed)
        assert report.passed, report.comment()


def value_in_place(grads, limit):
    for g in grads.values():
        np.clip(g, -limit, limit, out=g)


def value_by_masks(grads, limit):
    result = {name: g.copy() for name, g in grads.items()}
    for g in result.values():
        g[g > limit] = limit
        g[g < -limit] = -limit
    return result


VALUE_CLIPS = [
    value_in_place,
    value_by_masks,
    lambda grads, limit: {k: np.maximum(np.minimum(g, limit), -limit) for k, g in grads.items()},
    lambda grads, limit: {k: np.sign(g) * np.minimum(abs(g), limit) for k, g in grads.items()},
    lambda grads, limit: {k: np.where(abs(g) > limit, np.copysign(limit, g), g) for k, g in grads.items()},  # noqa: E501
    lambda grads, limit: {k: g.clip(-limit, limit).astype(np.float32) for k, g in grads.items()},
]  # fmt: skip


@pytest.mark.parametrize("style", VALUE_CLIPS)
def test_right_clipping_by_value_passes_in_every_style(style):
    for seed in range(20):
        report = judge(get("clip_by_value"), style, seed)
        assert report.passed, report.comment()


def norms_by_loops(grads):
    norms, total = {}, 0.0
    for name, g in grads.items():
        square = 0.0
        for entry in g.flat:
            square += entry**2
        norms[name] = math.sqrt(square)
        total += square
    return norms, math.sqrt(total)


NORMS = [
    norms_by_loops,
    lambda grads: ({k: np.linalg.norm(g) for k, g in grads.items()},
                   np.linalg.norm(np.concatenate([g.ravel() for g in grads.values()]))),
    lambda grads: ({k: float(np.sqrt(np.vdot(g, g))) for k, g in grads.items()},
                   math.sqrt(sum(np.vdot(g, g) for g in grads.values()))),
    lambda grads: ({k: np.einsum("i,i", g.ravel(), g.ravel()) ** 0.5 for k, g in grads.items()},
                   np.hypot.reduce([np.linalg.norm(g) for g in grads.values()])),
    lambda grads: [{k: math.hypot(*g.ravel()) for k, g in grads.items()},
                   math.dist([0], [math.hypot(*[e for g in grads.values() for e in g.flat])])],
    lambda grads: ({k: np.sqrt(np.sum(np.square(g), keepdims=False)) for k, g in grads.items()},
                   np.sqrt(np.sum([np.sum(np.square(g)) for g in grads.values()])), "more"),
]  # fmt: skip


@pytest.mark.parametrize("style", NORMS)
def test_right_norms_pass_in_every_style(style):
    for seed in range(20):
        report = judge(get("gradient_norms"), style, seed)
        assert report.passed, report.comment()


def test_wrong_starts_that_nobody_named_still_fail():
    wrong = [
        lambda i, o, rng: rng.normal(0, math.sqrt(2.3 / i), (i, o)),
        lambda i, o, rng: rng.normal(0.2 * math.sqrt(2 / i), math.sqrt(2 / i), (i, o)),
        lambda i, o, rng: np.tile(rng.normal(0, math.sqrt(2 / i), (i, 1)), (1, o)),
        lambda i, o, rng: rng.laplace(0, math.sqrt(1 / i), (i, o)),
        lambda i, o, rng: rng.normal(0, math.sqrt(2 / i), i * o),
        lambda i, o, rng: rng.choice([-1, 1], (i, o)) * math.sqrt(2 / i),
    ]
    for start in wrong:
        for seed in range(3):
            assert not judge(get("he_normal"), start, seed).passed


def test_a_start_that_is_not_written_is_not_attempted():
    report = check_exercise(
        get("he_normal"), LocalAttempt({"he_normal": lambda fan_in, fan_out, rng: None})
    )
    assert report.points == 0 and report.outcome == "not_attempted"


def test_zero_gradients_and_short_ones_are_parts_of_their_own():
    report = judge(get("clip_by_global_norm"), chapter_06.clip_by_global_norm_always_scaled)
    assert {"unchanged_below", "zero_gradients"} <= {
        f.part for f in report.findings if f.outcome == "wrong"
    }


# --- the pictures --------------------------------------------------------------------------------


@pytest.fixture
def make():
    made = []

    def make(name, /, *args, **kwargs):
        made.append(getattr(widgets, name)(*args, **kwargs))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


@pytest.mark.parametrize("name", ["explore_init", "explore_trainability"])
def test_each_control_changes_the_picture(make, name):
    explorer = make(name)
    for key, control in explorer.controls.items():
        before = explorer.picture.value
        options = getattr(control, "options", None)
        if options:
            values = [o[1] if isinstance(o, tuple) else o for o in options]
            control.value = next(v for v in values if v != control.value)
        else:
            control.value = control.value + control.step
        assert explorer.picture.value != before, key
        assert explorer.problem == "", key


@pytest.mark.parametrize("name", ["explore_init", "explore_trainability"])
def test_a_learners_initialiser_that_fails_gives_a_sentence(make, name):
    def flat(fan_in, fan_out, rng):
        return rng.normal(0, 1, fan_in * fan_out)

    def unwritten(fan_in, fan_out, rng):
        raise NotImplementedError()

    assert "shape" in make(name, flat).problem
    assert "not written" in make(name, unwritten).problem
    assert make(name, get("he_normal").answer).problem == ""


def test_the_map_is_made_in_under_ten_seconds_of_cpu_and_he_is_its_ridge_for_relu():
    start = time.process_time()
    losses, share = pictures.trainability(pictures.STARTS["Xavier"], "ReLU")
    assert time.process_time() - start < 10
    scales = np.array(pictures.COARSE[1])
    deepest = pictures.learned(losses)[3]  # 8 hidden layers
    assert 1.3 < scales[deepest.argmin()] < 2.1
    assert (share[-1] > 0.03).argmax() == np.argmin(abs(scales - np.sqrt(2)))
