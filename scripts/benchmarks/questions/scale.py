"""Several ranks: step and epoch time over Horovod and MPI, sums by size, and what 512 would do."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from app.distributed.libraries import has_horovod
from scripts.benchmarks.measuring import median
from scripts.benchmarks.results import REPOSITORY, Table
from scripts.benchmarks.settings import Settings
from scripts.benchmarks.temporary import environment, folder

NETWORKS = ("resnet-spc",)
BYTES = tuple(4**n for n in range(5, 13))  # 1 KiB to 16 MiB
RANKS = (1, 2)
MANY = (2, 8, 32, 128, 512)
LIMIT_S = 300
MOST_LAUNCHES = 2  # of each number of ranks
# What networks between nodes commonly give: seconds of latency, bytes a second.
LINKS = {"10 Gbit/s Ethernet": (30e-6, 1.1e9), "100 Gbit/s InfiniBand": (3e-6, 11e9)}


def run(settings: Settings) -> list[Table]:
    """Each launcher with one rank and with two in turns, one thread a rank."""
    launchers = {"MPI": _mpirun}
    notes = []
    if has_horovod():
        launchers["Horovod"] = _horovodrun
    else:
        notes.append("Horovod is not installed.")
    rows: list[dict[str, Any]] = []
    sums: dict[str, dict[str, float]] = {}
    models: list[dict[str, Any]] = []
    for library, launcher in launchers.items():
        for network in settings.networks or NETWORKS:
            settings.say(f"scale: {network} over {library}")
            try:
                found = _measured(network, launcher, library, settings)
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as error:
                notes.append(f"{network} over {library}: {str(error)[-200:]}")
                continue
            rows += _rows(network, library, found)
            sums[library] = found[2][-1]["sums"]
            models += _extrapolated(network, library, found)
    about = (
        "One thread a rank, the ranks of one machine, 32 samples a rank and step. Efficiency: the "
        "step of one rank over that of two."
    )
    tables = [Table("scale_steps", "Ranks", rows, [about, *notes])]
    by_size: list[dict[str, Any]] = []
    for size in BYTES:
        own = {f"{name}, µs": s[str(size)] * 1e6 for name, s in sums.items() if str(size) in s}
        if own:
            by_size.append({"bytes": size, **own})
    if sums:
        tables.append(Table("scale_sums", "Sums over two ranks by size", by_size, [SUMS]))
        tables.append(Table("scale_model", "A model of 512 ranks", models, [MODEL]))
    return tables


SUMS = "The median of many calls, the ranks having met before each."
MODEL = (
    "*Extrapolated, not measured*: step = compute of one rank + ring all-reduce, of latency × "
    "2 (N − 1) + bytes / bandwidth × 2 (N − 1) / N, + a fixed cost a step that is fitted to two "
    "ranks here. Assumed: one rank a node, links as named, one message of all gradients, no "
    "overlap with the computation, and ranks that wait for no slower one."
)


def _measured(
    network: str, launcher: Any, library: str, settings: Settings
) -> dict[int, list[dict[str, Any]]]:
    """What the first rank found, by number of ranks, launched in turns."""
    found: dict[int, list[dict[str, Any]]] = {ranks: [] for ranks in RANKS}
    for _ in range(min(settings.runs, MOST_LAUNCHES)):
        for ranks in RANKS:
            found[ranks].append(_launched(network, launcher(ranks), library, settings))
    return found


def _launched(
    network: str, launcher: Sequence[str], library: str, settings: Settings
) -> dict[str, Any]:
    with folder(settings.work) as work:
        task = {
            "network": network,
            "cache": str(settings.cache),
            "run": str(work / "run"),
            "flags": [f"--communicator={library.lower()}"],
            "runs": 3,
            "steps": 2 if settings.small else max(5, round(10 * settings.seconds)),
            "bytes": BYTES[:2] if settings.small else BYTES,
            "sums": 3 if settings.small else 31,
        }
        program = [sys.executable, "-m", "scripts.benchmarks.competitors.ranks", json.dumps(task)]
        done = subprocess.run(
            [*launcher, *program],
            cwd=REPOSITORY,
            env=environment(1),
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
    lines = [line for line in done.stdout.splitlines() if "RESULT " in line]
    if done.returncode or not lines:
        raise RuntimeError((done.stderr or done.stdout).strip()[-300:] or "no result")
    result: dict[str, Any] = json.loads(lines[-1].partition("RESULT ")[2])
    return result


def _rows(
    network: str, library: str, found: dict[int, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    rows = []
    one = [median(run["step_s"]) for run in found[1]]
    for ranks in RANKS:
        steps = [median(run["step_s"]) for run in found[ranks]]
        epoch = found[ranks][0]["steps"]
        row: dict[str, Any] = {
            "network": network,
            "weights": found[ranks][0]["weights"],
            "library": library,
            "ranks": ranks,
            "step, ms": [1e3 * step for step in steps],
            "epoch, s": [epoch * step for step in steps],
        }
        if ranks > 1:
            row["efficiency"] = [a / b for a, b in zip(one, steps, strict=True)]
        rows.append(row)
    return rows


def _extrapolated(
    network: str, library: str, found: dict[int, list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """Efficiency of many nodes by the model that `MODEL` describes."""
    compute, two = (median([median(run["step_s"]) for run in found[n]]) for n in RANKS)
    size = 4 * found[1][0]["weights"]
    latency, bandwidth = fitted(found[2][-1]["sums"])
    fixed = max(0.0, two - compute - ring(2, size, latency, bandwidth))
    rows = []
    for link, (delay, speed) in LINKS.items():
        steps = {n: compute + fixed + ring(n, size, delay, speed) for n in MANY}
        shares = {f"{n} ranks": compute / step for n, step in steps.items()}
        rows.append({"network": network, "library": library, "link": link, **shares})
    return rows


def ring(ranks: int, size: float, latency: float, bandwidth: float) -> float:
    """Seconds of a ring all-reduce of so many bytes."""
    return 2 * (ranks - 1) * (latency + size / ranks / bandwidth)


def fitted(sums: dict[str, float]) -> tuple[float, float]:
    """Latency and bandwidth of a ring of two ranks, by least squares of relative errors."""
    sizes = np.array([float(size) for size in sums])
    seconds = np.array(list(sums.values()))
    terms = np.stack([2 * np.ones_like(sizes), sizes], 1) / seconds[:, None]
    latency, inverse = np.linalg.lstsq(terms, np.ones_like(seconds), rcond=None)[0]
    return max(float(latency), 0.0), 1 / inverse if inverse > 0 else math.inf


def _mpirun(ranks: int) -> list[str]:
    launcher = Path(sys.executable).parent / "mpirun"
    return [str(launcher), "--allow-run-as-root", "--oversubscribe", "-np", str(ranks)]


def _horovodrun(ranks: int) -> list[str]:
    return [str(Path(sys.executable).parent / "horovodrun"), "-np", str(ranks), "--gloo"]
