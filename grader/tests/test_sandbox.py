"""The sandbox: what travels, what is contained, and what is said when something goes wrong."""

from __future__ import annotations

import contextlib
import gc
import os
import struct
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from grader.attempt import Call, Error, Handle, Opaque
from grader.sandbox import cells, wire
from grader.sandbox.client import Limits, Sandbox, WorkerAttempt

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes that fork")

QUICK = Limits(cell_seconds=0.5, load_seconds=3.0, grace_seconds=0.3)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(QUICK) as running:
        yield running


@contextlib.contextmanager
def opened(sandbox: Sandbox, *sources: str, **options: Any) -> Iterator[WorkerAttempt]:
    with sandbox.open([textwrap.dedent(source) for source in sources], **options) as attempt:
        yield attempt


def outcome(sandbox: Sandbox, body: str, *args: Any, **options: Any) -> Call:
    """What comes back of a function `f(*args)` with this body."""
    source = "import numpy as np\ndef f(*args):\n" + textwrap.indent(textwrap.dedent(body), "    ")
    with sandbox.open([source]) as attempt:
        return attempt.call("f", *args, **options)


def same(a: Any, b: Any) -> bool:
    """Equal to the last bit, in kind and in value."""
    if type(a) is not type(b):
        return False
    if isinstance(a, (np.ndarray, np.generic)):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    return bool(a == b)


# --- what travels -----------------------------------------------------------------------------

arrays = hnp.arrays(
    dtype=st.one_of(
        hnp.boolean_dtypes(),
        hnp.integer_dtypes(endianness="?"),
        hnp.unsigned_integer_dtypes(endianness="?"),
        hnp.floating_dtypes(endianness="?"),
        hnp.complex_number_dtypes(endianness="?"),
        hnp.unicode_string_dtypes(endianness="?"),
    ),
    shape=hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**3000), 2**3000),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    arrays,
    st.builds(Handle, st.integers(0, 1000)),
    st.builds(Opaque, st.text(max_size=20)),
    st.builds(Error, st.text(max_size=9), st.text(max_size=20), st.integers(0, 99)),
)
values = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=5), st.integers()), inner, max_size=4),
    ),
    max_leaves=8,
)


@settings(max_examples=300, deadline=None)
@given(values)
def test_plain_data_arrives_exactly_as_it_was_sent(value: Any) -> None:
    assert same(wire.unpack(wire.pack(value)), value)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_random_bytes_are_refused_in_one_way(noise: bytes) -> None:
    with contextlib.suppress(wire.ProtocolError):
        wire.unpack(noise)


@settings(max_examples=300, deadline=None)
@given(values, st.data())
def test_a_damaged_message_is_refused_or_still_plain_data(value: Any, data: st.DataObject) -> None:
    message = bytearray(wire.pack(value))
    place = data.draw(st.integers(0, len(message) - 1))
    message[place] = data.draw(st.integers(0, 255))
    with contextlib.suppress(wire.ProtocolError):
        wire.pack(wire.unpack(message))


@pytest.mark.parametrize(
    "value",
    [
        np.array(3.5),
        np.float32(0.1),
        np.int8(-1),
        np.zeros((0, 3), np.float32),
        np.arange(12.0).reshape(3, 4).T,
        np.arange(10)[::-2],
        np.broadcast_to(np.float64(2), (3, 2)),
        np.array(["α", "", "long word"]),
        np.array([np.nan, -0.0, np.inf], np.float16),
        -0.0,
        float("nan"),
        float("-inf"),
        2**200,
        -(2**63),
        True,
        1,
        1.0,
        (),
        [],
        {},
        {"a": (1, [2.0, None]), 3: "b"},
        "\ud800 a lone surrogate",
    ],
    ids=repr,
)
def test_every_value_keeps_its_type_and_its_bits(value: Any, sandbox: Sandbox) -> None:
    assert same(wire.unpack(wire.pack(value)), value)


def test_a_whole_result_travels() -> None:
    call = Call("raised", None, Error("ValueError", "no", 3, "x = 1"), "hi", ("careful",), 0.25)
    assert wire.unpack(wire.pack(call)) == call
    assert wire.unpack(wire.pack(Call("returned", (1, Handle(2))))).value == (1, Handle(2))


