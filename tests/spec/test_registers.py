"""A map of registers: what may be said in one, and that it survives being told."""

import json

import pytest

from spec import SpecError
from spec.registers import Access, Field, Register, RegisterMap


def field(name="value", low=0, width=8, **more):
    return Field(name=name, low=low, width=width, meaning="something", **more)


def register(name="first", offset=0, access=Access.SETTING, fields=None):
    fields = (field(),) if fields is None else tuple(fields)
    return Register(name=name, offset=offset, access=access, meaning="a word", fields=fields)


def some_map():
    mode = field("mode", 4, 2, most=2, value=1, choices={"fast": 0, "slow": 2})
    return RegisterMap(
        name="demo",
        registers=(
            register("identity", 0, Access.CONSTANT, [field(value=77)]),
            register("job", 8, Access.SETTING, [field("length", 0, 3, least=1, value=5), mode]),
            register("error", 12, Access.STICKY, [field("row", 31, 1)]),
        ),
    )


def told(make, **fields):
    with pytest.raises(SpecError) as caught:
        make(**fields)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_map_read_from_json_is_the_map():
    registers = some_map()
    assert RegisterMap.read(json.loads(json.dumps(registers.told()))) == registers


def test_a_word_is_packed_by_name_and_unpacked():
    job = some_map()["job"]
    assert job.pack() == job.value == 5 | 1 << 4
    assert job.pack(length=7, mode="slow") == 7 | 2 << 4
    assert job.pack(mode=0) == 5
    assert job.unpack(7 | 2 << 4) == {"length": 7, "mode": 2}


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"length": 0}, "job.length must be from 1 to 7, got 0; nearest is 1"),
        ({"mode": 3}, "job.mode must be from 0 to 2, got 3; nearest is 2"),
        ({"mode": "slwo"}, "job.mode must be one of fast, slow, got 'slwo'; did you mean slow?"),
        ({"lenght": 1}, "field of job must be one of length, mode, got 'lenght'; did you mean"),
    ],
)
def test_a_value_that_a_field_does_not_take_is_refused(values, says):
    assert says in told(some_map()["job"].pack, **values)


def test_an_unknown_register_is_named_with_the_nearest():
    assert "did you mean error?" in told(some_map().__getitem__, name="eror")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "Value"}, "a name is a lower-case identifier"),
        ({"name": "two words"}, "a name is a lower-case identifier"),
        ({"low": 32}, "low must be from 0 to 31, got 32; nearest is 31"),
        ({"low": 30, "width": 3}, "width must be from 1 to 2, got 3; nearest is 2"),
        ({"most": 256}, "most must be from 0 to 255, got 256"),
        ({"least": 9, "most": 8}, "least must be from 0 to 8, got 9"),
        ({"value": 3, "least": 4}, "value must be from 4 to 255, got 3"),
        ({"choices": {"far": 256}}, "far must be from 0 to 255, got 256"),
    ],
)
def test_a_wrong_field_is_refused(fields, says):
    assert says in told(field, **fields)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"offset": 6}, "offset must be a multiple of 4, got 6; nearest is 4"),
        ({"offset": 4096}, "offset must be from 0 to 4092, got 4096; nearest is 4092"),
        ({"fields": ()}, "at least one field is needed"),
        ({"fields": (field("a"), field("b", 7))}, "b begins at bit 7; the nearest that is free is"),
        ({"fields": (field("a"), field("a", 8))}, "names must differ, got a 2 times"),
    ],
)
def test_a_wrong_register_is_refused(fields, says):
    assert says in told(register, **fields)


@pytest.mark.parametrize(
    ("registers", "says"),
    [
        ((register("a", 4), register("b", 4)), "offsets must go up, got 0x4 after 0x4; nearest is"),
        ((register("a", 0), register("a", 4)), "names must differ, got a 2 times"),
    ],
)
def test_a_wrong_map_is_refused(registers, says):
    assert says in told(RegisterMap, name="demo", registers=registers)
