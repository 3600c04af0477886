"""Does a value agree with the expected one: shape first, then kind, then numbers."""

from __future__ import annotations

import numpy as np
import pytest

from grader.agreement import Agreement, Disagreement, agree
from grader.attempt import Opaque, plain

RIGHT = np.array([[1.0, -2.0, 3.0], [0.5, 0.25, -4.0]])
CLOSE = 1e-9 * 4


def judged(got, expected=RIGHT, tolerance=CLOSE):
    return agree(plain(got), expected, tolerance)


def said(result: Disagreement) -> str:
    return f"{result.message} {result.where}".replace("{part}", "out").strip()


def test_equal_values_agree_without_a_remark():
    assert judged(RIGHT.copy()) == Agreement()


def test_the_shape_is_judged_before_the_numbers():
    result = judged(np.full((2, 4), np.nan))
    assert result.kind == "shape"
    assert said(result) == "out has shape (2, 4), expected (2, 3)."


@pytest.mark.parametrize("got", [np.ones((1, 3)), np.ones(3), 1.0, np.ones((1, 2, 3))])
def test_nothing_is_broadcast(got):
    assert judged(got, np.ones((2, 3))).kind == "shape"


def test_a_single_number_is_not_an_array_of_one():
    assert judged(np.ones(1), np.array(1.0)).kind == "shape"
    result = judged(1.0, np.ones(1))
    assert said(result) == "out has shape (), a single number, expected (1,)."


def test_an_empty_array_agrees_with_an_empty_one_only():
    assert isinstance(judged(np.zeros((0, 3)), np.zeros((0, 3))), Agreement)
    assert judged(np.zeros((0, 3)), np.zeros((3, 0))).kind == "shape"


def test_the_worst_entry_is_named():
    got = RIGHT.copy()
    got[0, 0] += 0.1
    got[1, 2] = 7
    result = judged(got)
    assert result.kind == "value"
    assert said(result) == (
        "out has the right shape, but the numbers differ (2 of 6 entries differ). "
        "entry [1, 2] is 7, expected -4"
    )


def test_a_difference_just_inside_the_tolerance_agrees_and_just_outside_does_not(rng):
    for size in 10.0 ** np.arange(-12, 13, 3):
        right = size * rng.uniform(0.5, 1, (3, 4))
        for factor, kind in [(0.99, Agreement), (1.01, Disagreement)]:
            got = right.copy()
            got[1, 2] += factor * 1e-9 * size
            assert isinstance(judged(got, right, 1e-9 * size), kind), (size, factor)


@pytest.mark.parametrize("value, word", [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "inf")])
def test_an_entry_that_is_no_number_is_named_before_larger_gaps(value, word):
    got = RIGHT + 1e6
    got[1, 0] = value
    result = judged(got)
    assert result.kind == "nan"
    assert said(result).startswith(f"out contains {word}. entry [1, 0] is ")


def test_nan_and_inf_agree_where_they_are_expected():
    odd = np.array([np.nan, np.inf, -np.inf, 1.0])
    assert isinstance(judged(odd.copy(), odd), Agreement)
    assert judged(np.array([np.nan, -np.inf, -np.inf, 1.0]), odd).kind == "nan"


def test_all_entries_wrong_is_said_as_such():
    assert "every entry differs" in judged(RIGHT + 1).message


# --- kinds of numbers ------------------------------------------------------------------------


def test_single_precision_is_right_with_a_remark(rng):
    right = rng.normal(0, 1, (5, 7))
    result = judged(right.astype(np.float32), right, 1e-9)
    assert isinstance(result, Agreement)
    assert "float32" in result.remarks[0]


def test_values_that_passed_through_single_precision_are_right_with_a_remark(rng):
    right = rng.normal(0, 1, (5, 7))
    result = judged(right.astype(np.float32).astype(float), right, 1e-9)
    assert isinstance(result, Agreement) and result.remarks


def test_single_precision_does_not_excuse_a_wrong_number(rng):
    right = rng.normal(0, 1, (5, 7))
    wrong = right.astype(np.float32)
    wrong[2, 3] *= np.float32(1.001)
    assert isinstance(judged(wrong, right, 1e-9), Disagreement)


def test_a_small_error_in_double_precision_is_not_taken_for_single_precision(rng):
    right = rng.normal(0, 1, (5, 7))
    assert isinstance(judged(right + 1e-7, right, 1e-9), Disagreement)


