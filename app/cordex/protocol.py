"""What the benchmark has fixed: domains, experiments, periods, variables and names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.options import cordex


@dataclass(frozen=True)
class Domain:
    """A domain: the model whose run is learnt from, and the one that tests the transfer."""

    name: str
    gcm: str
    transfer: str

    @property
    def folder(self) -> str:
        """Its folder in a submission."""
        return f"{self.name}_Domain"


MODELS = (("CNRM-CM5", "MPI-ESM-LR"), ("ACCESS-CM2", "EC-Earth3"), ("ACCESS-CM2", "NorESM2-MM"))
DOMAINS = {name: Domain(name, *models) for name, models in zip(cordex.DOMAINS, MODELS, strict=True)}
TRAINED_ON = (("1961-1980",), ("1961-1980", "2080-2099"))
EXPERIMENTS = dict(zip(cordex.EXPERIMENTS, TRAINED_ON, strict=True))
PERIODS = {"historical": "1981-2000", "mid_century": "2041-2060", "end_century": "2080-2099"}
HISTORICAL = "historical"
CONDITIONS = ("perfect", "imperfect")  # predictors upscaled from the RCM, or of the driving GCM
TARGETS = ("pr", "tasmax")
LEVELS = (850, 700, 500)  # hPa
PREDICTORS = tuple(f"{name}_{level}" for name in ("z", "u", "v", "t", "q") for level in LEVELS)
STATIC = "static.nc"
OROGRAPHY = "orog"
MEMBER = "member"
MEMBERS = 10  # of generative models
OROGRAPHY_TAG = "-orog"  # ends the name of a submission whose models know the orography
FILE = re.compile(r"(?P<gcm>.+?)_(?P<years>\d{4}-\d{4}(_\d{4}-\d{4})*)\.nc")


def prediction_name(gcm: str, years: str) -> str:
    """The file of a submission that belongs to a predictor file."""
    return f"Predictions_{'_'.join(TARGETS)}_{gcm}_{years}.nc"
