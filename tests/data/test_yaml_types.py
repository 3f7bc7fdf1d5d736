"""Natural values of another type in a YAML mean what they say, or are refused by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from app.data.description import DataDescription, Source, Variable
from app.data.reading.sources import open_source
from app.data.reading.yaml_description import from_yaml
from app.data.shards import Shards
from app.data.shards.prepare import prepare
from app.errors import InputError


@pytest.fixture
def read(tmp_path: Path):
    """A YAML text as a description."""

    def described(text: str) -> DataDescription:
        path = tmp_path / "data.yml"
        path.write_text(text, encoding="utf-8")
        return from_yaml(str(path), "/data")

    return described


def source_of(options: str) -> str:
    """A YAML whose predictor has some options."""
    return (
        "predictand: {files: a.nc, variables: {x: {}}}\n"
        f"predictors: {{files: a.nc, variables: {{y: {{}}}}, {options}}}\n"
    )


def variable_of(options: str) -> str:
    return f"predictand: {{files: a.nc, variables: {{x: {{{options}}}}}}}\n"


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        ("lags: 1", "lags", (1,)),
        ("lags: '0'", "lags", (0,)),
        ("lags: [0, 2]", "lags", (0, 2)),
        ("member: 3", "member", 3),
        ("member: r1i1p1f1", "member", "r1i1p1f1"),
        ("member: 010", "member", "010"),
        ("member: no", "member", "no"),
        ("time_shift: -12h", "time_shift", "-12h"),
        ("time_shift: 00:30:00", "time_shift", "00:30:00"),
        ("aggregate: 1D:mean", "aggregate", "1D:mean"),
        ("select: {step: 6, expver: 0001, depth: 0.5}", "select",
         {"step": 6, "expver": "0001", "depth": 0.5}),
        ("engine: null", "engine", None),
        ("lags: ", "lags", (0,)),
    ],
)  # fmt: skip
def test_options_of_a_source(read, options: str, key: str, value: object) -> None:
    found = getattr(read(source_of(options)).predictors[0], key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("options", "key", "value"),
    [
        ("units: 1", "units", "1"),
        ("units: ''", "units", ""),
        ("valid_min: '0'", "valid_min", 0.0),
        ("valid_min: 1e-3", "valid_min", 0.001),
        ("valid_max: 1e3", "valid_max", 1000.0),
        ("valid_max: +.5", "valid_max", 0.5),
        ("valid_max: 010", "valid_max", 10.0),
        ("source_name: no", "source_name", "no"),
        ("source_name: 12:30", "source_name", "12:30"),
        ("source_name: 2001-01-01", "source_name", "2001-01-01"),
        ("source_name: 1e3", "source_name", "1e3"),
        ("missing: '-9999'", "missing", (-9999.0,)),
        ("missing: [-9999, 1e20]", "missing", (-9999.0, 1e20)),
    ],
)
def test_options_of_a_variable(read, options: str, key: str, value: object) -> None:
    assert getattr(read(variable_of(options)).predictand.variables[0], key) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (source_of("lags: [-1]"), "predictors[0].lags: received [-1] (a list), expected time"),
        (source_of("lags: [-1]"), "a negative one lies in the future"),
        (source_of("lags: []"), "predictors[0].lags: received [] (a list)"),
        (source_of("lags: [0, 0]"), "each once"),
        (source_of("lags: 9999999"), "1000000 at most"),
        (source_of("lags: 1.5"), "received 1.5 (a number), expected time steps back"),
        (source_of("lags: true"), "received true (true or false), expected time steps back"),
        (source_of("select: level=850"), "select: received 'level=850' (a text), expected dim"),
        (source_of("select: {level: [850, 500]}"), "select: received {level: […]} (a mapping)"),
        (source_of("time_shift: 12"), "time_shift: received 12 (a number), expected a duration wi"),
        (source_of("time_shift: '12'"), "time_shift: received '12' (a text), expected a duration"),
        (source_of("time_shift: 12:30"), "received '12:30' (a text), expected a duration"),
        (source_of("aggregate: daily"), "aggregate: received 'daily' (a text), expected DURATION:"),
        (source_of("aggregate: 24:mean"), "expected DURATION:METHOD"),
        (source_of("member: [1, 2]"), "member: received [1, 2] (a list), expected one number or"),
        (source_of("align: daily"), "align: received 'daily' (a text), expected one of exact, day"),
        (source_of("align: true"), "received true (true or false), expected one of exact, day"),
        (source_of("laggs: 1"), "predictors[0]: unknown key 'laggs' (did you mean 'lags'?)"),
        (variable_of("units: [K]"), "predictand.variables.x.units: received [K] (a list)"),
        (variable_of("valid_min: zero"), "valid_min: received 'zero' (a text), expected a number"),
        (variable_of("valid_min: .nan"), "received '.nan' (a text), expected a number"),
        (variable_of("valid_max: .inf"), "expected a number"),
        (variable_of("valid_max: 1e999"), "received 1e999 (a number), expected a number"),
        (variable_of("valid_min: true"), "received true (true or false), expected a number"),
        (variable_of("valid_min: 12:30"), "received '12:30' (a text), expected a number"),
        (variable_of("valid_min: 5, valid_max: 2"), "predictand.variables.x: valid_min is 5, exp"),
        (variable_of("valid_min: 0, valid_max: 0"), "a number below valid_max, which is 0"),
        (variable_of("transform_scale: .inf"), "transform_scale: received '.inf' (a text), expect"),
        (variable_of("transform_scale: 0"), "received 0 (a number), expected a number above 0"),
        (variable_of("level: 850xyz"), "level: received '850xyz' (a text), expected a level such"),
        (variable_of("accumulation: 6"), "accumulation: received 6 (a number), expected a dur"),
        (variable_of("accumulation: -6h"), "expected a duration"),
        (variable_of("missing: []"), "missing: received [] (a list), expected a number, or a list"),
        ("predictand: {files: [], variables: x}", "predictand.files: received [] (a list)"),
        ("predictand: {files: {a: b}, variables: x}", "files: received {a: b} (a mapping)"),
        ("predictand: {files: a.nc, variables: []}", "variables: received [] (a list), expected a"),
        ("predictand: {files: a.nc, variables: [{x: {}}]}", "variables: received [{…}] (a list)"),
        ("predictand: {files: a.nc, variables: [x, x]}", "expected each name once"),
        ("predictand: {files: a.nc, variables: {x: K}}", "variables.x: received 'K' (a text), exp"),
        ("predictand: {files: a.nc, variables: [x@850, x850]}", "two variables would be called x8"),
        ("predictand: {files: a.nc, variables: {x@850: {level: 500}}}", "the name has a level too"),
        ("predictand: a.nc", "predictand: received 'a.nc' (a text), expected a mapping with keys"),
        ("predictand:", "the key predictand is missing"),
        ("a.nc", "expected keys such as predictand at the top, received 'a.nc' (a text)"),
        ("", "received nothing"),
        (variable_of("") + "min_valid_fraction: 2", "min_valid_fraction: received 2 (a number), e"),
        (variable_of("") + "min_valid_fraction: .nan", "expected a share from 0 to 1"),
        (variable_of("") + "min_valid_fraction: half", "received 'half' (a text), expected a s"),
        (variable_of("") + "min_valid_fraction: yes", "received yes (true or false)"),
        (variable_of("") + "region: {lat: [0, 100], lon: [0, 1]}", "region.lat: received [0, 100]"),
        (variable_of("") + "region: {lat: [0, 10]}", "region: the key lon is missing"),
        (variable_of("") + "splits: {gap: 24}", "splits.gap: received 24 (a number), expected a d"),
        (variable_of("") + "splits: {kind: blocks, block: 30}", "splits.block: received 30"),
        (variable_of("") + "splits: {kind: blocks}", "kind: blocks needs block, a duration"),
        (variable_of("") + "splits: {block: 30D}", "splits.block: means nothing with kind: fracti"),
        (variable_of("") + "splits: {train: [2001]}", "splits.train: received [2001] (a list)"),
        (variable_of("") + "splits: {train: [2001-13, 2002]}", "expected a time such as 1997"),
        (variable_of("") + "splits: {train: [2002, 2001]}", "2001 lies before 2002"),
        ("predictand: {files: a.nc, variables: 'x, y'}", "expected a list: [x, y]"),
        (variable_of("") + "splits: {train: [2001, soon]}", "expected a time such as 1997"),
        (variable_of("") + "splits: {train: []}", "splits.train: received [] (a list), exp"),
        (variable_of("") + "splits: {kind: years, train: [DJF]}", "expected years, such as [1997"),
        (variable_of("") + "splits: {kind: seasons, train: [1]}", "expected some of DJF, MAM, JJA"),
        (variable_of("") + "splits: {fractions: [0.8, 0.2]}", "expected three shares from 0 to 1"),
        (variable_of("") + "splits: {fractions: [0.8, 0.2, .1]}", "that add up to 1 at most"),
        (variable_of("") + "splits: {kind: folds, folds: 2}", "folds of 3 or more"),
        (variable_of("") + "splits: {kind: folds, fold: 5}", "received folds: 5 and fold: 5"),
        (variable_of("") + "splits: 0.7", "splits: received 0.7 (a number), expected a mapping"),
    ],
)  # fmt: skip
def test_refusals_name_file_key_value_and_expectation(read, text: str, expected: str) -> None:
    with pytest.raises(InputError) as refusal:
        read(text)
    line = str(refusal.value)
    assert expected in line
    assert "data.yml" in line
    assert "\n" not in line
    assert len(line) < 400


def test_words_of_yaml_1_1_are_names_of_variables_and_files(read, tmp_path: Path) -> None:
    data = read("predictand: {files: [no, 2020.10], variables: [no, off, yes, 1e3, 010]}")
    assert data.predictand is not None
    assert data.predictand.files == (f"{tmp_path}/no", f"{tmp_path}/2020.10")
    names = [variable.source_name for variable in data.predictand.variables]
    assert names == ["no", "off", "yes", "1e3", "010"]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("{train: [1983-01-01, 1995-12-31]}", (("1983-01-01", "1995-12-31"),)),
        ("{train: [[1983, 1985], [1987-01, 1990]]}", (("1983", "1985"), ("1987-01", "1990"))),
        ("{train: [1984-02-29, 1984-02-30]}", (("1984-02-29", "1984-02-30"),)),
        ("{train: [1983-01-01 06:00:00, 1995-12-31]}", (("1983-01-01 06:00:00", "1995-12-31"),)),
        ("{kind: years, train: 1997}", (1997,)),
        ("{kind: years, train: [1997, '1998']}", (1997, 1998)),
        ("{kind: seasons, train: djf}", ("DJF",)),
    ],
)
def test_splits(read, text: str, parts: tuple[object, ...]) -> None:
    assert read(variable_of("") + f"splits: {text}").splits.train == parts


LEVELS = np.array([1000.0, 50000.0, 85000.0, 100000.0])  # Pa


@pytest.fixture
def levels(tmp_path: Path) -> str:
    """Fields whose value is their level's pressure in Pa."""
    data = xr.Dataset(
        {"no": (("time", "plev", "lat", "lon"), np.tile(LEVELS[:, None, None], (4, 1, 6, 6)))},
        coords={
            "time": pd.date_range("2020-01-01", periods=4, freq="h"),
            "plev": ("plev", LEVELS, {"units": "Pa"}),
            "lat": ("lat", 40 + np.arange(6.0), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(6.0), {"units": "degrees_east"}),
        },
    )
    data.to_netcdf(tmp_path / "a.nc")
    return str(tmp_path / "a.nc")


