"""Chapter 03: the definitions prove themselves, agree with others, and are fair to every style."""

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
import scipy.special

from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercises import activations as chapter_03
from grader.exercises import get, get_chapter
from grader.proof import judge, prove

CHAPTER = get_chapter("03_activations")
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
    seeds = 6 if name == "debug_activation_net" else 100  # 32 mistakes: 100 seeds were run once
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
        assert "solutions/03_activations" in get(name).hints[2]


# --- independent oracles -------------------------------------------------------------------------


def random_shape(rng):
    return tuple(rng.integers(1, 7, rng.integers(1, 5)))


def autograd_softmax(x):
    e = anp.exp(x - anp.max(x, axis=-1, keepdims=True))
    return e / anp.sum(e, axis=-1, keepdims=True)


PAIRS = {
    "relu": (lambda x: anp.maximum(x, 0), lambda x: np.maximum(x, 0)),
    "tanh": (anp.tanh, np.tanh),
    "softmax": (autograd_softmax, lambda x: scipy.special.softmax(x, axis=-1)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_pairs_agree_with_autograd_and_scipy_on_100_shapes(name):
    rng = np.random.default_rng(7)
    for_autograd, independent = PAIRS[name]
    for _ in range(100):
        x = rng.normal(0, 2, random_shape(rng))
        dout = rng.standard_normal(x.shape)
        out, cache = answer(f"{name}_forward")(x)
        np.testing.assert_allclose(out, independent(x), rtol=1e-12, atol=1e-15)
        wanted = autograd.grad(lambda x, f=for_autograd, u=dout: anp.sum(u * f(x)))(x)
        got = answer(f"{name}_backward")(dout, cache)
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ["scaled_sigmoid", "leaky_relu"])
def test_pairs_with_alpha_agree_with_autograd_and_scipy_on_100_shapes(name):
    rng = np.random.default_rng(8)
    for _ in range(100):
        x, alpha = rng.normal(0, 2, random_shape(rng)), float(rng.uniform(0.05, 0.95))
        dout = rng.standard_normal(x.shape)
        out, cache = answer(f"{name}_forward")(x, alpha)
        if name == "scaled_sigmoid":
            independent = scipy.special.expit(alpha * x)
            graph = lambda x, k: 1 / (1 + anp.exp(-k * x))  # noqa: E731
        else:
            independent = np.maximum(x, 0) + alpha * np.minimum(x, 0)
            graph = lambda x, k: anp.where(x > 0, x, k * x)  # noqa: E731
        np.testing.assert_allclose(out, independent, rtol=1e-12, atol=1e-15)
        wanted = autograd.grad(lambda x, k=alpha, u=dout, g=graph: anp.sum(u * g(x, k)))(x)
        got = answer(f"{name}_backward")(dout, cache)
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-13)


def test_the_sigmoid_and_its_two_slopes_agree_with_scipy_and_autograd_on_100_shapes():
    rng = np.random.default_rng(9)
    slope = autograd.elementwise_grad(lambda z: 1 / (1 + anp.exp(-z)))
    for _ in range(100):
        z = rng.normal(0, 3, random_shape(rng))
        a = answer("stable_sigmoid")(z)
        np.testing.assert_allclose(a, scipy.special.expit(z), rtol=1e-12)
        np.testing.assert_allclose(answer("dsigmoid_from_z")(z), slope(z), rtol=1e-9)
        np.testing.assert_allclose(answer("dsigmoid_from_a")(a), slope(z), rtol=1e-9)


def test_the_debug_nets_gradients_agree_with_autograd():
    rng = np.random.default_rng(10)
    for case in get("debug_activation_net").cases(rng):
        x, y, *weights, alpha = case.args

        def loss(w1, w2, w3, x=x, y=y, alpha=alpha):
            hidden = 1 / (1 + anp.exp(-alpha * anp.dot(anp.maximum(anp.dot(x, w1), 0), w2)))
            return -anp.sum(y * anp.log(autograd_softmax(anp.dot(hidden, w3)))) / len(x)

        found = answer("debug_activation_net")(*case.args)
        assert found[0] == pytest.approx(loss(*weights), rel=1e-12)
        for place in range(3):
            wanted = autograd.grad(loss, place)(*weights)
            np.testing.assert_allclose(found[1 + place], wanted, rtol=1e-9, atol=1e-14)


def test_stable_sigmoid_is_right_and_silent_at_every_size():
    x = np.array([-1e308, -1000.0, -745.0, -710.0, -37.0, 0.0, 37.0, 710.0, 1000.0, 1e308])
    with np.errstate(all="raise", under="ignore"):
        out = answer("stable_sigmoid")(x)
    np.testing.assert_allclose(out, scipy.special.expit(x), rtol=1e-12, atol=1e-300)


