"""Layer times of a FABNet-like model by the cycle model, beside those of a published simulator.

Run from the repository's root:  python -m scripts.measure_fabnet [-o FILE]

Cycles are those of `sim.cycle`, which tests hold equal to the gates', for the engine that has most
to do. What is assumed beyond them is said in the document.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hw.butterfly.config import ButterflyConfig
from hw.butterfly.timing import ButterflyTiming
from hw.butterfly.unit import PRODUCTS
from sim.cycle.butterfly import JobSize, butterfly_cycles
from sim.golden.mixing import butterflies, plain_butterflies
from spec import Butterfly

LAYERS, HIDDEN, EXPANSION = 12, 768, 4
POINTS = 1 << (HIDDEN - 1).bit_length()
SEQUENCES = (128, 256, 512, 1024)
ENGINES, UNITS, CLOCK_HZ = (1, 40, 120), 4, 200_000_000
PUBLISHED_MS = (2.00, 3.20, 5.60, 10.41)
TURN = 32
"""Cycles granted to each turning round of a block, from the last word in to the first one out."""


@dataclass(frozen=True)
class Method:
    """How a layer is done: runs of vectors between which all of a block must be there.

    Parameters
    ----------
    name
        For the table.
    packed
        Two real rows a vector, and half the columns by symmetry.
    stacks
        Matrices of `POINTS` points that expand a token.
    """

    name: str
    packed: bool
    stacks: int

    def phases(self, tokens: int) -> list[list[JobSize]]:
        """The work of all engines together: mixing by rows, by columns, and the two products."""
        share = 2 if self.packed else 1
        return [
            [JobSize(points=POINTS, vectors=tokens // share)],
            [JobSize(points=tokens, vectors=POINTS // share)],
            [
                *[JobSize(points=POINTS, vectors=tokens, bpmm=True)] * self.stacks,
                JobSize(points=EXPANSION * POINTS, vectors=tokens, bpmm=True),
            ],
        ]

    def butterflies(self, tokens: int) -> int:
        """Of a layer."""
        count = butterflies if self.packed else plain_butterflies
        products = [_butterflies(job) for job in self.phases(tokens)[-1]]
        return count(tokens, POINTS) + sum(products)


METHODS = (
    Method("the plain work", packed=False, stacks=EXPANSION),
    Method("what the layer asks for", packed=True, stacks=-(-EXPANSION * HIDDEN // POINTS)),
)


def _butterflies(job: JobSize) -> int:
    return job.vectors * (job.points // 2) * (job.points.bit_length() - 1)


def config_of(weight_sets: int) -> ButterflyConfig:
    """An engine."""
    butterfly = Butterfly(("fft", "bpmm"), points=EXPANSION * POINTS)
    return ButterflyConfig(
        butterfly=butterfly, units=UNITS, stream_words=2, weight_sets=weight_sets
    )


def layer_cycles(config: ButterflyConfig, method: Method, tokens: int, engines: int) -> int:
    """Cycles of a layer: of each phase those of the engine that has most vectors, from reset."""
    total = 0
    for phase in method.phases(tokens):
        own = [
            JobSize(points=job.points, vectors=-(-job.vectors // engines), bpmm=job.bpmm)
            for job in phase
        ]
        total += butterfly_cycles(config, own).delivered[-1] + 1 + TURN
    return total


def model_ms(config: ButterflyConfig, method: Method, tokens: int, engines: int) -> float:
    """Milliseconds of all layers."""
    return 1e3 * LAYERS * layer_cycles(config, method, tokens, engines) / CLOCK_HZ


def use(method: Method, tokens: int, engines: int, ms: float) -> float:
    """Share of the units' cycles in which they do the butterflies of the model."""
    done = LAYERS * method.butterflies(tokens)
    return done / (engines * UNITS * CLOCK_HZ * ms / 1e3)


def rows() -> str:
    lines = []
    for method in METHODS:
        for sets in (1, 2):
            for engines in ENGINES:
                times = [model_ms(config_of(sets), method, n, engines) for n in SEQUENCES]
                used = [use(method, n, engines, ms) for n, ms in zip(SEQUENCES, times, strict=True)]
                first = f"{_held(method, sets)} | {engines} × {UNITS}"
                lines.append(_row(first, times, used))
    return "".join(lines)


def _held(method: Method, sets: int) -> str:
    return f"{method.name}, {sets} matri{'x' if sets == 1 else 'ces'} held"


