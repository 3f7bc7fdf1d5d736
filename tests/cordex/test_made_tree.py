"""The made tree: the benchmark's layout, the real grids, and a climate that is known."""

from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

from app.cordex.template import read_template
from app.cordex.tree import Tree
from app.errors import InputError
from app.synthetic.cordex import MADE, grids_of, make_tree
from app.synthetic.regional_climate import Driver, Places, RegionalClimate, saturation
from app.synthetic.terrain import Plane, build_terrain


def test_files_are_found_however_they_are_spelled(tree: Tree) -> None:
    """Two domains, one of them without a folder around it, one training file of two periods."""
    assert tree.domains == ("ALPS", "SA")
    for domain, gcm in (("ALPS", "CNRM-CM5"), ("SA", "ACCESS-CM2")):
        both = tree.training(domain, "Emulator_hist_future")
        assert [p.name for p in both.predictors] == [f"{gcm}_1961-1980_2080-2099.nc"]
        assert both.static is not None
        assert both.targets[0].name.startswith("pr_tasmax_")
        found = {(t.period, t.condition, t.gcm) for t in tree.tests(domain)}
        assert len(found) == len(tree.tests(domain)) == 12
    with pytest.raises(InputError, match="no domain NZ; there are: ALPS, SA"):
        tree.tests("NZ")