# --- what the lesson and the quiz say ------------------------------------------------------------


def test_tanh_is_a_stretched_sigmoid():
    z = np.linspace(-1000, 1000, 4001)
    sigmoid = answer("stable_sigmoid")
    np.testing.assert_allclose(answer("tanh_forward")(z)[0], 2 * sigmoid(2 * z) - 1, atol=4e-16)


def test_the_scaled_sigmoid_is_a_plain_one_with_scaled_weights():
    rng = np.random.default_rng(0)
    x, w, b = rng.standard_normal((5, 3)), rng.standard_normal((3, 4)), rng.standard_normal(4)
    for alpha in (0.5, 3.0):
        scaled = answer("scaled_sigmoid_forward")(x @ w + b, alpha)[0]
        plain = answer("sigmoid_forward")(x @ (alpha * w) + alpha * b)[0]
        np.testing.assert_allclose(scaled, plain, rtol=1e-12)


def test_the_numbers_in_the_quiz_and_the_messages_are_right():
    slope = answer("dsigmoid_from_z")
    assert slope(0.0) == 0.25
    assert slope(1.0) == pytest.approx(0.197, abs=5e-4)
    assert slope(3.0) == pytest.approx(0.0452, abs=5e-5)
    assert 4 * slope(0.0) == get("activations_q6").answer == 1
    assert 4 * slope(12.0) == pytest.approx(2.5e-5, rel=0.02)  # alpha = 4 at x = 3
    assert 3 * (1 - 3) == get("activations_q4").answer == -6
    assert 1 - 3**2 == -8 and 1 - np.tanh(3) ** 2 == pytest.approx(0.0099, abs=5e-5)
    assert max(0, 0.5 * 1 - 1 * 2 + 0.25) == get("activations_q11").answer == 0


def test_softmax_backward_is_the_jacobian_without_the_table():
    p = answer("softmax_forward")(np.array([1.0, 2.0, 0.5, -1.0]))[0]
    dout = np.array([0.3, -1.0, 2.0, 0.7])
    table = np.diag(p) - np.outer(p, p)
    np.testing.assert_allclose(answer("softmax_backward")(dout, p), dout @ table, rtol=1e-12)
    np.testing.assert_allclose(table.sum(axis=0), 0, atol=1e-16)


def test_dead_means_silent_for_every_example():
    a = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    assert answer("dead_fraction")(a) == pytest.approx(1 / 3)


def test_saturated_counts_both_ends_as_shares_of_the_range():
    a = np.array([-0.99, -0.92, 0.0, 0.89, 0.91])  # the margin is 0.05 * 2 = 0.1
    assert answer("saturated_fraction")(a, -1.0, 1.0) == pytest.approx(3 / 5)


# --- fair to every style -------------------------------------------------------------------------


def relu_by_mask(x):
    return x * (x > 0), {"positive": x > 0}


def relu_by_where(x):
    return np.where(x > 0, x, 0), [x]


def relu_in_place(x):
    mask = x < 0
    x[mask] = 0
    return x, mask


def relu_by_abs(x):
    return (x + np.abs(x)) / 2, (x, "more", None)


def relu_clipped(x):
    return x.clip(min=0), np.sign(x)


def relu_by_loop(x):
    out = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        if x[index] > 0:
            out[index] = x[index]
    return out, out


class Kept:
    """A cache that is an object of the learner's own."""

    def __init__(self, x):
        self.x = x


def relu_with_object(x):
    return np.maximum(0, x), Kept(x)


def relu_float32(x):
    return np.maximum(x.astype(np.float32), 0), x


def times_mask(dout, cache):
    return dout * cache["positive"]


def in_place(dout, cache):
    dout[cache[0] <= 0] = 0
    return dout


def by_stored_mask(dout, cache):
    dx = dout.copy()
    dx[cache] = 0
    return dx


def where_first(dout, cache):
    return np.where(cache[0] > 0, dout, 0.0)


def one_tuple(dout, cache):
    return (dout * (cache + 1) / 2,)


def by_output_with_loop(dout, out):
    dx = np.zeros(dout.shape)
    for index in np.ndindex(dout.shape):
        dx[index] = dout[index] if out[index] > 0 else 0
    return dx


def by_object(dout, cache):
    return dout * (cache.x >= 0)


def heaviside(dout, x):
    return np.heaviside(x, 0.5) * dout


