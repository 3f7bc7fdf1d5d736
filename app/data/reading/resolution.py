"""What a variable's files say of it: its unit, and what its values stand for in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from absl import logging

from app.data.amounts import BOUNDS, POINT, SUM, TimeMeaning, aggregation_hint, time_meaning
from app.data.cf_attributes import told_by
from app.data.description import Variable
from app.data.reading.decoding import declares_range, other_packing
from app.data.reading.parts import Part
from app.data.units import Conversion, conversion, normalise_unit

DIMENSIONLESS = "1"


def log_meanings(
    variables: Sequence[Variable], meanings: Sequence[TimeMeaning], aggregate: str | None
) -> None:
    """Which variables were taken as amounts, and why; doubts about what becomes of them."""
    for variable, meaning in zip(variables, meanings, strict=True):
        if meaning.method == SUM or meaning.contradicted:
            logging.info("%s", meaning.describe(variable.name))
        hint = aggregation_hint(meaning, variable.name, aggregate)
        if hint is not None:
            logging.warning("%s", hint)


def resolved(variable: Variable, parts: list[Part]) -> tuple[Variable, TimeMeaning]:
    """The variable with its unit and time method filled in, and what that was told from."""
    own = next((part.units for part in parts if part.units is not None), None)
    if own is None:
        own = variable.units or DIMENSIONLESS
    elif any(part.units is None for part in parts):
        lacking = [part.path for part in parts if part.units is None]
        logging.warning(
            "%s: %s has no units in %d of %d files; those of the others are taken, %s",
            lacking[0],
            variable.source_name,
            len(lacking),
            len(parts),
            own,
        )
    spellings = {normalise_unit(part.units) for part in parts if part.units is not None}
    if len(spellings) > 1:
        logging.warning(
            "%s: %s has different units over the files (%s); each file is converted from its own",
            parts[0].path,
            variable.source_name,
            ", ".join(sorted(spellings)),
        )
    packing = other_packing(parts[0].field.attrs)
    if packing and parts[0].field.dtype.kind in "iu":
        logging.warning(
            "%s: %s: %s are not applied; if they tell how the numbers are packed, expected the "
            "attributes scale_factor and add_offset",
            parts[0].path,
            variable.source_name,
            packing,
        )
    bounds = declares_range(parts[0].field.attrs)
    if bounds:
        logging.info(
            "%s: %s: values outside the file's %s count as missing",
            parts[0].path,
            variable.source_name,
            bounds,
        )
    attributes = parts[0].field.attrs
    meaning = _meaning(variable, own, parts)
    method = SUM if meaning.method == SUM else POINT
    named = variable.standard_name or attributes.get("standard_name")
    found = replace(
        variable,
        units=variable.units or own,
        time_method=method,
        standard_name=None if named is None else str(named).strip(),
        long_name=told_by(attributes, "long_name"),
        cell_methods=told_by(attributes, "cell_methods"),
    )
    return found, meaning


def change_of(part: Part, variable: Variable, parts: list[Part]) -> Conversion:
    """From a file's unit to the wanted one."""
    others = next((one.units for one in parts if one.units is not None), None)
    own = part.units or others or variable.units or DIMENSIONLESS
    return conversion(own, variable.units or own, f"{part.path}: {variable.source_name}")


def _meaning(variable: Variable, units: str, parts: list[Part]) -> TimeMeaning:
    """What the values stand for, by the first file; a warning where another says otherwise."""
    names = list(dict.fromkeys((variable.source_name, variable.name)))
    each = [
        time_meaning(names, part.units or units, part.field.attrs, variable.time_method)
        for part in parts
    ]
    meaning, place = each[0], parts[0].stamped
    for part, other in zip(parts, each, strict=True):
        if SUM in (meaning.method, other.method) and other.method != meaning.method:
            logging.warning(
                "%s, but %s in %s; expected files of one kind, or time_method",
                meaning.describe(f"{variable.source_name} in {parts[0].path}"),
                other.describe("").removeprefix(": "),
                part.path,
            )
            break
    if meaning.method != POINT and place is not None:
        return replace(meaning, stamped=place, reason=f"{meaning.reason}, {BOUNDS}")
    return meaning
