"""Expressions of `spec.expr` as a pipeline of gates."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hw.expr.lower import Lowered, width_of
from hw.expr.schedule import Schedule, is_wiring, multiplier_config, rom_config
from hw.lib import arith
from hw.prim.multiply import Multiplier
from hw.prim.ram import Rom
from spec.expr import Expr, Op, walk
from spec.fixed import bounds

__all__ = ["ExprConfig", "ExprUnit"]


def _shape(low: int, high: int) -> Shape:
    return Shape(width_of(low, high), low < 0)


@dataclass(frozen=True, kw_only=True, eq=False)
class ExprConfig:
    """What an `ExprUnit` computes. Two are equal only if they are the same object.

    Parameters
    ----------
    expr
        The only expression, whose output is called ``o``.
    roots
        Instead, expressions by the name of their output; what they share is built once.
    """

    expr: Expr | None = None
    roots: Mapping[str, Expr] | None = None

    def __post_init__(self):
        if (self.expr is None) == (self.roots is None):
            raise ValueError("ExprConfig takes either expr or roots")
        if not self.outputs:
            raise ValueError("ExprConfig.roots must name at least one expression")
        for name in self.outputs:
            if not name.isidentifier() or name in ("config", "signature") or name in self.inputs:
                raise ValueError(
                    f"ExprConfig.roots: an output cannot be called {name!r}; inputs are "
                    f"{', '.join(self.inputs)}"
                )

    @cached_property
    def outputs(self) -> dict[str, Expr]:
        """Expressions by the name of their output."""
        return dict(self.roots) if self.expr is None else {"o": self.expr}  # type: ignore[arg-type]

    @cached_property
    def inputs(self) -> dict[str, Expr]:
        """Variables by name, sorted."""
        found = (root.variables for root in self.outputs.values())
        return dict(sorted((name, node) for each in found for name, node in each.items()))

    @cached_property
    def schedule(self) -> Schedule:
        """The nodes as they are built, and when."""
        return Schedule(Lowered(self.outputs))

    @property
    def latency(self) -> int:
        """Cycles from the variables to every output."""
        return self.schedule.latency

    @property
    def interval(self) -> int:
        """Cycles between two sets of variables: 1."""
        return 1

    def shape(self, name: str) -> Shape:
        """Shape of the input or output called `name`: signed only if it can be negative."""
        node = self.inputs[name] if name in self.inputs else self.outputs[name]
        return unsigned(1) if node.is_bool else _shape(*node.bounds)


class ExprUnit(wiring.Component):
    """Every expression of the config, of the variables `latency` cycles ago.

    Contract: bit for bit `spec.expr.apply`, node by node, while each variable is within its
    declared range; else not defined. It never stalls, and has neither valid nor reset: the caller
    takes validity along by `latency`. Variables are best given from registers.

    *Timing*: latency `ExprConfig.latency`, the same for all outputs; interval 1.

    *Members*: an input for each variable, by its name, and an output for each expression, in
    `ExprConfig.shape`.
    """

    def __init__(self, config: ExprConfig):
        self.config = config
        members = {name: In(config.shape(name)) for name in config.inputs}
        members |= {name: Out(config.shape(name)) for name in config.outputs}
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Build each node in its stage, and delay what is used later."""
        m = Module()
        ports = {name: getattr(self, name) for name in self.config.inputs}
        build = _Build(m, self.config.schedule, ports)
        for name, root in build.schedule.lowered.roots.items():
            m.d.comb += getattr(self, name).eq(build.at(root, build.schedule.latency))
        return m


