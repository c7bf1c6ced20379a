"""Random expressions for Hypothesis: graphs of every kind of node, masks, tiles and values."""

import random
from collections.abc import Mapping
from itertools import product
from typing import Any

from hypothesis import strategies as st

from spec.expr import (
    Expr,
    constant,
    lookup,
    maximum,
    minimum,
    round_shift,
    round_to,
    saturate,
    select,
    variable,
)
from spec.fixed import Rounding

__all__ = ["GRANULES", "graphs", "masks", "points", "positions", "tiles", "vectors"]

GRANULES = {"h": 1, "q": 8, "k": 8}


@st.composite
def graphs(draw: st.DrawFn, most: int = 16, widest: int = 40) -> dict[str, Expr]:
    """Expressions of `most` or fewer nodes made at random, of every kind: those not used again.

    None that is wider than `widest` bits is used.
    """
    variables = [draw(_variables(name)) for name in ("s", "q", "k")]
    numbers: list[Expr] = [*variables, constant(draw(st.integers(-300, 300)))]
    truths: list[Expr] = [numbers[0] < numbers[1]]
    for _ in range(draw(st.integers(most // 2, most))):
        # Later ones first, so that graphs grow deep.
        made = draw(_node(numbers[::-1], truths[::-1]))
        if made.is_bool:
            truths.append(made)
        elif max(made.bounds).bit_length() < widest > min(made.bounds).bit_length():
            numbers.append(made)
    made = dict.fromkeys(numbers + truths)
    used = {arg for node in made for arg in node.args}
    return {f"o{index}": node for index, node in enumerate(made) if node not in used}


@st.composite
def masks(draw: st.DrawFn, positions: Mapping[str, Expr], affine: bool = False) -> Expr:
    """A mask over `positions`; with `affine`, one inequality of sums of different variables."""
    if affine:
        return draw(_comparison(_sum(draw, positions), ("<", "<=", ">", ">=")))
    terms = [_sum(draw, positions), *positions.values()]
    for _ in range(draw(st.integers(0, 4))):
        a = draw(st.sampled_from(terms))
        kind = draw(st.sampled_from(("table", "mod", "div", "abs", "min", "select", "mul", "sub")))
        terms.append(_term(draw, kind, a, draw(st.sampled_from(terms))))
    found = [draw(_comparison(term)) for term in draw(st.lists(st.sampled_from(terms), min_size=1))]
    a, b = draw(st.sampled_from(terms)), draw(st.sampled_from(terms))
    found.append(draw(st.sampled_from((a == b, a < b))))
    mask = found[0]
    for each in found[1:4]:
        mask = draw(st.sampled_from((mask & each, mask | each, mask ^ each, mask & ~each)))
    return mask


def positions(most: int = 31) -> dict[str, Expr]:
    """Variables h, q and k."""
    return {"h": variable("h", 0, 3), "q": variable("q", 0, most), "k": variable("k", 0, most)}


@st.composite
def tiles(
    draw: st.DrawFn, positions: Mapping[str, Expr], granules: Mapping[str, int] | None = None
) -> dict[str, tuple[int, int]]:
    """A range for each of `positions`, within one granule if there are any."""
    found = {}
    for name, node in positions.items():
        low, high = node.bounds
        first = draw(st.integers(low, high))
        size = (granules or {}).get(name, 1 if name == "h" else 8)
        end = min(high, first // size * size + size - 1)
        found[name] = first, draw(st.integers(first, end))
    return found


def points(tile: Mapping[str, tuple[int, int]]) -> dict[str, list[int]]:
    """Every point of a tile, as a list for each variable."""
    spans = [range(low, high + 1) for low, high in tile.values()]
    columns = zip(*product(*spans), strict=True)
    return dict(zip(tile, map(list, columns), strict=True))


def vectors(variables: Mapping[str, Expr], count: int, seed: int) -> dict[str, list[int]]:
    """Values for each variable: the ends of its range often, and any in it."""
    source = random.Random(seed)
    found: dict[str, list[int]] = {}
    for name, node in variables.items():
        low, high = node.bounds
        edges = [low, high, max(low, min(high, 0)), max(low, min(high, -1))]
        found[name] = [
            source.choice(edges) if source.random() < 0.3 else source.randint(low, high)
            for _ in range(count)
        ]
    return found


@st.composite
def _variables(draw: st.DrawFn, name: str) -> Expr:
    low = draw(st.integers(-(1 << draw(st.integers(0, 12))), 1 << 10))
    return variable(name, low, low + draw(st.integers(1, 1 << 12)), draw(st.integers(0, 4)))


@st.composite
def _node(draw: st.DrawFn, numbers: list[Expr], truths: list[Expr]) -> Expr:
    a, b = draw(st.sampled_from(numbers)), draw(st.sampled_from(numbers))
    c, d = draw(st.sampled_from(truths)), draw(st.sampled_from(truths))
    small, step = draw(st.integers(0, 9)), draw(st.integers(1, 70))
    rounding = draw(st.sampled_from(Rounding))
    makers: dict[str, Any] = {
        "add": lambda: a + b,
        "sub": lambda: a - b,
        "neg": lambda: -a,
        "mul": lambda: a * b,
        "scale": lambda: a * draw(st.integers(-500, 500)),
        "shl": lambda: a << small,
        "floor": lambda: a >> small,
        "round": lambda: round_shift(a, small, rounding),
        "round_to": lambda: round_to(a, small - 3, rounding),
        "min": lambda: minimum(a, b),
        "max": lambda: maximum(a, b),
        "abs": lambda: abs(a),
        "less": lambda: a < b,
        "least": lambda: a <= draw(st.integers(-100, 100)),
        "equal": lambda: a == b,
        "unequal": lambda: a % step != draw(st.integers(0, 9)),
        "positive": lambda: a > 0,
        "negative": lambda: a < 0,
        "greatest": lambda: a >= b,
        "and": lambda: c & d,
        "or": lambda: c | d,
        "xor": lambda: c ^ d,
        "not": lambda: ~c,
        "choose": lambda: select(c, d, ~c),
        "select": lambda: select(c, a, b),
        "width": lambda: saturate(a, draw(st.integers(1, 12)), signed=draw(st.booleans())),
        "limits": lambda: saturate(a, low=-step, high=draw(st.integers(-3, 50))) if step > 3 else a,
        "mod": lambda: a % step,
        "div": lambda: a // step,
        "lookup": lambda: lookup(
            draw(st.lists(st.integers(-200, 200), min_size=1, max_size=40)),
            round_to(a, 0),
            offset=round_to(a, 0).bounds[draw(st.integers(0, 1))] - draw(st.integers(0, 20)),
            frac=small % 3,
        ),
    }
    return makers[draw(st.sampled_from(sorted(makers)))]()


def _sum(draw: st.DrawFn, positions: Mapping[str, Expr]) -> Expr:
    total = constant(draw(st.integers(-8, 8)))
    for node in positions.values():
        total = total + node * draw(st.integers(-2, 2))
    return total + positions["q"] - positions["q"]


@st.composite
def _comparison(
    draw: st.DrawFn, a: Expr, kinds: tuple[str, ...] = ("<", "<=", ">", ">=", "!=")
) -> Expr:
    low, high = a.bounds
    c = draw(st.integers(low - 1, high + 1)) if draw(st.booleans()) else draw(st.integers(-9, 9))
    made = {"<": a < c, "<=": a <= c, ">": a > c, ">=": a >= c, "!=": a != c}
    return made[draw(st.sampled_from(kinds))]


def _term(draw: st.DrawFn, kind: str, a: Expr, b: Expr) -> Expr:
    match kind:
        case "table":
            values = draw(st.lists(st.integers(-9, 9), min_size=1, max_size=40))
            if draw(st.booleans()):
                values = sorted(values, reverse=draw(st.booleans()))
            return lookup(values, a, offset=draw(st.integers(-20, 4)))
        case "mod":
            return a % draw(st.integers(1, 9))
        case "div":
            return a // draw(st.integers(1, 9))
        case "abs":
            return abs(a)
        case "min":
            return minimum(a, b)
        case "select":
            return select(a > 3, b, a)
        case "mul" if max(map(abs, (*a.bounds, *b.bounds))) < 1000:
            return a * b
    return a - b
