"""One case of an exercise, run and judged: calls into learner code, and how each part fared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from grader import words
from grader.agreement import FLOAT32, SINGLE, Agreement, Disagreement, agree, kind_of, size_of
from grader.attempt import Attempt, Call, Opaque
from grader.exercise import Exercise
from grader.expected import Prepared, by_part, forward_of, in_single_precision, run_answer
from grader.findings import Finding


@dataclass
class Trial:
    """One case, run: what came back, and how each part fared."""

    prepared: Prepared
    call: Call
    got: dict[str, Any] = field(default_factory=dict)
    results: dict[str, Agreement | Disagreement] = field(default_factory=dict)
    problem: Finding | None = None  # concerns the whole exercise, not a part
    blocked: Finding | None = None  # the forward stands in the way
    forward_wrong: bool = False
    borrowed: bool = False  # judged with the answer's cache


def try_case(exercise: Exercise, attempt: Attempt, item: Prepared) -> Trial:
    if exercise.kind == "quiz":
        trial = Trial(item, attempt.get(exercise.name))
        if trial.call.returned:
            return _judge_quiz(exercise, trial)
    elif item.case.drive is not None:
        call = attempt.run(
            item.case.drive, exercise.name, *item.case.args, seconds=exercise.seconds
        )
        trial = Trial(item, call)
    elif exercise.gradient_of and item.property is None:
        trial = _try_gradient(exercise, attempt, item)
    else:
        call = attempt.call(
            exercise.name,
            *item.case.args,
            keep=exercise.keep,
            seconds=exercise.seconds,
            **item.case.kwargs,
        )
        trial = Trial(item, call)
    if trial.blocked is None:
        _judge(exercise, trial)
    return trial


def _try_gradient(exercise: Exercise, attempt: Attempt, item: Prepared) -> Trial:
    """Run the learner's forward, then backward with the learner's own cache."""
    forward = forward_of(exercise)
    assert item.dout is not None and forward.keep is not None
    if not attempt.has(exercise.name):
        return Trial(item, Call("missing"))
    ahead = attempt.call(
        forward.name,
        *item.case.args,
        keep=forward.keep,
        seconds=forward.seconds,
        **item.case.kwargs,
    )
    if ahead.status in ("missing", "not_attempted") or (ahead.returned and ahead.value is None):
        return _try_borrowed(exercise, attempt, item, forward)
    value = ahead.value
    if not ahead.returned or not isinstance(value, tuple) or len(value) <= forward.keep:
        rescued = _try_borrowed(exercise, attempt, item, forward)
        if _is_settled(exercise, rescued):
            return rescued
        wait = words.no_cache(exercise, forward)
        if not ahead.returned:
            wait = words.waits_for(exercise, forward, ahead)
        return Trial(item, ahead, blocked=wait)
    cache = value[forward.keep]
    call = attempt.call(exercise.name, item.dout, cache, seconds=exercise.seconds)
    trial = Trial(item, call)
    if cache is None and call.status == "raised":
        trial.blocked = words.no_cache(exercise, forward)
    trial.forward_wrong = not _forward_is_right(forward, item, value[0])
    return trial


def _forward_is_right(forward: Exercise, item: Prepared, out: Any) -> bool:
    right = np.asarray(run_answer(forward, item.case)[0])
    return isinstance(agree(out, right, 1e-7 * float(np.abs(right).max() + 1e-300)), Agreement)


def _is_settled(exercise: Exercise, rescued: Trial) -> bool:
    """Beside a forward that fails: right with the usual cache, or not written yet."""
    probe = Trial(rescued.prepared, rescued.call)
    _judge(exercise, probe)
    if probe.problem is not None:
        return probe.problem.outcome == "not_attempted"
    return all(isinstance(result, Agreement) for result in probe.results.values())


def _try_borrowed(exercise: Exercise, attempt: Attempt, item: Prepared, forward: Exercise) -> Trial:
    """No forward at hand: try the cache that everybody uses, where there is one."""
    assert item.dout is not None and forward.keep is not None
    cache = run_answer(forward, item.case)[forward.keep]
    call = attempt.call(exercise.name, item.dout, cache, seconds=exercise.seconds)
    trial = Trial(item, call, borrowed=True)
    if call.status == "raised" or not forward.common_cache:
        probe = Trial(item, call)
        _judge(exercise, probe)
        right = all(isinstance(result, Agreement) for result in probe.results.values())
        if call.status not in ("not_attempted", "timed_out") and not (probe.results and right):
            trial.blocked = words.needs_forward(exercise, forward)
    return trial


# --- judging what came back ----------------------------------------------------------------


def _judge(exercise: Exercise, trial: Trial) -> None:
    """Fill in `got`, `results` and `problem` of a trial from its call."""
    call = trial.call
    if not call.returned:
        trial.problem = words.failed_call(exercise, call, trial.prepared)
        return
    if trial.prepared.property is not None:
        _judge_property(trial)
        return
    parts = _split(exercise, trial)
    if parts is None:
        return
    trial.got = parts
    for part, expected in trial.prepared.expected.items():
        result = agree(parts[part], expected, trial.prepared.tolerances[part])
        if isinstance(result, Disagreement) and _partly_single(
            exercise, trial.prepared, part, parts
        ):
            result = Agreement((SINGLE,))
        trial.results[part] = result


def _partly_single(exercise: Exercise, item: Prepared, part: str, parts: dict[str, Any]) -> bool:
    """Is the gap that of an input cast to float32 on the way?"""
    expected = item.expected[part]
    if not isinstance(expected, (np.ndarray, np.floating, float)):
        return False
    if isinstance(agree(parts[part], expected, FLOAT32 * size_of(expected)), Disagreement):
        return False
    limit = item.tolerances[part]
    return any(
        isinstance(agree(parts[part], np.asarray(way[part], float), limit), Agreement)
        for way in in_single_precision(exercise, item)
    )


def _judge_property(trial: Trial) -> None:
    item = trial.prepared.property
    assert item is not None
    expected = trial.prepared.expected[item.key]
    got = trial.call.value
    trial.got = {item.key: got}
    if item.accept is None:
        result = agree(got, expected, trial.prepared.tolerances[item.key])
    else:
        try:
            fine = item.accept(got, *trial.prepared.case.args)
        except Exception:  # an odd value must not break the rule that judges it
            fine = False
        result = Agreement() if fine else Disagreement("value", "{part} does not hold.", got)
    trial.results[item.key] = result


def _split(exercise: Exercise, trial: Trial) -> dict[str, Any] | None:
    """Return values by part; None (and a problem) when the result has the wrong form."""
    value = trial.call.value
    names = exercise.returns
    if _is_nothing(exercise, value):
        trial.problem = words.returned_none(exercise, value)
        return None
    if len(names) == 1:
        single = trial.prepared.expected[names[0]]
        if isinstance(value, tuple) and value and not isinstance(single, tuple):
            value = value[0]  # a 1-tuple, or extra items: the contract holds in its first item
        return {names[0]: value}
    needed = [i for i, _ in enumerate(names)]
    if not isinstance(value, (tuple, list)):
        trial.problem = words.wrong_form(exercise, kind_of(value))
        return None
    if len(value) < len(needed):
        trial.problem = words.wrong_form(exercise, f"{len(value)} values")
        return None
    return by_part(exercise, tuple(value[: len(names)]))


def _is_nothing(exercise: Exercise, value: Any) -> bool:
    """None, or None in place of every compared value: a template that nobody has filled in."""
    if not isinstance(value, (tuple, list)) or not value:
        return value is None
    first = value[: len(exercise.returns)]
    return all(item is None for i, item in enumerate(first) if i != exercise.keep)


def _judge_quiz(exercise: Exercise, trial: Trial) -> Trial:
    got = trial.call.value
    if isinstance(got, np.ndarray):
        got = got.tolist()  # np.float64(20) is 20, np.array([10, 4]) is [10, 4]
    blank = isinstance(got, str) and not got.strip()
    if got is None or blank or got == Opaque("ellipsis"):
        trial.problem = words.not_attempted(exercise, f"`{exercise.name}` has no answer yet.")
        return trial
    if isinstance(exercise.answer, str) and isinstance(got, str):
        got = got.strip().lower().strip("()'\" .")
    if isinstance(exercise.answer, tuple) and isinstance(got, list):
        got = tuple(got)
    trial.got = {"answer": got}
    trial.results["answer"] = agree(got, exercise.answer, trial.prepared.tolerances["answer"])
    return trial
