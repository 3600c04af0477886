"""Prove an exercise: its answer passes, its stub does not, each mistake is caught by name."""

from __future__ import annotations

import ast
import builtins
import dis
from collections.abc import Iterable
from types import CodeType
from typing import Any

import numpy as np

from grader.attempt import LocalAttempt
from grader.build import BEGIN, END, STUB, marked, source_of, stub_of
from grader.checks import check_exercise
from grader.exercise import Exercise
from grader.expected import PUBLIC_SEED, forward_of
from grader.report import Report


def prove(exercise: Exercise, seeds: Iterable[int] = (PUBLIC_SEED, 1)) -> list[str]:
    """Problems of a definition, as sentences; an empty list is a proof.

    Parameters
    ----------
    exercise : Exercise
    seeds : iterable of int
        Each draws its own cases.
    """
    problems = _declared(exercise)
    for seed in seeds:
        report = judge(exercise, exercise.answer, seed)
        if not report.passed:
            problems.append(f"{exercise.name}: the answer fails (seed {seed}): {report.comment()}")
        for mistake in exercise.mistakes:
            report = judge(exercise, mistake.answer, seed)
            wanted = f"{exercise.name}.{mistake.key}"
            found = report.cause.key if report.cause else "a pass"
            if found != wanted:
                problems.append(f"{wanted} is not caught by name (seed {seed}): found {found}")
    return problems + _stub(exercise)


def judge(exercise: Exercise, thing: Any, seed: int = PUBLIC_SEED) -> Report:
    """Report on `thing` handed in for `exercise`, beside the reference forward if it has one."""
    namespace = {exercise.name: thing}
    if exercise.gradient_of:
        forward = forward_of(exercise)
        namespace[forward.name] = forward.answer
    return check_exercise(exercise, LocalAttempt(namespace), seed)


def _declared(exercise: Exercise) -> list[str]:
    """What every exercise must have."""
    problems = []
    if exercise.kind != "quiz":
        if len(exercise.mistakes) < 3:
            problems.append(f"{exercise.name} has {len(exercise.mistakes)} mistakes; name three")
        if len(exercise.hints) != 3:
            problems.append(f"{exercise.name} has {len(exercise.hints)} hints; write three")
        elif "solutions/" not in exercise.hints[-1]:
            problems.append(f"{exercise.name}: its last hint points to the solution")
        problems += [
            f"{exercise.name}: the answer uses {name!r}, which a notebook does not have"
            for name in sorted(free_names(exercise))
        ]
    elif exercise.choices and len(exercise.mistakes) < len(exercise.choices) - 1:
        problems.append(f"{exercise.name}: every wrong choice needs a word of its own")
    return problems


def free_names(exercise: Exercise, given: Iterable[str] = ("np",)) -> set[str]:
    """Names that the answer takes from around it, beyond built-ins, `given` and exercises."""
    from grader.exercises import all_exercises

    known = {*dir(builtins), *given, *(e.name for e in all_exercises())}
    tree = ast.parse(source_of(exercise.answer))
    return _globals(compile(tree, exercise.name, "exec")) - known - {"__name__", "__module__"}


def _globals(code: CodeType) -> set[str]:
    names = {
        instruction.argval
        for instruction in dis.get_instructions(code)
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    }
    stored = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_NAME"}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _globals(constant)
    return names - stored


def _stub(exercise: Exercise) -> list[str]:
    """The stub scores nothing; unless it is code to debug or a class, it is "not attempted"."""
    report = check_exercise(exercise, LocalAttempt(stub_namespace(exercise)))
    if report.points > 0 or report.passed:
        return [f"{exercise.name}: its stub scores {report.points:g} points"]
    if exercise.stub is None and report.outcome != "not_attempted":
        return [f"{exercise.name}: its stub is {report.outcome}, not 'not attempted'"]
    return []


def stub_namespace(exercise: Exercise) -> dict[str, Any]:
    """What a learner's notebook holds before anything is written."""
    namespace: dict[str, Any] = {"np": np}
    if exercise.stub is not None or exercise.kind == "quiz":
        source = stub_of(exercise)
    else:
        source = _without_solution(exercise)
    exec(compile(source, f"<stub of {exercise.name}>", "exec"), namespace)
    if exercise.gradient_of:
        forward = forward_of(exercise)
        namespace[forward.name] = forward.answer
    return namespace


def _without_solution(exercise: Exercise) -> str:
    """The answer's cell as nbgrader leaves it."""
    kept, inside = [], False
    for line in marked(exercise).splitlines():
        if line.strip() == BEGIN:
            inside = True
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + part for part in STUB.splitlines()]
        elif inside:
            inside = END not in line
        else:
            kept.append(line)
    return "\n".join(kept)
