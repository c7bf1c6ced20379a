import math
import re

import pytest

from spec.errors import SpecError
from spec.expr import Op, apply, constant, variable, walk
from spec.scores import alibi, alibi_slopes, head_bias, relative_bias, softcap


def score(width, frac):
    return variable("s", -(1 << (width - 1)), (1 << (width - 1)) - 1, frac)


def value(expr, **values):
    """The real number that `expr` is."""
    found = {}
    for node in walk(expr):
        if node.op is Op.VARIABLE:
            found[node] = values[node.name]
        elif node.op is Op.CONSTANT:
            found[node] = node.data
        else:
            found[node] = apply(node, [found[arg] for arg in node.args])
    return found[expr] * 2.0**-expr.frac


@pytest.mark.parametrize(
    ("width", "frac", "cap"), [(16, 8, 30.0), (16, 8, 50.0), (16, 8, 5.0), (12, 4, 20.0)]
)
def test_softcap_is_within_one_lsb_by_a_table_of_one_kilobyte(width, frac, cap):
    s = score(width, frac)
    capped = softcap(s, cap)
    assert capped.frac == frac
    assert capped.error < 2.0**-frac
    assert capped.source.bits <= 8 * 1024
    for x in (*range(-(1 << (width - 1)), 1 << (width - 1), 97), (1 << (width - 1)) - 1):
        found = value(capped, s=x)
        assert abs(found - cap * math.tanh(x * 2.0**-frac / cap)) <= capped.error
        if x > -(1 << (width - 1)):
            assert value(capped, s=-x) == -found
    assert value(capped, s=0) == 0


@pytest.mark.slow
@pytest.mark.parametrize("cap", [30.0, 50.0])
def test_softcap_of_the_widest_scores_takes_two_kilobytes(cap):
    capped = softcap(score(18, 10), cap)
    assert capped.error < 2.0**-10
    assert capped.source.bits <= 8 * 2048


@pytest.mark.parametrize("cap", [0.0, -1.0, math.inf])
def test_softcap_rejects(cap):
    text = f"softcap's cap must be a finite number above 0, got {cap}"
    with pytest.raises(SpecError, match=re.escape(text)):
        softcap(score(8, 0), cap)


def test_slopes_are_those_of_the_paper():
    assert alibi_slopes(8) == tuple(2.0**-i for i in range(1, 9))
    assert alibi_slopes(16) == tuple(2.0 ** (-i / 2) for i in range(1, 17))
    # 12 heads, as `get_slopes` of the authors' repository gives them.
    assert alibi_slopes(12) == alibi_slopes(8) + alibi_slopes(16)[0:8:2]
    assert alibi_slopes(1) == (2.0**-8,)


@pytest.mark.parametrize("heads", [1, 2, 6, 8, 12])
def test_alibi_is_the_slope_times_the_distance(heads):
    h = variable("h", 0, heads - 1)
    q, k = variable("q", 0, 1023), variable("k", 0, 1023)
    bias = alibi(h, q, k)
    for head, slope in enumerate(alibi_slopes(heads)):
        for row, column in ((0, 0), (5, 2), (2, 5), (1023, 0), (0, 1023), (700, 13)):
            found = value(bias, h=head, q=row, k=column)
            wanted = -slope * abs(row - column)
            assert abs(found - wanted) <= (2.0**-9 if heads in (6, 12) else 0)


def test_biases_of_heads_and_of_distances():
    h, q, k = variable("h", 0, 2), variable("q", 0, 9), variable("k", 0, 9)
    by_head = head_bias([0.5, -1.25, 3], frac=2)(h)
    assert [value(by_head, h=head) for head in range(3)] == [0.5, -1.25, 3]
    near = relative_bias([-1.0, 0.0, 0.5], frac=1)(q, k)
    assert [value(near, q=q, k=4) for q in (0, 3, 4, 5, 9)] == [-1, -1, 0, 0.5, 0.5]
    late = relative_bias([7, 5], first=2)(q, k)
    assert [value(late, q=q, k=4) for q in (0, 6, 7, 9)] == [7, 7, 5, 5]
    assert head_bias([3])(constant(0)) is constant(3)


def test_rejections():
    h = variable("h", 0, 2)
    with pytest.raises(SpecError, match="per_head has 2 values, but there are 3 heads"):
        head_bias([1, 2])(h)
    with pytest.raises(SpecError, match="relative_bias needs at least one value"):
        relative_bias([])
    with pytest.raises(SpecError, match=r"const\(0.5\) is no integer, so it needs frac"):
        relative_bias([0.5])
