"""The page: safe with hostile text, readable without colours, complete without the web."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest

from grader import notes, page
from grader.findings import Evidence, Finding
from grader.report import Report

HOSTILE = "</pre></section><script>alert(1)</script><img src=x onerror=alert(1)> \"'&`<b>`"
VOID = {"img", "br", "hr", "input", "meta", "link"}


class Balanced(HTMLParser):
    """Fails on an element that is not closed, or not open."""

    def __init__(self):
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if "style" not in self.open:
            self.words.append(data)


def parsed(html: str) -> Balanced:
    parser = Balanced()
    parser.feed(html)
    parser.close()
    assert parser.open == []
    return parser


def safe(html: str) -> Balanced:
    """Balanced, no script, no handler, nothing fetched, one labelled section."""
    page = parsed(html)
    tags = [tag for tag, _ in page.seen]
    assert not set(tags) & {"script", "img", "iframe", "link", "object", "form", "a", "svg", "b"}
    for tag, attrs in page.seen:
        assert not any(name.startswith("on") for name in attrs), (tag, attrs)
        assert not {"src", "href"} & set(attrs)
    assert not re.search(r"url\(|@import|https?:|//\w", html)
    sections = [attrs for tag, attrs in page.seen if tag == "section"]
    assert len(sections) == 1 and sections[0]["aria-label"] and sections[0]["role"] == "group"
    return page


REPORTS = {
    "passed": "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(-x))\n    return out, out",
    "wrong": "def sigmoid_forward(x):\n    return x.T[..., ::-1], x",
    "wrong shape": "def sigmoid_forward(x):\n    return np.ones((2, 2, 2, 9)), x",
    "a number": "def sigmoid_forward(x):\n    return 3, x",
    "text": "def sigmoid_forward(x):\n    return 'text', x",
    "nan": "def sigmoid_forward(x):\n    return x * np.nan, x",
    "empty": "def sigmoid_forward(x):\n    return np.zeros((0, 5)), x",
    "integers": "def sigmoid_forward(x):\n    return np.zeros(x.shape, int), x",
    "named": "def sigmoid_forward(x):\n    return x, x",
    "crashed": "def sigmoid_forward(x):\n    return x.nothing",
    "stub": "def sigmoid_forward(x):\n    raise NotImplementedError",
    "missing": "",
}


@pytest.mark.parametrize("kind", REPORTS)
@pytest.mark.parametrize("level", ["verdict", "diagnosis", "full"])
def test_every_page_is_balanced_and_asks_for_nothing_outside(report_on, kind, level):
    report = report_on("sigmoid_forward", REPORTS[kind], feedback=level)
    found = safe(page.html(report))
    section = next(attrs for tag, attrs in found.seen if tag == "section")
    assert section["aria-label"] == page._label(report)
    assert "\n" in page.text(report) or kind in ("passed",)


HOSTILE_CODE = {
    "error": f"def sigmoid_forward(x):\n    raise ValueError({HOSTILE!r})",
    "print": f"def sigmoid_forward(x):\n    print({HOSTILE!r})\n    return x, x",
    "warning": (
        "import warnings\ndef sigmoid_forward(x):\n"
        f"    warnings.warn({HOSTILE!r})\n    out = 1 / (1 + np.exp(-x))\n    return out, out"
    ),
    "value": f"def sigmoid_forward(x):\n    return {HOSTILE!r}, x",
    "array": f"def sigmoid_forward(x):\n    return np.array([{HOSTILE!r}]), x",
    "type": f"T = type({HOSTILE!r}, (), {{}})\ndef sigmoid_forward(x):\n    return T(), x",
    "exception type": (
        f"T = type({HOSTILE!r}, (Exception,), {{}})\ndef sigmoid_forward(x):\n    raise T"
    ),
}


@pytest.mark.parametrize("kind", HOSTILE_CODE)
def test_hostile_text_of_a_learner_stays_text(report_on, kind):
    report = report_on("sigmoid_forward", HOSTILE_CODE[kind], feedback="full")
    words = "".join(safe(page.html(report)).words)
    if kind in ("error", "print", "warning"):
        assert "<script>alert(1)</script>" in words


def test_hostile_text_in_every_field_of_a_report_stays_text():
    evidence = Evidence(((HOSTILE, HOSTILE),), {HOSTILE: HOSTILE}, HOSTILE, HOSTILE, HOSTILE)
    finding = Finding(HOSTILE, "wrong", HOSTILE, HOSTILE, HOSTILE, HOSTILE, evidence)
    report = Report(HOSTILE, HOSTILE, "wrong", 0, 1, (finding, finding), (HOSTILE,), HOSTILE)
    safe(page.html(report))
    note = notes.Note(HOSTILE, HOSTILE)
    safe(note._repr_mimebundle_()["text/html"])


def test_a_quiz_answer_that_is_hostile_stays_text(report_on):
    safe(page.html(report_on("backprop_q1", f"backprop_q1 = {HOSTILE!r}")))


def test_outcomes_have_signs_and_words_and_not_colours_alone(report_on):
    words = " ".join(parsed(page.html(report_on("sigmoid_forward", REPORTS["crashed"]))).words)
    assert "– skipped" in words
    text = page.text(report_on("sigmoid_forward", REPORTS["named"]))
    assert text.startswith("✗ sigmoid_forward: wrong (0/2 points)")
    passed = page.text(report_on("sigmoid_forward", REPORTS["passed"]))
    assert passed.startswith("✓ sigmoid_forward: passed (2/2 points)")
    assert page.text(report_on("sigmoid_forward")).startswith("○ sigmoid_forward: not attempted")


def test_differing_entries_are_marked_by_weight_and_border_too():
    bad = re.search(r"td\.bad\{([^}]*)\}", page.STYLE)[1]
    assert "font-weight" in bad and "border" in bad


def test_only_the_entries_that_differ_are_marked(report_on):
    cell = (
        "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(-x))\n"
        "    out = out.copy()\n    out.flat[1] += 0.1\n    return out, out"
    )
    html = page.html(report_on("sigmoid_forward", cell))
    assert html.count("<td class=bad>") == 1


def test_every_colour_of_the_theme_has_a_fallback():
    assert not re.search(r"var\(--jp-[\w-]+\)", page.STYLE)


def test_a_large_array_is_shown_as_a_corner_and_says_so(report_on):
    cell = "def column_means(X):\n    return np.ones((4, 30, 40))"
    report = report_on("column_means", cell)
    html = page.html(report)
    assert "first of 4, upper left of 30 x 40" in html
    assert html.count("<td") < 60


def test_the_page_of_a_huge_result_stays_small(report_on):
    cell = "def sigmoid_forward(x):\n    print('p' * 10**6)\n    return np.ones(10**6), x"
    report = report_on("sigmoid_forward", cell)
    assert len(page.html(report)) < 20_000 and len(page.text(report)) < 3_000


def test_the_passed_page_promises_no_more_than_was_checked(report_on):
    text = page.text(report_on("sigmoid_forward", REPORTS["passed"]))
    assert "All public checks passed." in text and "correct" not in text


def test_the_text_form_has_no_markup(report_on):
    for kind, cell in REPORTS.items():
        text = page.text(report_on("sigmoid_forward", cell, feedback="full"))
        assert not re.search(r"<\w+|`|&\w+;", text), kind


def test_no_page_shows_a_frame_of_the_grader_or_an_answer(report_on):
    for kind, cell in REPORTS.items():
        html = page.html(report_on("sigmoid_forward", cell, feedback="diagnosis"))
        assert "Traceback" not in html and "/grader/" not in html, kind
        assert "np.exp(-x)" not in html, kind


def test_numbers_are_short_and_exact_enough():
    assert page.number(1) == "1" and page.number(True) == "True"
    assert page.number(-0.123456) == "−0.1235" and page.number(float("nan")) == "nan"
    assert page.brief(np.float64(2.5)) == "2.5"
    assert page.brief(np.zeros((100, 100))) == "(100, 100)"
    assert page.points_text(2.0) == "2" and page.points_text(1.666667) == "1.67"
    assert page.points_text(0.0) == "0" and page.points_text(10.0) == "10"


def test_a_part_that_is_none_is_not_said_to_have_a_shape(report_on):
    cell = "def affine_backward(dout, cache):\n    return dout, None, 0"
    assert "has shape None" not in page.text(report_on("affine_backward", cell))


@pytest.mark.parametrize(
    "name, cell",
    [
        ("backprop_q7", "backprop_q7 = np.float64(3)"),
        ("backprop_q7", "backprop_q7 = b'20'"),
        ("sigmoid_forward", "def sigmoid_forward(x):\n    return object(), x"),
    ],
)
def test_the_page_speaks_of_values_and_not_of_our_own_types(report_on, name, cell):
    text = page.text(report_on(name, cell))
    assert "Opaque(" not in text and "array(" not in text
