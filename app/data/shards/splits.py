"""Which of the times train, validate and test."""

from __future__ import annotations

from typing import Any

import numpy as np
from absl import logging

from app.arrays import Array
from app.data.description import SPLIT_NAMES, Splits
from app.data.times import Stamps, duration, period
from app.errors import InputError

SEASONS = {"DJF": (12, 1, 2), "MAM": (3, 4, 5), "JJA": (6, 7, 8), "SON": (9, 10, 11)}
ROUNDING = 1e-6  # how far the sum of the shares may exceed 1


def assign(stamps: Stamps, splits: Splits) -> dict[str, Array]:
    """Row numbers of each split, in time order; splits that are not asked for are left out.

    InputError names the split, the period asked for and the one there is.
    """
    masks = _masks(stamps, splits)
    _refuse_overlap(masks, stamps, splits)
    for name, mask in masks.items():
        if not mask.any():
            raise InputError(
                f"splits: no time in {name} ({_asked(splits, name)}); the data have {stamps.span()}"
            )
    if not masks.keys() & {"train", "test"}:
        raise InputError("splits: expected a training period (train), or a test period (test)")
    unused = ~np.logical_or.reduce(list(masks.values()))
    if unused.any():
        first = stamps.text(int(np.flatnonzero(unused)[0]))
        logging.info(
            "splits: %d of %d times are in none, the first %s", unused.sum(), len(stamps), first
        )
    if splits.gap is not None:
        masks = _leave_gap(masks, stamps, splits.gap)
    return {name: np.flatnonzero(mask) for name, mask in masks.items()}


def _masks(stamps: Stamps, splits: Splits) -> dict[str, Array]:
    if splits.kind in ("dates", "years", "seasons"):
        choose = {"dates": _dates, "years": _years, "seasons": _seasons}[splits.kind]
        return {name: choose(stamps, getattr(splits, name), name) for name in splits.asked}
    deal = {"fractions": _fractions, "blocks": _blocks, "folds": _folds}[splits.kind]
    labels = deal(stamps, splits)
    return {name: labels == SPLIT_NAMES.index(name) for name in splits.asked}


def _dates(stamps: Stamps, periods: tuple[Any, ...], name: str) -> Array:
    mask = np.zeros(len(stamps), bool)
    for first, last in periods:
        where = f"splits.{name}"
        start, _ = period(first, stamps.calendar, where)
        _, end = period(last, stamps.calendar, where)
        if end <= start:
            raise InputError(f"{where}: {last} lies before {first}")
        mask |= (stamps.seconds >= start) & (stamps.seconds < end)
    return mask


def _years(stamps: Stamps, years: tuple[Any, ...], name: str) -> Array:
    try:
        wanted = [int(year) for year in years]
    except (TypeError, ValueError) as error:
        raise InputError(f"splits.{name}: expected years, received {list(years)}") from error
    return np.isin(stamps.fields()[0], wanted)


def _seasons(stamps: Stamps, seasons: tuple[Any, ...], name: str) -> Array:
    months: list[int] = []
    for season in seasons:
        if str(season).upper() not in SEASONS:
            raise InputError(
                f"splits.{name}: unknown season {season!r}, expected some of {', '.join(SEASONS)}"
            )
        months += SEASONS[str(season).upper()]
    return np.isin(stamps.fields()[1], months)


def _shares(splits: Splits) -> Array:
    shares = np.asarray(splits.fractions, np.float64)
    if shares.shape != (3,) or (shares < 0).any() or not 0 < shares.sum() <= 1 + ROUNDING:
        raise InputError(
            "splits.fractions: expected three shares that are not negative and add up to 1 at "
            f"most, received {list(splits.fractions)}"
        )
    return shares


def _fractions(stamps: Stamps, splits: Splits) -> Array:
    ends = np.round(np.cumsum(_shares(splits)) * len(stamps) + ROUNDING)
    return np.searchsorted(ends, np.arange(len(stamps)), side="right")


def _blocks(stamps: Stamps, splits: Splits) -> Array:
    """Deal whole blocks so that every split always has its share of those dealt so far."""
    if splits.block is None:
        raise InputError("splits.block: expected a duration such as 30D for kind blocks")
    length = duration(splits.block, "splits.block")
    if length <= 0:
        raise InputError(f"splits.block: expected a positive duration, not {splits.block}")
    shares = _shares(splits)
    shares = shares / shares.sum()
    pieces, block = np.unique((stamps.seconds - stamps.seconds[0]) // length, return_inverse=True)
    dealt = np.zeros(3)
    owners = np.zeros(len(pieces), np.int64)
    for piece in range(len(pieces)):
        owners[piece] = np.argmax(shares * (piece + 1) - dealt)
        dealt[owners[piece]] += 1
    return owners[block]


def _folds(stamps: Stamps, splits: Splits) -> Array:
    if splits.folds < 3 or not 0 <= splits.fold < splits.folds:
        raise InputError(
            "splits: expected folds ≥ 3 and 0 ≤ fold < folds, received "
            f"folds={splits.folds}, fold={splits.fold}"
        )
    fold = np.arange(len(stamps)) * splits.folds // max(len(stamps), 1)
    labels = np.zeros(len(stamps), np.int64)
    labels[fold == (splits.fold - 1) % splits.folds] = SPLIT_NAMES.index("validation")
    labels[fold == splits.fold] = SPLIT_NAMES.index("test")
    return labels


def _refuse_overlap(masks: dict[str, Array], stamps: Stamps, splits: Splits) -> None:
    names = list(masks)
    for i, name in enumerate(names):
        for other in names[i + 1 :]:
            both = np.flatnonzero(masks[name] & masks[other])
            if len(both):
                raise InputError(
                    f"splits: {name} ({_asked(splits, name)}) and {other} "
                    f"({_asked(splits, other)}) share {len(both)} times, "
                    f"the first {stamps.text(both[0])}"
                )


def _leave_gap(masks: dict[str, Array], stamps: Stamps, gap: str) -> dict[str, Array]:
    """Take from training what is near validation or test, and from validation what is near test."""
    width = duration(gap, "splits.gap")
    if width < 0:
        raise InputError(f"splits.gap: expected a positive duration, not {gap}")
    result = dict(masks)
    names = list(masks)
    for i, name in enumerate(names):
        later = [masks[other] for other in names[i + 1 :]]
        if not later:
            continue
        near = _distance(stamps.seconds, stamps.seconds[np.logical_or.reduce(later)]) <= width
        result[name] = masks[name] & ~near
        logging.info("gap of %s: %d times left out of %s", gap, (masks[name] & near).sum(), name)
        if not result[name].any():
            raise InputError(f"splits.gap: {gap} leaves nothing of {name}")
    return result


def _distance(seconds: Array, others: Array) -> Array:
    """Seconds from each stamp to the nearest of the sorted others."""
    after = np.searchsorted(others, seconds)
    right = np.abs(others[np.minimum(after, len(others) - 1)] - seconds)
    left = np.abs(others[np.maximum(after - 1, 0)] - seconds)
    result: Array = np.minimum(left, right)
    return result


def _asked(splits: Splits, name: str) -> str:
    if splits.kind == "folds":
        return f"fold {splits.fold} of {splits.folds}"
    if splits.kind in ("fractions", "blocks"):
        return f"share {splits.fractions[SPLIT_NAMES.index(name)]}"
    parts = getattr(splits, name)
    if splits.kind == "dates":
        return ", ".join(f"{first} to {last}" for first, last in parts)
    return ", ".join(map(str, parts))