RELUS = [
    (relu_by_mask, times_mask),
    (relu_by_where, in_place),
    (relu_in_place, by_stored_mask),
    (relu_by_abs, where_first),
    (relu_clipped, one_tuple),
    (relu_by_loop, by_output_with_loop),
    (relu_with_object, by_object),
    (relu_float32, heaviside),
]


@pytest.mark.parametrize("forward, backward", RELUS)
def test_any_right_relu_passes(forward, backward):
    for seed in range(10):
        report = judged(seed, relu_forward=forward)
        assert report.passed, report.comment()
        report = judged(seed, relu_forward=forward, relu_backward=backward)
        assert report.passed, report.comment()


def test_an_integer_zero_that_sets_the_type_of_the_result_is_found():
    def relu_forward(x):
        return np.vectorize(lambda v: max(0, v))(x), x  # the first entry decides: integers

    for seed in range(20):
        assert not judged(seed, relu_forward=relu_forward).passed


@pytest.mark.parametrize("at_zero", [0.0, 0.5, 1.0])
def test_the_slope_of_relu_at_zero_is_never_judged(at_zero):
    def relu_backward(dout, x):
        return dout * np.where(x == 0, at_zero, x > 0)

    for seed in range(20):
        names = {"relu_forward": answer("relu_forward"), "relu_backward": relu_backward}
        assert judged(seed, **names).passed


def test_relu_backward_is_judged_without_a_forward_if_its_cache_is_x():
    assert judged(relu_backward=lambda dout, x: dout * (x > 0)).passed


DSIGMOIDS = [
    lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2,
    lambda z: np.exp(z) / (1 + np.exp(z)) ** 2,
    lambda z: scipy.special.expit(z) * scipy.special.expit(-z),
    lambda z: 1 / (2 + np.exp(z) + np.exp(-z)),
    lambda z: (1 - np.tanh(z / 2) ** 2) / 4,
    lambda z: 0.25 / np.cosh(z / 2) ** 2,
    lambda z: np.vectorize(lambda t: 1 / (1 + np.exp(-t)) - 1 / (1 + np.exp(-t)) ** 2)(z),
]


@pytest.mark.parametrize("dsigmoid_from_z", DSIGMOIDS)
def test_any_right_slope_of_z_passes(dsigmoid_from_z):
    for seed in range(10):
        assert judged(seed, dsigmoid_from_z=dsigmoid_from_z).passed


SLOPES_OF_A = [
    lambda a: a - a**2,
    lambda a: a - a * a,
    lambda a: 0.25 - (a - 0.5) ** 2,
    lambda a: np.multiply(a, 1.0 - a),
    lambda a: answer("dsigmoid_from_z")(np.log(a / (1 - a))),
    lambda a: np.array([t * (1 - t) for t in a.ravel()]).reshape(a.shape),
]


@pytest.mark.parametrize("dsigmoid_from_a", SLOPES_OF_A)
def test_any_right_slope_of_a_passes(dsigmoid_from_a):
    for seed in range(10):
        assert judged(seed, dsigmoid_from_a=dsigmoid_from_a).passed


def softmax_by_loop(x):
    rows = x.reshape(-1, x.shape[-1])
    out = np.empty_like(rows)
    for i, row in enumerate(rows):
        e = np.exp(row - max(row))
        out[i] = e / sum(e)
    return out.reshape(x.shape), {"p": out.reshape(x.shape)}


def softmax_by_log(x):
    x = x - np.max(x, -1)[..., None]
    log_p = x - np.log(np.sum(np.exp(x), -1)[..., None])
    return np.exp(log_p), [log_p]


def softmax_transposed(x):
    e = np.exp(x.T - x.T.max(axis=0))
    return (e / e.sum(axis=0)).T, x


def softmax_in_place(x):
    x -= x.max(axis=-1, keepdims=True)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x, (x, x.shape)


def softmax_einsum(x):
    e = np.exp(x - np.expand_dims(np.amax(x, axis=-1), -1))
    return np.einsum("...i,...->...i", e, 1 / np.einsum("...i->...", e)), x


def softmax_with_epsilon(x):
    e = np.exp(x - x.max(axis=x.ndim - 1, keepdims=True))
    p = e / (e.sum(axis=-1, keepdims=True) + 1e-8)
    return p, Kept(p)


def softmax_along_axis(x):
    def one(row):
        e = np.exp(row - row.max())
        return e / e.sum()

    p = np.apply_along_axis(one, -1, x)
    return p, p


def back_by_loop(dout, cache):
    p = cache["p"].reshape(-1, cache["p"].shape[-1])
    rows = dout.reshape(p.shape)
    dx = [(np.diag(q) - np.outer(q, q)) @ u for q, u in zip(p, rows, strict=True)]
    return np.array(dx).reshape(dout.shape)


