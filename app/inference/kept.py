"""Models that a process has loaded, for calls that follow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from app import plugins

if TYPE_CHECKING:
    from app.models.fitted import FittedModel

M = TypeVar("M", bound="FittedModel")


class KeptModels:
    """Loads each model once, as long as its file and the plugins in use stay what they are."""

    def __init__(self) -> None:
        self._models: dict[tuple[Any, ...], Any] = {}

    def load(self, kind: type[M], path: Path) -> M:
        """The model of a file. InputError where there is none of this kind."""
        facts = path.stat()
        used = tuple(plugins.digests().items())
        key = (kind, path, facts.st_mtime_ns, facts.st_size, used)
        if key not in self._models:
            self._models = {k: m for k, m in self._models.items() if k[1] != path}
            self._models[key] = kind.load(path)
        model: M = self._models[key]
        return model
