"""`check`, `hint`, `progress`, `compare` as a learner meets them: in cells of a kernel."""

from __future__ import annotations

import json

import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell

from grader import notebook
from grader.exercises import get
from grader.store import FILE, FOLDER

RIGHT = "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(-x))\n    return out, out"
WRONG = RIGHT.replace("-x", "x")
START = "import numpy as np\nfrom grader import check, compare, hint, progress"


class Kernel:
    """Cells run one after the other, as in a notebook."""

    def __init__(self, shell):
        self.shell = shell

    def __call__(self, *cells):
        result = None
        for cell in cells:
            done = self.shell.run_cell(cell, store_history=True)
            done.raise_error()
            result = done.result
        return result


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working copy, and no store of another test."""
    (tmp_path / FOLDER).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(notebook, "_stores", {})
    return tmp_path


@pytest.fixture
def kernel(place, monkeypatch, tmp_path):
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    shell = InteractiveShell.instance()
    shell.history_manager.enabled = False
    run = Kernel(shell)
    run(START)
    yield run
    InteractiveShell.clear_instance()


def restart(monkeypatch):
    monkeypatch.setattr(notebook, "_stores", {})


# --- check -----------------------------------------------------------------------------------


def test_a_function_is_checked_by_itself_and_by_name(kernel):
    for what in ("sigmoid_forward", "'sigmoid_forward'"):
        assert kernel(RIGHT, f"check({what})").passed
        assert kernel(WRONG, f"check({what})").outcome == "wrong"


def test_a_cell_that_runs_again_is_checked_as_it_is_now(kernel):
    kernel(WRONG)
    assert kernel("check('sigmoid_forward').points") == 0.0
    assert kernel(RIGHT, "check('sigmoid_forward').points") == 2.0
    assert kernel(WRONG, "check(sigmoid_forward).points") == 0.0


def test_a_backward_finds_its_forward_in_the_notebook(kernel):
    back = "def sigmoid_backward(dout, cache):\n    x, a = cache\n    return dout * a * (1 - a)"
    forward = RIGHT.replace("return out, out", "return out, (x, out)")
    assert kernel(forward, back, "check(sigmoid_backward)").passed


def test_a_stub_and_a_missing_cell_score_zero_without_a_traceback(kernel):
    assert kernel("type(check('sigmoid_forward').show())") is float
    assert kernel("check('sigmoid_forward').show()") == 0.0
    kernel("def sigmoid_forward(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert kernel("check('sigmoid_forward').show()") == 0.0


def test_a_check_cell_writes_nothing_to_stderr(kernel, capsys):
    noisy = RIGHT.replace("    out", "    import warnings; warnings.warn('w')\n    out", 1)
    kernel(noisy)
    capsys.readouterr()
    assert kernel("check('sigmoid_forward').show()") == 2.0
    assert capsys.readouterr().err == ""


def test_an_unknown_name_gets_a_note_and_scores_zero(kernel):
    assert "Did you mean 'sigmoid_forward'" in kernel("str(check('sigmoid_foward'))")
    value = kernel("check('sigmoid_foward').show()")
    assert type(value) is float and value == 0.0
    assert "nearest" not in kernel("def relu(x): return x", "str(check(relu))")


@pytest.mark.parametrize("thing", ["3", "None", "np.ones(3)", "[1]", "functools.partial(max)"])
def test_what_has_no_name_gets_a_note(kernel, thing):
    note = kernel("import functools", f"str(check({thing}))")
    assert note.startswith("check takes a function or the name of an exercise, not a ")


def test_an_array_with_a_hostile_name_is_no_problem(kernel):
    note = kernel("class T:\n    __name__ = 3", "str(check(T()))")
    assert "not a T" in note


def test_a_function_renamed_by_import_is_checked_under_its_own_name(kernel):
    assert kernel(RIGHT, "mine = sigmoid_forward\ndel sigmoid_forward", "check(mine)").passed


def test_a_learner_may_rename_our_functions(kernel):
    assert kernel("from grader import check as c", RIGHT, "c(sigmoid_forward)").passed


def test_the_kernel_survives_an_answer_that_leaves_or_never_ends(kernel):
    assert kernel("def sigmoid_forward(x): exit()", "check(sigmoid_forward)").outcome == "crashed"
    assert kernel("1 + 1") == 2
    kernel("def sigmoid_forward(x):\n    while True:\n        try: pass\n        except: pass")
    assert kernel("check(sigmoid_forward)").outcome == "timed_out"
    assert kernel("1 + 1") == 2


def test_the_learners_random_numbers_go_on_as_if_nothing_happened(kernel):
    drawing = RIGHT.replace("    out", "    np.random.rand(3)\n    out", 1)
    kernel(drawing, "np.random.seed(7)")
    undisturbed = np.random.RandomState(7).rand(4)
    first = kernel("np.random.rand(2)")
    kernel("check(sigmoid_forward)")
    assert np.array_equal([*first, *kernel("np.random.rand(2)")], undisturbed)


def test_the_learners_names_are_left_alone(kernel):
    kernel(RIGHT, "before = set(globals())", "check(sigmoid_forward)")
    more = kernel("set(globals()) - before - {'before'}")
    assert not {name for name in more if not name.startswith("_")}


def test_in_a_plain_module_the_callers_names_are_used(place):
    InteractiveShell.clear_instance()
    namespace = {"np": np, "check": notebook.check}
    exec(RIGHT + "\nreport = check('sigmoid_forward')", namespace)
    assert namespace["report"].passed


# --- hint, progress, compare -----------------------------------------------------------------


def test_hints_come_in_three_steps_and_the_last_points_to_the_solution(kernel):
    hints = get("affine_backward").hints
    for step in (1, 2, 3, 3):
        note = kernel("str(hint('affine_backward'))")
        assert note.startswith(f"Hint {step} of 3 for affine_backward\n")
        assert note.split("\n", 1)[1] == hints[step - 1].replace("`", "")
    assert "solutions/02_backprop" in note


def test_a_hint_is_asked_for_by_function_too_and_for_unknown_names_there_is_a_note(kernel):
    assert kernel(RIGHT, "str(hint(sigmoid_forward))").startswith("Hint 1 of 3")
    assert "Did you mean" in kernel("str(hint('sigmoid_foward'))")


def test_progress_shows_what_is_done_tried_and_open(kernel):
    wrong = "def affine_backward(dout, cache): return 1, 2, 3"
    kernel(RIGHT, "check(sigmoid_forward)", wrong, "check('affine_backward')", "check('sgd_step')")
    lines = kernel("str(progress('02'))").splitlines()
    total = len([e for e in get_chapter_exercises()])
    assert f"02 · Backpropagation: 1 of {total} done" in lines
    assert "  ✓ done  sigmoid_forward  2/2" in lines
    assert "  ◐ tried affine_backward  0/3" in lines
    assert "  ○ open  sgd_step  0/2" in lines
    assert "  ○ open  Value (optional)  0/4" in lines


def get_chapter_exercises():
    from grader.exercises import get_chapter

    return get_chapter("02").exercises


def test_progress_of_an_unknown_chapter_is_a_note(kernel):
    assert "There is no chapter called '77'" in kernel("str(progress('77'))")


def test_progress_is_kept_across_a_restart_of_the_kernel(kernel, place, monkeypatch):
    kernel(RIGHT, "check(sigmoid_forward)", "hint('sigmoid_forward')")
    restart(monkeypatch)
    assert "✓ done  sigmoid_forward  2/2" in kernel("str(progress('02'))")
    assert kernel("str(hint('sigmoid_forward'))").startswith("Hint 2 of 3")
    assert (place / FOLDER / "sources" / "sigmoid_forward.py").read_text("utf-8").strip() == RIGHT


def test_a_damaged_progress_file_is_set_aside_and_the_check_goes_on(kernel, place, monkeypatch):
    (place / FOLDER / FILE).write_text("{broken")
    restart(monkeypatch)
    assert kernel(RIGHT, "check(sigmoid_forward)").passed
    assert (place / FOLDER / "progress.damaged.json").read_text() == "{broken"
    assert json.loads((place / FOLDER / FILE).read_text())["sigmoid_forward"]["passed"]


def test_without_a_working_copy_a_check_writes_nothing(kernel, place, monkeypatch):
    (place / FOLDER).rmdir()
    restart(monkeypatch)
    before = sorted(place.rglob("*.json"))
    assert kernel(RIGHT, "check(sigmoid_forward)").passed
    assert sorted(place.rglob("*.json")) == before
    assert "Kept for this session only" in kernel("str(progress('02'))")


@pytest.mark.parametrize(
    "got, expected, said",
    [
        ("[1.0, 2.0]", "[1.0, 2.0]", "`value`: exactly equal."),
        ("np.array([1.0, 2 + 1e-12])", "[1.0, 2.0]", "approximately equal; the largest difference"),
        ("np.ones(3)", "np.ones((1, 3))", "`value` has shape (3,), expected (1, 3)."),
        ("np.array([1.0, 2.5])", "[1.0, 2.0]", "entry [1] is 2.5, expected 2"),
    ],
)
def test_compare_says_whether_and_where_two_values_differ(kernel, got, expected, said):
    assert said.replace("`", "") in kernel(f"str(compare({got}, {expected}))")


@pytest.mark.parametrize("expected", ["'text'", "{'a': 1}", "[[1], [2, 3]]"])
def test_compare_of_what_is_no_number_is_a_note(kernel, expected):
    assert "value" in kernel(f"str(compare(1.0, {expected}))")


def test_a_report_shows_itself_as_a_page_and_as_text(kernel):
    bundle = kernel(RIGHT, "check(sigmoid_forward)")._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    note = kernel("progress('02')")._repr_mimebundle_()
    assert set(note) == {"text/html", "text/plain"}
