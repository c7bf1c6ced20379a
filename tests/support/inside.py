"""Look inside a unit: its registers by name, and copies of it with one fault."""

import inspect
import linecache
import sys
from typing import Any, TypeVar

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring

__all__ = ["mutant", "opened"]

T = TypeVar("T")


def opened(component: wiring.Component) -> tuple[Any, dict[str, Signal]]:
    """The module that `component` elaborates to, and every signal that it drives by name.

    The module takes the component's place in a harness: its children are not elaborated yet, so
    that a proof can refer to them as ``module.submodules.name``.
    """
    module = component.elaborate(None)
    assert isinstance(module, Module)
    return module, {signal.name: signal for signal in module._driving}  # type: ignore[attr-defined]


def mutant(unit: type[T], right: str, wrong: str) -> type[T]:
    """`unit` with one piece of its source, which must occur exactly once, replaced by another."""
    source = inspect.getsource(unit)
    if source.count(right) != 1:
        raise ValueError(f"{unit.__name__} holds {right!r} {source.count(right)} times, not once")
    changed = source.replace(right, wrong)
    name = f"<{unit.__name__} with {wrong}>"
    # So that a failed assertion and a generated name find their line.
    linecache.cache[name] = (len(changed), None, changed.splitlines(keepends=True), name)
    scope = dict(vars(sys.modules[unit.__module__]))
    exec(compile(changed, name, "exec"), scope)
    return scope[unit.__name__]
