"""What is written of an ensemble: members, statistics and quantiles, by hand."""

import numpy as np
import pytest
import xarray as xr

from app.data.description import Variable
from app.data.times import Stamps
from app.grids import Grid
from app.inference.writer import Layout, quantile_name

VARIABLES = (Variable("t2m", "t2m", units="K"), Variable("pr", "pr", units="mm"))


def members() -> np.ndarray:
    """(5, 2, 3, 4, 2): the member's number squared, negative in the second variable."""
    squares = np.arange(5.0, dtype=np.float32) ** 2
    fields = np.broadcast_to(squares[:, None, None, None], (5, 2, 3, 4))
    return np.stack([fields, -fields], axis=-1)


@pytest.mark.parametrize("written", [True, False])
def test_quantiles_of_members_reach_the_file(written: bool, tmp_path) -> None:
    grid = Grid(np.arange(3.0), np.arange(4.0))
    layout = Layout(grid, VARIABLES, {}, members=5, write_members=written, quantiles=(0.25, 0.995))
    with layout.new_file(tmp_path / "y.nc", Stamps(np.array([0, 3600]))) as writer:
        writer.write(0, layout.fields_of(members()))
    with xr.open_dataset(tmp_path / "y.nc") as found:
        assert ("t2m_mean" in found) == written
        assert (found.t2m_p25.values == 1).all()
        assert (found.pr_p25.values == -9).all()
        # between 9 and 16, at 0.995 · 4 = 3.98
        np.testing.assert_allclose(found.t2m_p99_5, 9 + 0.98 * 7, rtol=1e-6)
        assert found.t2m_spread.values[0, 0, 0] == pytest.approx(np.std([0, 1, 4, 9, 16], ddof=1))
        assert found.t2m.dims[0] == ("member" if written else "time")


@pytest.mark.parametrize(
    ("q", "name"), [(0.05, "p05"), (0.5, "p50"), (0.999, "p99_9"), (1, "p100"), (0, "p00")]
)
def test_names_of_quantiles(q: float, name: str) -> None:
    assert quantile_name(q) == name


def test_statistics_are_called_by_what_they_are(tmp_path) -> None:
    """A standard deviation is none of the temperature's own values."""
    words = {"standard_name": "air_temperature", "long_name": "2 m temperature"}
    variable = Variable("t2m", "t2m", units="K", **words)
    layout = Layout(Grid(np.arange(3.0), np.arange(4.0)), (variable,), {}, 5, quantiles=(0.25,))
    with layout.new_file(tmp_path / "y.nc", Stamps(np.array([0, 3600]))) as writer:
        writer.write(0, layout.fields_of(members()[..., :1]))
    with xr.open_dataset(tmp_path / "y.nc") as found:
        assert found.t2m.attrs == {"units": "K", **words}
        assert found.t2m_mean.attrs["standard_name"] == "air_temperature"
        assert "mean over the ensemble of 2 m temperature" in found.t2m_mean.attrs["long_name"]
        assert "standard_name" not in found.t2m_spread.attrs
        assert found.t2m_p25.attrs["long_name"].startswith("0.25 quantile")
