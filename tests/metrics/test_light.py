"""Scoring must not pull in a deep-learning framework."""

import subprocess
import sys

CODE = """
import sys
import app.metrics.evaluate, app.report.figures, app.baselines.catalogue, app.stages.report
heavy = {"keras", "tensorflow", "torch", "jax"} & set(sys.modules)
assert not heavy, heavy
"""


def test_no_framework_is_imported():
    subprocess.run([sys.executable, "-c", CODE], check=True, capture_output=True, text=True)
