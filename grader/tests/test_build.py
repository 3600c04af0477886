"""From text to notebooks: the same bytes every time, nothing leaked, everything in its place."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator

from grader import build
from grader.build import BEGIN, END, BuildError, build_text, marked, source_of, stub_of, to_bytes
from grader.exercise import Chapter
from grader.exercises import UnknownName, get
from grader.given import sources_before

ROOT = Path(__file__).resolve().parents[2]
TEXTS = sorted((ROOT / "solutions").glob("*/*.md"))
CODE = "```{code-cell}\n%s\n```\n"
HEAD = "# Toys\n\n"


@pytest.fixture(scope="module")
def built():
    made = {}

    def get_built(path):
        if path not in made:
            made[path] = build_text(path)
        return made[path]

    return get_built


@pytest.fixture
def text(tmp_path):
    """Build a text of the test's own: `text("...", stem="98_toys_exercises")`."""

    def write(body, stem="02_backprop_exercises"):
        path = tmp_path / f"{stem}.md"
        path.write_text(HEAD + body, "utf-8")
        return build_text(path)

    return write


def tagged(tag, body):
    return CODE % f":tags: [{tag}]\n\n{body}"


def exercise_cell(name="sigmoid_forward"):
    return tagged("exercise", f"from grader.exercises.backprop import {name}")


@pytest.fixture(params=TEXTS, ids=lambda path: path.stem)
def path(request):
    return request.param


# --- every notebook of the course ------------------------------------------------------------


def test_the_built_files_are_those_in_the_checkout(path, built):
    solved, course = path.with_suffix(".ipynb"), ROOT / "course" / path.parent.name
    for made, place in [("solved", solved), ("course", course / f"{path.stem}.ipynb")]:
        assert to_bytes(built(path)[made]) == place.read_bytes(), f"{place}: run `grader build`"


def test_another_process_with_another_hash_seed_builds_the_same_bytes(built):
    code = (
        "import hashlib, sys; from pathlib import Path; from grader.build import *\n"
        "for p in sys.argv[1:]:\n"
        "    for k, n in build_text(Path(p)).items():\n"
        "        print(hashlib.sha256(to_bytes(n)).hexdigest())"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "99", "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", code, *map(str, TEXTS)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    mine = [
        hashlib.sha256(to_bytes(notebook)).hexdigest()
        for path in TEXTS
        for notebook in built(path).values()
    ]
    assert done.stdout.split() == mine


def test_cell_ids_are_unique_and_valid(path, built):
    for notebook in built(path).values():
        ids = [cell.id for cell in notebook.cells]
        assert len(set(ids)) == len(ids)
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", name) for name in ids)


def test_notebooks_are_valid_and_nbgraders_metadata_too(path, built):
    for notebook in built(path).values():
        nbformat.validate(notebook)
        MetadataValidator().validate_nb(notebook)
        again = nbformat.reads(to_bytes(notebook).decode(), as_version=4)
        assert again == notebook


def test_grade_ids_are_unique_and_check_cells_are_locked(path, built):
    for kind, notebook in built(path).items():
        marks = [c.metadata["nbgrader"] for c in notebook.cells if "nbgrader" in c.metadata]
        names = [mark["grade_id"] for mark in marks]
        assert len(set(names)) == len(names)
        for mark in marks:
            if mark["grade"] and not mark["solution"]:
                assert mark["locked"] and mark["points"] == get(mark["grade_id"]).points
            if kind == "course" and mark["solution"]:
                assert not mark["locked"]


def test_no_notebook_holds_an_output_or_an_execution_count(path, built):
    for notebook in built(path).values():
        for cell in notebook.cells:
            if cell.cell_type == "code":
                assert cell.outputs == [] and cell.execution_count is None


def test_learners_notebooks_hold_stubs_and_no_answers(path, built):
    if not path.stem.endswith("_exercises"):
        pytest.skip("a lesson")
    notebook = built(path)["course"]
    seen = 0
    for cell in notebook.cells:
        assert BEGIN not in cell.source and END not in cell.source
        mark = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code" or not mark.get("solution"):
            continue
        seen += 1
        exercise = get(mark["grade_id"].removesuffix("-answer"))
        if exercise.stub is not None or exercise.kind == "quiz":
            assert cell.source.strip() == stub_of(exercise).strip()
        else:
            assert "# YOUR CODE HERE" in cell.source
            assert "raise NotImplementedError()" in cell.source
            ast.parse(cell.source)
    assert seen == len(re.findall(r"tags: \[exercise\]", path.read_text("utf-8")))


def test_the_docstring_of_an_answer_is_the_task_and_stays_in_the_stub(path, built):
    for cell in built(path)["course"].cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        if name.endswith("-answer") and get(name.removesuffix("-answer")).kind == "function":
            functions = [n for n in ast.parse(cell.source).body if isinstance(n, ast.FunctionDef)]
            assert ast.get_docstring(functions[-1])


def test_given_code_is_shown_and_can_not_be_deleted(path, built):
    names = re.findall(r"\[given\]\n\nfrom grader\.exercises\.\w+ import (\w+)", path.read_text())
    for name in names:
        cells = [c for c in built(path)["course"].cells if c.source == source_of(get(name).answer)]
        assert len(cells) == 1
        assert cells[0].metadata.deletable is False and cells[0].metadata.editable is False


def test_the_overview_adds_up(path, built):
    if "[overview]" not in path.read_text("utf-8"):
        pytest.skip("no overview")
    cells = built(path)["solved"].cells
    source = next(cell.source for cell in cells if cell.source.startswith("| | exercise |"))
    rows = [[part.strip(" *") for part in row.split("|")[1:-1]] for row in source.splitlines()[2:]]
    *tasks, quiz, total = rows
    core = [row for row in [*tasks, quiz] if "bonus" not in row[4]]
    assert float(total[4]) == sum(float(row[4]) for row in core)
    assert int(total[3]) == sum(int(row[3]) for row in core)
    graded = [c.metadata.get("nbgrader", {"grade": False}) for c in cells]
    by_machine = sum(m["points"] for m in graded if m["grade"] and not m["solution"])
    assert float(total[4]) == by_machine, "the overview counts what the machine grades"


def test_exercise_links_lead_to_a_notebook_that_exists(path, built):
    for notebook in built(path).values():
        text = "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")
        assert "{exercise}" not in text
        for target in re.findall(r"\]\((?!https?:|#|attachment:)([^)#\s]+)", text):
            source = (path.parent / target).with_suffix(".md")  # both folders mirror the texts
            assert source.resolve().exists(), target


