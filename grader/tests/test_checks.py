"""From learner code to findings and points: every outcome, every layout of a cache."""

from __future__ import annotations

import dataclasses
import warnings
from collections import Counter

import numpy as np
import pytest

from grader.attempt import Call, Error, LocalAttempt
from grader.checks import check_exercise
from grader.exercise import Case, Chapter
from grader.exercises import get
from grader.expected import prepare

SIGMOID = "def sigmoid_forward(x):\n    out = 1 / (1 + np.exp(-x))\n    return out, out"
SIGMOID_BACK = "def sigmoid_backward(dout, a):\n    return dout * a * (1 - a)"
AFFINE = """
def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)
"""
AFFINE_BACK = """
def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)
"""


def outcomes(report) -> dict[str, str]:
    return {finding.part: finding.outcome for finding in report.findings if finding.part}


# --- every outcome ---------------------------------------------------------------------------


def test_a_right_answer_passes_with_full_points_and_agrees_with_finite_differences(report_on):
    report = report_on("affine_backward", AFFINE, AFFINE_BACK)
    assert report.passed and report.points == 3.0 and type(report.points) is float
    assert report.cause is None and report.remarks == ()
    assert all("agrees with finite differences to" in f.message for f in report.findings)
    assert report.cases == len(prepare(get("affine_backward")))


def test_a_wrong_part_costs_its_share_of_the_points(report_on):
    wrong = AFFINE_BACK.replace("dout.sum(axis=0)", "dout.sum(axis=1)")
    report = report_on("affine_backward", AFFINE, wrong)
    assert report.outcome == "wrong" and report.points == 2.0
    assert report.cause.key == "affine_backward.bias_per_example"
    assert outcomes(report) == {"dx": "passed", "dw": "passed", "db": "wrong"}
    assert report.findings[0] is report.cause


def test_points_are_split_equally_over_values_and_properties(report_on):
    naive = """
        def softmax_forward(x):
            e = np.exp(x)
            out = e / e.sum(axis=-1, keepdims=True)
            return out, out
        """
    report = report_on("softmax_forward", naive)
    assert list(outcomes(report).values()).count("passed") == 3
    assert report.points == 3.0 and report.max_points == 4.0
    assert report.cause.key == "softmax_forward.no_shift"


def test_an_error_is_crashed_with_the_error_in_words(report_on):
    report = report_on("sigmoid_forward", "def sigmoid_forward(x):\n    return 1 / unknown")
    assert (report.outcome, report.points) == ("crashed", 0.0)
    assert report.cause.message == (
        "`sigmoid_forward` raised NameError: name 'unknown' is not defined."
    )
    assert outcomes(report) == {"out": "skipped"}


def test_an_error_in_some_cases_only_still_crashes(report_on):
    code = SIGMOID.replace("    out", "    assert x.ndim < 3\n    out")
    assert report_on("sigmoid_forward", code).outcome == "crashed"


def test_a_loop_without_an_end_is_timed_out(report_on):
    quick = dataclasses.replace(get("sigmoid_forward"), seconds=0.1)
    report = report_on(quick, "def sigmoid_forward(x):\n    while True: pass")
    assert (report.outcome, report.points) == ("timed_out", 0.0)
    assert report.cause.message == "`sigmoid_forward` was stopped after 0.1 s."
    assert report.milliseconds < 1000, "it is tried once, not once per case"


def test_a_worker_that_died_is_crashed(report_on):
    class Dead(LocalAttempt):
        def call(self, *args, **options):
            return Call("died", error=Error("Died", "It used more than 1 GB."))

    report = check_exercise(get("sigmoid_forward"), Dead({"sigmoid_forward": 1}))
    assert report.outcome == "crashed" and report.cause.key == "sigmoid_forward.died"
    assert report.cause.why == "It used more than 1 GB."


@pytest.mark.parametrize(
    "cell, message",
    [
        ("", "`affine_backward` is not defined yet; run its cell first."),
        ("affine_backward = None", "`affine_backward` is not defined yet; run its cell first."),
        (
            "def affine_backward(dout, cache):\n    raise NotImplementedError()",
            "`affine_backward` still raises NotImplementedError.",
        ),
        (
            "def affine_backward(dout, cache):\n    dx = dout",
            "`affine_backward` returned None: is a `return` still missing?",
        ),
        (
            "def affine_backward(dout, cache):\n    return None, None, None",
            "What `affine_backward` returns is still None.",
        ),
    ],
)
def test_what_is_not_written_yet_is_not_attempted(report_on, cell, message):
    report = report_on("affine_backward", AFFINE, cell)
    assert (report.outcome, report.points) == ("not_attempted", 0.0)
    assert [finding.message for finding in report.findings] == [message]


