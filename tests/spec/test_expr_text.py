"""Expressions as text, and read back: nothing that decides an integer is lost."""

import pytest
from hypothesis import given

from spec import SpecError
from spec.expr import constant, lookup, tabulate, variable, walk
from spec.expr.text import graph_text, read_graph
from tests.support.expressions import graphs


@given(graphs())
def test_what_is_read_is_what_was_told(graph):
    for expr in graph.values():
        assert read_graph(graph_text(expr)) is expr


def test_every_kind_of_line():
    x = variable("x", -5, 9)
    table = lookup([3, -4, 5], x, offset=1, name="two words [1]")
    expr = (table * x >> 3) + constant(7, 2)
    assert graph_text(expr) == [
        "%0 = variable x -5 9 .0",
        "%1 = table %0 two words [1] [1] 3 -4 5 .0",
        "%2 = mul %1 %0 .0",
        "%3 = round %2 3 floor .0",
        "%4 = shl %3 2 .2",
        "%5 = constant 7 .2",
        "%6 = add %4 %5 .2",
    ]
    assert read_graph(graph_text(expr)) is expr
    assert read_graph(["%0 = constant True .0"]) is constant(True)
    assert read_graph(["%0 = constant 1 .0"]) is constant(1)


def test_a_function_behind_a_table_is_not_needed():
    expr = tabulate(lambda x: x * x / 7, variable("x", 0, 40, frac=3), out_frac=6)
    again = read_graph(graph_text(expr))
    assert [node.data for node in walk(again)] == [node.data for node in walk(expr)]
    assert graph_text(again) == graph_text(expr)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "has no line"),
        (["%1 = constant 1 .0"], "line 0 is no node: '%1 = constant 1 .0'"),
        (["%0 = constant 1"], "line 0 is no node"),
        (["%0 = constant .0"], "line 0 is no node"),
        (["%0 = constant x .0"], "line 0 is no node"),
        (["%0 = power 3 .0"], "line 0 is no node"),
        (["%0 = constant 1 .0", "%1 = abs %0 3 .0"], "line 1 is no node"),
        (["%0 = constant 1 .0", "%1 = abs %1 .0"], "line 1 is no node"),
        (["%0 = constant 1 .0", "%1 = table %0 t [0] .0"], "line 1 is no node"),
        (["%0 = constant 1 .0", "%1 = round %0 3 up .0"], "line 1 is no node"),
    ],
)
def test_what_is_no_expression_is_refused(lines, says):
    with pytest.raises(SpecError) as caught:
        read_graph(lines)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
