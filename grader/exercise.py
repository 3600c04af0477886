"""What an exercise is: an answer, its cases, and the mistakes people make.

A chapter's module makes one `Chapter` and hangs everything on it by decorators that return the
function unchanged. `Chapter.exercises` then gives frozen `Exercise` objects: plain data for the
checks, the build and the pages.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

Kind = Literal["function", "class", "quiz"]
CasesFunction = Callable[[np.random.Generator], Iterable["Case"]]


@dataclass(frozen=True, eq=False)
class Case:
    """One set of inputs.

    Attributes
    ----------
    args, kwargs
        What the function is called with. Fresh copies for every call.
    drive : callable, optional
        A trusted driver `drive(thing, *args)` for classes and for functions that take functions.
        It uses its arguments and `np` only, returns plain data and holds no expected value.
    label : str
        What is special here, for the page: "N = 5, D = 7".
    """

    args: tuple = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    drive: Callable | None = None
    label: str = ""


@dataclass(frozen=True, eq=False)
class Mistake:
    """A wrong answer that people really give.

    Attributes
    ----------
    key : str
        Short, stable name: "bias_per_row".
    message : str
        What a learner reads: what was found, worded as a hypothesis about its cause.
    answer
        The wrong function, class or quiz answer.
    remedy : str
        What to do; shown at the feedback level "full".
    """

    key: str
    message: str
    answer: Any
    remedy: str = ""


@dataclass(frozen=True, eq=False)
class Property:
    """Something that must hold besides the values: a part of its own.

    Attributes
    ----------
    key, message
        As for a mistake: what a learner reads when it does not hold.
    cases : callable
        `cases(rng)` yields `Case` objects; their results are compared with the answer's.
    accept : callable, optional
        `accept(result, *args) -> bool` decides instead of the comparison, for results that are
        the learner's own draw (dropout masks, samples).
    """

    key: str
    message: str
    cases: CasesFunction
    accept: Callable[..., bool] | None = None


@dataclass(frozen=True, eq=False)
class Exercise:
    """One exercise, complete. Made by `Chapter`; see its decorators for the fields."""

    name: str
    chapter: str
    kind: Kind
    points: float
    answer: Any
    returns: tuple[str, ...] = ()
    keep: int | None = None
    gradient_of: str | None = None
    common_cache: bool = False
    cases: CasesFunction | None = None
    properties: tuple[Property, ...] = ()
    mistakes: tuple[Mistake, ...] = ()
    hints: tuple[str, ...] = ()
    difficulty: int = 1
    minutes: int = 5
    optional: bool = False
    title: str = ""
    stub: str | None = None
    rtol: float = 1e-9
    seconds: float = 2.0
    question: str = ""
    choices: tuple[tuple[str, str], ...] = ()
    explanation: str = ""
    afterthought: str = ""

    @property
    def parts(self) -> tuple[str, ...]:
        """What the points are split over: compared return values, then properties."""
        values = tuple(name for i, name in enumerate(self.returns) if i != self.keep)
        return values + tuple(item.key for item in self.properties)

    def remedy_for(self, mistake: Mistake) -> str:
        """What to do about a mistake: its own remedy, else the first hint."""
        return mistake.remedy or (self.hints[0] if self.hints else "")

    @property
    def signature(self) -> str:
        return f"{self.name}{inspect.signature(self.answer)}" if callable(self.answer) else ""


class ExerciseError(ValueError):
    """An exercise is declared wrongly; the message says what to change in the chapter's module."""


