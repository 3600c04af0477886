"""Judge an attempt at one exercise: calls into learner code, comparison, findings.

`check_exercise` is the one entry. It knows nothing of notebooks, files or classes: learner code
is reached through an `Attempt`, and what comes out is a `Report`.
"""

from __future__ import annotations

import re
import time
from dataclasses import replace

import numpy as np

from grader import diagnosis, words
from grader.agreement import Agreement, Disagreement
from grader.attempt import Attempt
from grader.exercise import Exercise
from grader.expected import PUBLIC_SEED, forward_of, prepare
from grader.findings import Evidence, Feedback, Finding, Outcome
from grader.report import Report
from grader.trial import Trial, try_case


def check_exercise(
    exercise: Exercise,
    attempt: Attempt,
    seed: int = PUBLIC_SEED,
    feedback: Feedback = "diagnosis",
) -> Report:
    """Check a learner's attempt at one exercise.

    Parameters
    ----------
    exercise : Exercise
    attempt : Attempt
        Where the learner's code runs.
    seed : int
        Draws the cases: public in notebooks, secret in class grading.
    feedback : {"verdict", "diagnosis", "full"}
        How much to say.

    Returns
    -------
    Report
        Never raises for anything the learner's code does. A failure of our own becomes the
        outcome "grader_fault" with a sentence.
    """
    start = time.perf_counter()
    try:
        report = _check(exercise, attempt, seed)
    except Exception as fault:
        report = _fault(exercise, seed, fault)
    milliseconds = 1e3 * (time.perf_counter() - start)
    report = report.at(feedback)
    return replace(report, milliseconds=milliseconds)


def _check(exercise: Exercise, attempt: Attempt, seed: int) -> Report:
    prepared = prepare(exercise, seed)
    trials: list[Trial] = []
    for item in prepared:
        trial = try_case(exercise, attempt, item)
        trials.append(trial)
        if trial.problem is not None and trial.problem.outcome != "crashed":
            break  # nothing more to learn: not there, not written, or out of time
        if trial.call.status in ("timed_out", "died"):
            break
    return _report(exercise, trials, seed, len(prepared))


def _fault(exercise: Exercise, seed: int, fault: Exception) -> Report:
    message = (
        f"The checker itself failed ({type(fault).__name__}: {fault}). "
        "This is not the solution's fault; please report it."
    )
    finding = Finding(f"{exercise.name}.grader_fault", "grader_fault", message)
    return Report(
        exercise.name,
        exercise.chapter,
        "grader_fault",
        0.0,
        float(exercise.points),
        (finding,),
        seed=seed,
    )


def _report(exercise: Exercise, trials: list[Trial], seed: int, total: int) -> Report:
    findings = _findings(exercise, trials)
    good = {f.part for f in findings if f.outcome == "passed" and f.part in exercise.parts}
    share = len(good) / len(exercise.parts)
    failed = next((f for f in findings if f.outcome not in ("passed", "skipped")), None)
    skipped = next((f for f in findings if f.outcome == "skipped"), None)
    outcome: Outcome = failed.outcome if failed else "skipped" if skipped else "passed"
    remarks = _remarks(exercise, trials)
    printed = next((t.call.printed for t in trials if t.call.printed), "")
    return Report(
        exercise.name,
        exercise.chapter,
        outcome,
        round(exercise.points * share, 6),
        float(exercise.points),
        tuple(findings),
        remarks,
        printed,
        seed,
        total,
    )


def _findings(exercise: Exercise, trials: list[Trial]) -> list[Finding]:
    """The root cause first, then the parts in their order."""
    for trial in trials:
        if trial.problem is not None and trial.problem.outcome == "not_attempted":
            return [trial.problem]
    blocked = next((t.blocked for t in trials if t.blocked), None)
    if blocked is not None:
        return [blocked, *_parts_skipped(exercise)]
    failing_forward = any(t.forward_wrong for t in trials)
    if failing_forward and not _all_right(trials):
        waits = words.waits_for_right(exercise, forward_of(exercise))
        return [waits, *_parts_skipped(exercise)]
    problem = next((t for t in trials if t.problem), None)
    if problem is not None:
        assert problem.problem is not None
        named = diagnosis.of_crash(exercise, trials) or problem.problem
        return [named, *_part_findings(exercise, trials, named)]
    return _part_findings(exercise, trials, None)


