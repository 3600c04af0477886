"""The `grader` command: 0 all well, 1 findings, 2 wrong use, and one sentence on stderr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grader import cli, course, notebook
from grader.exercises import all_exercises
from grader.store import FOLDER

ROOT = Path(__file__).resolve().parents[2]
NP = "import numpy as np\n"
RIGHT = NP + "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(-x))\n    return out, out\n"
WRONG = RIGHT.replace("-x", "x")
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")


@pytest.fixture
def grader(monkeypatch, capsys, tmp_path):
    """`code, out, err = grader("check", path)`, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notebook, "_stores", {})

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["grader", *map(str, words)])
        capsys.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code or 0
        out, err = capsys.readouterr()
        return code, out, err

    return run


def one_sentence(result, *parts):
    """Wrong use: exit code 2, nothing on stdout, one line on stderr and no traceback."""
    code, out, err = result
    assert (code, out) == (2, ""), result
    assert err.startswith("grader: ") and err.count("\n") == 1, err
    assert "Traceback" not in err
    for part in parts:
        assert part in err


# --- check -----------------------------------------------------------------------------------


@forks
def test_check_of_a_right_file_is_0_and_of_a_wrong_one_1(grader, tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "wrong.py").write_text(WRONG)
    code, out, err = grader("check", "right.py")
    assert code == 0 and "✓ sigmoid_forward: passed (2/2 points)" in out and err == ""
    code, out, err = grader("check", "right.py", "wrong.py")
    assert code == 1 and "✗ sigmoid_forward: wrong (0/2 points)" in out and err == ""


@forks
def test_check_prints_one_json_array(grader, tmp_path):
    (tmp_path / "right.py").write_text(RIGHT)
    (tmp_path / "empty.ipynb").write_text("")
    code, out, err = grader("check", "--json", "right.py", "empty.ipynb")
    data = json.loads(out)
    assert (
        code == 1 and err == "" and [item["path"] for item in data] == ["right.py", "empty.ipynb"]
    )
    assert data[0]["exercises"][0]["outcome"] == "passed"
    assert data[1]["exercises"] == [] and data[1]["message"].startswith("The notebook is empty")