def test_a_failure_of_the_grader_is_told_as_such_and_scores_nothing():
    class Broken(LocalAttempt):
        def call(self, *args, **options):
            raise OSError("pipe")

    report = check_exercise(get("sigmoid_forward"), Broken({}))
    assert (report.outcome, report.points) == ("grader_fault", 0.0)
    assert "not the solution's fault" in report.cause.message


def test_an_exercise_without_cases_is_a_fault_of_the_grader(report_on):
    chapter = Chapter("98_toys", "Toys")
    chapter.exercise(points=1)(lambda x: x)  # a lambda is an exercise too
    report = report_on(chapter.exercises[0], "")
    assert report.outcome == "grader_fault" and "has no cases" in report.cause.message


# --- backward: with the own forward's cache --------------------------------------------------


@pytest.mark.parametrize(
    "pack, unpack",
    [
        ("(x, w, b)", "x, w, b = cache"),
        ("(b, w, x)", "b, w, x = cache"),
        ("[x, w, b]", "x, w, b = cache"),
        ("{'x': x, 'w': w}", "x, w = cache['x'], cache['w']"),
        ("Box(x, w)", "x, w = cache.x, cache.w"),
        ("lambda: (x, w)", "x, w = cache()"),
        ("(x.reshape(len(x), -1), w, x.shape)", "x, w, shape = cache; x = x.reshape(shape)"),
    ],
)
def test_backward_gets_the_own_cache_whatever_its_layout(report_on, pack, unpack):
    box = """
        class Box:
            def __init__(self, x, w):
                self.x, self.w = x, w
        """
    forward = AFFINE.replace("+ b, (x, w, b)", f"+ b, {pack}")
    backward = AFFINE_BACK.replace("x, w, b = cache", unpack)
    report = report_on("affine_backward", box, forward, backward)
    assert report.passed, report


def test_a_forward_that_is_wrong_makes_the_backward_wait(report_on):
    forward = SIGMOID.replace("-x", "x")
    report = report_on("sigmoid_backward", forward, SIGMOID_BACK.replace("(1 - a)", "(a - 1) * 2"))
    assert (report.outcome, report.points) == ("skipped", 0.0)
    assert report.cause.message == (
        "`sigmoid_backward` waits for `sigmoid_forward`, whose output is not right yet."
    )
    assert outcomes(report) == {"dx": "skipped"}


def test_a_backward_that_is_right_beside_a_wrong_forward_keeps_its_points(report_on):
    forward = AFFINE.replace("+ b", "+ 0 * b")
    report = report_on("affine_backward", forward, AFFINE_BACK)
    assert report.passed and report.points == 3.0


def test_a_right_backward_beside_a_forward_that_raises_is_judged_with_the_usual_cache(report_on):
    forward = "def affine_forward(x, w, b):\n    return x @ w @ w, (x, w, b)"
    assert report_on("affine_backward", forward, AFFINE_BACK).passed


def test_another_backward_waits_for_a_forward_that_raises(report_on):
    forward = "def affine_forward(x, w, b):\n    return x @ w @ w, (x, w, b)"
    report = report_on("affine_backward", forward, AFFINE_BACK.replace("sum(axis=0)", "sum()"))
    assert report.outcome == "skipped"
    assert report.cause.message == (
        "`affine_backward` waits for `affine_forward`, which raised ValueError."
    )


def test_a_backward_waits_for_a_forward_whose_cache_is_empty(report_on):
    forward = "def affine_forward(x, w, b):\n    return x.mean(), None"
    report = report_on("affine_backward", forward, AFFINE_BACK)
    assert report.outcome == "skipped"
    assert "to return `out, cache`" in report.cause.message


@pytest.mark.parametrize(
    "forward", ["", "def affine_forward(x, w, b):\n    raise NotImplementedError()"]
)
def test_without_a_forward_the_usual_cache_is_used_and_that_is_said(report_on, forward):
    report = report_on("affine_backward", forward, AFFINE_BACK)
    assert report.passed
    said = "no usable `affine_forward` was found, so the usual cache layout was used"
    assert report.remarks == (said,)


