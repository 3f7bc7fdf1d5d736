"""The scripts that complete the command line, run by the shells themselves where they are there."""

import shutil
import subprocess
from pathlib import Path

import pytest

from app.main import main
from app.options import FLAGS_BY_NAME
from app.starting.completion import SHELLS

# What bash holds of a line: its words, with = as a word of its own.
CASES = [
    (["finescale", "me"], {"metrics"}),
    (["finescale", "train", "--save_b"], {"--save_bestmodel"}),
    (["finescale", "train", "--nosave_b"], {"--nosave_bestmodel"}),
    (["finescale", "train", "--backb"], {"--backbone="}),
    (["finescale", "--backbone", "="], {*FLAGS_BY_NAME["backbone"].choices}),
    (["finescale", "--backbone", "=", "conv"], {"convnet", "convnext", "conv_baseline"}),
    (["finescale", "--backbone", "uns"], set()),
    (["finescale", "--backbone", "un"], {"unet"}),
    (["finescale", "--attention", "=", "t"], {"true"}),
    (["finescale", "--data", "=", "tr"], set()),
]


@pytest.mark.parametrize(
    ("words", "expected"),
    CASES,
    ids=lambda value: " ".join(sorted(value)) if isinstance(value, set) else " ".join(value),
)
def test_bash_completes(words: list[str], expected: set[str]) -> None:
    script = SHELLS["bash"]() + (
        'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))\n'
        'compopt() { :; }\n_finescale\nprintf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(["bash", "-c", script, "-", *words], capture_output=True, text=True)
    assert done.stderr == ""
    assert set(done.stdout.split()) == expected


@pytest.mark.parametrize("shell", SHELLS)
def test_shells_read_their_script(shell: str, tmp_path: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell}")
    path = tmp_path / "script"
    path.write_text(SHELLS[shell]())
    assert subprocess.run([program, "-n", path]).returncode == 0


@pytest.mark.parametrize("shell", SHELLS)
def test_every_flag_is_completed(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for name in FLAGS_BY_NAME:
        assert f"-l {name} " in text if shell == "fish" else f"--{name}" in text


def test_other_shells_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bsh"]) == 2
    assert "did you mean 'bash'?" in capsys.readouterr().err
    assert main(["completion"]) == 2