def verdict() -> str:
    """Where the times with the most engines are below the published ones, and why not elsewhere."""
    most = max(ENGINES)
    lines = [f"At most the published time with {most} engines:", ""]
    for method in METHODS:
        for sets in (1, 2):
            met, missed = [], []
            for tokens, aim in zip(SEQUENCES, PUBLISHED_MS, strict=True):
                ms = model_ms(config_of(sets), method, tokens, most)
                if ms <= aim:
                    met.append(str(tokens))
                else:
                    missed.append(f"{tokens} ({ms:.2f} of {aim:.2f})")
            told = f"met for {', '.join(met) or 'none'} tokens"
            if missed:
                told += f", not met for {', '.join(missed)}"
            lines.append(f"- {_held(method, sets)}: {told}.")
    # What a layer's matrices take to load, by itself, when none is loaded ahead.
    plain = METHODS[0]
    matrices = [job for job in plain.phases(SEQUENCES[0])[-1] if job.bpmm]
    blocks = sum(job.points // 2 * (job.points.bit_length() - 1) for job in matrices)
    cycles = blocks // UNITS
    ms = 1e3 * LAYERS * cycles / CLOCK_HZ
    counted = LAYERS * plain.butterflies(SEQUENCES[0]) / (most * UNITS * CLOCK_HZ) * 1e3
    worst = max(
        model_ms(config_of(1), plain, tokens, most) - aim
        for tokens, aim in zip(SEQUENCES, PUBLISHED_MS, strict=True)
    )
    assert worst < ms, "more than the matrices is missing"
    lines += [
        "",
        f"Where it is not met, the loading of matrices is why: the plain work has {blocks} blocks",
        f"a layer, at {UNITS} a cycle {cycles} cycles, {ms:.2f} ms in {LAYERS} layers whatever the",
        f"length, more than the {worst:.2f} ms that are missing at most; all butterflies of",
        f"{SEQUENCES[0]} tokens take the units {counted:.2f} ms. A second set hides as much of a",
        "matrix's loading as the products before it take, which on short sequences is a part.",
    ]
    return "\n".join(lines) + "\n"


def _row(first: str, times: Sequence[float], used: Sequence[float]) -> str:
    cells = [f"{ms:.2f}" for ms in times] + [f"{share:.2f}" for share in used]
    return f"| {first} | {' | '.join(cells)} |\n"


def document() -> str:
    bits = (
        ButterflyTiming(config_of(1)).weight_lines
        * UNITS
        * PRODUCTS
        * config_of(1).butterfly.coefficient_bits
    )
    wide = EXPANSION * POINTS
    names = " | ".join(map(str, SEQUENCES))
    text = f"""\
# A FABNet-like model on butterfly cores

Measured by `python -m scripts.measure_fabnet`: `sim.cycle.butterfly`, which equals the gates.
Hidden {HIDDEN}, {LAYERS} layers, each Re(FFT2) of the block and a feed-forward layer of two
butterfly products with expansion {EXPANSION}, at {CLOCK_HZ // 1_000_000} MHz. Time of all layers in
ms; *use* is butterflies done / (units · cycles).

| work | engines × units | {names} tokens | use: {names} |
|---|---|{"---|" * 8}
"""
    text += rows()
    most = max(ENGINES)
    published = " | ".join(f"{ms:.2f}" for ms in PUBLISHED_MS)
    text += f"| published simulator | {most} × {UNITS} | {published} | | | | |\n"
    text += f"""
{verdict()}
The published simulator is that of FABNet's accelerator, at the same clock and with as many
multipliers, four a unit. It counts (L/8) · log2 L cycles for a vector of L words and has a flat
factor for what that leaves out. How it fills {HIDDEN} up is not known to us; here are two ways.

- *The plain work*: all sizes filled up to powers of two, {POINTS} and {wide}. A transform of
  every row and of every one of {POINTS} columns; {EXPANSION} matrices of {POINTS} points to expand,
  one of {wide} to return.
- *What the layer asks for*: two real rows a transform and half of the columns, as in
  `sim.golden.mixing`; {METHODS[1].stacks} matrices for the {EXPANSION * HIDDEN} words. {HIDDEN} are
  still filled up to {POINTS}.

In the times are loading and storing, the latency of the pipeline, batches that are not full,
engines that have a vector more than others, changes of size, and the loading of every matrix:
{UNITS} blocks a cycle, the same for all engines, none ahead while rows and columns are mixed. It is
what short sequences on many engines wait for. A second set of {bits} bits an engine lets a matrix
be loaded while the one before is used.

Assumed:

- Between rows and columns, and between columns and products, a block is turned round by a memory
  that takes and gives two words a cycle for each engine, and transforms are taken apart and brought
  to one exponent while they are read, in no pass of their own. Columns begin {TURN} cycles after
  the last row is there, products as long after the last column. Such a memory is no part of the
  core measured here, and none for {most} engines exists.
- An engine does all products of its own tokens, so nothing is exchanged between the two.
  Activations, normalisation, shortcuts and the embedding are left out, as the simulator does.
- {most} engines are {most} independent cores. No chip was placed with them.
"""
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/fabnet.md"))
    arguments = parser.parse_args()
    text = document()
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
