"""Small experiments, run as users run them."""

import atexit
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from app.distributed.libraries import has_horovod
from tests.system import warm
from tests.system.launching import horovodrun, mpirun

REPOSITORY = Path(__file__).resolve().parents[2]
TIME_LIMIT_S = 900
PROGRAM = (sys.executable, "-m", "app")
QUICK = [
    "--recipe=dl4ds",
    "--n_filters=4",
    "--n_blocks=1",
    "--dropout_rate=0",
    "--batch_size=4",
    "--threads=1",
]

Run = Callable[..., subprocess.CompletedProcess[str]]


def command(argv: list[str], ranks: int = 1, program: Sequence[str] = PROGRAM) -> list[str]:
    """The program on one process, or on several under the real launcher."""
    if ranks == 1:
        return [*program, *argv]
    start = horovodrun if has_horovod() else mpirun
    return [*start(ranks), *program, *argv]


def environment(**extra: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(REPOSITORY), "CUDA_VISIBLE_DEVICES": "", **extra}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run the program in a folder of its own; the test fails where it fails."""

    return partial(run_in, tmp_path)


def run_in(
    folder: Path, *argv: str, ranks: int = 1, expect: int = 0, **extra: str
) -> subprocess.CompletedProcess[str]:
    """Run the program in a folder; AssertionError where its exit code is another.

    Its processes are forked from one that has TensorFlow, unless PYTHONPATH is to be another.
    """
    program = PROGRAM if "PYTHONPATH" in extra else warm_program()
    done = subprocess.run(
        command(list(argv), ranks, program),
        cwd=folder,
        env=environment(**extra),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT_S,
    )
    assert done.returncode == expect, f"{done.stdout}\n{done.stderr}"
    return done


@cache
def warm_program() -> list[str]:
    """What begins a command in place of `python -m app`, from a server of this test session."""
    stack = ExitStack()
    atexit.register(stack.close)
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="warm-"))
    return stack.enter_context(warm.server(Path(folder) / "socket", environment()))


def fields(n: int = 60, y: int = 18, x: int = 22, seed: int = 0) -> xr.Dataset:
    """Waves that move over a slope: temperature (K) every six hours, with orography (m)."""
    rng = np.random.default_rng(seed)
    lat, lon = np.linspace(60, 51.5, y), np.linspace(-5, 5.5, x)
    height = 1500 * np.exp(-((lat[:, None] - 56) ** 2) / 6 - (lon[None] ** 2) / 8)
    phase = np.arange(n)[:, None, None] / 5
    waves = 8 * np.sin(phase + lat[:, None] / 2 + lon[None] / 3)
    t2m = 285 + waves - 0.0065 * height + rng.normal(0, 0.3, (n, y, x))
    return xr.Dataset(
        {
            "t2m": (("time", "lat", "lon"), t2m.astype("float32"), {"units": "K"}),
            "orography": (("lat", "lon"), height.astype("float32"), {"units": "m"}),
        },
        coords={
            "time": np.datetime64("2020-01-01") + 6 * np.arange(n).astype("timedelta64[h]"),
            "lat": ("lat", lat, {"units": "degrees_north"}),
            "lon": ("lon", lon, {"units": "degrees_east"}),
        },
    )


def awkward_pair(folder: Path, fine: xr.Dataset) -> None:
    """Two variables on an odd, not square grid with a hole (fine.nc), a coarse twin elsewhere.

    fine: waves of 13 × 18 cells; temperature in the hole is missing.
    """
    fine["dew"] = (fine.t2m - 4).assign_attrs(units="K")
    coarse = fine[["t2m", "dew"]].interp(
        lat=np.arange(61, 50, -1.5),
        lon=np.arange(-6, 8, 1.4),
        kwargs={"fill_value": "extrapolate"},
    )
    fine["t2m"] = fine.t2m.where(~((fine.lat > 58) & (fine.lon > 4)))
    fine.to_netcdf(folder / "fine.nc")
    coarse.to_netcdf(folder / "coarse.nc")


def scores(folder: Path) -> dict[str, float]:
    """What the table of a run says of its model: score → value, NaN where there is none."""
    lines = (folder / "metrics" / "summary.csv").read_text().splitlines()[1:]
    return {line.split(",")[0]: float(line.split(",")[1] or "nan") for line in lines}


@pytest.fixture
def data_flags(tmp_path: Path) -> list[str]:
    """Flags of a small experiment on a file of waves."""
    return flags_for_waves(tmp_path)


def flags_for_waves(folder: Path) -> list[str]:
    """A file of waves in a folder, and the flags of a small experiment on it."""
    path = folder / "waves.nc"
    fields().to_netcdf(path)
    return [
        f"--data={path}",
        "--variable=t2m",
        f"--static={path}:orography",
        "--scale=4",
        f"--cache_dir={folder / 'cache'}",
        *QUICK,
    ]


@pytest.fixture(scope="session")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A Slurm of two nodes on this machine; the variables that its commands need."""
    if os.geteuid() != 0:
        pytest.skip("a Slurm for tests needs root")
    script, folder = REPOSITORY / "scripts" / "local_slurm.sh", tmp_path_factory.mktemp("slurm")
    begun = subprocess.run([script, "start", folder], capture_output=True, text=True)
    if begun.returncode != 0:
        subprocess.run([script, "stop", folder], capture_output=True)
        pytest.skip(f"no Slurm: {begun.stderr.strip()}")
    yield environment(SLURM_CONF=str(folder / "slurm.conf"))
    subprocess.run([script, "stop", folder], capture_output=True, check=True)
