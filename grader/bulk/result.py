"""What became of one submission, and its form in the journal."""

from __future__ import annotations

import datetime
import json
from dataclasses import dataclass, field, replace
from typing import Any

from grader.findings import Finding
from grader.report import Report


@dataclass(frozen=True)
class SubmissionResult:
    """What became of one submission.

    Attributes
    ----------
    reports : tuple of Report
        One per graded exercise, in the notebook's order, whatever happened.
    reasons : tuple of str
        What was odd about the submission as a whole.
    review : bool
        Whether somebody should look at it.
    answered : tuple of str
        Ids of the cells to be graded by hand that were answered.
    level : int
        How well this machine was protected from the code, see `grader.sandbox.protection`.
    sources : tuple of (exercise, str)
        A digest of the code of each function, to find equal work; names and layout do not count.
    """

    student: str
    assignment: str
    reports: tuple[Report, ...]
    reasons: tuple[str, ...] = ()
    review: bool = False
    answered: tuple[str, ...] = ()
    timestamp: datetime.datetime | None = None
    seconds_late: float = 0.0
    level: int = 0
    sources: tuple[tuple[str, str], ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def points(self) -> float:
        return round(sum(report.points for report in self.reports), 6)

    @property
    def max_points(self) -> float:
        return float(sum(report.max_points for report in self.reports))

    def without_evidence(self) -> SubmissionResult:
        """The same without example values, which are on the learner's page only."""
        reports = tuple(
            replace(r, findings=tuple(replace(f, evidence=None) for f in r.findings))
            for r in self.reports
        )
        return replace(self, reports=reports)

    def to_json(self) -> str:
        """One line of text; evidence is left out."""
        data = self.without_evidence()
        return json.dumps(data, default=_parts, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> SubmissionResult:
        """The result that `to_json` wrote.

        Raises
        ------
        ValueError
            If the text is something else.
        """
        try:
            data = json.loads(text)
            if data["timestamp"] is not None:
                data["timestamp"] = datetime.datetime.fromisoformat(data["timestamp"])
            reports = tuple(_report(report) for report in data.pop("reports"))
            sources = tuple((name, digest) for name, digest in data.pop("sources"))
            for name in ("reasons", "answered"):
                data[name] = tuple(data[name])
            return cls(**data, reports=reports, sources=sources)
        except (TypeError, KeyError, AttributeError) as problem:
            raise ValueError(f"not a result: {problem}") from None


def _parts(thing: Any) -> Any:
    return thing.isoformat() if isinstance(thing, datetime.datetime) else vars(thing)


def _report(data: dict) -> Report:
    findings = tuple(Finding(**finding) for finding in data.pop("findings"))
    return Report(**data | {"findings": findings, "remarks": tuple(data["remarks"])})
