"""Chapter 09: the definitions prove themselves, agree with others, and are fair to every style."""

from itertools import combinations

import autograd
import autograd.numpy as anp
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from grader.datasets import load_digits
from grader.exercises import cnn as chapter_09
from grader.exercises import get, get_chapter
from grader.nn import adam
from grader.proof import judge, prove
from grader.widgets import explore_augmentation, explore_feature_maps

CHAPTER = get_chapter("09_cnn")
TASKS = [exercise.name for exercise in CHAPTER if exercise.kind != "quiz"]
QUIZ = [exercise.name for exercise in CHAPTER if exercise.kind == "quiz"]


def answer(name):
    return get(name).answer


# --- the definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_name_on_many_seeds(name):
    assert prove(get(name), range(3)) == []  # 30 ran once


@pytest.mark.parametrize("name", QUIZ)
def test_every_quiz_item_explains_its_wrong_answers(name):
    assert prove(get(name)) == []


def test_the_core_takes_between_an_hour_and_an_hour_and_a_half():
    core = [exercise for exercise in CHAPTER if not exercise.optional]
    assert 4 <= len([e for e in core if e.kind != "quiz" and e.stub is None]) <= 6
    assert 60 <= sum(exercise.minutes for exercise in core) <= 92
    assert 5 <= len(QUIZ) <= 12


def test_the_letters_of_the_right_answers_vary():
    letters = [get(name).answer for name in QUIZ if isinstance(get(name).answer, str)]
    assert set(letters) == {"a", "b", "c", "d"}
    assert max(map(letters.count, letters)) <= 4


def test_every_combination_of_the_six_bugs_is_named_by_the_one_that_shows():
    exercise = get("debug_cnn_gradients")
    bugs = ("size", *chapter_09.DEBUG_CLUES)
    for count in range(1, 7):
        for left in combinations(bugs, count):
            named = "size_left" if "size" in left else "_".join(left) + "_left"
            report = judge(exercise, chapter_09.planted_cnn(set(left)))
            assert report.cause.key == f"debug_cnn_gradients.{named}", left


def test_the_debug_stub_is_the_function_with_all_six_bugs():
    frame = {"np": np}
    exec(chapter_09.DEBUG_STUB, frame)
    report = judge(get("debug_cnn_gradients"), frame["debug_cnn_gradients"])
    assert report.points == 0
    assert report.cause.key == "debug_cnn_gradients.size_left"


# --- independent oracles -------------------------------------------------------------------------


def autograd_loss(params, X, y, reg):
    """conv - ReLU - pool - affine - ReLU - affine - softmax, from slices only."""
    size, (_, _, H, W) = params["W1"].shape[2], X.shape
    half = (size - 1) // 2
    padded = np.pad(X, ((0, 0), (0, 0), (half, half), (half, half)))
    z = params["b1"][None, :, None, None]
    for i in range(size):
        for j in range(size):
            piece = padded[:, :, i : i + H, j : j + W]
            z = z + anp.einsum("nchw,fc->nfhw", piece, params["W1"][:, :, i, j])
    a = anp.maximum(z, 0)
    top = anp.maximum(a[:, :, ::2, ::2], a[:, :, ::2, 1::2])
    pooled = anp.maximum(top, anp.maximum(a[:, :, 1::2, ::2], a[:, :, 1::2, 1::2]))
    hidden = anp.dot(anp.reshape(pooled, (len(X), -1)), params["W2"]) + params["b2"]
    scores = anp.dot(anp.maximum(hidden, 0), params["W3"]) + params["b3"]
    scores = scores - anp.max(scores, axis=1, keepdims=True)
    log_p = scores - anp.log(anp.sum(anp.exp(scores), axis=1, keepdims=True))
    penalty = sum(anp.sum(params[name] ** 2) for name in ("W1", "W2", "W3"))
    return -anp.mean(log_p[np.arange(len(y)), y]) + 0.5 * reg * penalty


def test_the_net_agrees_with_autograd_on_100_random_shapes():
    rng = np.random.default_rng(91)
    for _ in range(100):
        n, c, f, hidden, classes = rng.integers(2, 5, 5)
        H, W = 2 * rng.integers(1, 4, 2)
        size, reg = int(rng.choice([1, 3, 5])), float(rng.uniform(0, 1))
        net = answer("ThreeLayerConvNet")(
            (c, H, W), f, size, hidden, classes, weight_scale=0.6, reg=reg, seed=1
        )
        for name in net.params:
            net.params[name] = net.params[name] + 0.3 * rng.standard_normal(net.params[name].shape)
        X, y = rng.standard_normal((n, c, H, W)), rng.integers(0, classes, n)
        loss, grads = net.loss(X, y)
        wanted = autograd.value_and_grad(autograd_loss)(net.params, X, y, reg)
        assert loss == pytest.approx(float(wanted[0]), rel=1e-12)
        assert set(grads) == set(net.params)
        for name in grads:
            tied = name in ("W1", "b1")  # equal zeros in a pool: autograd shares, nothing passes
            np.testing.assert_allclose(
                grads[name], wanted[1][name], rtol=1e-9, atol=1e-11 if tied else 1e-13
            )


