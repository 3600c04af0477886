"""Reports as pages: HTML for a notebook, text for a terminal."""

from __future__ import annotations

import html as _html
import re
from dataclasses import replace
from typing import Any

import numpy as np

from grader.agreement import kind_of
from grader.attempt import Opaque
from grader.findings import WORDS, Checked, Evidence, Finding

SIGNS = {"passed": "✓", "skipped": "–", "not_attempted": "○"}
SHOWN = 6  # rows and columns of an array on the page

# JupyterLab's variables carry its theme; the fallbacks serve every other place.
STYLE = """<style>
.nnbh{--fg:var(--jp-content-font-color1,#1f1f1f);--dim:var(--jp-content-font-color2,#5a5a5a);
--line:var(--jp-border-color2,#d8d8d8);--bg:var(--jp-layout-color1,#fff);
--ok:#1b7f4b;--no:#b3261e;--wait:#8a5a00;color:var(--fg);background:var(--bg);
font:14px/1.5 var(--jp-ui-font-family,system-ui,sans-serif);border:1px solid var(--line);
border-left:4px solid var(--edge);border-radius:6px;padding:12px 16px;margin:4px 0;max-width:780px}
body[data-jp-theme-light=false] .nnbh{--ok:#5fd39a;--no:#ff8a80;--wait:#ffc46b}
.nnbh header{display:flex;gap:10px;align-items:baseline}
.nnbh header strong{font-size:15px;font-family:var(--jp-code-font-family,ui-monospace,monospace)}
.nnbh .points{margin-left:auto;color:var(--dim);font-variant-numeric:tabular-nums}
.nnbh .say{font-size:15px;font-weight:600;margin:8px 0 2px;line-height:1.45}
.nnbh .why{color:var(--dim);margin:2px 0 8px}
.nnbh code,.nnbh table.nums,.nnbh pre{background:none;color:inherit;
font:12.5px/1.45 var(--jp-code-font-family,ui-monospace,monospace)}
.nnbh ul.steps{list-style:none;margin:8px 0;padding:0}
.nnbh ul.steps li{margin:1px 0;padding-left:92px;text-indent:-92px}
.nnbh ul.steps li>span:first-child{display:inline-block;width:92px;text-indent:0}
.nnbh .ok{color:var(--ok)}.nnbh .no{color:var(--no)}.nnbh .wait{color:var(--wait)}
.nnbh .dim,.nnbh footer{color:var(--dim);font-size:12.5px}
.nnbh .side{display:flex;gap:10px 28px;flex-wrap:wrap;margin:8px 0}
.nnbh .side>div>span{font-size:12px;color:var(--dim)}
.nnbh table.nums{border-collapse:collapse;margin:2px 0}
.nnbh table.nums td{padding:1px 7px;text-align:right;border:1px solid var(--line);
white-space:nowrap}
.nnbh table.nums td.bad{color:var(--no);font-weight:700;border:2px solid var(--no)}
.nnbh pre{margin:4px 0;white-space:pre-wrap;max-height:9em;overflow:auto}
.nnbh footer{margin-top:8px}
section.nnbh ul.steps .dim{font-size:inherit}
section.nnbh table.nums tr{background:none}
section.nnbh pre{margin:4px 0 8px;font-size:12.5px}
.jp-OutputArea-child:has(section.nnbh)+.jp-OutputArea-executeResult{display:none}
</style>"""
# The last rule hides the bare number that a graded cell ends in; nbgrader still reads it.


def display(report: Checked) -> None:
    """Show the page in a notebook; print it where there is none."""
    try:
        from IPython import get_ipython
        from IPython.display import display as show
    except ImportError:
        get_ipython = None
    if get_ipython is None or get_ipython() is None:
        print(text(report))
    else:
        show(report)


# --- HTML --------------------------------------------------------------------------------------


