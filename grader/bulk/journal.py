"""What has been graded already, in a small SQLite file beside the gradebook.

Each result is stored the moment it is known, so a stop at any time loses nothing: the next run
takes what is here, grades the rest, and brings the gradebook up to date. A result counts only for
exactly the work, the exercises and the settings that it was made from.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from grader.bulk import GradeError
from grader.bulk.result import SubmissionResult
from grader.bulk.submissions import Handed

JOURNAL_FILE = ".grader_journal.db"
_TABLE = """
create table if not exists results (
    student text, assignment text, work text not null, result text not null,
    booked integer not null default 0, primary key (student, assignment)
)"""
_MAX_BYTES = 200 * 2**20  # of one file that is read for its digest


@dataclass(frozen=True)
class Entry:
    """A result, and whether the gradebook has it."""

    result: SubmissionResult
    booked: bool


class Journal:
    """Results of one course root.

    Parameters
    ----------
    path : Path
        The file; made where missing.
    """

    def __init__(self, path: Path):
        self.path = path
        try:
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._db.execute("pragma journal_mode = wal")
            # A killed process loses nothing this way; a power cut costs the last results at most.
            self._db.execute("pragma synchronous = normal")
            self._db.execute(_TABLE)
        except sqlite3.Error as problem:
            raise _unusable(path, problem) from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *problem: object) -> None:
        self._db.close()

    def find(self, handed: Handed, work: str) -> Entry | None:
        """The result for exactly this work, if there is one."""
        where = "select result, booked from results where student=? and assignment=? and work=?"
        try:
            row = self._db.execute(where, (handed.student, handed.assignment, work)).fetchone()
            return Entry(SubmissionResult.from_json(row[0]), bool(row[1])) if row else None
        except ValueError:  # written by another version, or damaged: grade it again
            return None
        except sqlite3.Error as problem:
            raise _unusable(self.path, problem) from None

    def add(self, result: SubmissionResult, work: str, booked: bool = False) -> None:
        """Store a result before anything else is done with it."""
        row = (result.student, result.assignment, work, result.to_json(), booked)
        self._write("insert or replace into results values (?, ?, ?, ?, ?)", [row])

    def mark_booked(self, results: Iterable[SubmissionResult]) -> None:
        """Note that the gradebook has these results now, with the lateness it says."""
        rows = [(r.to_json(), r.student, r.assignment) for r in results]
        self._write("update results set booked=1, result=? where student=? and assignment=?", rows)

    def results(self) -> list[SubmissionResult]:
        """Everything that is known, by student and assignment."""
        query = "select result from results order by student, assignment"
        try:
            return [SubmissionResult.from_json(text) for (text,) in self._db.execute(query)]
        except (sqlite3.Error, ValueError) as problem:
            raise _unusable(self.path, problem) from None

    def take_over(self, path: Path) -> None:
        """Add the results of another journal; the gradebook does not have them yet."""
        try:
            other = sqlite3.connect(path, timeout=10)
            rows = other.execute("select student, assignment, work, result, 0 from results")
            found = rows.fetchall()
            other.close()
        except sqlite3.Error as problem:
            raise _unusable(path, problem) from None
        self._write("insert or replace into results values (?, ?, ?, ?, ?)", found)

    def _write(self, statement: str, rows: list[tuple]) -> None:
        try:
            self._db.execute("begin immediate")
            self._db.executemany(statement, rows)
            self._db.execute("commit")
        except sqlite3.Error as problem:
            raise _unusable(self.path, problem) from None
        finally:
            if self._db.in_transaction:  # whatever went wrong, the next one can begin
                self._db.rollback()


def fingerprint(handed: Handed, rules: str) -> str:
    """A digest of everything in a submission's folder that is read, and of the `rules`."""
    digest = hashlib.sha256(rules.encode())
    try:
        entries = sorted(os.scandir(handed.folder), key=lambda entry: entry.name)
    except OSError:
        entries = []
    for entry in entries:
        name = entry.name
        if not (name == "timestamp.txt" or name.lower().endswith(".ipynb")):
            continue
        digest.update(os.fsencode(name) + b"\0")
        try:
            about = entry.stat(follow_symlinks=False)
            digest.update(f"{about.st_mode} {about.st_size}\0".encode())
            if entry.is_file(follow_symlinks=False) and about.st_size <= _MAX_BYTES:
                with open(entry.path, "rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as problem:
            digest.update(str(problem.errno).encode())
    return digest.hexdigest()


@cache
def package_digest() -> str:
    """A digest of this package's code: a changed check grades everybody anew."""
    package = Path(__file__).resolve().parents[1]
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        inside = path.relative_to(package)
        if inside.parts[0] not in ("tests", "widgets"):
            digest.update(inside.as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _unusable(path: Path, problem: Exception) -> GradeError:
    return GradeError(
        f"The journal {path} cannot be used ({problem}). Move it away: everything is graded anew "
        "then, and scores given by hand are kept."
    )
