"""The report on one exercise: its findings, points and outcome; it shows itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from grader import page
from grader.findings import WORDS, Feedback, Finding, Outcome


@dataclass(frozen=True)
class Report:
    """All findings on one exercise.

    `cause` is the finding to show first; the others are passed, skipped, or follow from it.
    """

    exercise: str
    chapter: str
    outcome: Outcome
    points: float
    max_points: float
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...] = ()
    printed: str = ""
    seed: int = 0
    cases: int = 0
    milliseconds: float = 0.0
    feedback: Feedback = "diagnosis"

    @property
    def passed(self) -> bool:
        return self.outcome == "passed"

    @property
    def cause(self) -> Finding | None:
        """The root cause: the first finding that failed, or None."""
        failed = (f for f in self.findings if f.outcome not in ("passed", "skipped"))
        skipped = (f for f in self.findings if f.outcome == "skipped")
        return next(failed, None) or (None if self.passed else next(skipped, None))

    def at(self, feedback: Feedback) -> Report:
        """The same report with as much said as the level allows."""
        if feedback == "full":
            return replace(self, feedback=feedback)
        keep = [replace(finding, remedy="") for finding in self.findings]
        if feedback == "verdict":
            keep = [
                Finding(f"{self.exercise}.{f.part or 'whole'}", f.outcome, _verdict(f), f.part)
                for f in keep
            ]
        return replace(self, findings=tuple(keep), feedback=feedback)

    def to_dict(self) -> dict[str, Any]:
        """For machines: outcome, points and findings, without arrays."""
        return {
            "name": self.exercise,
            "outcome": self.outcome,
            "points": self.points,
            "max_points": self.max_points,
            "findings": [
                {
                    "key": finding.key,
                    "outcome": finding.outcome,
                    "message": " ".join(
                        filter(None, (finding.message, finding.why, finding.remedy))
                    ),
                }
                for finding in self.findings
            ],
            **({"remarks": list(self.remarks)} if self.remarks else {}),
        }

    def comment(self) -> str:
        """For a gradebook: one or two sentences."""
        if self.passed:
            return "All checks passed."
        cause = self.cause
        if cause is None:
            return WORDS[self.outcome].capitalize() + "."
        return " ".join(filter(None, (cause.message, cause.why, cause.remedy)))

    def show(self) -> float:
        """Display the page and return the points: the last line of a graded cell.

        A plain float between 0 and the maximum; nbgrader takes anything else for full marks.
        """
        page.display(self)
        return float(self.points)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"text/plain": page.text(self), "text/html": page.html(self)}

    def __str__(self) -> str:
        return page.text(self)

    __repr__ = __str__


def _verdict(finding: Finding) -> str:
    subject = f"`{finding.part}`" if finding.part else "This"
    words = "is right" if finding.outcome == "passed" else f"is {WORDS[finding.outcome]}"
    return f"{subject} {words}."
