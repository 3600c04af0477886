"""A whole class: the points it should get, the same ones again, in gradebook, notebooks, pages."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from grader.bulk import GradeError, table
from grader.bulk.course import open_course
from grader.bulk.demo import DUE, Expected, make_class
from grader.bulk.demo_kinds import KINDS
from grader.bulk.demo_maker import cell_of
from grader.bulk.grade import ClassResult, grade
from grader.bulk.gradebook import Book
from grader.bulk.result import SubmissionResult
from grader.exercises import get
from grader.expected import prepare
from grader.sandbox.client import Limits

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")

CHAPTER = "02_backprop"
NOTEBOOK = f"{CHAPTER}_exercises"
QUICK = Limits(cell_seconds=1.0, load_seconds=10.0)


@dataclass
class Graded:
    root: Path
    expected: dict[str, Expected]
    result: ClassResult
    before: dict[str, bytes]

    def of(self, kind: str) -> SubmissionResult:
        """The first submission of a kind."""
        name = next(name for name, e in self.expected.items() if e.kind == kind)
        return next(r for r in self.result.results if r.student == name)


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    """The demo class, graded with a secret seed of its own."""
    root = tmp_path_factory.mktemp("outside") / "class"
    expected = make_class(root, CHAPTER, students=30)
    before = contents(root / "submitted")
    return Graded(root, expected, grade(root / "submitted", limits=QUICK), before)


@pytest.fixture
def course(tmp_path: Path, root: Path) -> Callable[..., Path]:
    """A course root with one submission, in which the code of some answers is given."""

    def make(student: str = "eve", **answers: str) -> Path:
        notebook = json.loads((root / "course" / CHAPTER / f"{NOTEBOOK}.ipynb").read_text("utf-8"))
        for name, source in answers.items():
            cell_of(notebook, f"{name}-answer")["source"] = source
        place = tmp_path / "class" / "submitted" / student / CHAPTER
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{NOTEBOOK}.ipynb").write_text(json.dumps(notebook), "utf-8")
        return tmp_path / "class"

    return make


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows(root: Path, query: str, *values: Any) -> list[Any]:
    with sqlite3.connect(root / "gradebook.db") as db:
        return db.execute(query, values).fetchall()


SCORES = """select sa.student_id, c.name, g.auto_score, g.manual_score, g.needs_manual_grade, g.id
from grade g join base_cell c on g.cell_id = c.id join submitted_notebook n on g.notebook_id = n.id
join submitted_assignment sa on n.assignment_id = sa.id order by 1, 2"""
COMMENTS = """select sa.student_id, c.name, m.auto_comment, m.manual_comment, m.id
from comment m join base_cell c on m.cell_id = c.id join submitted_notebook n
on m.notebook_id = n.id join submitted_assignment sa on n.assignment_id = sa.id order by 1, 2"""


# --- points --------------------------------------------------------------------------------------


def test_every_submission_gets_the_points_it_should(graded: Graded) -> None:
    got = {r.student: {x.exercise: x.points for x in r.reports} for r in graded.result.results}
    wanted = {name: expected.points for name, expected in graded.expected.items()}
    assert got == wanted


def test_honest_work_gets_everything_and_stubs_get_nothing(graded: Graded) -> None:
    assert graded.of("all_right").points == graded.of("all_right").max_points == 26
    assert graded.of("stubs_left").points == 0
    for kind in ("sys_exit", "hard_exit", "endless_cell", "deleted_check", "renamed", "old_format"):
        assert graded.of(kind).points == 26, kind
    for kind in ("edited_check", "peeks", "always_equal", "redefined_later", "one_mistake"):
        assert graded.of(kind).points < 26, kind


def test_everything_odd_has_a_reason_and_the_right_ones_are_flagged(graded: Graded) -> None:
    for result in graded.result.results:
        expected = graded.expected[result.student]
        said = " ".join([*result.reasons, *map(str, result.reports)])
        assert all(words in said for words in expected.why), (expected.kind, said)
        assert result.review == expected.review, expected.kind


def test_all_kinds_of_submissions_are_in_the_class(graded: Graded) -> None:
    assert {expected.kind for expected in graded.expected.values()} == set(KINDS)


def test_results_are_ordered_and_the_same_again(graded: Graded) -> None:
    database = rows(graded.root, SCORES), rows(graded.root, COMMENTS)
    files = contents(graded.root / "feedback") | contents(graded.root / "autograded")
    again = grade(graded.root / "submitted", limits=QUICK, jobs=3, force=True)
    assert again.kept == 0
    assert [r.student for r in again.results] == sorted(graded.expected)
    assert again == graded.result
    assert list(table.json_lines(again)) == list(table.json_lines(graded.result))
    assert (rows(graded.root, SCORES), rows(graded.root, COMMENTS)) == database
    assert contents(graded.root / "feedback") | contents(graded.root / "autograded") == files


def test_submissions_are_left_alone_and_nothing_is_written_elsewhere(graded: Graded) -> None:
    assert contents(graded.root / "submitted") == graded.before
    assert [path.name for path in graded.root.parent.iterdir()] == ["class"]
    made = {path.name for path in graded.root.iterdir()}
    assert made == {
        *("submitted", "source", "autograded", "feedback", "gradebook.db"),
        *("nbgrader_config.py", ".grader_seed", ".grader_lock", ".grader_journal.db"),
    }


# --- secrets -------------------------------------------------------------------------------------


def secret_numbers(root: Path) -> set[str]:
    """Digits of every secret input and expected value, as anybody might print them."""
    seed = int((root / ".grader_seed").read_text())
    digits = set()
    for name in graded_names(root):
        if get(name).kind == "quiz":
            continue
        for item in prepare(get(name), seed):
            for value in [*floats(item.case.args), *floats(item.expected), *floats(item.dout)]:
                found = re.search(r"[1-9]\d{3}", f"{abs(value):.12f}".replace(".", ""))
                if value % 0.05 and found and len(set(found[0])) > 2:
                    digits.add(f"{abs(value):.6g}"[:6])
    return {d for d in digits if len(d) == 6 and "." in d and "e" not in d}


def graded_names(root: Path) -> list[str]:
    return [e.name for e in open_course(root / "submitted").assignment(CHAPTER).exercises]


def floats(value: Any) -> list[float]:
    if isinstance(value, dict):
        return [x for item in value.values() for x in floats(item)]
    if isinstance(value, (tuple, list)):
        return [x for item in value for x in floats(item)]
    if hasattr(value, "ravel"):
        return [float(x) for x in value.ravel()]
    return [value] if isinstance(value, float) else []


def written_for_learners(root: Path) -> str:
    """All that a learner may come to see, except for what they wrote themselves."""
    pages = [text.decode() for text in contents(root / "feedback").values()]
    comments = [str(row[2]) for row in rows(root, COMMENTS)]
    outputs = []
    for path in (root / "autograded").rglob("*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            outputs += [json.dumps(cell.get("outputs", ""), ensure_ascii=False)]
    return "\n".join([*pages, *comments, *outputs]).replace("−", "-")


def test_no_secret_value_and_no_path_is_in_the_feedback(graded: Graded) -> None:
    secrets = secret_numbers(graded.root)
    assert len(secrets) > 300
    text = written_for_learners(graded.root)
    assert [value for value in secrets if value in text] == []
    assert str(graded.root) not in text
    assert (graded.root / ".grader_seed").read_text().strip() not in text
    assert str(Path(__file__).parents[2]) not in text and "site-packages" not in text


SPIES = {
    "in a message": "raise ValueError(f'x is {x}')",
    "in an error's name": "raise type(str(float(x.ravel()[0])), (Exception,), {})('a')",
    "in an error's name and two colons": "raise type(f'A: {x.ravel()[0]}: b', (Exception,), {})(x)",
    "in prints": "print(x); return 1 / (1 + np.exp(-x)), x",
    "in warnings": "import warnings; warnings.warn(str(x)); return x, x",
    "in the name of a type": "return type(f'T{x.ravel()[0]}', (), {})()",
    "in a text": "return str(x), x",
    "in a quiz answer": "globals()['backprop_q1'] = str(x); return x, x",
    "in a numeric quiz answer": "globals()['backprop_q7'] = float(x.ravel()[0]); return x, x",
    "in a name that is missing": "exec(f'x{abs(x.ravel()[0]):.6f}'.replace('.', '_'))",
    "in the text of a line": (
        "import linecache; linecache.cache.update({k: (1, None, [str(x)] * 99, k) "
        "for k in [f'<cell {i}>' for i in range(60)]}); raise ValueError"
    ),
    "in keys": "return {str(x): 1}, x",
    "in an exit code": "import os; os._exit(int(abs(x.ravel()[0]) * 100) % 256)",
}


def test_a_spy_does_not_get_secret_inputs_into_the_feedback(course: Callable[..., Path]) -> None:
    for way, body in SPIES.items():
        root = course(way, sigmoid_forward=f"def sigmoid_forward(x):\n    {body}")
    result = grade(root / "submitted", limits=QUICK)
    assert len(result.results) == len(SPIES)
    text = written_for_learners(root)
    for item in prepare(get("sigmoid_forward"), int((root / ".grader_seed").read_text())):
        for value in floats(item.case.args):
            short = f"{abs(value):.4f}"
            assert short not in text and short.replace(".", "_") not in text


def test_the_public_seed_shows_the_evidence(course: Callable[..., Path]) -> None:
    root = course(sigmoid_forward="def sigmoid_forward(x):\n    return x + 1, x")
    result = grade(root / "submitted", seed="public", limits=QUICK)
    assert not result.secret
    assert not (root / ".grader_seed").exists()
    assert result.results[0].reports[0].outcome == "wrong"
    assert "expected" in written_for_learners(root) and "<table" in written_for_learners(root)


def test_learners_text_is_escaped(course: Callable[..., Path]) -> None:
    source = "def sigmoid_forward(x):\n    raise ValueError('<script>alert(1)</script>')"
    root = course(sigmoid_forward=source, sgd_step="raise Exception('<img src=x onerror=y>')")
    grade(root / "submitted", seed="public", limits=QUICK)
    html = (root / "feedback" / "eve" / CHAPTER / f"{NOTEBOOK}.html").read_text("utf-8")
    assert "<script" not in html and "<img" not in html
    assert "&lt;script&gt;" in html and "&lt;img" in html


# --- time ----------------------------------------------------------------------------------------


def test_a_submission_has_a_time_of_its_own_and_the_rest_is_not_checked(
    course: Callable[..., Path],
) -> None:
    slow = "import time\ndef {0}(*args):\n    while True:\n        pass"
    names = ("sigmoid_forward", "affine_backward", "two_layer_gradients", "sgd_step")
    root = course(**{name: slow.format(name) for name in names})
    result = grade(root / "submitted", limits=QUICK, seconds=1.5)
    (one,) = result.results
    assert one.points == 0
    assert one.seconds < 8
    assert "used up its 2 s" in " ".join(str(report) for report in one.reports)


# --- gradebook -----------------------------------------------------------------------------------


def test_the_gradebook_holds_the_points_and_comments(graded: Graded) -> None:
    scores = {(row[0], row[1]): row for row in rows(graded.root, SCORES)}
    comments = {(row[0], row[1]): row[2] for row in rows(graded.root, COMMENTS)}
    for result in graded.result.results:
        for report in result.reports:
            assert scores[result.student, report.exercise][2] == report.points
            assert comments[result.student, f"{report.exercise}-answer"] == report.comment()
        answered = "backprop_open" in result.answered
        assert scores[result.student, "backprop_open"][2:5:2] == ((None, 1) if answered else (0, 0))
    flagged = rows(
        graded.root,
        "select sa.student_id from submitted_notebook n join submitted_assignment sa "
        "on n.assignment_id = sa.id where n.flagged order by 1",
    )
    assert [name for (name,) in flagged] == [r.student for r in graded.result.to_review]


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A class of five, graded with the public seed."""
    root = tmp_path_factory.mktemp("five") / "class"
    make_class(root, CHAPTER, students=5)
    grade(root / "submitted", seed="public", limits=QUICK)
    return root


