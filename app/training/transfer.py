"""Starting from a trained model: which weights are taken over, and which never change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from absl import logging

from app.errors import InputError
from app.models import PhysicalModel
from app.models.layers import LocalizedConvBlock
from app.models.skeleton import backbone_layers
from app.options import TransferConfig
from app.running.run_folder import model_file

KERAS_NUMBER = re.compile(r"_\d+$")
OPTIONS = ("activation", "method", "scale")  # that no shape of a weight tells
NAMED = 5  # weights named in one line of the log


@dataclass(frozen=True)
class Weight:
    """One weight of a network: its layer, with the options that it was trained for."""

    layer: str
    kind: str
    value: Any

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.value.shape)

    def fits(self, other: Weight | None) -> bool:
        return other is not None and (self.kind, self.shape) == (other.kind, other.shape)


def initialise(model: PhysicalModel, config: TransferConfig) -> None:
    """Give the model's network the weights that --init_from and --init_parts name.

    Statics, scaling, geometry and first guess stay the model's own, and so do localized layers
    where the grids differ. Raises InputError where nothing fits, where `all` meets another
    network, or where a layer that is to be frozen would get nothing.
    """
    flag = f"--init_from={config.init_from}"
    source = PhysicalModel.load(model_file(Path(config.init_from or "").expanduser(), flag))
    theirs, ours = weights(source.network), weights(model.network)
    local = tied_layers(model, source)
    backbone = {layer.name for layer in backbone_layers(model.network)}
    if config.init_parts == "backbone":
        ours = {name: weight for name, weight in ours.items() if weight.layer in backbone}
    free = {name: weight for name, weight in ours.items() if weight.layer not in local}
    fitting = [name for name, weight in free.items() if weight.fits(theirs.get(name))]
    missing = [name for name in free if name not in fitting]
    if not fitting:
        raise InputError(f"{flag}: none of its weights fits this network; {_why(theirs, free)}")
    if config.init_parts == "all":
        others = {name: w for name, w in theirs.items() if w.layer not in local}
        _refuse_another_network(flag, source, model, others, free)
    if config.freeze == "backbone" and any(free[name].layer in backbone for name in missing):
        raise InputError(
            f"{flag} with --freeze=backbone: the backbone differs, and what it lacks would stay "
            f"random; {_why(theirs, free)}"
        )
    for name in fitting:
        ours[name].value.assign(theirs[name].value)
    _log(flag, len(fitting), len(ours), missing, local)


def freeze(model: PhysicalModel, part: str) -> None:
    """Leave a part ("none", "backbone") out of training, batch-norm statistics included."""
    if part == "none":
        return
    layers = backbone_layers(model.network)
    for layer in layers:
        layer.trainable = False
    logging.info("frozen: %d weights", sum(layer.count_params() for layer in layers))


def weights(network: keras.Model) -> dict[str, Weight]:
    """A network's weights by names that do not depend on what was built before it.

    Keras numbers the nameless layers of a process, "block_1/conv2d_17/kernel"; here each kind
    is numbered within its named layer, "block_1/conv2d.1/kernel".
    """
    return {
        name: Weight(layer.name, _kind(layer), value)
        for layer in network.layers
        for name, value in _named(layer)
    }


def tied_layers(model: PhysicalModel, source: PhysicalModel) -> set[str]:
    """Names of the layers whose weights belong to one grid, where the two grids differ."""
    if model.spec.geometry == source.spec.geometry:
        return set()
    layers = [*model.network.layers, *source.network.layers]
    return {layer.name for layer in layers if isinstance(layer, LocalizedConvBlock)}


def _named(layer: keras.layers.Layer) -> Iterator[tuple[str, Any]]:
    owners: dict[str, list[str]] = {}
    for weight in layer.weights:
        owner, _, name = weight.path.rpartition("/")
        kind = KERAS_NUMBER.sub("", owner.rpartition("/")[2])
        known = owners.setdefault(kind, [])
        if owner not in known:
            known.append(owner)
        inner = "" if owner == layer.name else f"{kind}.{known.index(owner)}/"
        yield f"{layer.name}/{inner}{name}", weight


def _kind(layer: keras.layers.Layer) -> str:
    """A layer's class and the options that decide what its weights mean."""
    options = layer.get_config()
    told = ", ".join(f"{name}={options[name]}" for name in OPTIONS if name in options)
    return f"{type(layer).__name__}({told})"


def _refuse_another_network(
    flag: str,
    source: PhysicalModel,
    model: PhysicalModel,
    theirs: dict[str, Weight],
    ours: dict[str, Weight],
) -> None:
    """InputError where all weights are asked for, but networks or their inputs differ."""
    why = "" if _same(theirs, ours) else _why(theirs, ours)
    if (source.first_guess is None) != (model.first_guess is None):
        why = f"it {'has no' if source.first_guess is None else 'corrects a'} first guess"
    if source.spec.time_features != model.spec.time_features:
        why = f"it knows --time_features={','.join(source.spec.time_features) or 'none'}"
    if why:
        raise InputError(
            f"{flag}: another network; {why}. Give the same model flags, or --init_parts=backbone"
        )


def _same(theirs: dict[str, Weight], ours: dict[str, Weight]) -> bool:
    return theirs.keys() == ours.keys() and all(w.fits(theirs[n]) for n, w in ours.items())


def _why(theirs: dict[str, Weight], ours: dict[str, Weight]) -> str:
    """The first weight that differs, in words."""
    for name, weight in ours.items():
        other = theirs.get(name)
        if other is None:
            return f"it has no {name}"
        if other.kind != weight.kind:
            return f"its {weight.layer} is {other.kind}, here {weight.kind}"
        if other.shape != weight.shape:
            return f"its {name} has the shape {other.shape}, here {weight.shape}"
    return f"here is no {next((name for name in theirs if name not in ours), 'difference')}"


def _log(flag: str, taken: int, total: int, missing: list[str], local: set[str]) -> None:
    logging.info("%s: %d of %d weights taken over", flag, taken, total)
    if missing:
        dots = ", …" if len(missing) > NAMED else ""
        logging.info("not taken over: %s%s", ", ".join(missing[:NAMED]), dots)
    if local:
        logging.info("not taken over, another grid: %s", ", ".join(sorted(local)))