def back_from_log(dout, cache):
    p = np.exp(cache[0])
    return p * dout - p * (p * dout).sum(-1)[..., None]


def back_from_x(dout, x):
    p = scipy.special.softmax(x, axis=-1)
    dout -= np.sum(dout * p, axis=-1, keepdims=True)
    dout *= p
    return dout


def back_with_jacobian(dout, cache):
    p = cache[0]
    jacobian = (
        np.einsum("...i,ij->...ij", p, np.eye(p.shape[-1])) - p[..., :, None] * p[..., None, :]
    )
    return np.einsum("...i,...ij->...j", dout, jacobian)


def back_by_tensordot(dout, x):
    p = softmax_einsum(x)[0]
    return p * (dout - np.einsum("...i,...i->...", dout, p)[..., np.newaxis])


def back_from_object(dout, cache):
    return cache.x * (dout - np.expand_dims((dout * cache.x).sum(-1), -1))


def back_by_matmul(dout, p):
    inner = np.matmul(dout[..., None, :], p[..., :, None])[..., 0]
    return p * (dout - inner)


SOFTMAXES = [
    (softmax_by_loop, back_by_loop),
    (softmax_by_log, back_from_log),
    (softmax_transposed, back_from_x),
    (softmax_in_place, back_with_jacobian),
    (softmax_einsum, back_by_tensordot),
    (softmax_with_epsilon, back_from_object),
    (softmax_along_axis, back_by_matmul),
]


@pytest.mark.parametrize("forward, backward", SOFTMAXES)
def test_any_right_softmax_passes(forward, backward):
    for seed in range(10):
        report = judged(seed, softmax_forward=forward)
        assert report.passed, report.comment()
        report = judged(seed, softmax_forward=forward, softmax_backward=backward)
        assert report.passed, report.comment()


def test_softmax_in_single_precision_passes_with_a_remark():
    def softmax_forward(x):
        return softmax_along_axis(x.astype(np.float32))

    for seed in range(10):
        report = judged(seed, softmax_forward=softmax_forward)
        assert report.passed and "float32" in " ".join(report.remarks)


def test_an_unstable_softmax_loses_that_part_only():
    report = judge(get("softmax_forward"), chapter_03.softmax_forward_no_shift)
    assert report.points == 3 and report.max_points == 4


def test_an_unstable_softmax_is_good_enough_for_its_backward():
    names = {
        "softmax_forward": chapter_03.softmax_forward_no_shift,
        "softmax_backward": lambda dout, x: back_from_x(dout, x),
    }
    assert judged(**names).passed


STABLE_SIGMOIDS = [
    lambda x: 0.5 * (1 + np.tanh(0.5 * x)),
    lambda x: np.exp(-np.logaddexp(0, -x)),
    lambda x: 1 / (1 + np.exp(-np.clip(x, -500, 500))),
    scipy.special.expit,
    lambda x: np.vectorize(
        lambda t: 1 / (1 + np.exp(-t)) if t >= 0 else np.exp(t) / (1 + np.exp(t)), otypes=[float]
    )(x),
    lambda x: np.where(x >= 0, 1, np.exp(np.minimum(x, 0))) / (1 + np.exp(-np.abs(x))),
]


@pytest.mark.parametrize("stable_sigmoid", STABLE_SIGMOIDS)
def test_any_stable_sigmoid_passes(stable_sigmoid):
    report = judged(stable_sigmoid=stable_sigmoid)
    assert report.passed, report.comment()


def sigmoid_masked(x):
    out = np.empty_like(x)
    up = x >= 0
    out[up] = 1 / (1 + np.exp(-x[up]))
    e = np.exp(x[~up])
    out[~up] = e / (1 + e)
    return out


def test_masks_compute_one_branch_for_each_entry():
    assert judged(stable_sigmoid=sigmoid_masked).passed


