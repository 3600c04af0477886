"""A learner's working copy: made once, never overwritten, restored on request."""

from __future__ import annotations

import json

import pytest

from grader import workspace as module
from grader.exercises import UnknownName
from grader.store import FOLDER, Store
from grader.workspace import Workspace, WorkspaceError, find_workspace, released

NOTEBOOK = "02_backprop/02_backprop_exercises.ipynb"


@pytest.fixture
def copy(tmp_path):
    workspace = Workspace(tmp_path / "my_course")
    workspace.fill()
    return workspace


def cell_of(path, name):
    return module._cell(json.loads(path.read_text("utf-8")), name)


def write_answer(workspace, name="sigmoid_forward", text="my own work"):
    path = workspace.folder / NOTEBOOK
    notebook = json.loads(path.read_text("utf-8"))
    cell = module._cell(notebook, name)
    cell["source"], cell["execution_count"] = [text], 7
    cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x"]}]
    notebook["cells"].append({"cell_type": "markdown", "id": "n", "metadata": {}, "source": ["ü"]})
    path.write_text(json.dumps(notebook, ensure_ascii=False), "utf-8")
    return path


def test_it_holds_every_notebook_of_the_course_byte_for_byte(copy):
    for source in released().rglob("*.ipynb"):
        if ".ipynb_checkpoints" not in source.parts:
            mine = copy.folder / source.relative_to(released())
            assert mine.read_bytes() == source.read_bytes()
    assert (copy.folder / FOLDER).is_dir()


def test_filling_again_overwrites_nothing_and_brings_what_is_missing(copy):
    path = write_answer(copy)
    before = path.read_bytes()
    lesson = path.with_name("02_backprop_lesson.ipynb")
    lesson.unlink()
    assert copy.fill() == [lesson]
    assert path.read_bytes() == before and copy.fill() == []


def test_resetting_an_exercise_restores_its_cell_and_nothing_else(copy):
    path = write_answer(copy)
    before = json.loads(path.read_text("utf-8"))
    Store(copy.folder).record("sigmoid_forward", "passed", 2.0)
    notebook, backup = copy.reset("sigmoid_forward")
    assert notebook == path
    after = json.loads(path.read_text("utf-8"))
    changed = [i for i, (a, b) in enumerate(zip(before["cells"], after["cells"])) if a != b]
    assert len(changed) == 1 and len(before["cells"]) == len(after["cells"])
    assert after["cells"][changed[0]] == cell_of(released() / NOTEBOOK, "sigmoid_forward")
    assert json.loads(backup.read_text("utf-8")) == before
    assert Store(copy.folder).entry("sigmoid_forward") == {}


@pytest.mark.parametrize("name", ["02_backprop_exercises", "02_backprop_exercises.ipynb"])
def test_resetting_a_notebook_restores_all_of_it_and_keeps_the_old_one(copy, name):
    path = write_answer(copy)
    before = path.read_bytes()
    notebook, backup = copy.reset(name)
    assert notebook == path and path.read_bytes() == (released() / NOTEBOOK).read_bytes()
    assert backup.read_bytes() == before


def test_resetting_brings_back_a_notebook_that_was_deleted(copy):
    path = copy.folder / NOTEBOOK
    path.unlink()
    _, backup = copy.reset("02_backprop_exercises")
    assert path.exists() and not backup.exists()


def test_two_resets_in_one_second_keep_two_backups(copy, monkeypatch):
    monkeypatch.setattr(module.time, "strftime", lambda *_: "20260101-120000")
    write_answer(copy, text="my 1st try")
    _, one = copy.reset("sigmoid_forward")
    write_answer(copy, text="my 2nd try")
    _, two = copy.reset("sigmoid_forward")
    assert "my 1st try" in one.read_text("utf-8") and "my 2nd try" in two.read_text("utf-8")


def test_an_unknown_name_is_answered_with_the_nearest_and_changes_nothing(copy):
    path = write_answer(copy)
    before = path.read_bytes()
    with pytest.raises(UnknownName, match="Did you mean 'sigmoid_forward'"):
        copy.reset("sigmoid_foward")
    assert path.read_bytes() == before and not (copy.folder / FOLDER / "before_reset").exists()


def test_a_folder_that_is_no_working_copy_is_refused(tmp_path):
    with pytest.raises(WorkspaceError, match=r"is no working copy of the course; `grader lab`"):
        Workspace(tmp_path).reset("sigmoid_forward")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "null",
        '{"cells": [3]}',
    ],
)
def test_an_exercise_in_a_damaged_notebook_says_what_helps(copy, content):
    (copy.folder / NOTEBOOK).write_text(content)
    with pytest.raises(WorkspaceError, match="`grader reset 02_backprop_exercises` restores"):
        copy.reset("sigmoid_forward")


def test_an_exercise_whose_notebook_is_missing_says_what_helps(copy):
    (copy.folder / NOTEBOOK).unlink()
    with pytest.raises(WorkspaceError, match="is missing; `grader reset 02_backprop_exercises`"):
        copy.reset("sigmoid_forward")


def test_an_exercise_whose_cell_is_gone_says_what_helps(copy):
    path = copy.folder / NOTEBOOK
    path.write_text(json.dumps({"cells": []}))
    with pytest.raises(
        WorkspaceError, match=r"cell of sigmoid_forward is gone.*restores the whole"
    ):
        copy.reset("sigmoid_forward")


def test_the_working_copy_is_found_from_inside_and_from_beside(copy, monkeypatch):
    inside = copy.folder / "02_backprop"
    assert find_workspace(inside).folder == copy.folder.resolve()
    assert find_workspace(copy.folder.parent).folder == copy.folder.resolve()
    monkeypatch.chdir(inside)
    assert find_workspace().folder == copy.folder.resolve()


def test_an_exercise_that_is_not_released_yet_is_told_in_a_sentence(copy):
    """An exercise of a chapter whose notebook has not been built."""
    from grader.exercises import all_exercises

    missing = [
        exercise
        for exercise in all_exercises()
        if not (released() / exercise.chapter / f"{exercise.chapter}_exercises.ipynb").exists()
    ]
    if not missing:
        pytest.skip("every chapter has its notebook")
    with pytest.raises((WorkspaceError, UnknownName)):
        copy.reset(missing[0].name)
