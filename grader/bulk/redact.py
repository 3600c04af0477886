"""Keep secret cases secret: what a learner may read of a report made with a secret seed.

Learner code sees the secret inputs while it runs, so its messages, its prints, its warnings and
even the names of its classes may carry them out. What is shown is therefore rebuilt from parts
that are known: our own sentences, shapes, well-known messages of Python and NumPy, and names that
stand in the submission.
"""

from __future__ import annotations

import builtins
import re
from dataclasses import replace
from typing import Any

import numpy as np

from grader.findings import Evidence, Finding
from grader.report import Report

_ERRORS = {
    name
    for name in dir(builtins)
    if isinstance(getattr(builtins, name), type)
    and issubclass(getattr(builtins, name), BaseException)
} | {"LinAlgError", "AxisError", "UFuncTypeError"}
_SHAPES = r"[\d(), ]{1,60}"
_NAME = r"([A-Za-z_]\w{0,60})"
_KNOWN_MESSAGES = [
    re.compile(pattern)
    for pattern in (
        rf"operands could not be broadcast together with (?:remapped )?shapes {_SHAPES}",
        r"matmul: Input operand \d has a mismatch in its core dimension \d, with gufunc signature "
        r"\(n\?,k\),\(k,m\?\)->\(n\?,m\?\) \(size \d{1,4} is different from \d{1,4}\)",
        rf"shapes {_SHAPES} and {_SHAPES} not aligned: \d+ \(dim \d\) != \d+ \(dim \d\)",
        r"cannot reshape array of size \d{1,6} into shape [\d(), -]{1,40}",
        r"axis -?\d is out of bounds for array of dimension \d",
        r"too many indices for array: array is \d-dimensional, but \d were indexed",
        r"not enough values to unpack \(expected \d, got \d\)",
        r"too many values to unpack \(expected \d(?:, got \d)?\)",
        r"(?:list|tuple|string) index out of range",
        r"division by zero|maximum recursion depth exceeded.{0,60}|Singular matrix",
        rf"name '{_NAME}' is not defined",
        rf"cannot access local variable '{_NAME}' where it is not associated with a value",
        rf"'(?:\w{{1,20}}\.)?{_NAME}' object has no attribute '{_NAME}'",
        rf"'{_NAME}' object is not (?:callable|iterable|subscriptable)",
        rf"{_NAME}\(\) missing \d required positional arguments?: '{_NAME}'"
        rf"(?: and '{_NAME}')?",
        rf"{_NAME}\(\) takes (?:from \d to )?\d+ positional arguments? but \d+ (?:was|were) given",
        rf"{_NAME}\(\) got an unexpected keyword argument '{_NAME}'",
    )
]
_TYPES = {"None", "NoneType", "int", "float", "str", "bool", "list", "tuple", "dict", "set"}
_TYPES |= {"numpy", "ndarray", "array"}
_RAISED = re.compile(r"^(`\w+`) raised (.*)$", re.DOTALL)
_WAITS = re.compile(r"^(`\w+` waits for `\w+`, which raised )(.*)\.$", re.DOTALL)
_LINE = re.compile(r"Line (\d{1,5}): `(.*)`", re.DOTALL)
_FORM = re.compile(
    r"^(`\w+(?:\[[^]]{1,40}\])*`(?:\[[^]]{1,40}\])* (?:returned|is)) (.*)(, expected .*)$",
    re.DOTALL,
)
_QUIZ = re.compile(r"\.answer_(?:type|shape|nan|value)$")
_KINDS = re.compile(
    r"None|an? (?:number|string|bool|dict|list|tuple|set|function|object)"
    rf"|a (?:list|tuple) of \d{{1,6}}|an array(?: of shape {_SHAPES})?|\d values"
)
_NUMBER = r"-?(?:\d[\d.]*(?:e[+-]?\d+)?|inf|nan)"
_VALUE = re.compile(rf"^(.{{1,80}}?) is {_NUMBER}, expected {_NUMBER}\.$")
_WARNING = re.compile(
    r"warning: (?:overflow|underflow|divide by zero|invalid value) encountered in "
    r"(?:scalar )?(?:exp|log|divide|multiply|power|add|subtract|matmul|sqrt|square|true_divide)"
)
_OUR_DEATHS = re.compile(
    r"(?:cell \d+ of the submission: )?(?:your code ended Python itself \(exit code \d{1,3}\)"
    r"|Python crashed while your code was running \([\w ]{1,30}\)"
    r"|your code (?:cut|disturbed) the connection to the grader"
    r"|the value from an earlier call was lost when your code ended Python"
    r"|the answer of your code could not be read|the submission is too large to be run"
    r"|the submission used up its computing time|still running after its time limit)"
)
_OUR_REMARKS = re.compile(
    r"computed in single precision.*|a list was returned where.*|no `\w+` was found, so.*"
    r"|it prints while it runs.*"
)


