"""Declaring exercises, and finding them by name."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pytest

import grader
from grader import exercises, nn
from grader.exercise import Case, Chapter, ExerciseError, Mistake
from grader.exercises import UnknownName, all_exercises, get, get_chapter


@pytest.fixture
def chapter() -> Chapter:
    return Chapter("98_toys", "Toys")


def declared(chapter: Chapter):
    @chapter.exercise(points=2, returns="out, cache")
    def double(x):
        return 2 * x, x

    return double


# --- declarations ----------------------------------------------------------------------------


def test_every_decorator_returns_the_function_unchanged(chapter):
    def double(x):
        return 2 * x

    def cases(rng):
        yield (np.ones(3),)

    def wrong(x):
        return x

    assert chapter.exercise(points=1)(double) is double
    assert chapter.cases(double)(cases) is cases
    assert chapter.mistake(double, "once", "Once.")(wrong) is wrong
    assert chapter.property(double, "linear", "Not linear.")(cases) is cases


def test_a_class_is_declared_like_a_function_and_stays_a_class(chapter):
    @chapter.exercise(points=1)
    class Counter:
        pass

    assert isinstance(Counter, type)
    assert chapter.exercises[0].kind == "class"


def test_exercises_cases_and_mistakes_are_frozen(chapter):
    declared(chapter)
    for thing, field in [
        (chapter.exercises[0], "points"),
        (Case(), "args"),
        (Mistake("key", "message", None), "key"),
    ]:
        with pytest.raises(FrozenInstanceError):
            setattr(thing, field, 99)


def test_the_list_of_exercises_is_a_copy_that_later_declarations_do_not_change(chapter):
    double = declared(chapter)
    before = chapter.exercises
    chapter.mistake(double, "once", "Once.")(lambda x: x)
    assert before[0].mistakes == ()
    assert [mistake.key for mistake in chapter.exercises[0].mistakes] == ["once"]


def test_the_cache_is_kept_and_never_a_part_that_scores(chapter):
    declared(chapter)
    exercise = chapter.exercises[0]
    assert exercise.returns == ("out", "cache")
    assert exercise.keep == 1
    assert exercise.parts == ("out",)


def test_properties_are_parts_of_their_own_after_the_values(chapter):
    double = declared(chapter)
    chapter.property(double, "linear", "Not linear.")(lambda rng: iter(()))
    assert chapter.exercises[0].parts == ("out", "linear")


def test_authors_may_yield_bare_argument_tuples(chapter, rng):
    double = declared(chapter)
    chapter.cases(double)(lambda rng: iter([(np.ones(2),), Case((np.ones(3),), label="three")]))
    first, second = chapter.exercises[0].cases(rng)
    assert isinstance(first, Case) and first.args[0].shape == (2,)
    assert second.label == "three"


def test_the_signature_is_the_answers(chapter):
    declared(chapter)
    assert chapter.exercises[0].signature == "double(x)"


def test_a_second_exercise_of_the_same_name_is_refused(chapter):
    declared(chapter)
    with pytest.raises(ExerciseError, match="98_toys declares double twice"):
        declared(chapter)


def test_a_second_mistake_of_the_same_key_is_refused(chapter):
    double = declared(chapter)
    chapter.mistake(double, "once", "Once.")(lambda x: x)
    with pytest.raises(ExerciseError, match="two mistakes called 'once'; rename one"):
        chapter.mistake(double, "once", "Again.")(lambda x: x)


def test_a_second_property_of_the_same_key_is_refused(chapter):
    double = declared(chapter)
    chapter.property(double, "linear", "Not linear.")(lambda rng: iter(()))
    with pytest.raises(ExerciseError):
        chapter.property(double, "linear", "Again.")(lambda rng: iter(()))


def test_cases_of_a_function_that_is_no_exercise_are_refused(chapter):
    def stranger(x):
        return x

    with pytest.raises(ExerciseError, match="stranger is not an exercise of 98_toys"):
        chapter.cases(stranger)(lambda rng: iter(()))


def test_a_quiz_whose_answer_is_not_among_the_choices_is_refused(chapter):
    with pytest.raises(ExerciseError, match="'z' is not among the choices"):
        chapter.quiz("q", "?", choices={"a": "yes", "b": "no"}, answer="z", explanation="So.")


# --- the registry ----------------------------------------------------------------------------


def test_names_are_unique_across_the_course():
    names = [exercise.name for exercise in all_exercises()]
    assert len(names) == len(set(names))


def test_the_registry_refuses_two_exercises_of_one_name(chapter, monkeypatch):
    declared(chapter)
    twice = (*chapter.exercises, *chapter.exercises)
    monkeypatch.setattr(exercises, "all_exercises", lambda: twice)
    with pytest.raises(ValueError, match="two exercises are called double"):
        exercises._by_name.__wrapped__()


@pytest.mark.parametrize(
    "typed, meant",
    [
        ("afine_backward", "affine_backward"),
        ("sigmoid_foward", "sigmoid_forward"),
        ("two_layer_grads", "two_layer_gradients"),
        ("value", "Value"),
    ],
)
def test_an_unknown_exercise_is_answered_with_the_nearest_name(typed, meant):
    with pytest.raises(UnknownName) as problem:
        get(typed)
    assert str(problem.value) == (f"There is no exercise called {typed!r}. Did you mean {meant!r}?")


def test_a_name_that_is_like_nothing_is_answered_with_some_known_ones():
    with pytest.raises(UnknownName, match=r"There is no exercise called '###'\. Known: "):
        get("###")


@pytest.mark.parametrize("typed", ["02_backprop", "02", "2", "backprop"])
def test_a_chapter_is_found_by_full_name_number_and_topic(typed):
    assert get_chapter(typed).name == "02_backprop"


def test_an_unknown_chapter_is_answered_with_the_nearest_name():
    with pytest.raises(UnknownName, match=r"no chapter called '02_backprob'.*'02_backprop'"):
        get_chapter("02_backprob")


def test_the_empty_name_is_unknown_and_no_error_of_another_kind():
    for find in (get, get_chapter):
        with pytest.raises(UnknownName):
            find("")


def test_chapters_come_in_the_order_of_their_numbers():
    names = [chapter.name for chapter in exercises.chapters()]
    assert names == sorted(names)


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_a_declaration_is_complete_and_its_words_are_ours(exercise):
    assert exercise.name.isidentifier()
    assert exercise.points > 0 and 1 <= exercise.difficulty <= 5 and exercise.minutes > 0
    assert exercise.mistakes and (exercise.hints or exercise.kind == "quiz")
    assert len(exercise.parts) == len(set(exercise.parts)), "two parts share a name"
    if exercise.gradient_of:
        assert get(exercise.gradient_of).keep is not None
    for mistake in exercise.mistakes:
        assert re.fullmatch(r"\w+", mistake.key, re.ASCII), mistake.key
        assert mistake.message.rstrip(") ").endswith((".", "?", "!", "`")), mistake.message
        text = re.sub(r"`[^`]*`", "code", f"{mistake.message} {mistake.remedy}")
        unwanted = re.findall(r"\b(?:you|your|just(?! that)|simply|obviously)\b|\bI\b(?!\()", text)
        assert not unwanted, f"{mistake.key}: {unwanted} in {text!r}"


# --- what lessons import ---------------------------------------------------------------------


def test_nn_gives_the_answers_of_the_course_by_name():
    assert nn.affine_backward is get("affine_backward").answer
    assert "affine_backward" in dir(nn) and "backprop_q1" not in dir(nn)


def test_nn_suggests_the_nearest_name():
    with pytest.raises(AttributeError, match="Did you mean 'affine_forward'"):
        nn.afine_forward  # noqa: B018


def test_nn_gives_no_quiz_answers():
    with pytest.raises(AttributeError, match="backprop_q1 is a quiz item, not a function"):
        nn.backprop_q1  # noqa: B018


def test_the_package_says_what_it_offers_when_asked_for_something_else():
    with pytest.raises(AttributeError, match="grader has no 'chek'; it offers check"):
        grader.chek  # noqa: B018
    assert set(grader.__all__) <= set(dir(grader))


def test_no_public_function_shares_its_name_with_a_module():
    folder = Path(grader.__file__).parent
    modules = {path.stem for path in folder.iterdir()}
    assert not modules & set(grader.__all__)


def test_importing_the_sandbox_loads_no_answer():
    code = (
        "import sys, grader, grader.sandbox.worker, grader.sandbox.zygote; "
        "sys.exit(any(m.startswith('grader.exercises') for m in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=folder_of_checkout()).returncode == 0


def folder_of_checkout() -> Path:
    return Path(grader.__file__).resolve().parents[1]
