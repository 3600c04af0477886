"""Files of strangers: found by name, run apart, judged one by one, never lost."""

from __future__ import annotations

import json
import os
import sys

import pytest

from grader.attempt import Error
from grader.exercises import get
from grader.files import MAX_BYTES, NOTHING, FileProblem, check_files, found_in, read_cells

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")

SIGMOID = "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(-x))\n    return out, out\n"
BACK = "def sigmoid_backward(dout, a):\n    return dout * a * (1 - a)\n"
STEP = (
    "def sgd_step(params, grads, lr):\n    return {k: params[k] - lr * grads[k] for k in params}\n"
)
NP = "import numpy as np\n"


def notebook(*cells, **more):
    return json.dumps(
        {
            "cells": [
                {
                    "cell_type": "code",
                    "source": cell.splitlines(keepends=True),
                    "metadata": {},
                    "outputs": [],
                    "execution_count": None,
                }
                for cell in cells
            ],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
            **more,
        }
    )


@pytest.fixture
def put(tmp_path):
    def write(content, name="work.py"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def only(path, **options):
    (result,) = check_files([path], **options)
    return result


def outcomes(result):
    return {report.exercise: report.outcome for report in result.reports}


def test_the_json_of_a_file_has_exactly_this_shape(put):
    path = put(NP + SIGMOID + BACK.replace("(1 - a)", "1"))
    data = only(path).to_dict()
    assert list(data) == ["path", "exercises"] and data["path"] == path
    assert [item["name"] for item in data["exercises"]] == ["sigmoid_forward", "sigmoid_backward"]
    for item in data["exercises"]:
        assert list(item) == ["name", "outcome", "points", "max_points", "findings"]
        for finding in item["findings"]:
            assert set(finding) <= {"key", "outcome", "message", "part"}
            assert {"key", "outcome", "message"} <= set(finding)
    assert data["exercises"][1]["findings"][0]["key"] == "sigmoid_backward.missing_one_minus_a"


def test_a_finding_holds_key_outcome_and_message_and_nothing_else(put):
    (item,) = only(put(NP + SIGMOID)).to_dict()["exercises"]
    assert all(list(finding) == ["key", "outcome", "message"] for finding in item["findings"])


def test_functions_are_found_by_name_in_the_order_of_the_course():
    cells = [
        "class Value: pass\nasync = 3",
        "  def sgd_step(: broken\nbackprop_q1: str = 'b'\nx == 1",
    ]
    assert [e.name for e in found_in(cells)] == ["Value", "sgd_step", "backprop_q1"]
    assert found_in(["backprop_q1 == 'b'", "# def sgd_step(", "print(Value)"]) == []


def test_a_notebook_and_a_script_are_judged_alike(put):
    for path in (put(NP + SIGMOID + BACK), put(notebook(NP, SIGMOID, BACK), "work.ipynb")):
        result = only(path)
        assert result.passed and not result.problem
        assert outcomes(result) == {"sigmoid_forward": "passed", "sigmoid_backward": "passed"}


def test_a_syntax_error_does_not_lose_its_neighbours(put):
    broken = "def sigmoid_backward(dout, a):\n    return dout * * a\n"
    for path in (
        put(NP + SIGMOID + broken + STEP),
        put(notebook(NP, SIGMOID, broken, STEP), "work.ipynb"),
    ):
        result = only(path)
        assert outcomes(result) == {
            "sigmoid_forward": "passed",
            "sigmoid_backward": "crashed",
            "sgd_step": "passed",
        }
        assert "is not valid Python" in result.problem
        data = result.to_dict()
        assert data["outcome"] == "crashed" and len(data["exercises"]) == 3


def test_an_error_between_two_functions_does_not_lose_the_second(put):
    result = only(put(NP + SIGMOID + "1 / 0\n" + STEP))
    assert outcomes(result) == {"sigmoid_forward": "passed", "sgd_step": "passed"}


def test_code_under_main_does_not_run_in_a_script(put):
    path = put(NP + SIGMOID + "if __name__ == '__main__':\n    while True: pass\n")
    assert only(path).passed


def test_a_file_that_leaves_the_process_while_loading_is_told(put):
    result = only(put(NP + SIGMOID + "import os\nos._exit(3)\n"))
    assert outcomes(result) == {"sigmoid_forward": "crashed"}
    assert result.problem.startswith("The code ended its process while it was loaded.")


def test_a_loop_without_an_end_costs_its_own_exercise_only(put):
    endless = "def sigmoid_backward(dout, a):\n    while True: pass\n"
    result = only(put(NP + SIGMOID + endless + STEP))
    assert outcomes(result) == {
        "sigmoid_forward": "passed",
        "sigmoid_backward": "timed_out",
        "sgd_step": "passed",
    }


def test_one_exercise_alone_is_checked_and_its_absence_is_told(put):
    path = put(NP + SIGMOID + STEP)
    assert outcomes(only(path, exercise=get("sgd_step"))) == {"sgd_step": "passed"}
    assert outcomes(only(path, exercise=get("Value"))) == {"Value": "not_attempted"}


def test_nothing_of_the_course_is_said_and_does_not_pass(put):
    result = only(put("x = 1\n"))
    assert not result.passed and result.problem == NOTHING
    assert result.to_dict() == {
        "path": result.path,
        "outcome": "not_attempted",
        "message": NOTHING,
        "exercises": [],
    }


@pytest.mark.parametrize(
    "name, content, message",
    [
        ("a.ipynb", b"", "The notebook is empty: the file has no content."),
        ("a.ipynb", b" \n", "The notebook is empty: the file has no content."),
        ("a.ipynb", b"{", "The notebook is not valid JSON; save it again in JupyterLab."),
        ("a.ipynb", b"[" * 10**5, "The notebook is not valid JSON; save it again in JupyterLab."),
        ("a.ipynb", b"[]", "This is not a notebook of format 4; open and save it in JupyterLab."),
        (
            "a.ipynb",
            b'{"worksheets": [], "nbformat": 3}',
            "This is not a notebook of format 4; open and save it in JupyterLab.",
        ),
        (
            "a.ipynb",
            b'{"cells": 3}',
            "This is not a notebook of format 4; open and save it in JupyterLab.",
        ),
        (
            "a.ipynb",
            b'{"cells": [{"cell_type": "code", "source": 3}]}',
            "This is not a notebook of format 4; open and save it in JupyterLab.",
        ),
        ("a.py", b"\xff\xfe\x00", "The file is not text in UTF-8; save it with that encoding."),
        ("a.py", b"x = 1\0", "The file holds null bytes, so it is not a text file."),
        ("a.py", None, "The file cannot be read: No such file or directory."),
    ],
)
def test_a_file_that_can_not_be_read_is_told_in_a_sentence(tmp_path, name, content, message):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileProblem) as problem:
        read_cells(path)
    assert str(problem.value) == message
    result = only(str(path))
    assert not result.passed and result.problem == message


