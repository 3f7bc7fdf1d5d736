"""How a model's inputs were read from files, so that other files can be read alike."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace

from app.arrays import Json
from app.data.description import Source, Variable


def as_read(sources: Iterable[Source], variables: Iterable[Variable], *facts: str) -> list[Json]:
    """The sources, their variables with `facts` (names of fields) as the shards have them."""
    known = {variable.name: variable for variable in variables}

    def found(source: Source) -> Source:
        lagged = f"_lag{source.lags[0]}" if 0 not in source.lags else ""
        pairs = [(v, known[v.name + lagged]) for v in source.variables]
        with_facts = (replace(v, **{f: getattr(one, f) for f in facts}) for v, one in pairs)
        return replace(source, variables=tuple(with_facts))

    return [asdict(found(source)) for source in sources]
