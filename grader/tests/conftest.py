"""Shared by the tests: learners' code in a sentence, a seed that is printed, toy chapters."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader import exercises
from grader.attempt import LocalAttempt
from grader.checks import check_exercise
from grader.exercise import Chapter, Exercise
from grader.report import Report

ROOT = Path(__file__).resolve().parents[2]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deep: runs for minutes; GRADER_DEEP=1 switches it on")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("GRADER_DEEP") != "1":
        skip = pytest.mark.skip(reason="deep test; GRADER_DEEP=1 runs it")
        for item in items:
            if "deep" in item.keywords:
                item.add_marker(skip)


@pytest.fixture
def seed() -> int:
    """The seed of a random test; GRADER_SEED=7 draws others. Printed when the test fails."""
    number = int(os.environ.get("GRADER_SEED", "0"))
    print(f"GRADER_SEED={number}")
    return number


@pytest.fixture
def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def run_cells() -> Callable[..., dict[str, Any]]:
    """Learner code as a namespace, with `np` imported."""

    def run(*cells: str) -> dict[str, Any]:
        namespace: dict[str, Any] = {"np": np, "__name__": "__main__"}
        for cell in cells:
            exec(compile(textwrap.dedent(cell), "<cell>", "exec"), namespace)
        return namespace

    return run


@pytest.fixture(scope="session")
def attempt(run_cells: Callable[..., dict[str, Any]]) -> Callable[..., LocalAttempt]:
    """Learner code, ready to be called by a check."""
    return lambda *cells: LocalAttempt(run_cells(*cells))


@pytest.fixture(scope="session")
def report_on(attempt: Callable[..., LocalAttempt]) -> Callable[..., Report]:
    """`report_on(exercise or name, *cells, seed=0, feedback="diagnosis")`."""

    def report(what: Exercise | str, *cells: str, **options: Any) -> Report:
        exercise = exercises.get(what) if isinstance(what, str) else what
        return check_exercise(exercise, attempt(*cells), **options)

    return report


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Chapter], dict[str, Exercise]]]:
    """Make a chapter of the test's own known by name, beside the course's chapters."""

    def register(chapter: Chapter) -> dict[str, Exercise]:
        mine = {exercise.name: exercise for exercise in chapter}
        table = {**exercises._by_name(), **mine}
        monkeypatch.setattr(exercises, "_by_name", lambda: table)
        return mine

    yield register
