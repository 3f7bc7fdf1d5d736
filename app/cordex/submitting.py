"""Predictions of all files of predictors by all models, one file after the other."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from absl import logging

from app.arrays import Json
from app.cordex import protocol
from app.cordex.places import Places, Task
from app.cordex.predicting import models_of, write_prediction
from app.cordex.template import Template, read_template
from app.cordex.tree import TestFile, Tree
from app.door.guest import run_as_guest
from app.errors import InputError
from app.inference.already import hashes
from app.inference.kept import KeptModels
from app.options import Values
from app.options.inference import PredictionOptions
from app.options.machine import MachineConfig
from app.options.option import names_of
from app.running.atomic import read_json, write_json
from app.running.run_folder import model_file

# Flags that prediction takes on from the command line.
DECIDING = frozenset((*names_of(PredictionOptions), "seed"))  # on what is predicted
TAKEN = DECIDING | {*names_of(MachineConfig), "batch_size"}
GIVEN_HERE = frozenset({"model", "input", "output", "input_reference", "ensemble"})
WITHOUT_CORRECTION = "none"


class Predictor:
    """Predicts a tree with the models of a submission."""

    def __init__(
        self, tree: Path, places: Places, templates: Path, values: Values, given: frozenset[str]
    ) -> None:
        self.tree, self.places, self.templates = Tree(tree), places, templates
        self.values = values
        self.flags = {name: values[name] for name in sorted(given & TAKEN - GIVEN_HERE)}
        self.correction = self.flags.pop("input_correction", WITHOUT_CORRECTION)
        if bad := sorted(given & GIVEN_HERE):
            raise InputError(f"cordex predict with --{bad[0]}: the tree and its models are given")

    def run(self, domains: Sequence[str], experiments: Sequence[str]) -> None:
        """Predict what is not there yet of these models.

        InputError where a model or a template is missing, before anything is predicted.
        """
        templates = {name: read_template(self.templates, name) for name in domains}
        tests = {name: self.tree.tests(name) for name in domains}
        models = {
            (domain, experiment): self._models(domain, experiment)
            for domain in domains
            for experiment in experiments
        }
        for (domain, experiment), own in models.items():
            kept = KeptModels()
            for test in tests[domain]:
                self._predict(test, experiment, own, templates[domain], kept)
        shutil.rmtree(self.places.work, ignore_errors=True)

    def _models(self, domain: str, experiment: str) -> dict[str, Path]:
        """The run of each target."""
        runs = {t: self.places.run(Task(domain, experiment, t)) for t in protocol.TARGETS}
        for run in runs.values():
            model_file(run, str(run))
        return runs

    def _predict(
        self,
        test: TestFile,
        experiment: str,
        runs: dict[str, Path],
        template: Template,
        kept: KeptModels,
    ) -> None:
        target = self.places.predictions / test.prediction(experiment)
        own = f"{hashes([model_file(r, str(r)) for r in runs.values()])} {self._how(test)}"
        if not self.values["overwrite"] and models_of(target) == own:
            return
        logging.info("predict %s, %s", test, experiment)
        begun = time.monotonic()
        work = self.places.work
        work.mkdir(parents=True, exist_ok=True)
        fields = {}
        for name, run in runs.items():
            fields[name] = work / f"{name}.nc"
            flags = {
                **self.flags,
                **self._corrected(test),
                "model": run,
                "input": test.path,
                "output": fields[name],
                "save_path": work / "run",
                "cache_dir": self.places.cache,
                "overwrite": True,
            }
            run_as_guest(["test"], flags, verbose=self.values["verbose"], models=kept)
        write_prediction(fields, test.path, template, target, own)
        for path in fields.values():
            path.unlink()
        self._note(target, time.monotonic() - begun)

    def _corrected(self, test: TestFile) -> Json:
        """Flags by which the driving model's predictors are brought to the training climate."""
        if self.correction == WITHOUT_CORRECTION or test.condition == "perfect":
            return {}
        past = next(
            (
                one.path
                for one in self.tree.tests(test.domain)
                if (one.period, one.condition, one.gcm)
                == (protocol.HISTORICAL, test.condition, test.gcm)
            ),
            None,
        )
        if past is None:
            raise InputError(
                f"--input_correction={self.correction}: the tree has no historical predictors of "
                f"{test.gcm} for {test.domain}; expected them, or none"
            )
        return {"input_correction": self.correction, "input_reference": past}

    def _how(self, test: TestFile) -> str:
        """Flags that make other fields of the same models, as text."""
        told = {name: value for name, value in self.flags.items() if name in DECIDING}
        told |= self._corrected(test)
        return " ".join(f"{name}={value}" for name, value in sorted(told.items()))

    def _note(self, target: Path, seconds: float) -> None:
        known = read_json(self.places.times) or {}
        known[target.relative_to(self.places.predictions).as_posix()] = round(seconds, 1)
        write_json(self.places.times, known)
