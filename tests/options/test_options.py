"""Each option is written once: a field of a dataclass, from which all else comes."""

import ast
from collections import Counter
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

import app.options
from app.errors import InputError
from app.options.bounds import Bounds
from app.options.option import Options, option, options_of
from app.options.readers import listed, whole_numbers
from app.options.rules import Rule
from app.options.table import FLAGS_BY_NAME, GROUPS

ROOM = Path(app.options.__file__).parent


def subclasses(kind: type) -> list[type]:
    return [one for child in kind.__subclasses__() for one in (child, *subclasses(child))]


def test_each_flag_is_a_field_of_one_dataclass_and_of_one_section() -> None:
    written = Counter(
        statement.target.id
        for file in sorted(ROOM.glob("*.py"))
        for kind in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(kind, ast.ClassDef)
        for statement in kind.body
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.value, ast.Call)
        if isinstance(statement.target, ast.Name)
        if isinstance(statement.value.func, ast.Name)
        if statement.value.func.id in ("option", "registered")
    )
    assert set(written) == set(FLAGS_BY_NAME)
    assert set(written.values()) == {1}
    assert sum(len(options_of(kind)) for kinds in GROUPS.values() for kind in kinds) == len(written)


def test_no_other_field_of_the_options_has_the_name_of_a_flag_and_a_default() -> None:
    for kind in subclasses(Options):
        for one in fields(kind):
            plain = not one.metadata and (one.default, one.default_factory) != (MISSING, MISSING)
            assert not (plain and one.name in FLAGS_BY_NAME), (kind, one.name)


def test_defaults_of_the_dataclasses_are_those_of_the_command_line() -> None:
    _, values = app.options.parse([])
    for kinds in GROUPS.values():
        for kind in kinds:
            assert kind() == kind.of(values)


def test_fields_have_the_form_that_their_reader_gives() -> None:
    read = app.options.DiffusionConfig
    _, values = app.options.parse(["--channel_multipliers=1,3", "--attention_levels=F,T"])
    assert values["channel_multipliers"] == "1,3"
    assert read.of(values).channel_multipliers == (1, 3)
    assert read.of(values).attention_levels == (False, True)
    assert read().channel_multipliers == (1, 2, 2, 4)


def test_rules_say_the_values_of_options_in_the_form_of_flags() -> None:
    rule: Rule[app.options.TrainingConfig] = Rule(
        lambda t: t.epochs > 5, "--epochs={epochs} with {quantiles} and {time_window}"
    )

    class Subject:
        epochs = 6

        def text(self, name: str) -> str:
            return name.upper()

    from app.options.rules import refuse

    with pytest.raises(InputError, match="--epochs=EPOCHS with QUANTILES and TIME_WINDOW"):
        refuse([rule], Subject())
    refuse([Rule(lambda t: t.epochs > 6, "never")], Subject())


def test_whole_numbers_keep_to_their_bounds() -> None:
    read = whole_numbers(1, 9)
    assert read("1,9", "n") == (1, 9)
    with pytest.raises(InputError, match="--n=0,10: expected whole numbers from 1 to 9"):
        read("0, 10", "n")
    with pytest.raises(InputError, match="--n=a: expected whole numbers with commas between"):
        read("a", "n")


def test_a_group_of_ones_own_reads_its_flags() -> None:
    from dataclasses import dataclass

    @dataclass(frozen=True)
    class Mine(Options):
        width: "int" = option(3, "Width.", bounds=Bounds(1, 9), unit="cells")
        names: "tuple[str, ...]" = option(None, "Names.", read=listed)

    width, names = options_of(Mine)
    assert (width.kind, width.default, width.unit, names.kind) == ("int", 3, "cells", "text")
    assert Mine.of({"width": 4, "names": "a, b"}) == Mine(4, ("a", "b"))
