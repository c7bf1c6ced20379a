"""A fixed pipeline that counts its own stages and refuses to differ from its stated latency."""

from collections.abc import Iterable
from types import TracebackType
from typing import Any, Self

from amaranth.hdl import Module, Signal, Value, ValueCastable, ValueLike

__all__ = ["LatencyError", "Pipe", "delay"]


class LatencyError(ValueError):
    """A pipeline was built with a number of stages other than its Config states."""


class Pipe:
    """A pipeline of named values, built stage by stage and checked against its latency.

    Used inside ``elaborate``; on leaving the ``with`` block the number of stages built must be
    `latency`. The values at the current stage are attributes, with the shape they were given::

        with Pipe(m, "weigh", latency=2, valid=i.valid, score=i.payload, last=i.last) as p:
            p.stage("subtract", distance=row_max - p.score, keep=("last",))
            p.stage("scale", weight=p.distance * 3, keep=("last",))
        m.d.comb += [o.valid.eq(p.valid), o.payload.eq(p.weight), o.last.eq(p.last)]

    A pipeline never stalls: it has neither ready nor clock enable. `valid` always travels along and
    is the only register with a reset; a value that is not kept is gone. A register is called after
    the pipeline, the value and the stage that drives it: ``weigh_distance_1``.

    Parameters
    ----------
    m
        The module the registers are added to.
    name
        Prefix of every register, and the pipeline's name in messages.
    latency
        Stages that must have been built at the end, at least 0.
    valid
        Whether the values at the head belong to a transfer, this cycle.
    domain
        Clock domain of the registers.
    values
        The values at the head.
    """

    def __init__(
        self,
        m: Module,
        name: str,
        *,
        latency: int,
        valid: ValueLike,
        domain: str = "sync",
        **values: ValueLike,
    ):
        if latency < 0:
            raise LatencyError(f"{name}: latency must be at least 0, got {latency}")
        self._m = m
        self._name = name
        self._latency = latency
        self._domain = domain
        self._stages = 0
        self._label = "head"
        self._values: dict[str, ValueLike] = {}
        self._enter({"valid": valid, **values})

    def stage(self, label: str, *, keep: Iterable[str] = (), **values: ValueLike) -> None:
        """Add one rank of registers, which hold `values` and what is kept from the stage before."""
        held = {"valid": self.valid, **self._kept(keep, values), **values}
        self._stages += 1
        self._label = label
        self._enter({key: self._register(key, value) for key, value in held.items()})

    def through(self, latency: int, *, keep: Iterable[str] = (), **values: ValueLike) -> None:
        """Pass a child that takes `latency` cycles: `values` come out of it, the kept go beside it.

        The caller connects the child's inputs to values of the stage before; they must not be
        asked for afterwards. A `latency` of 0 only adds and drops names.
        """
        if latency < 0:
            raise LatencyError(f"{self._name}: a child's latency cannot be {latency}")
        beside = {"valid": self.valid, **self._kept(keep, values)}
        for _ in range(latency):
            self._stages += 1
            beside = {key: self._register(key, value) for key, value in beside.items()}
        self._label = "through"
        self._enter({**beside, **values})

    def _kept(self, keep: Iterable[str], values: dict[str, ValueLike]) -> dict[str, ValueLike]:
        if isinstance(keep, str):
            raise TypeError(f"{self._name}: keep must be a tuple of names, got {keep!r}")
        if twice := sorted(set(keep) & set(values)):
            raise ValueError(f"{self._name}: {twice[0]!r} is both kept and given at {self._where}")
        return {key: getattr(self, key) for key in keep}

    def _register(self, key: str, value: ValueLike) -> Any:
        shape = value.shape() if isinstance(value, ValueCastable) else Value.cast(value).shape()
        name = f"{self._name}_{key}_{self._stages}"
        register: Any = Signal(shape, name=name, reset_less=key != "valid")
        self._m.d[self._domain] += register.eq(value)
        return register

    def _enter(self, values: dict[str, ValueLike]) -> None:
        for key in values:
            if hasattr(type(self), key) or key.startswith("_"):
                raise ValueError(f"{self._name}: a value cannot be called {key!r}")
        self._values = values

    @property
    def _where(self) -> str:
        return f"stage {self._stages} ({self._label})"

    def __getattr__(self, key: str) -> Any:
        if key.startswith("_"):
            raise AttributeError(key)
        if key not in self._values:
            held = ", ".join(self._values)
            raise AttributeError(f"{self._name}: no {key!r} at {self._where}, which holds {held}")
        return self._values[key]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None and self._stages != self._latency:
            built = f"{self._stages} stage{'' if self._stages == 1 else 's'} built"
            raise LatencyError(f"{self._name}: {built}, {self._latency} stated")


def delay(m: Module, name: str, value: ValueLike, cycles: int) -> Any:
    """`value` as it was `cycles` cycles ago, in registers without a reset called after `name`."""
    if cycles < 0:
        raise LatencyError(f"{name}: nothing can be delayed by {cycles} cycles")
    shape = value.shape() if isinstance(value, ValueCastable) else Value.cast(value).shape()
    for cycle in range(1, cycles + 1):
        register: Any = Signal(shape, name=f"{name}_late_{cycle}", reset_less=True)
        m.d.sync += register.eq(value)
        value = register
    return value
