"""Every message a learner may read: on pages for authors, and held to the house's rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from grader import page
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercise import Chapter, Exercise, Mistake
from grader.expected import forward_of
from grader.report import Report

LONGEST = 35  # words in a first sentence

_WORDS = re.compile(
    r"\b(I|I'm|[Yy]ou|[Yy]our|[Yy]ours|[Ww]e|[Oo]ur|[Jj]ust|[Ss]imply|[Oo]bvious(?:ly)?|[Cc]learly"
    r"|[Oo]f course|[Tt]rivial(?:ly)?|[Ee]asily|[Ss]illy|[Cc]areless|[Cc]an not|[Pp]lease)\b"
)
_RAW = re.compile(
    r"np\.(float|int|bool)\w*\(|\barray\(\[|<function|<class|object at 0x|\{part\}|\bdtype\("
    r"|\bTraceback\b|\('|\bNone(?:Type)?\b(?!\]|, [:N])"
)
_SURE = re.compile(r"\b(?:is|are) (?:not used|never used|ignored)\b")
_HEDGE = re.compile(r"\b(look|looks|seem|seems|equal|equals|as if|fit|fits|results?|like)\b")
_CODE = re.compile(r"`[^`]*`")


def faults(text: str) -> list[str]:
    """Which rules of the house a message breaks; an empty list if none.

    Parameters
    ----------
    text : str
        As declared: code between backticks.
    """
    found = []
    prose = _CODE.sub("`x`", text)
    if match := _WORDS.search(prose):
        found.append(f"says {match[0]!r}")
    if match := _RAW.search(prose):
        found.append(f"shows a raw value, {match[0]!r}")
    if not text.rstrip().endswith((".", "?", ".)", "?)")):
        found.append("does not end with a full stop")
    if text.count("`") % 2:
        found.append("has a backtick without its partner")
    if text != text.strip() or "  " in text or re.search(r" [.,;:?] ", prose):
        found.append("has a space too many")
    if match := re.search(r"\b([a-z]{2,}) \1\b", prose.lower()):
        found.append(f"says {match[1]!r} twice")
    first, _ = page.first_sentence(prose)
    if len(first.split()) > LONGEST:
        found.append(f"has a first sentence of {len(first.split())} words")
    return found


def too_sure(message: str) -> bool:
    """Whether a diagnosis states a cause flatly; it is a hypothesis, and is worded as one."""
    prose = _CODE.sub("`x`", message)
    return bool(_SURE.search(prose)) and not _HEDGE.search(prose)


def texts(exercise: Exercise) -> Iterator[tuple[str, str]]:
    """All that can be said about an exercise: (where it is declared, text)."""
    for item in exercise.properties:
        yield f"{exercise.name}.{item.key}", item.message
    for mistake in exercise.mistakes:
        yield f"{exercise.name}.{mistake.key}", mistake.message
        if mistake.remedy:
            yield f"{exercise.name}.{mistake.key}, remedy", mistake.remedy
    for number, hint in enumerate(exercise.hints, 1):
        yield f"{exercise.name}, hint {number}", hint
    for what in ("explanation", "afterthought"):
        if text := getattr(exercise, what):
            yield f"{exercise.name}, {what}", text


# --- pages for authors ---------------------------------------------------------------------------


def report_on(exercise: Exercise, mistake: Mistake) -> Report:
    """What a learner sees who makes this mistake, at the feedback level "full"."""
    namespace = {exercise.name: mistake.answer}
    if exercise.gradient_of:
        forward = forward_of(exercise)
        namespace[forward.name] = forward.answer
    report = check_exercise(exercise, LocalAttempt(namespace), feedback="full")
    return replace(report, milliseconds=0.0)  # the same page whenever it is made


def chapter_page(chapter: Chapter) -> str:
    """All named mistakes of a chapter as one HTML page, exercise by exercise."""
    parts = [f"<h1>{page.escape(chapter.name[:2])} · {page.escape(chapter.title)}</h1>"]
    for exercise in chapter:
        parts.append(f'<h2 id="{exercise.name}"><code>{exercise.name}</code></h2>')
        for mistake in exercise.mistakes:
            body = page.html(report_on(exercise, mistake)).replace(page.STYLE, "")
            name = f"{exercise.name}.{mistake.key}"
            parts.append(f'<h3 id="{name}"><code>{page.escape(mistake.key)}</code></h3>{body}')
    return _whole(f"Messages of {chapter.name}", "\n".join(parts))


def write_pages(folder: Path, chapters: Iterable[Chapter]) -> list[Path]:
    """Write one page for each chapter, and an index of them.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    chapters : iterable of Chapter

    Returns
    -------
    list of Path
        The pages, the index first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rows, paths = [], [folder / "index.html"]
    for chapter in chapters:
        path = folder / f"{chapter.name}.html"
        path.write_text(chapter_page(chapter), "utf-8")
        paths.append(path)
        count = sum(len(exercise.mistakes) for exercise in chapter)
        title = f"{chapter.name[:2]} · {chapter.title}"
        rows.append(f'<li><a href="{path.name}">{page.escape(title)}</a>: {count} messages</li>')
    paths[0].write_text(_whole("Messages", f"<h1>Messages</h1><ul>{''.join(rows)}</ul>"), "utf-8")
    return paths


def _whole(title: str, body: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{page.escape(title)}'
        f"</title>{page.STYLE}<style>body{{max-width:820px;margin:2em auto;"
        "font:15px/1.5 system-ui,sans-serif}h3{font-weight:400;margin:1.6em 0 0}</style>"
        f"</head><body>{body}</body></html>\n"
    )
