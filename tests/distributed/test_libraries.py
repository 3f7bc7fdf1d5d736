"""Which library joins the ranks, and what is said where none can."""

import sys
from pathlib import Path

import pytest

from app.distributed import libraries
from app.distributed.libraries import chosen
from app.errors import InputError
from app.main import main
from app.ranks import Ranks

QUICKSTART = Path(__file__).parents[2] / "flagfiles" / "quickstart.cfg"
PLACES = ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE")


def ranks(launcher: str, size: int = 2) -> Ranks:
    return Ranks(0, size, 0, size, launcher)


def installed(monkeypatch: pytest.MonkeyPatch, *, horovod: bool, mpi: bool = True) -> None:
    monkeypatch.setattr(libraries, "has_horovod", lambda: horovod)
    if not mpi:
        monkeypatch.setitem(sys.modules, "mpi4py", None)
    for name in libraries.MPI_VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("horovod", [True, False])
@pytest.mark.parametrize("wanted", libraries.LIBRARIES)
def test_one_process_needs_none(
    horovod: bool, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, horovod=horovod, mpi=False)
    assert chosen(Ranks(), wanted) is None


@pytest.mark.parametrize(
    ("launcher", "wanted", "horovod", "library"),
    [
        ("horovodrun", "auto", True, "horovod"),
        ("mpirun", "auto", True, "horovod"),
        ("srun", "auto", True, "horovod"),
        ("mpirun", "horovod", True, "horovod"),
        ("mpirun", "mpi", True, "mpi"),
        ("mpirun", "auto", False, "mpi"),
        ("mpirun", "mpi", False, "mpi"),
    ],
)
def test_library(
    launcher: str, wanted: str, horovod: bool, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, horovod=horovod)
    assert chosen(ranks(launcher), wanted) == library


def test_srun_must_tell_mpi_of_its_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, horovod=False)
    with pytest.raises(InputError, match=r"srun started 2 processes .* expected srun --mpi=pmix"):
        chosen(ranks("srun"), "auto")
    monkeypatch.setenv("PMIX_RANK", "0")
    assert chosen(ranks("srun"), "auto") == "mpi"


@pytest.mark.parametrize(
    ("launcher", "wanted", "message"),
    [
        (
            "horovodrun",
            "auto",
            r"^horovodrun: needs Horovod, which is not installed; expected the ",
        ),
        ("mpirun", "horovod", r"^--communicator=horovod: needs Horovod, which is not installed"),
        (
            "horovodrun",
            "mpi",
            r"^--communicator=mpi: received under horovodrun, .* expected mpirun",
        ),
        ("mpirun", "auto", r"^mpirun started 2 processes: neither Horovod nor MPI can join them"),
        ("srun", "mpi", r"^srun started 2 processes: neither Horovod nor MPI can join them"),
    ],
)
def test_what_cannot_be_joined_is_refused(
    launcher: str, wanted: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, horovod=False, mpi=False)
    with pytest.raises(InputError, match=message):
        chosen(ranks(launcher), wanted)


@pytest.mark.parametrize(
    ("prefix", "elastic", "message"),
    [
        ("OMPI_COMM_WORLD", "", "rank 0: mpirun started 2 processes: neither Horovod nor MPI"),
        ("HOROVOD", "", "rank 0: horovodrun: needs Horovod, which is not installed"),
        ("HOROVOD", "1", "an elastic job: needs Horovod, which is not installed"),
    ],
)
def test_the_refusal_is_one_line_and_exit_code_2(
    prefix: str,
    elastic: str,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    installed(monkeypatch, horovod=False, mpi=False)
    for name, value in zip(PLACES, ("0", "2", "0", "2"), strict=True):
        monkeypatch.setenv(f"{prefix}_{name}", value)
    monkeypatch.setenv("HOROVOD_ELASTIC", elastic)
    run = tmp_path / "run"
    assert main(["train", f"--flagfile={QUICKSTART}", f"--save_path={run}"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert not run.exists()
