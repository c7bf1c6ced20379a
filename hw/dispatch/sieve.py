"""The tail of a pipeline in which most of what enters is dropped: its places are given back."""

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect

from hw.lib.credit import CreditFifo, CreditFifoConfig, Push, PushSignature

__all__ = ["SieveFifo"]


class SieveFifo(wiring.Component):
    """A `CreditFifo` whose head may take more places than the pipeline's end will fill.

    Contract: if `take` is only high with `grant`, and every `give_back` and every push had a take
    of its own before it or in the same cycle, no push is ever lost, and `o` carries what was
    pushed, in order, each once. `grant` comes from a register, and `o.valid` does not depend on
    `o.ready` in the same cycle.

    Timing
    ------
    A push is offered one cycle later. A place given back or emptied is granted in the next cycle:
    a pipeline of up to ``depth - 2`` cycles takes in every cycle as long as `o.ready` is high.

    Members
    -------
    grant, take
        There is room for one more transfer; the head admits one.
    give_back
        One that was taken has been dropped on its way.
    i
        The pipeline's end, which cannot be refused.
    o
        Stream of what was pushed.

    `spare` and `queue` are its state, for proofs to refer to.
    """

    grant: Signal
    take: Signal
    give_back: Signal
    i: Push
    o: stream.Interface

    def __init__(self, config: CreditFifoConfig):
        if config.reserve:
            raise ValueError(f"a SieveFifo has no reserve, got {config.reserve}")
        self.config = config
        super().__init__(
            {
                "grant": Out(1),
                "take": In(1),
                "give_back": In(1),
                "i": In(PushSignature(config.shape)),
                "o": Out(stream.Signature(config.shape)),
            }
        )
        # Counts one less than it means, so that the sign alone says "none".
        self.spare = Signal(signed((config.depth - 1).bit_length() + 1), init=config.depth - 1)
        self.queue = CreditFifo(config)

    def elaborate(self, platform: object) -> Module:
        """Count the places here; the queue itself takes one at each push."""
        m = Module()
        m.submodules.queue = queue = self.queue
        freed, pop = self.give_back, self.o.valid & self.o.ready
        # freed + pop - take, from -1 to 2, so that one adder does.
        both, none, take = freed & pop, ~(freed | pop), self.take
        change = Cat(freed ^ pop ^ take, (both & ~take) | (none & take), none & take).as_signed()
        m.d.comb += [
            self.grant.eq(~self.spare[-1]),
            queue.take.eq(self.i.valid),
            queue.i.valid.eq(self.i.valid),
            queue.i.payload.eq(self.i.payload),
        ]
        m.d.sync += self.spare.eq(self.spare + change)
        connect(m, queue.o, wiring.flipped(self.o))
        return m