def html(report: Checked) -> str:
    """The report as one HTML element with its style; no script, no outside request."""
    edge = {"passed": "--ok", "not_attempted": "--wait", "skipped": "--wait"}
    unit = "point" if report.max_points == 1 else "points"
    points = f"{points_text(report.points)} of {points_text(report.max_points)} {unit}"
    parts = [
        STYLE,
        f'<section class="nnbh" style="--edge:var({edge.get(report.outcome, "--no")})" '
        f'role="group" aria-label="{escape(_label(report))}">',
        f"<header><strong>{escape(report.exercise)}</strong>"
        f'<span class="points">{points}</span></header>',
    ]
    parts += _headline(report)
    if rows := _rows(report):
        parts.append(_steps(rows))
    cause = report.cause
    if cause is not None and cause.evidence is not None and report.feedback != "verdict":
        parts.append(evidence_html(cause.evidence))
    if report.printed:
        parts.append(f'<span class="dim">printed:</span><pre>{escape(report.printed)}</pre>')
    parts += [f'<div class="dim">Remark: {inline(remark)}.</div>' for remark in report.remarks]
    parts.append(f"<footer>{inline(_footer(report))}</footer></section>")
    return "".join(parts)


def _headline(report: Checked) -> list[str]:
    if report.passed:
        lines = [f'<p class="say ok">{_praise(report)}</p>']
        if extra := _afterword(report):
            lines.append(f'<p class="why">{inline(extra)}</p>')
        return lines
    cause = report.cause
    if cause is None:
        return [f'<p class="say">{WORDS[report.outcome].capitalize()}.</p>']
    finding, more = first_sentence(cause.message)
    lines = [f'<p class="say">{inline(finding)}</p>']
    if why := " ".join(filter(None, (more, cause.why))):
        lines.append(f'<p class="why">{inline(why)}</p>')
    if cause.remedy:
        lines.append(f'<p class="why">→ {inline(cause.remedy)}</p>')
    return lines


def first_sentence(message: str) -> tuple[str, str]:
    """The finding, and what explains it: a full stop or a colon before a new thought."""
    match = re.search(r"[.:?] (?=[A-Z`\"(]|it )", message)
    if match is None:
        return message, ""
    head, more = message[: match.end()].strip(), message[match.end() :]
    if head.endswith(":"):
        head, more = head[:-1] + ".", more[0].upper() + more[1:]
    return head, more


def _rows(report: Checked) -> list[Finding]:
    """The findings worth a row: not the cause told above, and one row for all that was skipped."""
    rows = [f for f in report.findings if f is not report.cause or f.part]
    skipped = [f for f in rows if f.outcome == "skipped" and f.part]
    if len(skipped) > 1:
        names = ", ".join(f"`{f.part}`" for f in skipped)
        first = replace(skipped[0], message=f"{names} were not checked.")
        rows = [first if f is skipped[0] else f for f in rows if f not in skipped[1:]]
    told = len(rows) == 1 and rows[0] is report.cause and not _shapes_differ(rows[0].evidence)
    where = rows[0].evidence.where if told and rows[0].evidence else ""
    if report.passed and len(rows) == 1 or told and not where:
        return []
    return rows


def _shapes_differ(evidence: Evidence | None) -> bool:
    if evidence is None or not (_is_array(evidence.got) and _is_array(evidence.expected)):
        return False
    return np.shape(evidence.got) != np.shape(evidence.expected)


def _steps(findings: list[Finding]) -> str:
    rows = []
    for finding in findings:
        sign = SIGNS.get(finding.outcome, "✗")
        tone = {"passed": "ok", "skipped": "dim", "not_attempted": "wait"}.get(
            finding.outcome, "no"
        )
        rows.append(
            f'<li><span class="{tone}">{sign} {WORDS[finding.outcome]}</span>'
            f"<span>{inline(_step(finding))}</span></li>"
        )
    return f'<ul class="steps">{"".join(rows)}</ul>'


