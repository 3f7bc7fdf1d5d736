"""Share of a run's squared error that lies in the outer cells of its domain.

    python scripts/edge_errors.py RUN [RUN …] [--cells 4] [--candidate model]

RUN is a run folder with scores; the candidate is the model or a baseline of its table. A line for
each predictand: share of the squared error (of all samples) in the outer cells, share that these
are of the cells with a truth, and the ratio of both. A ratio of 1 is an error that is the same
everywhere. The share of the cells is 1 where the whole domain is "outer".
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from app.errors import InputError, refusals

SCORES = Path("metrics") / "gridpoint.nc"


def outer(shape: tuple[int, ...], cells: int) -> NDArray[np.bool_]:
    """Which cells (y, x) of a grid are fewer than `cells` away from its edge."""
    found = np.ones(shape, bool)
    found[tuple(slice(cells, max(n - cells, cells)) for n in shape)] = False
    return found


def shares(squared: NDArray[np.float64], cells: int) -> tuple[float, float]:
    """Shares of the squared error (y, x) and of the cells that lie outside; NaN does not count.

    Raises InputError where there is no error at all.
    """
    valid, edge = np.isfinite(squared), outer(squared.shape, cells)
    total = squared[valid].sum()
    if not total > 0:
        raise InputError(f"expected errors above 0 in some of {squared.size} cells, received none")
    return float(squared[valid & edge].sum() / total), float(edge[valid].mean())


def lines(run: Path, cells: int, candidate: str) -> list[str]:
    """What is printed of a run, a line for each predictand. Raises InputError without scores."""
    path = run / SCORES
    if not path.is_file():
        raise InputError(f"{run}: no {SCORES}: expected a run folder with scores")
    found = []
    with xr.open_dataset(path) as scores:
        known = [str(name) for name in scores["candidate"].values]
        if candidate not in known:
            raise InputError(f"{path}: no candidate {candidate!r}; expected one of {known}")
        for name, field in scores.data_vars.items():
            score, _, variable = str(name).partition("_")
            if score != "rmse":
                continue
            squared = np.square(field.sel(candidate=candidate).values)
            error, share = shares(squared, cells)
            label = f"{run} {variable}".rstrip()
            found.append(
                f"{label}: {error:.3f} of the squared error of {candidate} in {share:.3f} of the "
                f"cells, ratio {error / share:.2f}"
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder with scores")
    parser.add_argument("--cells", type=int, default=4, help="how many cells from the edge")
    parser.add_argument("--candidate", default="model", help="model, or a baseline of the table")
    given = parser.parse_args()
    with refusals(parser.prog):
        for run in given.runs:
            print(*lines(run, given.cells, given.candidate), sep="\n")


if __name__ == "__main__":
    main()
