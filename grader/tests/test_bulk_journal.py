"""Nothing is lost: a second run takes what is known, and a killed one is continued."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from grader.bulk import GradeError
from grader.bulk.demo import make_class
from grader.bulk.grade import grade
from grader.bulk.journal import JOURNAL_FILE, Journal, fingerprint
from grader.bulk.result import SubmissionResult
from grader.bulk.rootfiles import locked
from grader.bulk.shards import Shard
from grader.bulk.submissions import Handed
from grader.findings import Finding
from grader.report import Report
from grader.sandbox.client import Limits
from grader.tests.test_bulk_grade import COMMENTS, SCORES, contents, rows

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")

CHAPTER = "02_backprop"
QUICK = Limits(cell_seconds=1.0, load_seconds=10.0)


@pytest.fixture(scope="module")
def twelve(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of twelve, not graded yet; its seed is fixed."""
    root = tmp_path_factory.mktemp("twelve") / "class"
    make_class(root, CHAPTER, students=12)
    (root / ".grader_seed").write_text("4711\n")
    return root


@pytest.fixture
def small(twelve: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(twelve, tmp_path / "class"))


def outcome(root: Path) -> tuple[Any, ...]:
    """Everything that learners and instructors see, without random row ids."""
    scores = [row[:5] for row in rows(root, SCORES)]
    comments = [row[:4] for row in rows(root, COMMENTS)]
    return scores, comments, contents(root / "feedback"), contents(root / "autograded")


def test_a_second_run_grades_nothing_and_says_the_same(small: Path) -> None:
    first = grade(small / "submitted", limits=QUICK)
    before = outcome(small)
    second = grade(small / "submitted", limits=QUICK)
    assert second == first and second.kept == 12 and first.kept == 0
    assert outcome(small) == before


def test_changed_and_new_work_is_graded_and_the_rest_is_not(small: Path) -> None:
    first = grade(small / "submitted", limits=QUICK)
    names = [result.student for result in first.results]
    changed = small / "submitted" / names[0] / CHAPTER / f"{CHAPTER}_exercises.ipynb"
    changed.write_bytes(b"{}")
    shutil.copytree(small / "submitted" / names[1], small / "submitted" / "zoe")
    second = grade(small / "submitted", limits=QUICK)
    assert second.kept == 11 and len(second.results) == 13
    assert second.results[0].points == 0 and second.results[0].reasons
    assert second.results[-1].points == second.results[1].points


@pytest.mark.parametrize("change", ["seed", "feedback", "notebook gone", "page gone"])
def test_other_settings_or_missing_pages_grade_anew(small: Path, change: str) -> None:
    first = grade(small / "submitted", limits=QUICK)
    name = first.results[3].student
    options: dict[str, Any] = {"limits": QUICK}
    if change == "seed":
        options["seed"] = 99
    elif change == "feedback":
        options["feedback"] = "verdict"
    else:
        folder = "autograded" if change == "notebook gone" else "feedback"
        shutil.rmtree(small / folder / name)
    second = grade(small / "submitted", **options)
    assert second.kept == (11 if "gone" in change else 0)
    if "gone" in change:
        assert second == first


def test_a_lost_gradebook_is_filled_again_from_the_journal(small: Path) -> None:
    first = grade(small / "submitted", limits=QUICK)
    scores = [row[:5] for row in rows(small, SCORES)]
    (small / "gradebook.db").unlink()
    second = grade(small / "submitted", limits=QUICK)
    assert second == first and second.kept == 12
    assert [row[:5] for row in rows(small, SCORES)] == scores


def test_a_damaged_journal_is_named(small: Path) -> None:
    (small / JOURNAL_FILE).write_bytes(b"not a database, but long enough to look at" * 50)
    with pytest.raises(GradeError, match="Move it away"):
        grade(small / "submitted", limits=QUICK)


