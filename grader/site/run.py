"""Executed lessons, two at a time, kept by the hash of what they depend on."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

import grader
from grader.course import CourseError

# Explorers that compute in the browser: everything they show is in their state and their script.
IN_THE_BROWSER = ("GraphWidget", "ConvolutionWidget", "LSTMWidget")
VIEW = "application/vnd.jupyter.widget-view+json"
STATE = "application/vnd.jupyter.widget-state+json"
EXPLORER = "application/vnd.grader-explorer+json"
SECONDS = 600  # for one cell, on a busy machine
# Parts of the package that no lesson runs.
_ELSEWHERE = {"tests", "bulk", "sandbox", "site", "cli.py", "__pycache__"}


def executed(
    lessons: Iterable[Path], cache: Path, jobs: int = 2, say: Callable[[str], None] = print
) -> dict[Path, NotebookNode]:
    """Lessons with their outputs; only those that have changed are run.

    Parameters
    ----------
    lessons : paths of notebooks
    cache : Path
        Folder for executed notebooks. A lesson is run again when its own source or the code of
        the package changes.
    jobs : int
        How many kernels at a time.
    say : called with one line for each lesson that is run

    Raises
    ------
    CourseError
        When a cell fails; it names the lesson and shows the error. The others are kept.
    """
    cache.mkdir(parents=True, exist_ok=True)
    code = _hash_of_package()
    kept = {path: cache / f"{path.stem}-{_hash(path.read_bytes(), code)}.ipynb" for path in lessons}
    found = {
        path: nbformat.read(place, as_version=4) for path, place in kept.items() if place.exists()
    }
    missing = [path for path in kept if path not in found]

    async def run_all() -> list[NotebookNode | str]:
        gate = asyncio.Semaphore(jobs)
        return await asyncio.gather(*(_run(path, kept[path], gate, say) for path in missing))

    ran = asyncio.run(run_all())
    if problems := [problem for problem in ran if isinstance(problem, str)]:
        raise CourseError("\n".join(problems))
    return {**found, **dict(zip(missing, ran, strict=True))}


async def _run(
    path: Path, place: Path, gate: asyncio.Semaphore, say: Callable[[str], None]
) -> NotebookNode | str:
    """Run one lesson and keep it; else say what is wrong, so that the others go on."""
    async with gate:
        say(f"running {path.stem}")
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:
            settings = {"IPYTHONDIR": folder, "OPENBLAS_NUM_THREADS": "1"}
            client = NotebookClient(
                notebook,
                timeout=SECONDS,
                resources={"metadata": {"path": folder}},
                extra_arguments=["--IPKernelApp.log_level=40"],  # errors only
            )
            try:
                await client.async_execute(env={**os.environ, **settings})
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as problem:
                return f"{path.stem} does not run. {problem}"
    _keep_what_pages_show(notebook)
    for old in place.parent.glob(f"{path.stem}-*.ipynb"):
        old.unlink()
    part = place.with_suffix(".part")
    nbformat.write(notebook, part)
    part.replace(place)  # a build that was stopped leaves no half of a lesson
    return notebook


def _keep_what_pages_show(notebook: NotebookNode) -> None:
    """Move the state of explorers that need no kernel into their outputs; drop all others'."""
    states = notebook.metadata.pop("widgets", {}).get(STATE, {}).get("state", {})
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            view = output.get("data", {}).pop(VIEW, None)
            widget = states.get(view["model_id"]) if view else None
            if widget and widget["state"].get("_anywidget_id", "").endswith(IN_THE_BROWSER):
                output.data[EXPLORER] = {
                    "state": widget["state"],
                    "bytes": {b["path"][0]: b["data"] for b in widget.get("buffers", [])},
                }


def _hash_of_package() -> bytes:
    root = Path(grader.__file__).parent
    files = [path for path in root.rglob("*") if path.suffix in (".py", ".js", ".css")]
    used = [p for p in files if not _ELSEWHERE.intersection(p.relative_to(root).parts)]
    return b"".join(path.read_bytes() for path in sorted(used))


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]
