"""Networks trained on a made tree give a submission that would be accepted."""

from pathlib import Path

import pytest

from app.main import main
from app.synthetic.cordex import make_tree

KEPT = ("historical/predictors/perfect/ACCESS-CM2", "end_century/predictors/imperfect/NorESM2-MM")
SMALL = ("--n_filters=2", "--n_blocks=1", "--epochs=1", "--batch_size=4", "--threads=1")


@pytest.mark.slow
def test_from_the_tree_to_the_zip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """DeepESD of both targets, one file of another calendar; what is there is not made again."""
    tree = tmp_path / "tree"
    make_tree(tree, ("SA",), 16, 8)
    for path in (tree / "SA_domain" / "test").rglob("predictors/*/*.nc"):
        if not any(kept in str(path) for kept in KEPT):
            path.unlink()
    submission = f"--submission={tmp_path / 'small'}"
    words = ["cordex", str(tree), "--domain=SA", "--experiment=ESD_pseudo_reality", submission]
    assert main([*words, "describe", "--backbone=deepesd", *SMALL]) == 0
    assert main([*words, "train", "predict", "--threads=1"]) == 0
    assert main([*words, "validate", "pack", "cost"]) == 0
    assert (tmp_path / "small" / "small.zip").is_file()
    assert "SA_ESD_pseudo_reality_tasmax" in (tmp_path / "small" / "costs.csv").read_text()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "small" / "predictions").rglob("*.nc")}
    assert len(before) == 2
    assert main([*words, "predict"]) == 0
    assert before == {p: p.stat().st_mtime_ns for p in before}
    assert main([*words, "predict", "--members=10"]) == 2
    assert "draws nothing at inference" in capsys.readouterr().err
