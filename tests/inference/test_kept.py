"""A model is loaded once, and again when its file has changed."""

from pathlib import Path
from typing import Any

from app.inference.kept import KeptModels


def test_a_model_is_loaded_again_when_its_file_has_changed(tmp_path: Path) -> None:
    read: list[str] = []

    class Kind:
        @classmethod
        def load(cls, path: Path) -> Any:
            read.append(path.read_text())
            return cls()

    class Other(Kind):
        pass

    kind: Any = Kind
    kept, path = KeptModels(), tmp_path / "model.keras"
    path.write_text("first")
    model = kept.load(kind, path)
    assert kept.load(kind, path) is model
    assert read == ["first"]
    path.write_text("second one")
    assert kept.load(kind, path) is not model
    other: Any = Other
    assert isinstance(kept.load(other, path), Other)
    assert read == ["first", "second one", "second one"]
