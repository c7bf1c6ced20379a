"""Named, tested descriptions, one module per subject."""

from gen.presets.accelerator import PRESETS as ACCELERATOR
from gen.presets.attention import PRESETS as ATTENTION
from gen.presets.boards import PRESETS as BOARDS
from gen.presets.butterfly import PRESETS as BUTTERFLY
from gen.presets.preset import Preset
from gen.presets.softmax import PRESETS as SOFTMAX

__all__ = ["PRESETS", "Preset"]

PRESETS: dict[str, Preset] = {**SOFTMAX, **ATTENTION, **BUTTERFLY, **ACCELERATOR, **BOARDS}
"""Every preset by name."""
