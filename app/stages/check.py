"""Stage `check`: what the flagfile and the data hold, without training anything."""

from __future__ import annotations

import numpy as np

from app.session import Session

NOTABLE = 0.05  # by how much a correlation off lag 0 must exceed the one at 0 to be pointed out
LABELS = {"hr": "predictand", "lr": "low resolution", "predictors": "predictor"}


def run(session: Session) -> None:
    """Prepare the data, which validates them, and print what was found."""
    shards = session.shards
    if session.experiment.verify:
        shards.verify()
    _refuse_what_training_would(session)
    if not session.ranks.first:
        return

    from app.data.survey import LAGS, lag_correlations, summaries

    print(f"grid        {shards.geometry.describe()}")
    for place, grid in (("fine", shards.geometry.fine), ("source", shards.source_grid)):
        if grid is not None:
            print(f"{place:<12}{grid.extent()}")
    statics = ", ".join(f"{v.name} ({v.units or '1'})" for v in shards.variables["static"])
    print(f"static      {statics or 'none'}")
    for split in shards.splits:
        pieces = int(shards.segments(split)[-1]) + 1
        gaps = f", {pieces - 1} gaps" if pieces > 1 else ""
        print(f"\n{split}: {shards.size(split)} times, {shards.stamps(split).span()}{gaps}")
        print(f"  {'':<30}{'units':<12}{'min':>10}{'mean':>10}{'max':>10}{'missing':>10}")
        for found in summaries(shards, split):
            name = f"{LABELS[found.role]} {found.variable.name}"
            values = "".join(f"{v:>10.4g}" for v in (found.minimum, found.mean, found.maximum))
            units = found.variable.units or "1"
            print(f"  {name:<30}{units:<12}{values}{found.missing:>10.1%}")
    for predictand, inputs in lag_correlations(shards).items():
        if not inputs:
            continue
        print(f"\ncorrelation in time with {predictand}, by lag of the input in steps")
        print(f"  {'':<30}" + "".join(f"{lag:>+8d}" for lag in LAGS))
        for name, by_lag in inputs.items():
            excess = np.nanmax(np.abs(by_lag)) - abs(by_lag[LAGS.index(0)])
            hint = "  strongest off lag 0: are the time stamps shifted?" if excess > NOTABLE else ""
            print(f"  {name:<30}" + "".join(f"{value:>8.2f}" for value in by_lag) + hint)
    if session.experiment.verify:
        print("\nchecksums of all shards agree")


def _refuse_what_training_would(session: Session) -> None:
    from app.training.folds import without_fold
    from app.training.trainable import check_trainable

    experiment, shards = session.experiment, session.shards
    if "train" in shards.splits:
        check_trainable(experiment, without_fold(shards, experiment.training.left_out_fold))
    session.observations(shards)
