"""Compare run folders bin by bin: RMSE of some runs against that of others, paired by order.

python scripts/compare_bins.py runs/dense_0 runs/dense_1 --against runs/plain_0 runs/plain_1
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from app.errors import InputError
from app.metrics.compare import compare, dry_frequency


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path, help="run folders, in the order of seeds")
    parser.add_argument("--against", nargs="+", type=Path, required=True, help="the same")
    parser.add_argument("--variable", help="predictand, where there are several")
    given = parser.parse_args()
    try:
        found = compare(given.runs, given.against, given.variable)
    except InputError as error:
        print(f"compare_bins: {error}", file=sys.stderr)
        return 2
    print(f"{'bin':12} {'days':>5} {'rmse':>9} {'against':>9} {'change':>8}  95 % interval")
    for row in found:
        print(
            f"{row.bin:12} {row.days:5d} {row.rmse:9.4g} {row.other:9.4g} {row.change:+8.2%}  "
            f"{row.low:+.2%} to {row.high:+.2%}; lower in {row.lower} of {row.pairs} pairs"
        )
    own, other = (dry_frequency(runs, given.variable) for runs in (given.runs, given.against))
    print(f"share of dry values {own:.4f}, against {other:.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
