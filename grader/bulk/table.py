"""A class's results for people (tables) and for machines (one line of JSON per exercise)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from grader.bulk.grade import ClassResult
from grader.page import points_text

_COMMON = 3  # mistakes named per exercise


def summary(result: ClassResult) -> RenderableType:
    """Everything for the terminal: learners, exercises, what to look at."""
    parts: list[RenderableType] = [learners(result), exercises(result)]
    if result.to_review:
        parts.append(to_review(result))
    parts += [Text(remark, style="dim") for remark in result.remarks]
    parts.append(Text(_last_line(result), style="dim"))
    return Group(*parts)


def learners(result: ClassResult) -> Table:
    """Points of each submission."""
    table = Table(title="Learners", title_justify="left", header_style="bold")
    for name, right in (("student", 0), ("assignment", 0), ("points", 1), ("of", 1), ("", 0)):
        table.add_column(name, justify="right" if right else "left")
    for one in result.results:
        notes = [_late(one.seconds_late)] if one.seconds_late else []
        notes += ["review"] if one.review else []
        table.add_row(
            _plain(one.student),
            one.assignment,
            points_text(one.points),
            points_text(one.max_points),
            ", ".join(notes),
        )
    return table


def exercises(result: ClassResult) -> Table:
    """Pass rate of each exercise and the commonest reasons why it fails."""
    table = Table(title="Exercises", title_justify="left", header_style="bold")
    table.add_column("exercise")
    table.add_column("passed", justify="right")
    table.add_column("tried", justify="right")
    table.add_column("most common")
    causes = result.causes()
    for name, outcomes in result.outcomes().items():
        everyone = outcomes.total()
        tried = everyone - outcomes["not_attempted"] - outcomes["skipped"]
        rate = f"{100 * outcomes['passed'] / everyone:.0f} %"
        table.add_row(name, rate, f"{tried}/{everyone}", _most_common(name, causes[name]))
    return table


def _most_common(exercise: str, causes: Counter[str]) -> str:
    """The commonest first; those that occur equally often by name, so that the order is stable."""
    ordered = sorted(causes.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {key.removeprefix(exercise + '.')}" for key, count in ordered[:_COMMON]]
    return _plain(", ".join(shown).replace("_", " "))


def to_review(result: ClassResult) -> Table:
    """Submissions that somebody should look at, with the reasons."""
    table = Table(title="To review", title_justify="left", header_style="bold")
    table.add_column("student")
    table.add_column("assignment")
    table.add_column("why")
    for one in result.to_review:
        table.add_row(_plain(one.student), one.assignment, _plain("\n".join(one.reasons)))
    return table


def json_lines(result: ClassResult) -> Iterator[str]:
    """One line per submission and exercise, in the order of the results."""
    for one in result.results:
        for report in one.reports:
            about = report.to_dict()
            line = {
                "student": one.student,
                "assignment": one.assignment,
                "exercise": report.exercise,
                "outcome": report.outcome,
                "points": report.points,
                "max_points": report.max_points,
                "findings": about["findings"],
                "reasons": list(one.reasons),
                "review": one.review,
                "seconds_late": one.seconds_late,
                "level": one.level,
            }
            yield json.dumps(line, ensure_ascii=False)


def _late(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min late"
    return f"{seconds / 3600:.0f} h late" if seconds < 172_800 else f"{seconds / 86400:.0f} d late"


def _plain(text: str) -> str:
    """Safe on a terminal: no markup, no control characters."""
    return escape("".join(c if c.isprintable() or c == "\n" else "?" for c in text))


def _last_line(result: ClassResult) -> str:
    count = len(result.results) - result.kept
    each = f", {count / result.seconds:.1f} a second" if result.seconds and count else ""
    kept = f"; {result.kept} unchanged since the last run" if result.kept else ""
    seed = "secret" if result.secret else "public"
    shield = f"; level {result.level}: {', '.join(result.mechanisms)}" if result.mechanisms else ""
    return f"{count} submissions graded in {result.seconds:.1f} s{each}{kept}; {seed} seed{shield}"
