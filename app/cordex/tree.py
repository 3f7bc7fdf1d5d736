"""The benchmark's data on disk: which files there are, however their folders are spelled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.cordex import protocol
from app.errors import InputError

STATIC = "static"  # begins the name of the file of the orography


@dataclass(frozen=True)
class Training:
    """The files that an experiment trains on in a domain; the n-th of both sorts belong together.

    static: the file of the orography on the target's grid, where there is one.
    """

    predictors: tuple[Path, ...]
    targets: tuple[Path, ...]
    static: Path | None


@dataclass(frozen=True)
class TestFile:
    """A file of predictors that is to be downscaled, and its truth where that is there."""

    __test__ = False  # for pytest: no class of tests

    domain: str
    period: str
    condition: str
    gcm: str
    years: str
    path: Path
    truth: Path | None

    def prediction(self, experiment: str) -> Path:
        """Where a submission has the fields of this file, below its top folder."""
        folder = Path(protocol.DOMAINS[self.domain].folder) / experiment
        name = protocol.prediction_name(self.gcm, self.years)
        return folder / self.period / self.condition / name

    def __str__(self) -> str:
        return f"{self.domain} {self.period} {self.condition} {self.gcm}"


class Tree:
    """A folder of the benchmark's domains."""

    def __init__(self, folder: Path) -> None:
        """InputError where there is no such folder, or no domain in it."""
        self.folder = folder
        if not folder.is_dir():
            raise InputError(f"{folder}: no such folder; expected the benchmark's tree")
        found = {name: self._domain(name) for name in protocol.DOMAINS}
        self._domains = {name: path for name, path in found.items() if path is not None}
        if not self._domains:
            raise InputError(
                f"{folder}: no domain in it; expected folders such as ALPS/ALPS_domain with train "
                "and test"
            )

    @property
    def domains(self) -> tuple[str, ...]:
        """Names of the domains that are there."""
        return tuple(self._domains)

    def domain(self, name: str) -> Path:
        """The folder of a domain. InputError where there is none."""
        if name not in self._domains:
            raise InputError(
                f"{self.folder}: no domain {name}; there are: {', '.join(self.domains)}"
            )
        return self._domains[name]

    def training(self, domain: str, experiment: str) -> Training:
        """InputError where predictors or targets are missing, or do not match."""
        folder = _inner(self.domain(domain), "train", experiment)
        places = {name: _inner(folder, name) for name in ("predictors", "target")}
        predictors = _files(places["predictors"])
        targets = _files(places["target"], f"{'_'.join(protocol.TARGETS)}_")
        for sort, files in (("predictors", predictors), ("target", targets)):
            if not files:
                raise InputError(f"{places[sort]}: no file GCM_YEARS.nc of {domain} {experiment}")
        if missing := sorted(predictors.keys() ^ targets.keys()):
            raise InputError(
                f"{folder}: {'_'.join(missing[0])} has a file in one of predictors and target "
                "alone; expected one in each"
            )
        statics = [one for place in places.values() for one in sorted(place.glob("*.nc"))]
        static = next((one for one in statics if plain(one.name).startswith(STATIC)), None)
        keys = sorted(predictors)
        return Training(
            tuple(predictors[key] for key in keys), tuple(targets[key] for key in keys), static
        )

    def tests(self, domain: str) -> tuple[TestFile, ...]:
        """All files of predictors to be downscaled, by period, condition and model.

        InputError where there is none.
        """
        found = tuple(self._tests(domain))
        if not found:
            place = self.domain(domain) / "test"
            raise InputError(f"{place}: no predictors; expected PERIOD/predictors/perfect/*.nc")
        return found

    def _tests(self, domain: str) -> Iterator[TestFile]:
        top = _spelled(self.domain(domain), "test")
        for period in protocol.PERIODS:
            folder = top and _spelled(top, period)
            if folder is None:
                continue
            target = _spelled(folder, "target")
            truths = _files(target, f"{'_'.join(protocol.TARGETS)}_") if target else {}
            inputs = _spelled(folder, "predictors")
            for condition in protocol.CONDITIONS:
                place = inputs and _spelled(inputs, condition)
                for (gcm, years), path in sorted(_files(place).items() if place else ()):
                    truth = truths.get((gcm, years))
                    yield TestFile(domain, period, condition, gcm, years, path, truth)

    def _domain(self, name: str) -> Path | None:
        """ALPS/ALPS_domain, ALPS_domain, or the domain's own folder."""
        for parts in ((name, f"{name}_domain"), (f"{name}_domain",), (name,)):
            place: Path | None = self.folder
            for part in parts:
                place = place and _spelled(place, part)
            if place is not None and (_spelled(place, "train") or _spelled(place, "test")):
                return place
        return None


def plain(name: str) -> str:
    """A name without the differences of spelling that the benchmark's folders have."""
    return name.lower().replace("-", "_")


def _spelled(folder: Path, name: str) -> Path | None:
    """The folder within another that has this name in some spelling, or its plural."""
    wanted = {plain(name), f"{plain(name)}s"}
    found = [one for one in sorted(folder.iterdir()) if one.is_dir() and plain(one.name) in wanted]
    return found[0] if found else None


def _inner(folder: Path, *names: str) -> Path:
    """Folders within folders. InputError names the first that is missing."""
    for name in names:
        inner = _spelled(folder, name)
        if inner is None:
            there = ", ".join(sorted(one.name for one in folder.iterdir())) or "nothing"
            raise InputError(f"{folder}: no folder {name} in it; there is: {there}")
        folder = inner
    return folder


def _files(folder: Path, prefix: str = "") -> dict[tuple[str, str], Path]:
    """Files of a folder by model and years."""
    found = {}
    for path in sorted(folder.glob("*.nc")):
        match = protocol.FILE.fullmatch(path.name.removeprefix(prefix))
        if match and path.name.startswith(prefix):
            found[match["gcm"], match["years"]] = path
    return found
