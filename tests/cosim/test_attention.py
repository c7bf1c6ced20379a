import numpy as np
import pytest

from gen.design import load_design
from gen.verilog import write_design
from hw.prim.target import Target
from sim.bench.attention import simulate
from sim.golden.attention import attention
from tests.support.attention import random_operands

pytestmark = pytest.mark.cosim

SMALL = ("rows=2", "columns=4", "value_columns=2", "queries=13", "keys=21", "head_dim=8")


@pytest.mark.parametrize(
    "name", ["attention_causal_256", "attention_alibi_softcap", "attention_sigmoid"]
)
def test_emitted_verilog_gives_golden_bits_under_back_pressure(name, tmp_path):
    design = load_design(name, SMALL)
    write_design(design, tmp_path / "verilog", target=Target.PORTABLE)
    q, k, v = random_operands(design.config, 13, 21)
    golden = attention(design.config.layer, q, k, v)
    trace = simulate(
        design.config,
        tmp_path / "verilog" / f"{name}.v",
        q,
        k,
        v,
        top=name,
        folder=tmp_path,
        stall=0.3,
        seed=7,
    )
    np.testing.assert_array_equal(trace.o, golden.o)
    np.testing.assert_array_equal(trace.empty, golden.empty)
