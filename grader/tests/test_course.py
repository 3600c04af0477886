"""The folders of the course: what `grader build --check` finds, and that every notebook runs.

The notebooks are executed from top to bottom; the time of each is printed.
"""

from __future__ import annotations

import ast
import json
import shutil
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from grader import course as module
from grader import proof
from grader.course import Course, CourseError, find_course, leaks
from grader.exercise import Case, Chapter
from grader.exercises import UnknownName, all_exercises, get
from grader.proof import free_names, prove

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = "02_backprop"
LESSON_SECONDS, EXERCISE_SECONDS = 60, 15


def notebooks(folder):
    return sorted(p for p in (ROOT / folder).glob("*/*.ipynb") if p.parent.name[0] != ".")


# --- drift and leaks -------------------------------------------------------------------------


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of one chapter's folders; proofs have tests of their own."""
    monkeypatch.setattr(module, "prove", lambda exercise: [])
    for folder in ("solutions", "course"):
        shutil.copytree(ROOT / folder / CHAPTER, tmp_path / folder / CHAPTER)
    course = Course(tmp_path)
    course.build()
    return course


def learners(course, kind="exercises"):
    return course.learners / CHAPTER / f"{CHAPTER}_{kind}.ipynb"


def changed(path, change):
    notebook = json.loads(path.read_text("utf-8"))
    change(notebook)
    path.write_text(json.dumps(notebook, indent=1, ensure_ascii=False) + "\n", "utf-8")


def cell_of(notebook, name):
    return next(
        cell
        for cell in notebook["cells"]
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == f"{name}-answer"
    )


def test_a_fresh_build_has_no_problems_and_a_second_build_writes_nothing(copy):
    assert copy.problems() == []
    assert copy.build() == [] and copy.build(["02"]) == []


def test_only_what_changed_is_written(copy):
    text = copy.solutions / CHAPTER / f"{CHAPTER}_lesson.md"
    text.write_text(text.read_text("utf-8") + "\nOne more line.\n", "utf-8")
    assert {path.name for path in copy.build()} == {f"{CHAPTER}_lesson.ipynb"}


def test_drift_is_found_in_either_folder(copy):
    text = copy.solutions / CHAPTER / f"{CHAPTER}_lesson.md"
    text.write_text(text.read_text("utf-8") + "\nOne more line.\n", "utf-8")
    assert copy.problems() == [
        f"{folder}/{CHAPTER}/{CHAPTER}_lesson.ipynb differs from its text; run `grader build`"
        for folder in ("solutions", "course")
    ]


def test_a_missing_file_is_found(copy):
    learners(copy).unlink()
    assert copy.problems() == [
        f"course/{CHAPTER}/{CHAPTER}_exercises.ipynb is missing; run `grader build`"
    ]


@pytest.mark.parametrize("folder", ["course", "solutions"])
def test_a_stray_notebook_is_found_and_a_checkpoint_is_not(copy, folder):
    place = copy.root / folder / CHAPTER
    (place / ".ipynb_checkpoints").mkdir()
    shutil.copy(learners(copy), place / ".ipynb_checkpoints" / "old.ipynb")
    shutil.copy(learners(copy), place / "stray.ipynb")
    assert copy.problems() == [
        f"{folder}/{CHAPTER}/stray.ipynb has no text in solutions/; delete it"
    ]


def test_a_leaked_marker_is_found(copy):
    changed(learners(copy), lambda n: n["cells"][3]["source"].append("### BEGIN SOLUTION"))
    assert f"{CHAPTER}/{CHAPTER}_exercises.ipynb: cell 4 holds a solution marker" in copy.problems()


