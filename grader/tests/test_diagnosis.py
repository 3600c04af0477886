"""Why a value is wrong: the named mistakes of every exercise, then the shape of the error."""

from __future__ import annotations

import os

import numpy as np
import pytest

from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercise import Case, Chapter, Exercise
from grader.exercises import all_exercises, get
from grader.proof import judge

FIRST = int(os.environ.get("GRADER_SEED", "0"))
MANY = 100
FEW = 4


def uncaught(exercise: Exercise, seeds: range) -> list[str]:
    """Answers that fail and mistakes that are not found under their own name."""
    problems = []
    for seed in seeds:
        report = judge(exercise, exercise.answer, seed)
        if not report.passed:
            problems.append(f"seed {seed}: the answer fails: {report.comment()}")
        for mistake in exercise.mistakes:
            report = judge(exercise, mistake.answer, seed)
            found = report.cause.key if report.cause else "a pass"
            if found != f"{exercise.name}.{mistake.key}":
                problems.append(f"seed {seed}: {mistake.key} is found as {found}")
    return problems


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_the_answer_passes_and_every_mistake_is_caught_by_its_own_name(exercise):
    draws = 1 if exercise.kind == "quiz" else FEW
    seeds = range(FIRST, FIRST + draws)
    print(f"seeds {seeds}")
    assert uncaught(exercise, seeds) == []


@pytest.mark.deep
@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_every_mistake_is_caught_by_name_on_a_hundred_seeds(exercise):
    draws = 1 if exercise.kind == "quiz" else MANY
    assert uncaught(exercise, range(FIRST + FEW, FIRST + FEW + draws)) == []


# --- a toy whose values are made to measure --------------------------------------------------


def table(rows: int = 3, columns: int = 4) -> Exercise:
    """`table(x)` gives 2 x^2 + x, in several sizes."""
    chapter = Chapter("98_toys", "Toys")

    @chapter.exercise(points=1)
    def table(x):
        return 2 * x * x + x

    @chapter.cases(table)
    def cases(rng):
        for more in (0, 1, 2):
            yield Case((rng.normal(0.3, 1, (rows + more, columns + 2 * more)),))

    for key in ("one", "two"):
        chapter.mistake(table, key, f"It looks like {key}.")(lambda x: x)
    return chapter.exercises[0]


def why(exercise: Exercise, function) -> str:
    report = check_exercise(exercise, LocalAttempt({exercise.name: function}))
    assert report.outcome == "wrong", report
    return report.cause.why


def right(x):
    return 2 * x * x + x


def test_two_mistakes_that_fit_are_both_kept_silent():
    exercise = table()
    report = check_exercise(exercise, LocalAttempt({"table": lambda x: x}))
    assert report.cause.key == "table.out_value"
    assert "It looks like" not in report.comment()


@pytest.mark.parametrize(
    "function, expected",
    [
        (lambda x: -right(x), "It looks like the right values times -1."),
        (lambda x: 2 * right(x), "It looks like the right values times 2."),
        (lambda x: right(x) / 2, "It looks like the right values times 1/2."),
        (lambda x: 3.75 * right(x), "It looks like the right values times 3.75."),
        (lambda x: right(x) + 0.25, "Every entry is off by the same amount, 0.25."),
        (lambda x: 0 * x, "All entries are zero."),
        (lambda x: right(x).T, "It looks like the right values, transposed."),
        (lambda x: right(x).ravel(), "The numbers are right; the shape is not."),
        (lambda x: right(x)[None], "The numbers are right; the shape is not."),
        (lambda x: right(x) + x, ""),
        (lambda x: np.where(right(x) > 0, right(x), np.nan), ""),
        (lambda x: np.zeros((0, 3)), ""),
    ],
)
def test_the_error_has_a_form_that_is_told(function, expected):
    assert why(table(), function) == expected


def test_a_square_table_can_be_transposed_too():
    exercise = table(5, 5)
    one = dataclass_with_first_case_only(exercise)
    assert why(one, lambda x: right(x).T) == "It looks like the right values, transposed."