def test_parameters_are_counted_as_they_are_in_arrays():
    rng = np.random.default_rng(92)
    for _ in range(100):
        c, f, units = (int(n) for n in rng.integers(1, 6, 3))
        size, (H, W) = int(rng.choice([1, 3, 5])), (int(n) for n in 2 * rng.integers(3, 7, 2))
        net = answer("ThreeLayerConvNet")((c, H, W), f, size, units, 4)
        layers = [("conv", f, size, 1, size // 2), ("relu",), ("pool", 2), ("flatten",)]
        layers += [("affine", units), ("relu",), ("affine", 4)]
        total, shapes = answer("count_cnn_parameters")(layers, (c, H, W))
        assert total == sum(p.size for p in net.params.values())
        assert shapes[3] == (net.params["W2"].shape[0],)


def test_the_net_of_28_by_28_has_the_known_counts():
    count = answer("count_cnn_parameters")
    total, shapes = count(chapter_09.reference_cnn(), (1, 28, 28))
    assert total == 225_034
    assert [shape[-1] for shape in shapes] == [26, 26, 13, 11, 11, 5, 1600, 128, 128, 10]
    assert count(chapter_09.reference_cnn(1), (1, 28, 28))[0] == 421_642


def by_scipy(x, rows, columns):
    """Linear interpolation by scipy; what is outside counts as 0."""
    return np.stack(
        [
            [ndimage.map_coordinates(c, (r, s), order=1, mode="grid-constant") for c in picture]
            for picture, r, s in zip(x, rows, columns, strict=True)
        ]
    )


def test_reading_between_pixels_agrees_with_scipy_on_100_shapes():
    rng = np.random.default_rng(93)
    for _ in range(100):
        n, c, h, w = rng.integers(1, 5, 4)
        H, W = rng.integers(2, 8, 2)
        x = rng.standard_normal((n, c, H, W))
        rows, columns = rng.uniform(-2, H + 1, (n, h, w)), rng.uniform(-2, W + 1, (n, h, w))
        got = answer("bilinear_sample")(x, rows, columns)
        np.testing.assert_allclose(got, by_scipy(x, rows, columns), atol=1e-12)


def test_a_quarter_turn_is_exact_and_others_agree_with_scipy():
    rng, rotate = np.random.default_rng(94), answer("random_rotation")
    for _ in range(50):
        side, c = rng.integers(2, 8, 2)
        x = rng.standard_normal((3, c, side, side))
        turned = rotate(x, 0, rng, degrees=np.array([90.0, 180.0, -90.0]))
        for picture, got, k in zip(x, turned, (1, 2, 3), strict=True):
            np.testing.assert_allclose(got, np.rot90(picture, k, axes=(1, 2)), atol=1e-12)
        x, angle = rng.standard_normal((1, 1, side, side + 2)), rng.uniform(-60, 60)
        wanted = ndimage.rotate(x[0, 0], angle, reshape=False, order=1, mode="grid-constant")
        got = rotate(x, 0, rng, degrees=np.array([angle]))[0, 0]
        np.testing.assert_allclose(got, wanted, atol=1e-10)


def test_scaling_by_an_odd_factor_repeats_the_middle():
    x = np.random.default_rng(95).standard_normal((2, 3, 7, 9))
    small = answer("random_scaling")(x, None, None, factors=np.array([1 / 3, 1.0]))
    np.testing.assert_allclose(small[0, :, 2:5, 3:6], x[0, :, ::3, 1::3], atol=1e-12)
    np.testing.assert_allclose(small[1], x[1], atol=1e-12)


def test_resize_agrees_with_pil_where_pictures_grow():
    rng = np.random.default_rng(96)
    for _ in range(50):
        H, W = (int(n) for n in rng.integers(2, 9, 2))
        h, w = H + int(rng.integers(0, 9)), W + int(rng.integers(0, 9))
        x = rng.uniform(0, 1, (1, 1, H, W)).astype(np.float32)
        wanted = Image.fromarray(x[0, 0]).resize((w, h), Image.Resampling.BILINEAR)
        got = answer("resize")(x, (h, w))[0, 0]
        np.testing.assert_allclose(got, np.asarray(wanted), atol=1e-5)
        if all((2 * k + 1) * H % (2 * h) for k in range(h)):  # no place between two pixels
            nearest = Image.fromarray(x[0, 0]).resize((W, h), Image.Resampling.NEAREST)
            got = answer("resize")(x, (h, W), kind="nearest")[0, 0]
            np.testing.assert_array_equal(got, np.asarray(nearest))


def test_the_solver_agrees_with_a_plain_loop_over_minibatches():
    digits = load_digits()
    data = {"X_train": digits.x_train[:90], "y_train": digits.y_train[:90]}
    data |= {"X_val": digits.x_val[:50], "y_val": digits.y_val[:50]}
    ours, theirs = (answer("TwoLayerNet")(64, 9, 10, seed=3) for _ in range(2))
    solver = answer("Solver")(
        ours, data, adam, {"learning_rate": 0.01}, lr_decay=0.5, batch_size=40, num_epochs=3, seed=7
    )
    solver.train()
    rng, losses, kept = np.random.default_rng(7), [], []
    configs = {name: {"learning_rate": 0.01} for name in theirs.params}
    for _ in range(3):
        order = rng.permutation(90)
        for rows in np.split(order, [40, 80]):
            loss, grads = theirs.loss(data["X_train"][rows], data["y_train"][rows])
            losses.append(loss)
            for name in grads:
                theirs.params[name], configs[name] = adam(
                    theirs.params[name].copy(), grads[name], configs[name]
                )
        right = (theirs.loss(data["X_val"]).argmax(axis=1) == data["y_val"]).mean()
        kept.append((right, dict(theirs.params)))
        for config in configs.values():
            config["learning_rate"] *= 0.5
    assert solver.loss_history == pytest.approx(losses, rel=1e-12)
    assert solver.val_acc_history == [right for right, _ in kept]
    best = max(kept, key=lambda pair: pair[0])
    assert solver.best_val_acc == best[0]
    for name, w in best[1].items():
        np.testing.assert_allclose(ours.params[name], w, rtol=1e-12)


def test_a_float32_net_stays_float32_in_training():
    net = answer("ThreeLayerConvNet")((1, 4, 6), 3, dtype=np.float32, seed=0)
    x = np.random.default_rng(0).standard_normal((9, 1, 4, 6)).astype(np.float32)
    data = {"X_train": x, "y_train": np.arange(9)}
    answer("Solver")(net, data, adam, batch_size=4, num_epochs=2).train()
    assert {p.dtype for p in net.params.values()} == {np.dtype(np.float32)}


# --- the explorers -------------------------------------------------------------------------------


def test_the_gallery_shows_the_learners_function_and_says_what_is_wrong_with_it():
    course = explore_augmentation()
    for kind in course.controls["kind"].options:
        course.controls["kind"].value = kind
        course.show()
        assert course.problem == ""
        assert kind in course.reading
    own = explore_augmentation(lambda x, rng: x[:, :, ::-1])
    assert own.problem == ""
    assert "gave shape" in explore_augmentation(lambda x, rng: x[0]).problem
    assert "not written yet" in explore_augmentation(answer_missing).problem
    for widget in (course, own):
        widget.close()


def answer_missing(x, rng):
    raise NotImplementedError()


def test_feature_maps_are_those_of_the_net():
    net = answer("ThreeLayerConvNet")((1, 8, 8), 5, weight_scale=0.3, seed=0)
    digits = load_digits()
    pictures = digits.x_val[:4].reshape(-1, 1, 8, 8)
    widget = explore_feature_maps(net, pictures, digits.y_val)
    widget.controls["filter"].value = 4
    widget.show()
    assert widget.problem == ""
    share = net.loss(pictures[:1])[0].argmax()
    assert f"read as **{share}**" in widget.reading
    widget.close()


# --- the result ----------------------------------------------------------------------------------


def turned(x, rng):
    return answer("random_rotation")(x, 8, rng).astype(np.float32)


@pytest.mark.deep
def test_three_seeds_reach_98_and_a_half_percent_on_the_stratified_test_part():
    data, shares = load_digits(), []
    x = np.vstack([data.x_train, data.x_val]).reshape(-1, 1, 8, 8).astype(np.float32)
    y = np.concatenate([data.y_train, data.y_val])
    for seed in range(3):
        net = answer("ThreeLayerConvNet")(
            (1, 8, 8), 64, 3, 256, 10, weight_scale=0.1, dtype=np.float32, seed=seed
        )
        answer("Solver")(
            net, {"X_train": x, "y_train": y}, adam, {"learning_rate": 3e-3}, lr_decay=0.93,
            batch_size=64, num_epochs=40, augment=turned, seed=seed,
        ).train()  # fmt: skip
        test = data.x_test.reshape(-1, 1, 8, 8).astype(np.float32)
        shares.append((net.loss(test).argmax(axis=1) == data.y_test).mean())
    assert np.mean(shares) >= 0.985