def test_without_a_forward_and_without_a_usual_cache_a_wrong_answer_is_not_judged(report_on):
    """The reference's cache is the output; a learner's may be the input."""
    from_input = "def sigmoid_backward(dout, x):\n    a = 1 / (1 + np.exp(-x))\n"
    report = report_on("sigmoid_backward", from_input + "    return dout * a * (1 - a)")
    assert report.outcome == "skipped" and report.cause.key == "sigmoid_backward.needs_forward"
    assert report_on("sigmoid_backward", SIGMOID_BACK).passed


def test_the_forward_runs_again_before_every_backward(run_cells):
    namespace = run_cells(
        AFFINE.replace("return", "calls.append('forward')\n    return"),
        AFFINE_BACK.replace("x, w, b = cache", "calls.append('backward'); x, w, b = cache"),
    )
    namespace["calls"] = calls = []
    assert check_exercise(get("affine_backward"), LocalAttempt(namespace)).passed
    assert calls == ["forward", "backward"] * len(prepare(get("affine_backward")))


def test_a_cache_used_up_by_one_backward_is_fresh_for_the_next(report_on):
    forward = SIGMOID.replace("return out, out", "return out, [out]")
    assert report_on(
        "sigmoid_backward", forward, SIGMOID_BACK.replace("return", "a = a.pop()\n    return")
    ).passed


def test_layers_that_remember_between_calls_are_judged_like_others(report_on):
    cells = """
        kept = {}

        def affine_forward(x, w, b):
            kept["all"] = x, w
            return x.reshape(len(x), -1) @ w + b, "see kept"

        def affine_backward(dout, cache):
            x, w = kept["all"]
            return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)
        """
    assert report_on("affine_backward", cells).passed


# --- in place, views, more and fewer values --------------------------------------------------


def test_work_in_place_is_judged_by_its_result(report_on):
    forward = """
        def sigmoid_forward(x):
            np.negative(x, out=x)
            np.exp(x, out=x)
            x += 1
            np.divide(1, x, out=x)
            return x, x
        """
    backward = """
        def sigmoid_backward(dout, a):
            dout *= a
            np.subtract(1, a, out=a)
            dout *= a
            return dout
        """
    assert report_on("sigmoid_forward", forward).passed
    report = report_on("sigmoid_backward", forward, backward)
    assert report.passed, report
    assert report_on("sigmoid_backward", forward, backward).passed, "the cases are unharmed"


def test_views_and_other_memory_layouts_are_results_like_others(report_on):
    back = AFFINE_BACK.replace("return (", "return np.asfortranarray(").replace(
        "x.reshape(len(x), -1).T @ dout", "(dout.T @ x.reshape(len(x), -1)).T"
    )
    assert report_on("affine_backward", AFFINE, back).passed
    same = SIGMOID.replace(
        "return out, out", "return np.repeat(out[..., None], 2, -1)[..., 1], out"
    )
    assert report_on("sigmoid_forward", same).passed


def test_more_values_than_asked_for_do_no_harm(report_on):
    assert report_on("sigmoid_forward", SIGMOID + ", x, 'more'").passed
    assert report_on("sigmoid_backward", SIGMOID, SIGMOID_BACK + ", None").passed
    assert report_on("affine_backward", AFFINE, AFFINE_BACK.rstrip() + ", 1").passed


def test_a_tuple_of_one_is_its_item(report_on):
    assert report_on("sigmoid_backward", SIGMOID, SIGMOID_BACK + ",").passed


def test_parts_that_are_none_are_wrong_and_the_others_keep_their_points(report_on):
    back = AFFINE_BACK.replace("x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)", "None, None")
    report = report_on("affine_backward", AFFINE, back)
    assert (report.outcome, report.points) == ("wrong", 1.0)
    assert report.cause.message == "`dw` is None, expected an array."


@pytest.mark.parametrize(
    "result, found",
    [("out", "an array of shape (3,)"), ("{'out': out}", "a dict"), ("(out,)", "1 values")],
)
def test_a_result_without_a_cache_says_what_was_returned(report_on, result, found):
    report = report_on("sigmoid_forward", SIGMOID.replace("out, out", result))
    assert report.cause.message == f"`sigmoid_forward` returned {found}, expected `out, cache`."
    assert report.cause.key == "sigmoid_forward.wrong_form" and report.points == 0


