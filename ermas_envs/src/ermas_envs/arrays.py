"""Array aliases, so that a signature tells the dtype; shapes stand in the docstrings."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
BoolArray: TypeAlias = NDArray[np.bool_]
FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
UIntArray: TypeAlias = NDArray[np.uint64]

Observation: TypeAlias = Array | Mapping[str, Array]
"""What one role sees in a batch: (num_envs, *shape); for a Dict space one such array per key, each of its own dtype."""