def dataclass_with_first_case_only(exercise: Exercise) -> Exercise:
    import dataclasses

    def first(rng):
        yield next(iter(exercise.cases(rng)))

    return dataclasses.replace(exercise, cases=first)


def test_a_missing_division_by_n_is_told_with_n_where_all_cases_agree():
    one = dataclass_with_first_case_only(table(3, 4))
    said = why(one, lambda x: right(x) / len(x))
    assert said.startswith("It looks like the right values times 1/N")
    said = why(one, lambda x: right(x) * x.shape[1])
    assert said.startswith("It looks like the right values times D")


def test_a_missing_division_by_n_is_told_although_n_differs_from_case_to_case():
    assert "N" in why(table(), lambda x: right(x) / len(x))


def test_a_factor_with_two_names_is_kept_silent():
    """With N = 2, twice is also N times."""
    one = dataclass_with_first_case_only(table(2, 5))
    assert why(one, lambda x: 2 * right(x)) == ""


def test_a_missing_sum_is_told_with_its_axis():
    chapter = Chapter("98_toys", "Toys")

    @chapter.exercise(points=1)
    def total(x):
        return x.sum(axis=0)

    chapter.cases(total)(lambda rng: iter([Case((rng.normal(0, 1, (5, 3)),))]))
    exercise = chapter.exercises[0]
    assert why(exercise, lambda x: x) == "It looks as if the sum over axis 0 is missing."
    assert why(exercise, lambda x: x.sum(axis=0, keepdims=True)) == (
        "The numbers are right; the shape is not."
    )


def test_right_here_and_wrong_there_is_told():
    found = why(table(), lambda x: right(x) if len(x) == 3 else x**3)
    assert found == "It is right for some inputs and wrong for others."


def test_a_mistake_that_raises_is_told_by_name(report_on):
    report = report_on(
        "affine_forward", "def affine_forward(x, w, b):\n    return x @ w + b, (x, w, b)"
    )
    assert (report.outcome, report.cause.key) == ("crashed", "affine_forward.not_flattened")
    assert report.cause.why.startswith("`affine_forward` raised ValueError")


def test_another_error_on_the_same_inputs_is_not_blamed_on_a_mistake(report_on):
    report = report_on("affine_forward", "def affine_forward(x, w, b):\n    return x[99], 1")
    assert report.cause.key == "affine_forward.crashed"


def test_two_mistakes_at_once_are_both_found(report_on):
    cells = """
        def affine_forward(x, w, b):
            return x.reshape(len(x), -1) @ w + b, (x, w, b)

        def affine_backward(dout, cache):
            x, w, b = cache
            return dout @ w.T, x.reshape(len(x), -1).T @ dout, dout.sum(axis=1)
        """
    report = report_on("affine_backward", cells)
    wrong = {finding.key for finding in report.findings if finding.outcome == "wrong"}
    assert wrong == {"affine_backward.dx_flat", "affine_backward.bias_per_example"}
    assert report.points == 1.0


def test_a_part_that_two_mistakes_explain_is_kept_silent(report_on):
    """`db` divided by N fits "the mean" and "all divided by N"; all else is wrong besides."""
    cells = """
        def affine_forward(x, w, b):
            return x.reshape(len(x), -1) @ w + b, (x, w, b)

        def affine_backward(dout, cache):
            x, w, b = cache
            return -(dout @ w.T).reshape(x.shape), -(x.reshape(len(x), -1).T @ dout), dout.mean(0)
        """
    keys = {f.part: f.key for f in report_on("affine_backward", cells).findings}
    assert keys["db"] == "affine_backward.db_value"


def test_the_diagnosis_is_worded_as_a_hypothesis():
    assert why(table(), lambda x: -right(x)).startswith("It looks like")


def test_a_wrong_quiz_answer_nobody_expected_is_not_explained(report_on):
    report = report_on("backprop_q7", "backprop_q7 = 21")
    assert (report.cause.key, report.cause.why) == ("backprop_q7.answer_value", "")
    assert get("backprop_q7").name in report.cause.key