def test_a_leaked_output_is_found(copy):
    def run(notebook):
        cell = next(cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        cell["execution_count"] = 1

    changed(learners(copy, "lesson"), run)
    assert any("lesson.ipynb: cell 2 holds an output" in line for line in copy.problems())


def test_a_leaked_answer_is_found_whatever_its_layout(copy):
    answer = ast.unparse(
        ast.parse("import numpy as np\n" + proof.source_of(get("affine_backward").answer)).body[1]
    )

    def leak(notebook):
        cell_of(notebook, "affine_backward")["source"] = answer.splitlines(keepends=True)

    changed(learners(copy), leak)
    assert any("holds the answer" in line for line in leaks(learners(copy)))


def test_a_leaked_quiz_answer_is_found(copy):
    def leak(notebook):
        cell_of(notebook, "backprop_q1")["source"] = ["backprop_q1 = 'a'"]

    changed(learners(copy), leak)
    assert any("holds the answer of backprop_q1" in line for line in leaks(learners(copy)))


def test_a_leaked_answer_of_a_debug_exercise_in_another_cell_is_found(copy):
    def leak(notebook):
        source = proof.source_of(get("debug_two_layer_gradients").answer)
        notebook["cells"].append(
            {
                "cell_type": "code",
                "execution_count": None,
                "id": "leak",
                "metadata": {},
                "outputs": [],
                "source": source.splitlines(keepends=True),
            }
        )

    changed(learners(copy), leak)
    assert leaks(learners(copy))


def test_a_failed_build_writes_nothing(copy):
    lesson = copy.solutions / CHAPTER / f"{CHAPTER}_lesson.md"
    lesson.write_text(lesson.read_text("utf-8") + "\nMore.\n", "utf-8")
    exercises = copy.solutions / CHAPTER / f"{CHAPTER}_exercises.md"
    exercises.write_text(
        exercises.read_text("utf-8")
        + "\n```{code-cell}\n:tags: [exercise]\n\n"
        + "from grader.exercises.backprop import no_such\n```\n"
    )
    before = {path: path.read_bytes() for path in copy.root.rglob("*.ipynb")}
    with pytest.raises(UnknownName):
        copy.build()
    assert {path: path.read_bytes() for path in copy.root.rglob("*.ipynb")} == before


def test_an_unknown_chapter_is_answered_with_the_nearest(copy):
    with pytest.raises(UnknownName, match="Did you mean '02_backprop'"):
        copy.texts(["bakprop"])
    assert copy.texts(["2"]) == copy.texts(["02"]) == copy.texts([CHAPTER])


def test_the_course_is_found_from_inside_and_by_default():
    assert find_course(ROOT / "solutions" / CHAPTER).root == ROOT
    assert find_course(Path("/")).root == ROOT


def test_no_course_is_a_sentence(monkeypatch, tmp_path):
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a" / "b" / "course.py"))
    with pytest.raises(CourseError, match="a folder with solutions/ and course/"):
        find_course(tmp_path)


def test_the_checkout_holds_what_its_texts_say():
    course = Course(ROOT)
    wanted = {path for path, _ in course.built()}
    assert course._strays(wanted) == []
    for path in wanted:
        assert path.exists(), path
        if course.learners in path.parents:
            assert leaks(path) == []


# --- proofs ----------------------------------------------------------------------------------


def toy(answer=None, mistakes=None, **details):
    chapter = Chapter("98_toys", "Toys")
    hints = ("One.", "Two.", "Three; see `solutions/98_toys`.")

    def double(x):
        return 2 * x

    declared = chapter.exercise(points=1, hints=details.pop("hints", hints), **details)
    answer = declared(answer or double)
    chapter.cases(answer)(lambda rng: iter([Case((rng.normal(0, 1, 5),))]))
    wrong = {"once": lambda x: x, "thrice": lambda x: 3 * x, "plus": lambda x: 2 + x}
    for key, function in (mistakes or wrong).items():
        chapter.mistake(answer, key, f"{key}.")(function)
    return chapter.exercises[0]


def answer_with_a_free_name(x):
    return 2 * x + free_constant  # noqa: F821


def test_a_sound_exercise_is_proved():
    assert prove(toy()) == []


def test_a_stub_that_passes_is_found():
    problems = prove(toy(stub="def double(x):\n    return x + x\n"))
    assert problems == ["double: its stub scores 1 points"]


def test_a_stub_that_is_not_told_as_not_attempted_is_found(monkeypatch):
    monkeypatch.setattr(proof, "stub_namespace", lambda exercise: {"double": lambda x: 1 / 0})
    assert prove(toy()) == ["double: its stub is crashed, not 'not attempted'"]


def test_an_answer_that_fails_is_found():
    calls = []

    def double(x):
        calls.append(1)
        return len(calls) * x

    problems = prove(toy(double))
    assert any("double: the answer fails (seed 0)" in line for line in problems)


def test_a_mistake_that_passes_is_found():
    wrong = {"once": lambda x: x, "same": lambda x: x + x, "plus": lambda x: 2 + x}
    assert "double.same is not caught by name (seed 0): found a pass" in prove(toy(mistakes=wrong))


def test_a_mistake_with_the_wrong_name_is_found():
    wrong = {"once": lambda x: x, "alike": lambda x: 1 * x, "plus": lambda x: 2 + x}
    problems = prove(toy(mistakes=wrong))
    assert "double.alike is not caught by name (seed 0): found double.out_value" in problems


def test_a_free_name_in_an_answer_is_found():
    exercise = toy(answer_with_a_free_name)
    assert free_names(exercise) == {"free_constant"}
    problems = proof._declared(exercise)
    assert problems == [
        "answer_with_a_free_name: the answer uses 'free_constant', which a notebook does not have"
    ]


def test_too_few_mistakes_and_hints_are_found():
    problems = prove(toy(mistakes={"once": lambda x: x}, hints=("One.",)))
    assert problems[:2] == ["double has 1 mistakes; name three", "double has 1 hints; write three"]
    problems = prove(toy(hints=("One.", "Two.", "Three.")))
    assert problems == ["double: its last hint points to the solution"]


def test_a_quiz_with_an_unanswered_choice_is_found():
    chapter = Chapter("98_toys", "Toys")
    chapter.quiz(
        "q",
        "?",
        choices={"a": "1", "b": "2", "c": "3"},
        answer="a",
        wrong={"b": "No."},
        explanation="So.",
    )
    assert prove(chapter.exercises[0]) == ["q: every wrong choice needs a word of its own"]


@pytest.mark.parametrize("exercise", all_exercises(), ids=lambda exercise: exercise.name)
def test_every_exercise_of_the_course_is_proved(exercise):
    assert prove(exercise, seeds=(0,)) == []


# --- the notebooks run -----------------------------------------------------------------------


def executed(path, tmp_path, **options):
    """The executed notebook and its seconds; run where nothing of ours is overwritten."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}, **options
    )
    started = time.perf_counter()
    client.execute()
    seconds = time.perf_counter() - started
    print(f"{path.relative_to(ROOT)}: {seconds:.1f} s")
    return notebook, seconds


def value_of(cell):
    results = [out for out in cell.outputs if out.output_type == "execute_result"]
    return results[-1].data["text/plain"] if results else None


def checks(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code" and cell.source.startswith('check("'):
            yield cell, get(cell.source.split('"')[1])


def stderr_of(notebook):
    return [
        out.text
        for cell in notebook.cells
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type == "stream" and out.name == "stderr"
    ]


@pytest.mark.parametrize(
    "path", [p for p in notebooks("solutions") if "_lesson" in p.stem], ids=lambda p: p.stem
)
def test_a_solved_lesson_runs_from_top_to_bottom(path, tmp_path):
    notebook, seconds = executed(path, tmp_path)
    assert seconds < LESSON_SECONDS
    assert stderr_of(notebook) == []


@pytest.mark.parametrize(
    "path", [p for p in notebooks("solutions") if "_exercises" in p.stem], ids=lambda p: p.stem
)
def test_a_solved_exercise_notebook_runs_and_every_check_gives_full_points(path, tmp_path):
    notebook, seconds = executed(path, tmp_path)
    assert seconds < EXERCISE_SECONDS
    assert stderr_of(notebook) == []
    seen = 0
    for cell, exercise in checks(notebook):
        assert value_of(cell) == repr(float(exercise.points)), exercise.name
        seen += 1
    assert seen == len([e for e in all_exercises() if e.chapter == path.parent.name])


@pytest.mark.parametrize(
    "path", [p for p in notebooks("course") if "_exercises" in p.stem], ids=lambda p: p.stem
)
def test_the_released_exercise_notebook_runs_and_every_check_gives_zero(path, tmp_path):
    """No cell of the stubs' notebook ends in a traceback: nothing calls a stub outside a check."""
    notebook, _ = executed(path, tmp_path, allow_errors=True)
    errors = [
        (number, out.ename)
        for number, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "code"
        for out in cell.outputs
        if out.output_type == "error"
    ]
    assert errors == [], "cells that call a stub outside of a check"
    assert stderr_of(notebook) == []
    for cell, exercise in checks(notebook):
        assert value_of(cell) == "0.0", exercise.name


@pytest.mark.parametrize(
    "path", [p for p in notebooks("course") if "_lesson" in p.stem], ids=lambda p: p.stem
)
def test_the_learners_lesson_is_the_solved_one(path):
    """So it needs no run of its own."""
    solved = ROOT / "solutions" / path.parent.name / path.name
    assert path.read_bytes() == solved.read_bytes()


def test_points_of_the_course_are_finite_and_positive():
    assert all(np.isfinite(e.points) and e.points > 0 for e in all_exercises())