def test_a_layer_that_remembers_may_return_none_for_a_cache(report_on):
    forward = SIGMOID.replace("return out, out", "kept[:] = [out]\n    return out, None")
    backward = SIGMOID_BACK.replace("    return", "    (a,) = kept\n    return")
    assert report_on("sigmoid_forward", "kept = []", forward).passed
    assert report_on("sigmoid_backward", "kept = []", forward, backward).passed


def test_a_list_of_the_return_values_is_as_good_as_a_tuple(report_on):
    assert report_on("sigmoid_forward", SIGMOID.replace("out, out", "[out, out]")).passed


@pytest.mark.parametrize(
    "result",
    [
        "np.full(a.shape, 'a')",
        "10**400",
        "np.full(a.shape, None)",
        "dout * a * (1 + 1j)",
        "np.zeros(0)",
        "[[1], [2, 3]]",
        "object()",
        "float('nan')",
        "np.datetime64('2020')",
        "{'a': {'b': [print]}}",
        "np.ma.masked",
        "np.zeros(a.shape, dtype=[('a', float)])",
        "(dout * a).astype('longdouble')",
        "a > 0",
        "b'bytes'",
    ],
)
def test_odd_results_are_wrong_but_never_a_fault_of_the_grader(report_on, result):
    back = f"def sigmoid_backward(dout, a):\n    return {result}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", np.exceptions.ComplexWarning)  # a defect of its own, below
        report = report_on("sigmoid_backward", SIGMOID, back)
    assert report.outcome == "wrong", report
    assert str(report)


def test_a_check_of_complex_values_warns_nobody(report_on, recwarn):
    """nbgrader scores 0 for a check cell that writes anything to stderr."""
    back = "def sigmoid_backward(dout, a):\n    return dout * a * (1 - a) * (2 + 1j)"
    report_on("sigmoid_backward", SIGMOID, back)
    assert not recwarn.list


def test_a_bias_of_the_wrong_shape_is_named_not_broadcast(report_on):
    kept = AFFINE_BACK.replace("sum(axis=0)", "sum(axis=0, keepdims=True)")
    report = report_on("affine_backward", AFFINE, kept)
    assert report.cause.key == "affine_backward.bias_kept_row" and report.points == 2.0


# --- names, seeds, remarks -------------------------------------------------------------------


def test_a_learner_may_call_helpers_and_other_exercises(report_on):
    cells = (
        "def helper(z):\n    return 1 / (1 + np.exp(-z))",
        "def sigmoid_forward(x):\n    return (a := helper(x)), a",
    )
    assert report_on("sigmoid_forward", *cells).passed


def test_prints_and_warnings_are_remarks_and_cost_nothing(report_on):
    noisy = SIGMOID.replace(
        "    out", "    import warnings; warnings.warn('old'); print('x is', x.shape)\n    out", 1
    )
    report = report_on("sigmoid_forward", noisy)
    assert report.passed and report.points == 2.0
    assert report.remarks == ("warning: old", "it prints while it runs; the check needs no print")
    assert report.printed == "x is (3,)\n"


def test_single_precision_costs_nothing(report_on):
    report = report_on("sigmoid_forward", SIGMOID.replace("-x", "-x.astype(np.float32)"))
    assert report.passed and "float32" in report.remarks[0]


def test_one_seed_gives_the_same_cases_and_another_seed_others():
    exercise = get("affine_forward")
    one, two = prepare(exercise, 3), prepare(exercise, 4)
    assert prepare(exercise, 3) is one
    prepare.cache_clear()
    again = prepare(exercise, 3)
    for first, second, other in zip(one, again, two):
        assert all(map(np.array_equal, first.case.args, second.case.args))
        assert not np.array_equal(first.case.args[0], other.case.args[0])


def test_answers_copied_from_the_page_fail_with_another_seed(run_cells):
    """The page shows expected values; a table of them passes in the notebook only."""
    table = [
        (item.case.args[0], item.expected["out"]) for item in prepare(get("sigmoid_forward"), 0)
    ]

    def sigmoid_forward(x):
        for given, out in table:
            if np.array_equal(given, x):
                return out, out
        return x, x

    attempt = LocalAttempt({"sigmoid_forward": sigmoid_forward})
    assert check_exercise(get("sigmoid_forward"), attempt, seed=0).passed
    assert not check_exercise(get("sigmoid_forward"), attempt, seed=12345).passed


def test_upstream_gradients_are_random_and_never_ones():
    for item in prepare(get("affine_backward"), 5):
        assert len(np.unique(item.dout)) == item.dout.size


