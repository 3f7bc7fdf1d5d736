"""How a trained model is used, and what the run may use of the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from app.data.description import Source
from app.errors import InputError
from app.options.values import joined, path
from app.running.run_files import check_prediction_name


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
    input_variables: Mapping[str, str] = field(default_factory=dict)
    input_grid: str = "trained"
    static: tuple[Source, ...] = ()
    uncovered: str = "refuse"
    input_correction: str = "none"
    input_reference: tuple[str, ...] = ()
    inference_save_fname: str | None = None
    output: str | None = None
    inference_array_in_hr: bool = False

    def __post_init__(self) -> None:
        if not all(a < b for a, b in pairwise(self.write_quantiles)):
            raise InputError(
                f"--write_quantiles={joined(self.write_quantiles)}: expected rising levels"
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
        if self.inference_save_fname is not None:
            check_prediction_name("inference_save_fname", self.inference_save_fname)
        if self.output is not None:
            self._check_output(self.output)
        if self.model and self.ensemble:
            raise InputError("--model and --ensemble: expected one of them")

    def _check_output(self, given: str) -> None:
        if self.inference_save_fname is not None:
            raise InputError("--output and --inference_save_fname: expected one of them")
        if not path(given).name.endswith(".nc"):
            raise InputError(f"--output={given}: expected a file whose name ends in .nc")


@dataclass(frozen=True)
class MachineConfig:
    """What the run may use of the machine."""

    device: str | None = None
    precision: str = "float32"
    threads: int | None = None
    time_limit: float | None = None  # seconds
    gpu_memory_growth: bool = True


@dataclass(frozen=True)
class LaunchConfig:
    """How ranks find each other, and how long they wait (in seconds)."""

    network_interface: str | None = None
    launch_timeout: int = 300
    rank_timeout: int = 600