@pytest.mark.parametrize(
    "value",
    [
        object(),
        {1, 2},
        b"bytes",
        {(1, 2): 3},
        lambda: 0,
        1 << 20_000,
        np.array([object()]),
        np.zeros(2, "V8"),
        np.zeros(2, "M8[s]"),
        np.ma.masked_array([1.0]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_not_plain_data_is_not_sent(value: Any) -> None:
    with pytest.raises(wire.Unsendable):
        wire.pack(value)


def test_a_cyclic_list_is_not_sent() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(wire.Unsendable, match="nested"):
        wire.pack(loop)


def test_an_array_that_claims_terabytes_is_not_sent() -> None:
    with pytest.raises(wire.Unsendable, match="MB"):
        wire.pack(np.broadcast_to(np.float64(1), (2**20, 2**20)))


def forged(tree: str, rest: bytes = b"") -> bytes:
    return struct.pack("<I", len(tree.encode())) + tree.encode() + rest


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"\0\0\0",
        struct.pack("<I", 2**31) + b"1",
        forged("1"),
        forged("1.5"),
        forged("NaN"),
        forged("[]"),
        forged('["p", 1]'),
        forged("[" * 100_000),
        forged('["i", "0x"]'),
        forged('["i", "12"]'),
        forged('["i", 12]'),
        forged("9" * 5000),
        forged('["f", "00"]'),
        forged('["f", 1]'),
        forged("null", b"extra"),
        forged('["a", "<f8", [2]]', b"\0" * 15),
        forged('["a", "<f8", [2]]', b"\0" * 17),
        forged('["a", "|O", [1]]', b"\0" * 8),
        forged('["a", "|V8", [4611686018427387904]]', b"\0" * 8),
        forged('["a", "<f8", [-1]]'),
        forged('["a", "<f8", [0, 1099511627775, 1099511627775]]'),
        forged('["a", "<f8", [true]]', b"\0" * 8),
        forged('["a", "<U0", [1]]'),
        forged('["a", "<U1", [1]]', b"\xff" * 4),
        forged('["a", "|b1", [1]]', b"\x07"),
        forged('["a", "<M8[s]", [1]]', b"\0" * 8),
        forged('["s", "<f8", [1]]', b"\0" * 8),
        forged('["d", [[["t", []], 1]]]'),
        forged('["d", [[1]]]'),
        forged('["handle", -1]'),
        forged('["call", "passed", null, null, "", [], "0000000000000000"]'),
        forged('["call", "returned", null, "no error", "", [], "0000000000000000"]'),
        forged('["call", "returned", null, null, "", [], "000000000000f87f"]'),
        forged('["__reduce__", "os.system", "true"]'),
    ],
    ids=lambda message: message[4:40].decode("latin-1"),
)
def test_a_forged_message_is_a_protocol_error(message: bytes) -> None:
    with pytest.raises(wire.ProtocolError):
        wire.unpack(message)


# --- calling ----------------------------------------------------------------------------------

NET = """
    import numpy as np
    def affine(x, w, b):
        return x @ w + b, {"x": x, "w": w}
    def affine_backward(dout, cache):
        return dout @ cache["w"].T
    class Counter:
        def __init__(self): self.n = 0
        def step(self, by=1):
            self.n += by
            return self.n
    size = 7
"""


def count_to(counter_class: Any, times: int) -> list[int]:
    counter = counter_class()
    return [counter.step(2) for _ in range(times)]


def test_a_call_returns_what_the_function_returns(sandbox: Sandbox) -> None:
    x, w, b = np.ones((2, 3), np.float32), np.eye(3, 4, dtype=np.float32), np.float32(1)
    with opened(sandbox, NET) as attempt:
        result = attempt.call("affine", x, w, b)
        assert result.returned
        assert same(result.value[0], x @ w + b)
        assert attempt.load_report.ok


def test_a_kept_cache_stays_behind_a_handle_and_goes_back_in(sandbox: Sandbox) -> None:
    w = np.random.default_rng(0).normal(size=(3, 4))
    with opened(sandbox, NET) as attempt:
        out, cache = attempt.call("affine", np.ones((2, 3)), w, 0.0, keep=1).value
        assert type(cache) is Handle
        back = attempt.call("affine_backward", np.ones((2, 4)), cache)
        np.testing.assert_array_equal(back.value, np.ones((2, 4)) @ w.T)


def test_a_driver_runs_beside_the_learners_class(sandbox: Sandbox) -> None:
    with opened(sandbox, NET) as attempt:
        assert attempt.run(count_to, "Counter", 3).value == [2, 4, 6]


def test_names_can_be_read_and_asked_for(sandbox: Sandbox) -> None:
    with opened(sandbox, NET) as attempt:
        assert attempt.get("size").value == 7
        assert attempt.get("nothing").status == "missing"
        assert attempt.call("nothing").status == "missing"
        assert attempt.run(count_to, "nothing", 1).status == "missing"
        assert attempt.has("affine") and not attempt.has("nothing")


def test_keyword_arguments_of_any_name_arrive(sandbox: Sandbox) -> None:
    with opened(sandbox, "def f(**named): return sorted(named)") as attempt:
        assert attempt.call("f", id=1, do=2, source=3).value == ["do", "id", "source"]


def test_an_exception_comes_back_in_words_with_the_learners_line(sandbox: Sandbox) -> None:
    with opened(sandbox, "import numpy as np\ndef f(x):\n    return x @ np.ones(9)") as attempt:
        result = attempt.call("f", np.ones((2, 3)))
    assert result.status == "raised" and result.error is not None
    assert result.error.type == "ValueError" and result.error.line == 3
    assert result.error.text == "return x @ np.ones(9)"


def test_an_unfinished_exercise_is_not_a_mistake(sandbox: Sandbox) -> None:
    assert outcome(sandbox, "raise NotImplementedError").status == "not_attempted"


def test_leaving_python_politely_is_only_an_exception(sandbox: Sandbox) -> None:
    with opened(sandbox, "import sys\ndef f(): sys.exit(3)\ndef g(): return 4") as attempt:
        result = attempt.call("f")
        assert result.status == "raised" and result.error and result.error.type == "SystemExit"
        assert attempt.call("g").value == 4


def test_pressing_stop_in_the_code_is_only_an_exception(sandbox: Sandbox) -> None:
    assert outcome(sandbox, "raise KeyboardInterrupt").status == "raised"


def test_prints_are_kept_up_to_a_point(sandbox: Sandbox) -> None:
    result = outcome(sandbox, "for i in range(100_000): print('hello', i)\nreturn 1")
    assert result.value == 1
    assert result.printed.startswith("hello 0\nhello 1\n")
    assert len(result.printed) < 3000 and "more characters" in result.printed


def test_bytes_written_past_print_go_nowhere(sandbox: Sandbox, capfd: Any) -> None:
    result = outcome(sandbox, "import os\nos.write(1, b'out'); os.write(2, b'err')\nreturn 1")
    assert result.value == 1 and capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ("return object()", "object"),
        ("return {1, 2}", "set"),
        ("return np.array([object()])", "object"),
        ("return np.zeros(2, 'V8')", "array"),
        ("a = []; a.append(a); return a", "deeply nested"),
        ("return np.broadcast_to(1.0, (2**20, 2**20))", "MB"),
        ("return 1 << 20_000", "integer"),
        ("return [list(range(5000))] * 100", "parts"),
        ("a = []\na += [a] * 2000\nreturn a", "parts"),
        ("return 'x' * 10**8", "text"),
    ],
)
def test_a_result_that_cannot_travel_says_what_it_was(
    body: str, what: str, sandbox: Sandbox
) -> None:
    result = outcome(sandbox, body)
    assert result.status == "returned"
    value = result.value
    while isinstance(value, list):
        value = value[0]
    assert isinstance(value, Opaque) and what in value.what


