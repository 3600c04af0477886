"""The explorers of the lessons, without a browser: state, pictures, sentences, clean-up."""

import asyncio
import gc
import io
import struct
import sys
import time
import weakref

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets.widget import _instances

import grader.widgets as widgets
from grader.widgets import backprop, broadcasting, graph, numerics
from grader.widgets.activations import ACTIVATIONS
from grader.widgets.frame import Latest
from grader.widgets.live import encode_png

FIGURES = [
    "explore_step_size",
    "explore_broadcasting",
    "explore_two_layer",
    "explore_activation",
    "explore_depth",
]


def other_value(control):
    """A value that the control does not have now."""
    if hasattr(control, "options"):
        values = [o[1] if isinstance(o, tuple) and len(o) == 2 else o for o in control.options]
        if isinstance(control, ipywidgets.SelectionSlider):
            values = [value for _, value in control.options]
        return next(v for v in values if v != control.value)
    if isinstance(control, ipywidgets.Checkbox):
        return not control.value
    if isinstance(control, ipywidgets.FloatLogSlider):
        return control.value * 10**-0.5
    step = 1 if isinstance(control, ipywidgets.IntSlider) else 0.2
    return control.value + (step if control.value + step <= control.max else -step)


@pytest.fixture
def make():
    """Make an explorer by name; all are closed at the end of the test."""
    made = []

    def make(name, /, *args, **kwargs):
        made.append(getattr(widgets, name)(*args, **kwargs))
        return made[-1]

    yield make
    for widget in made:
        widget.close()


@pytest.mark.parametrize("name", FIGURES)
def test_each_control_changes_the_picture(make, name):
    explorer = make(name)
    for key, control in explorer.controls.items():
        if (name, key) == ("explore_activation", "alpha"):  # it matters for two of the functions
            explorer.controls["name"].value = "scaled sigmoid"
        before = explorer.picture.value
        assert before.startswith(b"\x89PNG")
        control.value = other_value(control)
        assert explorer.picture.value != before, key
        assert explorer.problem == "", key


@pytest.mark.parametrize("name", FIGURES)
def test_a_picture_rides_along_where_no_kernel_runs(make, name):
    explorer = make(name)
    for widget in (explorer, explorer.picture):
        data, metadata = widget._repr_mimebundle_()
        assert "application/vnd.jupyter.widget-view+json" in data
        assert data["image/png"].startswith("iVBORw0KGgo")
        assert len(data["text/plain"]) > 40
        assert f'alt="{explorer.picture.alt}"' in data["text/html"].replace("&#x27;", "'")
        assert metadata["image/png"]["alt"] == data["text/plain"] == explorer.picture.alt


def test_the_static_picture_answers_what_the_live_one_asks(make):
    explorer = make("explore_step_size")
    live = explorer.picture.value
    data, _ = explorer._repr_mimebundle_()
    explorer.controls["whole"].value = True
    whole, _ = explorer.picture._repr_mimebundle_()
    assert data["image/png"] == whole["image/png"]
    explorer.controls["whole"].value = False
    assert explorer.picture.value == live


def test_the_encoder_writes_the_pixels_it_was_given():
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    decoded = np.asarray(Image.open(io.BytesIO(encode_png(pixels))))
    np.testing.assert_array_equal(decoded, pixels)


def test_pictures_are_sharp_on_a_hidpi_screen(make):
    picture = make("explore_activation").picture
    width = struct.unpack(">I", picture.value[16:20])[0]
    assert width == 2 * picture.width


def nothing(*args, **kwargs):
    return None


def crashing(*args, **kwargs):
    return 1 / 0


def unwritten(*args, **kwargs):
    raise NotImplementedError


def wrong_shape(*args, **kwargs):
    return np.zeros(3)


def words(*args, **kwargs):
    return "forty-two"


@pytest.mark.parametrize("bad", [nothing, crashing, unwritten, wrong_shape, words])
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("explore_activation", "f"),
        ("explore_depth", "f"),
        ("explore_two_layer", "gradients"),
        ("explore_step_size", "numerical_gradient"),
        ("explore_graph", "gradients"),
    ],
)
def test_a_bad_learner_function_gives_a_sentence(make, name, argument, bad, capsys):
    widget = make(name, **{argument: bad})
    assert bad.__name__ in widget.problem
    assert len(widget.problem) < 200
    assert "Traceback" not in widget.problem + capsys.readouterr().err
    if name != "explore_graph":
        for control in widget.controls.values():
            control.value = other_value(control)
        assert widget.picture.value.startswith(b"\x89PNG")


