"""Masks: which query sees which key, as expressions that compose with & | and ~.

Queries and keys are aligned at their ends: the last query stands where the last key is, so query q
has *position* q + keys - queries. Where there are more queries than keys, the first queries have
positions below zero: they come before every key.

A mask is *exact* if the interval analysis of `spec.expr.classify` calls a tile empty where no query
in it sees a key, and nowhere else. Every generator is.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import Any, NamedTuple

from spec.errors import SpecError, check_range, shown
from spec.expr import TRUE, Expr, lookup, trace, variable

__all__ = [
    "Mask",
    "causal",
    "dilated",
    "document",
    "full",
    "global_tokens",
    "mask_hint",
    "prefix",
    "sliding_window",
]

MAX_LENGTH = 1 << 20
MAX_INDEX = 1 << 16


class Indices(NamedTuple):
    """What a mask is a function of, as nodes of an expression."""

    b: Expr
    h: Expr
    q: Expr
    k: Expr
    offset: Expr
    """keys - queries of the job."""

    @property
    def position(self) -> Expr:
        """Where the query stands among the keys."""
        return self.q + self.offset


class Mask:
    """Which query sees which key.

    Composition with ``&``, ``|`` and ``~`` gives a mask. It is never wrong: a tile that is called
    empty is empty. It is exact for

    - ``|`` of exact masks;
    - ``&`` of `causal`, `document` and `sliding_window` without sinks, as many as one likes;
    - `causal` ``&`` one of `sliding_window` with sinks, `prefix`, `dilated`.

    Elsewhere ``a & b`` may visit a tile where a and b hold, but for different pairs, such as
    ``causal() & ~prefix(3)`` where key 3 is inside of a tile. A loaded mask is always exact.

    Parameters
    ----------
    function
        Of ``(b, h, q, k)`` to a truth value, such as ``lambda b, h, q, k: q - k < 5``; see
        `spec.expr` for what may be in it. With a fifth parameter called ``offset`` it is also
        given keys - queries.

    Raises
    ------
    SpecError
        It is no function; or, when it is traced, anything in it that cannot be an expression.
    """

    def __init__(self, function: Callable[..., Any]):
        if isinstance(function, Mask) or not callable(function):
            raise SpecError(
                f"Mask needs a function of (b, h, q, k), got {shown(function)}; "
                "use lambda b, h, q, k: ..."
            )
        self._name = f"Mask({getattr(function, '__name__', repr(function))})"
        self._build = lambda at: _traced(function, at)

    @classmethod
    def _made(cls, name: str, build: Callable[[Indices], Expr]) -> "Mask":
        made = cls.__new__(cls)
        made._name, made._build = name, build
        return made

    @classmethod
    def of(cls, expr: Expr) -> "Mask":
        """The mask that was traced to `expr`, for the same numbers of heads, queries and keys."""
        return cls._made("Mask.of(...)", lambda at: expr)

    def trace(self, *, heads: int, queries: int, keys: int, batches: int = 1) -> Expr:
        """The mask as an expression.

        Its variables are among ``b``, ``h``, ``q``, ``k``, from 0 to one less than their number
        here, and ``offset`` = keys - queries of the job, which may be shorter than the longest.

        Parameters
        ----------
        heads, batches
            How many there are, 1 to 65536.
        queries, keys
            Greatest lengths, 1 to 2^20.
        """
        check_range("heads", heads, 1, MAX_INDEX)
        check_range("batches", batches, 1, MAX_INDEX)
        check_range("queries", queries, 1, MAX_LENGTH)
        check_range("keys", keys, 1, MAX_LENGTH)
        sizes = {"b": batches, "h": heads, "q": queries, "k": keys}
        indices = {name: variable(name, 0, size - 1) for name, size in sizes.items()}
        return self._build(Indices(**indices, offset=variable("offset", 1 - queries, keys - 1)))

    def __and__(self, other: object) -> "Mask":
        right = _mask("&", other)
        return self._made(f"({self} & {right})", lambda at: self._build(at) & right._build(at))

    def __or__(self, other: object) -> "Mask":
        right = _mask("|", other)
        return self._made(f"({self} | {right})", lambda at: self._build(at) | right._build(at))

    def __rand__(self, other: object) -> "Mask":
        return _mask("&", other) & self

    def __ror__(self, other: object) -> "Mask":
        return _mask("|", other) | self

    def __invert__(self) -> "Mask":
        return self._made(f"~{self}", lambda at: ~self._build(at))

    def __bool__(self) -> bool:
        raise SpecError(
            f"{self} is neither true nor false; join masks with & | ~, not and, or, not"
        )

    def __repr__(self) -> str:
        return self._name


def full() -> Mask:
    """Every query sees every key. ``~full()`` is the mask that nothing passes."""
    return Mask._made("full()", lambda at: TRUE)


def causal() -> Mask:
    """A query sees the keys up to its own position; the last query sees all."""
    return Mask._made("causal()", lambda at: at.k <= at.position)


def sliding_window(size: int, *, ahead: int | None = None, sinks: int = 0) -> Mask:
    """A query sees the `size` newest keys up to its own position.

    Parameters
    ----------
    size
        At least 1: the key at the query's own position, and size - 1 before it.
    ahead
        How many keys after its position it sees; all by default, which `causal` is there to stop.
        ``sliding_window(257, ahead=256)`` is 256 to either side.
    sinks
        This many first keys are seen by every query.
    """
    check_range("sliding_window: size", size, 1, MAX_LENGTH)
    check_range("sliding_window: sinks", sinks, 0, MAX_LENGTH)
    if ahead is not None:
        check_range("sliding_window: ahead", ahead, 0, MAX_LENGTH)

    def build(at: Indices) -> Expr:
        band = at.position - at.k < size
        if ahead is not None:
            band = band & (at.k - at.position <= ahead)
        return band | (at.k < sinks) if sinks else band

    also = f", {ahead=}" * (ahead is not None) + f", {sinks=}" * (sinks > 0)
    return Mask._made(f"sliding_window({size}{also})", build)


def prefix(length: int) -> Mask:
    """Every query sees the first `length` keys.

    The mask of a prefix language model is ``causal() | prefix(length)``.
    """
    check_range("prefix: length", length, 0, MAX_LENGTH)
    return Mask._made(f"prefix({length})", lambda at: at.k < length)


def document(lengths: Sequence[int] | None = None, *, ids: Sequence[int] | None = None) -> Mask:
    """A query sees the keys of its own document; a position before every key counts as the first.

    Exact, unless an identifier comes back after another one: then many tiles may be visited for
    nothing, and a block bitmap serves better.

    Parameters
    ----------
    lengths
        Of the documents in order, each at least 1, together as many as keys.
    ids
        Instead: an identifier for each position, as many as keys.
    """
    if (lengths is None) == (ids is None):
        raise SpecError("document takes either lengths or ids")
    if lengths is not None:
        for number, length in enumerate(lengths):
            check_range(f"document: lengths[{number}]", length, 1, MAX_LENGTH)
        given, listed = (
            "lengths add up to",
            [n for n, size in enumerate(lengths) for _ in range(size)],
        )
    else:
        given, listed = "ids are", list(ids or ())
    # Numbered in order of appearance: ascending wherever documents are not mixed.
    numbers: dict[int, int] = {}
    values = [numbers.setdefault(each, len(numbers)) for each in listed]

    def build(at: Indices) -> Expr:
        keys = at.k.bounds[1] + 1
        if len(values) != keys:
            raise SpecError(f"document: {given} {len(values)}, but there are {keys} keys")
        query, key = (lookup(values, place, name="document") for place in (at.position, at.k))
        return query == key

    return Mask._made(f"document({len(numbers)} of {len(values)} keys)", build)


def dilated(window: int, step: int, *, both: bool = False) -> Mask:
    """A query sees `window` keys: its own position, and every `step`-th before it (Longformer).

    Parameters
    ----------
    window
        At least 1.
    step
        Distance of two keys seen, at least 1.
    both
        Also window - 1 keys after its position.
    """
    check_range("dilated: window", window, 1, MAX_LENGTH)
    check_range("dilated: step", step, 1, MAX_LENGTH)
    # The band ends where a key is seen: so a tile that meets the band and holds a multiple of the
    # step, which are two questions to the analysis, holds a multiple within the band.
    reach = (window - 1) * step

    def build(at: Indices) -> Expr:
        distance = at.position - at.k
        first = -reach if both else 0
        return (distance >= first) & (distance <= reach) & (distance % step == 0)

    return Mask._made(f"dilated({window}, {step}{', both=True' * both})", build)


def global_tokens(count: int) -> Mask:
    """The first `count` positions see every key, and every query sees the first `count` keys."""
    check_range("global_tokens: count", count, 0, MAX_LENGTH)
    return Mask._made(f"global_tokens({count})", lambda at: (at.position < count) | (at.k < count))


def _traced(function: Callable[..., Any], at: Indices) -> Expr:
    try:
        wants_offset = "offset" in signature(function).parameters
    except (TypeError, ValueError):
        wants_offset = False
    given = at._asdict()
    if not wants_offset:
        del given["offset"]
    return trace(function, given, returns="truth")


def mask_hint(value: object) -> str:
    """What to write where `value` stands in a mask's place."""
    if callable(value) and (name := getattr(value, "__name__", "")) in __all__:
        return f"write {name}(...)"
    if hasattr(value, "shape"):
        return "give an array to the run, with masks=('bitmap',) here"
    return "wrap a function of (b, h, q, k) in Mask(...)"


def _mask(operator: str, value: object) -> Mask:
    if isinstance(value, Mask):
        return value
    raise SpecError(f"{operator} joins two masks, got {shown(value)}; {mask_hint(value)}")
