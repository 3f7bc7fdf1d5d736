"""How a trained model is used, and what the run may use of the machine."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from app.config.values import at_least, joined
from app.errors import InputError


@dataclass(frozen=True)
class InferenceConfig:
    """What is predicted, by which model and to which file."""

    model: str | None = None
    temporal_model: str | None = None
    target_times: tuple[str, ...] = ()
    ensemble: tuple[str, ...] = ()
    members: int = 1
    write_members: bool = True
    write_quantiles: tuple[float, ...] = ()
    sampler: str = "heun"
    sampling_steps: int = 18
    ddim_eta: float = 0.0
    noise_correlation: float = 0.0
    tile_size: int | None = None
    tile_overlap: int = 32
    input: tuple[str, ...] = ()
    input_grid: str = "trained"
    input_correction: str = "none"
    input_reference: tuple[str, ...] = ()
    inference_save_fname: str | None = None
    inference_array_in_hr: bool = False

    def __post_init__(self) -> None:
        at_least("members", self.members, 1)
        at_least("sampling_steps", self.sampling_steps, 1)
        if not 0 <= self.ddim_eta <= 1:
            raise InputError(f"--ddim_eta={self.ddim_eta}: expected 0 to 1")
        if not 0 <= self.noise_correlation < 1:
            raise InputError(
                f"--noise_correlation={self.noise_correlation}: expected 0 <= correlation < 1"
            )
        if not all(a < b for a, b in pairwise((0.0, *self.write_quantiles, 1.0))):
            raise InputError(
                f"--write_quantiles={joined(self.write_quantiles)}: expected rising levels between "
                "0 and 1"
            )
        if (self.input_correction != "none" or self.input_reference) and not self.input:
            raise InputError(
                f"--input_correction={self.input_correction}: expected --input, the files that are "
                "to be corrected"
            )
        if self.input_correction != "none" and self.input_grid == "own":
            raise InputError(
                f"--input_correction={self.input_correction} with --input_grid=own: the training "
                "climate is known on the trained grid alone; leave one of them out"
            )
        if self.input_reference and self.input_correction == "none":
            raise InputError(
                "--input_reference without --input_correction: nothing is to be corrected; "
                "expected quantile_mapping or trend_preserving"
            )
        at_least("tile_overlap", self.tile_overlap, 0)
        if self.tile_size is not None and self.tile_size <= 2 * self.tile_overlap:
            raise InputError(
                f"--tile_size={self.tile_size} with --tile_overlap={self.tile_overlap}: expected "
                "tiles larger than twice their overlap"
            )
        if self.input_grid == "own" and not self.input:
            raise InputError("--input_grid=own without --input: expected files that have a grid")
        if self.temporal_model and (self.members > 1 or self.ensemble):
            raise InputError(
                "--temporal_model with --members or --ensemble: a model in time follows one field; "
                "leave one of them out"
            )
        if self.model and self.ensemble:
            raise InputError("--model and --ensemble: expected one of them")


@dataclass(frozen=True)
class MachineConfig:
    """What the run may use of the machine."""

    device: str | None = None
    precision: str = "float32"
    threads: int | None = None
    time_limit: float | None = None  # seconds
    gpu_memory_growth: bool = True

    def __post_init__(self) -> None:
        if self.threads is not None:
            at_least("threads", self.threads, 1)


@dataclass(frozen=True)
class LaunchConfig:
    """How ranks find each other, and how long they wait (in seconds)."""

    network_interface: str | None = None
    launch_timeout: int = 300
    rank_timeout: int = 600

    def __post_init__(self) -> None:
        at_least("launch_timeout", self.launch_timeout, 1)
        at_least("rank_timeout", self.rank_timeout, 1)
