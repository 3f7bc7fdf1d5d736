"""What fields need to be trained on: refused alike by the stages `train` and `check`.

Nothing here imports TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

from app.baselines.interpolation import find_twins
from app.data.description import Variable
from app.data.shards import Shards
from app.data.streaming.batches import patch_corners
from app.data.streaming.windows import samples
from app.data.transforms import inverse
from app.data.units import same_unit
from app.data.wet import summed_over, wet_limit
from app.errors import InputError
from app.options import AMOUNT_LOSS, Experiment
from app.running.run_folder import RunFolder, model_file
from app.training.checkpoints import load_facts
from app.training.dense_threshold import dense_threshold

TRAINED_ON = ("train", "validation")


def check_fields(experiment: Experiment, shards: Shards) -> None:
    """InputError for what can only be refused once grids, times and variables are known."""
    for split in TRAINED_ON:
        samples(shards, split, experiment.sampling.time_window)
    _check_patches(experiment, shards)
    model = experiment.model
    constraint_twins(model.constraint, shards)
    lower_bounds(model.output_activation, shards.predictands)
    amount_limits(experiment, shards)
    guess_twins(model.first_guess, shards)
    if experiment.training.dense_alpha:
        for variable in shards.predictands:
            dense_threshold(experiment.training.dense_on, variable, accumulated(experiment))
    _check_starts(experiment)


def accumulated(experiment: Experiment) -> int | None:
    """Seconds over which the predictand's aggregation sums; None without."""
    source = experiment.data.predictand if experiment.data else None
    return summed_over(source.aggregate if source else None)


def _check_patches(experiment: Experiment, shards: Shards) -> None:
    patches = experiment.sampling.patches
    if patches is None:
        return
    patch_corners(shards, patches)
    if any(s.offset.ndim > 1 for r, s in shards.scaling.items() if r != "static"):
        raise InputError(
            f"--patch_size={patches.size} with scaling_axes: pixel: scaling that belongs to grid "
            "points needs the whole domain; use scaling_axes: domain"
        )


def _check_starts(experiment: Experiment) -> None:
    """The runs that training starts from must be there, unless it goes on from its checkpoint."""
    folder = RunFolder(experiment.save_path)
    if not experiment.overwrite and load_facts(folder.checkpoints) is not None:
        return
    diffusion = experiment.diffusion
    named = [
        ("--init_from", experiment.transfer.init_from),
        ("--regression_from", diffusion.regression_from),
        *(("--fold_regressions", run) for run in diffusion.fold_regressions),
    ]
    for flag, run in named:
        if run is not None:
            model_file(Path(run).expanduser(), f"{flag}={run}")


def guess_twins(kind: str, shards: Shards) -> tuple[int, ...]:
    """For each predictand the low-resolution channel that a first guess interpolates.

    Empty where none is interpolated. InputError where a predictand has no such channel.
    """
    if kind not in ("bilinear", "bicubic"):
        return ()
    twins = find_twins(shards)
    channels = tuple(twin for twin in twins if twin is not None)
    if len(channels) < len(twins):
        raise InputError(
            f"--first_guess={kind}: a predictand has no low-resolution field of its own; "
            "expected none or linear"
        )
    return channels


def amount_limits(experiment: Experiment, shards: Shards) -> tuple[tuple[float, float], ...]:
    """Unit and wet threshold of each predictand, where its distribution is predicted.

    The unit is what lies one standard deviation above the mean, of the transformed values; of a
    dry record it is the threshold.
    """
    if experiment.training.loss != AMOUNT_LOSS:
        return ()
    scaling = shards.scaling["hr"]
    found = []
    for c, variable in enumerate(shards.predictands):
        limit = wet_limit(variable, accumulated(experiment))
        if limit is None or not limit.value:
            raise InputError(
                f"--loss={AMOUNT_LOSS}: {variable.name} ({variable.units or 'no unit'}, kind "
                f"{variable.kind}) has no wet threshold; expected kind ratio and wet_threshold, "
                "or an accumulation, in the data description"
            )
        high = (scaling.mean + scaling.std)[..., c].mean()
        found.append((float(inverse(high, variable)) or limit.value, limit.value))
    return tuple(found)


def constraint_twins(constraint: str, shards: Shards) -> tuple[int, ...]:
    """For each predictand the low-resolution channel whose values its block means are to be.

    Raises InputError where there is none, or where the constraint does not suit the variable.
    """
    if constraint == "none":
        return ()
    known = shards.has_times  # else from a data module, whose arrays have no units
    found = []
    for variable, twin in zip(shards.predictands, find_twins(shards), strict=True):
        if twin is None:
            raise InputError(
                f"--constraint={constraint}: {variable.name} has no low-resolution field of its "
                "own; expected one of the same name, or none"
            )
        offered = shards.variables["lr"][twin]
        if known and not same_unit(offered.units, variable.units):
            raise InputError(
                f"--constraint={constraint}: {variable.name} is in {variable.units}, its "
                f"low-resolution field in {offered.units}; expected the same units"
            )
        if constraint != "additive" and not _never_negative(variable):
            raise InputError(
                f"--constraint={constraint}: {variable.name} ({variable.units}) has kind "
                f"{variable.kind} and valid_min {variable.valid_min}; expected kind ratio and "
                "valid_min 0 or more in the data description, or --constraint=additive"
            )
        found.append(twin)
    return tuple(found)


def _never_negative(variable: Variable) -> bool:
    low = variable.valid_min
    return variable.kind == "ratio" and low is not None and low >= 0


def lower_bounds(activation: str | None, variables: tuple[Variable, ...]) -> tuple[float, ...]:
    """What softplus as output activation keeps each predictand above; () without it."""
    if activation != "softplus":
        return ()
    for variable in variables:
        if variable.valid_min is None and variable.kind != "ratio":
            raise InputError(
                f"--output_activation=softplus: {variable.name} has kind {variable.kind} and no "
                "lower bound; expected valid_min or kind ratio in the data description"
            )
    return tuple(float(variable.valid_min or 0.0) for variable in variables)