def _praise(report: Checked) -> str:
    quiz = any(finding.part == "answer" for finding in report.findings)
    return "Right." if quiz else "All public checks passed."


def evidence_html(evidence: Evidence) -> str:
    """Inputs, then got beside expected, with the entries that differ marked."""
    lines = []
    given = " · ".join(f"<code>{escape(n)}</code> {escape(brief(v))}" for n, v in evidence.given)
    if given:
        label = f"{escape(evidence.label)}: " if evidence.label else ""
        lines.append(f'<div class="dim">Smallest failing case: {label}{given}</div>')
    if evidence.expected is not None:
        marks = _differing(evidence.got, evidence.expected)
        got = f"<div><span>got {escape(_shape(evidence.got))}</span>"
        lines.append(
            f'<div class="side">{got}{_table("got", evidence.got, marks)}</div>'
            f"<div><span>expected {escape(_shape(evidence.expected))}</span>"
            f"{_table('expected', evidence.expected, None)}</div></div>"
        )
    return "".join(lines)


def _differing(got: Any, expected: Any) -> np.ndarray | None:
    if not (_is_array(got) and _is_array(expected)):
        return None
    a, b = np.asarray(got), np.asarray(expected)
    if a.shape != b.shape or a.dtype.kind not in "biuf":
        return None
    with np.errstate(all="ignore"):
        a, b = a.astype(float), b.astype(float)  # True and False cannot be subtracted
        return ~(np.abs(a - b) <= 1e-6 * (np.abs(b).max(initial=0) + 1e-300))


def _table(name: str, value: Any, marks: np.ndarray | None) -> str:
    if not _is_array(value) or np.asarray(value).ndim == 0:
        return f"<div><code>{escape(brief(value))}</code></div>"
    array, cut = _corner(np.asarray(value))
    flags = _corner(marks)[0] if marks is not None else np.zeros(array.shape, bool)
    rows = [
        "<tr>"
        + "".join(
            f"<td{' class=bad' if bad else ''}>{escape(number(x))}</td>"
            for x, bad in zip(row, flag, strict=True)
        )
        + "</tr>"
        for row, flag in zip(array, flags, strict=True)
    ]
    more = f'<span class="dim">{cut}</span>' if cut else ""
    label = escape(f"{name} {_shape(value)}".strip())
    return f'<table class="nums" aria-label="{label}">{"".join(rows)}</table>{more}'


def _corner(array: np.ndarray) -> tuple[np.ndarray, str]:
    """A table of at most SHOWN x SHOWN entries, and what was left out."""
    notes = []
    while array.ndim > 2:
        notes.append(f"first of {array.shape[0]}")
        array = array[0]
    array = np.atleast_2d(array)
    if max(array.shape) > SHOWN:
        notes.append(f"upper left of {array.shape[0]} x {array.shape[1]}")
    return array[:SHOWN, :SHOWN], ", ".join(notes)


# --- text --------------------------------------------------------------------------------------


def text(report: Checked) -> str:
    """The report for a terminal, a screen reader, or a log: plain lines."""
    sign = SIGNS.get(report.outcome, "✗")
    points = f"{points_text(report.points)}/{points_text(report.max_points)} points"
    lines = [f"{sign} {report.exercise}: {WORDS[report.outcome]} ({points})"]
    if report.passed:
        lines.append(f"  {_praise(report)}")
        if extra := _afterword(report):
            lines.append(f"  {extra}")
    cause = report.cause
    if cause is not None:
        lines += [f"  {line}" for line in (cause.message, cause.why, cause.remedy) if line]
    for finding in report.findings:
        if (finding is cause and not finding.part) or len(report.findings) == 1:
            continue
        sign = SIGNS.get(finding.outcome, "✗")
        lines.append(f"    {sign} {WORDS[finding.outcome]:<14}{_step(finding)}")
    if cause is not None and cause.evidence is not None and report.feedback != "verdict":
        lines += [f"  {line}" for line in evidence_text(cause.evidence, cause.part)]
    if report.printed:
        lines.append("  printed: " + report.printed.strip().replace("\n", "\n    ")[:400])
    lines += [f"  Remark: {remark}." for remark in report.remarks]
    return "\n".join(line.replace("`", "") for line in lines)


