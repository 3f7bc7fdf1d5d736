"""A small made tree, and predictions of it that are right."""

import os
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from app.cordex.predicting import write_prediction
from app.cordex.template import read_template
from app.cordex.tree import Tree
from app.cordex.validation import Submission
from app.synthetic.cordex import make_tree

CELLS, DAYS = 16, 4
EXPERIMENTS = ("ESD_pseudo_reality",)


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Two domains of the benchmark, one projected."""
    folder = tmp_path_factory.mktemp("cordex") / "tree"
    make_tree(folder, ("ALPS", "SA"), CELLS, DAYS)
    return Tree(folder)


@pytest.fixture(scope="session")
def accepted(tree: Tree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The truth, with noise of its own in every file and ten members, as a submission."""
    folder = tmp_path_factory.mktemp("submission") / "predictions"
    work = folder.parent / "work.nc"
    draw = np.random.default_rng(0)
    for domain in tree.domains:
        template = read_template(tree.folder / "templates", domain)
        for test in tree.tests(domain):
            assert test.truth is not None
            for experiment in EXPERIMENTS:
                _with_members(test.truth, work, draw)
                target = folder / test.prediction(experiment)
                fields = dict.fromkeys(("pr", "tasmax"), work)
                write_prediction(fields, test.path, template, target, "made")
    return folder


@pytest.fixture
def submission(tree: Tree, accepted: Path, tmp_path: Path) -> Submission:
    """The accepted files in a folder of its own; they share their bytes until `own` parts them."""
    folder = tmp_path / "predictions"
    shutil.copytree(accepted, folder, copy_function=os.link)
    return Submission(folder, tree, tree.folder / "templates", tree.domains, EXPERIMENTS)


def _with_members(truth: Path, target: Path, draw: np.random.Generator) -> None:
    with netCDF4.Dataset(truth) as source, netCDF4.Dataset(target, "w") as out:
        source.set_auto_maskandscale(False)
        for name, dim in source.dimensions.items():
            out.createDimension(name, len(dim))
        out.createDimension("member", 10)
        for name, variable in source.variables.items():
            drawn = name in ("pr", "tasmax")
            dims = ("member", *variable.dimensions) if drawn else variable.dimensions
            new = out.createVariable(name, variable.dtype, dims)
            new.setncatts({n: variable.getncattr(n) for n in variable.ncattrs()})
            values = variable[...]
            if drawn:
                values = values + draw.uniform(0.1, 0.5, (10, *values.shape)).astype("f4")
            if name == "pr":
                new.units = "mm day-1"
            new[...] = values
