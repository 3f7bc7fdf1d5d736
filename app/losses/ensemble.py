"""Proper scores of a few members, by which a network learns a distribution.

Members `(B, M, H, W, C)` and truth `(B, H, W, C)`, encoded; missing truth is left out. Of M members
the plain estimate of E|X - X'| is too small by a factor of (M - 1) / M; a fair score makes up for
it (Ferro 2014, doi:10.1002/qj.2270). Where all members but one are equal it does not tell how far
off that one is, so that a small part of the plain score is kept: almost fair (Lang et al. 2024,
arXiv:2412.15832).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

from keras import ops

from app.arrays import Tensor
from app.losses.masked import masked_mean, split_missing

FAIR = 0.95  # share of the fair score; the plain one has the rest
TINY = 1e-12

Distance = Callable[[Tensor, Tensor], Tensor]


def crps(y_true: Tensor, members: Tensor, scales: Sequence[int] = (1,)) -> Tensor:
    """Mean CRPS `(B,)` of known cells, averaged over means of s × s cells for each s in `scales`.

    A mean weighs by its share of known cells; cells at the end of an axis that fill no block are
    left out.
    """
    total = 0.0
    for weight, truth, own in _at_scales(y_true, members, scales):
        total += masked_mean(_almost_fair(_absolute, truth, own), weight, least=TINY)
    return total / len(scales)


def energy_score(y_true: Tensor, members: Tensor, scales: Sequence[int] = (1,)) -> Tensor:
    """Energy score `(B,)` of whole fields, averaged over scales as `crps` is.

    Distances are roots of mean squares over all known cells and channels. Reference: Gneiting and
    Raftery 2007, doi:10.1198/016214506000001437.
    """
    total = 0.0
    for weight, truth, own in _at_scales(y_true, members, scales):

        def distance(a: Tensor, b: Tensor, weight: Tensor = weight) -> Tensor:
            return ops.sqrt(masked_mean(ops.square(a - b), weight, least=TINY) + TINY)

        total += _almost_fair(distance, truth, own)
    return total / len(scales)


SCORES: dict[str, Callable[..., Tensor]] = {"crps": crps, "energy": energy_score}


def _almost_fair(distance: Distance, truth: Tensor, members: Sequence[Tensor]) -> Tensor:
    """E|X - y| - E|X - X'| / 2 by a distance, in the shape that this gives."""
    m = len(members)
    error = sum(distance(own, truth) for own in members) / m
    pairs = list(combinations(members, 2))
    if not pairs:
        return error
    apart = sum(distance(*pair) for pair in pairs) / len(pairs)
    return error - 0.5 * (FAIR + (1 - FAIR) * (m - 1) / m) * apart


def _at_scales(
    y_true: Tensor, members: Tensor, scales: Sequence[int]
) -> list[tuple[Tensor, Tensor, list[Tensor]]]:
    """For each scale weights, truth and members of the means, 0 where none of a block is known."""
    truth, known = split_missing(y_true)
    own = [members[:, m] for m in range(members.shape[1])]
    found = []
    for size in scales:
        if size == 1:
            found.append((known, truth, own))
            continue
        weight = _pooled(known, size)
        share = ops.maximum(weight, TINY)
        first, *rest = (_pooled(known * field, size) / share for field in [truth, *own])
        found.append((weight, first, rest))
    return found


def _absolute(a: Tensor, b: Tensor) -> Tensor:
    return ops.abs(a - b)


def _pooled(field: Tensor, size: int) -> Tensor:
    """Means of size × size cells."""
    return ops.average_pool(field, size, strides=size, padding="valid")