@pytest.mark.parametrize(
    ("written", "pressure"),
    [("no@850hPa", 85000), ("no@1000hPa", 100000), ("no@1000Pa", 1000), ("no@500mbar", 50000),
     ("no@50kPa", 50000), ("no@850", 85000)],
)  # fmt: skip
def test_levels_with_units_are_those_of_the_file(
    read, levels: str, written: str, pressure: float
) -> None:
    source = read(f"predictand: {{files: {levels}, variables: ['{written}']}}").predictand
    assert source is not None
    fields = open_source(source).read(np.array([0]))
    assert float(fields.mean()) == pressure


def test_a_level_in_another_quantity_is_refused(levels: str) -> None:
    variable = Variable("no2m", "no", level=2.0, level_units="m")
    with pytest.raises(InputError, match=r"level.*\bm\b.*Pa"):
        open_source(Source((levels,), (variable,)))


def test_a_plain_lag_is_the_step_before(read, tmp_path: Path) -> None:
    """Fields that hold the number of their hour: the predictor of lags: 1 is one less."""
    hours = np.arange(40.0)
    data = xr.Dataset(
        {"n": (("time", "lat", "lon"), np.tile(hours[:, None, None], (1, 8, 8)), {"units": 1})},
        coords={
            "time": pd.date_range("2020-01-01", periods=40, freq="h"),
            "lat": ("lat", 40 + np.arange(8.0), {"units": "degrees_north"}),
            "lon": ("lon", np.arange(8.0), {"units": "degrees_east"}),
        },
    )
    data.to_netcdf(tmp_path / "a.nc")
    described = read(
        "predictand: {files: a.nc, variables: {x: {source_name: n, units: 1}}}\n"
        "predictors: {files: a.nc, variables: {y: {source_name: n}}, lags: 1}\n"
    )
    far = replace(described, predictors=(replace(described.predictors[0], lags=(0, 40)),))
    with pytest.raises(InputError, match=r"no time with all lags \(0, 40 steps back\)"):
        prepare(far, scale=2, cache_dir=tmp_path / "c")
    shards = Shards.open(prepare(described, scale=2, cache_dir=tmp_path / "c"))
    rows = range(shards.size("train"))
    assert shards.shape("predictors")[-1] == 1
    fine = shards.read("hr", "train", rows).mean(axis=(1, 2, 3))
    before = shards.read("predictors", "train", rows).mean(axis=(1, 2, 3))
    np.testing.assert_array_equal(before, fine - 1)