def test_an_object_of_the_learners_class_never_arrives(sandbox: Sandbox) -> None:
    source = """
        class Sly(float):
            def __eq__(self, other): return True
            def __reduce__(self): return print, ("here",)
        def f(): return [Sly(1.0), 2.0]
    """
    with opened(sandbox, source) as attempt:
        assert attempt.call("f").value == [Opaque("Sly"), 2.0]


def test_a_learner_who_rebinds_numpy_disturbs_only_himself(sandbox: Sandbox) -> None:
    before = np.sum
    with opened(
        sandbox,
        "import numpy as np, os, json\nnp.sum = np.array = np.asarray = None\n"
        "os.read = os.write = json.dumps = None\ndef f(): return 3",
    ) as attempt:
        assert attempt.call("f").value == 3
    assert np.sum is before
    with opened(sandbox, "import numpy as np\ndef f(): return np.sum([1, 2])") as attempt:
        assert attempt.call("f").value == 3


def test_large_arrays_cross_in_both_directions(sandbox: Sandbox) -> None:
    x = np.random.default_rng(0).normal(size=(1000, 1000))
    assert same(outcome(sandbox, "return args[0]", x).value, x)


# --- loading ----------------------------------------------------------------------------------


def test_a_failing_cell_does_not_stop_the_cells_after_it(sandbox: Sandbox) -> None:
    with opened(sandbox, "a = 1", "b = 2\n1 / 0\nc = 3", "d = a + 1") as attempt:
        report = attempt.load_report
        assert [cell.status for cell in report.cells] == ["ok", "error", "ok"]
        assert report.cells[1].error == Error("ZeroDivisionError", "division by zero", 2, "1 / 0")
        assert attempt.has("b") and not attempt.has("c") and attempt.get("d").value == 2


def test_a_syntax_error_costs_its_own_cell_only(sandbox: Sandbox) -> None:
    with opened(sandbox, "a = 1", "def f(:\n  pass", "b = 2") as attempt:
        assert [cell.status for cell in attempt.load_report.cells] == ["ok", "syntax_error", "ok"]
        assert attempt.load_report.cells[1].errors[0].line == 1
        assert attempt.get("b").value == 2


FILE = '''
"""A file with a docstring
x = (
"""
from cs231n.layers import *
import numpy as np

@staticmethod
def good(x):
    """Text at the margin:
def fake(:
    """
    return 2 * x

data = np.load("mnist.npz")

def broken(x)
    return x

class Net:
    def forward(self, x):
        return x + 1

def late(x):
    return 3 * x

if __name__ == "__main__":
    raise SystemExit
'''


