"""From what the user names on the command line to a configured unit."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amaranth.lib import wiring

from gen.description_file import read_file
from gen.kinds import Kind, kind_of
from gen.presets import PRESETS, Preset
from gen.settings import apply_settings
from hw.bus.registers import Identity
from hw.bus.system import System
from spec import Accelerator, SpecError
from spec.errors import check_choice, nearest_word
from spec.registers import INTERFACE_VERSION

__all__ = ["INTERFACE_VERSION", "Design", "load_design"]


@dataclass(frozen=True, kw_only=True)
class Design:
    """A description with the configuration that builds it.

    Parameters
    ----------
    name
        Name of the Verilog module and of the output folder.
    description
        What is computed.
    config
        How the unit is built.
    """

    name: str
    description: Any
    config: Any

    @classmethod
    def of(cls, name: str, description: Any, **hardware: Any) -> "Design":
        """Configure a description; `hardware` names fields of the configuration.

        Raises
        ------
        SpecError
            A value breaks its field's rule.
        """
        config = kind_of(description).configure(description, hardware)
        return cls(name=name, description=description, config=config)

    @property
    def kind(self) -> Kind:
        """What sort of thing it is."""
        return kind_of(self.description)

    def unit(self) -> wiring.Component:
        """The unit, to be elaborated once."""
        return self.kind.unit(self.config)

    def system(self) -> System:
        """The unit run from registers, to be elaborated once."""
        identity = Identity(interface_version=INTERFACE_VERSION, digest=self.digest)
        return self.kind.system(self.config, identity)

    @property
    def cores(self) -> "dict[str, Design]":
        """The designs that run from registers of their own, by name: an accelerator has several."""
        parts = self.kind.parts(self.description, self.config).items()
        return {name: Design(name=name, description=d, config=c) for name, (d, c) in parts}

    def core(self, name: str) -> "Design":
        """One core by itself, of an accelerator.

        Raises
        ------
        SpecError
            There is no such core.
        """
        if not isinstance(self.description, Accelerator):
            raise SpecError(f"{self.name} is one core: leave :{name} out")
        core = self.cores[check_choice(f"a core of {self.name}", name, self.cores)]
        return dataclasses.replace(core, name=f"{self.name}_{name}")

    @property
    def hardware(self) -> dict[str, Any]:
        """The configuration's fields apart from what is computed."""
        return self.kind.hardware_of(self.config)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that decides behaviour: description, configuration, interface."""
        identity = {
            "interface": INTERFACE_VERSION,
            "description": self.kind.told(self.description),
            "configuration": self.hardware,
        }
        text = json.dumps(identity, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_design(source: str, settings: Sequence[str] = ()) -> Design:
    """Find a preset or read a description file, and apply ``key=value`` settings.

    Parameters
    ----------
    source
        A preset's name, or the path of a ``.py`` file with one module-level description. With
        ``:core`` behind it, one core of an accelerator by itself.
    settings
        Fields of the description or of the configuration to override, as ``key=value``; of an
        accelerator as ``core.key=value``.

    Raises
    ------
    SpecError
        The name, the file or a setting is wrong; the text says what would be right.
    """
    whole, colon, core = source.partition(":")
    if whole.endswith(".py"):
        name = Path(whole).stem
        preset = Preset(summary=whole, description=read_file(Path(whole)))
    else:
        name, preset = whole, _preset(whole)
    if colon and isinstance(preset.description, Accelerator):
        # Settings are that core's own.
        check_choice(f"a core of {name}", core, preset.description.cores)
        settings = [f"{core}.{setting}" for setting in settings]
    description, hardware = apply_settings(preset.description, preset.hardware, settings)
    design = Design.of(name, description, **hardware)
    return design.core(core) if colon else design


def _preset(name: str) -> Preset:
    if name not in PRESETS:
        near = nearest_word(name, PRESETS)
        raise SpecError(f"no preset is called {name!r}; nearest is {near} (--list shows them all)")
    return PRESETS[name]
