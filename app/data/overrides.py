"""What flags say of the predictand, in place of what a data description says."""

from __future__ import annotations

from dataclasses import fields, replace

from app.arrays import Json
from app.data.description import DataDescription, Source, Variable
from app.errors import InputError

FOR_ALL = frozenset({"transform", "transform_scale"})  # said of several variables at once
OF_VARIABLES = frozenset(field.name for field in fields(Variable))
OF_SOURCES = frozenset(field.name for field in fields(Source))


def overridden(description: DataDescription, given: Json) -> DataDescription:
    """The description with some fields replaced; a value of None leaves a field as it is.

    Fields of a variable change in the predictand and in the low-resolution variable of the same
    name; fields of a source in the predictand's; `region` and `splits` in the description.
    Raises InputError where a value cannot be meant for all variables of the predictand.
    """
    changes = {key: value for key, value in given.items() if value is not None}
    if not changes:
        return description
    predictand = description.predictand
    if predictand is None:
        raise InputError(
            f"--{min(changes)} with --data_module: arrays say themselves what they are; leave it "
            "out"
        )
    of_variables = {key: value for key, value in changes.items() if key in OF_VARIABLES}
    _refuse_several(predictand, of_variables)
    of_sources = {key: value for key, value in changes.items() if key in OF_SOURCES}
    low = description.low_resolution
    names = {variable.name for variable in predictand.variables}
    return replace(
        description,
        predictand=replace(_changed(predictand, names, of_variables), **of_sources),
        low_resolution=_changed(low, names, of_variables) if low else None,
        **{key: value for key, value in changes.items() if key not in OF_VARIABLES | OF_SOURCES},
    )


def _refuse_several(predictand: Source, changes: Json) -> None:
    single = sorted(set(changes) - FOR_ALL)
    names = [variable.name for variable in predictand.variables]
    if single and len(names) > 1:
        raise InputError(
            f"--{single[0]} with several variables ({', '.join(names)}): expected one, or a "
            "--data_config that says it of each"
        )


def _changed(source: Source, names: set[str], changes: Json) -> Source:
    variables = tuple(replace(v, **changes) if v.name in names else v for v in source.variables)
    return replace(source, variables=variables)