def redact(report: Report, source: str = "") -> Report:
    """The report without anything that could tell an input or an expected value.

    Parameters
    ----------
    report : Report
        Made with a secret seed.
    source : str
        The submission's code: names and lines that stand in it may be shown.
    """
    return replace(
        report,
        findings=tuple(_finding(finding, source) for finding in report.findings),
        remarks=tuple(dict.fromkeys(map(_remark, report.remarks))),
        printed="",
        seed=0,
    )


def _finding(finding: Finding, source: str) -> Finding:
    if finding.outcome == "grader_fault":
        message = (
            "The checker itself failed. This is not the solution's fault; "
            "the points are to be given by hand."
        )
        return replace(finding, message=message, why="", evidence=None)
    message = _message(finding, source)
    return replace(
        finding,
        message=message,
        why=_why(finding, source),
        evidence=_evidence(finding.evidence),
    )


def _message(finding: Finding, source: str) -> str:
    text = finding.message
    if finding.outcome == "wrong" and _QUIZ.search(finding.key):
        return "This answer is not right."  # a quiz item: the answer itself is the learner's text
    if match := _RAISED.match(text):
        return _raised(match, source)
    if match := _WAITS.match(text):
        return match[1] + _error(match[2]) + "."
    if match := _VALUE.match(text):
        return f"{match[1]} is another number than expected."
    if match := _FORM.match(text):
        return match[1] + " " + _kind(match[2], source) + _expected(match[3])
    return text


def _why(finding: Finding, source: str) -> str:
    text = finding.why
    if finding.key.endswith(".died"):
        return text if _OUR_DEATHS.fullmatch(text) else ""
    if match := _RAISED.match(text):
        return _raised(match, source)
    if match := _LINE.search(text):
        shown = match[2].strip()
        known = shown and any(line.strip()[:200] == shown for line in source.splitlines())
        before = text[: match.start()]
        return before + (match[0] if known else f"Line {match[1]}.")
    if text.startswith("Every entry is off by the same amount"):
        return "Every entry is off by the same amount."
    if match := re.fullmatch(r"(It looks like the right values times) (.*)\.", text):
        plain = re.fullmatch(r"-?(?:1/)?(?:1|2|[ND] \(\d+\))", match[2])
        return text if plain else f"{match[1]} a constant."
    return text


def _raised(match: re.Match[str], source: str) -> str:
    kind, _, said = match[2].partition(": ")
    said = said.strip().removesuffix(".")
    known = any((m := p.fullmatch(said)) and _all_there(m, source) for p in _KNOWN_MESSAGES)
    more = f": {said}" if said and known else ""
    return f"{match[1]} raised {_error(kind.removesuffix('.'))}{more}."


def _all_there(match: re.Match[str], source: str) -> bool:
    names = [name for name in match.groups() if name]
    return all(name in _TYPES or re.search(rf"\b{name}\b", source) for name in names)


def _error(name: str) -> str:
    return name if name in _ERRORS else "an error of its own"


def _kind(found: str, source: str) -> str:
    if _KINDS.fullmatch(found):
        return found
    match = re.fullmatch(rf"an? {_NAME}", found)
    return found if match and _all_there(match, source) else "something else"


def _expected(text: str) -> str:
    """Kinds, shapes and names of parts may be told; values of expected texts may not."""
    plain = re.fullmatch(r", expected (?:an? [\w ()]+|[\d(), ]+|`[\w, ]+`)\.", text)
    return text if plain else ", which was not expected."


def _evidence(evidence: Evidence | None) -> Evidence | None:
    """Shapes alone."""
    if evidence is None:
        return None
    given = tuple((name, np.shape(v)) for name, v in evidence.given if isinstance(v, np.ndarray))
    got, expected = _shape(evidence.got), _shape(evidence.expected)
    differ = got is not None and expected is not None and got != expected
    where = f"the shape is {got}, expected {expected}" if differ else ""
    return Evidence(given, None, None, where, "") if given or where else None


def _shape(value: Any) -> tuple[int, ...] | None:
    return value.shape if isinstance(value, np.ndarray) else None


def _remark(remark: str) -> str:
    if remark.startswith("warning: "):
        return remark if _WARNING.fullmatch(remark) else "warning: it warns while it runs"
    return remark if _OUR_REMARKS.fullmatch(remark) else "something odd was noticed"
