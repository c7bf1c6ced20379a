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
    """The module that `component` will elaborate to, and every signal that it drives by name.

    Children are ``module.submodules.name``, and not elaborated yet: a proof may add to them.
    """
    module = component.elaborate(None)  # type: ignore[attr-defined]
    assert isinstance(module, Module)
    component.elaborate = lambda platform: module  # type: ignore[attr-defined]
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