def test_a_file_with_errors_keeps_every_function_that_parses(sandbox: Sandbox) -> None:
    with opened(sandbox, FILE, main=False, keep_going=True) as attempt:
        (cell,) = attempt.load_report.cells
        assert cell.status == "syntax_error"
        assert {error.type for error in cell.errors} >= {"SyntaxError", "ModuleNotFoundError"}
        (syntax,) = [error for error in cell.errors if error.type == "SyntaxError"]
        assert syntax.text == "def broken(x)" and FILE.split("\n")[syntax.line - 1] == syntax.text
        assert attempt.call("good", 2).value == 4
        assert attempt.call("late", 2).value == 6
        assert attempt.has("Net") and not attempt.has("broken")


def test_a_missing_import_does_not_lose_the_functions_below_it(sandbox: Sandbox) -> None:
    source = "from __future__ import annotations\nfrom nowhere import x\ndef f(a: Nope): return a"
    with opened(sandbox, source, main=False, keep_going=True) as attempt:
        assert attempt.load_report.cells[0].status == "error"
        assert attempt.call("f", 1).value == 1


def test_main_guards_hold_in_notebooks_and_not_in_files(sandbox: Sandbox) -> None:
    source = "ran = __name__ == '__main__'"
    with opened(sandbox, source) as notebook, opened(sandbox, source, main=False) as file:
        assert notebook.get("ran").value is True
        assert file.get("ran").value is False


def test_dataclasses_and_type_hints_work(sandbox: Sandbox) -> None:
    source = """
        from __future__ import annotations
        from dataclasses import dataclass
        from typing import ClassVar, get_type_hints
        @dataclass
        class P:
            x: int
            y: ClassVar[int] = 2
        def f(): return P(3).x, list(get_type_hints(P))
    """
    with opened(sandbox, source) as attempt:
        assert attempt.call("f").value == (3, ["x", "y"])


def test_magics_are_harmless(sandbox: Sandbox) -> None:
    source = """
        %matplotlib inline
        %load_ext autoreload
        !pip install torch
        ?print
        import numpy as np
        files = !ls
        %time a = 1 + 1
        if a:
            %timeit a
        message = ("%d"
            % a)
        get_ipython().run_line_magic("matplotlib", "inline")
        display(a)
    """
    with opened(sandbox, source, "%%time\nb = 5", "%%bash\nrm -rf /", "c = 'ok'") as attempt:
        report = attempt.load_report
        assert report.ok, report
        assert attempt.get("message").value == "2" and attempt.get("b").value == 5
        assert any("pip install" in remark for remark in report.cells[0].remarks)
        assert "%%bash" in report.cells[2].remarks[0]


def test_python_that_looks_like_a_magic_is_left_alone() -> None:
    source = 'x = ("a %d"\n% 3)\n%matplotlib inline\ny = """\n!shell\n"""'
    text, remarks = cells.without_magics(source)
    assert text == source.replace("%matplotlib inline", "pass") and not remarks


def test_input_asks_nobody(sandbox: Sandbox) -> None:
    with opened(sandbox, "name = input('who?')") as attempt:
        error = attempt.load_report.cells[0].error
        assert error and "cannot ask anybody" in error.message


@pytest.mark.parametrize("loop", ["while True: pass", "import time; time.sleep(60)"])
def test_an_endless_cell_costs_its_limit_and_no_more(loop: str, sandbox: Sandbox) -> None:
    start = time.monotonic()
    with opened(sandbox, "a = 1", loop, "b = 2") as attempt:
        assert [cell.status for cell in attempt.load_report.cells] == ["ok", "timed_out", "ok"]
        assert attempt.get("b").value == 2
    assert time.monotonic() - start < 2.5


def test_many_slow_cells_share_one_limit(sandbox: Sandbox) -> None:
    limits = Limits(cell_seconds=0.4, load_seconds=0.6)
    with opened(sandbox, *["while True: pass"] * 4, limits=limits) as attempt:
        found = [cell.status for cell in attempt.load_report.cells]
    assert found == ["timed_out", "timed_out", "not_run", "not_run"]


def test_a_submission_of_many_megabytes_is_told_so(sandbox: Sandbox) -> None:
    with opened(sandbox, "x = 1 #" + "." * 5_000_000) as attempt:
        result = attempt.call("f")
        assert result.status == "died" and result.error and "too large" in result.error.message


@pytest.mark.parametrize("source", ["", "\0", "x = 1\r\ny = 2\r", "(" * 5000, "\ud800 = 1", "# ü"])
def test_odd_text_is_loaded_or_refused_in_words(source: str, sandbox: Sandbox) -> None:
    for keep_going in (False, True):
        with sandbox.open([source, "z = 1"], keep_going=keep_going) as attempt:
            assert attempt.load_report.cells[1].status == "ok"
            assert attempt.get("z").value == 1


