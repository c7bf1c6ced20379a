"""Descriptions told in a manifest and read back compute the same bits, without any gateware."""

import json
from typing import Any

import numpy as np
import pytest

from gen.design import Design, load_design
from gen.presets import PRESETS
from sim.golden.attention import attention
from spec import Attention, SpecError
from spec.told import read_description, told
from tests.support.attention import random_operands

DESIGNS: dict[str, Design] = {
    f"{name} {core}": design for name in PRESETS for core, design in load_design(name).cores.items()
}
"""Every core of every preset."""


def again(name: str) -> Any:
    description = DESIGNS[name].description
    return read_description(DESIGNS[name].kind.name, json.loads(json.dumps(told(description))))


@pytest.mark.parametrize("name", DESIGNS)
def test_what_is_read_is_what_was_told(name):
    description = DESIGNS[name].description
    read = again(name)
    assert told(read) == told(description)
    if not isinstance(description, Attention):
        assert read == description
        return
    assert (read.score_scale, read.score_format) == (
        description.score_scale,
        description.score_format,
    )
    assert read.row_numerics.final == description.row_numerics.final


@pytest.mark.parametrize(
    "name", ["attention_alibi_softcap", "attention_retention", "attention_lut2d"]
)
def test_what_is_read_gives_the_same_outputs(name):
    design = DESIGNS[f"{name} attention"]
    q, k, v = random_operands(design.config, 20, 33, seed=1)
    layers = (design.description, again(f"{name} attention"))
    wanted, got = (attention(layer, q, k, v) for layer in layers)
    np.testing.assert_array_equal(got.o, wanted.o)
    np.testing.assert_array_equal(got.empty, wanted.empty)
    assert wanted.o.any()


@pytest.mark.parametrize(
    ("kind", "fields", "says"),
    [
        ("softmux", {}, "kind must be one of softmax, attention, butterfly, got 'softmux'"),
        ("softmax", {"lanes": 3}, "what is told of it is no softmax: "),
        ("attention", {"heads": 1}, "what is told of it is no attention: "),
        ("softmax", {"score_bits": 99}, "Softmax.score_bits must be from 8 to 16"),
    ],
)
def test_what_is_no_description_is_refused(kind, fields, says):
    with pytest.raises(SpecError) as caught:
        read_description(kind, fields)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
