"""The map that every design has: where things are, and that plain Python is enough to use it."""

import pytest

from hw.bus.registers import CAUSES, FATAL, Identity, constant, setting, system_map
from spec import SpecError
from spec.registers import ADDRESS_BITS, Access, Field, RegisterMap
from tests.test_house import loaded_by

IDENTITY = Identity(interface_version=3, digest="0123456789abcdef" * 4)


def small_map(**more):
    length = Field(name="elements", low=0, width=9, meaning="of a row", value=1, least=1)
    return system_map(
        "softmax",
        IDENTITY,
        **{
            "capabilities": [constant("lanes", 4, "elements a transfer")],
            "settings": [setting("row_length", "of every row", length)],
            "inputs": ["i"],
            "outputs": ["o"],
            **more,
        },
    )


def test_a_host_needs_no_gateware():
    assert "amaranth" not in loaded_by(["hw.bus.registers", "spec.registers"])


def test_identity_is_where_every_host_looks_first():
    registers = small_map()
    first = [(each.name, each.offset, each.value) for each in list(registers)[:3]]
    assert first == [("identity", 0, 0x43485259), ("interface", 4, 3), ("kind", 8, 1)]
    digest = [registers[f"digest_{k}"] for k in range(8)]
    assert "".join(f"{each.value:08x}" for each in digest) == IDENTITY.digest
    assert [each.offset for each in digest] == list(range(0x10, 0x30, 4))


def test_groups_begin_at_their_offsets_in_every_map():
    registers = small_map()
    offsets = {each.name: each.offset for each in registers}
    assert offsets["lanes"] == 0x30
    assert [offsets[name] for name in ("control", "status", "error", "error_stream")] == [
        0x80, 0x84, 0x88, 0x8C,
    ]  # fmt: skip
    assert (offsets["timeout"], offsets["row_length"]) == (0x90, 0x94)
    assert [offsets[name] for name in ("cycles", "stalls_i", "stalls_o")] == [0xC0, 0xC4, 0xC8]
    assert max(offsets.values()) < 1 << ADDRESS_BITS


def test_causes_are_bits_that_are_cleared_on_purpose():
    error = small_map()["error"]
    assert error.access is Access.STICKY
    assert [field.name for field in error.fields] == list(CAUSES)
    assert set(FATAL) < set(CAUSES)
    assert [field.name for field in small_map()["error_stream"].fields] == ["i"]


def test_a_map_of_a_design_survives_being_told():
    assert RegisterMap.read(small_map().told()) == small_map()


def test_more_than_fits_is_refused():
    many = [constant(f"number_{k}", k, "a number") for k in range(21)]
    with pytest.raises(SpecError, match="offsets must go up"):
        small_map(capabilities=many)