# --- containment ------------------------------------------------------------------------------


def test_an_endless_call_is_stopped_and_the_worker_goes_on(sandbox: Sandbox) -> None:
    source = "calls = 0\ndef f():\n  global calls; calls += 1\n  while True: pass\n"
    with opened(sandbox, source) as attempt:
        start = time.monotonic()
        assert attempt.call("f", seconds=0.2).status == "timed_out"
        assert time.monotonic() - start < 1
        assert attempt.get("calls").value == 1


def test_a_loop_that_catches_everything_is_stopped_too(sandbox: Sandbox) -> None:
    body = "while True:\n  try:\n    x = 1\n  except BaseException: pass"
    start = time.monotonic()
    assert outcome(sandbox, body, seconds=0.2).status == "timed_out"
    assert time.monotonic() - start < 2


@pytest.mark.parametrize(
    "body",
    [
        "return sum(range(10**12))",
        "import signal\nsignal.signal = None\nsignal.setitimer(signal.ITIMER_REAL, 0)\n"
        "while True: pass",
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, {14})\ntime.sleep(60)",
        "class E(Exception):\n  def __str__(self):\n    while True: pass\nraise E",
    ],
    ids=["compiled code", "alarm off", "asleep, alarm blocked", "endless message"],
)
def test_what_the_alarm_cannot_stop_is_killed_from_outside(body: str, sandbox: Sandbox) -> None:
    source = "def f():\n" + textwrap.indent(body, "  ") + "\ndef g(): return 1"
    with sandbox.open([source]) as attempt:
        start = time.monotonic()
        assert attempt.call("f", seconds=0.2).status == "timed_out"
        assert time.monotonic() - start < 4
        assert attempt.call("g").value == 1


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is not enforced elsewhere")
@pytest.mark.parametrize("make", ["np.ones(10 * 2**30 // 8)", "bytearray(10 * 2**30)"])
def test_ten_gigabytes_are_refused(make: str, sandbox: Sandbox) -> None:
    result = outcome(sandbox, f"x = {make}\nreturn 1")
    assert result.status == "raised" and result.error
    assert "MemoryError" in result.error.type


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is not enforced elsewhere")
def test_memory_eaten_bit_by_bit_is_refused(sandbox: Sandbox) -> None:
    result = outcome(sandbox, "x = []\nwhile True: x.append(np.ones(2**20))", seconds=10)
    assert result.status == "raised" and result.error and "Memory" in result.error.type


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("import os; os._exit(0)", "ended Python itself (exit code 0)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "killed"),
        ("import ctypes; ctypes.string_at(0)", "segmentation fault"),
        ("import os; os.abort()", "abort"),
        ("import os; os.close(4); return 1", "connection"),
        ("import os; os.closerange(0, 50); return 1", "connection"),
        ("import os; os.write(4, b'\\0' * 8); return 1", "connection"),
        ("import os; os.write(4, b'\\xff' * 100); return 1", "connection"),
        ("import os; os.write(4, b'\\2\\0\\0\\0\\0\\0\\0\\0ok'); return 1", "connection"),
    ],
)
def test_a_worker_that_dies_costs_one_call(body: str, sentence: str, sandbox: Sandbox) -> None:
    with sandbox.open([f"def f(): {body}\ndef g(): return 1"]) as attempt:
        assert attempt.call("g").value == 1
        dead = attempt.call("f")
        # after closing its pipe a worker may be found in the act of ending: both are the truth
        assert dead.status == "died" and dead.error
        assert sentence in dead.error.message or "ended Python" in dead.error.message
        assert attempt.call("g").value == 1


def test_each_submission_has_a_worker_of_its_own(sandbox: Sandbox) -> None:
    with opened(sandbox, "def f(): return 1") as first, opened(sandbox, "f = 2") as second:
        assert first.call("f").value == 1 and second.get("f").value == 2
        assert first._pid != second._pid


def test_words_sent_unasked_are_noticed(sandbox: Sandbox) -> None:
    source = """
        import os, signal
        def f():
            signal.signal(signal.SIGVTALRM, lambda *a: os.write(4, b"unasked"))
            signal.setitimer(signal.ITIMER_VIRTUAL, 1e-9)
        def g(): return sum(range(3))
    """
    with opened(sandbox, source) as attempt:
        attempt.call("f")
        assert attempt.call("g").status in ("died", "returned")
        assert attempt.call("g").value == 3


def test_a_forged_answer_is_no_more_than_a_returned_value(sandbox: Sandbox) -> None:
    source = """
        import gc, os, struct
        def f():
            tree = b'["t", [["i", "0x2"], ["call", "returned", ["i", "0x7"], null, "", [], '
            tree += b'"0000000000000000"]]]'
            body = struct.pack("<I", len(tree)) + tree
            os.write(4, struct.pack("<Q", len(body)) + body)
    """
    with opened(sandbox, source) as attempt:
        assert attempt.call("f").value == 7
        assert attempt.get("f").status == "died"


