import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fpga import flow
from fpga.flow import ECP5_25F, ICE40_UP5K, BehindRegisters, ecp5
from fpga.flow.macros import MacroKind, Site, anneal, energy, place_macros, pull_of
from hw.prim.multiply import Multiplier, MultiplierConfig

ROW = [Site(column, 0, f"X{column}/Y0/A") for column in (0, 1, 5, 6, 9)]
COLUMN = [Site(3, row, f"X3/Y{row}/B") for row in range(4)]


# --- the springs ---


def test_springs_in_a_row_are_as_weak_as_they_are_many():
    """Two macros with two cells between them: three springs of 1."""
    pull = pull_of([{1}, {3}, {1, 2}, {2, 3}], 2)
    assert pull == pytest.approx(np.array([[1, -1], [-1, 1]]) / 3, abs=1e-5)


def test_a_wire_draws_each_two_of_its_ends():
    """Four macros on one: a third between any two."""
    pull = pull_of([{1}] * 4, 4)
    assert pull == pytest.approx(np.eye(4) * 4 / 3 - 1 / 3, abs=1e-5)


def test_a_wire_across_the_chip_draws_nothing():
    assert pull_of([{1}] * 65, 2) == pytest.approx(np.zeros((2, 2)), abs=1e-5)
    assert np.abs(pull_of([{1}] * 64, 2)).max() > 0.01


# --- the sites ---


def brute(pull: np.ndarray) -> float:
    """The least energy of three macros in the row and two in the column."""
    rows, columns = itertools.permutations(ROW, 3), itertools.permutations(COLUMN, 2)
    return min(energy(pull, (*row, *column)) for row, column in itertools.product(rows, columns))


@pytest.mark.parametrize("seed", range(5))
def test_annealing_finds_the_least_energy_of_a_few(seed: int):
    springs = np.triu(np.random.default_rng(seed).random((5, 5)), 1)
    springs += springs.T
    pull = np.diag(springs.sum(axis=1)) - springs
    found = anneal(pull, [3, 2], [ROW, COLUMN], seed)
    assert set(found[:3]) <= set(ROW) and set(found[3:]) <= set(COLUMN)
    assert len(set(found)) == 5
    assert energy(pull, found) == pytest.approx(brute(pull))
    assert found == anneal(pull, [3, 2], [ROW, COLUMN], seed)


# --- netlists ---


def netlist(tmp_path: Path, inner: bool = False) -> Path:
    """Three macros and one cell that is none, in a row; in a module of its own if told."""
    cells = {
        name: {"type": kind, "attributes": {}, "connections": {"A": [a], "B": [b, "x"]}}
        for name, kind, a, b in (
            ("a", "MULT18X18D", 2, 3),
            ("b", "LUT4", 3, 4),
            ("c", "DP16KD", 4, 5),
            ("d", "MULT18X18D", 5, 6),
        )
    }
    ports = {"i": {"bits": [2]}, "o": {"bits": [6]}}
    top = {"attributes": {"top": "1"}, "ports": ports, "cells": cells}
    modules = {"LUT4": {"attributes": {"blackbox": "1"}, "ports": {}, "cells": {}}, "top": top}
    if inner:
        child = {"type": "child", "attributes": {}, "connections": {"i": [7], "o": [8]}}
        modules |= {"child": {**top, "attributes": {}}, "top": {**top, "cells": {"child": child}}}
    path = tmp_path / "netlist.json"
    path.write_text(json.dumps({"modules": modules}))
    return path