def test_a_learners_function_is_not_given_our_arrays_to_spoil(make):
    def in_place(x):
        x *= 0
        return x

    make("explore_activation", in_place)
    assert np.ptp(widgets.activations.X) == 12


def my_relu(x):
    return np.maximum(x, 0)


def my_relu_forward(x):
    return np.maximum(x, 0), x


def my_relu_backward(dout, cache):
    return dout * (cache > 0)


def my_leaky(x, alpha=0.01):
    return np.where(x > 0, x, alpha * x)


@pytest.mark.parametrize(
    "functions", [(my_relu,), (my_relu_forward, my_relu_backward), (my_leaky,)]
)
def test_the_learners_activation_is_drawn_beside_the_reference(make, functions):
    mine, alone = make("explore_activation", *functions), make("explore_activation", name="ReLU")
    mine.controls["x"].value = alone.controls["x"].value = 2.0
    assert mine.problem == ""
    assert functions[0].__name__ in mine.reading
    assert mine.picture.value != alone.picture.value
    assert mine.controls["name"].value == ("leaky ReLU" if functions == (my_leaky,) else "ReLU")


def test_references_have_the_slopes_that_differences_measure():
    x = np.array([-3.0, -0.7, 0.4, 2.5])
    for act in ACTIVATIONS.values():
        for alpha in (0.3, 2.0):
            measured = (act.f(x + 1e-6, alpha) - act.f(x - 1e-6, alpha)) / 2e-6
            np.testing.assert_allclose(act.df(x, alpha), measured, atol=1e-8, err_msg=act.name)


def test_alpha_is_shown_only_where_it_matters(make):
    explorer = make("explore_activation")
    shown = {}
    for name in ACTIVATIONS:
        explorer.controls["name"].value = name
        shown[name] = explorer.controls["alpha"].layout.display != "none"
    assert [name for name in shown if shown[name]] == ["leaky ReLU", "scaled sigmoid"]


def test_the_learners_activation_joins_the_list_of_the_deep_net(make):
    explorer = make("explore_depth", my_relu_forward, my_relu_backward)
    assert explorer.controls["activation"].value == "my_relu_forward (own)"
    own = explorer.picture.value
    explorer.controls["activation"].value = "ReLU"
    assert explorer.picture.value == own


def test_sigmoid_layers_lose_the_gradient_and_relu_with_he_scale_keeps_it(make):
    explorer = make("explore_depth", depth=30)
    assert "e−" in explorer.reading.split("**")[1]
    explorer.controls["activation"].value = "ReLU"
    explorer.controls["scale"].value = np.sqrt(2).round(2)
    assert 0.05 < float(explorer.reading.split("**")[1]) < 20


def test_the_two_layer_net_agrees_with_the_worked_example():
    X, Y, params = backprop.small_net()
    loss, gradients = backprop.loss_and_gradients(X, Y, *params)
    assert loss == pytest.approx(0.35166608714596304, rel=1e-12)
    assert gradients[2].ravel() == pytest.approx(
        [0.06861139459335025, 0.07195340954812784, 0.07493887355620274], rel=1e-9
    )
    for exact, nudged in zip(gradients, backprop.nudged(X, Y, params), strict=True):
        np.testing.assert_allclose(exact, nudged, atol=1e-10)
    path = backprop.descend(lambda p: backprop.loss_and_gradients(X, Y, *p)[1], params, 0.01, 10)
    assert backprop.loss_of(X, Y, *path[10]) == pytest.approx(0.3491782326217227, rel=1e-12)


def test_a_learners_gradients_are_shown_and_a_wrong_one_changes_the_picture(make):
    def two_layer_gradients(X, Y, W1, b1, W2, b2):
        return backprop.loss_and_gradients(X, Y, W1, b1, W2, b2)[1]

    def not_averaged(X, Y, W1, b1, W2, b2):
        return [2 * g for g in two_layer_gradients(X, Y, W1, b1, W2, b2)]

    def bias_as_row(X, Y, W1, b1, W2, b2):
        dW1, db1, dW2, db2 = two_layer_gradients(X, Y, W1, b1, W2, b2)
        return dW1, db1[None], dW2, db2

    right = make("explore_two_layer", two_layer_gradients)
    wrong = make("explore_two_layer", not_averaged)
    assert right.problem == wrong.problem == ""
    assert right.picture.value != wrong.picture.value
    problem = make("explore_two_layer", bias_as_row).problem
    assert "db1 of `bias_as_row` has shape (1, 3) where shape (3,) is expected" in problem


