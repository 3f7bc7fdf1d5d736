"""A trained model as one .keras file that is there whole or not at all."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import RunError
from app.running.disk_space import writing

if TYPE_CHECKING:
    import keras

FLOAT = 4  # bytes


def save_model(model: keras.Model, path: Path) -> None:
    """Write a model; RunError where that fails, NoRoom for want of space."""
    temporary = path.with_name(f".{path.stem}.part.keras")
    size = FLOAT * model.count_params()
    try:
        with writing(path, size):
            model.save(temporary)
            temporary.replace(path)
    except (OSError, ValueError) as error:  # Keras hides the one behind the other
        raise RunError(f"{path}: cannot be written ({_cause(error)})") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _cause(error: BaseException) -> BaseException:
    """The system's own error behind others that followed from it."""
    behind = error.__context__
    return error if behind is None or getattr(error, "errno", None) else _cause(behind)
