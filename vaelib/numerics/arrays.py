"""Types of arrays."""

import numpy as np
import numpy.typing as npt

__all__ = ["Floats"]

Floats = npt.NDArray[np.float64]
"""An array of float64, of any shape."""
