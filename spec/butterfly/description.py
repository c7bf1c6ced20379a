"""What a user says of a butterfly core: its transforms, largest size, formats and scaling."""

from dataclasses import dataclass

from spec.butterfly.division import LEAST_DIVIDED
from spec.errors import SpecError, check_choice, check_range

__all__ = ["MAX_POINTS", "MIN_POINTS", "ORDERS", "TRANSFORMS", "Butterfly"]

TRANSFORMS = ("fft", "inverse", "mixing", "bpmm")
"""FFT and its inverse, Re(FFT2) of a real block, and the product with a butterfly matrix."""

ORDERS = ("decreasing", "increasing")
"""Strides of a butterfly matrix's factors in the order in which they are applied."""

MIN_POINTS, MAX_POINTS = 8, 8192
MAX_SHIFT = 2
GUARD_BITS = 2
"""What a stage can add to a word's magnitude."""


@dataclass(frozen=True)
class Butterfly:
    """Transforms of vectors of N = 2^n fixed-point words in n stages of N/2 pairs.

    Every field changes output bits or what is accepted; none changes only speed or area. The
    equations are in docs/butterfly.md, the exact integers in ``sim.golden.butterfly``.

    Parameters
    ----------
    transforms
        What the core can do, at least one of ``fft``, ``inverse``, ``mixing`` and ``bpmm``; which
        of them is done is chosen at run time. One may be given as a word.
    points
        Largest vector, a power of two from 8 to 8192; smaller ones are chosen at run time.
    data_bits
        Width of an input and output component, 8 to 16.
    coefficient_bits
        Width of twiddles and weights, 8 to 18, all but two of them after the point.
    shifts
        None: block floating point, an exponent for each vector. Else the right shift of every
        stage, 0 to 2, as one number or as one for each stage of the largest vector; a smaller one
        takes the first. What does not fit is saturated, and its vector is flagged.
    orders
        Of ``bpmm``: orders of factors that the core can do, one or both of ``decreasing`` and
        ``increasing``, each the transpose of the other.
    inputs, outputs
        Of ``bpmm``: a rectangular layer, 1 to 65536 each. N is the power of two from `inputs` up
        (at least 8); as many matrices are stacked as `outputs` needs, and the rest is cut off.
        Square, with `points` of each, where it is not given.
    rows, columns
        Of ``mixing``: sides of the largest block, powers of two from 8 to `points`, which each is
        where it is not given.
    divided_from
        Of ``fft`` and ``inverse``: the size, a power of two from 64 to `points`, from which on
        vectors are divided into two layers (`spec.butterfly.division`); smaller ones are not
        taken. None: no vector is divided.

    Raises
    ------
    SpecError
        A field breaks its rule.
    """

    transforms: tuple[str, ...] | str = ("fft",)
    points: int = 1024
    data_bits: int = 16
    coefficient_bits: int = 18
    shifts: tuple[int, ...] | int | None = None
    orders: tuple[str, ...] | str = ("decreasing",)
    inputs: int | None = None
    outputs: int | None = None
    rows: int | None = None
    columns: int | None = None
    divided_from: int | None = None

    def __post_init__(self) -> None:
        self._words("transforms", TRANSFORMS)
        self._words("orders", ORDERS)
        _check_power("Butterfly.points", self.points, MAX_POINTS)
        check_range("Butterfly.data_bits", self.data_bits, 8, 16)
        check_range("Butterfly.coefficient_bits", self.coefficient_bits, 8, 18)
        if isinstance(self.shifts, tuple):
            if len(self.shifts) != self.stages:
                raise SpecError(
                    f"Butterfly.shifts must be one number or one for each of {self.stages} stages, "
                    f"got {len(self.shifts)}; nearest is {self._nearest_shifts(self.shifts)}"
                )
            for stage, shift in enumerate(self.shifts):
                check_range(f"Butterfly.shifts[{stage}]", shift, 0, MAX_SHIFT)
        elif self.shifts is not None:
            check_range("Butterfly.shifts", self.shifts, 0, MAX_SHIFT)
        self._check_layer()
        for field in ("rows", "columns"):
            if getattr(self, field) is not None:
                self._only_for(field, "mixing")
                self.check_points(f"Butterfly.{field}", getattr(self, field))
        if self.divided_from is not None:
            self._check_division()

    def _check_division(self) -> None:
        where = "Butterfly.divided_from"
        for transform in self.transforms:
            if transform not in ("fft", "inverse"):
                raise SpecError(
                    f"{where} is for transforms fft and inverse, but transforms are "
                    f"{', '.join(self.transforms)}; leave it out"
                )
        _check_power(where, self.divided_from, self.points, LEAST_DIVIDED)
        if isinstance(self.shifts, tuple):
            raise SpecError(
                f"Butterfly.shifts must be one number where vectors are divided, got "
                f"{len(self.shifts)}; nearest is {self.shifts[0]}"
            )

    def _words(self, field: str, choices: tuple[str, ...]) -> None:
        """Make a field of words a tuple of different ones, in the order of `choices`."""
        given = getattr(self, field)
        words = (given,) if isinstance(given, str) else tuple(given)
        for word in words:
            check_choice(f"Butterfly.{field}", word, choices)
        if not words:
            raise SpecError(
                f"Butterfly.{field} must name at least one of {', '.join(choices)}; "
                f"nearest is {choices[0]}"
            )
        object.__setattr__(self, field, tuple(each for each in choices if each in words))

    def _nearest_shifts(self, shifts: tuple[int, ...]) -> tuple[int, ...]:
        return (*shifts, *(1,) * self.stages)[: self.stages]

    def _check_layer(self) -> None:
        for field, default in (("inputs", None), ("outputs", None), ("orders", (ORDERS[0],))):
            if getattr(self, field) != default:
                self._only_for(field, "bpmm")
        for field in ("inputs", "outputs"):
            if getattr(self, field) is not None:
                check_range(f"Butterfly.{field}", getattr(self, field), 1, 1 << 16)
        if self.inputs is not None and self.inputs > self.points:
            raise SpecError(
                f"Butterfly.inputs must be at most points = {self.points}, got {self.inputs}; "
                f"nearest is {self.points}"
            )

    def _only_for(self, field: str, transform: str) -> None:
        if transform not in self.transforms:
            raise SpecError(
                f"Butterfly.{field} is for transform {transform}, but transforms are "
                f"{', '.join(self.transforms)}; leave it out"
            )

    @property
    def stages(self) -> int:
        """Stages of the largest vector, log2 of `points`."""
        return self.points.bit_length() - 1

    @property
    def word_bits(self) -> int:
        """Width of a component between stages."""
        return self.data_bits + GUARD_BITS

    @property
    def coefficient_frac(self) -> int:
        """Bits of a coefficient after the point: 1.0 is 2^coefficient_frac."""
        return self.coefficient_bits - 2

    @property
    def weight_max(self) -> int:
        """Greatest weight, and minus the least: just below 2.0."""
        return (1 << self.coefficient_bits - 1) - 1

    @property
    def data_max(self) -> int:
        """Greatest component of an input or output; the least is one further from zero."""
        return (1 << self.data_bits - 1) - 1

    @property
    def complex_data(self) -> bool:
        """Whether any transform takes imaginary parts."""
        return self.transforms != ("bpmm",)

    def shift(self, stage: int) -> int | None:
        """The right shift of a stage, or None where the vector decides."""
        return self.shifts[stage] if isinstance(self.shifts, tuple) else self.shifts

    @property
    def layer_points(self) -> int:
        """N of the matrices of a ``bpmm`` layer."""
        inputs = self.points if self.inputs is None else self.inputs
        return max(MIN_POINTS, 1 << (inputs - 1).bit_length())

    @property
    def layer_stacks(self) -> int:
        """Matrices of a ``bpmm`` layer, stacked: each gives `layer_points` outputs."""
        outputs = self.layer_points if self.outputs is None else self.outputs
        return -(-outputs // self.layer_points)

    @property
    def block(self) -> tuple[int, int]:
        """Rows and columns of the largest block of ``mixing``."""
        return self.rows or self.points, self.columns or self.points

    def check_block(self, where: str, rows: int, columns: int) -> None:
        """Refuse the sides of a block that is too large, or no block at all."""
        for side, points, most in zip(
            ("rows", "columns"), (rows, columns), self.block, strict=True
        ):
            _check_power(f"{where}: {side}", points, most)

    def check_points(self, where: str, points: int) -> int:
        """Return the size of a vector if the core takes it."""
        return _check_power(where, points, self.points, self.divided_from or MIN_POINTS)

    def check_transform(self, where: str, transform: str) -> str:
        """Return a transform if the core was generated with it."""
        return check_choice(where, transform, self.transforms)

    def check_order(self, where: str, order: str) -> str:
        """Return an order of factors if the core was generated with it."""
        return check_choice(where, order, self.orders)


def _check_power(where: str, points: object, most: int, least: int = MIN_POINTS) -> int:
    """Return `points` if it is a power of two from `least` to `most`, themselves such."""
    points = check_range(where, points, least, most)
    if points & points - 1:
        below = 1 << points.bit_length() - 1
        nearest = below if points - below < 2 * below - points or 2 * below > most else 2 * below
        raise SpecError(f"{where} must be a power of two, got {points}; nearest is {nearest}")
    return points
