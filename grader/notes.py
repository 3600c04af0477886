"""Small pages beside the report: a note, and the map of what is done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from grader.exercise import Chapter
from grader.page import STYLE, escape, inline, points_text
from grader.store import Store

MARKS = {
    "passed": ("✓", "done", "ok"),
    "tried": ("◐", "tried", "wait"),
    "open": ("○", "open", "dim"),
}


@dataclass(frozen=True)
class Note:
    """One or two sentences, shown as a small page or as text."""

    message: str
    title: str = ""
    body: str = ""
    lines: tuple[str, ...] = ()

    points = 0.0

    def show(self) -> float:
        """As `Report.show`, so that a graded cell with an unknown name scores 0."""
        try:
            from IPython.display import display

            display(self)
        except ImportError:
            print(self)
        return 0.0

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        head = (
            f'<header><strong style="font-family:inherit">{inline(self.title)}</strong></header>'
            if self.title
            else ""
        )
        say = f'<p style="margin:4px 0">{inline(self.message)}</p>' if self.message else ""
        name = escape(self.title or "note").replace("`", "")
        return {
            "text/plain": str(self),
            "text/html": f'{STYLE}<section class="nnbh" style="--edge:var(--line)" role="group" '
            f'aria-label="{name}">{head}{say}{self.body}</section>',
        }

    def __str__(self) -> str:
        parts = [self.title, self.message, *self.lines]
        return "\n".join(part for part in parts if part).replace("`", "")

    __repr__ = __str__


def chapter_map(chapters: Iterable[Chapter], store: Store) -> Note:
    """All exercises with their state, chapter by chapter."""
    rows, lines = [], []
    for chapter in chapters:
        states = [(exercise, _state(store.entry(exercise.name))) for exercise in chapter]
        done = sum(state == "passed" for _, state in states)
        head = f"{chapter.name[:2]} · {chapter.title}"
        lines.append(f"{head}: {done} of {len(states)} done")
        rows.append(
            f'<div style="margin:8px 0 2px"><strong style="font-family:inherit">{escape(head)}'
            f'</strong> <span class="dim">{done} of {len(states)} done</span></div>'
            '<ul style="list-style:none;margin:0;padding:0;columns:2;column-gap:28px">'
        )
        for exercise, state in states:
            sign, word, tone = MARKS[state]
            got = store.entry(exercise.name).get("points", 0.0)
            points = f"{points_text(got)}/{points_text(exercise.points)}"
            more = " (optional)" if exercise.optional else ""
            lines.append(f"  {sign} {word:<6}{exercise.name}{more}  {points}")
            rows.append(
                f'<li><span class="{tone}" title="{word}">{sign}<span style="position:absolute;'
                f'left:-999em">{word}</span></span> <code>{escape(exercise.name)}</code>{more} '
                f'<span class="dim">{points}</span></li>'
            )
        rows.append("</ul>")
    kept = (
        "" if store.kept else "Kept for this session only: the notebooks are not in a working copy."
    )
    return Note(kept, "Progress", "".join(rows), tuple(lines))


def _state(entry: dict[str, Any]) -> str:
    if entry.get("passed"):
        return "passed"
    return "tried" if entry.get("tries") else "open"
