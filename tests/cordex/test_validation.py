"""The validator passes what is right, and refuses every spoilt copy for its own reason."""

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest

from app.cordex.validation import Submission, refusals

ALPS = (
    "ALPS_Domain/ESD_pseudo_reality/historical/perfect/Predictions_pr_tasmax_CNRM-CM5_1981-2000.nc"
)
SA = "SA_Domain/ESD_pseudo_reality/end_century/imperfect/"
SA += "Predictions_pr_tasmax_NorESM2-MM_2080-2099.nc"
Change = Callable[[netCDF4.Dataset], None]


def test_right_predictions_pass(submission: Submission) -> None:
    assert refusals(submission) == []


def own(path: Path) -> Path:
    """A file that shares its bytes with no other submission, so that it may be spoilt."""
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    return path


def values(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Change:
    """Other values of a variable."""

    def spoil(file: netCDF4.Dataset) -> None:
        file[name][...] = change(file[name][...])

    return spoil


def attribute(variable: str, name: str, value: str | None) -> Change:
    """Another attribute, or none."""

    def spoil(file: netCDF4.Dataset) -> None:
        if value is None:
            file[variable].delncattr(name)
        else:
            file[variable].setncattr(name, value)

    return spoil


def renamed(old: str, new: str) -> Change:
    return lambda file: file.renameVariable(old, new)


def some(value: float) -> Callable[[np.ndarray], np.ndarray]:
    """One value put into a field."""

    def change(fields: np.ndarray) -> np.ndarray:
        fields[3, 1, 2, 5] = value
        return fields

    return change


IN_PLACE = {
    "dates a day late": (ALPS, values("time", lambda t: t + 1), ["4 of 4 times are others"]),
    "dates of another year": (SA, values("time", lambda t: t - 365 * 1440), ["times are others"]),
    "dates in another order": (ALPS, values("time", lambda t: t[::-1]), ["times are others"]),
    "a date twice": (ALPS, values("time", lambda t: t[[0, 1, 1, 3]]), ["1 of 4 times"]),
    "hours called days": (
        ALPS,
        attribute("time", "units", "hours since 1949-12-01"),
        ["times are others"],
    ),
    "no unit of time": (SA, attribute("time", "units", None), ["time cannot be decoded"]),
    "another calendar": (SA, attribute("time", "calendar", "360_day"), ["the calendar 360_day"]),
    "latitude upside down": (SA, values("lat", lambda v: v[::-1]), ["lat runs the other way"]),
    "projected axis upside down": (ALPS, values("y", lambda v: v[::-1]), ["y runs the other way"]),
    "longitude mirrored": (ALPS, values("lon", lambda v: v[:, ::-1]), ["lon runs the other way"]),
    "half a cell off": (SA, values("lon", lambda v: v + 0.4), ["lon differs from the template"]),
    "metres for kilometres": (ALPS, values("x", lambda v: 1000 * v), ["x differs from"]),
    "metres in the unit": (ALPS, attribute("x", "units", "m"), ["x has units 'm'"]),
    "a coordinate without its name": (
        SA,
        attribute("lat", "standard_name", None),
        ["lat lacks the attribute standard_name"],
    ),
    "no longitudes": (ALPS, renamed("lon", "longitude"), ["no variable lon"]),
    "no rain": (SA, renamed("pr", "precipitation"), ["no variable pr"]),
    "Celsius for kelvin": (ALPS, values("tasmax", lambda v: v - 273.15), ["degrees Celsius"]),
    "Celsius in the unit": (ALPS, attribute("tasmax", "units", "degC"), ["has units 'degC'"]),
    "rain a second": (SA, values("pr", lambda v: v / 86400), ["pr is", "of which 86400"]),
    "rain in metres": (SA, values("pr", lambda v: v * 1e5), ["pr is up to"]),
    "negative rain": (ALPS, values("pr", some(-2.0)), ["pr is down to -2"]),
    "a missing value": (ALPS, values("tasmax", some(np.nan)), ["tasmax is missing at 1 of"]),
    "an infinite value": (SA, values("pr", some(np.inf)), ["pr is missing at 1 of"]),
    "heat of the sun": (SA, values("tasmax", some(5000.0)), ["tasmax is up to 5000"]),
    "all days alike": (
        ALPS,
        values("tasmax", lambda v: np.broadcast_to(v[:1, :1], v.shape)),
        ["the same field at every time"],
    ),
    "all members alike": (
        SA,
        values("pr", lambda v: np.broadcast_to(v[:1], v.shape)),
        ["the same fields in all members"],
    ),
}


@pytest.mark.parametrize("spoilt", IN_PLACE)
def test_a_spoilt_file_is_refused(submission: Submission, spoilt: str) -> None:
    """For one reason, which names the file."""
    path, spoil, reasons = IN_PLACE[spoilt]
    own(submission.folder / path)
    with netCDF4.Dataset(submission.folder / path, "a") as file:
        file.set_auto_mask(False)
        spoil(file)
    found = refusals(submission)
    assert all(line.startswith(path) for line in found)
    text = "\n".join(found)
    assert all(reason in text for reason in reasons), text
    assert len(found) <= 3
    assert all("\n" not in line for line in found)
    assert "expected" in text or "there are" in text


def rewritten(path: Path, change: Callable[[str, tuple, np.ndarray], tuple]) -> None:
    """A file anew, with other dimensions or values of its variables."""
    with netCDF4.Dataset(path) as source:
        source.set_auto_maskandscale(False)
        held = {
            name: (v.dimensions, v[...], {n: v.getncattr(n) for n in v.ncattrs()})
            for name, v in source.variables.items()
        }
    with netCDF4.Dataset(path, "w") as out:
        for name, (dims, fields, attributes) in held.items():
            dims, fields = change(name, dims, fields)
            for dim, size in zip(dims, fields.shape, strict=True):
                if dim not in out.dimensions:
                    out.createDimension(dim, size)
            attributes.pop("_FillValue", None)
            out.createVariable(name, fields.dtype, dims).setncatts(attributes)
            out[name][...] = fields


def of_targets(change: Callable[[tuple, np.ndarray], tuple], *names: str) -> Callable:
    """The change of these variables alone."""
    return lambda name, dims, fields: change(dims, fields) if name in names else (dims, fields)


BOTH = ("pr", "tasmax")
REWRITTEN = {
    "nine members": (of_targets(lambda d, f: (d, f[:9]), *BOTH), "9 members"),
    "members of rain alone": (of_targets(lambda d, f: (d[1:], f[0]), "tasmax"), "no members"),
    "no members in one file": (of_targets(lambda d, f: (d[1:], f[0]), *BOTH), "most files have"),
    "members by another name": (
        of_targets(lambda d, f: (("realization", *d[1:]), f), *BOTH),
        "has dimensions realization",
    ),
    "members last": (
        of_targets(lambda d, f: ((*d[1:], d[0]), np.moveaxis(f, 0, -1)), *BOTH),
        "has dimensions time 4",
    ),
    "rows and columns exchanged": (
        of_targets(lambda d, f: ((*d[:2], d[3], d[2]), f.swapaxes(2, 3)), "pr"),
        "pr has dimensions",
    ),
    "whole numbers": (of_targets(lambda d, f: (d, f.astype("i2")), "tasmax"), "stored as int16"),
    "a day short": (
        lambda name, dims, fields: (
            dims,
            fields.take(range(3), dims.index("time")) if "time" in dims else fields,
        ),
        "3 times",
    ),
    "a smaller grid": (
        lambda name, dims, fields: (
            dims,
            fields.take(range(15), dims.index("y")) if "y" in dims else fields,
        ),
        "y has dimensions y 15",
    ),
}


@pytest.mark.parametrize("spoilt", REWRITTEN)
def test_a_file_of_another_shape_is_refused(submission: Submission, spoilt: str) -> None:
    change, reason = REWRITTEN[spoilt]
    rewritten(own(submission.folder / ALPS), change)
    found = refusals(submission)
    assert all(line.startswith(ALPS) for line in found)
    assert any(reason in line and "expected" in line for line in found), found


FOLDER = {
    "a file is missing": (lambda f: (f / ALPS).unlink(), f"{ALPS}: missing"),
    "a file too many": (lambda f: (f / "notes.txt").write_text("x"), "notes.txt: not asked for"),
    "another model in the name": (
        lambda f: (f / ALPS).rename(f / ALPS.replace("CNRM-CM5", "CNRM")),
        f"{ALPS}: missing",
    ),
    "a domain's folder as in the data": (
        lambda f: (f / "SA_Domain").rename(f / "SA_domain"),
        f"{SA}: missing",
    ),
    "half a file": (
        lambda f: own(f / SA).write_bytes((f / SA).read_bytes()[:5000]),
        f"{SA}: cannot be read",
    ),
    "text instead of NetCDF": (lambda f: own(f / SA).write_text("pr"), f"{SA}: cannot be read"),
    "no folder at all": (lambda f: f.rename(f.with_name("other")), "no such folder"),
}


@pytest.mark.parametrize("spoilt", FOLDER)
def test_a_spoilt_folder_is_refused(submission: Submission, spoilt: str) -> None:
    spoil, reason = FOLDER[spoilt]
    spoil(submission.folder)
    found = refusals(submission)
    assert any(reason in line for line in found), found


def test_fields_of_another_file_are_refused(submission: Submission) -> None:
    """Right dates do not hide that fields were written twice."""
    other = ALPS.replace("/perfect/", "/imperfect/")
    with netCDF4.Dataset(submission.folder / ALPS) as source:
        held = {name: source[name][...] for name in BOTH}
    with netCDF4.Dataset(own(submission.folder / other), "a") as file:
        for name, fields in held.items():
            file[name][...] = fields
    (line,) = refusals(submission)
    assert "has the very fields of" in line
    assert ALPS in line
    assert other in line