class Chapter:
    """The exercises of one chapter, in order.

    Parameters
    ----------
    name : str
        `NN_topic`, the folder's name in `solutions/` and `course/`.
    title : str
        What learners read.
    """

    def __init__(self, name: str, title: str):
        self.name = name
        self.title = title
        self._drafts: dict[str, Exercise] = {}

    @property
    def exercises(self) -> tuple[Exercise, ...]:
        return tuple(self._drafts.values())

    def __iter__(self) -> Iterator[Exercise]:
        return iter(self.exercises)

    def exercise(
        self,
        *,
        points: float,
        returns: str = "out",
        gradient_of: Callable | None = None,
        common_cache: bool = False,
        hints: Iterable[str] = (),
        **details: Any,
    ) -> Callable:
        """Declare a function or class as the answer of an exercise; returned unchanged.

        Parameters
        ----------
        points : float
            Split equally over the parts.
        returns : str
            Names of the return values: "out, cache". One called "cache" is never compared.
        gradient_of : callable, optional
            The forward function whose gradient this is. Cases are then the forward's, with a
            random upstream gradient, and the learner's own cache is passed.
        common_cache : bool
            The answer's cache has the layout that everybody uses, so a learner's function can be
            judged with it where no forward of the learner's is at hand.
        hints : three str
            In steps; the last points to the solution.
        **details
            Further fields of `Exercise`: difficulty, minutes, optional, title, stub, rtol, ...
        """

        def declare(answer: Any) -> Any:
            names = tuple(name.strip() for name in returns.split(","))
            self._add(
                Exercise(
                    name=answer.__name__,
                    chapter=self.name,
                    kind="class" if inspect.isclass(answer) else "function",
                    points=points,
                    answer=answer,
                    returns=names,
                    keep=names.index("cache") if "cache" in names else None,
                    gradient_of=gradient_of.__name__ if gradient_of else None,
                    common_cache=common_cache,
                    hints=tuple(hints),
                    **details,
                )
            )
            return answer

        return declare

    def cases(self, answer: Any) -> Callable:
        """Declare `cases(rng)`, a generator of `Case` objects or of argument tuples."""

        def declare(function: Callable) -> Callable:
            self._change(answer, cases=_as_cases(function))
            return function

        return declare

    def mistake(self, answer: Any, key: str, message: str, remedy: str = "") -> Callable:
        """Declare a wrong implementation that people write, and what they should read."""

        def declare(wrong: Any) -> Any:
            known = self._draft(answer).mistakes
            if any(mistake.key == key for mistake in known):
                raise ExerciseError(f"{_name(answer)} has two mistakes called {key!r}; rename one")
            self._change(answer, mistakes=(*known, Mistake(key, message, wrong, remedy)))
            return wrong

        return declare

    def property(
        self, answer: Any, key: str, message: str, accept: Callable[..., bool] | None = None
    ) -> Callable:
        """Declare cases for something besides the values (stable at 1000, inputs unchanged)."""

        def declare(function: Callable) -> Callable:
            known = self._draft(answer).properties
            if key in self._draft(answer).parts:
                raise ExerciseError(f"{_name(answer)} has two parts called {key!r}; rename one")
            more = Property(key, message, _as_cases(function), accept)
            self._change(answer, properties=(*known, more))
            return function

        return declare

    def quiz(
        self,
        name: str,
        question: str,
        *,
        answer: Any,
        choices: dict[str, str] | None = None,
        wrong: dict[Any, str] | None = None,
        explanation: str,
        points: float = 1,
        hints: Iterable[str] = (),
        rtol: float = 1e-6,
        minutes: int = 1,
        optional: bool = False,
    ) -> None:
        """Declare a quiz item: the learner binds `name` to a choice, a number or a shape.

        Parameters
        ----------
        answer : str, number or tuple
            A key of `choices`, a number (compared with `rtol`), or a shape.
        wrong : dict
            What to say to each wrong answer that is expected; keys are answers.
        explanation : str
            Shown once the item is right.
        """
        if choices is not None and answer not in choices:
            raise ExerciseError(f"{name}: the answer {answer!r} is not among the choices")
        mistakes = tuple(
            Mistake(f"answer_{index + 1}", message, value)
            for index, (value, message) in enumerate((wrong or {}).items())
        )
        self._add(
            Exercise(
                name=name,
                chapter=self.name,
                kind="quiz",
                points=points,
                answer=answer,
                returns=("answer",),
                mistakes=mistakes,
                hints=tuple(hints),
                question=question,
                choices=tuple((choices or {}).items()),
                explanation=explanation,
                rtol=rtol,
                minutes=minutes,
                optional=optional,
            )
        )

    def _add(self, exercise: Exercise) -> None:
        if exercise.name in self._drafts:
            raise ExerciseError(f"{self.name} declares {exercise.name} twice")
        self._drafts[exercise.name] = exercise

    def _draft(self, answer: Any) -> Exercise:
        try:
            return self._drafts[_name(answer)]
        except KeyError:
            raise ExerciseError(f"{_name(answer)} is not an exercise of {self.name}") from None

    def _change(self, answer: Any, **fields: Any) -> None:
        draft = self._draft(answer)
        self._drafts[draft.name] = dataclasses.replace(draft, **fields)


def _name(answer: Any) -> str:
    return answer if isinstance(answer, str) else answer.__name__


def _as_cases(function: Callable) -> CasesFunction:
    """Let authors yield bare argument tuples where there is nothing else to say."""

    def cases(rng: np.random.Generator) -> Iterator[Case]:
        for item in function(rng):
            yield item if isinstance(item, Case) else Case(args=tuple(item))

    return cases
