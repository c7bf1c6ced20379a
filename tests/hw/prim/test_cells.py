"""Our models of the ECP5 cells against what Yosys maps plain Verilog to."""

import random
from pathlib import Path

import pytest
from amaranth.hdl import signed, unsigned

from fpga.flow import FlowError
from hw.prim.target import Target
from tests.support.netlist import Port, cell_models, differences, run_icarus, yosys

MULTIPLY = """
module top(input clk, input signed [{a}:0] a, input [{b}:0] b, output reg signed [{o}:0] o);
    always @(posedge clk) o <= a * $signed({{1'b0, b}});
endmodule
"""

MEMORY = """
module top(
    input clk, input enable, input [{address}:0] to, input [{data}:0] word,
    input [{address}:0] at, output reg [{data}:0] o
);
    (* ram_style = "block", no_rw_check *) reg [{data}:0] storage [0:{last}];
    initial $readmemh("words.hex", storage);
    always @(posedge clk) begin
        if (enable) storage[to] <= word;
        o <= storage[at];
    end
endmodule
"""


def mapped(source: str, folder: Path, cell: str) -> list[Path]:
    """A netlist of plain Verilog for ECP5; all cells but the one under test are logic again."""
    (folder / "plain.v").write_text(source)
    yosys(
        [
            "read_verilog plain.v",
            "synth_ecp5 -top top",
            f"select -assert-min 1 t:{cell}",
            "techmap -autoproc -map +/ecp5/cells_sim.v",
            "clean",
            "write_verilog -noattr netlist.v",
        ],
        folder,
    )
    return [folder / "netlist.v", *cell_models(Target.ECP5)]


@pytest.mark.parametrize("a_width, b_width", [(18, 17), (9, 8), (5, 11)])
def test_multiplier_that_yosys_infers(a_width: int, b_width: int, tmp_path: Path):
    o_width = a_width + b_width + 1
    source = MULTIPLY.format(a=a_width - 1, b=b_width - 1, o=o_width - 1)
    ports = [
        Port("a", signed(a_width), True),
        Port("b", unsigned(b_width), True),
        Port("o", signed(o_width), False),
    ]
    rng = random.Random(a_width)
    low, high = -(1 << a_width - 1), (1 << a_width - 1) - 1
    pairs = [(a, b) for a in (low, -1, 0, high) for b in (0, 1, (1 << b_width) - 1)]
    pairs += [(rng.randint(low, high), rng.getrandbits(b_width)) for _ in range(50)]
    stimulus = [{"a": a, "b": b} for a, b in [*pairs, (0, 0)]]
    expected = [{}, *({"o": a * b} for a, b in pairs)]
    netlist = mapped(source, tmp_path, "MULT18X18D")
    assert differences(expected, run_icarus(netlist, ports, stimulus, tmp_path)) == []


@pytest.mark.parametrize(
    "depth, width",
    [
        (512, 36),
        (1024, 18),
        (4096, 4),
        *(
            pytest.param(*size, marks=pytest.mark.slow)
            for size in ((2048, 9), (8192, 2), (16384, 1))
        ),
    ],
)
def test_memory_that_yosys_infers(depth: int, width: int, tmp_path: Path):
    rng = random.Random(depth)
    words = [rng.getrandbits(width) for _ in range(depth)]
    (tmp_path / "words.hex").write_text("\n".join(f"{word:x}" for word in words))
    address_width = (depth - 1).bit_length()
    source = MEMORY.format(address=address_width - 1, data=width - 1, last=depth - 1)
    ports = [
        Port("enable", unsigned(1), True),
        Port("to", unsigned(address_width), True),
        Port("word", unsigned(width), True),
        Port("at", unsigned(address_width), True),
        Port("o", unsigned(width), False),
    ]
    some = [
        0,
        1,
        2,
        3,
        depth // 2,
        depth - 2,
        depth - 1,
        *(rng.randrange(depth) for _ in range(20)),
    ]
    stimulus: list[dict[str, int]] = []
    expected: list[dict[str, int | None]] = [{}]
    for _ in range(200):
        to, word, enable = rng.choice(some), rng.getrandbits(width), rng.getrandbits(1)
        at = rng.choice([a for a in some if not (enable and a == to)])
        stimulus.append({"enable": enable, "to": to, "word": word, "at": at})
        expected.append({"o": words[at]})
        if enable:
            words[to] = word
    netlist = mapped(source, tmp_path, "DP16KD")
    assert differences(expected[:-1], run_icarus(netlist, ports, stimulus, tmp_path)) == []


@pytest.mark.parametrize(
    "cell, setting", [("MULT18X18D", 'REG_INPUTA_CLK("CLK1")'), ("DP16KD", 'CSDECODE_B("0b111")')]
)
def test_a_setting_without_a_model_ends_the_simulation(cell: str, setting: str, tmp_path: Path):
    source = tmp_path / "top.v"
    source.write_text(f"module top(input a, output o); {cell} #(.{setting}) c (); endmodule\n")
    ports = [Port("a", unsigned(1), True), Port("o", unsigned(1), False)]
    with pytest.raises(FlowError, match=f"{cell} .* has a setting that is not modelled"):
        run_icarus([source, *cell_models(Target.ECP5)], ports, [{"a": 0}], tmp_path)
