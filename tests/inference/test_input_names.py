"""Variables of other files are found by the name given, by standard_name, or by another name."""

from pathlib import Path

import pytest
import xarray as xr

from app.data.description import Source, Variable
from app.errors import InputError
from app.inference.input_names import as_called_in
from app.options.readers import pairs
from tests.data.shard_helpers import field

KELVIN = Variable("tas", "t2m", units="K", standard_name="air_temperature")


def file(tmp_path: Path, *names: str, standard_names: dict[str, str] | None = None) -> tuple[str]:
    dataset = xr.Dataset({name: field(2, name=name) for name in names})
    for name, standard_name in (standard_names or {}).items():
        dataset[name].attrs["standard_name"] = standard_name
    dataset.to_netcdf(tmp_path / "in.nc")
    return (str(tmp_path / "in.nc"),)


def name_in(files: tuple[str, ...], variable: Variable = KELVIN, **given: str) -> str:
    (found,) = as_called_in([Source(("old.nc",), (variable,))], files, given)
    assert found.files == files
    return found.variables[0].source_name


@pytest.mark.parametrize(
    ("names", "standard_names", "expected"),
    [
        (("t2m", "tas"), {}, "t2m"),
        (("tas", "x"), {"x": "air_temperature"}, "tas"),
        (("T2M", "x"), {}, "T2M"),
        (("x", "y"), {"y": "air_temperature"}, "y"),
        (("2t", "d2m"), {}, "2t"),
    ],
)
def test_the_nearest_name_is_taken(tmp_path, names, standard_names, expected):
    assert name_in(file(tmp_path, *names, standard_names=standard_names)) == expected


def test_a_name_that_is_given_goes_before_all_others(tmp_path):
    files = file(tmp_path, "t2m", "x")
    assert name_in(files, tas="x") == "x"
    assert name_in(files, t2m="x") == "x"
    with pytest.raises(InputError, match=r"tas:y: .* has no y; there are: t2m, x"):
        name_in(files, tas="y")
    with pytest.raises(InputError, match="the model has no input pr; expected some of tas"):
        name_in(files, pr="x")


@pytest.mark.parametrize("given", [{}, {"tas": "Grid/x"}])
def test_variables_in_groups_are_found(tmp_path, given):
    data = field(2, name="x")
    data.attrs["standard_name"] = "air_temperature"
    data.to_netcdf(tmp_path / "in.nc", group="Grid")
    assert name_in((str(tmp_path / "in.nc"),), **given) == given.get("tas", "x")


def test_what_is_not_plain_is_refused_with_the_candidates(tmp_path):
    same = {"a": "air_temperature", "b": "air_temperature"}
    with pytest.raises(InputError, match=r"a and b may stand for it; expected --input_variables"):
        name_in(file(tmp_path, "a", "b", standard_names=same))
    with pytest.raises(InputError, match=r"no t2m \(standard_name air_temperature\); .*: a, b;"):
        name_in(file(tmp_path, "a", "b"))


def test_a_field_on_pressure_levels_is_no_surface_field(tmp_path):
    upper = field(2, name="ta").expand_dims(plev=[85000.0])
    upper.attrs["standard_name"] = "air_temperature"
    upper.to_netcdf(tmp_path / "in.nc")
    files = (str(tmp_path / "in.nc"),)
    with pytest.raises(InputError, match="has no t2m"):
        name_in(files)
    level = Variable("t", "t", level=850.0)
    assert name_in(files, level) == "ta"


def test_choices_that_files_do_not_offer_are_left_out(tmp_path, caplog):
    caplog.set_level("INFO", logger="absl")
    files = file(tmp_path, "t2m")
    chosen = Source(("old.nc",), (KELVIN,), member=0, select={"step": 6})
    (found,) = as_called_in([chosen], files, {})
    assert found.member is None
    assert found.select == {}
    assert "the model was trained on member 0" in caplog.text
    several = field(2, name="t2m").expand_dims(number=[0, 1], step=[6, 12])
    several.to_netcdf(tmp_path / "several.nc")
    (found,) = as_called_in([chosen], (str(tmp_path / "several.nc"),), {})
    assert (found.member, found.select) == (0, {"step": 6})
    assert "expected to have member 0, step 6, as in training" in caplog.text


@pytest.mark.parametrize("text", ["t2m", "t2m:", ":tas", "a:b,a:c"])
def test_names_are_pairs(text):
    assert pairs("a:b, c:d", "input_variables") == {"a": "b", "c": "d"}
    assert pairs(None, "input_variables") == {}
    with pytest.raises(InputError, match="expected the model's name, a colon"):
        pairs(text, "input_variables")
