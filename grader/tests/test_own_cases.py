"""`check(f, x=...)`, `compare(dz1, "dZ1")`, and the remedy that joins the first hint."""

import json
from pathlib import Path

import numpy as np
import pytest

from grader import notebook
from grader.exercises import get
from grader.notebook import check, compare, hint
from grader.notes import Note
from grader.own_cases import own_case
from grader.worked_example import intermediates

GOLDEN = json.loads((Path(__file__).parent / "data" / "golden_4_3.json").read_text())
X, W, B = np.ones((2, 3)), np.arange(12.0).reshape(3, 4), np.zeros(4)
FORWARD = "def affine_forward(x, w, b):\n    return x @ w + b, (x, w, b)"
BACKWARD = """
def affine_backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis={axis})
"""


@pytest.fixture
def say(attempt):
    """`say(exercise, *cells, **inputs)`: the note as text."""

    def run(name, *cells, **inputs):
        note = own_case(get(name), attempt(*cells), inputs)
        assert isinstance(note, Note)
        assert note.points == 0.0
        return str(note)

    return run


def test_the_learners_value_stands_beside_the_expected_one(say):
    wrong = FORWARD.replace("+ b", "- b")
    text = say("affine_forward", wrong, x=[[1, 2]], w=[[1.0], [1.0]], b=[0.5])
    assert "got      [[2.5]]" in text
    assert "expected [[3.5]]" in text
    assert "in out, entry [0, 0] is 2.5, expected 3.5" in text


def test_a_right_function_is_told_so(say):
    assert "out is as expected." in say("affine_forward", FORWARD, x=X, w=W, b=B)


def test_a_backward_takes_its_forwards_inputs_and_draws_what_arrives(say):
    cells = FORWARD, BACKWARD.format(axis=1)
    text = say("affine_backward", *cells, x=X, w=W, b=B)
    assert "dx is as expected." in text and "dw is as expected." in text
    assert "db has shape (2,), expected (4,)." in text
    assert "dout was not given, so it was drawn." in text


def test_an_upstream_gradient_is_used_when_it_fits(say):
    cells = FORWARD, BACKWARD.format(axis=0)
    text = say("affine_backward", *cells, x=X, w=W, b=B, dout=np.ones((2, 4)))
    assert "db is as expected." in text and "drawn" not in text
    text = say("affine_backward", *cells, x=X, w=W, b=B, dout=np.ones(4))
    assert "dout has shape (4,), expected (2, 4)" in text


@pytest.mark.parametrize(
    "inputs, said",
    [
        ({"x": X}, "w and b are missing. affine_forward takes x, w, b."),
        ({"x": X, "w": W}, "b is missing."),
        ({"x": X, "W": W, "b": B}, "There is no argument W. affine_forward takes x, w, b. Did"),
        ({"x": X, "w": X, "b": B}, "These inputs do not fit together: x (2, 3), w (2, 3), b (4,)."),
        ({"x": "text", "w": W, "b": B}, "x is a string, expected an array of numbers."),
        ({"x": [[1], [2, 3]], "w": W, "b": B}, "x is a list whose rows differ in length."),
        ({"x": (i for i in "ab"), "w": W, "b": B}, "which cannot be copied."),
    ],
)
def test_inputs_that_cannot_be_used_get_a_sentence(say, inputs, said):
    assert said in say("affine_forward", FORWARD, **inputs)


def test_what_is_missing_or_fails_is_told_as_in_a_check(say):
    given = {"x": X, "w": W, "b": B}
    assert "not defined yet" in say("affine_forward", **given)
    broken = "def affine_forward(x, w, b):\n    return x @ nothing"
    assert "raised NameError" in say("affine_forward", broken, **given)


def test_a_class_and_a_quiz_item_take_no_inputs(say):
    assert "Value is a class" in say("Value", x=1.0)
    assert "a quiz item" in say("backprop_q1", x=1.0)


def test_inputs_are_never_changed(attempt):
    x = X.copy()
    spoils = "def affine_forward(x, w, b):\n    x *= 0\n    return x @ w + b, (x, w, b)"
    own_case(get("affine_forward"), attempt(spoils), {"x": x, "w": W, "b": B})
    assert (x == X).all()


def test_every_exercise_can_be_given_the_inputs_of_its_own_first_case(attempt):
    """The answer agrees with itself, or a sentence says why no inputs are taken."""
    import inspect

    from grader.exercises import all_exercises
    from grader.expected import cases_of, rng_for

    tried = 0
    for exercise in all_exercises():
        if exercise.kind != "function" or exercise.gradient_of:
            continue
        case = next(iter(cases_of(exercise, rng_for(exercise, 0))), None)
        if case is None or case.drive is not None:
            continue
        given = inspect.signature(exercise.answer).bind(*case.args, **case.kwargs).arguments
        mine = attempt()
        mine.namespace[exercise.name] = exercise.answer
        text = str(own_case(exercise, mine, given))
        assert "as expected" in text or "draws at random" in text, text
        tried += 1
    assert tried > 50


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notebook, "_stores", {})
    monkeypatch.setattr(notebook, "_remedies", {})


def test_own_inputs_are_not_recorded(fresh, run_cells):
    affine_forward = run_cells(FORWARD)["affine_forward"]
    note = check(affine_forward, x=X, w=W, b=B)
    assert isinstance(note, Note) and note.show() == 0.0
    assert "tries" not in notebook._store().entry("affine_forward")


def test_the_remedy_joins_the_first_hint_after_the_check(fresh, run_cells):
    wrong = run_cells("def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(x))\n    return out, out")
    report = check(wrong["sigmoid_forward"])
    (mistake,) = [m for m in get("sigmoid_forward").mistakes if m.key == "sign_of_exponent"]
    assert mistake.remedy.replace("`", "") not in str(report)
    first, second = str(hint("sigmoid_forward")), str(hint("sigmoid_forward"))
    assert mistake.remedy.replace("`", "") in first
    assert get("sigmoid_forward").hints[0].replace("`", "") in first
    assert mistake.remedy.replace("`", "") not in second


# --- the worked example --------------------------------------------------------------------------


def test_every_number_of_the_worked_example_is_the_golden_one():
    golden = GOLDEN["B"]["mse"] if "B" in GOLDEN else GOLDEN
    text = json.dumps(golden)
    for name, value in intermediates(2).items():
        for entry in np.ravel(value):
            assert f"{entry:.12g}"[:11] in text, (name, entry)


@pytest.mark.parametrize("name", intermediates())
def test_compare_knows_every_value_of_the_worked_example(name):
    right = intermediates(2)[name]
    assert str(compare(right, name)) == f"{name}: exactly equal."
    assert "approximately equal" in str(compare(right * (1 + 1e-9), name))
    assert "differ" in str(compare(np.asarray(right) * 1.5, name)) or name == "L"
    assert "expected" in str(compare(2 * right, name))


def test_compare_says_by_how_much_two_values_differ():
    assert "The largest difference is 0.5." in str(compare([1.0, 2.5], [1.0, 2.0]))


def test_compare_takes_the_three_examples_where_the_notebook_has_them():
    namespace = {"X": np.zeros((3, 2)), "compare": compare, "dz1": intermediates(3)["dZ1"]}
    assert str(eval("compare(dz1, 'dZ1')", namespace)) == "dZ1: exactly equal."


def test_an_unknown_name_lists_the_known_ones():
    said = str(compare(1.0, "dz1"))
    assert "no value called dz1" in said and "dZ1" in said
