"""Members: their flags, folders that stay, and what is refused before anything runs."""

import shutil
from pathlib import Path

import pytest
from sweep_helpers import DATA, planned, sweep_of

from app import options
from app.errors import InputError
from app.sweep.members import read_members

SAFE = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=+-")


def names(folder: Path, text: str, *argv: str) -> list[str]:
    return [one.member.folder.name for one in planned(folder, text, *argv)]


def test_folders_are_numbered_and_safe(tmp_path: Path) -> None:
    found = names(tmp_path, "learning_rate=[1e-3,1e-4],3e-4;backbone=resnet")
    assert found == ["000-learning_rate=_1e-3_1e-4_+backbone=resnet",
                     "001-learning_rate=3e-4+backbone=resnet"]  # fmt: skip
    assert set("".join(found)) <= SAFE


def test_an_extended_sweep_keeps_the_folders_it_had(tmp_path: Path) -> None:
    before = names(tmp_path, "epochs=3,5;batch_size=8")
    after = names(tmp_path, "batch_size=16,8;epochs=5,7,3")
    assert before == ["000-epochs=3+batch_size=8", "001-epochs=5+batch_size=8"]
    assert after == [
        "002-batch_size=16+epochs=5", "003-batch_size=16+epochs=7", "004-batch_size=16+epochs=3",
        "001-epochs=5+batch_size=8", "005-batch_size=8+epochs=7", "000-epochs=3+batch_size=8",
    ]  # fmt: skip
    assert [member.number for member in read_members(tmp_path)] == list(range(6))


def test_the_same_value_written_otherwise_is_the_same_member(tmp_path: Path) -> None:
    before = names(tmp_path, "learning_rate=1e-3")
    assert names(tmp_path, "learning_rate=0.001") == before


def test_flags_come_from_flagfiles_command_line_and_sweep_in_that_order(tmp_path: Path) -> None:
    base, own = tmp_path / "base.cfg", tmp_path / "own.cfg"
    base.write_text("--epochs=3\n--n_blocks=3\n--batch_size=3\n--n_filters=3\n", encoding="utf-8")
    own.write_text("--n_blocks=4\n--batch_size=4\n--n_filters=4\n", encoding="utf-8")
    text = f"flagfile={own};n_filters=6"
    (one,) = planned(tmp_path / "s", text, f"--flagfile={base}", "--batch_size=5")
    wanted = ("epochs", "n_blocks", "batch_size", "n_filters")
    assert [one.values[name] for name in wanted] == [3, 4, 5, 6]
    _, written = options.parse([f"--flagfile={one.member.flagfile}"])
    assert [written[name] for name in wanted] == [3, 4, 5, 6]
    assert written["save_path"] == str(one.member.folder)
    assert written["sweep"] is None


def test_heads_are_wide_as_in_the_original_where_that_is_meant(tmp_path: Path) -> None:
    members = planned(tmp_path, "recipe=dl4ds,auto")
    assert [one.values["wide_head"] for one in members] == [True, False]


def test_excluded_members_match_swept_and_other_flags(tmp_path: Path) -> None:
    grid = tmp_path / "grid.yml"
    grid.write_text(
        "backbone: [resnet, unet]\nupsampling: [spc, pin]\n"
        "exclude: [{backbone: unet, upsampling: spc}, {n_blocks: 6, upsampling: pin, "
        "backbone: resnet}]\n",
        encoding="utf-8",
    )
    found = names(tmp_path / "s", str(grid))
    assert found == ["000-backbone=resnet+upsampling=spc", "001-backbone=unet+upsampling=pin"]


def test_impossible_members_are_named_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="2 of 6 members of the sweep are impossible"):
        planned(tmp_path / "s", "backbone=unet,resnet;upsampling=spc,pin,rc")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    for line, upsampling in zip(lines, ("spc", "rc"), strict=True):
        assert f"member backbone=unet, upsampling={upsampling}: " in line
        assert "unet works on the fine grid and needs --upsampling=pin" in line
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(
    ("text", "argv", "expected"),
    [
        ("epochs=3,4", ["--epochs=5"], "--epochs is swept and given on the command line too"),
        ("train=true", [], "--train belongs to the whole sweep"),
        ("learning_rate=1e-3,0.001", [], "have the same flags"),
    ],
)
def test_refusals(tmp_path: Path, text: str, argv: list[str], expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        planned(tmp_path, text, *argv)
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], "expected --sweep="),
        (["--collect", "--sweep=epochs=3"], "expected --sweep="),
        (["--sweep=epochs=3", "--jobs=0"], "--jobs=0: expected 1 <= jobs <= 4096"),
        (["--sweep=epochs=3", "--sweep_stages=trian"], "did you mean 'train'"),
        (["--sweep=epochs=3", "--sbatch_options=-p x"], "--sbatch_options without --submit"),
        (["train", "--sweep=epochs=3"], "expected sweep alone"),
    ],
)
def test_refused_command_lines(argv: list[str], expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        sweep_of(*DATA, *argv)
    assert expected in str(refusal.value)


def test_states_follow_what_lies_in_the_folder(tmp_path: Path) -> None:
    (one,) = planned(tmp_path, "epochs=3")
    member = one.member
    assert member.state() == "waiting"
    member.log.write_text("epoch 1\n\n", encoding="utf-8")
    assert (member.state(), member.last_line()) == ("unfinished", "epoch 1")
    member.exit_code.write_text("1\n", encoding="utf-8")
    assert member.state() == "failed"
    shutil.copyfile(member.flagfile, member.finished_flagfile)
    assert member.state() == "finished"
    planned(tmp_path, "epochs=3", "--n_blocks=2")
    assert member.state() == "waiting"  # it finished with other flags


def test_a_folder_made_with_other_flags_is_refused_and_overwritten(tmp_path: Path) -> None:
    (one,) = planned(tmp_path, "epochs=3")
    shutil.copyfile(one.member.flagfile, one.member.folder / "experiment.cfg")
    shutil.copyfile(one.member.flagfile, one.member.finished_flagfile)
    (one.member.folder / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match="made with other flags \\(n_blocks: 6 → 2\\)"):
        planned(tmp_path, "epochs=3", "--n_blocks=2")
    planned(tmp_path, "epochs=3", "--n_blocks=2", "--overwrite")
    assert one.member.state() == "waiting"
    assert "--overwrite=false" in one.member.flagfile.read_text(encoding="utf-8")
    assert not (one.member.folder / "experiment.cfg").exists()
    assert (one.member.folder / "notes.txt").read_text(encoding="utf-8") == "mine"
