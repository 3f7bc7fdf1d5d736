"""One file of predicted fields by several ranks: each writes its part, the first joins them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from app.arrays import Array
from app.data.times import Stamps
from app.distributed import Communicator
from app.errors import Interrupted
from app.inference.writer import GrowingFile, Layout, drop_parts, part_path, written_with


def write_parts(
    layout: Layout,
    path: Path,
    stamps: Stamps,
    share: Array,
    fill: Callable[[GrowingFile], None],
    *,
    communicator: Communicator,
    check: Callable[[], None],
    confirm: Callable[[], None],
) -> None:
    """Fill this rank's part, the rows `share` of all `stamps`, and have the first join the parts.

    `fill` appends what its file does not hold yet. Where it raises Interrupted on one rank, all
    are interrupted; what is written stays, and the next call on as many ranks goes on from there.
    `confirm` raises Damage where what is written was made from damaged files.
    """
    ranks = communicator.ranks
    whole = ranks.size == 1
    part = path if whole else part_path(path, ranks.rank, ranks.size)

    def write() -> None:
        with layout.growing_file(part, stamps.take(share), whole, confirm) as file:
            fill(file)

    # Without a fingerprint nothing says which data a part was made from.
    known = "data_fingerprint" in layout.attributes
    finished = not whole and known and written_with(part, layout.attributes)
    _together(check if finished else write, communicator)
    if ranks.first:
        if not whole:
            parts = [part_path(path, rank, ranks.size) for rank in range(ranks.size)]
            layout.join(parts, path, stamps)
        drop_parts(path)
    communicator.barrier()


def _together(work: Callable[[], None], communicator: Communicator) -> None:
    """Work on every rank; where one is interrupted, all are, and none waits for another."""
    request = None
    try:
        work()
    except Interrupted as raised:
        request = str(raised)
    requests = [r for r in communicator.gather(request) if r is not None]
    if requests:
        raise Interrupted(request or requests[0])
