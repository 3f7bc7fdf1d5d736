"""What training knew of a model's coarse inputs: where they were valid, and in what range."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.arrays import Array, Json


@dataclass(frozen=True, eq=False)
class KnownInputs:
    """valid (h, w, Cin): where an input was ever valid in training. low, high (Cin,): physical.

    >>> known = KnownInputs(np.ones((2, 2, 1), bool), np.array([270.0]), np.array([294.0]))
    >>> bool(KnownInputs.from_dict(known.to_dict()).valid.all())
    True
    """

    valid: Array
    low: Array
    high: Array

    def to_dict(self) -> Json:
        """JSON-able; the mask as compressed bits."""
        bits = zlib.compress(np.packbits(self.valid).tobytes())
        return {
            "shape": list(self.valid.shape),
            "valid": base64.b64encode(bits).decode("ascii"),
            "low": [float(value) for value in self.low],
            "high": [float(value) for value in self.high],
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> KnownInputs:
        """What `to_dict` has written."""
        shape = tuple(stored["shape"])
        packed = np.frombuffer(zlib.decompress(base64.b64decode(stored["valid"])), np.uint8)
        valid = np.unpackbits(packed, count=int(np.prod(shape))).reshape(shape).astype(bool)
        return cls(valid, np.array(stored["low"]), np.array(stored["high"]))
