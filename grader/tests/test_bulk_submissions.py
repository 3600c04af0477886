"""What learners hand in is read whatever it is, and every oddity is said in a sentence."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.bulk import GradeError
from grader.bulk.course import Assignment, open_course
from grader.bulk.notebooks import MAX_BYTES
from grader.bulk.rootfiles import class_seed, locked
from grader.bulk.submissions import Submission, find_submissions, read_submission

CHAPTER = "02_backprop"
NAME = f"{CHAPTER}_exercises.ipynb"


@pytest.fixture(scope="module")
def assignment(tmp_path_factory: pytest.TempPathFactory) -> Assignment:
    root = tmp_path_factory.mktemp("course")
    (root / "submitted").mkdir()
    return open_course(root / "submitted").assignment(CHAPTER)


@pytest.fixture
def released(root: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((root / "course" / CHAPTER / NAME).read_text("utf-8"))
    return data


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "submitted" / "eve" / CHAPTER
    place.mkdir(parents=True)
    return place


@pytest.fixture
def read(folder: Path, assignment: Assignment) -> Callable[[], Submission]:
    """Read eve's submission."""

    def read() -> Submission:
        (handed,), _ = find_submissions(folder.parents[1])
        return read_submission(handed, assignment)

    return read


def dumped(data: Any) -> bytes:
    return json.dumps(data).encode()


