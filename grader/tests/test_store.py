"""Progress: kept across restarts, never lost to a damaged file or a read-only place."""

from __future__ import annotations

import json
import os
import stat

import pytest

from grader.store import FILE, FOLDER, Store, find_folder


@pytest.fixture
def place(tmp_path):
    (tmp_path / FOLDER).mkdir()
    return tmp_path


def test_without_a_working_copy_nothing_is_written(tmp_path):
    store = Store(tmp_path)
    store.record("f", "passed", 2.0, "def f(): ...")
    assert not store.kept and store.entry("f")["passed"]
    assert list(tmp_path.iterdir()) == []
    assert Store(tmp_path).entry("f") == {}


def test_progress_outlives_the_session(place):
    Store(place).record("f", "passed", 2.0)
    again = Store(place)
    assert again.kept
    assert again.entry("f") == {"last": "passed", "passed": True, "points": 2.0, "tries": 1}


def test_the_working_copy_is_found_from_a_folder_inside(place):
    inside = place / "02_backprop" / "deeper"
    inside.mkdir(parents=True)
    Store(inside).record("f", "wrong", 1.0)
    assert Store(place).entry("f")["points"] == 1.0
    assert find_folder(inside) == place / FOLDER


def test_the_best_points_and_a_pass_stay(place):
    store = Store(place)
    for outcome, points in [("wrong", 1.0), ("passed", 2.0), ("crashed", 0.0)]:
        store.record("f", outcome, points)
    assert store.entry("f") == {"last": "crashed", "passed": True, "points": 2.0, "tries": 3}


def test_the_source_of_a_pass_is_kept_for_lessons(place):
    store = Store(place)
    store.record("f", "wrong", 0.0, "def f(): wrong")
    assert not (store.folder / "sources").exists()
    store.record("f", "passed", 1.0, "def f(): 'rîght'")
    assert (store.folder / "sources" / "f.py").read_text("utf-8") == "def f(): 'rîght'"


def test_hints_come_step_by_step_up_to_the_last_and_are_remembered(place):
    assert [Store(place).next_hint("f", 3) for _ in range(5)] == [1, 2, 3, 3, 3]
    assert Store(place).next_hint("g", 3) == 1


def test_a_hint_does_not_forget_what_was_done(place):
    store = Store(place)
    store.record("f", "passed", 2.0)
    store.next_hint("f", 3)
    assert store.entry("f")["passed"] and store.entry("f")["hints"] == 1
    store.record("f", "wrong", 0.0)
    assert store.entry("f")["hints"] == 1


def test_an_exercise_can_be_forgotten(place):
    Store(place).record("f", "passed", 2.0)
    Store(place).forget("f")
    Store(place).forget("never there")
    assert Store(place).entry("f") == {}


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null", b'"text"'])
def test_a_damaged_file_is_set_aside_and_not_overwritten(place, content):
    (place / FOLDER / FILE).write_bytes(content)
    store = Store(place)
    assert store.entry("f") == {}
    store.record("f", "passed", 1.0)
    assert (place / FOLDER / "progress.damaged.json").read_bytes() == content
    assert Store(place).entry("f")["passed"]


def test_entries_that_are_no_dicts_are_left_out(place):
    (place / FOLDER / FILE).write_text(json.dumps({"f": 3, "g": {"points": 1.0}}))
    store = Store(place)
    assert (store.entry("f"), store.entry("g")) == ({}, {"points": 1.0})


@pytest.mark.parametrize("entry", [{"hints": "two"}, {"points": None}, {"tries": []}])
def test_entries_edited_by_hand_break_nothing(place, entry):
    (place / FOLDER / FILE).write_text(json.dumps({"f": entry}))
    store = Store(place)
    store.next_hint("f", 3)
    store.record("f", "wrong", 0.0)


def test_no_temporary_file_is_left(place):
    store = Store(place)
    for _ in range(3):
        store.record("f", "passed", 1.0, "source")
    assert sorted(p.name for p in store.folder.iterdir()) == [FILE, "sources"]


def test_a_write_that_fails_leaves_the_old_file(place, monkeypatch):
    Store(place).record("f", "passed", 2.0)
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    Store(place).record("f", "wrong", 0.0)
    monkeypatch.undo()
    assert Store(place).entry("f")["tries"] == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="the administrator may write anywhere")
def test_a_read_only_place_is_no_error(place):
    (place / FOLDER).chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        store = Store(place)
        store.record("f", "passed", 2.0, "source")
        assert store.entry("f")["passed"]
    finally:
        (place / FOLDER).chmod(stat.S_IRWXU)


def test_two_notebooks_at_once_lose_nothing_of_each_other(place):
    lesson, exercises = Store(place), Store(place)
    exercises.record("f", "passed", 2.0)
    lesson.next_hint("g", 3)
    assert Store(place).entry("f").get("passed")
