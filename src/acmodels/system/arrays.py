"""Types of the arrays that are passed about."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float64]
type Index = NDArray[np.int64]
type Responses = Mapping[str, Array]
"""By response: its values on the rows of its equation, shape (n,); of R data sets, (R, n)."""
