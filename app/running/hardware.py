"""What this process runs on, for whoever compares times."""

from __future__ import annotations

import os
import platform
from pathlib import Path

from app.arrays import Json

CPU_INFO, MEMORY_INFO = Path("/proc/cpuinfo"), Path("/proc/meminfo")
GPU_INFO = Path("/proc/driver/nvidia/gpus")  # a folder for each
KIB_IN_GIB = 2**20


def hardware() -> Json:
    """Processor, cores that this process may use, memory in GiB, and graphics processors."""
    gpus = (_value(path, "Model") for path in sorted(GPU_INFO.glob("*/information")))
    memory = _value(MEMORY_INFO, "MemTotal").partition(" ")[0]
    return {
        "cpu": _value(CPU_INFO, "model name") or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(int(memory) / KIB_IN_GIB, 1) if memory.isdigit() else None,
        "gpus": [name for name in gpus if name],
    }


def _value(path: Path, key: str) -> str:
    """What a file of lines `key: value` says first of a key; "" where it says nothing."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() == key), "")
