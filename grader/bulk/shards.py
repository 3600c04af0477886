"""A class in parts: each graded by a job of its own, on any machine that sees the same folder.

A part writes pages and a journal of its own, never the gradebook. The next whole run takes over
what the parts have found, and fills the gradebook. SQLite's journals are each written by one job
only, so that a network folder is safe.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from grader.bulk import GradeError
from grader.bulk.journal import JOURNAL_FILE, Journal
from grader.bulk.rootfiles import LOCK_FILE, locked, writing

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """Part `number` of `count`, from 1."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Read "3/8".

        Raises
        ------
        GradeError
            If it is something else.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text)
        if not match or not 1 <= int(match[1]) <= int(match[2]):
            raise GradeError(f"A shard is a part like 3/8, from 1/8 to 8/8; not {text!r}.")
        return cls(int(match[1]), int(match[2]))

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Every count-th item: neighbours, who may be alike, go to different jobs."""
        return list(items[self.number - 1 :: self.count])

    @property
    def journal(self) -> str:
        return f"{JOURNAL_FILE}.{self.number}of{self.count}"

    @property
    def lock(self) -> str:
        return f"{LOCK_FILE}.{self.number}of{self.count}"


def take_over(root: Path, journal: Journal) -> int:
    """Move what parts have found into the class's journal; how many parts there were.

    Raises
    ------
    GradeError
        If a part is still at work.
    """
    parts = []
    for path in sorted(root.iterdir()):
        match = re.fullmatch(re.escape(JOURNAL_FILE) + r"\.(\d+)of(\d+)", path.name)
        if match:
            parts.append((path, Shard(int(match[1]), int(match[2]))))
    for path, shard in parts:
        with locked(root, shard.lock), writing(path):
            journal.take_over(path)
            path.unlink()
            (root / shard.lock).unlink(missing_ok=True)
    return len(parts)
