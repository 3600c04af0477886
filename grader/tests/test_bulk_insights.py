"""The page about a class: what it counts, what it asks, and what it never shows."""

from __future__ import annotations

import csv
import html.parser
import os
import re
from pathlib import Path

import pytest

from grader.bulk.insights import insights_page, write_csv
from grader.bulk.likeness import digests, published
from grader.bulk.result import SubmissionResult
from grader.exercises import get
from grader.findings import Finding
from grader.report import Report


def report(name: str, points: float, outcome: str = "wrong", key: str = "sign") -> Report:
    why = "These values are the negative." if outcome == "wrong" else ""
    finding = Finding(f"{name}.{key}", outcome, f"`{name}` is {outcome}.", "dx", why)  # type: ignore[arg-type]
    return Report(name, "02_backprop", outcome, points, 2.0, (finding,))  # type: ignore[arg-type]


def result(student: str, *reports: Report, **more: object) -> SubmissionResult:
    return SubmissionResult(student, "02_backprop", tuple(reports), **more)  # type: ignore[arg-type]


CLASS = [
    result("ann", report("sgd_step", 2.0, "passed")),
    result("bob", report("sgd_step", 1.0), sources=(("sgd_step", "one"),)),
    result("cy <b>", report("sgd_step", 0.0), sources=(("sgd_step", "one"),), seconds_late=9.0),
    result("dan", report("sgd_step", 0.0, "timed_out", "time")),
]


def test_it_counts_what_happened() -> None:
    page = insights_page(CLASS)
    assert "4 submissions; mean 0.8, median 1 of 2 points; 1 late, 0 to review" in page
    assert "2 × These values are the negative" in page
    assert "25 %" in page and "<svg" in page and 'role="img"' in page
    assert "Ran out of time" in page and "dan (<code>sgd_step</code>)" in page


def test_equal_work_is_a_question_with_names_escaped() -> None:
    page = insights_page(CLASS)
    assert "bob, cy &lt;b&gt;" in page and "Please ask" in page
    alone = insights_page(CLASS[:2])
    assert "Equal but" not in alone


def test_the_page_asks_for_nothing_and_is_the_same_again() -> None:
    page = insights_page(CLASS)
    assert not re.search(r"<script|src=|href=\"http", page)
    assert insights_page(CLASS) == page
    html.parser.HTMLParser().feed(page)


LONG = """
def two_layer_gradients(X, t, W1, b1, W2, b2):
    '''Mine.'''
    first = X @ W1 + b1
    a = 1 / (1 + np.exp(-first))
    second = a @ W2 + b2
    p = 1 / (1 + np.exp(-second))
    d = (p - t) * p * (1 - p)
    dW2 = a.T @ d / len(X) + 0 * first.sum()
    db2 = d.sum(axis=0) / len(X) - 0 * second.sum()
    back = d @ W2.T * a * (1 - a)
    return X.T @ back / len(X), back.sum(axis=0) / len(X), dW2, db2
"""


def test_names_layout_and_docstrings_do_not_count() -> None:
    renamed = LONG.replace("first", "z").replace("'''Mine.'''", "# yours").replace("back", "q")
    (one,) = digests(["x = 1", LONG], ["two_layer_gradients"])
    (two,) = digests([renamed.replace(" * ", "*")], ["two_layer_gradients"])
    assert one == two
    (three,) = digests([LONG.replace("p - t", "t - p")], ["two_layer_gradients"])
    assert three != one


def test_short_functions_and_broken_cells_are_not_compared() -> None:
    assert digests(["def f(x): return x", "def broken("], ["f", "broken"]) == ()
    assert digests([LONG], ["another"]) == ()
    assert published(get("sgd_step")) == ""
    assert published(get("two_layer_gradients"))


def test_totals_have_the_columns_that_imports_expect(tmp_path: Path) -> None:
    totals = [("ann", "02_backprop", 3.5, 26.0), ("=1+1", "03_activations", 0.0, 9.0)]
    canvas, moodle = write_csv(tmp_path, totals)
    with open(canvas, newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0][:5] == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section"]
    assert rows[0][5:] == ["02_backprop", "03_activations"]
    assert rows[1] == ["Points Possible", "", "", "", "", "26", "9"]
    assert rows[2] == ["'=1+1", "", "'=1+1", "'=1+1", "", "", "0"]
    assert rows[3] == ["ann", "", "ann", "ann", "", "3.5", ""]
    with open(moodle, newline="") as file:
        assert next(csv.reader(file)) == ["username", "02_backprop", "03_activations"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")
def test_a_graded_class_has_a_page(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from grader.bulk.demo import make_class
    from grader.cli import app

    root = tmp_path / "class"
    make_class(root, students=4)
    runner = CliRunner()
    early = runner.invoke(app, ["insights", str(root / "submitted")])
    assert early.exit_code != 0
    assert runner.invoke(app, ["grade", str(root / "submitted")]).exit_code == 0
    done = runner.invoke(app, ["insights", str(root / "submitted")])
    assert done.exit_code == 0, done.output
    assert "4 submissions" in (root / "insights.html").read_text("utf-8")
    lines = (root / "grades_moodle.csv").read_text("utf-8").splitlines()
    assert len(lines) == 5 and lines[0] == "username,02_backprop"
