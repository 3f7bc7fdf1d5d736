"""The scores of DL4DS 1.8.0 on two arrays of a file, its figures left out."""

from __future__ import annotations

from typing import Any

from scripts.benchmarks.competitors.with_dl4ds import imported
from scripts.benchmarks.serving import Step, serve


class _Nothing:
    """Takes any call, gives itself: stands in for what draws."""

    def __getattr__(self, name: str) -> _Nothing:
        return self

    def __call__(self, *arguments: Any, **options: Any) -> _Nothing:
        return self

    def __iter__(self) -> Any:
        return iter((self, self))

    def __getitem__(self, key: Any) -> _Nothing:
        return self


def prepare(task: dict[str, Any]) -> tuple[dict[str, Any], Step]:
    """`compute_metrics` with one job."""
    import numpy as np

    dl4ds, _ = imported(task["threads"])
    for name in ("sns", "ecv", "plt"):
        setattr(dl4ds.metrics, name, _Nothing())
    with np.load(task["data"]) as arrays:
        truth, prediction = arrays["truth"][..., None], arrays["prediction"][..., None]

    def step(count: int) -> None:
        for _ in range(count):
            dl4ds.metrics.compute_metrics(truth, prediction, n_jobs=1)

    return {"versions": {"dl4ds": dl4ds.__version__}, "batch": 1}, step


if __name__ == "__main__":
    serve(prepare)
