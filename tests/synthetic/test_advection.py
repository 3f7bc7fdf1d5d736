"""The moving patterns move as they say."""

from pathlib import Path

import netCDF4
import numpy as np
from scipy.ndimage import map_coordinates

from app.synthetic import AdvectionConfig, generate_advection
from app.synthetic.advection import Pattern, carried

CONFIG = AdvectionConfig(steps=9)


def test_pattern_is_the_sum_of_its_waves() -> None:
    pattern = Pattern.draw(CONFIG)
    rotation, drift = carried(CONFIG, 7.0)
    place = np.array([3 - 19.5, 40 - 23.5]) @ rotation - drift
    waves = np.cos(pattern.waves @ place + pattern.phases).sum() * np.sqrt(2 / len(pattern.phases))
    np.testing.assert_allclose(pattern.at(CONFIG, 7.0)[3, 40], waves)


def test_frames_are_carried_at_least_four_cells_in_four_hours() -> None:
    """What a cell shows stood where the flow says, four hours before."""
    pattern, rows, columns = Pattern.draw(CONFIG), *np.mgrid[0:40, 0:48]
    centre = np.stack([rows - 19.5, columns - 23.5], axis=-1)
    for start in (0.0, 20.0, 300.0):
        (then, gone), (now, way) = (carried(CONFIG, start + h) for h in (0.0, 4.0))
        origin = (centre @ now - way + gone) @ then.T
        assert 3.0 < np.linalg.norm(way - gone) < 7.0
        inside = (np.abs(origin) < [18, 22]).all(axis=-1)
        places = np.moveaxis(origin + np.array([19.5, 23.5]), -1, 0)
        moved = map_coordinates(pattern.at(CONFIG, start), places, order=5)[inside]
        assert np.abs(moved - pattern.at(CONFIG, start + 4.0)[inside]).mean() < 0.01
    mean = np.linalg.norm(carried(CONFIG, 1000.0)[1]) / 250
    assert mean > 4.0


def test_file_says_what_is_a_sum_and_is_left_alone(tmp_path: Path) -> None:
    path = generate_advection(CONFIG, tmp_path / "a.nc")
    before = path.stat().st_mtime_ns
    assert generate_advection(CONFIG, path).stat().st_mtime_ns == before
    with netCDF4.Dataset(path) as file:
        assert file["rain"].cell_methods == "time: sum"
        assert file["tracer"].shape == (9, 40, 48)
        assert (file["rain"][:] >= 0).all()
        wet = (file["rain"][:] > 0).mean()
        assert 0.1 < wet < 0.5
        np.testing.assert_allclose(file["tracer"][:].std(), 1.0, atol=0.2)