def test_integers_agree_with_equal_floats():
    right = np.array([0.0, 2.0, -3.0])
    assert judged(np.array([0, 2, -3]), right) == Agreement()
    assert judged(2, np.array(2.0)) == Agreement()
    assert judged(np.array([0, 1, -3]), right).kind == "value"


def test_unsigned_and_narrow_integers_do_not_wrap_round_in_the_comparison():
    right = np.array([0.0, 255.0])
    assert isinstance(judged(np.array([0, 255], np.uint8), right), Agreement)
    assert judged(np.array([0, 255], np.uint8), np.array([0.0, -1.0])).kind == "value"


def test_complex_numbers_are_refused_even_with_imaginary_part_zero():
    result = judged(RIGHT.astype(complex))
    assert result.kind == "type"
    assert said(result) == "out holds complex numbers, expected real ones."


def test_true_and_false_are_no_numbers_unless_expected():
    mask = np.array([1.0, 0.0])
    assert said(judged(mask > 0, mask)) == "out holds True and False, expected numbers."
    assert isinstance(judged(mask > 0, mask > 0), Agreement)


def test_text_and_objects_are_no_numbers():
    assert judged(np.array([["a"] * 3] * 2)).kind == "type"
    assert judged(RIGHT.astype(object)).kind == "type"
    assert judged("text").kind == judged(None).kind == judged({}).kind == "type"


# --- containers ------------------------------------------------------------------------------


def test_a_list_of_right_numbers_passes_with_a_remark():
    result = judged(RIGHT.tolist())
    assert isinstance(result, Agreement)
    assert result.remarks == ("a list was returned where an array is meant; the numbers are right",)


def test_a_tuple_or_a_ragged_list_is_no_array():
    assert judged(tuple(map(tuple, RIGHT))).kind == "type"
    assert judged([[1.0], [2.0, 3.0]]).kind == "type"


def test_tuples_are_compared_item_by_item_and_the_item_is_named():
    expected = (np.ones(2), 3.0)
    assert isinstance(judged((np.ones(2), 3), expected), Agreement)
    assert said(judged((np.ones(2), 4), expected)).startswith("out[1] is 4, expected 3.")
    assert said(judged((np.ones(2),), expected)) == "out has 1 items, expected 2."
    assert said(judged(7, expected)) == "out is a number, expected a tuple of 2."


def test_a_shape_may_be_given_as_tuple_list_or_array():
    for got in [(10, 4), [10, 4], np.array([10, 4]), (np.int64(10), 4.0)]:
        assert isinstance(judged(got, (10, 4)), Agreement)
    assert isinstance(judged((4, 10), (10, 4)), Disagreement)


def test_dicts_are_compared_by_key_and_a_missing_key_is_named():
    expected = {"W1": np.ones((2, 2)), "b1": np.zeros(2)}
    assert isinstance(judged({"b1": np.zeros(2), "W1": np.ones((2, 2))}, expected), Agreement)
    assert isinstance(judged({**expected, "more": 1}, expected), Agreement)
    assert said(judged({"W1": np.ones((2, 2))}, expected)) == "out has no entry `b1`."
    result = judged({"W1": np.ones((2, 1)), "b1": np.zeros(2)}, expected)
    assert said(result) == "out['W1'] has shape (2, 1), expected (2, 2)."


def test_the_tolerance_inside_a_container_is_relative_to_each_item():
    expected = {"large": np.array([1e6]), "small": np.array([1e-6])}
    assert isinstance(judged({"large": [1e6 + 1e-4], "small": [1e-6]}, expected, 1e-9), Agreement)
    got = {"large": np.array([1e6]), "small": np.array([1.1e-6])}
    assert isinstance(judged(got, expected, 1e-9), Disagreement)


def test_strings_bools_and_none_are_compared_exactly():
    assert isinstance(judged("b", "b"), Agreement)
    assert said(judged("c", "b")) == "out is 'c', expected 'b'."
    assert isinstance(judged(True, True), Agreement)
    assert isinstance(judged(np.bool_(True), True), Agreement)
    assert isinstance(judged(1, True), Disagreement)
    assert isinstance(judged(None, None), Agreement)


def test_an_object_with_a_clever_equality_convinces_nobody():
    class Agreeable:
        def __eq__(self, other):
            return True

        def __array__(self, dtype=None, copy=None):
            return RIGHT

    for expected in (RIGHT, "b", True, None, (1, 2), {"a": 1}):
        assert isinstance(judged(Agreeable(), expected), Disagreement)
    assert plain(Agreeable()) == Opaque("Agreeable")
