"""Trained models, made ready for what is asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import InputError
from app.grids import Geometry, same_grid
from app.inference.kept import KeptModels
from app.options import Experiment, InferenceConfig
from app.running.run_folder import RunFolder, model_file

if TYPE_CHECKING:
    from app.data.description import Variable
    from app.data.shards import Shards
    from app.inference.predict import Predicts
    from app.models import Channel, Drawing, ModelSpec
    from app.models.spec import Spec


def trained_models(experiment: Experiment) -> list[Path]:
    """The models of --ensemble, that of --model (run folders or files), or this run's own."""
    inference, own = experiment.inference, experiment.save_path
    if inference.ensemble:
        return [model_file(Path(n).expanduser(), f"--ensemble={n}") for n in inference.ensemble]
    if inference.model is not None:
        return [model_file(Path(inference.model).expanduser(), f"--model={inference.model}")]
    return [model_file(RunFolder(own).model, f"--save_path={own}")]


def load_models(
    paths: Sequence[Path], inference: InferenceConfig, kept: KeptModels
) -> tuple[Predicts, ModelSpec]:
    """One model, or the ensemble of several that were trained on the same data; in tiles.

    `kept` loads them, or has them from a call before.

    Errors: InputError where the models do not go together, or not with what is asked of them.
    """
    from app.inference.ensemble import DeepEnsemble, check_alike
    from app.inference.tiles import TiledModel
    from app.models import PhysicalModel

    models = [kept.load(PhysicalModel, path) for path in paths]
    check_alike([model.spec for model in models], [str(path) for path in paths])
    spec = models[0].spec
    if spec.quantiles and (len(models) > 1 or inference.members > 1):
        flag = "--ensemble" if len(models) > 1 else f"--members={inference.members}"
        raise InputError(
            f"{flag}: {paths[0]} predicts quantiles, which have no members; expected one model, "
            "one member"
        )
    if inference.input_grid == "own":
        from app.inference.region import moved, own_geometry, own_statics

        names = inference.input_variables
        inputs = {name: other for name, other in names.items() if name not in spec.statics}
        geometry = own_geometry(spec, inference.input, inputs)
        statics = own_statics(spec, geometry, inference.statics, names, inference.uncovered)
        models = [moved(model, geometry, *statics) for model in models]
        spec = models[0].spec
    if inference.write_quantiles and inference.members * len(models) == 1 and not spec.amounts:
        raise InputError(
            f"--write_quantiles: one field of {paths[0]} has no quantiles; expected several "
            "--members, or a model trained with --loss=bernoulli_gamma"
        )
    if spec.amounts and inference.members > 1 and inference.tile_size is not None:
        raise InputError(
            f"--members={inference.members} with --tile_size={inference.tile_size}: tiles would "
            "blend samples of one distribution; leave one of them out"
        )
    parts: list[Predicts] = list(models)
    if inference.tile_size is not None:
        parts = [TiledModel(m, inference.tile_size, inference.tile_overlap) for m in models]
    return (parts[0] if len(parts) == 1 else DeepEnsemble(parts)), spec


def drawing_of(spec: ModelSpec, inference: InferenceConfig, check: Callable[[], None]) -> Drawing:
    """How the flags want fields drawn; `check` is called while a model works, and may raise."""
    from app.models import Drawing
    from app.models.diffusion.samplers import SamplingOptions

    return Drawing(distribution_levels(spec, inference), SamplingOptions.of(inference), check)


def distribution_levels(spec: ModelSpec, inference: InferenceConfig) -> tuple[float, ...]:
    """Levels that are written of a predicted distribution, in the place of members."""
    alone = inference.members == 1 and len(inference.ensemble) <= 1
    return inference.write_quantiles if spec.amounts and alone else ()


def check_fits(spec: Spec, shards: Shards, path: Path) -> None:
    """InputError where data are not of a model's grids, channels and units."""
    for channels, roles, what in spec.fields_by_role():
        received = [v for role in roles for v in shards.variables[role]]
        _check_channels(channels, received, what, path)
    _check_geometry(Geometry.from_dict(spec.geometry), shards.geometry, path)


def _check_channels(
    channels: Sequence[Channel], received: Sequence[Variable], what: str, path: Path
) -> None:
    """InputError where variables have other names or units than a model's channels."""
    expected = [channel.name for channel in channels]
    names = [v.name for v in received]
    if expected != names:
        lacking = next((name for name in expected if name not in names), None)
        hint = f"; expected, in a YAML data description, {lacking}: {{source_name: NAME}}"
        raise InputError(
            f"model {path}: expects the {what} {', '.join(expected)}; the data have "
            f"{', '.join(names)}{hint if lacking else ''}"
        )
    for channel, variable in zip(channels, received, strict=True):
        if channel.units != (variable.units or ""):
            raise InputError(
                f"model {path}: expects {variable.name} in {channel.units or 'no unit'}; the data "
                f"have it in {variable.units or 'no unit'}; give these units in the data "
                "description, or as --units"
            )


def _check_geometry(trained: Geometry, received: Geometry, path: Path) -> None:
    """InputError where data are on another grid than the one that a model was trained on."""
    if (trained.scale, trained.halo) != (received.scale, received.halo):
        raise InputError(
            f"model {path}: trained with --scale={trained.scale} --halo={trained.halo}; received "
            f"--scale={received.scale} --halo={received.halo}"
        )
    if not same_grid(trained.fine, received.fine):
        raise InputError(
            f"model {path}: trained on another grid ({trained.fine.shape[0]}×"
            f"{trained.fine.shape[1]}, {trained.fine.extent()}) than that of the data "
            f"({received.fine.shape[0]}×{received.fine.shape[1]}, {received.fine.extent()})"
        )
