"""The kind of several cores on one chip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from amaranth.lib import wiring

from gen.kinds.kind import Kind
from hw.bus.registers import Identity
from hw.bus.system import System
from spec.accelerator import Accelerator
from spec.errors import SpecError, check_choice

__all__ = ["AcceleratorConfig", "AcceleratorKind"]


@dataclass(frozen=True, kw_only=True)
class AcceleratorConfig:
    """How each core is built.

    Parameters
    ----------
    accelerator
        What is computed.
    cores
        Name of a core -> its configuration.
    """

    accelerator: Accelerator
    cores: Mapping[str, Any]


class AcceleratorKind(Kind):
    """Cores behind one link; `kinds` are those that a core may be of.

    Its hardware fields are its cores by name, each with a mapping of that core's own fields.
    """

    name = "accelerator"
    description_type = Accelerator
    config_type = AcceleratorConfig
    subject = "accelerator"

    def __init__(self, kinds: Sequence[Kind]):
        self.kinds = tuple(kinds)

    def configure(self, description: Accelerator, hardware: Mapping[str, Any]) -> AcceleratorConfig:
        """Every core as it is configured alone."""
        for name in hardware:
            check_choice("a core's name", name, description.cores)
        cores = {
            name: self._kind_of(core).configure(core, hardware.get(name, {}))
            for name, core in description.cores.items()
        }
        return AcceleratorConfig(accelerator=description, cores=cores)

    def parts(self, description: Accelerator, config: AcceleratorConfig) -> dict[str, Any]:
        """The cores, by name."""
        return {name: (core, config.cores[name]) for name, core in description.cores.items()}

    def hardware_of(self, config: AcceleratorConfig) -> dict[str, Any]:
        """Each core's hardware."""
        described = config.accelerator.cores
        return {
            name: self._kind_of(described[name]).hardware_of(core)
            for name, core in config.cores.items()
        }

    def unit(self, config: AcceleratorConfig) -> wiring.Component:
        """Not to be had."""
        self._refuse(config)

    def system(self, config: AcceleratorConfig, identity: Identity) -> System:
        """Not to be had: each core is a system of its own."""
        self._refuse(config)

    def told(self, description: Accelerator) -> dict[str, Any]:
        """Each core's kind, and what it is told to compute."""
        kinds = {name: self._kind_of(core) for name, core in description.cores.items()}
        return {
            name: {"kind": kind.name, "description": kind.told(description.cores[name])}
            for name, kind in kinds.items()
        }

    def sections(self, config: AcceleratorConfig) -> dict[str, Any]:
        """Each core's sections."""
        described = config.accelerator.cores
        return {
            "cores": {
                name: self._kind_of(described[name]).sections(core)
                for name, core in config.cores.items()
            }
        }

    def summary(self, manifest: Mapping[str, Any]) -> list[str]:
        """The lines of each core, behind its name."""
        kinds = {kind.name: kind for kind in self.kinds}
        lines = []
        for name, told in manifest["description"].items():
            of_core = {
                **manifest["cores"][name],
                "description": told["description"],
                "configuration": manifest["configuration"][name],
            }
            lines += [f"{name}: {line}" for line in kinds[told["kind"]].summary(of_core)]
        return lines

    def _kind_of(self, core: object) -> Kind:
        (found,) = [kind for kind in self.kinds if isinstance(core, kind.description_type)]
        return found

    def _refuse(self, config: AcceleratorConfig) -> NoReturn:
        names = ", ".join(f"NAME:{name}" for name in config.cores)
        raise SpecError(
            "--bus: the cores of an accelerator share one link: use --bus uart, or name one core "
            f"for a bus of its own ({names})"
        )
