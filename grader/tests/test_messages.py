"""What learners read: the rules of the house, held for every text of every exercise."""

import numpy as np
import pytest

from grader import page
from grader.exercises import all_exercises, get, get_chapter
from grader.findings import Evidence
from grader.messages import LONGEST, faults, report_on, texts, too_sure, write_pages


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_every_text_keeps_the_rules(exercise):
    broken = {where: found for where, text in texts(exercise) if (found := faults(text))}
    assert broken == {}


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_a_cause_is_worded_as_a_hypothesis(exercise):
    said = [*exercise.mistakes, *exercise.properties]
    assert [item.key for item in said if too_sure(item.message)] == []


@pytest.mark.parametrize(
    "text, said",
    [
        ("You forgot the bias.", "'You'"),
        ("The bias is simply missing.", "'simply'"),
        ("The bias is missing", "full stop"),
        ("`b` is None here.", "raw value"),
        ("The value is np.float64(2.0).", "raw value"),
        ("The shape is ('a', 2).", "raw value"),
        ("The the bias is missing.", "twice"),
        ("The `bias is missing.", "backtick"),
        ("The bias  is missing.", "space too many"),
        ("The bias is far" + ", far" * LONGEST + ".", "first sentence"),
    ],
)
def test_a_text_that_breaks_a_rule_is_found(text, said):
    assert any(said.lower() in found.lower() for found in faults(text)), faults(text)


@pytest.mark.parametrize(
    "text",
    [
        "`return None` leaves nothing to compare.",
        "Row i of the Jacobian belongs to output i.",
        "`db` has shape (1, M), a table with one row; `b` has shape (M,).",
        "Which of them does one entry of `b` touch?",
    ],
)
def test_a_good_text_breaks_none(text):
    assert faults(text) == []


def test_a_flat_statement_of_a_cause_is_too_sure():
    assert too_sure("`lr` is not used.")
    assert not too_sure("It looks as if `lr` is not used.")


def test_a_learner_sees_finding_cause_remedy_and_the_smallest_example():
    exercise = get("affine_backward")
    mistake = next(m for m in exercise.mistakes if m.key == "bias_mean")
    report = report_on(exercise, mistake)
    assert report.cause.key == "affine_backward.bias_mean"
    assert report.cause.remedy == mistake.remedy
    assert report.cause.evidence.given


def test_a_page_shows_wrong_answers_of_true_and_false():
    evidence = Evidence(got=np.array([True, False]), expected=np.array([True, True]))
    assert page.evidence_html(evidence).count("class=bad") == 1


def test_the_pages_hold_every_message_of_a_chapter_and_ask_nothing_of_the_network(tmp_path):
    chapter = get_chapter("01")
    index, path = write_pages(tmp_path / "pages", [chapter])
    html = path.read_text("utf-8")
    for exercise in chapter:
        for mistake in exercise.mistakes:
            assert f'id="{exercise.name}.{mistake.key}"' in html
    assert html.count("<section") == sum(len(e.mistakes) for e in chapter)
    assert html.count("<style>") == 2  # the page's own and the reports', once each
    assert "http" not in html and "<script" not in html
    assert path.name in index.read_text("utf-8")
