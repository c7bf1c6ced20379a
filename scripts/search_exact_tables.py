"""Search the smallest tables with which the exact softmax stays within 1 LSB for every row.

Run from the repository's root:  python -m scripts.search_exact_tables [-o FILE]

Every candidate is judged by `sim.reference.softmax_bound`, which enumerates distances and sums
rather than sampling rows. About ten minutes on one core.
"""

import argparse
import dataclasses
import itertools
from pathlib import Path

from gen.cli import progress
from sim.reference.softmax_bound import exact_error_bound
from spec import Softmax
from spec.softmax import ExactNumerics, table_bytes

FRACTION_INDEX = (5, 6, 7)
FRACTION_BITS = (8, 9, 10)
RECIPROCAL_INDEX = (6, 7, 8)
RECIPROCAL_BITS = (8, 9, 10)
OFFSETS = (0.05, 0.2, 0.35, 0.5)
GAINS = (0.9980, 0.9990, 0.99925, 0.9995, 1.0)
SUM_WEIGHT_BITS = (20, 21, 22)


def holds(numerics: ExactNumerics) -> bool:
    """Whether no row is off by more than 1 LSB and nothing overflows."""
    top = 1 << numerics.reciprocal_bits
    try:
        if max(numerics.reciprocal.entries) >= top:
            return False
    except ValueError:  # an entry does not fit
        return False
    bound = exact_error_bound(numerics)
    return bound.error_lsb <= 1 and bound.largest <= numerics.full_scale


def candidates(base: ExactNumerics) -> list[ExactNumerics]:
    """Every combination of sizes, smallest tables first."""
    sizes = itertools.product(FRACTION_INDEX, FRACTION_BITS, RECIPROCAL_INDEX, RECIPROCAL_BITS)
    made = [
        dataclasses.replace(
            base,
            fraction_index_bits=fraction_index,
            fraction_bits=fraction,
            reciprocal_index_bits=reciprocal_index,
            reciprocal_bits=reciprocal,
        )
        for fraction_index, fraction, reciprocal_index, reciprocal in sizes
    ]
    # table_bytes would build the tables, and some of the candidates' do not fit their bits.
    return sorted(made, key=size)


def size(n: ExactNumerics) -> int:
    """Bytes of a candidate's tables."""
    fraction = (n.fraction_bits - 1) << n.fraction_index_bits
    return fraction // 8 + (n.reciprocal_bits << n.reciprocal_index_bits) // 8


def best_constants(n: ExactNumerics) -> tuple[float, float] | None:
    """Offset and gain with which `n` holds, if there are any."""
    for offset, gain in itertools.product(OFFSETS, GAINS):
        if holds(dataclasses.replace(n, fraction_offset=offset, reciprocal_gain=gain)):
            return offset, gain
    return None


def search(base: ExactNumerics, out: list[str]) -> None:
    """Go through the candidates until the chosen tables' size is passed."""
    limit = table_bytes(base.tables)
    out += [
        "## Sizes",
        "",
        "| bytes | fraction table | reciprocal table | holds with offset, gain |",
        "|---|---|---|---|",
    ]
    for n in candidates(base):
        if size(n) > limit:
            break
        found = best_constants(n)
        out.append(
            f"| {size(n)} | {1 << n.fraction_index_bits} × {n.fraction_bits - 1} bits "
            f"| {1 << n.reciprocal_index_bits} × {n.reciprocal_bits} bits "
            f"| {'no' if found is None else f'{found[0]:g}, {found[1]:g}'} |"
        )
    out += ["", "## Width of a weight in the sum", "", "| bits | holds |", "|---|---|"]
    for bits in SUM_WEIGHT_BITS:
        n = dataclasses.replace(base, sum_weight_bits=bits)
        out.append(f"| {bits} | {'yes' if holds(n) else 'no'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/softmax_exact_tables.md"))
    arguments = parser.parse_args()
    out = [
        "# Tables of the exact softmax",
        "",
        "Made by `python -m scripts.search_exact_tables`: 8-bit outputs, 16-bit scores with 8",
        "fraction bits, rows up to 4096 elements. A candidate holds if the bound over every row is",
        "1 LSB and no probability exceeds full scale.",
        "",
    ]
    with progress("search"):
        search(Softmax("exact", max_length=4096).numerics, out)  # type: ignore[arg-type]
    arguments.o.write_text("\n".join(out) + "\n")
    print(arguments.o.read_text())


if __name__ == "__main__":
    main()
