"""Which variables of other files stand for those that a model was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import xarray as xr
from absl import logging

from app.data.description import Source, Variable
from app.data.reading.files import open_lazily
from app.data.reading.groups import variables_in
from app.data.reading.paths import expand
from app.data.reading.selection import MEMBER_NAMES, PRESSURE_NAMES
from app.errors import InputError

FLAG = "--input_variables"
# Names by which ECMWF, CMIP, E-OBS and others call the same variable.
ALIASES = (
    {"t2m", "2t", "tas", "t2", "tg"},
    {"mx2t", "tasmax", "tx"},
    {"mn2t", "tasmin", "tn"},
    {"d2m", "2d", "tdps"},
    {"tp", "pr", "rr", "precip"},
    {"msl", "psl", "mslp", "prmsl"},
    {"sp", "ps"},
    {"u10", "10u", "uas"},
    {"v10", "10v", "vas"},
    {"si10", "10si", "ws10", "sfcwind"},
    {"ssrd", "rsds"},
    {"sst", "tos"},
    {"t", "ta"},
    {"u", "ua"},
    {"v", "va"},
    {"q", "hus"},
    {"r", "hur"},
)


@dataclass(frozen=True)
class Offered:
    """What a file says of one of its variables."""

    standard_name: str | None
    on_levels: bool
    has_members: bool
    dims: frozenset[str]


def as_called_in(
    sources: Sequence[Source],
    files: tuple[str, ...],
    given: Mapping[str, str],
    flag: str = "--input",
) -> list[Source]:
    """The sources with these files in place of theirs, their variables by the files' names.

    `given`: the file's name for a model's variable, by --input_variables. Without it, in this
    order: the name in the training files, the model's own, either in other letters' case, the
    only variable of the same standard_name, the only one of a well-known other name. InputError
    where none is found, or several.
    """
    _check(given, sources)
    offered = _offered(files, {_given(v, given) for s in sources for v in s.variables})
    where = f"{flag} {', '.join(files)}"
    return [
        _fitting(
            replace(
                source,
                files=files,
                engine=None,
                variables=tuple(
                    replace(v, source_name=_name(v, offered, given, where))
                    for v in source.variables
                ),
            ),
            offered,
            where,
        )
        for source in sources
    ]


def _check(given: Mapping[str, str], sources: Sequence[Source]) -> None:
    known = {name for s in sources for v in s.variables for name in (v.name, v.source_name)}
    for name in given:
        if name not in known:
            raise InputError(
                f"{FLAG}={name}:{given[name]}: the model has no input {name}; expected some of "
                + ", ".join(v.name for s in sources for v in s.variables)
            )


def _given(variable: Variable, given: Mapping[str, str]) -> str:
    return given.get(variable.name, given.get(variable.source_name, variable.source_name))


def _offered(files: tuple[str, ...], wanted: set[str]) -> dict[str, Offered]:
    """Variables of the files by name; read no further than until all that are wanted are there."""
    found: dict[str, Offered] = {}
    for path in expand(files):
        dataset = open_lazily(path, None)
        for name, field in variables_in(dataset, path, wanted).items():
            if name in wanted or name not in dataset.coords:
                found.setdefault(name, _describe(field))
        if wanted <= set(found):
            break
    return found


def _describe(field: xr.DataArray) -> Offered:
    axes = {str(name) for name in (*field.dims, *field.coords)}
    standard_name = field.attrs.get("standard_name")
    return Offered(
        None if standard_name is None else str(standard_name).strip(),
        bool(axes & PRESSURE_NAMES),
        bool(axes & MEMBER_NAMES),
        frozenset(map(str, field.dims)),
    )


def _name(
    variable: Variable, offered: Mapping[str, Offered], given: Mapping[str, str], where: str
) -> str:
    wanted = _given(variable, given)
    if wanted in offered:
        return wanted
    there = ", ".join(offered) or "none"
    if variable.name in given or variable.source_name in given:
        raise InputError(
            f"{FLAG}={variable.name}:{wanted}: {where} has no {wanted}; there are: {there}"
        )
    own = {variable.name, variable.source_name}
    lower = {name.lower() for name in own}
    named = variable.standard_name
    for reason, found in (
        ("the model's name for it", [name for name in offered if name in own]),
        ("the same name", _among(offered, lower)),
        (
            f"of the standard_name {named}",
            [name for name, one in offered.items() if named and one.standard_name == named],
        ),
        (
            "another name for it",
            _among(offered, {name for alias in ALIASES if lower & alias for name in alias}),
        ),
    ):
        suited = [n for n in found if offered[n].on_levels == (variable.level is not None)]
        if len(suited) == 1:
            logging.info("%s: %s is taken for %s, %s", where, suited[0], variable.name, reason)
            return suited[0]
        if len(suited) > 1:
            raise InputError(
                f"{where} has no {wanted}, and {' and '.join(suited)} may stand for it; expected "
                f"{FLAG}={variable.name}:NAME"
            )
    raise InputError(
        f"{where} has no {wanted}"
        + (f" (standard_name {named})" if named else "")
        + f"; there are: {there}; expected {FLAG}={variable.name}:NAME"
    )


def _among(offered: Mapping[str, Offered], lower: set[str]) -> list[str]:
    return [name for name in offered if name.lower() in lower]


def _fitting(source: Source, offered: Mapping[str, Offered], where: str) -> Source:
    """The source without a choice of member or entry where the files leave nothing to choose."""
    fields = [offered[v.source_name] for v in source.variables]
    if source.member is not None and not any(one.has_members for one in fields):
        logging.info("%s: no ensemble; the model was trained on member %s", where, source.member)
        source = replace(source, member=None)
    absent = [dim for dim in source.select if not any(dim in one.dims for one in fields)]
    for dim in absent:
        logging.info(
            "%s: no dimension %s; the model was trained on %s of it", where, dim, source.select[dim]
        )
    kept = {dim: label for dim, label in source.select.items() if dim not in absent}
    chosen = [f"{dim} {label}" for dim, label in kept.items()]
    if source.member is not None:
        chosen.insert(0, f"member {source.member}")
    if chosen:
        logging.info("%s: expected to have %s, as in training", where, ", ".join(chosen))
    return replace(source, select=kept)
