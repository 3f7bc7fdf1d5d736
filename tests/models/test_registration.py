"""A fresh process that imports the package can load whatever network was saved."""

import subprocess
import sys

CODE = """
import importlib, pkgutil
import app.models
import keras

def registered():
    return {name for name in keras.saving.get_custom_objects() if name.startswith("finescale>")}

at_once = registered()
for module in pkgutil.walk_packages(app.models.__path__, "app.models."):
    importlib.import_module(module.name)
print(*sorted(registered() - at_once))
assert len(at_once) > 10
"""


def test_importing_the_package_registers_every_layer() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], check=True, stdout=subprocess.PIPE, text=True
    )
    assert done.stdout.split() == []
