"""The built-in data: reproducible, CF, and weather-like by numbers found from outside."""

import json
from dataclasses import replace
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from app.data.reading.files import identity
from app.errors import InputError
from app.synthetic.generator import CONFIG_ATTRIBUTE, SyntheticConfig, describe, generate
from app.synthetic.terrain import Plane, Waves, build_terrain
from app.synthetic.weather import Weather, vertical_motion

SMALL = SyntheticConfig(shape=(13, 18), steps=9, step_hours=3.0)
YEAR = SyntheticConfig(shape=(48, 40), steps=400, step_hours=21.0)  # every hour of the day
WET = 0.1 / 3600.0  # kg m-2 s-1, 0.1 mm per hour


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    path = generate(YEAR, tmp_path_factory.mktemp("synthetic") / "year.nc")
    with xr.open_dataset(path) as data:
        return data.load()


def uplift(data: xr.Dataset, config: SyntheticConfig) -> np.ndarray:
    weather = Weather(config.plane, config.seed)
    hours = (data.time.values - np.datetime64("2000-01-01")) / np.timedelta64(1, "h")
    return vertical_motion(*weather.free_wind(hours), weather.terrain)


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    first = generate(SMALL, tmp_path / "a.nc").read_bytes()
    assert generate(SMALL, tmp_path / "b.nc").read_bytes() == first
    assert generate(replace(SMALL, seed=1), tmp_path / "c.nc").read_bytes() != first


def test_a_file_that_another_rank_replaces_by_its_own_is_known_as_the_same(tmp_path: Path) -> None:
    path = generate(SMALL, tmp_path / "a.nc")
    known = identity(str(path))
    path.unlink()
    assert identity(str(generate(SMALL, path))) == known


@pytest.mark.parametrize("block_steps", [1, 4, 9])
def test_values_do_not_depend_on_the_block_size(tmp_path: Path, block_steps: int) -> None:
    whole = xr.load_dataset(generate(SMALL, tmp_path / "whole.nc"))
    parts = xr.load_dataset(generate(SMALL, tmp_path / "parts.nc", block_steps=block_steps))
    xr.testing.assert_identical(whole, parts)


def test_a_later_start_continues_the_same_weather(tmp_path: Path) -> None:
    later = replace(SMALL, start="2001-01-01T12:00", steps=5)
    whole = xr.load_dataset(generate(SMALL, tmp_path / "whole.nc"))
    tail = xr.load_dataset(generate(later, tmp_path / "tail.nc"))
    xr.testing.assert_equal(whole.isel(time=slice(4, None)), tail)


def test_file_is_cf_and_its_times_decode(tmp_path: Path) -> None:
    config = replace(SMALL, start="2003-02-28T06:00", lat=(50.0, 52.6), lon=(-3.6, 0.0))
    data = xr.load_dataset(generate(config, tmp_path / "data.nc"))
    assert dict(data.sizes) == {"time": 9, "lat": 13, "lon": 18}
    assert data.time.values[0] == np.datetime64("2003-02-28T06:00")
    assert data.time.values[-1] == np.datetime64("2003-03-01T06:00")
    assert data.time.encoding["calendar"] in ("standard", "gregorian", "proleptic_gregorian")
    np.testing.assert_allclose(data.lat[[0, -1]], [50.1, 52.5])
    np.testing.assert_allclose(data.lon[[0, -1]], [-3.5, -0.1])
    standard = {
        "t2m": ("air_temperature", "K"),
        "pr": ("precipitation_flux", "kg m-2 s-1"),
        "u10": ("eastward_wind", "m s-1"),
        "v10": ("northward_wind", "m s-1"),
        "orography": ("surface_altitude", "m"),
        "lsm": ("land_area_fraction", "1"),
        "lat": ("latitude", "degrees_north"),
        "lon": ("longitude", "degrees_east"),
    }
    for name, (standard_name, units) in standard.items():
        assert data[name].attrs["standard_name"] == standard_name
        assert data[name].attrs["units"] == units
    assert all(data[name].dtype == np.float32 for name in data.data_vars)
    assert not any(data[name].isnull().any() for name in data.data_vars)


