"""Several cores on one chip, each described on its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from spec.attention import Attention
from spec.butterfly import Butterfly
from spec.errors import SpecError
from spec.link import MOST_MAPS
from spec.softmax import Softmax

__all__ = ["Accelerator", "Core"]

Core = Attention | Butterfly | Softmax


@dataclass(frozen=True, kw_only=True)
class Accelerator:
    """Cores that share a link and nothing else: what each computes is its own description.

    Parameters
    ----------
    cores
        Name -> an `Attention`, a `Butterfly` or a `Softmax`, 1 to 16 of them; a name is a
        lower-case identifier. Their order is that of their addresses.

    Raises
    ------
    SpecError
        There are none, or too many; a name or a description is none.
    """

    cores: Mapping[str, Core]

    def __post_init__(self) -> None:
        if not isinstance(self.cores, Mapping) or not 1 <= len(self.cores) <= MOST_MAPS:
            what = f"{len(self.cores)}" if isinstance(self.cores, Mapping) else repr(self.cores)
            raise SpecError(
                f"Accelerator.cores must be 1 to {MOST_MAPS} cores by name, such as "
                f"{{'attention': Attention(...)}}, got {what}"
            )
        for name, core in self.cores.items():
            named = isinstance(name, str) and name.isidentifier() and name == name.lower()
            if not named or name.startswith("_"):
                raise SpecError(
                    "Accelerator.cores: a name is a lower-case identifier such as attention, "
                    f"got {name!r}"
                )
            if not isinstance(core, Core):
                raise SpecError(
                    f"Accelerator.cores: {name} must be an Attention, a Butterfly or a Softmax, "
                    f"got {core!r}"
                )
        object.__setattr__(self, "cores", dict(self.cores))
