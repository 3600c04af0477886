"""Read a notebook that anybody may have handed in: cells, or a sentence that says why not.

Not `nbformat`: it validates what it reads, and one odd field would cost the whole notebook.
"""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

from grader.bulk.course import Cell

MAX_BYTES = 20 * 2**20
MAX_CELLS = 5_000
_KINDS = ("code", "markdown", "raw")


class Unreadable(ValueError):
    """The file is no notebook that can be graded; the message is for learner and instructor."""


def read_notebook(path: Path, within: Path) -> tuple[list[Cell], list[str]]:
    """Cells of a notebook file, and remarks on what was odd about it.

    Parameters
    ----------
    path : Path
    within : Path
        Folder that the file must lie in: a link out of it is refused.

    Raises
    ------
    Unreadable
    """
    remarks: list[str] = []
    text = _decoded(_bytes(path, within), remarks)
    if not text.strip("\0 \r\n\t"):
        raise Unreadable("The notebook file is empty.")
    try:
        data = json.loads(text)
    except RecursionError:
        raise Unreadable("The notebook file is nested too deeply to be read.") from None
    except ValueError as problem:
        where = f" (line {problem.lineno})" if isinstance(problem, json.JSONDecodeError) else ""
        raise Unreadable(
            f"The file is not a notebook: its text is not valid JSON{where}. It may be cut off, "
            "or of another kind with the ending .ipynb."
        ) from None
    return _cells(data, remarks), remarks


def _bytes(path: Path, within: Path) -> bytes:
    if path.is_symlink():
        path = Path(os.path.realpath(path))
        if not path.is_relative_to(os.path.realpath(within)):
            raise Unreadable("The notebook is a link that leads out of the submission's folder.")
    try:
        # not blocking: a pipe with a notebook's name would wait for ever
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as problem:
        raise Unreadable(f"The notebook file cannot be opened: {problem.strerror}.") from None
    with open(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            raise Unreadable("What has the notebook's name is not a file.")
        if about.st_size > MAX_BYTES:
            raise Unreadable(
                f"The notebook file has {about.st_size / 2**20:.0f} MB; at most "
                f"{MAX_BYTES // 2**20} MB are read. Clear its outputs and hand it in again."
            )
        try:
            return file.read(MAX_BYTES + 1)
        except OSError as problem:
            raise Unreadable(f"The notebook file cannot be read: {problem.strerror}.") from None


def _decoded(raw: bytes, remarks: list[str]) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        remarks.append("The file is stored as UTF-16 instead of UTF-8.")
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        remarks.append("The file is not stored as UTF-8; some letters may be wrong.")
        return raw.decode("cp1252", "replace")


def _cells(data: Any, remarks: list[str]) -> list[Cell]:
    if not isinstance(data, dict):
        raise Unreadable("The file is not a notebook: it holds JSON of another kind.")
    version = data.get("nbformat")
    if version is None:
        remarks.append("The file does not say which notebook format it has.")
    elif not isinstance(version, int) or version > 4:
        raise Unreadable(
            f"The notebook has format {writable(str(version)[:20])}; known are 3 and 4. "
            "Save it as version 4 and hand it in again."
        )
    cells = data.get("cells")
    if cells is None and isinstance(data.get("worksheets"), list):
        remarks.append("The notebook has the old format 3.")
        sheets = [sheet for sheet in data["worksheets"] if isinstance(sheet, dict)]
        lists = [sheet.get("cells") for sheet in sheets]
        cells = [cell for part in lists if isinstance(part, list) for cell in part]
    if not isinstance(cells, list):
        raise Unreadable("The file is not a notebook: it has no list of cells.")
    if not cells:
        raise Unreadable("The notebook has no cells.")
    if len(cells) > MAX_CELLS:
        raise Unreadable(f"The notebook has {len(cells):,} cells; at most {MAX_CELLS:,} are read.")
    read = [_cell(cell) for cell in cells]
    if None in read:
        remarks.append(f"{read.count(None)} cells are damaged and were left out.")
    return [cell for cell in read if cell is not None]


def _cell(data: Any) -> Cell | None:
    if not isinstance(data, dict):
        return None
    source = data.get("source", data.get("input", ""))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        return None
    source = writable(source).replace("\r\n", "\n")
    kind = data.get("cell_type")
    metadata = data.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    grade_id = marks.get("grade_id") if isinstance(marks, dict) else None
    return Cell(
        kind if kind in _KINDS else "raw",
        source,
        grade_id[:128] if isinstance(grade_id, str) else "",
        attachments=_attachments(data.get("attachments")),
    )


def writable(text: str) -> str:
    """Text for any file: half of a character pair, legal in JSON and Python, is a `?` then."""
    return text.encode("utf-8", "replace").decode()


def _attachments(data: Any) -> dict[str, Any]:
    """Pictures pasted into a markdown cell, where they have the form they should have."""
    if not isinstance(data, dict):
        return {}
    return {
        name: bundle
        for name, bundle in data.items()
        if isinstance(bundle, dict)
        and all(key.startswith("image/") and isinstance(v, str) for key, v in bundle.items())
    }