def test_only_the_variables_asked_for_are_written(tmp_path: Path) -> None:
    some = xr.load_dataset(generate(replace(SMALL, variables=("t2m",)), tmp_path / "some.nc"))
    everything = xr.load_dataset(generate(SMALL, tmp_path / "all.nc"))
    assert set(some.data_vars) == {"t2m", "orography", "lsm"}
    xr.testing.assert_equal(some.t2m, everything.t2m)


def test_existing_files_are_kept_replaced_or_refused(tmp_path: Path) -> None:
    path = generate(SMALL, tmp_path / "deep" / "data.nc")
    made = path.stat().st_mtime_ns
    assert generate(SMALL, path).stat().st_mtime_ns == made
    generate(replace(SMALL, seed=5), path)
    with netCDF4.Dataset(path) as file:
        assert json.loads(file.getncattr(CONFIG_ATTRIBUTE))["seed"] == 5
    assert [part.name for part in path.parent.iterdir()] == ["data.nc"]
    foreign = tmp_path / "mine.nc"
    foreign.write_text("kept")
    with pytest.raises(InputError, match="no synthetic data"):
        generate(SMALL, foreign)
    assert foreign.read_text() == "kept"


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (1, 8)},
        {"start": "soon"},
        {"start": "2001-01-01T00:00+01:00"},
        {"steps": 0},
        {"step_hours": 0.0},
        {"lat": (50.0, 40.0)},
        {"lat": (80.0, 95.0)},
        {"lon": (5.0, 5.0)},
        {"seed": -1},
        {"variables": ("t2m", "snow")},
        {"variables": ()},
    ],
)
def test_wrong_configurations_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        replace(SMALL, **wrong)  # type: ignore[arg-type]


def test_describe_names_contents_and_size() -> None:
    text = describe(SyntheticConfig(variables=("t2m",)))
    assert "t2m" in text
    assert "64 × 64" in text
    assert "46 MiB" in text  # 2920 * 64 * 64 * 4 bytes


def test_waves_have_unit_variance_and_move_with_the_drift() -> None:
    axis = np.linspace(0.0, 20000.0, 400)
    waves = Waves(np.random.default_rng(3), (100.0, 800.0), drift=(20.0, -10.0))
    field = waves.on(axis, axis, np.zeros(1))[0]
    assert field.mean() == pytest.approx(0.0, abs=0.05)
    assert field.std() == pytest.approx(1.0, abs=0.05)
    moved = waves.on(axis + 60.0, axis - 30.0, np.array([3.0]))[0]
    np.testing.assert_allclose(moved, field, atol=1e-3)


def test_terrain_is_the_same_land_on_a_finer_grid() -> None:
    plane = SyntheticConfig().plane
    finer = Plane(plane.lat, plane.lon, *(np.repeat(a, 3)[1:-1] for a in (plane.x, plane.y)))
    steps = np.tile([-1.0, 0.0, 1.0], 64)[1:-1] / 3.0
    finer = replace(
        finer, x=finer.x + steps * plane.spacing[1], y=finer.y + steps * plane.spacing[0]
    )
    coarse, fine = build_terrain(plane, 2), build_terrain(finer, 2)
    assert np.corrcoef(coarse.orography.ravel(), fine.orography[::3, ::3].ravel())[0, 1] > 0.99


def test_ranges_are_those_of_a_temperate_region(year: xr.Dataset) -> None:
    assert 245.0 < float(year.t2m.min()) < 270.0
    assert 295.0 < float(year.t2m.max()) < 315.0
    assert 1000.0 < float(year.orography.max()) < 4000.0
    assert float(year.orography.min()) == 0.0
    assert 0.6 < float((year.lsm > 0.5).mean()) < 0.9
    assert float(year.lsm.min()) == 0.0
    assert float(year.lsm.max()) == 1.0
    speed = np.hypot(year.u10, year.v10)
    assert 2.0 < float(speed.mean()) < 8.0
    assert float(speed.max()) < 45.0
    seasons = year.t2m.where(year.lsm > 0.5).groupby("time.season").mean(...)
    assert 10.0 < float(seasons.sel(season="JJA") - seasons.sel(season="DJF")) < 25.0


