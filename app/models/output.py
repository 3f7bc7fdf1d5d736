"""What the channels of a network's output stand for: a field, or parameters of its distribution.

A network has `n_parameters` channels for each predictand, `(B, H, W, C · P)` with the parameter
running fastest. Behind it the encoded prediction is `(B, H, W, C)` where P is the one field, and
`(B, P, H, W, C)` otherwise: parameters stand in front of the grid, so that offsets, scales and
masks per channel or per cell, `(C,)` or `(H, W, C)`, apply to them as they do to fields.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from keras import ops

from app.arrays import Array, Tensor
from app.models.bernoulli_gamma import BernoulliGammaOutput
from app.models.codec import Codec

Quantiles = Callable[[Array, Any], Array]  # (parameters, level or levels) → (B, H, W, C)


class Output(Protocol):
    """How a network's output becomes an encoded prediction, and that a physical one."""

    @property
    def n_parameters(self) -> int:
        """Channels of the network for each predictand."""

    @property
    def layers(self) -> int:
        """Physical fields of each predictand; they lead the axes of predictions."""

    @property
    def quantiles(self) -> Quantiles | None:
        """Fields of a predicted distribution by level; None where none is predicted."""

    def encode(self, hr: Tensor, codec: Codec) -> Tensor:
        """The truth `(B, H, W, C)` as losses compare it with the encoded prediction."""

    def combine(self, y: Tensor, guess: Tensor | None) -> Tensor:
        """The encoded prediction of the network's `(B, H, W, C · P)` and the guess `(B, H, W, C)`.

        It is what losses take beside the encoded truth `(B, H, W, C)`.
        """

    def decode(self, encoded: Tensor, codec: Codec) -> Tensor:
        """Physical fields `(B, H, W, C)`, or `(B, layers, H, W, C)`, of an encoded prediction."""


@dataclass(frozen=True)
class FieldOutput:
    """One channel a predictand: the field itself."""

    n_parameters: int = 1
    layers: int = 1
    quantiles: ClassVar[None] = None

    def encode(self, hr: Tensor, codec: Codec) -> Tensor:
        return codec.encode(hr)

    def combine(self, y: Tensor, guess: Tensor | None) -> Tensor:
        return y if guess is None else y + guess

    def decode(self, encoded: Tensor, codec: Codec) -> Tensor:
        return codec.decode(encoded)


@dataclass(frozen=True)
class QuantileOutput:
    """Fields of the given levels, brought into order cell by cell, so that none cross.

    Sorting never raises the pinball loss, summed over the levels, and leaves quantiles that do
    not cross as they are. A first guess is added to all of them.
    Reference: Chernozhukov et al. 2010, doi:10.3982/ECTA7880.
    """

    levels: tuple[float, ...]
    quantiles: ClassVar[None] = None  # a set of them, and no distribution

    @property
    def n_parameters(self) -> int:
        return len(self.levels)

    @property
    def layers(self) -> int:
        return len(self.levels)

    def encode(self, hr: Tensor, codec: Codec) -> Tensor:
        return codec.encode(hr)

    def combine(self, y: Tensor, guess: Tensor | None) -> Tensor:
        fields = by_parameter(y, self.n_parameters)
        if guess is not None:
            fields = fields + guess[:, None]
        return ops.sort(fields, axis=1)

    def decode(self, encoded: Tensor, codec: Codec) -> Tensor:
        """Transforms, scaling and valid range are monotone: quantiles stay quantiles."""
        return codec.decode(encoded)


def by_parameter(y: Tensor, n_parameters: int) -> Tensor:
    """`(B, H, W, C · P)` to `(B, P, H, W, C)`."""
    shape = (*ops.shape(y)[:-1], y.shape[-1] // n_parameters, n_parameters)
    return ops.moveaxis(ops.reshape(y, shape), -1, 1)


def output_of(
    quantiles: tuple[float, ...], amounts: tuple[tuple[float, float], ...] = ()
) -> Output:
    """The output of a model that predicts these quantiles, or fields where there are none.

    `amounts`: unit and wet threshold of each predictand whose distribution is predicted.
    """
    if amounts:
        units, thresholds = zip(*amounts, strict=True)
        return BernoulliGammaOutput(units, thresholds)
    return QuantileOutput(quantiles) if quantiles else FieldOutput()
