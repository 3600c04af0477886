"""Chapter 15: the definitions prove themselves, agree with others, and are fair to every style."""

import autograd.numpy as anp
import ipywidgets
import numpy as np
import pytest
from autograd import grad

import grader.widgets as widgets
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import normalisation as chapter_15
from grader.proof import judge, prove

CHAPTER = chapter_15.chapter
BY_NAME = {exercise.name: exercise for exercise in CHAPTER}
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]
SLOW = {"debug_batchnorm": 2, "NormalisedNet": 1, "repair_plan": 1}  # 30 seeds of each ran once


def answer(name):
    return BY_NAME[name].answer


def judged(seed=0, **names):
    """The report on the first of the named things."""
    return check_exercise(BY_NAME[next(iter(names))], LocalAttempt(names), seed)


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    assert prove(BY_NAME[name], range(SLOW.get(name, 3))) == []


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
        assert "solutions/15_normalisation" in BY_NAME[name].hints[2]


def test_a_check_is_fast():
    for name in ("batchnorm_forward", "spatial_batchnorm_forward", "layernorm_forward"):
        judged(**{name: answer(name)})
        assert judged(**{name: answer(name)}).milliseconds < 100


# --- independent oracles: autograd through the definition ----------------------------------------


def standardised(x, axes, eps):
    """The definition, for autograd."""
    middle = anp.mean(x, axis=axes, keepdims=True)
    return (x - middle) / anp.sqrt(anp.mean((x - middle) ** 2, axis=axes, keepdims=True) + eps)


def agree_with_autograd(forward, backward, formula, args, settings):
    """Values, and the three gradients, of one random case."""
    x, gamma, beta = args
    out, cache = forward(x.copy(), gamma, beta, *settings)
    np.testing.assert_allclose(out, formula(x, gamma, beta), rtol=1e-9, atol=1e-9)
    dout = np.random.default_rng(0).standard_normal(out.shape)
    found = backward(dout.copy(), cache)
    for i in range(3):
        wanted = grad(lambda *a: anp.sum(dout * formula(*a)), i)(x, gamma, beta)
        np.testing.assert_allclose(found[i], wanted, rtol=1e-7, atol=1e-8)


def test_the_norms_of_tables_agree_with_autograd_on_100_shapes():
    rng = np.random.default_rng(15)
    for _ in range(100):
        n, d = rng.integers(2, 9, 2)
        args = rng.normal(3, 2, (n, d)), rng.normal(1, 1, d), rng.normal(0, 1, d)
        eps = 10 ** rng.uniform(-5, -1)
        for axis, kind, backs in [
            (0, "batchnorm", ("batchnorm_backward", "batchnorm_backward_alt")),
            (1, "layernorm", ("layernorm_backward",)),
        ]:

            def formula(x, gamma, beta, axis=axis, eps=eps):
                return gamma * standardised(x, axis, eps) + beta

            for back in backs:
                setting = {"mode": "train", "eps": eps}
                agree_with_autograd(
                    answer(f"{kind}_forward"), answer(back), formula, args, (setting,)
                )


def test_the_norms_of_images_agree_with_autograd_on_100_shapes():
    rng = np.random.default_rng(16)
    for _ in range(50):
        n, h, w, groups, each = rng.integers(2, 5, 5)
        c, eps = groups * each, 10 ** rng.uniform(-5, -1)
        x = rng.normal(3, 2, (n, c, h, w))
        gamma, beta = rng.normal(1, 1, c), rng.normal(0, 1, c)

        def spatial(x, gamma, beta, eps=eps, c=c):
            wide = anp.reshape(gamma, (1, c, 1, 1)), anp.reshape(beta, (1, c, 1, 1))
            return wide[0] * standardised(x, (0, 2, 3), eps) + wide[1]

        agree_with_autograd(
            answer("spatial_batchnorm_forward"),
            answer("spatial_batchnorm_backward"),
            spatial,
            (x, gamma, beta),
            ({"mode": "train", "eps": eps},),
        )

        def grouped(x, gamma, beta, eps=eps, c=c, groups=groups):
            rows = standardised(anp.reshape(x, (len(x), groups, -1)), 2, eps)
            wide = anp.reshape(gamma, (1, c, 1, 1)), anp.reshape(beta, (1, c, 1, 1))
            return wide[0] * anp.reshape(rows, x.shape) + wide[1]

        for shape in ((1, c, 1, 1), (c,)):  # the answer takes both
            agree_with_autograd(
                answer("spatial_groupnorm_forward"),
                answer("spatial_groupnorm_backward"),
                grouped,
                (x, gamma.reshape(shape), beta.reshape(shape)),
                (groups, {"eps": eps}),
            )


def test_running_statistics_are_a_linear_filter():
    from scipy.signal import lfilter

    rng, setting = np.random.default_rng(1), {"mode": "train", "momentum": 0.8}
    batches = rng.normal(2, 3, (7, 5, 4))
    for x in batches:
        answer("batchnorm_forward")(x, np.ones(4), np.zeros(4), setting)
    for name, values in (("mean", batches.mean(axis=1)), ("var", batches.var(axis=1))):
        wanted = lfilter([0.2], [1, -0.8], values, axis=0)[-1]
        np.testing.assert_allclose(setting[f"running_{name}"], wanted)


