"""Trained models, made ready for what is asked of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from app.config import InferenceConfig
from app.errors import InputError

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.inference.predict import Predicts
    from app.models import ModelSpec


def load_models(
    paths: list[Path], inference: InferenceConfig, check: Callable[[], None]
) -> tuple[Predicts, ModelSpec]:
    """One model, or the ensemble of several that were trained on the same data; in tiles.

    `check` is called wherever a model works for long within a batch, and may raise.

    Errors: InputError where the models do not go together, or not with what is asked of them.
    """
    from app.inference.ensemble import DeepEnsemble, check_alike
    from app.inference.tiles import TiledModel
    from app.models import DiffusionModel, load_physical_model
    from app.models.diffusion.samplers import SamplingOptions

    models = [load_physical_model(path) for path in paths]
    for model in models:
        if isinstance(model, DiffusionModel):
            model.sampling = SamplingOptions.of(inference)
            model.check = check
    check_alike([model.spec for model in models], [str(path) for path in paths])
    spec = models[0].spec
    if spec.quantiles and (len(models) > 1 or inference.members > 1):
        flag = "--ensemble" if len(models) > 1 else f"--members={inference.members}"
        raise InputError(
            f"{flag}: {paths[0]} predicts quantiles, which have no members; expected one model, "
            "one member"
        )
    if inference.input_grid == "own":
        from app.inference.region import moved, own_geometry

        geometry = own_geometry(spec, inference.input, inference.input_variables)
        models = [moved(model, geometry) for model in models]
        spec = models[0].spec
    if inference.write_quantiles and inference.members * len(models) == 1 and not spec.amounts:
        raise InputError(
            f"--write_quantiles: one field of {paths[0]} has no quantiles; expected several "
            "--members, or a model trained with --loss=bernoulli_gamma"
        )
    models[0].predicted_levels = distribution_levels(spec, inference)
    if spec.amounts and inference.members > 1 and inference.tile_size is not None:
        raise InputError(
            f"--members={inference.members} with --tile_size={inference.tile_size}: tiles would "
            "blend samples of one distribution; leave one of them out"
        )
    parts: list[Predicts] = list(models)
    if inference.tile_size is not None:
        parts = [TiledModel(m, inference.tile_size, inference.tile_overlap) for m in models]
    return (parts[0] if len(parts) == 1 else DeepEnsemble(parts)), spec


def distribution_levels(spec: ModelSpec, inference: InferenceConfig) -> tuple[float, ...]:
    """Levels that are written of a predicted distribution, in the place of members."""
    alone = inference.members == 1 and len(inference.ensemble) <= 1
    return inference.write_quantiles if spec.amounts and alone else ()


def check_fits(spec: ModelSpec, shards: Shards, path: Path) -> None:
    """InputError where data are not of the grids and inputs that the model was trained on."""
    expected = [channel.name for channel in spec.inputs]
    received = [v.name for role in ("lr", "predictors") for v in shards.variables[role]]
    if expected != received:
        raise InputError(
            f"model {path}: expects the inputs {', '.join(expected)}; the data have "
            f"{', '.join(received)}"
        )
    received_on = json.loads(json.dumps(shards.geometry.to_dict()))
    if any(spec.geometry.get(key) != value for key, value in received_on.items()):
        raise InputError(
            f"model {path}: trained on another grid than that of the data "
            f"({shards.geometry.describe()})"
        )