class _Build:
    """The nodes built so far."""

    def __init__(self, m: Module, schedule: Schedule, ports: Mapping[str, Signal]):
        self.m = m
        self.schedule = schedule
        self.bounds = schedule.lowered.bounds
        self.values: dict[tuple[Expr, int], Value] = {}
        self.names: dict[Expr, str] = {}
        for number, node in enumerate(walk(*schedule.lowered.roots.values())):
            self.names[node] = f"{node.op.value}_{number}"
            if node.op is Op.VARIABLE:
                self.names[node] = node.name
                self.values[node, 0] = ports[node.name]
            elif node.op is not Op.CONSTANT and not is_wiring(node):
                self.values[node, schedule.stage[node]] = self._made(node)

    def at(self, node: Expr, stage: int) -> Value:
        """The value of `node` in `stage`, which is not before its own."""
        if node.op is Op.CONSTANT:
            return Const(int(node.data), self._shape(node))
        if is_wiring(node):
            return self._wiring(node, self.at(node.args[0], stage))
        if (node, stage) not in self.values:
            name = f"{self.names[node]}_{stage}"
            later = Signal(self._shape(node), name=name, reset_less=True)
            self.m.d.sync += later.eq(self.at(node, stage - 1))
            self.values[node, stage] = later
        return self.values[node, stage]

    def _shape(self, node: Expr) -> Shape:
        if node.is_bool:
            return unsigned(1)
        if node.op is Op.VARIABLE:
            return _shape(*node.bounds)
        return _shape(*self.bounds[node])

    def _made(self, node: Expr) -> Value:
        stage = self.schedule.start(node)
        args = [self.at(arg, stage) for arg in node.args]
        result = Signal(self._shape(node), name=self.names[node])
        match node.op:
            case Op.MUL:
                made = self._multiplied(node, args)
            case Op.TABLE:
                made = self._looked_up(node, args[0])
            case _:
                made = _gates(node, args)
        self.m.d.comb += result.eq(made)
        return result

    def _wiring(self, node: Expr, a: Value) -> Value:
        match node.op:
            case Op.SHL:
                return a << node.data
            case Op.MOD:
                return a[: node.data.bit_length() - 1]
            case Op.NOT:
                return ~a
            case Op.LT:
                return a[-1] if a.shape().signed else Const(0, 1)
            case _:
                return a >> node.data[0]

    def _multiplied(self, node: Expr, args: list[Value]) -> Value:
        config = multiplier_config(self.schedule.lowered, node)
        cell = Multiplier(config)
        self.m.submodules[f"cell_{self.names[node]}"] = cell
        self.m.d.comb += [cell.a.eq(args[0]), cell.b.eq(args[1])]
        return cell.o

    def _looked_up(self, node: Expr, address: Value) -> Value:
        memory = Rom(rom_config(node.data))
        self.m.submodules[f"{node.data.name}_{self.names[node]}"] = memory
        self.m.d.comb += memory.address.eq(address)
        return memory.data.as_signed() if min(node.data.values) < 0 else memory.data


def _gates(node: Expr, args: list[Value]) -> Value:
    """What `node` makes of values in one stage; a truth value in one bit."""
    a, b = args[0], args[-1]
    match node.op:
        case Op.ADD:
            return a + b
        case Op.SUB:
            return a - b
        case Op.ROUND:
            return arith.round_shift(a, *node.data)
        case Op.MIN:
            return Mux(arith.greater(a, b), b, a)
        case Op.MAX:
            return Mux(arith.greater(a, b), a, b)
        case Op.ABS:
            return Mux(a[-1], -a, a) if a.shape().signed else a
        case Op.SATURATE:
            return _saturated(a, *node.data)
        case Op.SELECT:
            return Mux(a, args[1], b)
        case Op.LT:
            return arith.greater(b, a)
        case Op.EQ:
            return a == b
        case Op.AND:
            return a & b
        case Op.OR:
            return a | b
        case Op.XOR:
            return a ^ b
    raise ValueError(f"{node} has no gates")


def _saturated(a: Value, low: int, high: int) -> Value:
    for signed in (False, True):
        width = high.bit_length() + signed
        if width and (low, high) == bounds(width, signed):
            return arith.saturate(a, Shape(width, signed))
    return Mux(arith.greater(low, a), low, Mux(arith.greater(a, high), high, a))
