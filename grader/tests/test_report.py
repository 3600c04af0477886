"""Reports as data: JSON, comment, and how much each feedback level says."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from grader.findings import WORDS, Finding
from grader.report import Report

FORWARD = """
def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)
"""
WRONG = """
def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=1)
"""
RIGHT = WRONG.replace("axis=1", "axis=0")


@pytest.fixture(params=["verdict", "diagnosis", "full"])
def level(request):
    return request.param


def made(outcome="wrong", **fields):
    finding = Finding("f.part", outcome, "A message.", "part", "A reason.", "A remedy.")
    return Report("f", "02_backprop", outcome, 1.0, 2.0, (finding,), **fields)


def test_reports_and_findings_are_frozen():
    report = made()
    for thing, field in [(report, "points"), (report.findings[0], "message")]:
        with pytest.raises(FrozenInstanceError):
            setattr(thing, field, 99)


def test_the_json_has_exactly_these_fields(report_on):
    data = report_on("affine_backward", FORWARD, WRONG).to_dict()
    assert list(data) == ["name", "outcome", "points", "max_points", "findings"]
    assert (data["name"], data["outcome"]) == ("affine_backward", "wrong")
    assert (data["points"], data["max_points"]) == (2.0, 3.0)
    for finding in data["findings"]:
        assert list(finding) == ["key", "outcome", "message"]
        assert finding["outcome"] in WORDS


def test_the_json_holds_no_arrays_and_survives_a_round_trip(report_on, level):
    report = report_on("affine_backward", FORWARD, WRONG, feedback=level)
    data = report.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data


def test_a_result_of_nan_gives_json_that_is_valid(report_on):
    report = report_on("sigmoid_forward", "def sigmoid_forward(x):\n    return x * np.nan, x")
    json.loads(json.dumps(report.to_dict(), allow_nan=False))


def test_the_verdict_names_right_and_wrong_and_nothing_else(report_on):
    report = report_on("affine_backward", FORWARD, WRONG, feedback="verdict")
    assert [(f.key, f.message) for f in report.findings] == [
        ("affine_backward.db", "`db` is wrong."),
        ("affine_backward.dx", "`dx` is right."),
        ("affine_backward.dw", "`dw` is right."),
    ]
    assert not any(f.why or f.remedy or f.evidence for f in report.findings)
    text = str(report)
    assert "expected" not in text and "got" not in text


def test_the_diagnosis_tells_the_cause_and_keeps_the_remedy_for_the_hints(report_on):
    report = report_on("affine_backward", FORWARD, WRONG)
    assert report.feedback == "diagnosis"
    assert report.cause.message.startswith("`db` has one number per example")
    assert report.cause.remedy == "" and report.cause.evidence is not None
    assert "Sum over the examples" not in str(report)
    assert "Sum over the examples" not in json.dumps(report.to_dict())


def test_the_full_level_tells_the_remedy_too(report_on):
    report = report_on("affine_backward", FORWARD, WRONG, feedback="full")
    assert report.cause.remedy == "Sum over the examples: axis 0."
    assert "Sum over the examples" in str(report) and "Sum over" in report.comment()
    assert "Sum over the examples: axis 0." in report.to_dict()["findings"][0]["message"]


def test_the_level_changes_neither_outcome_nor_points(report_on, level):
    report = report_on("affine_backward", FORWARD, WRONG, feedback=level)
    assert (report.outcome, report.points) == ("wrong", 2.0)
    report = report_on("affine_backward", FORWARD, RIGHT, feedback=level)
    assert (report.outcome, report.points, report.comment()) == (
        "passed",
        3.0,
        "All checks passed.",
    )


def test_the_comment_is_the_root_cause_in_words(report_on):
    report = report_on("affine_backward", FORWARD, "def affine_backward(dout, cache):\n    1 / 0")
    assert report.comment().startswith("`affine_backward` raised ZeroDivisionError")
    assert report_on("affine_backward", FORWARD).comment() == (
        "`affine_backward` is not defined yet; run its cell first."
    )


@pytest.mark.parametrize("outcome", WORDS)
def test_every_outcome_has_a_word_a_comment_and_a_text(outcome):
    report = Report("affine_backward", "02_backprop", outcome, 0.0, 3.0, ())
    assert report.comment() and WORDS[outcome] in str(report)
    assert report.to_dict()["outcome"] == outcome


def test_the_cause_is_the_failure_and_not_what_waits_for_it():
    skipped = Finding("f.a", "skipped", "Waits.", "a")
    wrong = Finding("f.b", "wrong", "Wrong.", "b")
    passed = Finding("f.c", "passed", "Right.", "c")
    assert Report("f", "c", "wrong", 0, 1, (passed, skipped, wrong)).cause is wrong
    assert Report("f", "c", "skipped", 0, 1, (passed, skipped)).cause is skipped
    assert Report("f", "c", "passed", 1, 1, (passed,)).cause is None


def test_show_gives_a_plain_float_between_zero_and_the_points(report_on, capsys):
    """nbgrader takes anything else for full marks."""
    for cell in (RIGHT, WRONG, ""):
        report = report_on("affine_backward", FORWARD, cell)
        points = report.show()
        assert type(points) is float and 0 <= points <= 3
    shown = capsys.readouterr()
    assert "✓ affine_backward: passed (3/3 points)" in shown.out and shown.err == ""


def test_points_that_arrive_as_another_number_leave_as_a_float(capsys):
    report = Report("affine_backward", "02_backprop", "wrong", np.float64(1.5), 3, ())
    assert type(report.show()) is float


def test_a_report_on_an_exercise_that_is_gone_can_still_be_read():
    """A journal may hold reports of exercises that were renamed since."""
    assert "passed" in str(made("passed"))
