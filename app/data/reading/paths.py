"""Where data lie: files, globs and addresses as users write them; each refusal has its reason."""

from __future__ import annotations

import glob
import importlib.util
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from app.data.reading.containers import ZARR_METADATA, refuse_missing_metadata
from app.errors import InputError, one_line
from app.registry import REGISTRY
from app.running.masking import has_secret, masked

SYNTHETIC = "synthetic"  # the built-in generator of weather
REMOTE = "://"
QUOTES = ('"', "'")
MOST_COMMAS = 8  # looked for in the name of a file
LOCAL_ADDRESS = "file://"
WILDCARDS = frozenset("*?[")
# Addresses that need a package, and those whose Zarr stores do.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
WEB = {"http": "aiohttp", "https": "aiohttp"}


def absolute(text: str, base: Path) -> str:
    """A path below `base`, `~` filled in; addresses and registered sources stay what they are."""
    if is_source(text):
        return text.strip()
    if text.startswith(LOCAL_ADDRESS):
        text = text.removeprefix(LOCAL_ADDRESS)
    if REMOTE in text:
        _refuse_secret(text)
        return text
    return str(base / local(text))


def is_source(text: str) -> bool:
    """Whether a text names a registered source, NAME or NAME:ARGUMENT, instead of a file."""
    name, _, argument = text.strip().partition(":")
    return name in REGISTRY.names("source") and not argument.startswith("//")


def local(text: str) -> Path:
    """A path with `~` filled in; a `~name` that is nobody's home is a file's name."""
    try:
        return Path(text).expanduser()
    except (RuntimeError, ValueError):
        return Path(text)


def separate(text: str, leads: Callable[[str], bool] | None = None) -> tuple[str, ...]:
    """The parts of a text with commas between, where a file's own name may have commas.

    leads: whether a part with commas leads somewhere, in which case it is not cut.
    """
    leads = leads_somewhere if leads is None else leads
    words = text.split(",")
    parts: list[str] = []
    first = 0
    while first < len(words):
        for last in range(min(len(words), first + MOST_COMMAS + 1), first, -1):
            part = ",".join(words[first:last]).strip()
            if last == first + 1 or leads(part):
                break
        if part:
            parts.append(part)
        first = last
    return tuple(parts)


def leads_somewhere(text: str) -> bool:
    """Whether a local path or glob leads to a file."""
    path = str(local(text.removeprefix(LOCAL_ADDRESS)))
    return os.path.lexists(path) or bool(_globbed(path))


def is_data(path: str) -> bool:
    """Whether a path is that of a file, or of a folder that is a Zarr store."""
    if os.path.isfile(path):
        return True
    return any(os.path.lexists(os.path.join(path, name)) for name in ZARR_METADATA)


def expand(patterns: Iterable[str]) -> list[str]:
    """Paths behind files and globs, in order and each once.

    A path that exists is taken as it is, whatever characters it has. InputError for what leads to
    nothing, or may not be read.
    """
    paths: list[str] = []
    for given in patterns:
        pattern = given.removeprefix(LOCAL_ADDRESS)
        if REMOTE in pattern:
            paths += _remote(pattern)
            continue
        pattern = pattern if _exists(pattern) else str(local(pattern))
        found = [pattern] if _exists(pattern) else _globbed(pattern)
        if not found:
            raise InputError(f"{pattern}: {_nothing(pattern)}")
        for path in found:
            _refuse_unusable(path)
        paths += found
    return list(dict.fromkeys(paths))


def _exists(path: str) -> bool:
    try:
        return os.path.lexists(path)
    except ValueError:  # a NUL character
        return False


def _globbed(pattern: str) -> list[str]:
    """Matches of a glob; its leading parts that exist as they stand are no patterns."""
    if not WILDCARDS & set(pattern) or "\0" in pattern:
        return []
    parts = Path(pattern).parts
    known = 0
    while known < len(parts) - 1 and _exists(str(Path(*parts[: known + 1]))):
        known += 1
    start = [glob.escape(part) for part in parts[:known]]
    rest = list(parts[known:])
    for tail in (rest, [part.replace("[", "[[]") for part in rest]):
        try:
            found = sorted(glob.glob(os.path.join(*start, *tail), recursive=True))
        except ValueError:  # half a character, which no file's name has
            return []
        if found:
            return found
    return []


def _nothing(pattern: str) -> str:
    """Why a path leads to nothing."""
    for part in (Path(pattern), *Path(pattern).parents):
        try:
            if os.path.islink(part) and not os.path.exists(part):
                return f"{part.name} is a link to {os.readlink(part)}, which does not exist"
            part.stat()
        except PermissionError:
            return f"no permission to look into {part.parent}"
        except (OSError, ValueError, RuntimeError):
            continue
        if part != Path(pattern) and not os.path.isdir(part):
            return f"{part} is a file, no folder"
    what = "no file matches" if WILDCARDS & set(pattern) else "no such file"
    if pattern.endswith(QUOTES):
        return f"{what}; the quotes are taken for a part of the name, leave them out"
    if "," in pattern:
        return f"{what}; in a YAML several files are a list, [a.nc, b.nc]"
    folders = [part for part in Path(pattern).parents if not WILDCARDS & set(str(part))]
    gone = [part for part in folders if not _exists(str(part))]
    there = [part for part in folders if os.path.isdir(part)]
    if there and not os.access(there[0], os.R_OK | os.X_OK):
        return f"no permission to look into {there[0]}"
    return f"{what}; there is no folder {gone[-1]}" if gone else what


def _refuse_unusable(path: str) -> None:
    """InputError unless a path leads to something that may be read."""
    try:
        os.stat(path)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: {_nothing(path)}") from error
    if not os.access(path, os.R_OK):
        raise InputError(f"{path}: no permission to read it")
    if os.path.isdir(path):
        refuse_missing_metadata(path)


def _refuse_secret(address: str) -> None:
    """InputError for an address with a password: caches, runs and models keep addresses."""
    if has_secret(address):
        raise InputError(
            f"{masked(address)}: an address with a user or secret in it, which the files of a run "
            "would keep; expected credentials where the package for such addresses looks for them"
        )


def _remote(pattern: str) -> list[str]:
    """An address, or the addresses that a glob in a store matches."""
    _refuse_secret(pattern)
    scheme = pattern.partition(REMOTE)[0].lower()
    needed = PACKAGES.get(scheme)
    if scheme in WEB and ".zarr" in pattern:
        needed = WEB[scheme]
    if needed and importlib.util.find_spec(needed) is None:
        raise InputError(
            f"{pattern}: {scheme} addresses need the package {needed}, which is not installed "
            f"(pip install {needed}); or copy the data here"
        )
    if scheme not in {*PACKAGES, *WEB}:
        raise InputError(
            f"{pattern}: unknown kind of address {scheme}; expected one of "
            f"{', '.join((*PACKAGES, *WEB))}, or a file"
        )
    if scheme in WEB:
        if "*" in pattern:
            raise InputError(f"{pattern}: a web server cannot be searched; name each address")
        return [pattern]
    return _found_in_store(pattern, scheme) if "*" in pattern else [pattern]


def _found_in_store(pattern: str, scheme: str) -> list[str]:
    import fsspec

    try:
        system, path = fsspec.core.url_to_fs(pattern)
        found = sorted(f"{scheme}{REMOTE}{name}" for name in system.glob(path))
    except Exception as error:  # of whatever package serves the addresses
        raise InputError(f"{pattern}: cannot be searched ({one_line(error)})") from error
    if not found:
        raise InputError(f"{pattern}: no file matches")
    return found
