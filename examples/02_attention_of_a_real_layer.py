"""A MiniLM attention layer in int8: the golden model, its Verilog in Icarus, and the mathematics.

The encoder reads the first tokens of a page, and one of its layers, twelve heads, goes through a
core that takes any text up to the model's limit. MiniLM looks both ways, so there is no mask; a
shorter text needs no padding, for lengths are given at run time.
"""

import argparse
from pathlib import Path

import numpy as np

from examples.support.minilm import MiniLM
from examples.support.quantised import Int8Layer
from gen.design import Design
from sim.reference import attention as reference
from sim.run.engines import run_arrays

LIMIT = 512


def told(name, error):  # -> a line of the table
    return f"| {name:52} | {np.abs(error).max():7.3f} | {np.sqrt((error**2).mean()):5.3f} |"


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--layer", type=int, choices=range(6), default=0)
parser.add_argument("--tokens", type=int, default=64, help="2 to 512; time grows as its square")
parser.add_argument("--side", type=int, choices=(2, 4, 8), default=8, help="of the arrays")
parser.add_argument("--golden", action="store_true", help="leave the Verilog out")
args = parser.parse_args()
if not 2 <= args.tokens <= LIMIT:
    parser.error(f"--tokens must be from 2 to {LIMIT}, got {args.tokens}")

model, page = MiniLM.load(), (Path(__file__).parent / "text" / "page.txt").read_text("utf-8")
whole, text = (model.encode(model.tokenise(page, n)).layers for n in (LIMIT, args.tokens))
int8, real = Int8Layer.calibrate(whole[args.layer]), text[args.layer]
operands, clipped = int8.quantise(real)
sides = dict.fromkeys(("rows", "columns", "value_columns"), args.side)
design = Design.of("minilm_layer", int8.description(LIMIT), **sides)
heads, tokens, dims = real.q.shape
print(f"layer {args.layer} of MiniLM: {heads} heads, {tokens} tokens, {clipped} values clipped")

golden = run_arrays(design, operands)
print(f"golden model: {golden.tiles} tiles in {golden.cycles} cycles, loading included")
if not args.golden:
    print("Verilog in Icarus:", end=" ", flush=True)
    rtl = run_arrays(design, operands, "rtl")
    assert np.array_equal(rtl.o, golden.o) and rtl.cycles == golden.cycles
    print(f"all {rtl.o.size} outputs and all {rtl.cycles} cycles are the same")

exact = int8.mathematics(operands)
all_see_all = np.ones((tokens, tokens), bool)
ideal = reference.attention(real.q, real.k, real.v, all_see_all, softmax_scale=dims**-0.5)
print("\n| outputs, in LSB of a head's values, against          | largest |   rms |")
print("|------------------------------------------------------|--------:|------:|")
print(told("float64 attention on the same int8 operands", golden.o - int8.in_lsb(exact)))
print(told("the layer before it was quantised", golden.o - int8.in_lsb(ideal)))
off = np.linalg.norm(int8.outputs(golden.o) - ideal) / np.linalg.norm(ideal)
print(f"\nAll in all int8 moves this layer's outputs by {100 * off:.1f} % of their norm.")
