"""Chapter 07: the definitions prove themselves, agree with others, and are fair to every style."""

import ipywidgets
import numpy as np
import pytest
from scipy.signal import lfilter

import grader.widgets as widgets
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import optimisers as chapter_07
from grader.proof import judge, prove
from grader.widgets.optimisers import CURVES_TO_NAME, RULES, SURFACES

CHAPTER = chapter_07.chapter
BY_NAME = {exercise.name: exercise for exercise in CHAPTER}
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]


def answer(name):
    return BY_NAME[name].answer


def judged(seed=0, **names):
    """The report on the one named thing."""
    (name,) = names
    return check_exercise(BY_NAME[name], LocalAttempt(names), seed)


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    seeds = 6 if name == "debug_adam_run" else 30  # 100 seeds of each were run once
    assert prove(BY_NAME[name], range(seeds)) == []


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
        assert "solutions/07_optimisers" in BY_NAME[name].hints[2]


# --- independent oracles: the states are linear filters, so SciPy knows them ----------------------


def walked(name, w, gradients, config):
    rule, path = answer(name), []
    for dw in gradients:
        w, config = rule(w, dw, config)
        path.append(w)
    return np.array(path), config


def test_the_rules_agree_with_scipys_filters_on_100_shapes():
    rng = np.random.default_rng(7)
    for _ in range(100):
        shape = tuple(rng.integers(1, 6, rng.integers(1, 4)))
        steps = int(rng.integers(1, 9))
        w, g = rng.normal(0, 1, shape), rng.normal(0, 2, (steps, *shape))
        rate, b1, b2 = rng.uniform(0.01, 0.3), rng.uniform(0.3, 0.95), rng.uniform(0.5, 0.999)
        t = np.arange(1, steps + 1).reshape(-1, *[1] * len(shape))
        mean = lfilter([1 - b1], [1, -b1], g, axis=0)
        square = lfilter([1 - b2], [1, -b2], g**2, axis=0)
        wanted = {
            "sgd": ({}, rate * g),
            "sgd_momentum": ({"momentum": b1}, lfilter([rate], [1, -b1], g, axis=0)),
            "rmsprop": ({"decay_rate": b2}, rate * g / (np.sqrt(square) + 1e-8)),
            "adagrad": ({}, rate * g / (np.sqrt(np.cumsum(g**2, axis=0)) + 1e-8)),
            "adam": (
                {"beta1": b1, "beta2": b2},
                rate * mean / (1 - b1**t) / (np.sqrt(square / (1 - b2**t)) + 1e-8),
            ),
        }
        for name, (settings, moves) in wanted.items():
            path, _ = walked(name, w, g, {"learning_rate": rate, **settings})
            np.testing.assert_allclose(path, w - np.cumsum(moves, axis=0), rtol=1e-9, atol=1e-11)


def test_the_schedules_hold_what_they_promise_on_100_settings():
    rng = np.random.default_rng(8)
    for _ in range(100):
        base, floor = rng.uniform(0.1, 1), rng.uniform(0, 0.05)
        total, k = int(rng.integers(3, 60)), rng.uniform(0.01, 1)
        steps = np.arange(2 * total)
        table = {
            name: np.array([answer(name)(int(s), *settings) for s in steps])
            for name, settings in {
                "linear_decay": (base, total, floor),
                "cosine_decay": (base, total, floor),
                "inverse_time_decay": (base, k),
                "exponential_decay": (base, k),
                "step_decay": (base, k, total),
                "warm_up": (base, total),
            }.items()
        }
        line = np.interp(steps, [0, total], [base, floor])
        np.testing.assert_allclose(table["linear_decay"], line, rtol=1e-12)
        square = np.cos(np.pi / 2 * np.minimum(steps / total, 1)) ** 2
        np.testing.assert_allclose(table["cosine_decay"], floor + (base - floor) * square)
        np.testing.assert_allclose(np.diff(1 / table["inverse_time_decay"]), k / base)
        np.testing.assert_allclose(
            table["exponential_decay"], np.exp(np.log(base) + steps * np.log(k))
        )
        np.testing.assert_allclose(table["step_decay"], np.repeat([base, base * k], total))
        climb = np.interp(steps, [-1, total - 1], [0, base])
        np.testing.assert_allclose(table["warm_up"], climb)
        assert all(rates[0] > 0 for rates in table.values())


