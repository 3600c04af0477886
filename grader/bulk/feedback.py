"""A page for each learner and assignment: total, reasons, and each exercise's report."""

from __future__ import annotations

import re
from collections.abc import Mapping

from grader import page
from grader.bulk.autograded import write_timestamp, write_whole
from grader.bulk.course import Assignment, Course
from grader.bulk.result import SubmissionResult
from grader.page import escape, points_text
from grader.report import Report

_STYLE = """<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#1f1f1f;
background:#fff}
h1{font-size:1.35em;margin:0}h1+p{color:#5a5a5a;margin:.2em 0 1.2em}
.total{font-size:1.15em;font-weight:600}
.noted{border-left:4px solid #8a5a00;padding:2px 14px;margin:1em 0;background:#fbf7ee}
.noted li{margin:4px 0}
nav ul{columns:2;padding:0;list-style:none}nav a{color:inherit}
.nnbh{margin:14px 0}
@media print{nav{display:none}.nnbh{break-inside:avoid}}
</style>"""
_FOOTER = re.compile(r"<footer>.*?</footer>", re.DOTALL)


def write_feedback(
    course: Course,
    assignment: Assignment,
    result: SubmissionResult,
    secret: bool,
    pages: Mapping[str, str],
) -> None:
    """Write `feedback/<student>/<assignment>/<notebook>.html`, where nbgrader expects it.

    `pages` holds each exercise's report as HTML.
    """
    folder = course.feedback / result.student / assignment.name
    folder.mkdir(parents=True, exist_ok=True)
    html = feedback_page(result, assignment, secret, pages)
    write_whole(folder / f"{assignment.notebook}.html", html)
    write_timestamp(folder, result)


def feedback_page(
    result: SubmissionResult, assignment: Assignment, secret: bool, pages: Mapping[str, str]
) -> str:
    """The page as a whole HTML document: no script, no outside request, nothing unescaped."""
    title = escape(str(assignment.metadata.get("title") or assignment.notebook))
    total = f"{points_text(result.points)} of {points_text(result.max_points)} points"
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>{title}</title>{page.STYLE}{_STYLE}</head><body><main>",
        f"<h1>{title}</h1><p>{escape(result.student)}{_handed_in(result)}</p>",
        f'<p class="total">{total}</p>',
        _by_hand(result, assignment),
        _noted(result.reasons),
        _contents(result.reports),
        *(_section(r.exercise, pages[r.exercise], secret) for r in result.reports),
        _about_cases(secret),
        "</main></body></html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _handed_in(result: SubmissionResult) -> str:
    if result.timestamp is None:
        return ""
    return f" · handed in {escape(result.timestamp.isoformat(sep=' ', timespec='minutes'))} UTC"


def _by_hand(result: SubmissionResult, assignment: Assignment) -> str:
    if not assignment.by_hand:
        return ""
    points = sum(
        float(assignment.marked[name].marks.get("points", 0)) for name in assignment.by_hand
    )
    if result.answered:
        return (
            f"<p>The open question (up to {points_text(points)} points more) is read by hand.</p>"
        )
    return f"<p>The open question (up to {points_text(points)} points more) was not answered.</p>"


def _noted(reasons: tuple[str, ...]) -> str:
    if not reasons:
        return ""
    rows = "".join(f"<li>{page.inline(reason)}</li>" for reason in reasons)
    return f'<section class="noted" aria-label="Noted while grading"><ul>{rows}</ul></section>'


def _contents(reports: tuple[Report, ...]) -> str:
    rows = []
    for report in reports:
        sign = page.SIGNS.get(report.outcome, "✗")
        points = f"{points_text(report.points)}/{points_text(report.max_points)}"
        name = escape(report.exercise)
        rows.append(f'<li>{sign} <a href="#{name}"><code>{name}</code></a> {points}</li>')
    return f'<nav aria-label="Exercises"><ul>{"".join(rows)}</ul></nav>'


def _section(name: str, html: str, secret: bool) -> str:
    """The exercise's page; its style stands in the head, and its footer belongs to a notebook."""
    html = html.removeprefix(page.STYLE)
    if secret:
        html = html.replace("All public checks passed.", "All checks passed.")
    return f'<div id="{escape(name)}">{_FOOTER.sub("", html)}</div>'


def _about_cases(secret: bool) -> str:
    if not secret:
        return ""
    return (
        "<p><small>Graded with the same kinds of inputs as in the notebook, but with other "
        "numbers. They are used again and therefore not shown; the checks in the notebook show "
        "theirs.</small></p>"
    )