def test_links_carry_the_numbers_of_the_headings(path, built):
    if not path.stem.endswith("_lesson"):
        pytest.skip("an exercise notebook")
    twin = path.with_name(path.name.replace("_lesson", "_exercises"))
    headings = "\n".join(c.source for c in built(twin)["solved"].cells)
    for cell in built(path)["solved"].cells:
        links = re.findall(r"\[Exercise ([\d.]+)\]\(\w+\.ipynb\)\*\* `(\w+)`", cell.source)
        for number, name in links:
            title = get(name).title or f"`{name}`"
            assert f"### Exercise {number} · {title}" in headings


def test_the_file_ends_in_one_newline_and_holds_no_machine_path(path, built):
    for notebook in built(path).values():
        content = to_bytes(notebook)
        assert content.endswith(b"}\n") and not content.endswith(b"\n\n")
        for place in (ROOT, Path.home()):
            assert f"{place}/".encode() not in content


# --- small texts -----------------------------------------------------------------------------


def test_an_exercise_becomes_heading_answer_and_check(text):
    heading, answer, check = text(exercise_cell())["solved"].cells[1:]
    assert heading.source.startswith("### Exercise 2.1 · `sigmoid_forward`\n\n●○○○○ · 5 minutes")
    assert answer.source == marked(get("sigmoid_forward"))
    assert check.source == 'check("sigmoid_forward").show()'
    assert check.metadata["nbgrader"]["points"] == 2


def test_an_optional_exercise_is_checked_but_not_graded(text):
    check = text(exercise_cell("Value"))["course"].cells[-1]
    assert check.source == 'check("Value").show()'
    assert "nbgrader" not in check.metadata and check.metadata.editable is False


def test_equal_cells_get_ids_with_a_suffix_and_other_cells_keep_theirs(text):
    one = [c.id for c in text(CODE % "x = 1" + CODE % "y = 2", "98_toys_lesson")["solved"].cells]
    two = [
        c.id
        for c in text(CODE % "x = 1" + CODE % "x = 1" + CODE % "y = 2", "98_toys_lesson")[
            "solved"
        ].cells
    ]
    assert two == [one[0], one[1], f"{one[1]}-2", one[2]]


def test_an_open_question_is_emptied_for_learners_and_keeps_its_points(text):
    body = '+++ {"tags": ["open-question"], "points": 3}\n\nThe model answer.\n'
    made = text(exercise_cell() + "\nWhy?\n\n" + body)
    solved, course = made["solved"].cells[-1], made["course"].cells[-1]
    assert solved.source == "The model answer."
    assert "model answer" not in course.source and course.cell_type == "markdown"
    assert course.metadata["nbgrader"]["points"] == 3


def test_outputs_of_the_text_and_foreign_metadata_are_dropped(text):
    made = text(CODE % ":tags: [hide-input]\n\n1", "98_toys_lesson")["solved"]
    assert made.cells[1].metadata == {"tags": ["hide-input"]}
    assert set(made.metadata) == {"kernelspec", "language_info", "title"}
    assert made.metadata.title == "Toys"


@pytest.mark.parametrize(
    "body, problem",
    [
        (tagged("exercise", "x = 1"), "an exercise cell holds one line"),
        (tagged("given", "import numpy"), "an exercise cell holds one line"),
    ],
)
def test_a_text_that_can_not_be_built_says_where_and_why(text, body, problem):
    with pytest.raises(BuildError, match=rf"02_backprop_exercises\.md.*{problem}"):
        text(body)


def test_an_unknown_exercise_in_the_text_is_named(text):
    with pytest.raises(UnknownName, match="Did you mean 'sigmoid_forward'"):
        text(exercise_cell("sigmoid_foward"))
    with pytest.raises(UnknownName):
        text("{exercise}`sigmoid_foward`", "98_toys_lesson")


def test_a_class_without_markers_can_not_be_built():
    chapter = Chapter("98_toys", "Toys")

    @chapter.exercise(points=1)
    class Toy:
        def f(self):
            return 1

    with pytest.raises(BuildError, match="Toy is a class: place '### BEGIN SOLUTION'"):
        marked(chapter.exercises[0])


def test_the_sources_given_to_a_submission_end_before_its_chapter():
    given = sources_before("02_backprop")
    assert "def affine_forward(" in given and "def sigmoid_forward(" not in given
    namespace: dict = {}
    exec(given, namespace)
    assert callable(namespace["affine_forward"])


def test_every_answer_cell_with_markers_is_valid_code_and_is_the_answer(path, built):
    for cell in built(path)["solved"].cells:
        mark = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and mark.get("solution"):
            ast.parse(cell.source)
            assert cell.source.count(BEGIN) == cell.source.count(END) >= 1


def test_writing_is_stable_under_reading(path, built):
    for notebook in built(path).values():
        content = to_bytes(notebook)
        assert to_bytes(nbformat.from_dict(json.loads(content))) == content
    assert build.KERNEL["name"] == "python3"