OTHERS = {
    "scaled_sigmoid": [
        (
            lambda x, alpha: (0.5 + 0.5 * np.tanh(alpha * x / 2), (x, alpha)),
            lambda dout, cache: dout * cache[1] / (2 + 2 * np.cosh(cache[0] * cache[1])),
        ),
        (
            lambda x, alpha: (1 / (1 + np.exp(-x * alpha)), {"x": x, "k": alpha}),
            lambda dout, c: dout * c["k"] * answer("dsigmoid_from_z")(c["k"] * c["x"]),
        ),
    ],
    "tanh": [
        (
            lambda x: (2 * answer("stable_sigmoid")(2 * x) - 1, [x]),
            lambda dout, cache: dout / np.cosh(cache[0]) ** 2,
        ),
        (lambda x: (np.tanh(x), x), lambda dout, x: dout * (1 - np.tanh(x) * np.tanh(x))),
    ],
    "leaky_relu": [
        (
            lambda x, alpha=0.01: (np.maximum(x, alpha * x), (x >= 0, alpha)),
            lambda dout, c: dout * (c[0] + c[1] * ~c[0]),
        ),
        (
            lambda x, alpha=0.01: (x * np.where(x > 0, 1, alpha), np.where(x < 0, alpha, 1)),
            lambda dout, slope: dout * slope,
        ),
    ],
}


@pytest.mark.parametrize("name", OTHERS)
def test_other_right_pairs_pass(name):
    for forward, backward in OTHERS[name]:
        names = {f"{name}_forward": forward, f"{name}_backward": backward}
        for seed in range(5):
            assert judged(seed, **{f"{name}_forward": forward}).passed
            assert judged(seed, **names).passed


@pytest.mark.parametrize(
    "dead",
    [
        lambda a: np.mean(a.max(axis=0) == 0),
        lambda a: float((a.sum(0) == 0).sum()) / a.shape[1],
        lambda a: 1 - np.any(a, axis=0).mean(),
        lambda a: sum(not a[:, j].any() for j in range(a.shape[1])) / len(a[0]),
        lambda a: np.mean([np.count_nonzero(column) == 0 for column in a.T]),
        lambda a: (a <= 0).all(axis=0).sum() / a.shape[-1],
    ],
)
def test_any_right_dead_fraction_passes(dead):
    for seed in range(10):
        assert judged(seed, dead_fraction=dead).passed


@pytest.mark.parametrize(
    "saturated",
    [
        lambda a, low=0.0, high=1.0, margin=0.05: np.mean(
            np.minimum(a - low, high - a) <= margin * (high - low)
        ),
        lambda a, low=0, high=1, margin=0.05: (
            1 - np.mean(np.abs(a - (low + high) / 2) <= (0.5 - margin) * (high - low))
        ),
        lambda a, low=0, high=1, margin=0.05: (
            sum(
                (t - low) / (high - low) < margin or (t - low) / (high - low) > 1 - margin
                for t in a.ravel()
            )
            / a.size
        ),
    ],
)
def test_any_right_saturated_fraction_passes(saturated):
    for seed in range(10):
        assert judged(seed, saturated_fraction=saturated).passed


# --- the debug exercise is peeled one bug at a time ----------------------------------------------


def test_the_stub_of_the_debug_exercise_holds_all_five_bugs():
    namespace = {"np": np}
    exec(chapter_03.DEBUG_STUB, namespace)
    report = judged(debug_activation_net=namespace["debug_activation_net"])
    assert report.cause.key == "debug_activation_net.left_axis_fed_z_alpha_slope_x_abs"
    assert report.points == 0 and "5 bugs" in report.cause.message


def test_the_bugs_may_be_mended_in_any_order():
    rng = np.random.default_rng(1)
    for _ in range(8):
        left = list(rng.permutation(list(chapter_03.PLANTED)))
        while left:
            left.pop()
            net = chapter_03._planted(tuple(left))
            report = judged(debug_activation_net=net)
            assert report.passed == (not left)
            if left:
                ordered = [bug for bug in chapter_03.PLANTED if bug in left]
                wanted = "debug_activation_net.left_" + "_".join(ordered)
                assert report.cause.key == wanted


@pytest.mark.parametrize(
    "bug, first_wrong", [("axis", 3), ("fed_z", 2), ("alpha", 2), ("slope_x", 1)]
)
def test_a_gradient_check_shows_each_bug_where_its_message_says(bug, first_wrong):
    from grader import gradcheck

    rng = np.random.default_rng(33)
    x, y = rng.standard_normal((5, 3)), np.eye(6)[rng.integers(0, 6, 5)]
    weights = [rng.normal(0, 0.8, shape) for shape in [(3, 7), (7, 4), (4, 6)]]
    net = chapter_03._planted((bug,))
    for place in (3, 2, 1):

        def result(w, place=place):
            return net(x, y, *[w if i == place - 1 else v for i, v in enumerate(weights)], 1.5)

        right = bool(
            gradcheck(
                lambda w, net=result: net(w)[0],
                lambda w, net=result, place=place: net(w)[place],
                weights[place - 1],
            )
        )
        if place > first_wrong:
            assert right
        if place == first_wrong:
            assert not right
