"""What a user is told: field, rule, value, and the nearest that would be right."""

import math

import numpy as np
import pytest

from spec import Softmax, SpecError, causal
from spec.errors import check_choice, check_number, check_range, shown


def told(check, *arguments):
    with pytest.raises(SpecError) as caught:
        check("Unit.field", *arguments)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize("value", [3, 4, 9])
def test_a_value_in_range_is_given_back(value):
    assert check_range("Unit.field", value, 3, 9) == value


@pytest.mark.parametrize(("value", "nearest"), [(2, 3), (-100, 3), (10, 9), (1 << 70, 9)])
def test_a_value_out_of_range_is_told_the_nearest(value, nearest):
    expected = f"Unit.field must be from 3 to 9, got {value}; nearest is {nearest}"
    assert told(check_range, value, 3, 9) == expected


@pytest.mark.parametrize("value", [4.0, "4", None, True, [4]])
def test_what_is_no_integer_is_refused(value):
    expected = f"Unit.field must be an integer from 3 to 9, got {value!r}"
    assert told(check_range, value, 3, 9) == expected


@pytest.mark.parametrize("value", ["exact", "rexp"])
def test_a_choice_is_given_back(value):
    assert check_choice("Unit.field", value, ("exact", "rexp")) == value


def test_choices_may_come_once():
    assert told(check_choice, 5, iter([2, 8])) == (
        "Unit.field must be one of 2, 8, got 5; nearest is 2"
    )


@pytest.mark.parametrize(("value", "nearest"), [(0, 2), (3, 2), (6, 4), (11, 8), (99, 16), (-5, 2)])
def test_a_number_is_told_the_nearest_choice(value, nearest):
    expected = f"Unit.field must be one of 2, 4, 8, 16, got {value}; nearest is {nearest}"
    assert told(check_choice, value, (2, 4, 8, 16)) == expected


@pytest.mark.parametrize(
    ("value", "meant"), [("Exact", "exact"), ("lut", "lut2d"), ("rxp", "rexp")]
)
def test_a_word_is_told_the_closest_choice(value, meant):
    expected = f"Unit.field must be one of exact, lut2d, rexp, got {value!r}; did you mean {meant}?"
    assert told(check_choice, value, ("exact", "lut2d", "rexp")) == expected


def test_what_is_close_to_nothing_is_told_the_choices_only():
    assert told(check_choice, "zzz", ("ab", "cd")) == (
        "Unit.field must be one of ab, cd, got 'zzz'"
    )


def test_true_is_not_one():
    assert told(check_choice, True, (1, 2)).startswith("Unit.field must be one of 1, 2, got True")


def test_a_spec_error_is_a_value_error():
    assert issubclass(SpecError, ValueError)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (lambda q: q, "a lambda"),
        (causal, "the function causal"),
        (Softmax, "the class Softmax"),
        (np.ones((2, 3)), "an array of shape (2, 3)"),
        (3.5, "3.5"),
        ("row", "'row'"),
    ],
)
def test_a_value_is_shown_without_an_address(value, text):
    assert shown(value) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.2, "Unit.field must be from 0.5 to 9, got 0.2; nearest is 0.5"),
        (-math.inf, "Unit.field must be from 0.5 to 9, got -inf; nearest is 0.5"),
        (9.5, "Unit.field must be from 0.5 to 9, got 9.5; nearest is 9"),
        (math.nan, "Unit.field must be from 0.5 to 9, got nan"),
    ],
)
def test_a_number_out_of_range_is_told_with_the_nearest(value, expected):
    assert check_number("Unit.field", 0.5, 0.5, 9) == 0.5
    assert told(check_number, value, 0.5, 9) == expected
