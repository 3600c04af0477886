"""One page about a class: how it did, what went wrong most, and what a person should look at."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from grader import page
from grader.bulk.autograded import write_whole
from grader.bulk.likeness import published
from grader.bulk.result import SubmissionResult
from grader.exercises import UnknownName, get
from grader.findings import WORDS
from grader.page import escape, points_text
from grader.report import Report

PAGE_FILE = "insights.html"
_SHOWN = 5  # mistakes named per exercise
_STYLE = """<style>
body{font:15px/1.5 system-ui,sans-serif;max-width:900px;margin:2em auto;padding:0 1em;
color:#1f1f1f;background:#fff}
h1{font-size:1.4em}h2{font-size:1.15em;margin-top:2em}
table{border-collapse:collapse;width:100%}td,th{padding:3px 10px;text-align:left;
border-bottom:1px solid #ddd;vertical-align:top}td.n,th.n{text-align:right}
td.n,td.w{white-space:nowrap}
.bar{display:inline-block;height:.8em;background:#1b7f4b;margin-right:6px}
svg{max-width:100%;height:auto}.dim{color:#5a5a5a}
</style>"""


def write_insights(root: Path, results: Sequence[SubmissionResult]) -> Path:
    """Write the page beside the gradebook; its path."""
    path = root / PAGE_FILE
    write_whole(path, insights_page(results))
    return path


def insights_page(results: Sequence[SubmissionResult]) -> str:
    """The page as a whole HTML document: no script, no outside request, nothing unescaped.

    Parameters
    ----------
    results : sequence of SubmissionResult
        Of one class, any number of assignments.
    """
    by_assignment: dict[str, list[SubmissionResult]] = defaultdict(list)
    for result in results:
        by_assignment[result.assignment].append(result)
    parts = [
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width,initial-scale=1">',
        f"<title>Class insights</title>{_STYLE}</head><body><main><h1>Class insights</h1>",
    ]
    for name in sorted(by_assignment):
        parts += _assignment(name, by_assignment[name])
    return "\n".join([*parts, "</main></body></html>\n"])


def _assignment(name: str, results: list[SubmissionResult]) -> list[str]:
    points = sorted(result.points for result in results)
    most = max(result.max_points for result in results)
    middle = points[len(points) // 2]
    late = sum(result.seconds_late > 0 for result in results)
    review = sum(result.review for result in results)
    mean = sum(points) / len(points)
    return [
        f"<h2>{escape(name)}</h2>",
        f"<p>{len(results)} submissions; mean {mean:.1f}, median {points_text(middle)} of "
        f"{points_text(most)} points; {late} late, {review} to review.</p>",
        _histogram(points, most),
        _exercises(results),
        _time_outs(results),
        _alike(results),
    ]


def _histogram(points: list[float], most: float) -> str:
    """How many learners have how many points, as a picture in the page."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    with rc_context({"svg.hashsalt": "grader", "svg.fonttype": "none"}):
        figure = Figure(figsize=(7, 2.2), layout="constrained")
        axes = figure.subplots()
        count = max(1, min(20, round(most)))
        axes.hist(points, bins=count, range=(0, most or 1), color="#2f6db0", edgecolor="white")
        axes.set_xlabel("points that checks decide")
        axes.set_ylabel("learners")
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = text.getvalue()
    label = f"Histogram: {len(points)} learners, points from 0 to {points_text(most)}"
    return svg[svg.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _exercises(results: list[SubmissionResult]) -> str:
    reports: dict[str, list[Report]] = defaultdict(list)
    for result in results:
        for report in result.reports:
            reports[report.exercise].append(report)
    rows = [
        "<h3>Exercises</h3><table><thead><tr><th>exercise<th>passed<th class=n>mean"
        "<th class=n>not tried<th>what went wrong most</tr></thead><tbody>"
    ]
    for name, mine in reports.items():
        passed = sum(report.passed for report in mine) / len(mine)
        silent = sum(report.outcome in ("not_attempted", "skipped") for report in mine)
        mean = sum(report.points for report in mine) / len(mine)
        rows.append(
            f"<tr><td><code>{escape(name)}</code><td class=w><span class=bar "
            f'style="width:{round(80 * passed)}px"></span>{100 * passed:.0f} %'
            f"<td class=n>{mean:.2f} of {points_text(mine[0].max_points)}<td class=n>{silent}"
            f"<td>{_mistakes(mine)}</tr>"
        )
    return "\n".join([*rows, "</tbody></table>"])


def _mistakes(reports: list[Report]) -> str:
    """The commonest causes, each with what one learner was told."""
    counted: Counter[str] = Counter()
    example: dict[str, str] = {}
    for report in reports:
        cause = report.cause
        if cause is None or report.outcome in ("not_attempted", "skipped"):
            continue
        counted[cause.key] += 1
        hypothesis = cause.why if report.outcome == "wrong" else ""
        said = page.first_sentence(hypothesis)[0] if hypothesis else cause.message
        example.setdefault(cause.key, said or WORDS[report.outcome])
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:_SHOWN]
    return "<br>".join(f"{count} × {page.inline(example[key])}" for key, count in ordered)


def _time_outs(results: list[SubmissionResult]) -> str:
    names = [
        f"{escape(result.student)} (<code>{escape(report.exercise)}</code>)"
        for result in results
        for report in result.reports
        if report.outcome == "timed_out"
    ]
    return f"<h3>Ran out of time</h3><p>{', '.join(names)}</p>" if names else ""


def _alike(results: list[SubmissionResult]) -> str:
    """Long functions that are equal but for names and layout: a question, not a verdict."""
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for result in results:
        for name, digest in result.sources:
            groups[name, digest].append(result.student)
    same = [(n, d, who) for (n, d), who in groups.items() if len(who) > 1 or _is_answer(n, d)]
    if not same:
        return ""
    rows = [
        "<h3>Equal but for names and layout</h3><p class=dim>Long functions only. There may be a "
        "good reason: the learners worked together, or found the same text. Please ask.</p><ul>"
    ]
    for name, digest, who in sorted(same):
        whose = ", the same as the published answer" if _is_answer(name, digest) else ""
        learners = ", ".join(escape(student) for student in sorted(who))
        rows.append(f"<li><code>{escape(name)}</code>: {learners}{whose}</li>")
    return "\n".join([*rows, "</ul>"])


def _is_answer(name: str, digest: str) -> bool:
    try:
        return published(get(name)) == digest
    except UnknownName:
        return False


# --- for learning management systems --------------------------------------------------------------


def write_csv(root: Path, totals: Iterable[tuple[str, str, float, float]]) -> list[Path]:
    """Totals in the columns that Canvas and Moodle import; the paths written.

    Parameters
    ----------
    totals : iterable of (student, assignment, score, max_score)
        From the gradebook, so with what was graded by hand.
    """
    rows = list(totals)
    scores = {(student, assignment): score for student, assignment, score, _ in rows}
    most = {assignment: top for _, assignment, _, top in rows}
    students = sorted({student for student, _ in scores})
    names = sorted(most)

    def row(student: str) -> list[str]:
        return [f"{scores[student, n]:g}" if (student, n) in scores else "" for n in names]

    canvas = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", *names]]
    canvas.append(["Points Possible", "", "", "", "", *(f"{most[name]:g}" for name in names)])
    canvas += [[student, "", student, student, "", *row(student)] for student in students]
    moodle = [["username", *names], *([student, *row(student)] for student in students)]
    return [_csv(root / "grades_canvas.csv", canvas), _csv(root / "grades_moodle.csv", moodle)]


def _csv(path: Path, rows: list[list[str]]) -> Path:
    import csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_harmless(c) for c in row] for row in rows)
    write_whole(path, text.getvalue())
    return path


def _harmless(text: str) -> str:
    """A spreadsheet runs what looks like a formula, and a student may be called "=1+1"."""
    if not text.startswith(tuple("=+-@\t\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
