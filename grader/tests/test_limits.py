"""Code that does not end is ended, whatever it catches, and the kernel goes on."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

import pytest

from grader.attempt import LocalAttempt
from grader.limits import TimeUp, time_limit

ROOT = Path(__file__).resolve().parents[2]
ENDLESS = {
    "plain loop": "while True: pass",
    "sleep": "import time; time.sleep(30)",
    "except Exception": """
while True:
    try:
        while True: pass
    except Exception: pass""",
    "bare except": """
while True:
    try:
        while True: pass
    except: pass""",
    "except BaseException around work": """
while True:
    try:
        sum(range(100))
    except BaseException: continue""",
    "nested bare except": """
while True:
    try:
        try:
            while True: pass
        except: pass
    except: pass""",
    "finally": """
while True:
    try:
        while True: pass
    finally:
        continue""",
    "suppress": """
import contextlib
while True:
    with contextlib.suppress(BaseException):
        while True: pass""",
    "generator": """
def forever():
    while True: yield 1
sum(forever())""",
    "recursion with bare except": """
def again(n=0):
    try:
        while True: n += 1
    except:
        again(n)
again()""",
}

# A sleep ends when it ends; the stubborn ones could keep a thread busy for all later tests.
STUBBORN = ("sleep", "suppress", "recursion with bare except", "except BaseException around work")
IN_A_THREAD = [kind for kind in ENDLESS if kind not in STUBBORN]


def timed(body: str, seconds: float = 0.15):
    source = "def f():\n" + "\n".join(f"    {line}" for line in body.strip().splitlines())
    namespace: dict = {}
    exec(source, namespace)
    started = time.perf_counter()
    call = LocalAttempt(namespace).call("f", seconds=seconds)
    return call, time.perf_counter() - started


@pytest.mark.parametrize("kind", ENDLESS)
def test_code_without_an_end_is_ended_near_its_limit(kind):
    call, seconds = timed(ENDLESS[kind])
    assert call.status in ("timed_out", "raised"), call
    if call.status == "raised":  # the recursion may run out of stack instead
        assert call.error.type == "RecursionError"
    assert 0.1 < seconds < 3


@pytest.mark.parametrize("kind", IN_A_THREAD)
def test_outside_of_the_main_thread_it_is_ended_too(kind):
    found = []
    thread = threading.Thread(target=lambda: found.append(timed(ENDLESS[kind])), daemon=True)
    thread.start()
    thread.join(10)
    assert found, "the thread is still running"
    assert found[0][0].status == "timed_out"


def test_the_kernel_goes_on_after_a_time_out():
    for _ in range(3):
        assert timed(ENDLESS["bare except"])[0].status == "timed_out"
        call, _ = timed("return sum(range(10_000))")
        assert call.value == 49_995_000
    time.sleep(0.02)  # an alarm left behind would ring now
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_handler_that_was_there_before_is_there_again():
    def mine(*_):
        pass

    before = signal.signal(signal.SIGALRM, mine)
    try:
        timed("return 1")
        timed(ENDLESS["bare except"])
        assert signal.getsignal(signal.SIGALRM) is mine
    finally:
        signal.signal(signal.SIGALRM, before)


def test_code_that_ends_at_the_very_limit_never_breaks_the_caller():
    outcomes = set()
    for _ in range(300):
        call, _ = timed(
            "import time\nend = time.perf_counter() + 0.002\n"
            "while time.perf_counter() < end: pass\nreturn 1",
            seconds=0.002,
        )
        outcomes.add(call.status)
    assert outcomes <= {"returned", "timed_out"}


def test_except_exception_does_not_see_the_time_limit():
    with pytest.raises(TimeUp), time_limit(0.05):
        while True:
            try:
                sum(range(1000))
            except Exception:
                pass


def test_elapsed_time_is_measured_whether_it_ends_well_or_not():
    with time_limit(1) as clock:
        time.sleep(0.05)
    assert 0.05 <= clock.elapsed < 0.5
    with pytest.raises(ZeroDivisionError), time_limit(1) as clock:
        time.sleep(0.05)
        1 / 0  # noqa: B018
    assert 0.05 <= clock.elapsed < 0.5


def test_a_limit_of_zero_is_short_and_not_endless():
    assert timed("while True: pass", seconds=0)[0].status == "timed_out"


def test_waiting_for_a_turn_is_not_computing():
    """A block that was kept waiting twice as long as its limit still comes to its end."""
    with time_limit(0.2) as clock:
        time.sleep(0.4)
    assert clock.elapsed >= 0.4


def test_a_block_that_only_waits_is_stopped_after_three_times_its_limit():
    with pytest.raises(TimeUp), time_limit(0.1) as clock:
        time.sleep(5)
    assert 0.28 < clock.elapsed < 3
