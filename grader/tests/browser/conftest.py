"""What the browser tests share: a JupyterLab, a Chromium, open notebooks, and a place for shots."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grader.workspace import Workspace

LATENCIES: list[tuple[str, list[float]]] = []  # what was moved, and ms of each move


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator:
    from grader.tests.browser.lab import server

    with server(tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium(tmp_path_factory) -> Iterator:
    from playwright.sync_api import sync_playwright

    from grader.tests.browser.lab import browser, find_chromium

    with (
        sync_playwright() as play,
        browser(play, find_chromium(), tmp_path_factory.mktemp("profile")) as running,
    ):
        yield running


@pytest.fixture(scope="class")
def open_notebook(lab, chromium, request) -> Iterator[Callable]:
    """Open a notebook of a new working copy; its kernel ends with the test."""
    from grader.tests.browser.lab import Notebook

    name = re.sub(r"\W+", "_", request.node.name)
    Workspace(lab.root / name).fill()
    opened = []

    def open_it(path: str) -> Notebook:
        opened.append(Notebook(lab, chromium.context.new_page(), f"{name}/{path}", name))
        return opened[-1]

    yield open_it
    for notebook in opened:
        notebook.page.close()
    lab.end_sessions()


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    """The folder of screenshots: GRADER_SHOTS, else one that goes away."""
    folder = Path(os.environ.get("GRADER_SHOTS") or tmp_path_factory.mktemp("shots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def shot(shots) -> Callable[[str], str]:
    """Where a screenshot of this name goes."""
    return lambda name: str(shots / f"{name}.png")


@pytest.fixture(scope="session")
def latencies(shots) -> Iterator[list[tuple[str, list[float]]]]:
    """Collects what was measured; printed at the end, and kept beside the screenshots."""
    yield LATENCIES
    (shots / "latency.txt").write_text("\n".join(_latency_lines()) + "\n", encoding="utf-8")


def _latency_lines() -> list[str]:
    from grader.tests.browser.moving import summary

    keys = [ms for name, times in LATENCIES if "settled" not in name for ms in times]
    rows = [*LATENCIES, ("every key press", keys)]
    return [summary(name, times) for name, times in rows if times]


def pytest_terminal_summary(terminalreporter) -> None:
    if LATENCIES:
        terminalreporter.section("from key press to changed pixels, ms")
        for line in _latency_lines():
            terminalreporter.write_line(line)