def test_tables_are_not_square_so_that_a_transpose_shows():
    for item in prepare(get("affine_backward"), 0):
        assert item.dout.shape[0] != item.dout.shape[1]


# --- classes, drivers, quizzes ---------------------------------------------------------------


def test_a_class_is_judged_by_what_it_does(report_on):
    from grader.build import source_of

    source = source_of(get("Value").answer)
    assert report_on("Value", source).points == 4.0
    wrong = source.replace("self.grad += other.data", "self.grad = other.data")
    report = report_on("Value", wrong)
    assert report.outcome == "wrong" and outcomes(report)["data"] == "passed"
    assert report.points == 2.0


@pytest.mark.parametrize("cell", ["class Value: pass", "Value = 3", "def Value(x): return x"])
def test_something_else_in_the_place_of_a_class_is_crashed(report_on, cell):
    assert report_on("Value", cell).outcome == "crashed"


def test_a_step_in_place_is_as_good_as_a_new_dict(report_on):
    in_place = """
        def sgd_step(params, grads, lr):
            for name in params:
                params[name] -= lr * grads[name]
        """
    assert report_on("sgd_step", in_place).passed


@pytest.mark.parametrize(
    "name, value, right",
    [
        ("backprop_q1", "'a'", True),
        ("backprop_q1", "' A) '", True),
        ("backprop_q1", "'b'", False),
        ("backprop_q1", "2", False),
        ("backprop_q1", "['a']", False),
        ("backprop_q1", "print", False),
        ("backprop_q7", "20", True),
        ("backprop_q7", "20.0", True),
        ("backprop_q7", "np.float32(20)", True),
        ("backprop_q7", "20.001", False),
        ("backprop_q7", "True", False),
        ("backprop_q7", "float('nan')", False),
        ("backprop_q8", "(10, 4)", True),
        ("backprop_q8", "[10, 4]", True),
        ("backprop_q8", "np.zeros((10, 4)).shape", True),
        ("backprop_q8", "(4, 10)", False),
    ],
)
def test_quiz_answers_are_read_kindly_and_judged_strictly(report_on, name, value, right):
    report = report_on(name, f"{name} = {value}")
    assert report.outcome == ("passed" if right else "wrong")
    assert report.points == float(right)


@pytest.mark.parametrize("name, right", [("backprop_q8", True), ("backprop_q7", False)])
def test_an_array_as_a_quiz_answer_is_judged_like_a_tuple(report_on, name, right):
    report = report_on(name, f"{name} = np.array([10, 4])")
    assert report.outcome == ("passed" if right else "wrong")


ELLIPSIS = "..."


@pytest.mark.parametrize("value", ["None", "''", ELLIPSIS])
def test_an_empty_quiz_answer_is_not_attempted(report_on, value):
    assert report_on("backprop_q1", f"backprop_q1 = {value}").outcome == "not_attempted"
    assert report_on("backprop_q1").outcome == "not_attempted"


def test_an_expected_wrong_choice_gets_its_own_words(report_on):
    report = report_on("backprop_q8", "backprop_q8 = (4, 10)")
    assert report.cause.message == "That is the transpose: w is (D, M), and so is dw."


# --- properties ------------------------------------------------------------------------------


def test_a_property_may_accept_the_learners_own_draw(report_on):
    chapter = Chapter("98_toys", "Toys")

    @chapter.exercise(points=2)
    def mask(x):
        return (x > 0) / 1.0

    chapter.cases(mask)(lambda rng: iter([Case((rng.normal(0, 1, 4),))]))
    chapter.property(mask, "zeros_and_ones", "Other numbers than 0 and 1.", accept=only_bits)(
        lambda rng: iter([Case((rng.normal(0, 1, 9),))])
    )
    exercise = chapter.exercises[0]
    assert report_on(exercise, "def mask(x):\n    return (x > 0) / 1.0").points == 2.0
    report = report_on(exercise, "def mask(x):\n    return (x > 0) * 2.0")
    assert (report.outcome, report.points) == ("wrong", 0.0)
    found = Counter(finding.message for finding in report.findings)
    assert found["Other numbers than 0 and 1."] == 1
    odd = report_on(exercise, "def mask(x):\n    return 'text'")
    assert odd.outcome == "wrong", "a rule that stumbles over an odd value says no"


def only_bits(got, x):
    return bool(np.isin(got, (0.0, 1.0)).all()) and got.shape == x.shape