@pytest.mark.parametrize("inner", [False, True])
def test_each_macro_has_a_site_of_its_kind_near_its_neighbours(tmp_path: Path, inner: bool):
    multipliers, block_rams = ECP5_25F.macros
    full = MacroKind(cells=block_rams.cells, sites=block_rams.sites[:1])
    kinds = [multipliers, full]
    placed = place_macros(netlist(tmp_path, inner), kinds, 1, tmp_path / "placed.json")
    cells = json.loads(placed.read_text())["modules"]["child" if inner else "top"]["cells"]
    sites = {site.bel: site for kind in ECP5_25F.macros for site in kind.sites}
    a, c, d = (sites[cells[name]["attributes"].pop("BEL")] for name in "acd")
    assert a.bel.endswith(("MULT18_0", "MULT18_1", "MULT18_4", "MULT18_5")) and a != d
    assert "EBR" in c.bel
    # Rows of multipliers and of memories are twelve apart.
    assert abs(c.row - d.row) == abs(c.row - a.row) == 12
    assert abs(c.column - d.column) <= 1 and abs(c.column - a.column) <= 4
    source = json.loads((tmp_path / "netlist.json").read_text())
    assert source["modules"]["child" if inner else "top"]["cells"] == cells


@pytest.mark.parametrize("sites", [1, 2, 3])
def test_macros_are_placed_from_three_quarters_of_the_sites_on(tmp_path: Path, sites: int):
    """Two of them: there is no room, or there is too much, or it is for the router to choose."""
    source, placed = netlist(tmp_path), tmp_path / "placed.json"
    kind = MacroKind(cells=("MULT18X18D",), sites=tuple(ROW[:sites]))
    chosen = place_macros(source, [kind], 1, placed)
    assert chosen == (placed if sites == 2 else source)
    assert placed.exists() == (chosen == placed)


def test_a_device_without_kinds_leaves_the_netlist(tmp_path: Path):
    source = netlist(tmp_path)
    assert place_macros(source, ICE40_UP5K.macros, 1, tmp_path / "placed.json") == source


# --- the router ---


@pytest.mark.parametrize("size", ["12k", "25k", "um-45k", "um5g-85k"])
def test_the_sites_are_those_that_the_router_has(tmp_path: Path, size: str):
    """Every one is taken, and then there is none left."""
    device = ecp5(size, "CABGA381", speed=8 if "5g" in size else 6)
    cells = {
        site.bel: {
            "type": kind.cells[0],
            "hide_name": 0,
            "parameters": {},
            "attributes": {"BEL": site.bel},
            "port_directions": {"P0" if kind.cells[0] == "MULT18X18D" else "DOA0": "output"},
            "connections": {"P0" if kind.cells[0] == "MULT18X18D" else "DOA0": [number]},
        }
        for number, (kind, site) in enumerate(
            ((kind, site) for kind in device.macros for site in kind.sites), start=2
        )
    }
    top = {"attributes": {"top": "1"}, "ports": {}, "cells": cells, "netnames": {}}
    (tmp_path / "full.json").write_text(json.dumps({"creator": "", "modules": {"top": top}}))
    arguments = [*device.options, "--json", "full.json", "--no-route", "--lpf-allow-unconstrained"]
    flow.run_tool(device.router, arguments, tmp_path, "full.log", 120)
    told = (tmp_path / "full.log").read_text()
    for kind in device.macros:
        assert f"{kind.cells[0]}:{len(kind.sites):>8}/{len(kind.sites):>7}   100%" in told


def test_the_router_leaves_macros_where_they_are(tmp_path: Path):
    multipliers, block_rams = ECP5_25F.macros
    few = MacroKind(cells=multipliers.cells, sites=multipliers.sites[10:])
    device = replace(ECP5_25F, macros=(few, block_rams))
    design = BehindRegisters(Multiplier(MultiplierConfig(a_width=64, b_width=64)))
    synthesis = flow.synthesise(design, device, tmp_path)
    options, placer = ["--write", "routed.json"], flow.Placer.ELECTROSTATIC
    flow.place_and_route(synthesis, device, seed=3, placer=placer, options=options)
    chosen = json.loads((tmp_path / "macros_3.json").read_text())["modules"]
    routed = json.loads((tmp_path / "routed.json").read_text())["modules"]["top"]["cells"]
    wanted = {
        cell["attributes"]["BEL"]
        for module in chosen.values()
        for cell in module["cells"].values()
        if "BEL" in cell["attributes"]
    }
    taken = {
        cell["attributes"]["NEXTPNR_BEL"]
        for cell in routed.values()
        if cell["type"] == "MULT18X18D"
    }
    assert wanted == taken and len(taken) == 16