def evidence_text(evidence: Evidence, part: str) -> list[str]:
    """The smallest failing example in plain lines."""
    lines = []
    if evidence.given:
        given = ", ".join(f"{name} {brief(value)}" for name, value in evidence.given)
        lines.append(f"smallest failing case: {evidence.label or 'inputs'} ({given})")
    if evidence.where:
        lines.append(f"in {part}, {evidence.where}")
    if evidence.expected is not None:
        lines.append(f"got      {brief(evidence.got, 200)}")
        lines.append(f"expected {brief(evidence.expected, 200)}")
    return lines


# --- small things ------------------------------------------------------------------------------


def brief(value: Any, room: int = 70) -> str:
    """A value in one line: numbers where they fit, else what it is."""
    if _is_array(value):
        array = np.asarray(value)
        if array.ndim == 0:
            return number(array)
        inner = np.array2string(
            array, precision=4, suppress_small=True, threshold=50, separator=" "
        )
        line = re.sub(r"\[ ", "[", re.sub(r" \]", "]", re.sub(r"\s+", " ", inner)))
        return line if len(line) <= room else str(array.shape)
    if isinstance(value, dict):
        inside = ", ".join(
            f"{key}: {_shape(item) or brief(item, 12)}" for key, item in value.items()
        )
        return f"{{{inside}}}" if len(inside) < room else kind_of(value)
    shown = kind_of(value) if isinstance(value, Opaque) else repr(value)
    return shown if len(shown) <= room else kind_of(value)


def number(value: Any, digits: int = 4) -> str:
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    value = float(value)
    return f"{value:.{digits}g}".replace("-", "−") if value == value else "nan"


def _is_array(value: Any) -> bool:
    if isinstance(value, (np.ndarray, np.generic)):
        return np.asarray(value).dtype.kind in "biuf"
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _shape(value: Any) -> str:
    return str(np.shape(value)) if _is_array(value) and np.ndim(value) else ""


def _step(finding: Finding) -> str:
    if finding.outcome == "wrong" and finding.evidence is not None and finding.part:
        got, expected = finding.evidence.got, finding.evidence.expected
        if not (_is_array(got) and _is_array(expected)):
            return finding.message
        if np.shape(got) != np.shape(expected):
            found, wanted = _shape(got) or "()", _shape(expected) or "()"
            return f"`{finding.part}` has shape {found}, expected {wanted}"
        return f"`{finding.part}`: {finding.evidence.where or finding.message}"
    return finding.message


def _label(report: Checked) -> str:
    return f"{report.exercise}: {WORDS[report.outcome]}"


def points_text(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _afterword(report: Checked) -> str:
    from grader.exercises import UnknownName, get

    try:
        exercise = get(report.exercise)
    except UnknownName:  # renamed since
        return ""
    if exercise.kind == "quiz":
        return exercise.explanation
    thought = f" Worth a thought: {exercise.afterthought}" if exercise.afterthought else ""
    return f"{report.cases} cases, from small to larger.{thought}"


def _footer(report: Checked) -> str:
    name = report.exercise
    time = f"{report.milliseconds:.0f} ms"
    if report.passed or report.outcome == "grader_fault" or not _has_hints(name):
        return time
    return f"{time} · more help: `hint({name!r})`"


def _has_hints(name: str) -> bool:
    from grader.exercises import UnknownName, get

    try:
        return bool(get(name).hints)
    except UnknownName:
        return False


def escape(value: str) -> str:
    return _html.escape(str(value), quote=True)


def inline(value: str) -> str:
    """Escaped text in which `code` becomes code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(value))
