"""The description of the data that the flags name."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from app.data.description import DataDescription, ScoredFiles, Source, TimeSteps
from app.data.overrides import overridden
from app.data.reading.paths import absolute
from app.data.reading.plain_description import from_files, from_module
from app.data.reading.yaml_description import from_yaml
from app.errors import InputError
from app.options.chosen import trained_for
from app.options.data import DATA_WAYS, DataConfig, PredictandOptions, TransformOptions
from app.options.experiment import Experiment
from app.options.option import Values, options_of
from app.options.sampling import StepOptions
from app.options.scored_files import ScoredFileOptions

DATA_ROOT_VARIABLE = "FINESCALE_DATA"
DATA_ROOT_DEFAULT = Path("../shared/data")
# Options of which each takes the place of the description's value of that name.
OVERRIDES = (
    *(one.name for one in (*options_of(TransformOptions), *options_of(PredictandOptions))),
    *("region", "splits"),
)


def data_wanted(experiment: Experiment) -> bool:
    """Files under --input with a trained model need no description of training data."""
    stages = set(experiment.stages)
    if experiment.scored is not None:
        return False
    return not (
        stages <= {"list", "status", "report"}
        or (experiment.inference.input and stages == {"test"})
    )


def scored_of(values: Values, stages: tuple[str, ...]) -> ScoredFiles | None:
    """What the stage metrics is to compare, where that is no run's prediction."""
    asked = ScoredFileOptions.of(values)
    if not asked.truth:
        return None
    given = ",".join(asked.truth)
    if not {*stages} <= {"metrics", "report"}:
        raise InputError(
            f"--truth={given} with {', '.join(stages)}: expected the stages metrics, report alone"
        )
    ways = [way for way in DATA_WAYS if values[way]]
    if ways:
        raise InputError(f"--truth={given} with --{ways[0]}: expected one of them")
    if not values["variable"]:
        raise InputError(f"--truth={given}: expected --variable=NAME beside it")
    data = described(DataConfig.of({**values, "data": given}))
    truth = data.predictand
    assert truth is not None

    def of(files: tuple[str, ...], **names: str) -> Source | None:
        variables = (replace(v, source_name=names.get(v.name, v.name)) for v in truth.variables)
        paths = tuple(absolute(file, Path.cwd()) for file in files)
        return replace(truth, files=paths, variables=tuple(variables)) if files else None

    unknown = set(asked.prediction_variables) - {v.name for v in truth.variables}
    if unknown:
        raise InputError(
            f"--prediction_variables: {min(unknown)} is none of --variable={values['variable']}"
        )
    prediction = of(asked.prediction, **asked.prediction_variables)
    assert prediction is not None
    return ScoredFiles(
        truth,
        prediction,
        of(asked.climatology_from),
        of(asked.coarse_from),
        data.static,
        data.region,
        asked.match_times,
    )


def described(asked: DataConfig) -> DataDescription:
    """The description from whichever of the three ways was taken, as the flags change it."""
    given = {name: getattr(asked, name) for name in OVERRIDES}
    return replace(overridden(_as_named(asked), given), uncovered=asked.uncovered)


def _as_named(asked: DataConfig) -> DataDescription:
    if asked.data_module:
        return from_module(asked.data_module, asked.explicit, asked.inference_array_in_hr)
    if asked.data:
        return from_files(asked.data, asked.variable, asked.static)
    name = asked.data_config or ""
    description = from_yaml(name, data_root(asked.data_root))
    if asked.predictors_alone:
        return _from_predictors(description, name)
    if asked.explicit and description.low_resolution is None:
        raise InputError(f"--paired_samples=explicit: {name} has no low_resolution source")
    if asked.explicit or description.low_resolution is None:
        return description
    return replace(description, low_resolution=None, idle=("low_resolution",))


def _from_predictors(description: DataDescription, name: str) -> DataDescription:
    """The predictors in the place of the low resolution, the first of one time at their head."""
    first = next((one for one in description.predictors if one.lags == (0,)), None)
    if first is None:
        raise InputError(
            f"--paired_samples=predictors: {name} has no predictors of the target's own time; "
            "expected at least one source under predictors, without lags"
        )
    return replace(
        description,
        low_resolution=first,
        predictors=tuple(one for one in description.predictors if one is not first),
        coarse_predictand=False,
        idle=("low_resolution",) if description.low_resolution else (),
    )


def check_splits(data: DataDescription, stages: tuple[str, ...]) -> None:
    """Every stage has its period; a data module says so itself."""
    if data.module is not None:
        return
    wanted = {
        "train": ("train", "validation"),
        "test": ("test",),
        "metrics": ("test",),
    }
    for stage, names in wanted.items():
        missing = [name for name in names if name not in data.splits.asked]
        if stage in stages and missing:
            raise InputError(
                f"splits: the stage {stage} needs a {missing[0]} period; the data description "
                f"has {', '.join(data.splits.asked) or 'none'}"
            )


def test_data_of(asked: DataConfig) -> DataDescription | None:
    """The same sources in the other pairing; None where test and training agree."""
    if asked.test_pairs is None or asked.test_pairs == asked.paired_samples:
        return None
    return described(replace(asked, paired_samples=asked.test_pairs))


def data_root(given: str | None) -> str:
    """The folder of real data: flag, environment, or the usual place beside the checkout."""
    return given or os.environ.get(DATA_ROOT_VARIABLE) or str(DATA_ROOT_DEFAULT)


def time_steps(asked: StepOptions) -> TimeSteps:
    """The steps asked for; InputError where one does not divide the other."""
    from app.data.times import duration  # imports pandas

    seconds = {}
    for name, text in (("input_step", asked.input_step), ("target_step", asked.target_step)):
        if text is None:
            raise InputError(
                f"--trainer={trained_for('time')}: expected --{name}, such as --{name}=1h"
            )
        seconds[name] = duration(text, f"--{name}")
    steps = TimeSteps(**seconds, gaps=asked.gap_policy)
    if steps.target_step < 1 or steps.input_step % steps.target_step or steps.parts < 2:
        raise InputError(
            f"--target_step={asked.target_step} with --input_step={asked.input_step}: "
            "expected a part of the input step, such as a third"
        )
    return steps
