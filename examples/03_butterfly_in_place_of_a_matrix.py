"""Butterfly matrices in place of a dense one: fitted, quantised, and run on the butterfly core.

The discrete cosine transform is two butterfly matrices exactly, and far from one. A projection of
MiniLM is neither, for nothing in its training asked for it: see how far they are.
"""

import argparse
from pathlib import Path

import numpy as np

from examples.support.chained import run_chained
from examples.support.factors import cosines, low_rank, one_matrix, refined, two_matrices
from examples.support.minilm import MiniLM
from spec import Butterfly


def line(name, weights, error):
    print(f"| {name:46} | {weights:7} | {error:14.3g} |", flush=True)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--matrix", choices=("cosines", "query", "key", "value"), default="cosines")
parser.add_argument("--layer", type=int, choices=range(6), default=0, help="of MiniLM")
parser.add_argument("--steps", type=int, default=40, help="of gradient descent")
parser.add_argument("--golden", action="store_true", help="leave the Verilog out")
args = parser.parse_args()
if args.matrix == "cosines":
    matrix, real = cosines(64)[0], np.random.default_rng(3).normal(size=(8, 64))
else:
    model, page = MiniLM.load(), (Path(__file__).parent / "text" / "page.txt").read_text("utf-8")
    matrix = model.projection(args.layer, args.matrix)
    real = model.encode(model.tokenise(page, 8)).inputs[args.layer]
side = len(matrix)
print(f"| {f'{args.matrix}, {side} x {side}, by':46} | weights | relative error |")
print(f"|{'-' * 48}|{'-' * 8}:|{'-' * 15}:|")
for name, closed in (("one matrix", one_matrix(matrix)), ("two matrices", two_matrices(matrix))):
    line(f"{name} of {closed.points} points, closed form", closed.size, closed.error(matrix))
    fit = refined(closed, matrix, args.steps)
    line(f"{name}, {args.steps} gradient steps later", fit.size, fit.error(matrix))
fit = fit.quantised(Butterfly("bpmm"))
line("the two in the core's coefficients, 18 bits", fit.size, fit.error(matrix))
rank, least = low_rank(matrix, fit.size)
line(f"no butterfly: the nearest matrix of rank {rank}", 2 * rank * side, least)

x = np.rint(real / np.abs(real).max() * 32767).astype(np.int16)
golden = run_chained(fit, x, side, "golden")
print(f"\ngolden model: {len(x)} vectors in {golden.cycles} cycles, loading included")
if not args.golden:
    print("Verilog in Icarus:", end=" ", flush=True)
    rtl = run_chained(fit, x, side, "rtl")
    assert np.array_equal(rtl.y, golden.y) and rtl.cycles == golden.cycles
    print(f"all {rtl.y.size} outputs and all {rtl.cycles} cycles are the same")
same = fit.apply(x.T)[:side].T
for name, exact in (("float64 with the same integers", same), ("the matrix", x @ matrix.T)):
    off = np.linalg.norm(golden.y * fit.scale - exact) / np.linalg.norm(exact)
    print(f"its outputs against {name}: {off:.3g} of their norm")
