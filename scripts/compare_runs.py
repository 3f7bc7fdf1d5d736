"""Compare run folders: the scores of some runs less those of others, and RMSE bin by bin.

python scripts/compare_runs.py runs/dense_0 runs/dense_1 --against runs/plain_0 runs/plain_1

Any run's scores of the same samples compare: an ensemble's CRPS with the absolute error of a single
field, which is its CRPS. Bins are compared pair by pair, in the order of the runs.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from app.errors import refusals
from app.metrics.compare_bins import compare, dry_frequency
from app.metrics.paired import SUMS_OF, paired_differences
from app.running.run_folder import RunFolder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, in the order of seeds")
    parser.add_argument("--against", nargs="+", type=Path, required=True, help="the same")
    parser.add_argument("--bins", action="store_true", help="RMSE by bins of the truth as well")
    parser.add_argument("--variable", help="predictand of the bins, where there are several")
    given = parser.parse_args()
    with refusals(parser.prog):
        _print_scores(given.runs, given.against)
        if given.bins:
            _print_bins(given.runs, given.against, given.variable)


def _print_scores(runs: list[Path], others: list[Path]) -> None:
    own_files, other_files = (
        [RunFolder(run).metrics / "samples.nc" for run in group] for group in (runs, others)
    )
    print(f"{'score':16} {'runs':>9} {'against':>9} {'difference':>11}  95 % interval")
    for one in paired_differences(own_files, other_files, tuple(SUMS_OF)):
        own, other = one.means
        within, relative = "none: the period is too short", ""
        if math.isfinite(one.low):
            within = f"{one.low:+.4g} to {one.high:+.4g}"
            relative = f", {one.low / other:+.2%} to {one.high / other:+.2%}"
        print(
            f"{one.score + one.label:16} {own:9.4g} {other:9.4g} {one.value:+11.4g}  "
            f"{within} ({one.value / other:+.2%}{relative}), {one.conclusion}"
        )


def _print_bins(runs: list[Path], others: list[Path], variable: str | None) -> None:
    print(f"\n{'bin':12} {'days':>5} {'rmse':>9} {'against':>9} {'change':>8}  95 % interval")
    for row in compare(runs, others, variable):
        print(
            f"{row.bin:12} {row.days:5d} {row.rmse:9.4g} {row.other:9.4g} {row.change:+8.2%}  "
            f"{row.low:+.2%} to {row.high:+.2%}; lower in {row.lower} of {row.pairs} pairs"
        )
    own, other = (dry_frequency(group, variable) for group in (runs, others))
    print(f"share of dry values {own:.4f}, against {other:.4f}")


if __name__ == "__main__":
    main()
