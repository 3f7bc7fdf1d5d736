"""Python files of the user's that register further names: --plugins=FILE.py,…

They are code, and run where a command line, a flagfile on it, or a call names them; nothing that a
run folder or a saved model says runs one.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from app.errors import InputError, one_line
from app.registry import REGISTRY

PREFIX = "finescale_plugin_"  # of the names that their modules have in Python
SUFFIX = ".py"
LAYERS = "layers"  # the function of a plugin that defines its Keras classes

_loaded: dict[str, str] = {}  # absolute path of each file → sha256 of its content


def use(names: Iterable[str]) -> None:
    """Run these files, in their order, and forget all others that were run before.

    A file that was run already, and has not changed, is not run again. Raises InputError, in one
    line, for what is no such file, and for whatever happens in one.
    """
    wanted = {}
    for name in names:
        path = Path(name).expanduser().absolute()
        wanted[str(path)] = _digest(path, name)
    if list(wanted.items()) == list(_loaded.items()):
        return
    for known in list(_loaded):
        _forget(known)
    for file, digest in wanted.items():
        _run(Path(file), digest)


def digests() -> dict[str, str]:
    """The sha256 of each plugin in use, by the name of its file."""
    return {Path(path).name: digest for path, digest in _loaded.items()}


def digest_of(thing: Any) -> str | None:
    """The sha256 of the plugin that defines a function or class; None for the program's own."""
    file = file_of(str(getattr(thing, "__module__", "")))
    return None if file is None else digests().get(file)


def file_of(module: str) -> str | None:
    """The file's name of a plugin's module, in use or not; None for any other module."""
    return f"{module.removeprefix(PREFIX)}{SUFFIX}" if module.startswith(PREFIX) else None


def in_use(module: str) -> bool:
    """Whether a module is a plugin that was named."""
    return file_of(module) in digests()


def changed(before: Mapping[str, str]) -> list[str]:
    """Names of plugins in use whose content is another than before."""
    return [name for name, digest in digests().items() if before.get(name, digest) != digest]


def define_layers() -> None:
    """Let each plugin define its Keras classes, now that Keras is there: its function `layers`."""
    for path in _loaded:
        layers = getattr(sys.modules[PREFIX + Path(path).stem], LAYERS, None)
        if layers is not None:
            layers()


def place(error: BaseException) -> str | None:
    """The last line of a plugin that an error passed: `mine.py, line 3`."""
    if isinstance(error, SyntaxError) and error.filename in _loaded:
        return f"{error.filename}, line {error.lineno}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in _loaded]
    return f"{frames[-1].filename}, line {frames[-1].lineno}" if frames else None


def _digest(path: Path, name: str) -> str:
    if path.suffix != SUFFIX or not path.is_file():
        raise InputError(f"--plugins={name}: expected Python files that are there, with commas")
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"--plugins={name}: cannot be read ({one_line(error)})") from error


def _run(path: Path, digest: str) -> None:
    if path.name in digests():
        raise InputError(f"--plugins={path}: another plugin is called {path.name}; rename one")
    module_name = PREFIX + path.stem
    spec = importlib.util.spec_from_file_location(module_name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    _loaded[str(path)] = digest
    sys.modules[module_name] = module
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # where the file imports Keras at its top
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        where = place(error) or str(path)
        _forget(str(path))
        raise InputError(f"--plugins: {where}: {described(error)}") from error


def described(error: BaseException) -> str:
    """An error's class and text, on one line."""
    text, name = one_line(error), type(error).__name__
    return text if text.startswith(name) or isinstance(error, InputError) else f"{name}: {text}"


def _forget(path: str) -> None:
    module_name = PREFIX + Path(path).stem
    REGISTRY.remove_module(module_name)
    sys.modules.pop(module_name, None)
    _loaded.pop(path, None)
