"""What is computed, exactly, in plain Python: the words a description is written with."""

from spec.errors import SpecError
from spec.softmax import Softmax

__all__ = ["Softmax", "SpecError"]
