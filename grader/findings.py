"""What a check finds: plain data, one `Finding` for each thing checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Protocol

Outcome = Literal[
    "passed", "wrong", "crashed", "timed_out", "not_attempted", "skipped", "grader_fault"
]
Feedback = Literal["verdict", "diagnosis", "full"]

WORDS: dict[str, str] = {
    "passed": "passed",
    "wrong": "wrong",
    "crashed": "crashed",
    "timed_out": "timed out",
    "not_attempted": "not attempted",
    "skipped": "skipped",
    "grader_fault": "fault of the grader",
}


@dataclass(frozen=True)
class Evidence:
    """The smallest failing example.

    Attributes
    ----------
    given : tuple of (name, value)
        The inputs; arrays or short texts.
    expected, got
        Values of the part that failed; None where there is none.
    where : str
        The worst entry in words: "entry [2, 1] is 0.31, expected 0.13".
    """

    given: tuple[tuple[str, Any], ...] = ()
    expected: Any = None
    got: Any = None
    where: str = ""
    label: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was checked.

    Attributes
    ----------
    key : str
        Stable: "affine_backward.sum_over_wrong_axis".
    part : str
        The return value or property it is about; "" for the exercise as a whole.
    message : str
        The finding in one sentence.
    why : str
        What it looks like: a hypothesis.
    remedy : str
        What to do; for the feedback level "full".
    """

    key: str
    outcome: Outcome
    message: str
    part: str = ""
    why: str = ""
    remedy: str = ""
    evidence: Evidence | None = None


class Checked(Protocol):
    """What a page needs to know of a report."""

    @property
    def exercise(self) -> str: ...

    @property
    def outcome(self) -> Outcome: ...

    @property
    def points(self) -> float: ...

    @property
    def max_points(self) -> float: ...

    @property
    def findings(self) -> tuple[Finding, ...]: ...

    @property
    def remarks(self) -> tuple[str, ...]: ...

    @property
    def printed(self) -> str: ...

    @property
    def cases(self) -> int: ...

    @property
    def milliseconds(self) -> float: ...

    @property
    def feedback(self) -> Feedback: ...

    @property
    def passed(self) -> bool: ...

    @property
    def cause(self) -> Finding | None: ...