def test_the_step_size_shows_both_errors():
    x = 1.0
    errors = [
        [abs(rule(np.sin, x, h) - np.cos(x)) for h in (1e-2, 1e-5, 1e-13)]
        for rule in (numerics.forward_difference, numerics.central_difference)
    ]
    for big, middle, tiny in errors:
        assert middle < big and middle < tiny


def test_a_function_without_complex_numbers_needs_its_slope():
    with pytest.raises(ValueError, match="df="):
        widgets.explore_step_size(f=lambda x: np.arctan2(x, 1.0))


@pytest.mark.parametrize("a", broadcasting.SHAPES)
@pytest.mark.parametrize("b", broadcasting.SHAPES)
def test_broadcasting_says_what_numpy_does(a, b):
    said = broadcasting.explain(a, b)
    try:
        shape = (np.zeros(a) + np.zeros(b)).shape
    except ValueError:
        assert "ValueError" in said
    else:
        assert str(shape) in said and "ValueError" not in said
    trap = {len(a), len(b)} == {1, 2} and (a[0] == b[0] > 1) and 1 in (a[-1], b[-1])
    assert ("A trap" in said) == trap


def test_the_graph_computes_values_and_gradients(make):
    widget = make("explore_graph", w=0.5, x=-1.0, b=0.3, y=1.0)
    values, gradients = graph.evaluate(widget.nodes, widget.inputs)
    for name in widget.inputs:
        up, down = (
            graph.evaluate(widget.nodes, {**widget.inputs, name: widget.inputs[name] + h})[0]["L"]
            for h in (1e-6, -1e-6)
        )
        assert gradients[name] == pytest.approx((up - down) / 2e-6, abs=1e-8)
    assert values["a"] == pytest.approx(1 / (1 + np.exp(0.2)))


def test_every_operation_of_the_graph_has_the_right_slopes():
    two = [f"o = p {sign} q" for sign in "+-*/"]
    one = ["o = p ** 2"] + [f"o = {f}(p)" for f in ("sigmoid", "tanh", "relu", "exp", "log")]
    for program in two + one:
        nodes = graph.read_program(program)
        start = {n["name"]: v for n, v in zip(nodes, (0.7, 1.9), strict=False) if not n["op"]}
        _, gradients = graph.evaluate(nodes, start)
        for name in start:
            up, down = (
                graph.evaluate(nodes, {**start, name: start[name] + h})[0]["o"]
                for h in (1e-6, -1e-6)
            )
            assert gradients[name] == pytest.approx((up - down) / 2e-6, abs=1e-8), program


def test_an_input_used_twice_collects_both_gradients():
    nodes = graph.read_program("u = x * x\nL = u + x")
    assert graph.evaluate(nodes, {"x": 3.0})[1]["x"] == 7.0


@pytest.mark.parametrize("program", ["u = w * x + b", "u += w", "u = sin(w)", "u = w\n", "u = 2*w"])
def test_a_program_line_that_is_not_one_operation_is_named(program):
    with pytest.raises(ValueError, match="one operation"):
        graph.read_program(program)


def test_nodes_of_the_graph_do_not_overlap(make):
    widget = make("explore_graph")
    for i, m in enumerate(widget.nodes):
        assert 0 <= m["x"] <= widget.size[0] - graph.WIDTH
        assert 0 <= m["y"] <= widget.size[1] - graph.HEIGHT
        for n in widget.nodes[:i]:
            apart = abs(m["x"] - n["x"]) >= graph.WIDTH + 40 or abs(m["y"] - n["y"]) > graph.HEIGHT
            assert apart, (m["name"], n["name"])


