"""Lists of values on the command line and in YAML, expanded by hand."""

import os
from pathlib import Path

import pytest

from app.errors import InputError
from app.sweep.spec import canonical, read_spec


def yaml(folder: Path, text: str) -> str:
    path = folder / "grid.yml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_command_line_lists_are_multiplied_the_last_varying_fastest() -> None:
    spec = read_spec("learning_rate=1e-3,3e-4;backbone=resnet,convnet")
    assert spec.choices == (
        {"learning_rate": "1e-3", "backbone": "resnet"},
        {"learning_rate": "1e-3", "backbone": "convnet"},
        {"learning_rate": "3e-4", "backbone": "resnet"},
        {"learning_rate": "3e-4", "backbone": "convnet"},
    )


def test_brackets_hold_the_commas_of_one_value(tmp_path: Path) -> None:
    spec = read_spec("learning_rate=[1e-3,1e-4],3e-4")
    assert [changes["learning_rate"] for changes in spec.choices] == ["[1e-3,1e-4]", "3e-4"]
    assert canonical(spec.choices[0]) == {"learning_rate": "0.001,0.0001"}
    spec = read_spec(yaml(tmp_path, "learning_rate: [[0.001, 0.0001], 3e-4]"))
    assert [canonical(changes)["learning_rate"] for changes in spec.choices] == [
        "0.001,0.0001",
        "0.0003",
    ]


def test_yaml_with_flagfiles_seeds_and_included_members(tmp_path: Path) -> None:
    text = """
flagfiles: [a.cfg, sub/b.cfg]
attention: [true, false]
include: [{flagfile: a.cfg, n_blocks: 2}]
seeds: 2
exclude: {flagfile: a.cfg, attention: true}
compare: [[{flagfile: a.cfg}, {flagfile: sub/b.cfg}]]
"""
    spec = read_spec(yaml(tmp_path, text))
    a, b = (os.path.relpath(tmp_path / name) for name in ("a.cfg", "sub/b.cfg"))
    grid = [(a, "true"), (a, "false"), (b, "true"), (b, "false")]
    assert spec.choices == (
        *(
            {"flagfile": file, "attention": on, "seed": seed}
            for file, on in grid
            for seed in ("0", "1")
        ),
        {"flagfile": a, "n_blocks": "2", "seed": "0"},
        {"flagfile": a, "n_blocks": "2", "seed": "1"},
    )
    assert spec.exclude == ({"flagfile": a, "attention": "true"},)
    assert spec.compare == (({"flagfile": a}, {"flagfile": b}),)


def test_seeds_may_be_listed_and_stand_alone(tmp_path: Path) -> None:
    assert read_spec(yaml(tmp_path, "seeds: [7, 11]")).choices == ({"seed": "7"}, {"seed": "11"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("learning_rat=1e-3", "unknown flag 'learning_rat' (did you mean 'learning_rate'?)"),
        ("backbone=resnet,resnt", "--backbone=resnt: expected one of convnet, resnet"),
        ("save_path=a,b", "--save_path belongs to the whole sweep"),
        ("jobs=1,2", "--jobs belongs to the whole sweep"),
        ("epochs", "expected FLAG=VALUE,VALUE"),
        ("epochs=1,2;epochs=3", "epochs is named twice"),
        (";", "expected FLAG=VALUE,VALUE"),
        ("nowhere.yml", "--sweep=nowhere.yml: no such file"),
    ],
)
def test_refusals_of_the_command_line(text: str, expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_spec(text)
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs: 3", "epochs: expected a list of values, received 3"),
        ("epohcs: [3]", "did you mean 'epochs'"),
        ("epochs: [many]", "--epochs=many: expected a whole number"),
        ("- epochs", "expected flags with lists of values"),
        ("exclude: [{epochs: 3}]", "no flag, flagfile or seed to sweep"),
        ("{epochs: [1], exclude: [3]}", "exclude: expected FLAG: VALUE, received 3"),
        ("{epochs: [1], compare: [{epochs: 1}]}", "compare: expected pairs"),
        ("{seed: [1], seeds: 2}", "seed is named beside seeds"),
        ("seeds: 0", "seed: expected a list of values, received 0"),
    ],
)
def test_refusals_of_a_yaml(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        read_spec(yaml(tmp_path, text))
    assert expected in str(refusal.value)
    assert "grid.yml" in str(refusal.value)
