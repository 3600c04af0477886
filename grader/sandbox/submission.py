"""What goes into a worker, what it may use, and what became of it: plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

from grader.attempt import Call, Error


@dataclass(frozen=True)
class Limits:
    """What one worker may use."""

    memory_mb: int = 1024  # on top of the interpreter and NumPy
    cpu_seconds: float = 300.0  # of its whole life
    cell_seconds: float = 10.0  # wall time of one cell
    load_seconds: float = 30.0  # wall time of all cells
    grace_seconds: float = 0.5  # CPU time beyond a call's own limit, until the worker is killed
    output_bytes: int = 128 * 2**20  # of one answer


@dataclass(frozen=True)
class CellReport:
    """What became of one cell.

    `status` is "ok", "error", "timed_out", "syntax_error", "not_run" or "died".
    """

    number: int
    status: str
    errors: tuple[Error, ...] = ()
    remarks: tuple[str, ...] = ()
    printed: str = ""

    @property
    def error(self) -> Error | None:
        return self.errors[0] if self.errors else None


@dataclass(frozen=True)
class LoadReport:
    """What became of all cells; `died` says so if they ended the worker."""

    cells: tuple[CellReport, ...] = ()
    died: Call | None = None

    @property
    def ok(self) -> bool:
        return self.died is None and all(cell.status == "ok" for cell in self.cells)


@dataclass(frozen=True)
class Submission:
    """What is to be run; see `grader.sandbox.client.Sandbox.open`."""

    cells: tuple[str, ...]
    given: dict[str, str] = field(default_factory=dict)
    main: bool = True
    keep_going: bool = False