def test_odd_spellings_and_files_without_a_partner(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", ("NZ",), 16, 2)
    tree = Tree(tmp_path / "tree")
    training = tree.training("NZ", "ESD_pseudo_reality")
    assert training.targets[0].parent.parent.name == "ESD_pseudo-reality"
    assert training.static is not None
    other = training.static.rename(training.static.with_name("Static_fields.nc"))
    assert tree.training("NZ", "ESD_pseudo_reality").static == other
    training.targets[0].unlink()
    with pytest.raises(InputError, match=r"no file GCM_YEARS\.nc of NZ ESD_pseudo_reality"):
        tree.training("NZ", "ESD_pseudo_reality")
    with pytest.raises(InputError, match="is there already; expected a new folder"):
        make_tree(tmp_path / "tree", ("NZ",), 16, 2)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no domain in it"):
        Tree(tmp_path / "empty")


@pytest.mark.parametrize("domain", MADE)
def test_grids_and_times_are_those_of_the_real_templates(
    domain: str, real_data: Path, tmp_path: Path
) -> None:
    """Within a twentieth of a cell, as the made projection is that of a sphere."""
    folder = real_data / "cordex_ml_bench_templates"
    if not folder.is_dir():
        pytest.skip(f"no templates at {folder}")
    real = read_template(folder, domain)
    grids = grids_of(MADE[domain], 128)
    assert grids.shape == real.shape == (128, 128)
    lines = dict(zip(real.dims, grids.lines, strict=True))
    if grids.lat_lon is not None:
        lines |= dict(zip(("lat", "lon"), grids.lat_lon, strict=True))
    for name, line in lines.items():
        np.testing.assert_allclose(line, real.coordinates[name].values, atol=0.006)
    axis = MADE[domain].axes[0]
    with netCDF4.Dataset(folder / f"pr_{domain}.nc") as file:
        assert axis.units == file["time"].units
        assert axis.calendar == file["time"].calendar
        assert np.dtype(axis.dtype) == file["time"].dtype


def test_times_of_every_domain_are_days_at_the_same_hour(tree: Tree) -> None:
    """29 February is left out where the real tree leaves it out; 1980 and 2096 are leap years."""
    for name, domain in MADE.items():
        for axis in domain.axes:
            dates = axis.dates("1979-1980", None)
            assert len(dates) == 730 + axis.leap
            numbers = axis.numbers(dates).astype("f8")
            days = numbers / (1440 if "minutes" in axis.units else 1)
            steps = np.diff(days)
            gaps = 1 if not axis.leap and axis.calendar != "noleap" else 0
            assert (steps != 1).sum() == gaps, name
    with xr.open_dataset(tree.tests("SA")[0].path) as data:
        assert "time_bnds" in data.variables
        assert data.time.dt.hour.values.tolist() == [12] * 4


WARM = Driver(seed=5, warming=4.0)


def climate() -> tuple[RegionalClimate, Places, object]:
    line = np.arange(24) * 30.0 - 345.0
    plane = Plane(45 + line / 111, 10 + line / 80, line, line)
    x, y = (part.ravel() for part in np.meshgrid(line, line))
    return RegionalClimate(WARM), Places(x, y, 45 + y / 111), build_terrain(plane, 3)


def test_known_change_of_temperature_and_rain() -> None:
    """The same weather, a century later: 4 K, a tenth more for each km of height.

    Rain follows the water that air can hold, at the temperature of 850 hPa.
    """
    own, places, terrain = climate()
    hours = np.arange(120.0) * 24
    early = own.targets(places, terrain, hours, np.full(120, 1970.5))
    late = own.targets(places, terrain, hours, np.full(120, 2070.5))
    height = terrain.orography.ravel()
    change = late["tasmax"] - early["tasmax"]
    warmed = 4.0 * 100.5 / 100 - 4.0 * 0.5 / 100
    np.testing.assert_allclose(change, np.tile(warmed * (1 + 1e-4 * height), (120, 1)), atol=2e-3)
    wet = early["pr"] > 0.5
    ratio = (late["pr"] / np.where(wet, early["pr"], 1.0))[wet]
    at = saturation(np.array([275.0, 279.0]), 850)
    assert 1.2 < np.median(ratio) < 1.4
    assert abs(np.median(ratio) - at[1] / at[0]) < 0.05


def test_terrain_shapes_temperature_and_rain() -> None:
    """6.5 K a km, and more rain on slopes that the wind climbs than on those it descends."""
    own, places, terrain = climate()
    hours, years = np.arange(400.0) * 24, np.full(400, 1970.0)
    fields = own.targets(places, terrain, hours, years)
    height, land = terrain.orography.ravel(), terrain.lsm.ravel() > 0.99
    mean = fields["tasmax"].mean(axis=0) + 0.5 * (np.abs(places.lat) - 40.0)
    slope = np.polyfit(height[land], mean[land], 1)[0]
    assert -7.2e-3 < slope < -5.2e-3
    wind = own.predictors(places, hours, years)
    rising = wind["u_850"] * terrain.slope_east.ravel()
    rising = rising + wind["v_850"] * terrain.slope_north.ravel()
    assert fields["pr"][rising > 0.1].mean() > 2 * fields["pr"][rising < -0.1].mean()


def test_large_scale_fields_are_those_of_an_atmosphere() -> None:
    """Wind along the lines of equal height, and thickness by the temperature between levels."""
    own, _, _ = climate()
    line = np.arange(41) * 25.0
    x, y = (part.ravel() for part in np.meshgrid(line, line))
    hours = np.arange(6.0) * 50
    fields = own.predictors(Places(x, y, np.full(x.shape, 45.0)), hours, np.full(6, 1970.0))
    z, u, v = (fields[f"{n}_850"].reshape(6, 41, 41) for n in "zuv")
    north, east = np.gradient(z, 25.0, axis=(1, 2))
    inner = (slice(None), slice(2, -2), slice(2, -2))
    factor = 55.0 / 2200.0
    np.testing.assert_allclose(east[inner], factor * v[inner], atol=0.02)
    np.testing.assert_allclose(north[inner], -factor * (u[inner] - 3.0), atol=0.02)
    thick = fields["z_700"] - fields["z_850"]
    mean = (fields["t_700"] + fields["t_850"]) / 2
    np.testing.assert_allclose(thick, 287.05 / 9.80665 * mean * np.log(850 / 700), rtol=1e-4)


def test_driving_models_have_errors_of_their_own() -> None:
    warm = RegionalClimate(Driver(5, 4.0, warmth=1.5, dampness=0.1, wind=2.0, noise=0.3))
    _, places, _ = climate()
    hours, years = np.arange(300.0) * 24, np.full(300, 1970.0)
    perfect = warm.predictors(places, hours, years)
    driving = warm.predictors(places, hours, years, driving=True)
    assert abs((driving["t_850"] - perfect["t_850"]).mean() - 1.5) < 0.5
    assert abs((driving["u_850"] - perfect["u_850"]).mean() - 2.0) < 0.01
    pair = (perfect["z_500"].ravel(), driving["z_500"].ravel())
    assert 0.8 < np.corrcoef(*pair)[0, 1] < 0.999