def test_an_edge_over_several_columns_passes_below_the_nodes(make):
    widget = make("explore_graph", "u = w * x\nz = u + w\nL = z ** 2", w=1.0, x=2.0)
    lanes = {n["name"]: n["lanes"] for n in widget.nodes}
    assert lanes["u"] == [None, None] and lanes["z"][0] is None
    assert lanes["z"][1] > max(n["y"] for n in widget.nodes) + graph.HEIGHT
    assert lanes["z"][1] < widget.size[1]
    assert widget.predict == ""


def test_the_graph_leaves_a_drawing_where_no_kernel_runs(make):
    widget = make("explore_graph")
    data, _ = widget._repr_mimebundle_()
    assert "<svg" in data["text/html"] and "<title>Computation graph of L" in data["text/html"]
    assert data["image/svg+xml"].startswith("<svg")
    assert "a = σ(z)" in data["text/plain"]
    before = widget.static_svg()
    widget.inputs = {**widget.inputs, "w": -1.0}
    assert widget.static_svg() != before


def test_the_learners_gradients_stand_beside_the_graphs(make):
    def as_tuple(w, x, b, y):
        a = 1 / (1 + np.exp(-(w * x + b)))
        d = 2 * (a - y) * a * (1 - a)
        return d * x, d * w, d, -2 * (a - y)

    widget = make("explore_graph", gradients=as_tuple)
    widget.inputs = {"w": 0.4, "x": -2.0, "b": 1.0, "y": 0.0}
    _, expected = graph.evaluate(widget.nodes, widget.inputs)
    assert widget.own == pytest.approx({name: expected[name] for name in "wxby"})


def live_widgets():
    gc.collect()
    return len(_instances)


@pytest.mark.parametrize("name", [*FIGURES, "explore_graph"])
def test_fifty_widgets_that_were_closed_leave_nothing(name):
    getattr(widgets, name)().close()
    before, figures = live_widgets(), []
    for _ in range(50):
        widget = getattr(widgets, name)()
        if name != "explore_graph":
            figures.append(weakref.ref(widget.picture.figure))
        widget.close()
    del widget
    assert live_widgets() == before
    assert not [f for f in figures if f() is not None]
    if "matplotlib.pyplot" in sys.modules:
        assert not sys.modules["matplotlib.pyplot"].get_fignums()


def test_a_fast_drag_draws_the_latest_value_and_never_queues():
    drawn, state = [], {"value": 0}

    def draw():
        time.sleep(0.01)
        drawn.append(state["value"])

    async def drag():
        latest = Latest(draw)
        for value in range(1, 101):
            state["value"] = value
            latest()
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)

    asyncio.run(drag())
    assert drawn[0] == 1 and drawn[-1] == 100
    assert len(drawn) < 20


def test_a_picture_follows_its_slider_fast_enough_to_drag(make):
    explorer = make("explore_activation")
    times = []
    for x in np.linspace(-5, 5, 30):
        start = time.perf_counter()
        explorer.controls["x"].value = float(x)
        times.append(time.perf_counter() - start)
    assert np.median(times) < 0.1  # 0.01 on the machine it was written on


def test_an_author_needs_few_lines_for_a_new_explorer():
    from grader.widgets import style

    with style.rc():
        figure, (ax,) = style.subplots(size=(4, 2))
        x = np.linspace(0, 6, 50)
        (line,) = ax.plot(x, np.sin(x))
    picture = widgets.LiveFigure(figure, [line], alt="A sine wave.")

    def move(k):
        line.set_ydata(np.sin(k * x))
        return f"k = {k:.1f}, `code` and <tags>"

    explorer = widgets.explorer(picture, move, {"k": widgets.slider("k", 1, 0.5, 4, 0.1)}, "Why?")
    before = picture.value
    explorer.controls["k"].value = 2.0
    assert picture.value != before
    assert explorer.reading.startswith("k = 2.0")
    assert "<code>code</code>" in explorer._reading.value and "&lt;tags" in explorer._reading.value
    explorer.close()


def test_an_authors_own_error_is_a_sentence_too():
    from grader.widgets import style

    figure, _ = style.subplots(size=(3, 2))
    explorer = widgets.explorer(widgets.LiveFigure(figure), lambda: {}["missing"], {})
    assert "KeyError" in explorer.problem
    explorer.close()


def test_everything_that_is_exported_exists():
    for name in widgets.__all__:
        assert getattr(widgets, name) is not None
    with pytest.raises(AttributeError):
        _ = widgets.explore_nothing
