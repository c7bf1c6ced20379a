"""Four coefficients for every unit every cycle: twiddle factors, or blocks of a matrix."""

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.data import ArrayLayout, StructLayout
from amaranth.lib.wiring import In, Out

from hw.butterfly.timing import ButterflyTiming
from hw.butterfly.turned_twiddles import TurnedTwiddleConfig, TurnedTwiddles
from hw.butterfly.twiddles import Twiddles
from hw.lib.credit import Push, PushSignature
from hw.lib.operand import Operand
from hw.lib.pipe import Pipe, delay

__all__ = ["Coefficients"]


class Coefficients(wiring.Component):
    """What every unit multiplies by in a step, `timing.words` cycles after it was issued.

    Of an FFT with twiddle factor cos − i·sin: cos, sin, cos, −sin. Of a butterfly matrix the
    block's weights, row by row, in the order in which `i_weights` brought them.

    *Timing*: `timing.words` cycles from a step, one a cycle.

    *Members*
    i
        Push of {stage, cycle, weight, bpmm, turn}.
    coefficient
        Four of each unit.
    i_weights
        Stream of a matrix's lines, if there are matrices.
    full, release
        A matrix is there; the oldest is not needed after the steps up to `timing.lines` before.
    """

    i: Push
    coefficient: Any
    i_weights: stream.Interface
    full: Signal
    release: Signal

    def __init__(self, timing: ButterflyTiming):
        self.timing = timing
        config = timing.config
        step = StructLayout(
            {
                "stage": range(config.stages),
                "cycle": timing.twiddles.i_shape["cycle"].shape,
                "weight": range(timing.weight_lines),
                "bpmm": 1,
                **config.turn_fields,
            }
        )
        members: dict[str, Any] = {
            "i": In(PushSignature(step)),
            "coefficient": Out(ArrayLayout(config.block_shape, config.units)),
            "full": Out(1),
            "release": In(1),
        }
        if config.bpmm:
            members["i_weights"] = In(stream.Signature(config.weights_shape))
        super().__init__(members)

    def elaborate(self, platform: object) -> Module:
        """Look both up in time, and choose."""
        m = Module()
        timing, config = self.timing, self.timing.config
        chosen_at = timing.words - 1
        factors: list[list[Value]] = []
        blocks: list[list[Value]] = []
        if config.fft:
            factors = self._factors(m, chosen_at)
        if config.bpmm:
            blocks = self._blocks(m, chosen_at)
        bpmm = delay(m, "bpmm", self.i.payload.bpmm, chosen_at) if factors and blocks else None
        for unit in range(config.units):
            for index in range(4):
                if bpmm is not None:
                    value = Mux(bpmm, blocks[unit][index], factors[unit][index])
                else:
                    value = (factors or blocks)[unit][index]
                register = Signal(
                    config.block_shape.elem_shape, name=f"c{unit}_{index}", reset_less=True
                )
                m.d.sync += register.eq(value)
                m.d.comb += self.coefficient[unit][index].eq(register)
        return m

    def _factors(self, m: Module, at: int) -> list[list[Value]]:
        """Twiddle factors, to be chosen at a place."""
        timing = self.timing
        if isinstance(timing.twiddles, TurnedTwiddleConfig):
            twiddles = TurnedTwiddles(timing.twiddles)
        else:
            twiddles = Twiddles(timing.twiddles)
        m.submodules.twiddles = twiddles
        wait = at - timing.twiddles.latency
        step: dict[str, Any] = {
            name: self.i.payload[name] for name in timing.twiddles.i_shape.members
        }
        with Pipe(
            m,
            "twiddle_step",
            latency=wait,
            valid=self.i.valid,
            **{f"of_{name}": value for name, value in step.items()},
        ) as p:
            p.through(wait, keep=tuple(f"of_{name}" for name in step))
            m.d.comb += twiddles.i.valid.eq(p.valid)
            for name in step:
                m.d.comb += twiddles.i.payload[name].eq(getattr(p, f"of_{name}"))
        found = []
        for unit in range(timing.config.units):
            o = twiddles.o.payload[unit]
            cos = Mux(o.turned, o.minus_sin, o.cos)
            sin = Mux(o.turned, o.cos, o.sin)
            minus_sin = Mux(o.turned, o.minus_cos, o.minus_sin)
            found.append([cos, sin, cos, minus_sin])
        return found

    def _blocks(self, m: Module, at: int) -> list[list[Value]]:
        """Weights, to be chosen at a place."""
        config = self.timing.config
        m.submodules.weights = weights = Operand(self.timing.weights)
        i_weights: Any = self.i_weights
        m.d.comb += [
            weights.i.valid.eq(i_weights.valid),
            i_weights.ready.eq(weights.i.ready),
            weights.i.payload.data.eq(Value.cast(i_weights.payload.weight)),
            weights.i.payload.last.eq(i_weights.payload.last),
            self.full.eq(weights.full),
            weights.release.eq(self.release),
            weights.address.eq(
                delay(m, "weight", self.i.payload.weight, at - weights.config.latency)
            ),
        ]
        found = []
        for unit in range(config.units):
            block = weights.data.word_select(unit, config.block_shape.size)
            found.append(
                [
                    block.word_select(k, config.butterfly.coefficient_bits).as_signed()
                    for k in range(4)
                ]
            )
        return found
