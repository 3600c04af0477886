"""Calling learner code in this process: copies, handles, and whatever goes wrong in there."""

from __future__ import annotations

import functools
import linecache
import sys
import threading
import time
import warnings

import numpy as np
import pytest

from grader import attempt as module
from grader.attempt import Handle, LocalAttempt, Opaque, driver_source, plain


def called(function, *args, **options):
    return LocalAttempt({"f": function}).call("f", *args, **options)


# --- copies ----------------------------------------------------------------------------------


def test_every_call_gets_fresh_copies_of_its_arguments(attempt):
    learner = attempt(
        """
        def f(x, params, *, scale):
            x *= 0
            params["w"][0][:] = 9
            params["new"] = 1
            scale += 1
            return x
        """
    )
    x, params, scale = np.ones(3), {"w": [np.ones(2)]}, np.ones(1)
    for _ in range(2):
        learner.call("f", x, params, scale=scale)
    assert (x == 1).all() and (params["w"][0] == 1).all() and list(params) == ["w"]
    assert (scale == 1).all()


def test_a_result_shares_no_memory_with_the_learners_objects():
    mine = {"out": np.ones(3)}
    call = called(lambda: (mine["out"], mine["out"][::-1], mine))
    for value in (call.value[0], call.value[1], call.value[2]["out"]):
        assert not np.shares_memory(value, mine["out"])
    mine["out"] *= 5
    assert (call.value[0] == 1).all()


def test_what_is_kept_stays_with_the_learner_and_comes_back_as_the_same_object():
    class Cache:
        pass

    cache = Cache()
    learner = LocalAttempt({"f": lambda: (1.0, cache), "g": lambda c: c is cache})
    value = learner.call("f", keep=1).value
    assert value[0] == 1.0 and isinstance(value[1], Handle)
    assert learner.call("g", value[1]).value is True


def test_two_kept_values_have_handles_of_their_own():
    learner = LocalAttempt({"f": lambda x: (x, x), "g": lambda c: c})
    first, second = (learner.call("f", float(i), keep=1).value[1] for i in range(2))
    assert first != second
    assert learner.call("g", second).value == 1.0
    assert learner.call("g", first).value == 0.0


def test_a_cache_of_none_has_no_handle():
    assert called(lambda: (1.0, None), keep=1).value == (1.0, None)


def test_a_result_too_short_to_hold_the_cache_comes_back_as_data():
    assert called(lambda: (1.0,), keep=1).value == (1.0,)
    assert called(lambda: 2.0, keep=1).value == 2.0


# --- what a learner prints and warns ---------------------------------------------------------


def test_prints_are_caught_and_capped_with_the_rest_counted(capsys):
    call = called(lambda: [print("x" * 999) for _ in range(1000)] and 1)
    assert call.returned
    assert len(call.printed) < module.MAX_PRINTED + 60
    assert call.printed.endswith("... and 998,000 more characters")
    assert capsys.readouterr() == ("", "")


def test_stderr_is_caught_too(capsys):
    call = called(lambda: print("careful", file=sys.stderr))
    assert call.printed == "careful\n"
    assert capsys.readouterr() == ("", "")


def test_a_learner_who_replaces_or_closes_stdout_leaves_ours_alone(capsys):
    def f():
        sys.stdout.close()
        sys.stdout = None
        return 1

    assert called(f).value == 1
    print("still here")
    assert capsys.readouterr().out == "still here\n"


def test_warnings_are_remarks_each_text_once_and_five_at_most():
    def f():
        for i in range(100):
            warnings.warn(f"number {i % 9}", stacklevel=1)
        return 1

    call = called(f)
    assert call.returned
    assert call.warnings == tuple(f"number {i}" for i in range(5))


def test_numpy_warnings_are_caught_even_where_the_notebook_raises_on_them():
    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        call = called(lambda: float(np.exp(np.array(1000.0))))
    assert call.returned and call.value == np.inf
    assert "overflow" in call.warnings[0]


def test_the_learners_error_settings_end_with_the_call():
    before = np.geterr()
    called(lambda: np.seterr(all="raise"))
    assert np.geterr() == before


# --- what a learner hands in -----------------------------------------------------------------


@pytest.mark.parametrize(
    "thing",
    [
        functools.partial(np.add, 1),
        np.vectorize(lambda x: x + 1),
        np.frompyfunc(lambda x: x + 1, 1, 1),
        lambda x: x + 1,
        type("Adder", (), {"__call__": lambda self, x: x + 1})(),
        (1.0).__add__,
    ],
    ids=["partial", "vectorize", "ufunc", "lambda", "object", "method"],
)
def test_whatever_can_be_called_is_called(thing):
    assert called(thing, 2.0).value == 3.0


@pytest.mark.parametrize("thing", [3, "text", np.ones(2), [1], {}])
def test_what_can_not_be_called_is_said_to_be_no_function(thing):
    call = called(thing, 1.0)
    assert call.status == "raised"
    assert call.error.type == "TypeError" and call.error.message.endswith(", not a function")


def test_a_name_that_is_missing_or_none_is_missing():
    learner = LocalAttempt({"none": None})
    for name in ("none", "nowhere"):
        assert learner.call(name).status == "missing"
        assert learner.run(drive_call, name).status == "missing"
    assert learner.get("nowhere").status == "missing"
    assert learner.get("none").returned and learner.get("none").value is None
    assert not learner.has("nowhere")


def test_a_stub_is_not_attempted(attempt):
    learner = attempt("def f(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()")
    assert learner.call("f", 1).status == "not_attempted"


