"""Value with error: text, intervals, distances."""

import math

import numpy as np
import pytest

from sitqmc import Estimate
from sitqmc.estimate import concise


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (0.34124, 0.00213, "0.3412(21)"),
        (0.5147093, 0.0000776, "0.514709(78)"),
        (5.29, 0.456, "5.29(46)"),
        (12.34, 4.56, "12.3(46)"),
        (0.5, 0.0996, "0.50(10)"),               # rounds up to two digits, not to three
        (1234.5, 32.4, "1234(32)"),
        (12345.0, 829.0, "12340(830)"),          # no digit beyond the second one of the error
        (-1.5, 0.25, "-1.50(25)"),
        (0.0003, 0.0012, "0.0003(12)"),
        (0.4, 0.0, "0.4(0)"),
        (0.0, 0.0, "0(0)"),
        (1.0, 1e-17, "1(0)"),
    ],
)
def test_two_digits_of_the_error_are_printed(value, error, text):
    assert concise(value, error) == text
    assert f"{Estimate(value, error)}" == text


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (696.0, 8290.0, "0(8300)"), (9.511, math.nan, "n.r."), (math.nan, 1.0, "n.r."),
        (2.0, math.inf, "n.r."), (1e-5, 5e-3, "0.0000(50)"), (696.0, 6000.0, "700(6000)"),
    ],
)  # fmt: skip
def test_no_digit_of_an_unresolved_value_is_printed(value, error, text):
    """Unknown error: not resolved. Error above ten times the value: zero within its error."""
    assert concise(value, error) == text


@pytest.mark.parametrize("unit", [1e-3, 1.0, 1e3, 1e12])
def test_the_rule_does_not_depend_on_the_unit(unit):
    def digits(value, error):
        head, _, tail = concise(value * unit, error * unit).partition("(")
        return head.strip("-0.").replace(".", "").rstrip("0"), tail.partition(")")[0].rstrip("0")

    assert digits(7.0, 83.0) == ("", "83")
    assert digits(0.3412, 0.0021) == ("3412", "21")


def test_large_numbers_have_a_power_of_ten():
    assert concise(1.2345e9, 3.4e6) == "1.2345(34)e+9"
    assert concise(5e8, 8.3e9) == "0.0(83)e+9"


def test_intervals_and_pulls():
    plain, skew = Estimate(1.0, 0.1), Estimate.from_interval(1.0, 0.9, 1.3)
    assert plain.interval() == (0.9, 1.1)
    assert skew.error == pytest.approx(0.2)
    assert 1.25 in skew
    assert 0.85 not in skew
    assert plain.interval(0.95)[1] == pytest.approx(1 + 0.1959964)
    with pytest.raises(ValueError, match=r"coverage = 0\.5"):
        plain.interval(0.5)
    assert plain.pull(Estimate(1.3, 0.4)) == pytest.approx(-0.3 / math.hypot(0.1, 0.4))
    assert plain.pull(1.2) == pytest.approx(-2)
    assert skew.scaled(-2).interval() == pytest.approx((-2.6, -1.8))


def test_difference_and_ratio_of_independent_values():
    a, b = Estimate(3.0, 0.3), Estimate(-2.0, 0.4)
    assert (a.minus(b).value, a.minus(b).error) == pytest.approx((5.0, 0.5))
    assert (a.over(b).value, a.over(b).error) == pytest.approx((-1.5, 1.5 * math.hypot(0.1, 0.2)))
    assert not a.over(Estimate(0.0, 0.1)).is_known
    assert not a.minus(Estimate.missing()).is_known


def test_arrays_and_missing_values():
    rows = Estimate(np.array([1.0, 2.0]), np.array([0.1, 0.2]), low=np.array([0.8, 1.9]),
                    high=np.array([1.1, 2.2]))  # fmt: skip
    assert len(rows.value) == 2
    assert rows[1].low == 1.9
    assert str(rows) == "[1.00(10), 2.00(20)]"
    assert not Estimate.missing().is_known
    assert not Estimate(1.0, 0.1, found=0.4).is_known
    with pytest.raises(ValueError, match="must have the shape"):
        Estimate(np.ones(2), np.ones(3))
    with pytest.raises(TypeError, match="no components"):
        Estimate(1.0, 0.1)[0]


def test_an_estimate_is_true_whatever_its_shape():
    """`estimate or default` keeps a scalar estimate, and one of an empty array."""
    assert Estimate(0.0, 1.0)
    assert Estimate(np.zeros(0), np.zeros(0))
