"""Command `cordex`: CORDEX-ML-Bench, from its tree of files to the zip that is sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from absl import logging

from app import options
from app.cordex import protocol
from app.cordex.places import Places, Task, tasks_of
from app.errors import InputError
from app.options import Values
from app.options.cordex import CordexOptions
from app.options.inference import PredictionOptions
from app.options.option import names_of
from app.options.readers import path
from app.ranks import Ranks
from app.registry import unknown

if TYPE_CHECKING:
    from app.cordex.validation import Submission

MAKE = "make"
USE = "cordex TREE [make|describe|train|predict|validate|pack|score|cost …]"
# Flags that training does not take on from the command line.
NOT_TRAINING = frozenset(
    {*names_of(CordexOptions, PredictionOptions), "flagfile", "overwrite", "verbose"}
    | {"sbatch_options", "save_path", "data_config"}
)


class Cordex:
    """The steps on one tree."""

    def __init__(self, tree: Path, values: Values, given: frozenset[str]) -> None:
        """given: flags that the user has named, which go on to training and prediction."""
        self.folder, self.values, self.given = tree, values, given
        self.domains: tuple[str, ...] = values["domain"]
        self.experiments: tuple[str, ...] = values["experiment"]
        self.places = Places(path(values["submission"]))
        self.tasks = tasks_of(self.domains, self.experiments)
        for name in ("domain", "experiment"):
            if not values[name]:
                raise InputError(f"--{name}=none: expected at least one")

    def make(self) -> None:
        """A made tree in the place of the real one."""
        from app.synthetic.cordex import make_tree

        values = self.values
        count = make_tree(self.folder, self.domains, values["made_cells"], values["made_days"])
        print(f"{count} files of a made tree in {self.folder}")

    def describe(self) -> None:
        """A data description and a flagfile of every model, and a job array that trains all."""
        from app.cordex.describing import described, job_script
        from app.cordex.packing import check_name
        from app.cordex.tree import Tree
        from app.starting.files import write_new

        tree, flags = Tree(self.folder), self._training_flags()
        orography = check_name(self.places.name)
        found = [described(tree, task, self.places, orography, flags) for task in self.tasks]
        texts = {self.places.description(one.task): one.description for one in found}
        texts |= {self.places.flagfile(one.task): one.flagfile for one in found}
        flagfiles = [self.places.flagfile(task) for task in self.tasks]
        texts[self.places.script] = job_script(
            flagfiles, self.places, self.values["sbatch_options"] or ""
        )
        write_new(texts, self.values["overwrite"], "cordex describe")
        print(f"{len(found)} data descriptions and flagfiles in {flagfiles[0].parent}")
        print(f"or, on a cluster: sbatch {self.places.script}")

    def train(self) -> None:
        """Train every model that is not finished, one after the other."""
        from app.door.guest import run_as_guest

        for task in self.tasks:
            flagfile = self._described(task)
            logging.info("train %s", task.name)
            flags = self._training_flags()
            run_as_guest(["train"], flags, str(flagfile), verbose=self.values["verbose"])

    def predict(self) -> None:
        """Both targets of every file of predictors; what is there of these models stays."""
        from app.cordex.submitting import Predictor

        Predictor(self.folder, self.places, self._template_folder(), self.values, self.given).run(
            self.domains, self.experiments
        )

    def validate(self) -> None:
        """Print what a submission would be refused for. InputError where there is anything."""
        from app.cordex.validation import refusals

        found = refusals(self._submission())
        for line in found:
            print(line)
        if found:
            raise InputError(
                f"{self.places.predictions}: {len(found)} reasons to be refused, above; expected "
                "none"
            )
        print(f"{self.places.predictions}: nothing that it would be refused for")

    def pack(self) -> None:
        """The zip of a submission that is valid and whose name tells of the orography."""
        from app.cordex.packing import check_orography, pack
        from app.data.reading.yaml_description import from_yaml

        self.validate()
        files = [self.places.description(task) for task in self.tasks]
        known = [(task, from_yaml(str(f), "")) for task, f in zip(self.tasks, files, strict=True)
                 if f.is_file()]  # fmt: skip
        check_orography(self.places.name, known)
        archive = pack(self.places, list(self._submission().expected()))
        print(f"{archive}: {archive.stat().st_size / 2**20:.1f} MiB")

    def score(self) -> None:
        """Scores of the protocol, and the change signal, where the tree has a truth."""
        from app.cordex.scoring import score

        print(score(self._submission(), self.places, self.values["verbose"]))

    def cost(self) -> None:
        """What training and prediction took, for the form of registration."""
        from app.cordex.costs import write_costs

        print(write_costs(self.places, self.tasks))

    def _submission(self) -> Submission:
        from app.cordex.tree import Tree
        from app.cordex.validation import Submission

        return Submission(
            self.places.predictions,
            Tree(self.folder),
            self._template_folder(),
            self.domains,
            self.experiments,
        )

    def _template_folder(self) -> Path:
        given = self.values["templates"]
        return path(given) if given else self.folder / "templates"

    def _described(self, task: Task) -> Path:
        flagfile = self.places.flagfile(task)
        if not flagfile.is_file():
            raise InputError(f"{flagfile}: not there; run `cordex {self.folder} describe` first")
        return flagfile

    def _training_flags(self) -> Values:
        """The flags of training that the user has named."""
        return {name: self.values[name] for name in sorted(self.given - NOT_TRAINING)}


STEPS: dict[str, Callable[[Cordex], None]] = {
    "describe": Cordex.describe,
    "train": Cordex.train,
    "predict": Cordex.predict,
    "validate": Cordex.validate,
    "pack": Cordex.pack,
    "score": Cordex.score,
    "cost": Cordex.cost,
}


def run(words: Sequence[str], values: Values, argv: Sequence[str], ranks: Ranks) -> None:
    """Run the steps that are named, in their order; without any the tree is looked at.

    InputError for whatever is missing or would be refused.
    """
    if ranks.size > 1:
        raise InputError(f"cordex under {ranks.launcher}: expected one process")
    if not words:
        raise InputError(f"cordex: expected {USE}")
    known = (MAKE, *STEPS)
    for word in words[1:]:
        if word not in known:
            raise InputError(f"cordex: {unknown('step', word, known)}")
    cordex = Cordex(path(words[0]), values, options.assigned_names(argv))
    if MAKE in words[1:]:
        cordex.make()
    if not words[1:]:
        _look(cordex)
    for name, step in STEPS.items():
        if name in words[1:]:
            step(cordex)


def _look(cordex: Cordex) -> None:
    """Print what a tree holds."""
    from app.cordex.tree import Tree

    tree = Tree(cordex.folder)
    for domain in tree.domains:
        known = protocol.DOMAINS[domain]
        print(f"{domain}  {known.gcm}, transfer to {known.transfer}")
        for experiment in protocol.EXPERIMENTS:
            try:
                files = tree.training(domain, experiment)
                names = ", ".join(one.name for one in files.predictors)
                text = names + ("" if files.static else "; no orography")
            except InputError as error:
                text = f"none: {error}"
            print(f"  train {experiment}: {text}")
        tests = tree.tests(domain)
        truths = sum(test.truth is not None for test in tests)
        print(f"  test: {len(tests)} files of predictors, {truths} with a truth")