def test_an_answer_of_the_wrong_kind_is_not_believed(sandbox: Sandbox) -> None:
    source = """
        import os, struct
        def f():
            tree = b'["t", [["i", "0x2"], true]]'
            body = struct.pack("<I", len(tree)) + tree
            os.write(4, struct.pack("<Q", len(body)) + body)
            os.pause() if hasattr(os, "pause") else __import__("time").sleep(1)
    """
    with opened(sandbox, source) as attempt:
        result = attempt.call("f")
        assert result.status == "died" and result.error and "read" in result.error.message


def test_a_cell_that_ends_python_is_named_in_every_call(sandbox: Sandbox) -> None:
    with opened(sandbox, "a = 1", "import os; os._exit(5)", "b = 2") as attempt:
        assert [cell.status for cell in attempt.load_report.cells] == ["ok", "died", "not_run"]
        for _ in range(3):
            start = time.monotonic()
            result = attempt.call("f")
            assert result.status == "died" and result.error
            assert "cell 2" in result.error.message and "exit code 5" in result.error.message
            assert attempt.get("a") == result and attempt.has("a")
            assert time.monotonic() - start < 0.05, "the cells are not run again"


def test_a_cell_that_cannot_be_interrupted_is_killed(sandbox: Sandbox) -> None:
    with opened(sandbox, "x = sum(range(10**12))", "y = 1") as attempt:
        assert [cell.status for cell in attempt.load_report.cells] == ["timed_out", "not_run"]
        assert attempt.call("f").status == "timed_out"


def test_a_value_kept_in_a_dead_worker_is_reported_lost(sandbox: Sandbox) -> None:
    source = "import os\ndef f(): return 1, {}\ndef g(cache): return 2\ndef end(): os._exit(0)"
    with opened(sandbox, source) as attempt:
        lost = attempt.call("f", keep=1).value[1]
        attempt.call("end")
        fresh = attempt.call("f", keep=1).value[1]
        assert lost != fresh
        result = attempt.call("g", lost)
        assert result.status == "died" and result.error and "lost" in result.error.message
        assert attempt.call("g", fresh).value == 2


@pytest.mark.parametrize(
    "body",
    [
        "import os\nwhile True: os.fork()",
        "import subprocess\nsubprocess.run(['/bin/sleep', '60'])",
        "import threading\nthreading.Thread(target=print).start()",
        "open('/tmp/breach', 'w', buffering=1).write('a line\\n')",
        "open('breach', 'w').write('x')",
        "import os\nos.kill(os.getppid(), 9)",
        "import os\nos.setuid(0)",
        "import resource as r\nr.setrlimit(r.RLIMIT_NPROC, (9, 9))",
    ],
)
@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs users of its own")
def test_processes_files_and_signals_are_refused(body: str, sandbox: Sandbox) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.remove("/tmp/breach")
    assert outcome(sandbox, body).status == "raised"
    assert not os.path.exists("/tmp/breach") or os.path.getsize("/tmp/breach") == 0


@pytest.mark.skipif(os.name != "posix" or os.getuid() != 0, reason="needs users of its own")
def test_a_worker_cannot_end_another(sandbox: Sandbox) -> None:
    with opened(sandbox, "def f(): return 1") as victim:
        outcome(sandbox, "import os\nos.kill(-1, 9)")  # "everybody I may": nobody
        assert sandbox._zygote is not None
        for pid in (victim._pid, sandbox._zygote.pid, os.getpid()):
            result = outcome(sandbox, f"import os\nos.kill({pid}, 9)")
            assert result.error and result.error.type == "PermissionError"
        assert victim.call("f").value == 1


def test_a_fork_bomb_is_refused(sandbox: Sandbox) -> None:
    result = outcome(sandbox, "import os\nwhile True: os.fork()")
    refused = ("BlockingIOError", "PermissionError")  # by the limit, or by the list of calls
    assert result.status == "raised" and result.error and result.error.type in refused


def test_the_environment_and_the_arguments_are_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    body = "import os, sys\nreturn dict(os.environ), sys.argv"
    monkeypatch.setenv("SECRET", "of the grader")
    with Sandbox(QUICK) as another:
        environment, arguments = outcome(another, body).value
    assert all(name.endswith("_NUM_THREADS") for name in environment) and arguments == [""]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_holds_no_descriptor_but_its_own(sandbox: Sandbox) -> None:
    body = "import os\nfound = []\nfor fd in range(200):\n  try: os.fstat(fd); found.append(fd)\n"
    body += "  except OSError: pass\nreturn found"
    assert outcome(sandbox, body).value == [0, 1, 2, 3, 4]