BROKEN = {
    "an empty file": (b"", "empty"),
    "a file of null bytes": (b"\0" * 1000, "empty"),
    "half a file": (b'{"cells": [{"source": "x', "not valid JSON"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0", "not valid JSON"),
    "a web page": (b"<!DOCTYPE html><html></html>", "not valid JSON"),
    "a list": (b"[1, 2]", "another kind"),
    "a number": (b"3", "another kind"),
    "no cells at all": (dumped({"nbformat": 4}), "no list of cells"),
    "cells that are a text": (dumped({"nbformat": 4, "cells": "x"}), "no list of cells"),
    "an empty list of cells": (dumped({"nbformat": 4, "cells": []}), "no cells"),
    "a format to come": (dumped({"nbformat": 5, "cells": [{}]}), "format 5"),
    "a format that is a text": (dumped({"nbformat": "four", "cells": []}), "format four"),
    "brackets without an end": (b"[" * 200_000, "nested too deeply"),
    "a number of a million digits": (b'{"cells": ' + b"9" * 10**6 + b"}", "not valid JSON"),
    "another course": (dumped({"nbformat": 4, "cells": [{"source": "1"}]}), "none of the exerc"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_file_that_is_no_notebook_has_a_problem(
    kind: str, folder: Path, read: Callable[[], Submission]
) -> None:
    content, words = BROKEN[kind]
    (folder / NAME).write_bytes(content)
    submission = read()
    assert words in submission.problem
    assert submission.cells == ()
    assert submission.review


def test_a_gigantic_file_is_not_read(folder: Path, read: Callable[[], Submission]) -> None:
    with open(folder / NAME, "wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "20 MB" in read().problem


def test_a_folder_with_the_notebooks_name_is_no_notebook(
    folder: Path, read: Callable[[], Submission]
) -> None:
    (folder / NAME).mkdir()
    assert "a folder has its name" in read().problem


def test_a_pipe_with_the_notebooks_name_does_not_stop_the_class(
    folder: Path, read: Callable[[], Submission]
) -> None:
    os.mkfifo(folder / NAME)
    assert "not a file" in read().problem


def test_a_link_to_another_learners_work_is_refused(
    folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    other = folder.parents[2] / "other.ipynb"
    other.write_bytes(dumped(released))
    (folder / NAME).symlink_to(other)
    assert "a link that leads out" in read().problem


def test_a_link_within_the_folder_is_followed(
    folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    (folder / "real.ipynb").write_bytes(dumped(released))
    (folder / NAME).symlink_to("real.ipynb")
    assert read().problem == ""


def test_linked_and_hidden_folders_are_passed_over(folder: Path, tmp_path: Path) -> None:
    submitted = folder.parents[1]
    (submitted / ".ipynb_checkpoints" / CHAPTER).mkdir(parents=True)
    (submitted / "mallory").symlink_to(tmp_path)
    found, remarks = find_submissions(submitted)
    assert [handed.student for handed in found] == ["eve"]
    assert any("mallory" in remark and "link" in remark for remark in remarks)


def test_a_folder_that_is_no_chapter_is_named_with_the_nearest_one(folder: Path) -> None:
    (folder.parent / "02_backprob").mkdir()
    _, remarks = find_submissions(folder.parents[1])
    assert any("02_backprob" in remark and "Is it 02_backprop?" in remark for remark in remarks)


def test_a_renamed_notebook_is_found_by_its_cells(
    folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    (folder / "homework.ipynb").write_bytes(dumped(released))
    (folder / "notes.ipynb").write_bytes(dumped({"nbformat": 4, "cells": [{"source": "1"}]}))
    submission = read()
    assert submission.problem == ""
    assert submission.review
    assert "'homework.ipynb'" in submission.reasons[0]


def test_two_notebooks_that_could_be_meant_are_not_guessed_between(
    folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    for name in ("a.ipynb", "b.ipynb"):
        (folder / name).write_bytes(dumped(released))
    assert "could both be meant" in read().problem


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_an_unusual_encoding_is_read(
    encoding: str, folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    released["cells"][0]["source"] = "# Schöne Grüße"
    text = json.dumps(released, ensure_ascii=False)
    (folder / NAME).write_bytes(text.encode(encoding, "replace"))
    submission = read()
    assert submission.problem == ""
    assert submission.cells[0].source == "# Schöne Grüße"


def test_damaged_cells_are_left_out_and_told(
    folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    odd = [7, None, {"source": 3}, {"source": ["a", 1]}, {"cell_type": 4, "source": "x"}]
    released["cells"] += odd
    (folder / NAME).write_bytes(dumped(released))
    submission = read()
    assert "4 cells are damaged" in " ".join(submission.reasons)
    assert submission.cells[-1].kind == "raw"


def test_half_a_character_does_not_reach_any_file(
    folder: Path, read: Callable[[], Submission], released: dict[str, Any]
) -> None:
    released["cells"][0]["source"] = "\ud800"
    (folder / NAME).write_bytes(dumped(released))
    read().cells[0].source.encode("utf-8")


@pytest.mark.parametrize(
    ("text", "hour"),
    [
        ("2025-03-10 11:00:00 UTC", 11),
        ("2025-03-10 13:00:00 +0200", 12),  # for nbgrader this is an offset of 200 seconds
        ("2025-03-10T12:00:00+01:00", 11),
        ("tomorrow", None),
        ("", None),
    ],
)
def test_the_timestamp_is_read_as_nbgrader_reads_it(
    text: str, hour: int | None, folder: Path, read: Callable[[], Submission]
) -> None:
    (folder / "timestamp.txt").write_text(text)
    submission = read()
    assert (submission.timestamp.hour if submission.timestamp else None) == hour
    assert submission.reasons == () or text == "tomorrow"


def test_an_assignment_that_nobody_handed_in_is_an_error(folder: Path) -> None:
    with pytest.raises(GradeError, match="no submissions for 01_neurons"):
        find_submissions(folder.parents[1], ["01"])
    with pytest.raises(GradeError, match="no folder for bob"):
        find_submissions(folder.parents[1], students=["bob"])
    with pytest.raises(GradeError, match="Did you mean"):
        find_submissions(folder.parents[1], ["02_bakprop"])


# --- the course root -----------------------------------------------------------------------------


def test_the_secret_seed_is_made_once_and_kept_private(tmp_path: Path) -> None:
    first, secret = class_seed(tmp_path)
    assert secret
    assert first > 0
    assert class_seed(tmp_path) == (first, True)
    assert (tmp_path / ".grader_seed").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".grader_seed"]


def test_a_given_seed_is_used(tmp_path: Path) -> None:
    assert class_seed(tmp_path, "public") == (0, False)
    assert class_seed(tmp_path, 7) == (7, True)
    with pytest.raises(GradeError, match="whole number"):
        class_seed(tmp_path, "secret")


def test_a_damaged_seed_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    (tmp_path / ".grader_seed").write_text("0\n")
    with pytest.raises(GradeError, match="does not hold a seed"):
        class_seed(tmp_path)


def test_two_gradings_of_one_course_are_refused(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(GradeError, match="at work"), locked(tmp_path):
        pass
    with locked(tmp_path):
        pass


def test_the_wrong_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(GradeError, match="not a folder"):
        open_course(tmp_path / "nowhere")
    (tmp_path / "submitted").mkdir()
    with pytest.raises(GradeError, match="course's root"):
        open_course(tmp_path)


def test_a_broken_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "submitted").mkdir()
    (tmp_path / "nbgrader_config.py").write_text("c = get_config(\n")
    with pytest.raises(GradeError, match=r"nbgrader_config\.py cannot be used"):
        open_course(tmp_path / "submitted")
