"""The explorers of chapter 01: pictures, learners' functions, and the trainer."""

import ipywidgets
import numpy as np
import pytest

import grader.widgets as widgets
from grader.exercises import get
from grader.widgets import neurons

NAMES = ["explore_neuron", "explore_hidden_lines", "explore_bends"]
ARGUMENTS = {
    "explore_neuron": ("f", "neuron_forward"),
    "explore_hidden_lines": ("f", "two_layer_forward"),
}


def other_value(control):
    if isinstance(control, ipywidgets.ToggleButtons):
        return next(value for value in control.options if value != control.value)
    return control.value + (control.step if control.value < control.max else -8 * control.step)


@pytest.fixture
def make():
    made = []

    def make(name, /, *args, **kwargs):
        made.append(getattr(widgets, name)(*args, **kwargs))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


@pytest.mark.parametrize("name", NAMES)
def test_each_control_changes_the_picture(make, name):
    explorer = make(name)
    if name == "explore_hidden_lines":
        explorer.controls["shift3"].value = 0.5  # out of sight at first
    for key, control in explorer.controls.items():
        before = explorer.picture.value
        assert before.startswith(b"\x89PNG")
        control.value = other_value(control)
        assert explorer.picture.value != before, key
        assert explorer.problem == "", key


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_rides_along_where_no_kernel_runs(make, name):
    explorer = make(name)
    live = explorer.picture.value
    data, _ = explorer._repr_mimebundle_()
    assert data["image/png"].startswith("iVBORw0KGgo")
    assert len(data["text/plain"]) > 40
    assert explorer.picture.value == live


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_right_function_of_the_learner_agrees_with_the_reference(make, name):
    _, exercise = ARGUMENTS[name]
    explorer = make(name, get(exercise).answer)
    assert explorer.problem == ""
    assert f"`{exercise}` differs from the reference by at most" in explorer.reading


def nothing(*args):
    return None


def crashing(*args):
    return 1 / 0


def unwritten(*args):
    raise NotImplementedError


def wrong_shape(*args):
    return np.zeros(3)


def words(*args):
    return "forty-two"


@pytest.mark.parametrize("bad", [nothing, crashing, unwritten, wrong_shape, words])
@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_bad_function_of_the_learner_gives_a_sentence(make, name, bad, capsys):
    explorer = make(name, bad)
    assert bad.__name__ in explorer.problem
    assert len(explorer.problem) < 200
    for control in explorer.controls.values():
        control.value = other_value(control)
    assert "Traceback" not in explorer.problem + capsys.readouterr().err
    assert explorer.picture.value.startswith(b"\x89PNG")


def test_a_curve_of_the_learner_is_followed(make):
    def hill(x):
        return 1 - x**2 / 9

    explorer = make("explore_bends", hill)
    assert "`hill`" in explorer.reading
    explorer.controls["units"].value = 20
    assert float(explorer.reading.split("**")[1]) < 0.1


@pytest.mark.parametrize("points", neurons.SOLVED)
def test_the_static_picture_shows_a_solution(points):
    *_, votes = neurons.SOLVED[points]
    net = neurons.lines_as_net(neurons.SOLVED[points][:3], votes, 8.0)
    x, y = neurons.POINTS[points]
    scores = get("two_layer_forward").answer(x, *net)[:, 0]
    assert ((scores > 0) == (y == 1)).all()


def test_no_single_line_gets_more_than_three_quarters_of_xor_right():
    x, y = neurons.POINTS["XOR"]
    rng = np.random.default_rng(0)
    w, b = rng.standard_normal((2, 20_000)), rng.uniform(-3, 3, 20_000)
    assert ((x @ w + b > 0) == (y == 1)[:, None]).mean(axis=0).max() == 0.75


def test_the_trainer_gives_parameters_for_the_net_of_the_exercise():
    x, y = neurons.POINTS["XOR"]
    params, losses = widgets.train_two_layer(x, y, hidden=4, steps=300)
    scores = get("two_layer_forward").answer(x, *params)
    assert scores.shape == (len(x), 2)
    assert (scores.argmax(axis=1) == y).all()
    assert losses[-1] < 0.1 < losses[0]


def test_without_a_bend_the_trainer_cannot_learn_xor():
    x, y = neurons.POINTS["XOR"]
    (W1, b1, W2, b2), _ = widgets.train_two_layer(x, y, hidden=4, steps=300, bend=False)
    scores = (x @ W1 + b1) @ W2 + b2
    assert (scores.argmax(axis=1) == y).mean() <= 0.75


def test_the_gradient_inside_the_trainer_is_right():
    """One step with a tiny rate moves each parameter against the sign of its slope."""
    x, y = neurons.POINTS["XOR"]
    start, _ = widgets.train_two_layer(x, y, hidden=3, steps=0)
    moved, _ = widgets.train_two_layer(x, y, hidden=3, steps=1, lr=1e-6)

    def loss(params):
        scores = get("two_layer_forward").answer(x, *params)
        share = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        return -np.log(share[np.arange(len(y)), y]).mean()

    h = 1e-6
    for i, p in enumerate(start):
        for index in np.ndindex(p.shape):
            up, down = [[q.copy() for q in start] for _ in range(2)]
            up[i][index] += h
            down[i][index] -= h
            slope = (loss(up) - loss(down)) / (2 * h)
            if abs(slope) > 1e-6:
                assert np.sign(moved[i][index] - p[index]) == -np.sign(slope)


def test_the_still_pictures_are_drawn():
    rng = np.random.default_rng(1)
    net = [rng.standard_normal(shape) for shape in ((2,), (2, 3), (3,), (3, 1), (1,))]
    for figure in (neurons.draw_neuron(), neurons.draw_layer(), neurons.draw_net(*net)):
        figure.canvas.draw()