def test_too_large_a_file_is_refused_unread(tmp_path):
    path = tmp_path / "large.py"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert only(str(path)).problem == "The file is larger than 20 MB."


def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(put):
    assert only(put(b"\xef\xbb\xbf" + (NP + SIGMOID).replace("\n", "\r\n").encode())).passed


def test_many_files_at_once_keep_their_order_and_stay_apart(put):
    """Each names its own factor; a shared process would mix them up."""
    paths = []
    for i in range(24):
        wrong = SIGMOID.replace("return out, out", f"return out * {i + 0.75}, out")
        paths.append(put(NP + wrong + f"kept = {i}\n", f"work_{i:02}.py"))
    results = check_files(paths, jobs=4)
    assert [result.path for result in results] == paths
    assert [result.passed for result in results] == [False] * 24
    for i, result in enumerate(results):
        assert f"times {i + 0.75}." in result.reports[0].comment()


def test_a_submission_may_import_earlier_answers_and_no_later_ones(put):
    back = "def affine_backward(dout, cache):\n    return grader_backward(dout, cache)\n"
    later = "from grader.nn import affine_backward as grader_backward\n"
    result = only(put(NP + later + back))
    assert not result.passed
    step = "from grader.nn import affine_forward\n" + NP + STEP
    assert only(put(step)).passed


def test_a_learner_can_not_import_the_answers(put):
    cheat = "from grader.exercises.backprop import sigmoid_forward\n"
    assert not only(put(cheat), exercise=get("sigmoid_forward")).passed


def test_the_level_of_feedback_is_passed_on(put):
    path = put(NP + SIGMOID.replace("-x", "x"))
    verdict = only(path, feedback="verdict").to_dict()["exercises"][0]["findings"][0]
    assert verdict["message"] == "`out` is wrong."
    full = only(path, feedback="full").to_dict()["exercises"][0]["findings"][0]
    assert full["message"].endswith("The exponent is `-x`.")


def test_another_seed_draws_other_cases(put):
    path = put(NP + SIGMOID.replace("-x", "x"))
    one, two = (only(path, seed=seed).reports[0].cause.evidence for seed in (0, 1))
    assert list(one.given[0][1]) != list(two.given[0][1])


def test_files_are_never_imported_here(put):
    only(put(NP + SIGMOID, "never_imported.py"))
    assert "never_imported" not in sys.modules and Error("a", "b").line == 0
