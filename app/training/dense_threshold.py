"""Which training targets dense weights weigh. Imports no TensorFlow."""

from __future__ import annotations

from app.data.description import Variable
from app.data.wet import wet_limit
from app.errors import InputError


def dense_threshold(on: str, variable: Variable, accumulation: int | None) -> float | None:
    """The smallest wet value, where only wet values are to be weighed; None for all.

    `on`: value of --dense_on. `accumulation`: seconds that amounts are summed over.
    Raises InputError where the variable has no wet threshold.
    """
    if on == "all":
        return None
    limit = wet_limit(variable, accumulation)
    if limit is None or not limit.value:
        raise InputError(
            f"--dense_on={on}: {variable.name} ({variable.units or 'no unit'}, kind "
            f"{variable.kind}) has no wet threshold; expected kind ratio and wet_threshold, or an "
            "accumulation, in the data description, or --dense_on=all"
        )
    return limit.value
