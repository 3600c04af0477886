"""Runs a submission cell by cell, the way a notebook's kernel would, inside a worker."""

from __future__ import annotations
import __future__ as future

import ast
import linecache
import sys
import time
from collections.abc import Iterator
from types import CodeType, ModuleType
from typing import Any, Literal

from grader.attempt import Capped, Error, describe, quiet
from grader.limits import TimeUp, time_limit
from grader.sandbox import cells as text

CellStatus = Literal["ok", "error", "timed_out", "syntax_error", "not_run", "died"]

MAX_ERRORS = 20  # reported of one cell
_FUTURE = 0
for _name in future.all_feature_names:
    _FUTURE |= getattr(future, _name).compiler_flag


def new_module(main: bool) -> ModuleType:
    """The module a submission runs in; its guards for `__main__` hold for notebooks only."""
    name = "__main__" if main else "submission"
    module = ModuleType(name)
    sys.modules[name] = module  # dataclasses and typing look names up there
    return module


class Loading:
    """Executes the cells of one submission in one namespace.

    Parameters
    ----------
    namespace : dict
        Where names are bound.
    keep_going : bool
        For files: go on after a failing top-level statement, and around a syntax error.
    cell_seconds, load_seconds : float
        Wall time allowed for one cell (one statement, with `keep_going`), and for all.
    """

    def __init__(
        self,
        namespace: dict[str, Any],
        keep_going: bool,
        cell_seconds: float,
        load_seconds: float,
    ):
        self._namespace = namespace
        self._keep_going = keep_going
        self._cell_seconds = cell_seconds
        self._end = time.monotonic() + load_seconds
        self._flags = 0  # `from __future__ import ...` holds for later cells too

    def run(self, cells: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """Run each cell; yield what became of it as soon as it is known."""
        for number, source in enumerate(cells, start=1):
            if time.monotonic() >= self._end:
                yield _report(number, "not_run")
            else:
                yield self._cell(number, source)

    def _cell(self, number: int, source: str) -> dict[str, Any]:
        name = f"<cell {number}>"
        source, remarks = text.without_magics(source)
        linecache.cache[name] = len(source), None, source.splitlines(True), name
        printed = Capped()
        with quiet(printed):
            status, errors = self._execute(source, name)
        return _report(number, status, errors[:MAX_ERRORS], remarks, printed.text())

    def _execute(self, source: str, name: str) -> tuple[CellStatus, list[Error]]:
        try:
            tree = text.parse(source)
        except SyntaxError as problem:
            if not self._keep_going:
                return "syntax_error", [describe(problem)]
            return self._pieces(text.split_blocks(source), name)
        except (ValueError, RecursionError, MemoryError) as problem:
            return "syntax_error", [describe(problem)]
        if self._keep_going:
            return self._pieces([(_module([item]), None) for item in tree.body], name)
        return self._piece(tree, name)

    def _pieces(
        self, pieces: list[tuple[ast.Module | None, text.Broken | None]], name: str
    ) -> tuple[CellStatus, list[Error]]:
        worst: CellStatus = "ok"
        errors: list[Error] = []
        for tree, broken in pieces:
            if broken is not None:
                worst = "syntax_error"
                errors.append(Error("SyntaxError", broken.message, broken.line, broken.text[:200]))
                continue
            for statement in tree.body if tree else []:
                status, found = self._piece(_module([statement]), name)
                errors += found
                if status == "timed_out" or (status != "ok" and worst == "ok"):
                    worst = status
        return worst, errors

    def _piece(self, tree: ast.Module, name: str) -> tuple[CellStatus, list[Error]]:
        try:
            code = self._compiled(tree, name)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
            return "syntax_error", [describe(problem)]
        seconds = min(self._cell_seconds, self._end - time.monotonic())
        if seconds <= 0:
            return "timed_out", []
        try:
            with time_limit(seconds):
                exec(code, self._namespace)
        except TimeUp:
            line = tree.body[0].lineno if self._keep_going and tree.body else 0
            return "timed_out", [Error("TimeUp", f"still running after {seconds:.0f} s", line)]
        except BaseException as problem:  # SystemExit and KeyboardInterrupt too
            return "error", [describe(problem)]
        return "ok", []

    def _compiled(self, tree: ast.Module, name: str) -> CodeType:
        code = compile(tree, name, "exec", flags=self._flags, dont_inherit=True)
        self._flags |= code.co_flags & _FUTURE
        return code


def _module(body: list[ast.stmt]) -> ast.Module:
    return ast.Module(body=body, type_ignores=[])


def _report(
    number: int,
    status: CellStatus,
    errors: list[Error] | None = None,
    remarks: list[str] | None = None,
    printed: str = "",
) -> dict[str, Any]:
    return {
        "number": number,
        "status": status,
        "errors": tuple(errors or ()),
        "remarks": tuple(remarks or ())[:20],
        "printed": printed,
    }