def test_it_says_what_is_in_force(sandbox: Sandbox) -> None:
    assert "empty environment" in sandbox.mechanisms
    if sys.platform == "linux":
        assert {"memory limit", "no new privileges", "not traceable"} <= set(sandbox.mechanisms)
        if os.getuid() == 0:
            assert any(item.startswith("own user") for item in sandbox.mechanisms)


def test_every_worker_starts_with_the_same_random_numbers(sandbox: Sandbox) -> None:
    body = "return np.random.rand(3)"
    assert same(outcome(sandbox, body).value, outcome(sandbox, body).value)


# --- stand-ins --------------------------------------------------------------------------------


def test_pictures_cost_nothing_and_break_nothing(sandbox: Sandbox) -> None:
    source = """
        import matplotlib
        import matplotlib.pyplot as plt
        from matplotlib import cm, animation as anim
        from mpl_toolkits.mplot3d import Axes3D
        import ipywidgets as widgets
        from ipywidgets import interact
        from IPython.display import HTML, display
        from google.colab import drive
        import numpy as np
        drive.mount("/content/drive")
        matplotlib.use("Agg")
        plt.rcParams["figure.figsize"] = (10, 8)
        fig, ax = plt.subplots(1, 2, figsize=(3, 4))
        fig, (left, right) = plt.subplots(1, 2)
        (one, two), three = ax
        n, bins, _ = plt.hist(np.zeros(3))
        for a, image in zip(ax.flat, [1, 2]):
            a.imshow(image)
        for a in ax: pass
        with plt.style.context("dark"):
            line, = plt.plot([1, 2], [3, 4])
            first, *rest = plt.plot([1])
        ax[0].set_title("t"); ax[0, 1].set(xlabel="x")
        colors = cm.viridis(np.linspace(0, 1, 5)) * 255
        np.asarray(colors); float(colors); f"{colors:.2f}"; str(colors)
        plt.show()
        class Mine(widgets.DOMWidget):
            size = 3
        @interact(x=(0, 1))
        def f(x=2): return Mine.size + x
        display(fig, HTML("<b>"))
        plot = anim.FuncAnimation(fig, f)
    """
    with opened(sandbox, source) as attempt:
        assert attempt.load_report.ok, attempt.load_report
        assert attempt.call("f").value == 5


def test_progress_bars_pass_on_what_they_wrap(sandbox: Sandbox) -> None:
    source = """
        from tqdm.auto import tqdm, trange
        bar = tqdm([1, 2, 3], desc="epochs")
        found = [x for x in bar] + list(trange(2))
        bar.set_postfix(loss=1); bar.update()
        with tqdm(total=3) as other: other.update(1)
    """
    with opened(sandbox, source) as attempt:
        assert attempt.load_report.ok, attempt.load_report
        assert attempt.get("found").value == [1, 2, 3, 0, 1]


def test_scipy_can_be_imported_where_it_is_installed(sandbox: Sandbox) -> None:
    pytest.importorskip("scipy")
    source = "from scipy.special import expit\ndef f(): return float(expit(0.0))"
    with opened(sandbox, source, limits=Limits()) as attempt:
        assert attempt.call("f").value == 0.5, attempt.load_report


def test_checks_do_nothing_while_work_is_graded(sandbox: Sandbox) -> None:
    source = """
        import grader
        from grader import check, hint, progress, compare, gradcheck
        from grader.widgets import explore_activation
        import grader.widgets as gw
        def f(x): return x
        check(f)
        hint("f"); progress()
        explore_activation(f); gw.anything(1)
        points = check(f).show()
        error = gradcheck(f, 1)
        assert error < 1e-7 and abs(error) <= 1
        print(check(f))
    """
    with opened(sandbox, source) as attempt:
        assert attempt.load_report.ok, attempt.load_report
        assert same(attempt.get("points").value, 0.0)


def test_given_modules_can_be_imported_in_every_way(sandbox: Sandbox) -> None:
    sources = {
        "grader.nn": "import numpy as np\nfrom grader.nn.more import two\n"
        "def relu(x): return np.maximum(x, 0)\ndef bad(x): return x.nothing\n",
        "grader.nn.more": "def two(): return 2\n",
    }
    source = """
        import grader
        import grader.nn
        from grader import nn
        from grader.nn import relu
        from grader.nn.more import two
        def f(x): return relu(x), grader.nn.two(), nn.two() + two()
        def g(x):
            return nn.bad(x)
    """
    with opened(sandbox, source, given=sources) as attempt:
        assert attempt.load_report.ok, attempt.load_report
        assert attempt.call("f", np.array([-1.0])).value == (np.zeros(1), 2, 4)
        error = attempt.call("g", 1).error
        assert error and error.text == "return nn.bad(x)", "the learner's line, not ours"


