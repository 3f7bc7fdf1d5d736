"""Which data: their description, or flags instead of one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from app.data.description import KINDS, TRANSFORMS, UNCOVERED, Region, Splits
from app.options import readers
from app.options.bounds import Bounds, above
from app.options.option import Options, option
from app.options.readers import duration, folder, path_or_none
from app.options.rules import Rule
from app.options.sampling import PairOptions

# Flags that each say what the data are, so that a later one replaces an earlier one, and the flags
# that mean something beside it alone.
DATA_WAYS: dict[str, tuple[str, ...]] = {
    "data_config": (),
    "data": ("variable", "static"),
    "data_module": (),
}


@dataclass(frozen=True)
class SourceOptions(Options):
    """Where the data are described, or which files they are."""

    data_config: str | None = option(None, "YAML data description.", common=True)
    data: str | None = option(
        None,
        "NetCDF, Zarr or GRIB files of the predictand, without any YAML.",
        common=True,
        several=True,
    )
    variable: str | None = option(
        None, "Variable of --data to downscale; several with commas.", common=True
    )
    static: str | None = option(
        None,
        "Static fields FILE:VARIABLE, several with commas; with --input_grid=own those of "
        "the region of --input.",
    )


@dataclass(frozen=True)
class TransformOptions(Options):
    """What is done to the predictands before they are scaled."""

    transform: str | None = option(
        None,
        "What is done to the predictands before they are scaled, other than the data "
        "description's.",
        choices=TRANSFORMS,
    )
    transform_scale: float | None = option(
        None,
        "x0 of log1p(x / x0) and sqrt(x / x0), in the predictand's unit.",
        bounds=above(0, 1e12),
    )


@dataclass(frozen=True)
class CoverageOptions(Options):
    """What becomes of cells that an input does not cover."""

    uncovered: str = option(
        "refuse",
        "Cells of the target that an input does not cover: refuse them, or mask (leave "
        "them missing).",
        choices=UNCOVERED,
        free=True,
    )


@dataclass(frozen=True)
class PredictandOptions(Options):
    """What the predictand is, where its file or the data description says otherwise."""

    units: str | None = option(None, "Unit of the predictand, such as degC, instead of the file's.")
    kind: str | None = option(
        None,
        "interval, or ratio for amounts, which allows relative scores. Precipitation is a ratio, "
        "by its name, units and values.",
        choices=KINDS,
    )
    valid_min: float | None = option(
        None, "Lower bound of the predictand, in its unit.", bounds=Bounds(-1e30, 1e30)
    )
    valid_max: float | None = option(
        None, "Upper bound of the predictand, in its unit.", bounds=Bounds(-1e30, 1e30)
    )
    accumulation: str | None = option(
        None, "What amounts have gathered over, such as 1D (of mm).", read=duration
    )
    missing: tuple[float, ...] | None = option(
        None,
        'Values of the predictand, in the file\'s unit, that stand for "missing".',
        bounds=Bounds(-sys.float_info.max, sys.float_info.max),
    )
    aggregate: str | None = option(
        None,
        "Gather steps of the predictand into longer ones, such as 1D:mean (mean, sum, max, min).",
        read=readers.aggregate,
    )


@dataclass(frozen=True)
class ExtentOptions(Options):
    """Which part of the data is used for what, and data that are made by code."""

    region: Region | None = option(
        None,
        "Part of the fine grid: SOUTH:NORTH,WEST:EAST in degrees, such as 35:45,-10:5.",
        read=readers.region,
    )
    splits: Splits | None = option(
        None,
        "Keys of a YAML's splits, such as 'train: [2001, 2008], validation: [2009, 2009], "
        "test: [2010, 2010]' or 'kind: blocks, block: 20D'; three shares in time order, "
        "such as 0.6,0.2,0.2; or the name of the split that all times belong to.",
        read=readers.splits,
        common=True,
    )
    data_module: str | None = option(
        None,
        "Python file that holds the arrays; it is code that runs with your rights, also "
        "where a flagfile names it.",
    )
    data_root: str | None = option(
        None, "Folder that ${DATA_ROOT} stands for in a YAML.", free=True
    )


@dataclass(frozen=True)
class CacheOptions(Options):
    """Where the prepared data lie, and how they are verified."""

    cache_dir: Path = option(
        "./finescale_cache", "Folder of the prepared shards.", read=folder, common=True
    )
    stage_to: Path | None = option(
        None, "Copy the shards to this node-local folder first.", read=path_or_none
    )
    verify: str = option(
        "open",
        "When checksums of prepared data and predictions are compared: never, once when "
        "they are opened, beside the work (open), or whenever a block is read (always, or "
        "the bare flag, with which the stage check compares all before it goes on).",
        choices=("never", "open", "always"),
        truths=("always", "open"),
    )


@dataclass(frozen=True)
class ModuleOptions(Options):
    """How the arrays of a data module are meant."""

    inference_array_in_hr: bool = option(
        False, "The data module's inference_data is on the fine grid."
    )


@dataclass(frozen=True)
class DataConfig(
    SourceOptions,
    TransformOptions,
    CoverageOptions,
    PredictandOptions,
    ExtentOptions,
    PairOptions,
    ModuleOptions,
):
    """All that the flags say of the data."""

    rules: ClassVar[tuple[Rule[DataConfig], ...]] = (
        Rule(
            lambda d: len(d.ways) != 1,
            "data: expected exactly one of --data_config=FILE.yml, --data=FILES with --variable, "
            "or --data_module=FILE.py; received {received}",
        ),
        Rule(
            lambda d: d.variable and not d.data,
            "--variable={variable} with {received}: it goes with --data; leave it out",
        ),
        Rule(
            lambda d: d.static and not d.data,
            "--static={static} with {received}: it goes with --data; leave it out",
        ),
        Rule(
            lambda d: d.data and d.explicit,
            "--paired_samples=explicit with --data: explicit pairs need low-resolution data; name "
            "it under low_resolution in a --data_config",
        ),
        Rule(
            lambda d: d.predictors_alone and not d.data_config,
            "--paired_samples=predictors with {received}: expected a --data_config, with the "
            "inputs under predictors",
        ),
    )

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways to name data that are taken; one of them should be."""
        return tuple(way for way in DATA_WAYS if getattr(self, way))

    @property
    def received(self) -> str:
        """The flags that name data."""
        return " and ".join(f"--{way}" for way in self.ways) or "none of them"

    @property
    def explicit(self) -> bool:
        """Whether the coarse fields have a source of their own."""
        return self.paired_samples == "explicit"

    @property
    def predictors_alone(self) -> bool:
        """Whether the predictand's own coarse field is no input."""
        return self.paired_samples == "predictors"
