"""The area model against Yosys: recorded results of every preset, and two synthesised afresh."""

import json
from functools import cache

import pytest

from gen.plan.area import EXACT, FITTED, counted_area, predicted_area
from gen.plan.census import census
from scripts.calibrate_area import counted
from scripts.calibration_designs import DESIGNS, SMALL_PRESETS
from scripts.fit_area import RESULTS

from gen.presets import PRESETS  # isort: skip

MOST = 0.15
"""Error that the issue allows."""

PRESET_KEYS = [key for key in DESIGNS if key.split()[0] in PRESETS]


@cache
def results():
    return json.loads(RESULTS.read_text())


def check(key, cells):
    subject = DESIGNS[key]
    found = predicted_area(census(subject.unit(), subject.target), subject.target)
    made = counted_area(cells)
    for quantity in EXACT:
        assert getattr(found, quantity) == getattr(made, quantity), quantity
    for quantity in FITTED:
        error = getattr(found, quantity) / getattr(made, quantity) - 1
        assert abs(error) <= MOST, f"{quantity}: {error:+.1%}"


def test_every_preset_was_synthesised_and_nothing_that_is_no_design():
    assert {*PRESET_KEYS} <= results().keys() <= DESIGNS.keys(), "python -m scripts.calibrate_area"


@pytest.mark.parametrize("key", PRESET_KEYS)
def test_a_preset_takes_what_the_model_says(key):
    check(key, results()[key]["cells"])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL_PRESETS)
def test_a_preset_synthesised_now_takes_what_the_model_says(name, tmp_path):
    key = f"{name} ecp5"
    check(key, counted(DESIGNS[key], tmp_path))
