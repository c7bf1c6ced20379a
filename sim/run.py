"""Run a design on the user's arrays: ``python -m sim.run NAME|FILE.py --in DATA.npz``."""

import json
import tempfile
import zipfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen.cli import Parser, add_design_arguments, progress, run
from gen.design import Design, load_design
from gen.output import whole_file
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.softmax import simulate
from sim.cycle.softmax import softmax_cycles
from sim.golden.softmax import softmax
from spec import Softmax, SpecError
from spec.errors import check_choice

__all__ = ["Result", "main", "run_golden", "run_rtl"]

ENGINES = ("golden", "rtl")
ARRAYS = ("scores", "mask")


class Result(NamedTuple):
    """What a run gives."""

    p: NDArray[np.unsignedinteger]
    """(rows, length) probabilities; full scale stands for one."""
    empty: NDArray[np.bool_]
    """(rows,), True where a row has no visible element."""
    cycles: int
    """From the first transfer in to the last one out, without stalls."""


def run_golden(design: Design, scores: NDArray[Any], mask: NDArray[np.bool_]) -> Result:
    """Bits by the golden model, cycles by the cycle model."""
    p, empty = softmax(design.description.numerics, scores, mask)
    rows, length = scores.shape
    cycles = softmax_cycles(design.config, [length] * rows).total
    return Result(_narrow(design, p), empty, cycles)


def run_rtl(design: Design, scores: NDArray[Any], mask: NDArray[np.bool_]) -> Result:
    """Bits and cycles by the emitted Verilog in Icarus."""
    with tempfile.TemporaryDirectory(prefix="chrysalis-") as name:
        folder = Path(name)
        write_design(design, folder / "verilog", target=Target.PORTABLE)
        trace = simulate(
            design.config,
            folder / "verilog" / f"{design.name}.v",
            list(scores),
            list(mask),
            top=design.name,
            folder=folder,
        )
    cycles = trace.delivered[-1] - trace.accepted[0] + 1
    return Result(_narrow(design, np.stack(trace.p)), np.array(trace.empty), cycles)


def _narrow(design: Design, p: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    return p.astype(np.uint8 if design.description.output_bits <= 8 else np.uint16)


def read_scores(path: Path, description: Softmax) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Scores and mask of a data file, checked against the description.

    Raises
    ------
    SpecError
        The file, an array's name, type, shape or a value is wrong.
    """
    arrays = _read_arrays(path)
    for name in arrays:
        check_choice(f"{path}: an array's name", name, ARRAYS)
    if "scores" not in arrays:
        raise SpecError(f"{path}: there is no array called scores")
    scores = arrays["scores"]
    where = f"{path}: scores"
    if scores.dtype.kind != "i":
        frac, bits = description.score_frac, description.score_bits
        raise SpecError(
            f"{where} must be signed integers, got {scores.dtype}; quantise real scores with "
            f"np.clip(np.round(x * 2**{frac}), {description.score_min}, {description.score_max})"
            f".astype(np.int{8 if bits == 8 else 16})"
        )
    if scores.ndim != 2 or 0 in scores.shape:
        raise SpecError(
            f"{where} must have shape (rows, length), both at least 1, got {scores.shape}"
        )
    if scores.shape[1] > description.max_length:
        raise SpecError(
            f"{where} have rows of {scores.shape[1]} elements; the longest row is max_length = "
            f"{description.max_length} (--set max_length=N takes up to 4096)"
        )
    low, high = description.score_min, description.score_max
    outside = (scores < low) | (scores > high)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        value = int(scores[row, column])
        nearest = min(max(value, low), high)
        raise SpecError(
            f"{where}[{row}, {column}] = {value} must be from {low} to {high}; nearest is {nearest}"
        )
    mask = arrays.get("mask", np.ones(scores.shape, bool))
    if mask.dtype != np.bool_:
        raise SpecError(f"{path}: mask must be bool (True = attend), got {mask.dtype}")
    if mask.shape != scores.shape:
        raise SpecError(
            f"{path}: mask must have the shape of scores {scores.shape}, got {mask.shape}"
        )
    return scores, mask


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        data = np.load(path, allow_pickle=False)
        if isinstance(data, np.lib.npyio.NpzFile):
            with data:
                return {name: data[name] for name in data.files}
    except FileNotFoundError:
        raise SpecError(f"{path}: there is no such file") from None
    except OSError as error:
        raise SpecError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (ValueError, EOFError, zipfile.BadZipFile):
        raise SpecError(f"{path}: is no .npz file of plain arrays") from None
    raise SpecError(f"{path}: must be an .npz file with an array called scores")


def main() -> None:
    """Read the command line and do what it says."""
    parser = Parser(prog="sim.run", description="Run a design on arrays, bit for bit.")
    add_design_arguments(parser)
    parser.add_argument("--in", dest="data", type=Path, required=True, metavar="DATA.npz")
    parser.add_argument("--out", type=Path, metavar="OUT.npz", help="p, empty and cycles")
    parser.add_argument("--engine", default="golden", help="golden (default) or rtl")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    arguments = parser.parse_args()
    check_choice("--engine", arguments.engine, ENGINES)
    design = load_design(arguments.design, arguments.settings)
    scores, mask = read_scores(arguments.data, design.description)
    engine = {"golden": run_golden, "rtl": run_rtl}[arguments.engine]
    # The output's place is opened first, so that a long run is not lost to a wrong path.
    with whole_file(arguments.out) if arguments.out else nullcontext() as path:
        with progress(f"run {design.name} on {arguments.engine}"):
            result = engine(design, scores, mask)
        if path:
            with path.open("wb") as file:
                np.savez_compressed(file, **result._asdict())
    rows, length = scores.shape
    summary = {
        "name": design.name,
        "engine": arguments.engine,
        "rows": rows,
        "length": length,
        "empty_rows": int(result.empty.sum()),
        "cycles": result.cycles,
        "cycles_per_element": round(result.cycles / scores.size, 4),
    }
    if arguments.json:
        print(json.dumps(summary))
        return
    print(f"{design.name}: {rows} rows of {length} elements on {arguments.engine}")
    print(f"  {result.cycles} cycles, {summary['cycles_per_element']} an element")
    if result.empty.any():
        print(f"  {summary['empty_rows']} rows have no visible element and are zero")
    if arguments.out:
        print(f"  {arguments.out}: p, empty, cycles")


if __name__ == "__main__":
    run("sim.run", main)
