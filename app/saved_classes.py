"""Keras learns the classes of saved models when it is imported, not before.

`keras.saving.load_model` knows classes that were registered, and no others; registering ours means
importing Keras, which takes seconds. So they are registered right after somebody imports Keras.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.machinery import PathFinder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

KERAS = "keras"
CLASSES = "app.models"


def register_with_keras() -> None:
    """Register the classes of saved models now if Keras is there, else once it is imported."""
    if sys.modules.get(KERAS) is not None:
        import_module(CLASSES)
    elif not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds Keras as Python does, and has our classes imported behind it."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name != KERAS:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None:
            spec.loader = _Loader(spec.loader)  # type: ignore[assignment]
        return spec


class _Loader:
    """Runs Keras's own loader, then imports our classes."""

    def __init__(self, own: Any) -> None:
        self._own = own

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        created: ModuleType | None = self._own.create_module(spec)
        return created

    def exec_module(self, module: ModuleType) -> None:
        self._own.exec_module(module)
        sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, _Finder)]
        with suppress(ImportError):  # Keras itself is there, with whatever backend it has
            import_module(CLASSES)