@pytest.fixture
def small(five: Path, tmp_path: Path) -> Path:
    """The same in a folder of the test's own."""
    return Path(shutil.copytree(five, tmp_path / "class"))


def opened(root: Path) -> Any:
    return Book(open_course(root / "submitted"))._book


def test_manual_scores_comments_and_due_dates_survive_a_regrade(small: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(small) as book:
            grades = {
                name: book.find_grade(name, NOTEBOOK, CHAPTER, "ada")
                for name in ("backprop_open", "sgd_step")
            }
            grades["backprop_open"].manual_score = 2.5
            grades["sgd_step"].manual_score = 1.0
            grades["sgd_step"].extra_credit = 0.5
            for grade_row in grades.values():
                grade_row.needs_manual_grade = False
            comment = book.find_comment("sgd_step-answer", NOTEBOOK, CHAPTER, "ada")
            comment.manual_comment = "See me."
            book.update_or_create_assignment(CHAPTER, duedate=DUE)
            book.db.commit()
        result = grade(small / "submitted", seed="public", limits=QUICK)
        with opened(small) as book:
            kept = book.find_grade("sgd_step", NOTEBOOK, CHAPTER, "ada")
            assert (kept.auto_score, kept.manual_score, kept.extra_credit) == (2.0, 1.0, 0.5)
            assert not kept.needs_manual_grade
            assert kept.score == 1.5
            kept = book.find_grade("backprop_open", NOTEBOOK, CHAPTER, "ada")
            assert (kept.auto_score, kept.manual_score, kept.needs_manual_grade) == (
                None,
                2.5,
                False,
            )
            comment = book.find_comment("sgd_step-answer", NOTEBOOK, CHAPTER, "ada")
            assert comment.comment == "See me."
            assert book.find_submission(CHAPTER, "ada").score == 26 - 2 + 1.5 + 2.5
    assert all(one.seconds_late == 0 for one in result.results)


def test_a_late_submission_is_told_and_the_courses_own_rule_applies(small: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with opened(small) as book:
            book.update_or_create_assignment(CHAPTER, duedate=DUE)
        late = DUE + datetime.timedelta(hours=2)
        stamp = small / "submitted" / "ada" / CHAPTER / "timestamp.txt"
        stamp.write_text(f"{late:%Y-%m-%d %H:%M:%S} UTC\n")
        with open(small / "nbgrader_config.py", "a") as config:
            config.write('c.LateSubmissionPlugin.penalty_method = "zero"\n')
        result = grade(small / "submitted", seed="public", limits=QUICK)
        assert [one.seconds_late for one in result.results] == [7200, 0, 0, 0, 0]
        with opened(small) as book:
            assert book.find_submission(CHAPTER, "ada").late_submission_penalty == 26
            assert book.find_submission(CHAPTER, "ada").timestamp == late


def test_a_gradebook_of_another_notebook_is_refused(small: Path) -> None:
    with sqlite3.connect(small / "gradebook.db") as db:
        db.execute("update base_cell set name = 'old_one' where name = 'sgd_step'")
    with pytest.raises(GradeError, match="old_one"):
        grade(small / "submitted", seed="public", limits=QUICK)


def test_a_file_that_is_no_gradebook_is_named(course: Callable[..., Path]) -> None:
    root = course()
    (root / "gradebook.db").write_bytes(b"this is not a database" * 100)
    with pytest.raises(GradeError, match="cannot be used"):
        grade(root / "submitted", limits=QUICK)


def test_what_was_graded_before_a_stop_is_kept(course: Callable[..., Path]) -> None:
    root = course()
    for name in ("adam", "bert"):
        shutil.copytree(root / "submitted" / "eve", root / "submitted" / name)

    def stop(done: int, total: int, result: SubmissionResult) -> None:
        assert total == 3
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade(root / "submitted", progress=stop, jobs=1, limits=QUICK)
    # the third was in the journal already when the run was stopped
    assert {row[0] for row in rows(root, SCORES)} == {"adam", "bert", "eve"}


# --- tables --------------------------------------------------------------------------------------


def test_the_summary_names_learners_exercises_and_common_mistakes(graded: Graded) -> None:
    console = Console(width=160, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(table.summary(graded.result))
    text = console.export_text()
    assert all(name in text for name in graded.expected)
    assert all(name in text for name in graded_names(graded.root))
    assert "unusable" in text and "review" in text and "secret seed" in text


def test_json_lines_hold_one_exercise_each(graded: Graded) -> None:
    lines = [json.loads(line) for line in table.json_lines(graded.result)]
    assert len(lines) == 30 * 15
    assert set(lines[0]) >= {"student", "assignment", "exercise", "outcome", "points", "findings"}
    points = sum(line["points"] for line in lines)
    assert points == pytest.approx(sum(e.total for e in graded.expected.values()))


# --- nbgrader itself -----------------------------------------------------------------------------


def nbgrader(root: Path, *words: str) -> str:
    bin_folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{bin_folder}{os.pathsep}{os.environ['PATH']}"}
    environment["JUPYTER_CONFIG_DIR"] = str(root / "no_config")
    environment["IPYTHONDIR"] = str(root / "no_ipython")
    done = subprocess.run(
        [str(bin_folder / "nbgrader"), *words],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


def test_nbgraders_own_autograde_gives_the_same_points(tmp_path: Path) -> None:
    root = tmp_path / "class"
    expected = make_class(root, CHAPTER, students=4)
    noisy = list(KINDS).index("noisy")
    more = make_class(tmp_path / "more", CHAPTER, students=noisy + 1)
    name = next(n for n, e in more.items() if e.kind == "noisy")
    shutil.copytree(tmp_path / "more" / "submitted" / name, root / "submitted" / name)
    expected[name] = more[name]
    assert {"all_right", "one_mistake", "stubs_left", "half_done"} <= {
        e.kind for e in expected.values()
    }
    ours = grade(root / "submitted", seed="public", limits=QUICK)
    mine = {(row[0], row[1]): row[2] for row in rows(root, SCORES)}
    assert mine["ada", "sgd_step"] == 2
    (root / "gradebook.db").unlink()
    shutil.rmtree(root / "autograded")
    course = open_course(root / "submitted")
    with Book(course) as book:  # an empty gradebook that knows the assignment
        book.prepare(course.assignment(CHAPTER))
    nbgrader(root, "autograde", CHAPTER)
    theirs = {(row[0], row[1]): row[2] for row in rows(root, SCORES)}
    assert theirs == mine
    assert len(ours.results) == len(expected)


def test_formgrader_finds_every_submission(small: Path) -> None:
    from nbgrader.apps.api import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    course = open_course(small / "submitted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        api = NbGraderAPI(CourseDirectory(config=course.config))
        (about,) = api.get_assignments()
        found = api.get_submissions(CHAPTER)
        notebooks = api.get_notebook_submissions(CHAPTER, NOTEBOOK)
    assert about["num_submissions"] == 5
    assert {one["student"]: one["score"] for one in found}["ada"] == 26
    assert all(one["autograded"] for one in found)
    assert len(notebooks) == 5


def test_nbgraders_export_and_feedback_accept_the_result(small: Path) -> None:
    nbgrader(small, "export", "--to", "grades.csv")
    lines = (small / "grades.csv").read_text().splitlines()
    scores = {line.split(",")[3]: float(line.split(",")[9]) for line in lines[1:]}
    assert scores["ada"] == 26
    assert scores["alonzo"] == 0
    nbgrader(small, "generate_feedback", CHAPTER, "--force")
    html = (small / "feedback" / "alan" / CHAPTER / f"{NOTEBOOK}.html").read_text("utf-8")
    assert "Score:" in html
    assert 'class="nnbh"' in html
    # the page stands at the check cell of each exercise
    assert html.count('class="nnbh"') == 15