@pytest.mark.parametrize("kind", [None, "batchnorm", "layernorm"])
def test_the_nets_gradients_are_those_of_its_loss(kind):
    rng = np.random.default_rng(2)
    net = answer("NormalisedNet")(
        [6, 5], 4, 3, normalization=kind, reg=0.3, weight_scale=0.7, seed=1
    )
    X, y = rng.standard_normal((8, 4)), np.arange(8) % 3
    _, grads = net.loss(X, y)
    assert sorted(grads) == sorted(net.params)
    for name, value in net.params.items():
        v = rng.standard_normal(value.shape)
        net.params[name] = value + 1e-6 * v
        above, _ = net.loss(X, y)
        net.params[name] = value - 1e-6 * v
        below, _ = net.loss(X, y)
        net.params[name] = value
        slope = (above - below) / 2e-6
        assert (grads[name] * v).sum() == pytest.approx(slope, rel=1e-5, abs=1e-7), name


def test_the_net_keeps_the_convention_of_chapter_05():
    old, new = __import__("grader.nn", fromlist=["x"]).FullyConnectedNet, answer("NormalisedNet")
    X, y = np.random.default_rng(0).standard_normal((6, 4)), np.arange(6) % 3
    nets = [make([5, 7], 4, 3, reg=0.2, weight_scale=0.5, seed=3) for make in (old, new)]
    (a, da), (b, db) = (net.loss(X, y) for net in nets)
    assert a == pytest.approx(b)
    for name in da:
        np.testing.assert_allclose(da[name], db[name])


# --- findings name the term ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bug", "word"),
    [
        ("mean_path_missing", "MEAN"),
        ("variance_path_missing", "VARIANCE"),
        ("dx_without_gamma", "gamma"),
        ("scale_missing", "1/deviation"),
        ("n_minus_1", "n - 1"),
    ],
)
def test_a_missing_term_is_named(bug, word):
    wrong = {m.key: m.answer for m in BY_NAME["batchnorm_backward"].mistakes}[bug]
    report = judge(BY_NAME["batchnorm_backward"], wrong)
    assert report.cause.key == f"batchnorm_backward.{bug}" and word in report.cause.message


def test_right_values_with_wrong_running_statistics_keep_half_of_the_points():
    wrong = {m.key: m.answer for m in BY_NAME["batchnorm_forward"].mistakes}["momentum_swapped"]
    assert judge(BY_NAME["batchnorm_forward"], wrong).points == 2


def test_what_nobody_has_written_yet_is_not_attempted():
    assert judged(batchnorm_forward=lambda *a: (None, None)).outcome == "not_attempted"
    assert judged(layernorm_forward=lambda *a: None).outcome == "not_attempted"
    assert judged(repair_plan=lambda: None).outcome == "not_attempted"


def test_any_plan_that_learns_passes():
    found = chapter_15._plan(
        activation="relu", start="he", normalization="batchnorm", learning_rate=0.3
    )
    assert judged(repair_plan=found).passed
    assert judged(repair_plan=lambda: {"activation": "swish"}).outcome == "crashed"


# --- the debug exercise is peeled one bug at a time ----------------------------------------------


def test_the_stub_of_the_debug_exercise_holds_all_five_bugs():
    namespace = {"np": np}
    exec(chapter_15.DEBUG_STUB, namespace)
    report = judged(debug_batchnorm=namespace["debug_batchnorm"])
    assert report.cause.key == "debug_batchnorm.left_unbiased_mean_deviation_eps_gains"
    assert report.points == 0 and "5 bugs" in report.cause.message


def test_the_bugs_may_be_mended_in_any_order():
    rng = np.random.default_rng(1)
    for _ in range(6):
        left = list(rng.permutation(list(chapter_15.PLANTED)))
        while left:
            left.pop()

            def run(*args, left=tuple(left)):
                return chapter_15._debug(*args, bugs=left)

            report = judged(debug_batchnorm=run)
            assert report.passed == (not left)
            if left:
                ordered = [bug for bug in chapter_15.PLANTED if bug in left]
                assert report.cause.key == "debug_batchnorm.left_" + "_".join(ordered)


# --- the explorers -------------------------------------------------------------------------------


def other_value(control):
    if isinstance(control, ipywidgets.Checkbox):
        return not control.value
    if isinstance(control, (ipywidgets.SelectionSlider, ipywidgets.ToggleButtons)):
        values = [o[1] if isinstance(o, tuple) else o for o in control.options]
        return next(value for value in values if value != control.value)
    return control.value + 3 * control.step


@pytest.mark.parametrize("name", ["explore_batch", "explore_norm_depth"])
def test_each_control_changes_the_explorer(name):
    explorer = getattr(widgets, name)()
    for key, control in explorer.controls.items():
        before = explorer.picture.value, explorer.reading
        control.value = other_value(control)
        assert (explorer.picture.value, explorer.reading) != before, key
        assert explorer.problem == "", key
    data, _ = explorer._repr_mimebundle_()
    assert data["image/png"].startswith("iVBORw0KGgo")
    explorer.close()


def test_the_own_batch_norm_is_compared_with_the_reference():
    explorer = widgets.explore_batch(answer("batchnorm_forward"))
    assert "off by at most" in explorer.reading and explorer.problem == ""
    explorer.close()
    explorer = widgets.explore_norm_depth(answer("layernorm_forward"))
    assert "along axis 1" in explorer.reading and explorer.problem == ""
    explorer.close()


@pytest.mark.parametrize("name", ["explore_batch", "explore_norm_depth"])
@pytest.mark.parametrize("broken", [lambda *a: 1 / 0, lambda *a: None, lambda *a: np.ones(3)])
def test_a_broken_function_gets_a_sentence(name, broken):
    explorer = getattr(widgets, name)(broken)
    assert "the function" in explorer.problem
    explorer.close()


def test_a_batch_of_two_knows_only_who_is_larger():
    explorer = widgets.explore_batch()
    explorer.controls["size"].value = 2
    assert "between \N{MINUS SIGN}1.00 and 1.00" in explorer.reading
    explorer.close()
