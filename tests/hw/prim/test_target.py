import enum
import subprocess
import sys

import pytest
from amaranth.vendor import LatticeECP5Platform, LatticeICE40Platform

from hw.prim.target import Target, target_of


def platform(base: type, device: str, **attributes: object) -> object:
    fields = {"device": device, "package": "x", "speed": "6", "resources": [], "connectors": []}
    return type("Board", (base,), fields | attributes)()


@pytest.mark.parametrize("target", Target)
def test_a_target_stands_for_itself(target: Target):
    assert target_of(target) is target


@pytest.mark.parametrize("other", [None, object(), enum.Enum("Other", ["ECP5"])["ECP5"]])
def test_anything_else_is_portable(other: object):
    assert target_of(other) is Target.PORTABLE


@pytest.mark.parametrize(
    "base, device, target",
    [
        (LatticeECP5Platform, "LFE5U-85F", Target.ECP5),
        (LatticeECP5Platform, "LFE5UM5G-45F", Target.ECP5),
        (LatticeECP5Platform, "LCMXO2-7000HC", Target.PORTABLE),
        (LatticeICE40Platform, "iCE40UP5K", Target.ICE40),
        (LatticeICE40Platform, "iCE40HX8K", Target.ICE40_HX),
        (LatticeICE40Platform, "iCE40LP1K", Target.ICE40_HX),
    ],
)
def test_an_amaranth_platform_is_its_family(base: type, device: str, target: Target):
    assert target_of(platform(base, device, grade="C")) is target


def test_the_names_of_the_command_line():
    assert {target.value for target in Target} == {"portable", "ecp5", "ice40", "ice40hx"}


def test_primitives_load_no_vendor_platform_and_no_numpy():
    program = (
        "import sys, hw.prim.multiply, hw.prim.ram;"
        "print([m for m in ('amaranth.vendor', 'numpy', 'gen', 'fpga') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
