"""What a learner has done: one small JSON file beside the notebooks, kept across restarts."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

FOLDER = ".progress"  # its presence marks a learner's working copy; git-ignored there
FILE = "progress.json"


class Store:
    """Points, hints taken and passed sources, by exercise.

    Without a working copy (see `grader lab`) everything is kept in memory for this session, so
    that a check run by a grading tool writes nothing.

    Parameters
    ----------
    start : Path, optional
        Where to look for the working copy: here and upwards. Default: the current folder.
    """

    def __init__(self, start: Path | None = None):
        self.folder = find_folder(start or Path.cwd())
        self._data: dict[str, dict[str, Any]] = self._read()

    @property
    def kept(self) -> bool:
        """Is there a file that outlives this session?"""
        return self.folder is not None

    def entry(self, name: str) -> dict[str, Any]:
        return self._data.get(name, {})

    def record(self, name: str, outcome: str, points: float, source: str = "") -> None:
        """Note a check; the best points stay, and the source of a pass is kept for lessons."""
        self._data = self._read() if self.kept else self._data  # another kernel may have written
        old = self.entry(name)
        new = {**old, "tries": old.get("tries", 0) + (outcome != "not_attempted"), "last": outcome}
        new["points"] = max(points, old.get("points", 0.0))
        if outcome == "passed":
            new["passed"] = True
        self._data[name] = new
        self._write()
        if outcome == "passed" and source and self.folder is not None:
            _replace(self.folder / "sources" / f"{name}.py", source)

    def next_hint(self, name: str, count: int) -> int:
        """Number of the hint to show now, from 1; asking again gives the next, up to the last."""
        self._data = self._read() if self.kept else self._data
        old = self.entry(name)
        step = min(old.get("hints", 0) + 1, count)
        self._data[name] = {**old, "hints": step}
        self._write()
        return step

    def sources(self) -> dict[str, str]:
        """Sources of the exercises that passed, by name."""
        if self.folder is None:
            return {}
        files = sorted((self.folder / "sources").glob("*.py"))
        return {file.stem: file.read_text("utf-8") for file in files}

    def forget(self, name: str) -> None:
        self._data.pop(name, None)
        self._write()

    def _read(self) -> dict[str, dict[str, Any]]:
        if self.folder is None:
            return {}
        path = self.folder / FILE
        try:
            data = json.loads(path.read_text("utf-8"))
            return {k: _sound(v) for k, v in data.items() if isinstance(v, dict)}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, AttributeError):
            # A damaged file is set aside, not overwritten: nothing of the learner's is lost.
            try:
                path.replace(path.with_suffix(".damaged.json"))
            except OSError:
                pass
            return {}

    def _write(self) -> None:
        if self.folder is not None:
            _replace(self.folder / FILE, json.dumps(self._data, indent=1, sort_keys=True))


_KINDS: dict[str, Any] = {
    "tries": int,
    "hints": int,
    "points": (int, float),
    "last": str,
    "passed": bool,
}


def _sound(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry without fields of the wrong type: the file may have been edited by hand."""
    return {k: v for k, v in entry.items() if k in _KINDS and isinstance(v, _KINDS[k])}


def find_folder(start: Path) -> Path | None:
    """The progress folder of the working copy that `start` lies in, if any."""
    for place in (start, *start.parents):
        if (place / FOLDER).is_dir():
            return place / FOLDER
    return None


def _replace(path: Path, content: str) -> None:
    """Write beside, then move: a crash leaves the old file. A read-only place is no error."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(name, path)
    except OSError:
        pass