def test_recursion_without_an_end_is_an_error_and_the_process_goes_on(attempt):
    call = attempt("def f(x):\n    return f(x)").call("f", 1)
    assert call.status == "raised" and call.error.type == "RecursionError"


@pytest.mark.parametrize(
    "line",
    [
        "raise SystemExit(0)",
        "import sys; sys.exit('bye')",
        "exit()",
        "quit()",
        "raise GeneratorExit",
    ],
)
def test_leaving_the_process_is_an_error_and_the_process_stays(attempt, line):
    call = attempt(f"def f():\n    {line}").call("f")
    assert call.status == "raised"
    assert call.error.type in ("SystemExit", "GeneratorExit")


def test_the_stop_button_is_obeyed(attempt):
    with pytest.raises(KeyboardInterrupt):
        attempt("def f():\n    raise KeyboardInterrupt").call("f")


def test_an_error_is_told_with_the_learners_own_line():
    source = "def f(x):\n    y = x + 1\n    return np.linalg.inv(x)\n"
    linecache.cache["<ipython-input-7>"] = (len(source), None, source.splitlines(True), "")
    namespace = {"np": np}
    exec(compile(source, "<ipython-input-7>", "exec"), namespace)
    error = LocalAttempt(namespace).call("f", np.ones((2, 3))).error
    assert error.type == "LinAlgError"
    assert (error.line, error.text) == (3, "return np.linalg.inv(x)")


def test_an_error_whose_text_can_not_be_made_or_has_no_end_is_still_told(attempt):
    cell = """
        class Odd(Exception):
            def __str__(self):
                raise RuntimeError

        def odd():
            raise Odd

        def long():
            raise ValueError("x" * 10**6)
        """
    learner = attempt(cell)
    assert learner.call("odd").error.type == "Odd"
    assert len(learner.call("long").error.message) == 500


def test_a_syntax_error_raised_inside_is_told_with_its_line(attempt):
    error = attempt("def f():\n    exec('a = 1\\nb = = 2')").call("f").error
    assert (error.type, error.line) == ("SyntaxError", 2)


# --- results that are no plain data ----------------------------------------------------------


def test_objects_generators_and_object_arrays_become_opaque(attempt):
    class Thing:
        pass

    assert plain(Thing()) == Opaque("Thing")
    assert plain(i for i in range(3)) == Opaque("generator")
    assert plain(np.array([None])) == Opaque("an array of object")
    assert plain({1.5: 1}) == Opaque("a dict")
    assert plain(object) == Opaque("type")
    assert plain({1, 2}) == Opaque("set")


def test_subclasses_of_arrays_and_tuples_become_plain_ones():
    import collections

    pair = collections.namedtuple("pair", "out cache")(1.0, 2)
    assert type(plain(pair)) is tuple
    assert type(plain(np.ma.array([1.0]))) is np.ndarray
    assert type(plain(np.array([[1.0]]).view(np.matrix))) is np.ndarray
    assert plain(np.float64(3)).shape == ()


def test_a_value_that_holds_itself_ends():
    loop: list = []
    loop.append(loop)
    plain(loop)
    loop += [loop] * 1000
    started = time.perf_counter()
    plain([loop] * 1000)
    assert time.perf_counter() - started < 1


def test_too_large_a_result_is_not_copied():
    huge = np.broadcast_to(1.0, (10**6, 10**6))  # 8 TB on paper, 8 bytes in memory
    assert isinstance(plain(huge), Opaque)
    assert isinstance(plain([0] * (module.MAX_ITEMS + 1)), Opaque)


def test_results_with_hostile_methods_do_not_get_to_run_them():
    class Iterates(tuple):
        def __iter__(self):
            raise RuntimeError("ran")

    class Pretends:
        @property
        def __class__(self):
            raise RuntimeError("ran")

    assert plain(Iterates((1, 2))) == (1, 2)
    assert isinstance(plain(Pretends()), Opaque)


# --- drivers ---------------------------------------------------------------------------------


def drive_call(f, *args):
    """Call it."""
    return f(*args)


def drive_names(f):
    """What a driver can see."""
    return sorted(name for name in globals() if not name.startswith("__"))


def test_a_driver_travels_as_source_and_sees_np_and_itself_only():
    assert driver_source(drive_names).startswith("def drive_names(f):")
    call = LocalAttempt({"f": 1, "secret": 2}).run(drive_names, "f")
    assert call.value == ["drive_names", "np"]


def test_a_driver_gives_fresh_copies_and_plain_data():
    def f(x):
        x += 1
        return {"x": x, "me": f}

    x = np.zeros(2)
    call = LocalAttempt({"f": f}).run(drive_call, "f", x)
    assert (x == 0).all() and (call.value["x"] == 1).all()
    assert call.value["me"] == Opaque("function")


def test_an_error_in_a_driver_is_told_without_a_frame_of_ours():
    call = LocalAttempt({"f": 3}).run(drive_call, "f")
    assert (call.error.type, call.error.line, call.error.text) == ("TypeError", 0, "")


# --- where it runs ---------------------------------------------------------------------------


def test_a_call_works_outside_of_the_main_thread():
    calls = []
    thread = threading.Thread(target=lambda: calls.append(called(lambda x: x + 1, 1.0)))
    thread.start()
    thread.join(5)
    assert calls[0].value == 2.0


def test_the_time_of_a_call_is_measured():
    assert 0.05 <= called(lambda: time.sleep(0.05)).seconds < 1
