"""Which words a stage joins and where they go: the indices that gates and models agree on.

In stage s, item j of N/2 takes the words at j and j + N/2. Its results go to j with a bit inserted
at position r: 0 for the first, 1 for the second. See docs/butterfly.md.
"""

__all__ = ["block_numbers", "insertion", "pairs", "reversed_bits", "written_indices"]


def insertion(transform: str, order: str, stage: int) -> int:
    """Position r of the bit that a stage inserts.

    0 keeps a butterfly matrix of decreasing strides in place; the stage's number brings an FFT,
    and a matrix of increasing strides loaded bit-reversed, into natural order.
    """
    return 0 if transform == "bpmm" and order == "decreasing" else stage


def pairs(points: int) -> list[tuple[int, int]]:
    """The indices that the items of any stage read."""
    half = points // 2
    return [(j, j + half) for j in range(half)]


def written_indices(points: int, position: int) -> list[tuple[int, int]]:
    """The indices that the items of a stage write, with a bit inserted at `position`."""
    low = (1 << position) - 1
    at = [(j & ~low) << 1 | j & low for j in range(points // 2)]
    return [(j, j | 1 << position) for j in at]


def reversed_bits(value: int, bits: int) -> int:
    """The lowest `bits` bits of `value` in the opposite order."""
    return int(f"{value:0{bits}b}"[::-1], 2) if bits else 0


def block_numbers(points: int, order: str, stage: int) -> list[int]:
    """The 2×2 block of a stage's factor that each of its items j is multiplied by.

    A block is numbered by the index of the first of its two words, without the bit in which they
    differ: block b of stride 2^t joins (b >> t) << t + 1 | b mod 2^t and the word 2^t further.
    """
    bits = points.bit_length() - 2
    low = (1 << stage) - 1
    if order == "decreasing":
        return [(j & low) << bits - stage | j >> stage for j in range(points // 2)]
    return [reversed_bits(j >> stage, bits - stage) << stage | j & low for j in range(points // 2)]
