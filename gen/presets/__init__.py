"""Named, tested descriptions, one module per subject."""

from gen.presets.preset import Preset
from gen.presets.softmax import PRESETS as SOFTMAX

__all__ = ["PRESETS", "Preset"]

PRESETS: dict[str, Preset] = {**SOFTMAX}
"""Every preset by name."""
