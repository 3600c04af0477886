"""The sentences of findings that are no mistake of an exercise's own."""

from __future__ import annotations

from dataclasses import replace

from grader.agreement import brief
from grader.attempt import Call
from grader.exercise import Exercise, Property
from grader.expected import Prepared, forward_of, inputs_by_name
from grader.findings import Evidence, Finding, Outcome


def failed_call(exercise: Exercise, call: Call, item: Prepared) -> Finding:
    """A call that gave no value, in words."""
    name = exercise.name
    error = call.error
    match call.status:
        case "missing":
            return not_attempted(exercise, f"`{name}` is not defined yet; run its cell first.")
        case "not_attempted":
            return not_attempted(exercise, f"`{name}` still raises NotImplementedError.")
        case "timed_out":
            message = f"`{name}` was stopped after {exercise.seconds:g} s."
            return _finding(
                exercise, "timed_out", "timed_out", message, "It looks like a loop without an end."
            )
        case "died":
            message = f"The process that ran `{name}` ended before it gave a result."
            return _finding(exercise, "crashed", "died", message, error.message if error else "")
    assert error is not None
    message = f"`{name}` raised {error.type}: {error.message}".rstrip(": ")
    message += "" if message.endswith((".", "!", "?")) else "."
    where = f"Line {error.line}: `{error.text}`" if error.text else ""
    if error.type == "RecursionError":
        where = "It looks like a function that calls itself without an end. " + where
    if error.type == "MemoryError":
        where = "It asked for more memory than the check allows. " + where
    finding = _finding(exercise, "crashed", "crashed", message, where.strip())
    return replace(finding, evidence=Evidence(given(exercise, item), label=item.case.label))


def given(exercise: Exercise, item: Prepared) -> tuple[tuple[str, object], ...]:
    """The inputs of a case by name; for a backward function the forward's, and `dout`."""
    if item.dout is None:
        return tuple(inputs_by_name(exercise, item.case).items())
    return (*inputs_by_name(forward_of(exercise), item.case).items(), ("dout", item.dout))


def not_attempted(exercise: Exercise, message: str) -> Finding:
    return _finding(exercise, "not_attempted", "not_attempted", message)


def returned_none(exercise: Exercise, value: object = None) -> Finding:
    message = f"`{exercise.name}` returned None: is a `return` still missing?"
    if value is not None:
        message = f"What `{exercise.name}` returns is still None."
    return not_attempted(exercise, message)


def wrong_form(exercise: Exercise, found: str) -> Finding:
    wanted = ", ".join(exercise.returns)
    message = f"`{exercise.name}` returned {found}, expected `{wanted}`."
    why = ""
    if exercise.keep is not None:
        why = "The cache is what the backward function needs later; it is returned second."
    return _finding(exercise, "wrong", "wrong_form", message, why)


def waits_for(exercise: Exercise, forward: Exercise, ahead: Call) -> Finding:
    how = "did not finish in time" if ahead.status == "timed_out" else "fails"
    if ahead.error and ahead.status == "raised":
        how = f"raised {ahead.error.type}"
    message = f"`{exercise.name}` waits for `{forward.name}`, which {how}."
    return _finding(exercise, "skipped", "waits_for_forward", message)


def waits_for_right(exercise: Exercise, forward: Exercise) -> Finding:
    message = f"`{exercise.name}` waits for `{forward.name}`, whose output is not right yet."
    why = "A backward function is judged with the cache of its own forward."
    return _finding(exercise, "skipped", "waits_for_forward", message, why)


def no_cache(exercise: Exercise, forward: Exercise) -> Finding:
    message = (
        f"`{exercise.name}` waits for `{forward.name}` to return `{', '.join(forward.returns)}`."
    )
    return _finding(exercise, "skipped", "waits_for_cache", message)


def needs_forward(exercise: Exercise, forward: Exercise) -> Finding:
    message = (
        f"`{exercise.name}` was not judged: it needs the cache of its own `{forward.name}`, "
        "which was not found."
    )
    return _finding(exercise, "skipped", "needs_forward", message)


def skipped(exercise: Exercise, part: str) -> Finding:
    message = f"`{part}` was not checked: something before it has to pass first."
    return Finding(f"{exercise.name}.{part}", "skipped", message, part)


def holds(item: Property) -> str:
    return f"{item.key.replace('_', ' ')}: holds"


def wrong_answer(exercise: Exercise, got: object) -> str:
    if isinstance(got, str) and not isinstance(exercise.answer, str):
        return f"The answer {brief(got)} is text; write it without quotes."
    return f"The answer {brief(got)} is not right."


def _finding(
    exercise: Exercise, outcome: Outcome, key: str, message: str, why: str = ""
) -> Finding:
    return Finding(f"{exercise.name}.{key}", outcome, message, why=why)