@forks
@pytest.mark.parametrize(
    "name, content, said",
    [
        ("empty.ipynb", "", "The notebook is empty"),
        ("broken.ipynb", "{", "not valid JSON"),
        ("old.ipynb", '{"worksheets": []}', "not a notebook of format 4"),
        ("other.py", "x = 1", "No exercise of the course is defined here."),
        ("syntax.py", "def f(:", "Line 1 is not valid Python"),
    ],
)
def test_a_file_without_work_is_a_finding_told_in_a_sentence(grader, tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    code, out, err = grader("check", name)
    assert code == 1 and said in out and err == ""
    assert len(out.strip().splitlines()) == 2


@forks
def test_check_of_a_folder_takes_the_files_in_it(grader, tmp_path):
    (tmp_path / "class" / ".ipynb_checkpoints").mkdir(parents=True)
    (tmp_path / "class" / "a.py").write_text(RIGHT)
    (tmp_path / "class" / "notes.txt").write_text("x")
    (tmp_path / "class" / ".ipynb_checkpoints" / "a.py").write_text(WRONG)
    code, out, _ = grader("check", "--json", "class")
    assert code == 0 and [item["path"] for item in json.loads(out)] == ["class/a.py"]


@forks
def test_check_takes_one_exercise_a_level_and_a_seed(grader, tmp_path):
    (tmp_path / "a.py").write_text(WRONG)
    options = ("--exercise", "sigmoid_forward", "--feedback", "full", "--seed", "5")
    code, out, _ = grader("check", "a.py", *options)
    assert code == 1 and "The exponent is -x." in out


def test_check_with_bad_input_is_wrong_use(grader, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "a.py").write_text(RIGHT)
    one_sentence(grader("check", "nowhere.py"), "no file 'nowhere.py'")
    one_sentence(grader("check", "nowhere/"), "nowhere/")
    one_sentence(grader("check", "empty"), "The folder 'empty' holds no .py file and no notebook.")
    one_sentence(
        grader("check", "a.py", "--exercise", "sigmoid_foward"), "Did you mean 'sigmoid_forward'"
    )
    one_sentence(
        grader("check", "a.py", "--feedback", "loud"), "verdict, diagnosis, full", "'loud'"
    )


# --- exercises, progress, start, reset -------------------------------------------------------


def test_exercises_lists_all_or_those_of_one_chapter(grader):
    code, out, _ = grader("exercises")
    assert code == 0
    assert all(f"  {exercise.name}" in out for exercise in all_exercises())
    code, out, _ = grader("exercises", "02")
    assert code == 0 and out.startswith("02_backprop: Backpropagation\n") and "relu" not in out
    one_sentence(grader("exercises", "bakprop"), "Did you mean '02_backprop'")


def test_start_makes_the_working_copy_and_never_overwrites(grader, tmp_path):
    code, out, err = grader("start", tmp_path / "mine")
    assert code == 0 and err == "" and "notebooks copied to" in out
    path = tmp_path / "mine" / "02_backprop" / "02_backprop_exercises.ipynb"
    path.write_text("my work")
    assert grader("start", tmp_path / "mine")[:2] == (0, "Nothing to copy.\n")
    assert path.read_text() == "my work"


def test_reset_restores_and_keeps_the_old_one(grader, tmp_path, monkeypatch):
    grader("start", tmp_path / "my_course")
    monkeypatch.chdir(tmp_path / "my_course")
    code, out, _ = grader("reset", "sigmoid_forward")
    assert code == 0 and out.startswith("sigmoid_forward is as at the start, in ")
    assert "The notebook as it was: " in out
    before = sorted(p for p in tmp_path.rglob("*") if p.is_file())
    one_sentence(grader("reset", "sigmoid_foward"), "Did you mean 'sigmoid_forward'")
    assert sorted(p for p in tmp_path.rglob("*") if p.is_file()) == before


def test_reset_without_a_working_copy_says_how_to_make_one(grader, monkeypatch, tmp_path):
    from grader import workspace

    monkeypatch.setattr(workspace, "default_folder", lambda: tmp_path / "my_course")
    one_sentence(grader("reset", "sigmoid_forward"), "`grader lab` makes one")


def test_progress_reads_the_working_copy(grader, tmp_path):
    grader("start", tmp_path / "my_course")
    from grader.store import Store

    Store(tmp_path / "my_course").record("sigmoid_forward", "passed", 2.0)
    code, out, _ = grader("progress", "02")
    assert code == 0 and "✓ done  sigmoid_forward  2/2" in out
    assert grader("progress")[0] == 0
    one_sentence(grader("progress", "77"), "no chapter called '77'")
    assert (tmp_path / "my_course" / FOLDER).is_dir()


def test_start_into_a_place_that_is_a_file_is_a_sentence(grader, tmp_path):
    (tmp_path / "taken").write_text("x")
    one_sentence(grader("start", tmp_path / "taken"), "taken")


# --- build -----------------------------------------------------------------------------------


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    place = tmp_path / "checkout"
    for folder in ("solutions", "course"):
        shutil.copytree(ROOT / folder / "02_backprop", place / folder / "02_backprop")
    monkeypatch.setattr(course, "prove", lambda exercise: [])
    course.Course(place).build()
    monkeypatch.chdir(place)
    return place


def test_build_writes_what_changed_and_check_fails_on_drift(grader, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    assert grader("build") == (0, "Everything was up to date.\n", "")
    assert grader("build", "--check")[:2] == (0, "No drift, no leak; every proof holds.\n")
    text = checkout / "solutions" / "02_backprop" / "02_backprop_lesson.md"
    text.write_text(text.read_text("utf-8") + "\nMore.\n", "utf-8")
    code, out, err = grader("build", "--check", "02")
    assert code == 1 and out.endswith("2 problems.\n") and err == ""
    code, out, _ = grader("build", "backprop")
    assert code == 0 and out.endswith("2 files changed.\n")
    assert "wrote solutions/02_backprop/02_backprop_lesson.ipynb" in out


def test_a_build_that_fails_is_a_sentence_and_writes_nothing(grader, checkout, monkeypatch):
    monkeypatch.chdir(checkout)
    text = checkout / "solutions" / "02_backprop" / "02_backprop_exercises.md"
    text.write_text(
        text.read_text("utf-8") + "\n```{code-cell}\n:tags: [exercise]\n\nx = 1\n```\n", "utf-8"
    )
    before = {p: p.read_bytes() for p in checkout.rglob("*.ipynb")}
    one_sentence(grader("build"), "02_backprop_exercises.md: an exercise cell holds one line")
    one_sentence(grader("build", "--check"), "an exercise cell holds one line")
    one_sentence(grader("build", "bakprop"), "Did you mean '02_backprop'")
    assert {p: p.read_bytes() for p in checkout.rglob("*.ipynb")} == before


# --- the command itself ----------------------------------------------------------------------


def test_lab_fills_the_working_copy_and_opens_jupyterlab_on_it(grader, monkeypatch, tmp_path):
    from grader import workspace

    called = []
    monkeypatch.setattr(workspace, "default_folder", lambda: tmp_path / "my_course")
    monkeypatch.setattr(os, "execvpe", lambda *words: called.append(words))
    code, out, _ = grader("lab", "--no-browser", "--port", "8899")
    assert code == 0 and "They are yours to change." in out
    ((program, command, environment),) = called
    assert program == sys.executable and command[1:4] == ["-m", "jupyter", "lab"]
    assert command[-3:] == ["--no-browser", "--port", "8899"]
    assert f"--ServerApp.root_dir={tmp_path / 'my_course'}" in command
    assert "jupyterlab.NeverCheckForUpdate" in " ".join(command)
    assert environment["OPENBLAS_NUM_THREADS"] == "1"


def test_the_installed_command_explains_itself():
    command = Path(sys.executable).with_name("grader")
    done = subprocess.run([command, "--help"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0
    for name in ("lab", "start", "reset", "progress", "exercises", "build", "check"):
        assert f"  {name} " in done.stdout


@pytest.mark.parametrize("words", [["nonsense"], ["check"], ["check", "--sed", "1", "a.py"]])
def test_wrong_use_is_exit_code_2_on_stderr(grader, words):
    code, out, err = grader(*words)
    assert code == 2 and out == "" and err and "Traceback" not in err


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of a shell")
def test_a_reader_who_leaves_early_is_no_error():
    command = f"{Path(sys.executable).with_name('grader')} exercises | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0 and done.stderr == "" and len(done.stdout.splitlines()) == 1
