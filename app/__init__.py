"""finescale: deep-learning downscaling of gridded Earth-science data.

The door for Python. Nothing heavy is imported until a function is used:

    import app

    model = app.load("runs/first")                        # a run folder, or a .keras file
    fine = model.predict(coarse)                          # xarray in, CF xarray out
    run = app.fit("flagfiles/quickstart.cfg", epochs=5)   # the stages train, test and metrics
    table = app.score(truth, prediction)                  # a pandas table of scores
"""

from __future__ import annotations

from importlib import import_module

from app.saved_classes import register_with_keras

TYPE_CHECKING = False  # the module typing would take longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

    from app.door.fit import Run, fit
    from app.door.model import Model, load
    from app.door.score import score
    from app.errors import InputError, RunError
    from app.registry import register

__all__ = ["InputError", "Model", "Run", "RunError", "fit", "load", "register", "score"]
_PLACES = {
    "InputError": "app.errors",
    "Model": "app.door.model",
    "Run": "app.door.fit",
    "RunError": "app.errors",
    "fit": "app.door.fit",
    "load": "app.door.model",
    "register": "app.registry",
    "score": "app.door.score",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, when it is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


register_with_keras()
