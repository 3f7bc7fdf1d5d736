"""Names for the types of arrays and tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import numpy as np

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
    DType: TypeAlias = np.dtype[Any]
else:
    Array, DType = "numpy.ndarray", "numpy.dtype"

# What Keras operations take and give: their own tensors, TensorFlow's and NumPy's arrays.
Tensor: TypeAlias = Any
# What JSON, YAML, configurations of layers and attributes of files hold.
Json: TypeAlias = dict[str, Any]
