"""The in-memory shards live beside the tests of the baselines."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "baselines"))
