"""Stage `test`: a trained model to predicted fields."""

from __future__ import annotations

import hashlib
import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from app.errors import InputError
from app.inference.writer import history_line
from app.run_folder import model_file
from app.session import Session

if TYPE_CHECKING:
    from app.data.shards import Shards
    from app.models import PhysicalModel

SPLIT = "test"


def run(session: Session) -> None:
    """Predict the test period, or the files under --input."""
    inference = session.experiment.inference
    model_path = trained_model(session)
    path = session.folder.prediction(inference.inference_save_fname)
    if inference.input:
        _predict_input(session, model_path, path)
    else:
        _predict_test_period(session, model_path, path)


def trained_model(session: Session) -> Path:
    """The model of --model, which is a run folder or a file, or of this run."""
    given = session.experiment.inference.model
    if given is None:
        return model_file(session.folder.model, f"--save_path={session.folder.path}")
    return model_file(Path(given).expanduser(), f"--model={given}")


def _predict_test_period(session: Session, model_path: Path, path: Path) -> None:
    shards, module = session.shards, session.module
    attributes = _attributes(model_path, session) | {"data_fingerprint": shards.fingerprint}
    communicator = session.communicator

    from app.baselines.base import coarse_inputs
    from app.inference.predict import predict
    from app.inference.writer import Layout, written_with
    from app.models import load_physical_model

    if written_with(path, attributes):
        logging.info("%s: already predicted with this model", path)
        return
    model = load_physical_model(model_path)
    _check_fits(model, shards, model_path)

    predict(
        model,
        lambda indices: coarse_inputs(shards, indices, SPLIT),
        shards.stamps(SPLIT),
        Layout(shards.geometry.fine, shards.variables["hr"], attributes),
        path,
        communicator=communicator,
        batch_size=session.experiment.sampling.batch_size,
        seed=session.experiment.training.seed,
        has_times=shards.has_times,
        undo=module.undo if module else None,
    )


def _predict_input(session: Session, model_path: Path, path: Path) -> None:
    communicator = session.communicator

    from app.inference.external import open_input
    from app.inference.predict import predict
    from app.inference.writer import Layout
    from app.models import load_physical_model

    model = load_physical_model(model_path)
    data = open_input(model.spec, session.experiment.inference.input)
    predict(
        model,
        data.read,
        data.stamps,
        Layout(data.fine, data.variables, _attributes(model_path, session)),
        path,
        communicator=communicator,
        batch_size=session.experiment.sampling.batch_size,
        seed=session.experiment.training.seed,
    )


def _check_fits(model: PhysicalModel, shards: Shards, path: Path) -> None:
    """A model serves the grids and inputs that it was trained on."""
    expected = [channel.name for channel in model.spec.inputs]
    received = [v.name for role in ("lr", "predictors") for v in shards.variables[role]]
    if expected != received:
        raise InputError(
            f"model {path}: expects the inputs {', '.join(expected)}; the data have "
            f"{', '.join(received)}"
        )
    received_on = json.loads(json.dumps(shards.geometry.to_dict()))
    if any(model.spec.geometry.get(key) != value for key, value in received_on.items()):
        raise InputError(
            f"model {path}: trained on another grid than that of the data "
            f"({shards.geometry.describe()})"
        )


def _attributes(model_path: Path, session: Session) -> dict[str, str]:
    """Where the fields come from, as attributes of the file."""
    digest = hashlib.sha256(model_path.read_bytes()).hexdigest()
    return {
        "title": "downscaled fields",
        "source": f"finescale {version('finescale')}",
        "model_sha256": digest,
        "seed": str(session.experiment.training.seed),
        "history": history_line(" ".join(sys.argv)),
    }
