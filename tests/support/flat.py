"""A component whose interfaces of streams are taken apart, as the harnesses want their streams."""

from typing import Any

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In

__all__ = ["Flat"]


class Flat(wiring.Component):
    """Each stream of `inner`, at any depth, as ``i_<name>`` or ``o_<name>``; the rest as it is.

    ``bus.aw`` of an interface that comes in is ``i_bus_aw``, its ``b`` is ``o_bus_b``.
    """

    def __init__(self, inner: Any):
        self.inner = inner
        self.pairs: list[tuple[str, Any, bool]] = []
        self.others: list[tuple[str, Any, bool]] = []
        members: dict[str, Any] = {}
        for name, member in inner.signature.members.items():
            self._visit((name,), member, getattr(inner, name), members)
        super().__init__(members)

    def _visit(self, path: Any, member: Any, value: Any, members: Any) -> None:
        flow, into = member.flow, member.flow == In
        if member.is_signature and isinstance(member.signature, stream.Signature):
            name = f"{'i' if into else 'o'}_{'_'.join(path)}"
            shape = member.signature.members["payload"].shape
            members[name] = flow(stream.Signature(shape))
            self.pairs.append((name, value, into))
        elif member.is_signature:
            for key, each in member.signature.members.items():
                self._visit((*path, key), each, getattr(value, key), members)
        else:
            name = "_".join(path)
            members[name] = flow(member.shape)
            self.others.append((name, value, into))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.inner = self.inner
        for name, inner, into in self.pairs:
            outer = getattr(self, name)
            source, sink = (outer, inner) if into else (inner, outer)
            m.d.comb += [
                sink.valid.eq(source.valid),
                sink.payload.eq(source.payload),
                source.ready.eq(sink.ready),
            ]
        for name, inner, into in self.others:
            outer = getattr(self, name)
            m.d.comb += inner.eq(outer) if into else outer.eq(inner)
        return m