def test_days_are_warmer_than_nights_on_land_but_not_at_sea(year: xr.Dataset) -> None:
    hour = year.time.dt.hour
    ranges = {}
    for surface, mask in {"land": year.lsm > 0.99, "sea": year.lsm < 0.01}.items():
        mean = year.t2m.where(mask).mean(("lat", "lon"))
        afternoon = (hour >= 12) & (hour < 16)
        ranges[surface] = float(mean[afternoon].mean() - mean[hour < 5].mean())
    assert 4.0 < ranges["land"] < 12.0
    assert abs(ranges["sea"]) < 2.0


def test_daytime_air_cools_by_six_and_a_half_kelvin_per_kilometre(year: xr.Dataset) -> None:
    hour = year.time.dt.hour
    noon = year.t2m.isel(time=((hour >= 11) & (hour < 16)).values).mean("time").values
    land = year.lsm.values > 0.99
    rows, columns = np.indices(land.shape)
    factors = [year.orography.values, rows, columns, np.ones_like(rows)]
    lapse = np.linalg.lstsq(np.stack([f[land] for f in factors], 1), noon[land], rcond=None)[0][0]
    assert -8.0e-3 < lapse < -5.0e-3


def test_calm_dry_nights_are_colder_in_valleys_than_the_lapse_rate_says(year: xr.Dataset) -> None:
    terrain = build_terrain(YEAR.plane, YEAR.seed)
    inland = terrain.coast_distance > 50.0
    reduced = year.t2m.values + 6.5e-3 * year.orography.values
    valley = reduced[:, inland & (terrain.above_floor < 30.0)].mean(1)
    crest = reduced[:, inland & (terrain.above_floor > 300.0)].mean(1)
    hour = year.time.dt.hour.values
    night = (hour < 5) | (hour >= 23)
    calm = np.hypot(year.u10, year.v10).values.mean((1, 2)) < 4.5
    dry = (year.pr.values > WET).mean((1, 2)) < 0.2
    day = (hour >= 10) & (hour < 15)
    stable, mixed = night & calm & dry, day & ~calm
    assert min(stable.sum(), mixed.sum()) > 10
    assert (valley - crest)[stable].mean() < (valley - crest)[mixed].mean() - 1.0


def test_free_wind_has_no_divergence() -> None:
    weather = Weather(SMALL.plane, SMALL.seed)
    dy, dx = weather.plane.spacing
    east, north = weather.free_wind(np.array([0.0, 31.5]))
    along = (east[:, 1:-1, 2:] - east[:, 1:-1, :-2]) / (2 * dx)
    across = (north[:, 2:, 1:-1] - north[:, :-2, 1:-1]) / (2 * dy)
    assert np.abs(along + across).max() < 1e-3 * np.abs(along).max()


def test_precipitation_is_rare_and_its_tail_heavy(year: xr.Dataset) -> None:
    rain = year.pr.values
    assert rain.min() == 0.0
    assert 0.08 < (rain > WET).mean() < 0.4
    wet = rain[rain > 0].astype(np.float64)
    gamma_shape = wet.mean() ** 2 / wet.var()  # method of moments; 1 for an exponential
    assert gamma_shape < 0.7


def test_rain_is_heavier_on_upslope_winds(year: xr.Dataset) -> None:
    lifted = uplift(year, YEAR)
    rain = year.pr.values
    assert rain[lifted > 0.1].mean() > 1.5 * rain[np.abs(lifted) < 0.02].mean()
    assert rain[lifted < -0.1].mean() < 0.75 * rain[np.abs(lifted) < 0.02].mean()


def test_fronts_are_narrower_than_a_coarse_cell_of_four(year: xr.Dataset) -> None:
    """On the sea, where the ground adds nothing, neighbours differ by kelvins at times."""
    sea = year.lsm.values < 0.01
    both = sea[:, 1:] & sea[:, :-1]
    steps = np.abs(np.diff(year.t2m.values, axis=2))[:, both]
    assert np.quantile(steps, 0.999) > 1.5
    assert np.median(steps) < 0.2
