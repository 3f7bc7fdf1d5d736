"""Whatever fails, and wherever, ends in one line, an exit code and a state of the run folder."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.main import main
from app.running import failure
from app.running.locks import hold
from app.stages import prepare
from tests.system.conftest import environment

DATA = ["--data=synthetic", "--variable=t2m", "--noverbose", "--save_path=run"]


def deep(level: int = 0) -> int:
    return deep(level + 1)


def out_of_memory(_: object) -> None:
    np.empty(2**55)


def of_many_lines(_: object) -> None:
    raise RuntimeError("first line,\n\n   second   line\n" + "word " * 200)


def lost_key(_: object) -> None:
    {}["t2n"]


def leaving(_: object) -> None:
    sys.exit("a library that ends the program")


FAILURES: dict[str, tuple[Callable[[object], object], str]] = {
    "memory": (out_of_memory, "out of memory (Unable to allocate 256. PiB for an array"),
    "recursion": (lambda _: deep(), "RecursionError: maximum recursion depth exceeded"),
    "several lines": (of_many_lines, "RuntimeError: first line, second line word word"),
    "key": (lost_key, "KeyError: 't2n'"),
    "system exit": (leaving, "SystemExit: a library that ends the program"),
    "system": (lambda _: Path("nowhere").stat(), "[Errno 2] No such file or directory: 'nowhere'"),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FAILURES)
def test_a_stage_that_fails_ends_in_one_line_and_the_state_failed(
    name: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    fails, expected = FAILURES[name]
    monkeypatch.setattr(prepare, "run", fails)
    assert main(["prepare", *DATA]) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"finescale: stage prepare: {expected}")
    assert len(line) < 450
    status = json.loads((folder / "run" / "status.json").read_text())
    assert status["state"] == "failed"
    assert line == f"finescale: {status['error']}"
    assert sorted(path.name for path in (folder / "run").iterdir()) == ["status.json"]  # no lock


def test_line_says_where_it_happened_and_how_to_see_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("app.session.Session.shards", property(lost_key))
    assert main(["prepare", *DATA]) == 1
    line = capfd.readouterr().err
    assert "(app/stages/prepare.py:" in line
    assert "--debug_traceback" in line
    assert main(["prepare", *DATA, "--debug_traceback"]) == 1
    shown = capfd.readouterr().err
    assert "Traceback" in shown
    assert shown.splitlines()[-1].startswith("finescale: stage prepare: KeyError: 't2n'")


def test_batch_is_named_where_training_needs_too_much_memory() -> None:
    from app.options import SamplingConfig

    class ResourceExhaustedError(Exception):
        """By name, as TensorFlow's."""

    with (
        pytest.raises(failure.RunError) as caught,
        failure.within("train", SamplingConfig(batch_size=512)),
    ):
        raise ResourceExhaustedError(
            "{{function_node __wrapped__Mul}} OOM when allocating tensor\nwith shape[512,9,9]"
        )
    assert str(caught.value).startswith(
        "stage train: out of memory (OOM when allocating tensor with shape[512,9,9]); "
        "--batch_size=512 and the network need more than there is"
    )


def test_what_nobody_foresaw_in_the_flags_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for argv in (["--save_path=a\0b"], ["--flagfile=a\0b"], ["--data_config=a\0b"]):
        assert main(["prepare", *DATA, *argv]) == 2
        assert len(capfd.readouterr().err.splitlines()) == 1
    monkeypatch.setattr("app.options.parse", lost_key)
    assert main(["prepare"]) == 2
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("finescale: flags: KeyError: 't2n'")


def test_locks_are_given_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        hold(folder / "some.lock", {"pid": os.getpid()})
        raise ValueError

    monkeypatch.setattr(prepare, "run", fail)
    assert main(["prepare", *DATA]) == 1
    assert not (folder / "some.lock").exists()


def test_a_thread_that_fails_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    before = threading.excepthook, sys.unraisablehook
    try:
        failure.hear_threads()
        thread = threading.Thread(target=of_many_lines, args=(None,), name="reader")
        thread.start()
        thread.join()
    finally:
        threading.excepthook, sys.unraisablehook = before
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("finescale: thread reader: RuntimeError: first line, second line")


@pytest.mark.parametrize("content", ["[]", "{}", '{"state": "running", "host": 1}', "7", "\0"])
def test_a_damaged_status_is_said_to_be_one(
    content: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("good", "bad"):
        Path(name).mkdir()
    Path("good/status.json").write_text('{"state": "finished", "stage": "test", "host": "h"}')
    Path("bad/status.json").write_text(content)
    assert main(["status", "good", "bad"]) == 0
    good, bad = capsys.readouterr().out.splitlines()
    assert "test finished" in good
    assert bad.startswith("bad ")


def program(*argv: str) -> list[str]:
    return [sys.executable, "-m", "app", *argv]


def piped(argv: list[str], folder: Path, closed: tuple[str, ...]) -> tuple[int, str]:
    """Exit code and what is still readable, where nobody reads the closed streams."""
    reader, writer = os.pipe()
    os.close(reader)
    streams = {name: writer if name in closed else subprocess.PIPE for name in ("stdout", "stderr")}
    done = subprocess.run(argv, cwd=folder, env=environment(), text=True, timeout=120, **streams)
    os.close(writer)
    return done.returncode, (done.stdout or "") + (done.stderr or "")


@pytest.mark.parametrize("argv", [["--help"], ["list"], ["status", "."]])
def test_printing_ends_quietly_where_nobody_reads(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"state": "finished", "stage": "test", "host": "h"}')
    assert piped(program(*argv), tmp_path, ("stdout",)) == (141, "")
    assert piped(program(*argv), tmp_path, ("stdout", "stderr")) == (141, "")


def test_a_full_disk_is_an_error_of_what_is_but_printed(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(program("list"), stdout=full, stderr=-1, text=True, env=environment())
    assert done.returncode == 1
    assert done.stderr == "finescale: standard output: No space left on device\n"


CHATTY = """
import sys
from app.console import console
from app.stages import prepare
from absl import logging

def run(session):
    for i in range(2000):
        print("to standard output", i)
        logging.info("to the log %d", i)
    open("done.txt", "w").close()

prepare.run = run
sys.argv = ["finescale", "prepare", "--data=synthetic", "--variable=t2m", "--save_path=run"]
console()
"""


@pytest.mark.parametrize("shut", [("stdout",), ("stdout", "stderr")])
def test_a_run_goes_on_where_its_log_is_gone(shut: tuple[str, ...], tmp_path: Path) -> None:
    code, text = piped([sys.executable, "-c", CHATTY], tmp_path, shut)
    assert code == 0
    assert "Traceback" not in text
    assert "BrokenPipe" not in text
    assert (tmp_path / "done.txt").exists()
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "finished"


def test_a_run_goes_on_where_it_was_started_without_streams(tmp_path: Path) -> None:
    command = f"exec {sys.executable} -c '{CHATTY}' >&- 2>&- <&-"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=environment(), timeout=120)
    assert done.returncode == 0
    assert json.loads((tmp_path / "run" / "status.json").read_text())["state"] == "finished"


def test_an_installation_that_is_not_whole_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "absl").mkdir()
    (tmp_path / "absl" / "__init__.py").write_text("raise ImportError('No module named absl')")
    path = os.pathsep.join([str(tmp_path), environment()["PYTHONPATH"]])
    done = subprocess.run(
        program("list"), env=environment(PYTHONPATH=path), capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr == ("finescale: the installation is not whole (No module named absl)\n")
