"""What lessons import: the course's answers, or the learner's own where they passed."""

import numpy as np
import pytest

from grader import nn
from grader.exercises import get
from grader.store import FOLDER, Store


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / FOLDER).mkdir()
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    nn.use_own(False)


def test_an_answer_is_imported_by_its_name():
    from grader.nn import affine_forward

    assert affine_forward is get("affine_forward").answer


def test_an_unknown_name_and_a_quiz_item_are_refused_in_words():
    with pytest.raises(AttributeError, match="Did you mean 'affine_forward'"):
        _ = nn.affine_foward
    with pytest.raises(AttributeError, match="quiz item"):
        _ = nn.backprop_q1


def test_a_passed_function_takes_the_answers_place_when_asked(place):
    source = (
        "def sigmoid_forward(x):\n    out = 0.5 * (1 + np.tanh(x / 2))\n    return out, 'mine'\n"
    )
    Store(place).record("sigmoid_forward", "passed", 2.0, source)
    assert nn.sigmoid_forward is get("sigmoid_forward").answer
    assert nn.use_own() == ["sigmoid_forward"]
    out, cache = nn.sigmoid_forward(np.zeros(3))
    assert cache == "mine" and (out == 0.5).all()
    assert nn.affine_forward is get("affine_forward").answer, "not passed, so the course's"
    nn.use_own(False)
    assert nn.sigmoid_forward is get("sigmoid_forward").answer


def test_an_own_function_may_use_the_courses_other_functions(place):
    source = "def sigmoid_backward(dout, cache):\n    return dout * dsigmoid_from_a(cache)\n"
    Store(place).record("sigmoid_backward", "passed", 2.0, source)
    nn.use_own()
    assert nn.sigmoid_backward(np.ones(2), np.full(2, 0.5)).tolist() == [0.25, 0.25]


def test_without_a_working_copy_there_is_nothing_of_the_learners(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert nn.use_own() == []
    nn.use_own(False)
