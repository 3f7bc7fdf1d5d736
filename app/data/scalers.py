"""Scalers for data modules: arrays in, arrays out, NaN passed over."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from app.arrays import Array
from app.errors import InputError

Field = TypeVar("Field", Array, xr.DataArray)


class Scaler(ABC):
    """y = (x - offset) / scale, both fitted over `axis` (None: over everything).

    Statistics keep the reduced axes, so that they fit any array that differs along these alone.
    """

    def __init__(self, axis: int | Sequence[int] | None = None) -> None:
        self.axis = tuple(axis) if isinstance(axis, Sequence) else axis
        self.offset: Array | None = None
        self.scale: Array | None = None

    @abstractmethod
    def _statistics(self, values: Array) -> tuple[Array, Array]:
        """Offset and scale of the values."""

    def fit(self, data: Field) -> Scaler:
        """Learn offset and scale; a constant gets scale 1, so that it becomes 0."""
        values = np.asarray(data, dtype=np.float64)
        if not np.isfinite(values).any():
            raise InputError(f"{type(self).__name__}.fit: the data hold no finite value")
        offset, scale = self._statistics(values)
        self.offset = offset
        self.scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)
        return self

    def transform(self, data: Field) -> Field:
        """Scaled data of the same type and shape, float32."""
        offset, scale = self._fitted()
        return _like(data, (np.asarray(data, dtype=np.float64) - offset) / scale)

    def inverse_transform(self, data: Field) -> Field:
        """Data in their own units again, same type and shape, float32."""
        offset, scale = self._fitted()
        return _like(data, np.asarray(data, dtype=np.float64) * scale + offset)

    def fit_transform(self, data: Field) -> Field:
        self.fit(data)
        return self.transform(data)

    def _fitted(self) -> tuple[Array, Array]:
        if self.offset is None or self.scale is None:
            raise InputError(f"{type(self).__name__}: call fit before it is used")
        return self.offset, self.scale


class StandardScaler(Scaler):
    """Zero mean and unit standard deviation over `axis`."""

    def _statistics(self, values: Array) -> tuple[Array, Array]:
        mask, count = _valid(values, self.axis)
        filled = np.where(mask, values, 0.0)
        mean = filled.sum(axis=self.axis, keepdims=True) / count
        squares = np.where(mask, values - mean, 0.0) ** 2
        return mean, np.sqrt(squares.sum(axis=self.axis, keepdims=True) / count)


class MinMaxScaler(Scaler):
    """Values between 0 and 1 over `axis`."""

    def _statistics(self, values: Array) -> tuple[Array, Array]:
        mask = np.isfinite(values)
        low = np.where(mask, values, np.inf).min(axis=self.axis, keepdims=True)
        high = np.where(mask, values, -np.inf).max(axis=self.axis, keepdims=True)
        empty = ~np.isfinite(low)
        return np.where(empty, 0.0, low), np.where(empty, 1.0, high - low)


def _valid(values: Array, axis: Any) -> tuple[Array, Array]:
    mask = np.isfinite(values)
    return mask, np.maximum(mask.sum(axis=axis, keepdims=True), 1)


def _like(data: Field, values: Array) -> Field:
    values = values.astype(np.float32)
    return data.copy(data=values) if isinstance(data, xr.DataArray) else values