def _all_right(trials: list[Trial]) -> bool:
    return all(
        t.problem is None and all(isinstance(r, Agreement) for r in t.results.values())
        for t in trials
    )


def _part_findings(
    exercise: Exercise, trials: list[Trial], problem: Finding | None
) -> list[Finding]:
    """One finding a part: wrong if any case says so, passed if all do, else skipped."""
    findings = []
    for part in exercise.parts:
        mine = [t for t in trials if part in t.prepared.expected]
        wrong = next((t for t in mine if isinstance(t.results.get(part), Disagreement)), None)
        if wrong is not None:
            findings.append(_wrong_part(exercise, part, wrong, trials))
        elif mine and all(part in t.results for t in mine):
            findings.append(_right_part(exercise, part, mine))
        else:
            findings.append(words.skipped(exercise, part))
    if problem is None:
        findings.sort(key=lambda f: f.outcome != "wrong")  # the root cause first
    return findings


def _right_part(exercise: Exercise, part: str, mine: list[Trial]) -> Finding:
    item = mine[0].prepared.property
    if item is not None:
        return Finding(f"{exercise.name}.{part}", "passed", words.holds(item), part)
    if exercise.kind == "quiz":
        return Finding(f"{exercise.name}.answer", "passed", exercise.explanation, part)
    residual = _finite_differences(part, mine)
    more = f"; it agrees with finite differences to {residual:.0e}" if residual is not None else ""
    return Finding(
        f"{exercise.name}.{part}", "passed", f"`{part}` has the right shape and values{more}.", part
    )


def _finite_differences(part: str, mine: list[Trial]) -> float | None:
    """Largest relative gap between the learner's gradient and the reference's slopes."""
    worst = None
    for trial in mine:
        for name, v, slope, _ in trial.prepared.slopes:
            if name != part:
                continue
            g = np.asarray(trial.got[part], dtype=float)
            scale = max(float(np.linalg.norm(g * v)), abs(slope), 1e-300)
            gap = max(abs(float((g * v).sum()) - slope) / scale, 1e-16)
            worst = max(gap, worst or 0.0)
    return worst


def _wrong_part(exercise: Exercise, part: str, trial: Trial, trials: list[Trial]) -> Finding:
    result = trial.results[part]
    assert isinstance(result, Disagreement)
    mistake, why = diagnosis.of_part(exercise, part, trials)
    item = trial.prepared.property
    # an item of a container is named as in code: `params['W1']`
    plain = re.sub(r"\{part\}((?:\[[^\]]*\])*)", rf"`{part}\1`", result.message)
    if exercise.kind == "quiz":
        plain = words.wrong_answer(exercise, result.got)
    if item is not None:
        plain = item.message
    evidence = _evidence(exercise, part, trial, result)
    if mistake is None:
        key = f"{exercise.name}.{part if item else f'{part}_{result.kind}'}"
        return Finding(key, "wrong", plain, part, why, evidence=evidence)
    key = f"{exercise.name}.{mistake.key}"
    remedy = exercise.remedy_for(mistake)
    return Finding(key, "wrong", mistake.message, part, why, remedy, evidence)


def _evidence(exercise: Exercise, part: str, trial: Trial, result: Disagreement) -> Evidence:
    item = trial.prepared
    if exercise.kind == "quiz":
        return Evidence(got=result.got)
    got = result.got if result.got is not None else trial.got.get(part)
    expected = item.expected[part] if result.expected is None else result.expected
    return Evidence(words.given(exercise, item), expected, got, result.where, item.case.label)


def _parts_skipped(exercise: Exercise) -> list[Finding]:
    return [words.skipped(exercise, part) for part in exercise.parts]


def _remarks(exercise: Exercise, trials: list[Trial]) -> tuple[str, ...]:
    remarks: dict[str, None] = {}
    for trial in trials:
        for result in trial.results.values():
            if isinstance(result, Agreement):
                remarks.update(dict.fromkeys(result.remarks))
        remarks.update(dict.fromkeys(f"warning: {text}" for text in trial.call.warnings))
        if trial.borrowed and trial.blocked is None and trial.call.returned:
            forward = exercise.gradient_of
            remarks[f"no usable `{forward}` was found, so the usual cache layout was used"] = None
    if any(t.call.printed for t in trials):
        remarks["it prints while it runs; the check needs no print"] = None
    return tuple(remarks)[:6]
