"""Where a run comes from and what it cost, as pairs of a label and a text."""

from __future__ import annotations

import numpy as np

from app.arrays import Json
from app.durations import clock
from app.report.page.run_facts import RunFacts

Fact = tuple[str, str]
SHOWN_VERSIONS = ("finescale", "tensorflow", "keras", "horovod", "mpi4py")


def cost(run: RunFacts) -> list[Fact]:
    """Hardware, threads, times and memory; what nobody has written down is left out."""
    told, status = run.provenance, run.status
    machine = told.get("hardware") or {}
    gpus = ", ".join(map(str, machine.get("gpus") or ())) or "none"
    memory = machine.get("memory_gib")
    parameters, seconds = told.get("parameters"), run.training_seconds
    found = {
        "Processor": machine.get("cpu"),
        "Cores": machine.get("cores"),
        "Memory of the machine": f"{memory} GiB" if memory else None,
        "Graphics processors": gpus if machine else None,
        "Ranks": told.get("ranks"),
        "Threads of a rank": told.get("threads"),
        "Weights": f"{parameters:,}" if isinstance(parameters, int) else None,
        "Training": f"{clock(seconds)} for {_epochs(run)}" if seconds else None,
        "Training speed": _speed(run),
        "Inference": _inference(status),
        "Peak memory in training": _mebibytes(status.get("training_memory_mib")),
        "Peak memory in inference": _mebibytes(status.get("inference_memory_mib")),
        "Peak memory of the last process": _mebibytes(status.get("memory_mib")),
    }
    return [(label, str(value)) for label, value in found.items() if value is not None]


def _epochs(run: RunFacts) -> str:
    count = sum(len(own["epoch"]) for own in run.histories.values())
    return f"{count} epoch{'s' if count > 1 else ''}"


def _inference(status: Json) -> str | None:
    seconds = status.get("inference_s")
    return f"{seconds:g} s, reading and writing included" if seconds else None


def _mebibytes(number: int | None) -> str | None:
    return f"{number} MiB a rank" if number else None


def _speed(run: RunFacts) -> str | None:
    rates = [own["samples_per_s"] for own in run.histories.values()]
    known = np.concatenate(rates) if rates else np.zeros(0)
    known = known[np.isfinite(known)]
    return f"{np.median(known):.3g} samples/s (median epoch)" if known.size else None


def provenance(run: RunFacts) -> list[Fact]:
    """What has made the run, and of which data."""
    told = run.provenance
    versions = told.get("versions") or {}
    shown = ", ".join(f"{n} {versions[n]}" for n in SHOWN_VERSIONS if versions.get(n))
    found = {
        "Folder": run.folder,
        "Command": told.get("command"),
        "Started": told.get("started"),
        "Host": told.get("host"),
        "Launcher": told.get("launcher"),
        "Seed": told.get("seed"),
        "Python": told.get("python"),
        "Versions": shown or None,
        "Commit": told.get("git_commit"),
    }
    facts = [(label, str(value)) for label, value in found.items() if value is not None]
    periods = (told.get("data") or {}).get("periods") or {}
    facts += [(f"Period: {name}", str(own[0])) for name, own in periods.items()]
    return facts