def test_the_printed_numbers_of_the_errata():
    assert answer("linear_decay")(50, 0.1, 100) == pytest.approx(0.05)
    assert answer("inverse_time_decay")(50, 0.1, 0.01) == pytest.approx(0.0667, abs=5e-5)
    assert answer("inverse_time_decay")(50, 0.1, 0.1) == pytest.approx(0.0167, abs=5e-5)
    assert chapter_07.cosine_decay_climbs_again(200, 0.1, 100) == pytest.approx(0.1)
    assert chapter_07.warm_up_starts_at_zero(0, 0.1, 10) == 0


def test_the_numbers_in_the_quiz_are_right():
    batches = list(answer("minibatches")(np.zeros((1077, 1)), np.zeros(1077), 64, _rng()))
    assert len(batches) == BY_NAME["optimisers_q1"].answer
    path, _ = walked("sgd_momentum", np.zeros(1), np.full((400, 1), 2.0), {"learning_rate": 0.01})
    assert path[-2, 0] - path[-1, 0] == pytest.approx(BY_NAME["optimisers_q3"].answer)
    path, _ = walked("adam", np.zeros(1), np.full((1, 1), 0.5), None)
    assert -path[0, 0] == pytest.approx(BY_NAME["optimisers_q5"].answer)
    for slip in (0.99, 1.01):
        factor = 1 - 4 * slip * BY_NAME["optimisers_q9"].answer
        assert (abs(factor) < 1) == (slip < 1)


def _rng():
    return np.random.default_rng(0)


def test_plateau_falls_after_patience_checks_and_keeps_the_best():
    fall = answer("plateau_decay")
    assert fall([], 1.0) == 1.0
    assert fall([1.0, 1.1, 1.1], 1.0) == 1.0
    assert fall([1.0, 1.1, 1.1, 1.1], 1.0) == 0.5
    assert fall([1.0] + [1.1] * 6, 1.0) == 0.25
    assert fall([1.0] + [1.1] * 60, 1.0, floor=0.1) == 0.1


# --- fair to every style -------------------------------------------------------------------------


def batches_as_list(X, y, batch_size, rng):
    order = np.arange(len(X))
    rng.shuffle(order)
    return [
        (X[order[i : i + batch_size]], y[order[i : i + batch_size]])
        for i in range(0, len(X), batch_size)
    ]


def batches_shuffled_first(X, y, batch_size, rng):
    order = rng.permutation(X.shape[0])
    X, y = X[order], y[order]
    start = 0
    while start < len(X):
        yield X[start : start + batch_size], y[start : start + batch_size]
        start += batch_size


def batches_by_split(X, y, batch_size, rng):
    order = rng.permutation(len(y))
    for rows in np.array_split(order, range(batch_size, len(y), batch_size)):
        yield np.take(X, rows, axis=0), y.take(rows)


def batches_by_sorting(X, y, batch_size, rng):
    order = np.argsort(rng.random(len(X)))
    for k in range(int(np.ceil(len(X) / batch_size))):
        rows = order[k * batch_size : min((k + 1) * batch_size, len(X))]
        yield [X[rows], y[rows]]


def batches_by_choice(X, y, batch_size, rng):
    left = rng.choice(len(X), len(X), replace=False).tolist()
    out = []
    while left:
        rows, left = left[:batch_size], left[batch_size:]
        out.append((np.array([X[i] for i in rows]), np.array([y[i] for i in rows])))
    return tuple(out)


def batches_as_zip(X, y, batch_size, rng):
    order = rng.permutation(len(X))
    starts = range(0, len(X), batch_size)
    return zip(
        (X[order[i : i + batch_size]] for i in starts),
        (y[order[i : i + batch_size]] for i in starts),
        strict=True,
    )


@pytest.mark.parametrize(
    "function",
    [
        batches_as_list,
        batches_shuffled_first,
        batches_by_split,
        batches_by_sorting,
        batches_by_choice,
        batches_as_zip,
    ],
)
def test_any_right_minibatches_pass(function):
    for seed in range(20):
        report = judged(seed, minibatches=function)
        assert report.passed, report.comment()


