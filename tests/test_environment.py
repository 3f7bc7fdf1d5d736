"""What is installed, and that the program needs no more of it than it says."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from importlib.util import find_spec
from pathlib import Path

import pytest

from app.distributed.libraries import has_horovod

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
WITHOUT = "FINESCALE_WITHOUT_HOROVOD"
IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module
sys.modules["horovod"] = None
import app
for module in pkgutil.walk_packages(app.__path__, "app."):
    if not module.name.endswith("__main__"):
        import_module(module.name)
print(len(sys.modules))
"""


def test_horovod_is_here_for_the_tests_that_need_it() -> None:
    """Else they would be skipped unseen; who wants that says so by the variable."""
    if os.environ.get(WITHOUT) == "1":
        pytest.skip(f"{WITHOUT}=1")
    assert has_horovod(), f"run the README's test command, or set {WITHOUT}=1"
    (folder,) = find_spec("horovod").submodule_search_locations
    assert list(Path(folder).glob("tensorflow/mpi_lib*.so")), "built without TensorFlow"
    assert (Path(sys.executable).parent / "horovodrun").is_file()


def test_no_module_imports_horovod_before_it_is_wanted() -> None:
    found = [
        f"{path.relative_to(REPOSITORY)}:{node.lineno}"
        for path in (REPOSITORY / "app").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and ast.unparse(node).split()[1].split(".")[0] == "horovod"
    ]
    assert found == []


@pytest.mark.slow
def test_everything_imports_without_horovod() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "KERAS_BACKEND": "tensorflow"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) > 1000


def test_only_the_extra_is_compiled() -> None:
    """The extra has Horovod, and what anybody installs has all that several processes need."""
    names = {re.split(r"[^\w-]", one)[0] for one in PROJECT["dependencies"]}
    assert "horovod" not in names
    assert {"mpi4py", "openmpi", "psutil"} <= names
    assert PROJECT["optional-dependencies"]["horovod"] == ["horovod==0.28.1"]


def test_the_gate_runs_the_test_command_of_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"^python3 -m venv .*uv (run .*pytest)$", readme, flags=re.MULTILINE)
    gate = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert command == "run --extra horovod pytest"
    assert f"uv {command}" in gate
    (sync,) = [line for line in gate if line.startswith("uv sync")]
    assert "--extra horovod" in sync