@pytest.mark.parametrize(
    "statement",
    [
        "import grader.exercises",
        "from grader.exercises import backprop",
        "from grader import exercises",
        "import grader.attempt",
        "import grader.sandbox.worker",
        "import grader.nn",
        "from grader.nn import relu",
        "import grader.datasets",
        "from grader import datasets",
    ],
)
def test_the_rest_of_the_course_is_refused_with_a_sentence(
    statement: str, sandbox: Sandbox
) -> None:
    with opened(sandbox, statement) as attempt:
        error = attempt.load_report.cells[0].error
        assert error and error.type == "ImportError" and "grader." in error.message
        assert len(error.message.split()) > 4


def test_no_answer_is_in_a_worker_nor_on_its_path(sandbox: Sandbox) -> None:
    body = """
        import importlib.machinery, sys
        loaded = [name for name in sys.modules if name.startswith("grader")]
        sys.meta_path[:] = [importlib.machinery.PathFinder]
        sys.modules.pop("grader", None)
        try:
            import grader.exercises
        except ImportError:
            return loaded, "out of reach"
    """
    assert outcome(sandbox, body).value == ([], "out of reach")


# --- life and death ---------------------------------------------------------------------------


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def gone(*pids: int) -> bool:
    until = time.monotonic() + 3
    while time.monotonic() < until and any(map(alive, pids)):
        time.sleep(0.01)
    return not any(map(alive, pids))


def test_nothing_is_left_running() -> None:
    with Sandbox(QUICK) as sandbox:
        attempts = [sandbox.open(["x = 1"]) for _ in range(3)]
        attempts[0].close()
        assert sandbox._zygote is not None
        pids = [sandbox._zygote.pid, *(attempt._pid for attempt in attempts)]
    assert gone(*pids)


def test_a_forgotten_attempt_ends_by_itself(sandbox: Sandbox) -> None:
    pid = sandbox.open(["x = 1"])._pid
    gc.collect()
    sandbox.open([]).close()
    assert gone(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a parent-death signal")
def test_a_dead_zygote_takes_its_workers_along_and_is_replaced() -> None:
    with Sandbox(QUICK) as sandbox:
        attempt = sandbox.open(["import time\ndef f(): time.sleep(60)\ndef g(): return 1"])
        assert sandbox._zygote is not None
        old = sandbox._zygote.pid
        os.kill(old, 9)
        assert gone(attempt._pid)
        result = attempt.call("g")
        assert result.status == "died" and result.error and result.error.type == "Lost"
        assert attempt.call("g").value == 1
        assert sandbox._zygote is not None and sandbox._zygote.pid != old


def test_workers_end_when_the_grader_is_killed() -> None:
    script = """
        import sys, time
        from grader.sandbox.client import Sandbox
        sandbox = Sandbox()
        attempt = sandbox.open(["x = 1"])
        print(sandbox._zygote.pid, attempt._pid, flush=True)
        time.sleep(60)
    """
    grader = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True
    )
    assert grader.stdout is not None
    pids = [int(word) for word in grader.stdout.readline().split()]
    grader.kill()
    grader.wait()
    grader.stdout.close()
    assert len(pids) == 2 and gone(*pids)


def test_several_threads_share_one_sandbox(sandbox: Sandbox) -> None:
    found: list[int] = []

    def work(number: int) -> None:
        for _ in range(5):
            with sandbox.open([f"def f(x): return x + {number}"]) as attempt:
                found.append(attempt.call("f", 100).value)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted([100 + number for number in range(4)] * 5)


def test_a_question_cut_short_does_not_confuse_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Sandbox) -> None:
        raise KeyboardInterrupt

    with Sandbox(QUICK) as sandbox:
        attempt = sandbox.open(["def f(): return 1"])
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Sandbox, "_reply", interrupted)
            sandbox.open([])
        assert gone(attempt._pid)
        assert attempt.call("f").status == "died"
        assert attempt.call("f").value == 1


def test_a_forked_grader_starts_a_zygote_of_its_own(sandbox: Sandbox) -> None:
    sandbox.open([]).close()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            with sandbox.open(["def f(): return 1"]) as attempt:
                status = 0 if attempt.call("f").value == 1 else 2
            sandbox.close()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    with opened(sandbox, "def f(): return 2") as attempt:
        assert attempt.call("f").value == 2


def test_a_closed_attempt_says_so(sandbox: Sandbox) -> None:
    attempt = sandbox.open(["x = 1"])
    attempt.close()
    with pytest.raises(ValueError, match="closed"):
        attempt.get("x")


def test_where_processes_cannot_be_forked_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delattr(os, "fork")
    with pytest.raises(RuntimeError, match="Linux, macOS or WSL"), Sandbox() as sandbox:
        sandbox.open([])


def test_weakened_protection_is_never_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(QUICK) as sandbox:
        sandbox._mechanisms = [*sandbox.mechanisms, "one more"]
        with pytest.raises(RuntimeError, match="less protection"):
            sandbox.open([])