def sgd_in_place(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    w -= config["learning_rate"] * dw
    return w, config


def sgd_new_dict(w, dw, config=None):
    config = {"learning_rate": 0.01, **(config or {})}
    return np.subtract(w, np.multiply(config["learning_rate"], dw)), config


def sgd_loop(w, dw, config=None):
    config = config or {}
    out = np.empty_like(w)
    for i in np.ndindex(w.shape):
        out[i] = w[i] - config.get("learning_rate", 0.01) * dw[i]
    return out, config


def sgd_list(w, dw, config=None):
    return [w + -dw * (config or {}).get("learning_rate", 1e-2), config]


def sgd_scales_the_gradient(w, dw, config=None):
    config = dict(config) if config else {"learning_rate": 1e-2}
    dw *= config["learning_rate"]
    return w - dw, config, "more"


def sgd_float32(w, dw, config=None):
    config = {} if config is None else config
    rate = np.float32(config.setdefault("learning_rate", 1e-2))
    return w.astype(np.float32) - rate * dw.astype(np.float32), config


@pytest.mark.parametrize(
    "rule",
    [
        sgd_in_place,
        sgd_new_dict,
        sgd_loop,
        sgd_list,
        sgd_scales_the_gradient,
        sgd_float32,
    ],
)
def test_any_right_sgd_passes(rule):
    for seed in range(20):
        report = judged(seed, sgd=rule)
        assert report.passed, report.comment()


def momentum_classic(w, dw, config=None):
    if config is None:
        config = {}
    config.setdefault("learning_rate", 1e-2)
    config.setdefault("momentum", 0.9)
    v = config.get("velocity", np.zeros_like(w))
    v = config["momentum"] * v - config["learning_rate"] * dw
    next_w = w + v
    config["velocity"] = v
    return next_w, config


def momentum_in_place(w, dw, config=None):
    config = {} if config is None else config
    if "velocity" not in config:
        config["velocity"] = np.zeros(w.shape)
    v = config["velocity"]
    v *= config.get("momentum", 0.9)
    v -= config.get("learning_rate", 0.01) * dw
    w += v
    return w, config


def momentum_new_dict(w, dw, config=None):
    c = {"learning_rate": 1e-2, "momentum": 0.9, "velocity": 0 * w, **(config or {})}
    v = c["momentum"] * c["velocity"] + dw * -c["learning_rate"]
    return w + v, {**c, "velocity": v}


def momentum_by_difference(w, dw, config=None):
    config = dict(config or {})
    old = config.pop("velocity", 0.0)
    new = w + config.get("momentum", 0.9) * old - config.get("learning_rate", 1e-2) * dw
    config["velocity"] = new - w
    return new, config


def momentum_loop(w, dw, config=None):
    config = config if config is not None else {}
    v = config.get("velocity")
    v = np.zeros_like(w) if v is None else v.copy()
    out = w.copy()
    for i in np.ndindex(w.shape):
        v[i] = config.get("momentum", 0.9) * v[i] - config.get("learning_rate", 1e-2) * dw[i]
        out[i] += v[i]
    config["velocity"] = v
    return out, config


def momentum_einsum(w, dw, config=None):
    c = {} if config is None else config
    both = np.stack([c.get("velocity", np.zeros_like(w)), dw])
    factors = np.array([c.get("momentum", 0.9), -c.get("learning_rate", 1e-2)])
    c["velocity"] = np.einsum("k,k...->...", factors, both)
    return np.add(w, c["velocity"]), c


@pytest.mark.parametrize(
    "rule",
    [
        momentum_classic,
        momentum_in_place,
        momentum_new_dict,
        momentum_by_difference,
        momentum_loop,
        momentum_einsum,
    ],
)
def test_any_right_momentum_passes(rule):
    for seed in range(20):
        report = judged(seed, sgd_momentum=rule)
        assert report.passed, report.comment()


def rmsprop_forms():
    """RMSProp with epsilon outside, inside, in both places, nowhere; in place; by powers."""

    def settings(config):
        c = {} if config is None else config
        return c, c.get("learning_rate", 1e-2), c.get("decay_rate", 0.99), c.get("epsilon", 1e-8)

    def outside(w, dw, config=None):
        c, lr, rho, eps = settings(config)
        c["cache"] = rho * c.get("cache", 0) + (1 - rho) * dw * dw
        return w - lr * dw / (c["cache"] ** 0.5 + eps), c

    def inside(w, dw, config=None):
        c, lr, rho, eps = settings(config)
        c["cache"] = rho * c.get("cache", np.zeros_like(w)) + (1 - rho) * np.square(dw)
        return w - lr * dw / np.sqrt(c["cache"] + eps), c

    def both(w, dw, config=None):
        c, lr, rho, eps = settings(config)
        c["cache"] = rho * c.get("cache", np.zeros_like(w)) + (1 - rho) * dw**2
        return w - lr / (np.sqrt(c["cache"] + eps) + eps) * dw, c

    def in_place(w, dw, config=None):
        c, lr, rho, eps = settings(config)
        cache = c.setdefault("cache", np.zeros_like(w))
        cache += (1 - rho) * (dw**2 - cache)
        dw /= np.sqrt(cache) + eps
        w -= lr * dw
        return w, c

    def by_powers(w, dw, config=None):
        c, lr, rho, eps = settings(config)
        c = dict(c)
        c["cache"] = (1 - rho) * np.power(dw, 2) + rho * c.get("cache", np.zeros_like(w))
        return w - lr * np.multiply(dw, np.power(c["cache"] + eps, -0.5)), c

    return [outside, inside, both, in_place, by_powers]


@pytest.mark.parametrize("rule", rmsprop_forms())
def test_any_right_rmsprop_passes(rule):
    for seed in range(20):
        report = judged(seed, rmsprop=rule)
        assert report.passed, report.comment()


def test_rmsprop_without_epsilon_fails_where_a_gradient_is_always_zero():
    def without(w, dw, config=None):
        c = {"learning_rate": 1e-2, "decay_rate": 0.99, **(config or {})}
        rho = c["decay_rate"]
        c["cache"] = rho * c.get("cache", 0 * w) + (1 - rho) * dw**2
        with np.errstate(invalid="ignore"):
            return w - c["learning_rate"] * dw / np.sqrt(c["cache"]), c

    report = judged(rmsprop=without)
    assert not report.passed and "nan" in report.comment()


def adam_forms():
    """Adam as in the paper, as in its remark on efficiency, in place, and with epsilon inside."""
    defaults = {"learning_rate": 1e-3, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8}

    def started(w, config):
        c = {} if config is None else config
        for key, value in defaults.items():
            c.setdefault(key, value)
        c.setdefault("m", np.zeros_like(w))
        c.setdefault("v", np.zeros_like(w))
        c.setdefault("t", 0)
        return c, *(c[key] for key in defaults)

    def paper(w, dw, config=None):
        c, lr, b1, b2, eps = started(w, config)
        c["t"] += 1
        c["m"] = b1 * c["m"] + (1 - b1) * dw
        c["v"] = b2 * c["v"] + (1 - b2) * (dw**2)
        mt, vt = c["m"] / (1 - b1 ** c["t"]), c["v"] / (1 - b2 ** c["t"])
        return w - lr * mt / (np.sqrt(vt) + eps), c

    def efficient(w, dw, config=None):
        c, lr, b1, b2, eps = started(w, config)
        c["t"] = t = c["t"] + 1
        c["m"] = c["m"] + (1 - b1) * (dw - c["m"])
        c["v"] = c["v"] + (1 - b2) * (dw * dw - c["v"])
        lr_t = lr * np.sqrt(1 - b2**t) / (1 - b1**t)
        return w - lr_t * c["m"] / (np.sqrt(c["v"]) + eps), c

    def in_place(w, dw, config=None):
        c, lr, b1, b2, eps = started(w, config)
        c["t"] += 1
        c["m"] *= b1
        c["m"] += (1 - b1) * dw
        c["v"] *= b2
        c["v"] += (1 - b2) * dw**2
        w -= lr * (c["m"] / (1 - b1 ** c["t"])) / (np.sqrt(c["v"] / (1 - b2 ** c["t"])) + eps)
        return w, c

    def inside(w, dw, config=None):
        c, lr, b1, b2, eps = started(w, dict(config or {}))
        t = c["t"] + 1
        m, v = b1 * c["m"] + (1 - b1) * dw, b2 * c["v"] + (1 - b2) * dw**2
        step = lr * m / (1 - b1**t) / np.sqrt(v / (1 - b2**t) + eps)
        return w - step, {**c, "m": m, "v": v, "t": float(t)}

    def loop(w, dw, config=None):
        c, lr, b1, b2, eps = started(w, config)
        t, m, v, out = c["t"] + 1, c["m"].copy(), c["v"].copy(), w.copy()
        for i in np.ndindex(w.shape):
            m[i] = b1 * m[i] + (1 - b1) * dw[i]
            v[i] = b2 * v[i] + (1 - b2) * dw[i] ** 2
            out[i] -= lr * (m[i] / (1 - b1**t)) / ((v[i] / (1 - b2**t)) ** 0.5 + eps)
        return out, {**c, "m": m, "v": v, "t": np.int64(t)}

    def twice(w, dw, config=None):
        c, lr, b1, b2, eps = started(w, config)
        c.update(t=c["t"] + 1, m=b1 * c["m"] + (1 - b1) * dw, v=b2 * c["v"] + (1 - b2) * dw**2)
        unbias = 1 - np.array([b1, b2]) ** c["t"]
        return w - lr * np.divide(c["m"] / unbias[0], np.sqrt(c["v"] / unbias[1]) + eps), c

    return [paper, efficient, in_place, inside, loop, twice]


@pytest.mark.parametrize("rule", adam_forms())
def test_any_right_adam_passes(rule):
    for seed in range(20):
        report = judged(seed, adam=rule)
        assert report.passed, report.comment()


COSINES = [
    lambda s, b, t, f=0.0: f + (b - f) * 0.5 * (1 + np.cos(np.pi * min(s, t) / t)),
    lambda s, b, t, f=0.0: f if s >= t else f + 0.5 * (b - f) * (np.cos(s / t * np.pi) + 1),
    lambda s, b, t, f=0.0: f + (b - f) * np.cos(np.pi * np.clip(s / t, 0, 1) / 2) ** 2,
    lambda s, b, t, f=0.0: (b + f) / 2 + (b - f) / 2 * np.cos(np.pi * np.minimum(1, s / t)),
    lambda s, b, t, f=0.0: b - (b - f) * np.sin(np.pi / 2 * min(s / t, 1)) ** 2,
    lambda s, b, t, f=0.0: float(f + (b - f) * (1 - (1 - np.cos(np.pi * min(1.0, s / t))) / 2)),
]


@pytest.mark.parametrize("schedule", COSINES)
def test_any_right_cosine_passes(schedule):
    report = judged(cosine_decay=schedule)
    assert report.passed, report.comment()


def test_a_rule_without_the_second_value_is_told_so():
    report = judged(adam=lambda w, dw, config=None: w - dw)
    assert not report.passed and "next_w, config" in report.comment()


def test_what_nobody_has_written_yet_is_not_attempted():
    assert judged(adam=lambda w, dw, config=None: (None, config)).outcome == "not_attempted"
    assert judged(sgd=lambda w, dw, config=None: (None, config)).outcome == "not_attempted"
    assert judged(cosine_decay=lambda *settings: None).outcome == "not_attempted"
    assert judged(minibatches=lambda *settings: None).outcome == "not_attempted"


def test_adam_without_correction_is_wrong_in_its_steps_and_right_in_its_states():
    report = judge(BY_NAME["adam"], dict(_mistakes("adam"))["no_bias_correction"])
    assert report.points == BY_NAME["adam"].points / 2


def _mistakes(name):
    return [(mistake.key, mistake.answer) for mistake in BY_NAME[name].mistakes]


# --- the debug exercise is peeled one bug at a time ----------------------------------------------


def test_the_stub_of_the_debug_exercise_holds_all_five_bugs():
    namespace = {"np": np}
    exec(chapter_07.DEBUG_STUB, namespace)
    report = judged(debug_adam_run=namespace["debug_adam_run"])
    assert report.cause.key == "debug_adam_run.left_warm_climb_alias_swapped_stored"
    assert report.points == 0 and "5 bugs" in report.cause.message


def test_the_bugs_may_be_mended_in_any_order():
    rng = np.random.default_rng(1)
    for _ in range(8):
        left = list(rng.permutation(list(chapter_07.PLANTED)))
        while left:
            left.pop()
            report = judged(debug_adam_run=chapter_07._planted(tuple(left)))
            assert report.passed == (not left)
            if left:
                ordered = [bug for bug in chapter_07.PLANTED if bug in left]
                assert report.cause.key == "debug_adam_run.left_" + "_".join(ordered)


def test_a_constant_gradient_shows_the_bugs_of_the_rule():
    for bug in ("swapped", "stored", "alias"):
        rates, path = chapter_07._planted((bug,))(np.zeros(1), np.full((5, 1), 2.0), 0.1, 1, 90)
        steps = -np.diff(path[:, 0], prepend=0.0)
        assert not np.allclose(steps, rates)
    rates, path = answer("debug_adam_run")(np.zeros(1), np.full((5, 1), 2.0), 0.1, 1, 90)
    np.testing.assert_allclose(-np.diff(path[:, 0], prepend=0.0), rates, rtol=1e-7)


# --- the explorers -------------------------------------------------------------------------------


def other_value(control):
    if isinstance(control, (ipywidgets.ToggleButtons, ipywidgets.Dropdown)):
        return next(value for value in control.options if value != control.value)
    if isinstance(control, ipywidgets.FloatLogSlider):
        return control.value * 2
    return control.value + (control.step if control.value < control.max else -8 * control.step)


@pytest.mark.parametrize("name", ["explore_optimisers", "name_the_curve"])
def test_each_control_changes_the_explorer(name):
    explorer = getattr(widgets, name)()
    for key, control in explorer.controls.items():
        if key == "rate":
            explorer.controls["mode"].value = "the same for all"
        before = explorer.picture.value, explorer.reading
        control.value = other_value(control)
        assert (explorer.picture.value, explorer.reading) != before, key
        assert explorer.problem == "", key
    data, _ = explorer._repr_mimebundle_()
    assert data["image/png"].startswith("iVBORw0KGgo")
    explorer.close()


@pytest.mark.parametrize("surface", SURFACES)
def test_a_surface_has_the_gradient_and_the_lowest_point_it_claims(surface):
    found, rng = SURFACES[surface], np.random.default_rng(0)
    for w in rng.uniform(-1.5, 1.5, (20, 2)):
        nudged = [(found.value(w + h) - found.value(w - h)) / 2e-5 for h in 1e-5 * np.eye(2)]
        np.testing.assert_allclose(found.gradient(w), nudged, rtol=1e-5, atol=1e-7)
    for goal in found.goals:
        assert found.value(np.array(goal, float)) == pytest.approx(found.lowest, abs=1e-9)
    assert found.value(rng.uniform(-3, 3, (5000, 2))).min() >= found.lowest


def test_the_learners_own_rule_joins_the_race_and_runs_like_the_reference():
    explorer = widgets.explore_optimisers(momentum_classic)
    explorer.controls["mode"].value = "the same for all"
    explorer.controls["rate"].value = 0.01
    explorer.controls["steps"].value = 60
    own = explorer.picture.moving[1 + len(RULES)].get_xydata()
    reference = explorer.picture.moving[2].get_xydata()
    np.testing.assert_allclose(own, reference)
    explorer.close()


@pytest.mark.parametrize(
    "rule", [lambda w, dw, config: w, lambda w, dw, config: 1 / 0, lambda w, dw, config: None]
)
def test_a_broken_rule_gets_a_sentence_and_the_others_run(rule):
    explorer = widgets.explore_optimisers(rule)
    assert "the function" in explorer.problem and "Adam" in explorer.reading
    explorer.close()


def test_every_curve_is_known_by_its_name_and_none_starts_at_zero():
    explorer = widgets.name_the_curve()
    for number, curve in enumerate(CURVES_TO_NAME, 1):
        explorer.controls["curve"].value = number
        explorer.controls["guess"].value = curve.name
        assert "Right" in explorer.reading and curve.rate(0) > 0
    explorer.controls["guess"].value = "linear decay"
    assert "Not this one" in explorer.reading
    explorer.close()


def test_the_own_schedule_lies_on_the_curve_it_rebuilds():
    explorer = widgets.name_the_curve(lambda step: 0.1 / (1 + 0.05 * step))
    assert "off by at most 0.0000" in explorer.reading
    explorer.close()
