"""Many series put in order at once, with gaps: ranks and quantiles from one sort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.arrays import Array
from app.metrics.quantiles import between_ranks

SINGLE = np.dtype(np.float32)
HALF = 32  # bits of a value, of half a key
MAGNITUDE = np.int32(2**31 - 1)  # all bits but the sign


@dataclass(frozen=True, eq=False)
class Ordered:
    """Values (…, n) in rising order along the last axis, NaN behind; -0 is 0.

    places (…, n): flat position in the array that each value comes from. count (…, 1): of values.
    """

    values: Array
    places: Array
    count: Array

    @classmethod
    def of(cls, values: Array, valid: Array) -> Ordered:
        """Of the valid ones (…, n) among values, none of them NaN."""
        whole = bool(valid.all())
        shape = values.shape
        kept = np.add(values if whole else np.where(valid, values, np.nan), 0.0, order="C")
        kept = kept.reshape(-1, shape[-1])
        ordered, places = _by_keys(kept) if kept.dtype == SINGLE else _by_argsort(kept)
        count = np.full((*shape[:-1], 1), shape[-1])
        if not whole:
            count = valid.sum(axis=-1, keepdims=True)
        return cls(ordered.reshape(shape), places.reshape(shape), count)

    @property
    def centred_ranks(self) -> Array:
        """Ranks where the values were, their mean subtracted; 0 where none was.

        Ties share their mean rank.
        """
        n = self.values.shape[-1]
        ranks = np.arange(n) - (self.count - 1) / 2
        if (self.count < n).any():
            ranks[np.arange(n) >= self.count] = 0.0
        _share(ranks, self.values)
        result = np.empty(ranks.size)
        result[self.places.ravel()] = ranks.ravel()
        return result.reshape(ranks.shape)

    def quantiles(self, shares: Sequence[float]) -> Array:
        """Quantiles (q, …), linear between order statistics; NaN without a value."""
        return between_ranks(self.values, self.count, shares)


def _by_keys(values: Array) -> tuple[Array, Array]:
    """Values (m, n) float32 in order, and their flat places.

    Sorted are integers, which is several times as fast as an indirect sort: above a value's bits,
    turned so that they are in its order, below its place. They have 32 bits where the values of
    each series lie so near to each other that both fit in, else 64.
    """
    n = values.shape[-1]
    bits = _turned(values.view(np.int32))
    lowest = bits.min(axis=-1, keepdims=True).view(np.uint32)
    above = bits.view(np.uint32) - lowest
    shift = (n - 1).bit_length()
    keys = above if int(above.max()) >> (HALF - shift) == 0 else above.astype(np.uint64)
    keys <<= keys.dtype.type(shift)
    keys |= np.arange(n, dtype=keys.dtype)
    keys.sort(axis=-1)
    places = (keys & keys.dtype.type(2**shift - 1)).astype(np.int64)
    places += n * np.arange(len(values))[:, None]
    keys >>= keys.dtype.type(shift)
    return _turned((keys.astype(np.uint32) + lowest).view(np.int32)).view(np.float32), places


def _turned(bits: Array) -> Array:
    """Bits of float32 as int32 that are in the order of the values, and the way back."""
    result: Array = bits ^ ((bits >> (HALF - 1)) & MAGNITUDE)
    return result


def _by_argsort(values: Array) -> tuple[Array, Array]:
    order = np.argsort(values, axis=-1)
    places = order + values.shape[-1] * np.arange(len(values))[:, None]
    return values.ravel()[places], places


def _share(ranks: Array, ordered: Array) -> None:
    """Give equal values (…, n) in order the mean of their ranks, in place."""
    n = ordered.shape[-1]
    flat, own = ordered.reshape(-1), ranks.reshape(-1)
    tied = flat[1:] == flat[:-1]
    tied[n - 1 :: n] = False  # the next series begins
    before = np.flatnonzero(tied)  # values that the next one is equal to
    if not len(before):
        return
    begins = np.flatnonzero(np.diff(before, prepend=-2) != 1)
    length = np.diff(begins, append=len(before))
    first = before[begins]
    last = first + length
    mean = (own[first] + own[last]) / 2
    own[before] = np.repeat(mean, length)
    own[last] = mean
