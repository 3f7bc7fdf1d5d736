"""What methods can do, what they refuse, and one of a user's own."""

import re
import subprocess
import sys
from dataclasses import asdict
from itertools import chain
from pathlib import Path

import pytest

import app
from app.errors import InputError
from app.methods.method import Abilities, Method
from app.options import FLAGS_BY_NAME as FLAGS
from app.options import Experiment, build, help_text, parse
from app.options.chosen import KIND, able, method_named
from app.registry import REGISTRY, register

ABILITIES = {
    "SupervisedTrainer": "time_windows observations dense_weights quantiles amounts",
    "CGANTrainer": "time_windows observations dense_weights",
    "DiffusionTrainer": "observations members",
    "CRPSTrainer": "observations members",
    "DeepSDTrainer": "dense_weights stages",
    "TemDeepTrainer": "",
}
PACKAGE = Path(app.__file__).parent
DATA = ("train", "--data=synthetic", "--variable=t2m")


@pytest.fixture
def own_method(monkeypatch: pytest.MonkeyPatch) -> str:
    """A method of a user's own, registered for this test alone."""
    known = {kind: dict(entries) for kind, entries in REGISTRY._entries.items()}
    monkeypatch.setattr(REGISTRY, "_entries", known)
    register("trainer", "OwnTrainer", "remembers what it was asked")(Own)
    return "OwnTrainer"


class Own(Method):
    abilities = Abilities(dense_weights=True)
    flags = ("dense_alpha",)

    def train(self, session: object) -> None:
        raise NotImplementedError

    def check_data(self, experiment: object, shards: object) -> None:
        raise NotImplementedError

    def guarded_path(self, experiment: Experiment) -> Path:
        return experiment.save_path / "own"


@pytest.mark.parametrize("name", REGISTRY.names(KIND))
def test_each_can_do_what_its_users_were_told(name: str) -> None:
    able_to = {ability for ability, able in asdict(method_named(name).abilities).items() if able}
    assert able_to == set(ABILITIES[name].split())
    assert method_named(name).task == ("time" if name == "TemDeepTrainer" else "space")


def experiment(trainer: str, *flags: str) -> Experiment:
    words, values = parse([*DATA, *flags])
    return build(words, {**values, "trainer": trainer})


def test_a_method_of_ones_own_needs_one_call(own_method: str) -> None:
    found = experiment(own_method)
    assert found.method.summary == "remembers what it was asked"
    assert found.guarded_path == found.save_path / "own"
    assert able("dense_weights")[-1] == own_method


def test_what_a_method_cannot_do_is_refused_without_its_help(own_method: str) -> None:
    with pytest.raises(InputError, match=r"OwnTrainer with --time_window=3: .* spatial samples"):
        experiment(own_method, "--time_window=3")
    with pytest.raises(InputError, match=r"expected one of .*, OwnTrainer$"):
        experiment("DiffusionTrainer", "--loss=mae", "--dense_alpha=1")


def test_help_names_the_method_that_alone_reads_a_flag(own_method: str) -> None:
    text = " ".join(help_text("", "all").split())
    assert "--n_disc_filters Filters of the discriminator (CGANTrainer). (default" in text
    assert f"huber (DenseLoss); 0: not ({own_method}). (default" in text
    assert set(chain(*(method_named(name).flags for name in REGISTRY.names(KIND)))) <= set(FLAGS)


def test_no_name_of_a_method_stands_outside_methods_and_the_registry() -> None:
    names = re.compile(rf"\b({'|'.join(REGISTRY.names(KIND))})\b")
    elsewhere = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if file.relative_to(PACKAGE).parts[0] != "methods" and names.search(file.read_text())
    }
    assert elsewhere == {"registry.py"}


def test_asking_a_method_imports_nothing_heavy() -> None:
    code = (
        "import sys; from app.options.chosen import KIND, able; able('members');"
        "sys.exit(any(m in sys.modules for m in ('keras', 'tensorflow', 'xarray', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
