"""How much a class is told: the command line, else the course's configuration, else diagnosis."""

import json
import os

import pytest

from grader.bulk import GradeError
from grader.bulk.course import CONFIG_FILE, open_course
from grader.bulk.demo_maker import cell_of
from grader.bulk.grade import grade
from grader.exercises import get
from grader.sandbox.client import Limits

NAME = "02_backprop"
WRONG = "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(x))\n    return out, out"
MISTAKE = next(m for m in get("sigmoid_forward").mistakes if m.key == "sign_of_exponent")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


@pytest.fixture
def course(tmp_path, root):
    """`course(setting)`: a class of one, with that line in its configuration."""

    def make(setting=None):
        place = tmp_path / "class" / "submitted" / "eve" / NAME
        place.mkdir(parents=True, exist_ok=True)
        file = f"{NAME}_exercises.ipynb"
        notebook = json.loads((root / "course" / NAME / file).read_text("utf-8"))
        cell_of(notebook, "sigmoid_forward-answer")["source"] = WRONG
        (place / file).write_text(json.dumps(notebook), "utf-8")
        if setting is not None:
            text = f"c = get_config()\nc.Grader.feedback = {setting!r}\n"
            (tmp_path / "class" / CONFIG_FILE).write_text(text, "utf-8")
        return tmp_path / "class"

    return make


@pytest.mark.parametrize(
    "setting, told",
    [
        (None, "diagnosis"),
        ("verdict", "verdict"),
        ("full", "full"),
        ({NAME: "verdict"}, "verdict"),
        ({"02": "full"}, "full"),
        ({"03_activations": "full"}, "diagnosis"),
        ({"": "verdict", "03_activations": "full"}, "verdict"),
    ],
)
def test_the_level_is_read_from_the_configuration(course, setting, told):
    assert open_course(course(setting) / "submitted").level(NAME) == told


@pytest.mark.parametrize(
    "setting, said",
    [
        ("all", "c.Grader.feedback to 'all'; it is 'verdict', 'diagnosis' or 'full'"),
        ({NAME: 3}, "it is 'verdict', 'diagnosis' or 'full'"),
        (["full"], "it is 'verdict', 'diagnosis' or 'full'"),
        ({"02_bakprop": "full"}, "Did you mean '02_backprop'?"),
    ],
)
def test_a_wrong_value_is_refused_with_a_sentence(course, setting, said):
    with pytest.raises(GradeError) as problem:
        open_course(course(setting) / "submitted")
    assert said in str(problem.value)


def comment_of(root, **options):
    (result,) = grade(root / "submitted", limits=Limits(cell_seconds=1.0), **options).results
    report = next(r for r in result.reports if r.exercise == "sigmoid_forward")
    return report.comment()


@forks
def test_each_level_says_as_much_as_it_should_and_the_command_line_wins(course):
    root = course({NAME: "verdict"})
    assert comment_of(root) == "`out` is wrong."
    assert comment_of(root, feedback="diagnosis") == MISTAKE.message
    assert comment_of(root, feedback="full") == f"{MISTAKE.message} {MISTAKE.remedy}"


@forks
def test_a_change_of_the_level_grades_anew(course):
    root = course("verdict")
    assert comment_of(root) == "`out` is wrong."
    course("diagnosis")
    assert comment_of(root) == MISTAKE.message
