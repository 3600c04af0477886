"""The learner's own cases: what a function gives for chosen inputs, beside what is right.

Nothing here is recorded or worth points: `check(f, x=...)` is a way to look closely.
"""

from __future__ import annotations

import copy
import difflib
import inspect
from collections.abc import Mapping
from typing import Any

import numpy as np

from grader import page
from grader.agreement import Agreement, agree, kind_of, size_of
from grader.attempt import Attempt, Call, LocalAttempt, Opaque, plain
from grader.exercise import Case, Exercise
from grader.expected import Prepared, by_part, cases_of, forward_of, rng_for
from grader.findings import Evidence
from grader.notes import Note
from grader.trial import Trial, try_case

TOLERANCE = 1e-7  # relative to the largest entry; nothing is graded by it


class UnfitInputs(ValueError):
    """The inputs cannot be used; the message says which one and why."""


def own_case(exercise: Exercise, attempt: Attempt, inputs: Mapping[str, Any]) -> Note:
    """Run an exercise's function on given inputs and show its values beside the right ones.

    Parameters
    ----------
    exercise : Exercise
    attempt : Attempt
        Where the learner's code runs.
    inputs : dict
        By name. A backward function takes its forward's inputs, and `dout` if it is not to be
        drawn.

    Returns
    -------
    Note
        Worth no points, whatever it says.
    """
    try:
        item, given = _prepared(exercise, inputs)
    except UnfitInputs as problem:
        return Note(str(problem))
    trial = try_case(exercise, attempt, item)
    sentences, body, lines = _told(trial)
    shown = " · ".join(
        f"<code>{page.escape(name)}</code> {page.escape(page.brief(value))}"
        for name, value in given.items()
    )
    if item.dout is not None and "dout" not in inputs:
        sentences.append("`dout` was not given, so it was drawn.")
    title = f"`{exercise.name}` with inputs of one's own"
    listed = "inputs: " + ", ".join(f"{name} {page.brief(v)}" for name, v in given.items())
    body = f'<div class="dim">{shown}</div>{body}<footer>not recorded, no points</footer>'
    return Note(" ".join(sentences), title, body, (listed, *lines))


def _told(trial: Trial) -> tuple[list[str], str, list[str]]:
    """What became of the case: sentences, a page, and lines for a terminal."""
    stop = trial.blocked or trial.problem
    if stop is not None:
        return [" ".join(filter(None, (stop.message, stop.why)))], "", []
    sentences, body, lines = [], "", []
    for part, result in trial.results.items():
        got, expected = trial.got[part], trial.prepared.expected[part]
        if isinstance(result, Agreement):
            sentences.append(f"`{part}` is as expected.")
        else:
            sentences.append(result.message.replace("{part}", f"`{part}`"))
        where = "" if isinstance(result, Agreement) else result.where
        evidence = Evidence(expected=expected, got=got, where=where)
        body += f"<div><code>{page.escape(part)}</code></div>{page.evidence_html(evidence)}"
        lines += [f"{part}:", *(f"  {line}" for line in page.evidence_text(evidence, part))]
    return sentences, body, lines


# --- the inputs, and what is right for them ---------------------------------------------------


def _prepared(exercise: Exercise, inputs: Mapping[str, Any]) -> tuple[Prepared, dict[str, Any]]:
    """The case with its expected values, and the inputs by name."""
    if exercise.kind != "function":
        what = "a quiz item" if exercise.kind == "quiz" else "a class"
        raise UnfitInputs(f"`{exercise.name}` is {what}: inputs of one's own work for functions.")
    called = forward_of(exercise) if exercise.gradient_of else exercise
    given = dict(inputs)
    dout = given.pop("dout", None) if exercise.gradient_of else None
    bound = _bind(exercise, called, given)
    case = Case(bound.args, bound.kwargs)
    shown = dict(bound.arguments)
    reference = LocalAttempt({e.name: e.answer for e in (exercise, called)})
    if not exercise.gradient_of:
        values = [
            by_part(exercise, _right(exercise, reference, shown, *case.args, **case.kwargs).value)
            for _ in range(2)
        ]
        expected, again = values
        if not all(isinstance(_agreement(again[p], v), Agreement) for p, v in expected.items()):
            raise UnfitInputs(f"`{exercise.name}` draws at random: no one result is the right one.")
    else:
        out = _right(called, reference, shown, *case.args, **case.kwargs).value[0]
        dout = _upstream(exercise, dout, np.shape(out))
        shown["dout"] = dout
        ahead = _right(called, reference, shown, *case.args, **case.kwargs)
        call = _right(exercise, reference, shown, dout, ahead.value[called.keep])
        expected = by_part(exercise, call.value)
    limits = {p: TOLERANCE * max(_size(value), 1e-300) for p, value in expected.items()}
    return Prepared(case, expected, limits, dout), shown