def test_too_little_protection_is_refused(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from grader.sandbox.client import Sandbox
    from grader.sandbox.protection import LIMITS, Protection

    monkeypatch.setattr(Sandbox, "protection", property(lambda self: Protection(LIMITS)))
    if sys.platform == "linux":
        with pytest.raises(GradeError, match="--require-level 1"):
            grade(small / "submitted", limits=QUICK)
    result = grade(small / "submitted", limits=QUICK, require_level=1)
    assert result.level == 1 and {one.level for one in result.results} == {1}


def test_parts_of_a_class_add_up_to_the_whole(small: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(small, tmp_path / "whole"))
    whole = grade(other / "submitted", limits=QUICK)
    parts = [grade(small / "submitted", limits=QUICK, shard=Shard(n, 3)) for n in (1, 2, 3)]
    assert [len(part.results) for part in parts] == [4, 4, 4]
    assert not (small / "gradebook.db").exists()
    again = grade(small / "submitted", limits=QUICK, shard=Shard(1, 3))
    assert again.kept == 4
    joined = grade(small / "submitted", limits=QUICK)
    assert joined.kept == 12 and joined.results == whole.results
    assert outcome(small) == outcome(other)
    assert not [p for p in small.iterdir() if "of3" in p.name]


def test_a_part_at_work_is_waited_for(small: Path) -> None:
    shard = Shard(2, 3)
    grade(small / "submitted", limits=QUICK, shard=shard)
    with locked(small, shard.lock), pytest.raises(GradeError, match="at work"):
        grade(small / "submitted", limits=QUICK)


@pytest.mark.parametrize("text", ["", "3", "0/3", "4/3", "1/0", "a/b", "1/3/5", "-1/3"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(GradeError, match="3/8"):
        Shard.parse(text)


def test_a_result_survives_the_journal(tmp_path: Path) -> None:
    report = Report(
        "relu_forward",
        "03_activations",
        "wrong",
        0.5,
        1.0,
        (Finding("relu_forward.sign", "wrong", "The sign\n„is“ wrong", "out", "why", "remedy"),),
        ("a remark",),
        "printed",
    )
    stored = SubmissionResult("ann", CHAPTER, (report,), ("odd",), True, ("open",), level=2)
    with Journal(tmp_path / "journal") as journal:
        journal.add(stored, "work")
        entry = journal.find(Handed("ann", CHAPTER, tmp_path), "work")
        assert entry is not None and entry.result == stored and not entry.booked
        assert journal.find(Handed("ann", CHAPTER, tmp_path), "other work") is None
        journal.mark_booked([stored])
        entry = journal.find(Handed("ann", CHAPTER, tmp_path), "work")
        assert entry is not None and entry.booked


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"timestamp": 3}', "null", '{"reports": [1]}'])
def test_what_is_not_a_result_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        SubmissionResult.from_json(text)


def test_a_fingerprint_follows_what_is_read(tmp_path: Path) -> None:
    handed = Handed("ann", CHAPTER, tmp_path)
    seen = {fingerprint(handed, "rules")}
    (tmp_path / "a.ipynb").write_text("{}")
    seen.add(fingerprint(handed, "rules"))
    (tmp_path / "notes.txt").write_text("not read")
    assert fingerprint(handed, "rules") in seen
    (tmp_path / "a.ipynb").write_text("[]")
    seen.add(fingerprint(handed, "rules"))
    (tmp_path / "timestamp.txt").write_text("2026-01-01")
    seen.add(fingerprint(handed, "rules"))
    os.symlink("/etc/passwd", tmp_path / "b.ipynb")
    seen.add(fingerprint(handed, "rules"))
    os.mkfifo(tmp_path / "c.ipynb")  # must not be opened: that would wait for ever
    seen.add(fingerprint(handed, "rules"))
    seen.add(fingerprint(handed, "other rules"))
    assert len(seen) == 7


KILLS = 100 if os.environ.get("GRADER_DEEP") else 4


def test_killed_at_any_moment_and_continued_gives_the_same(small: Path, tmp_path: Path) -> None:
    """Kill the whole grading, run after run, at random moments; then let one finish."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    moment = random.Random(seed)
    undisturbed = Path(shutil.copytree(small, tmp_path / "undisturbed"))
    whole = json_of(undisturbed)
    wanted = outcome(undisturbed)
    for _ in range(KILLS):
        run = start(small)
        time.sleep(moment.uniform(0.3, 6.0))
        run.send_signal(signal.SIGKILL)
        run.wait()
        if run.returncode == 0 and moment.random() < 0.3:  # all done: begin again
            for name in ("autograded", "feedback"):
                shutil.rmtree(small / name)
            for name in ("gradebook.db", JOURNAL_FILE):
                (small / name).unlink()
    assert json_of(small) == whole
    assert outcome(small) == wanted


def start(root: Path, *words: str) -> subprocess.Popen[bytes]:
    program = "from grader.cli import main; main()"
    command = [sys.executable, "-c", program, "grade", str(root / "submitted"), *words]
    silent = subprocess.DEVNULL
    return subprocess.Popen(command, stdout=silent, stderr=silent, stdin=silent)


def json_of(root: Path) -> list[dict[str, Any]]:
    place = root / "all.jsonl"
    assert start(root, "--json", str(place)).wait() == 0
    lines = place.read_text("utf-8").splitlines()
    place.unlink()
    return [json.loads(line) for line in lines]
