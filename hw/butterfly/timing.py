"""Every size, place and distance of the butterfly core, from its configuration alone."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from amaranth.lib.data import StructLayout

from hw.butterfly.banks import BanksConfig
from hw.butterfly.config import MAX_BATCH, ButterflyConfig
from hw.butterfly.turned_twiddles import TurnedTwiddleConfig
from hw.butterfly.twiddles import TwiddleConfig
from hw.lib.credit import CreditFifoConfig
from hw.lib.operand import OperandConfig
from hw.lib.stream import SkidBufferConfig

__all__ = ["JOBS", "LOAD_LATENCY", "ButterflyTiming"]

JOBS = 4
"""Jobs that the loader took and that wait, at most; two more in the registers behind them."""

LOAD_LATENCY = 3
"""Cycles from the transfer of words to their write: words, halves, banks."""

STORE_GRANT_DELAY = 1
"""Cycles from the output queue's grant to the taking of its place."""

SMALL_FIFO = 16
"""Entries of a queue in distributed RAM that cost no more than two."""


@dataclass(frozen=True)
class ButterflyTiming:
    """Where in the pipeline things happen, counted from a step's issue, and what follows from it.

    A step is one cycle of P units.
    """

    config: ButterflyConfig

    @property
    def lines(self) -> int:
        """Place at which the memories are given their lines: parity, lines."""
        return 2

    @cached_property
    def words(self) -> int:
        """Place at which the units are given words and coefficients.

        After the memory: input or middle, exchange of halves.
        """
        return self.lines + self._banks(1).latency + 2

    @property
    def shift(self) -> int:
        """Place at which a vector's shift is decided: it is used with the words."""
        return self.words - 1

    @property
    def asked(self) -> int:
        """Place at which a step asks for its vector's shift: decoded, then decided."""
        return self.shift - 1

    @cached_property
    def results(self) -> int:
        """Place at which the units' results are there."""
        return self.words + self.config.unit.latency

    @property
    def write(self) -> int:
        """Place at which results are written: shuffle, exchange."""
        return self.results + 2

    @property
    def excess(self) -> int:
        """Place at which a vector's excess is queued, counted from its last step.

        Flags of each component, of each unit, of all and of all steps; excess; exponent.
        """
        return self.results + 5

    @property
    def told(self) -> int:
        """Place at which a vector is told to be done, counted from its last step."""
        return self.excess + 1

    @property
    def offered(self) -> int:
        """Place at which a vector that is done is offered to the storer, counted as before."""
        return self.told + self.done_queue.latency + self.next_done.latency

    def _vectors_queue(self, shape: Any) -> CreditFifoConfig:
        """A queue of as many vectors as a ring has places."""
        return CreditFifoConfig(shape=shape, depth=self.most_vectors)

    @cached_property
    def loaded_queue(self) -> CreditFifoConfig:
        """The queue of vectors that are loaded: whether they need all `data_bits`."""
        return self._vectors_queue(StructLayout({"full": 1}))

    @cached_property
    def done_queue(self) -> CreditFifoConfig:
        """The queue of vectors that are done."""
        return self._vectors_queue(self.vector_shape)

    @cached_property
    def next_done(self) -> SkidBufferConfig:
        """The next of them, in registers."""
        return SkidBufferConfig(shape=self.vector_shape)

    @cached_property
    def job_queue(self) -> CreditFifoConfig:
        """The queue of jobs that the loader took."""
        return CreditFifoConfig(shape=self.config.job_shape, depth=JOBS)

    @cached_property
    def next_job(self) -> SkidBufferConfig:
        """The next of them, in registers."""
        return SkidBufferConfig(shape=self.config.job_shape)

    @property
    def step_distance(self) -> int:
        """Cycles from a vector's last step of one stage to its first of the next, at least.

        What was written must be there to be read, and the shift to be used.
        """
        data = self.write + 1 - self.lines
        shift = self.excess + 1 - self.shift
        return max(data, shift)

    @property
    def store_read(self) -> int:
        """Cycles from asking for words to their push.

        Line, memory, half, lane, sum, shift, result.
        """
        return 1 + self.ring.latency + 5

    @cached_property
    def store_queue(self) -> CreditFifoConfig:
        """The queue at the output."""
        depth = max(SMALL_FIFO, self.store_read + 2 + STORE_GRANT_DELAY)
        return CreditFifoConfig(shape=self.config.o_shape, depth=depth, reserve=STORE_GRANT_DELAY)

    @property
    def store_latency(self) -> int:
        """Cycles from the offer of a finished vector to that of its first transfer."""
        return self.store_read + self.store_queue.latency

    def vector_cycles(self, stages: int) -> int:
        """Steps of a vector in each stage, V."""
        return 1 << stages - self.config.log2_line

    def stage_cycles(self, stages: int, vectors: int) -> int:
        """Cycles from one stage of a batch to the next."""
        own = self.vector_cycles(stages)
        return max(vectors * own, own - 1 + self.step_distance)

    @cached_property
    def log2_batch_lines(self) -> int:
        """Bits of a line's number in a batch.

        Two of the longest vectors, or as many lines as hide the pipeline for every size.
        """
        longest = self.vector_cycles(self.config.stages)
        needed = longest - 1 + self.step_distance
        return (max(2 * longest, needed) - 1).bit_length()

    @property
    def batch_words(self) -> int:
        """Words of a batch, M."""
        return self.config.banks << self.log2_batch_lines

    def batch_vectors(self, stages: int) -> int:
        """Vectors of a full batch, and places for vectors in each ring."""
        return min(MAX_BATCH, (1 << self.log2_batch_lines) // self.vector_cycles(stages))

    @property
    def most_vectors(self) -> int:
        """Vectors of the largest batch."""
        return self.batch_vectors(self.config.min_stages)

    def _banks(self, lines: int) -> BanksConfig:
        config = self.config
        width = config.unit.word_bits * config.unit.parts
        return BanksConfig(units=config.units, width=width, lines=lines)

    @cached_property
    def ring(self) -> BanksConfig:
        """The input and the output memory."""
        return self._banks(1 << self.log2_batch_lines)

    @cached_property
    def middle(self) -> BanksConfig:
        """The memory between stages: two regions."""
        return self._banks(2 << self.log2_batch_lines)

    @cached_property
    def twiddles(self) -> TwiddleConfig | TurnedTwiddleConfig:
        """The supply of twiddle factors."""
        config = self.config
        sizes = {
            "units": config.units,
            "stages": config.stages,
            "coefficient_bits": config.butterfly.coefficient_bits,
        }
        if config.turn_bits:
            return TurnedTwiddleConfig(**sizes, turn_bits=config.turn_bits)
        return TwiddleConfig(**sizes)

    @property
    def weight_lines(self) -> int:
        """Lines of the largest butterfly matrix."""
        return self.config.stages * self.vector_cycles(self.config.stages)

    @cached_property
    def weights(self) -> OperandConfig:
        """The memory of butterfly matrices: a word holds the blocks of all units."""
        config = self.config
        width = config.block_shape.size * config.units
        return OperandConfig(width=width, depth=self.weight_lines, sets=config.weight_sets)

    @cached_property
    def step_shape(self) -> StructLayout:
        """What the sequencer says of a step.

        `input`, `middle` and `output` are its numbers in the three memories; `first_step` and
        `last_step` those of a vector in a stage.
        """
        line = 1 << self.log2_batch_lines
        return StructLayout(
            {
                "input": range(line),
                "middle": range(line),
                "output": range(line),
                "region": 1,
                "stage": range(self.config.stages),
                "first_stage": 1,
                "last_stage": 1,
                "first_step": 1,
                "last_step": 1,
                "bpmm": 1,
                "inverse": 1,
                "rotate": 1,
                "weight": range(self.weight_lines if self.config.bpmm else 1),
                **self.config.turn_fields,
            }
        )

    @cached_property
    def vector_shape(self) -> StructLayout:
        """What is known of a vector that may be stored."""
        return StructLayout(
            {
                "exponent": self.config.exponent_shape,
                "shift": range(3),
                "saturated": 1,
                "bpmm": 1,
                "inverse": 1,
            }
        )