def _bind(exercise: Exercise, called: Exercise, given: dict[str, Any]) -> inspect.BoundArguments:
    """The arguments in the function's order, lists as arrays where it takes arrays."""
    signature = inspect.signature(called.answer)
    names = list(signature.parameters)
    takes = f"`{exercise.name}` takes `{', '.join(names)}`"
    if called is not exercise:
        takes = f"`{exercise.name}` is checked with the inputs of `{called.name}`: "
        takes += f"`{', '.join(names)}`; `dout` may be given too"
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
            more = f" Did you mean `{near[0]}`?" if near else ""
            raise UnfitInputs(f"There is no argument `{name}`. {takes}.{more}")
    missing = [
        f"`{name}`"
        for name, parameter in signature.parameters.items()
        if name not in given and parameter.default is parameter.empty
    ]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        raise UnfitInputs(f"{' and '.join(missing)} {verb} missing. {takes}.")
    samples = _samples(called, signature)
    return signature.bind(**{n: _fitting(n, v, samples.get(n)) for n, v in given.items()})


def _samples(called: Exercise, signature: inspect.Signature) -> dict[str, Any]:
    """The inputs of the exercise's first case: what kind of value each argument is."""
    case = next(iter(cases_of(called, rng_for(called, 0))), None)
    if case is None or case.drive is not None:
        return {}
    return dict(signature.bind(*case.args, **case.kwargs).arguments)


def _fitting(name: str, value: Any, sample: Any) -> Any:
    try:
        value = copy.deepcopy(value)
    except Exception:
        raise UnfitInputs(f"`{name}` is {_kind(value)}, which cannot be copied.") from None
    if not isinstance(sample, np.ndarray):
        return value
    try:
        array = np.asarray(value)
    except ValueError:
        raise UnfitInputs(f"`{name}` is a list whose rows differ in length.") from None
    if array.dtype.kind not in "biuf":
        raise UnfitInputs(f"`{name}` is {_kind(value)}, expected an array of numbers.")
    return array.astype(float) if sample.dtype.kind == "f" else array


def _upstream(exercise: Exercise, dout: Any, shape: tuple[int, ...]) -> np.ndarray:
    if dout is None:
        return rng_for(exercise, 0).standard_normal(shape)
    dout = _fitting("dout", dout, np.zeros(shape))
    if dout.shape != shape:
        raise UnfitInputs(
            f"`dout` has shape {dout.shape}, expected {shape}: that of the forward's output."
        )
    return dout


def _right(
    exercise: Exercise, reference: LocalAttempt, shown: dict[str, Any], *args: Any, **kwargs: Any
) -> Call:
    """The answer's result; where it has none, the inputs are to blame."""
    call = reference.call(
        exercise.name, *args, keep=exercise.keep, seconds=exercise.seconds, **kwargs
    )
    if call.returned:
        return call
    if call.status == "timed_out":
        raise UnfitInputs(
            f"The right answer itself takes more than {exercise.seconds:g} s for these inputs; "
            "smaller ones say as much."
        )
    listed = ", ".join(f"`{n}` {_shape(v)}" for n, v in shown.items())
    error = call.error
    why = f"{error.type}: {error.message}".rstrip(": .") if error else "no result"
    raise UnfitInputs(f"These inputs do not fit together: {listed}. The right answer raises {why}.")


def _agreement(got: Any, expected: Any) -> Any:
    return agree(got, expected, TOLERANCE * max(_size(expected), 1e-300))


def _size(value: Any) -> float:
    """Largest entry; 1 for what is no number: tolerances inside containers are relative."""
    try:
        return size_of(value)
    except (TypeError, ValueError):
        return 1.0


def _shape(value: Any) -> str:
    return str(value.shape) if isinstance(value, np.ndarray) else page.brief(value, 30)


def _kind(value: Any) -> str:
    kept = plain(value)
    return kept.what if isinstance(kept, Opaque) and " " in kept.what else kind_of(kept)
