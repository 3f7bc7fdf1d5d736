"""Values with any characters in them come back as they were, or are refused in one line."""

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app import options
from app.errors import InputError
from app.sweep import slurm
from app.sweep.members import SweepRun
from app.sweep.spec import read_spec

TEXT_FLAGS = sorted(name for name, flag in options.FLAGS_BY_NAME.items() if flag.kind == "text")
SEPARATORS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"  # where str.splitlines ends a line
HOSTILE = [
    *(f"a{one}--overwrite=true" for one in SEPARATORS),
    *("$(touch x)", "`touch x`", "; touch x", "a'b", 'a"b', "a\\", "#x", " x ", "-rf", "--", "*"),
    *("!x", "%A", "${HOME}", "a\tb", "\ufeffx", "é", "&", "|", ">x", "~", "\x1b[31m", '"""', "''"),
]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=30)
NAMES = st.sampled_from([text for text in HOSTILE if "/" not in text]) | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1, max_size=20
).filter(lambda name: name not in (".", ".."))
PRINTER = '#!/bin/sh\nprintf "%s\\0" "$@" >"$ARGV"\n'


def in_one_line(refusal: InputError) -> bool:
    return len(" ".join(str(refusal).split())) > 0 and "\n" not in str(refusal)


@pytest.mark.parametrize("flag", ["save_path", "data", "units", "splits"])
@given(text=TEXTS)
@settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_flags_come_back_from_a_flagfile(flag: str, text: str) -> None:
    assert flag in TEXT_FLAGS
    try:
        _, values = options.parse([f"--{flag}={text}"])
    except InputError as refusal:
        if not in_one_line(refusal):
            raise
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "experiment.cfg"
        path.write_text(options.as_flagfile(values), encoding="utf-8")
        assert options.parse([f"--flagfile={path}"]) == ((), values)


def test_separators_of_lines_hide_no_further_flag(tmp_path: Path) -> None:
    for separator in SEPARATORS:
        path = tmp_path / "experiment.cfg"
        try:
            _, values = options.parse([f"--units=K{separator}--overwrite=true"])
        except InputError:
            continue
        path.write_text(options.as_flagfile(values), encoding="utf-8")
        assert options.parse([f"--flagfile={path}"])[1]["overwrite"] is False


@given(names=st.tuples(NAMES, NAMES, NAMES))
@example(names=("-x", "$(touch x)", "%A"))
@settings(max_examples=60, deadline=None, derandomize=True, database=None)
def test_the_script_of_an_array_gives_bash_the_same_folders(names: tuple[str, str, str]) -> None:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as base:
        here = Path(base) / names[0]
        folder = Path(names[1]) / f"000-{names[2]}"
        (here / folder).mkdir(parents=True)
        (Path(base) / "bin").mkdir()
        for name in ("srun", "sbatch"):
            (Path(base) / "bin" / name).write_text(PRINTER)
            (Path(base) / "bin" / name).chmod(0o755)
        (here / folder / "member.cfg").touch()
        os.chdir(here)
        try:
            member = SweepRun(0, folder, {})
            script = slurm.array_script([member], [member], ("train",), jobs=1)
            environment = {"PATH": f"{base}/bin:{os.environ['PATH']}", "ARGV": f"{base}/argv",
                           "SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "1"}  # fmt: skip
            done = subprocess.run(
                ["bash", "-c", script], env=environment, capture_output=True, cwd="/"
            )
        except InputError as refusal:
            if not in_one_line(refusal):
                raise
            return
        finally:
            os.chdir(before)
        assert done.returncode == 0, done.stderr
        assert done.stderr == b""
        argv = (Path(base) / "argv").read_bytes().decode("utf-8", "surrogateescape").split("\0")
        assert argv[-2] == f"--flagfile={folder}/member.cfg"
        assert (here / folder / "finished.cfg").is_file()
        assert sorted(p.name for p in here.iterdir()) == [names[1]]


def test_nothing_of_a_sweep_reaches_a_shell(tmp_path: Path) -> None:
    spec = read_spec("units=$(touch x),`touch x`,a&touch x")
    assert [changes["units"] for changes in spec.choices] == [
        "$(touch x)",
        "`touch x`",
        "a&touch x",
    ]
    path = tmp_path / "sweep.yml"
    for tag in ("!!python/object/apply:os.system ['touch x']", "!x y", "!!set {a}"):
        path.write_text(f"units: [{tag}]\n")
        with pytest.raises(InputError):
            read_spec(str(path))
