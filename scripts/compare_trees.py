"""Whether two source trees compute the same: every flagfile in --debug size, bit by bit.

python scripts/compare_trees.py record TREE FILE.json [--ranks=1,2] [--only=quickstart]
python scripts/compare_trees.py compare BEFORE.json AFTER.json

`record` runs each flagfile of a tree for twelve steps and keeps digests of the trained weights, of
the fields in y_hat.nc and of metrics/summary.csv; what is recorded already is left out. `compare`
prints a table and ends with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import h5py
import xarray as xr

PARTS = ("weights", "y_hat.nc", "summary.csv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    record = commands.add_parser("record")
    record.add_argument("tree", type=Path)
    record.add_argument("file", type=Path)
    record.add_argument("--ranks", default="1,2", help="numbers of ranks, with commas between")
    record.add_argument("--only", default="", help="flagfiles whose name holds this")
    record.set_defaults(
        run=lambda given: record_tree(given.tree, given.file, given.ranks, given.only)
    )
    compare = commands.add_parser("compare")
    compare.add_argument("before", type=Path)
    compare.add_argument("after", type=Path)
    compare.set_defaults(run=lambda given: sys.exit(compare_records(given.before, given.after)))
    given = parser.parse_args()
    given.run(given)


def record_tree(tree: Path, file: Path, ranks: str, only: str) -> None:
    """Digests of every flagfile's results, written after each run."""
    known = json.loads(file.read_text()) if file.exists() else {}
    folder = tree.resolve() / "flagfiles"
    for flagfile in sorted(folder.rglob("*.cfg")):
        for number in map(int, ranks.split(",")):
            name = f"{flagfile.relative_to(folder)} x{number}"
            if only in name and name not in known:
                known[name] = digests(tree.resolve(), flagfile, number)
                file.write_text(json.dumps(known, indent=1))
                print(name, *known[name].values(), flush=True)


def digests(tree: Path, flagfile: Path, ranks: int) -> dict[str, str]:
    """What a flagfile's run in --debug size gives; the error's last line where it fails."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flagfiles").symlink_to(tree / "flagfiles")
        data = os.environ.get("FINESCALE_DATA", tree.parent / "shared" / "data")
        command = [sys.executable, "-m", "app", f"--flagfile={flagfile}", "--debug"]
        command += ["--save_path=out", "--cache_dir=cache", "--threads=1", f"--data_root={data}"]
        if ranks > 1:
            launcher = Path(sys.executable).parent / "horovodrun"
            command = [str(launcher), "-np", str(ranks), "--gloo", *command]
        environment = {**os.environ, "PYTHONPATH": str(tree), "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            last = (done.stderr.strip() or "no message").splitlines()[-1]
            return dict.fromkeys(PARTS, f"exit code {done.returncode}: {last}")
        out = Path(folder) / "out"
        return {
            "weights": weights(out / "model.keras"),
            "y_hat.nc": fields(out / "y_hat.nc"),
            "summary.csv": digest((out / "metrics" / "summary.csv").read_bytes()),
        }


def weights(model: Path) -> str:
    """A digest of all arrays of a saved model, whatever their layers are called."""
    found: list[str] = []

    def keep(_: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            found.append(digest(item[()].tobytes()))

    with zipfile.ZipFile(model) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(content) as file:
        file.visititems(keep)
    return digest("".join(sorted(found)).encode())


def fields(prediction: Path) -> str:
    """A digest of the values of all variables of a prediction."""
    with xr.open_dataset(prediction, decode_times=False) as opened:
        values = [opened[name].values.tobytes() for name in sorted(opened.data_vars)]
    return digest(b"".join(values))


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def compare_records(before: Path, after: Path) -> int:
    """Print what is equal; 1 where anything differs or was not run on both trees."""
    old, new = (json.loads(path.read_text()) for path in (before, after))
    print(f"{'flagfile':44s} " + " ".join(f"{part:12s}" for part in PARTS))
    different = 0
    for name in sorted({*old, *new}):
        pairs = [(old.get(name, {}).get(part), new.get(name, {}).get(part)) for part in PARTS]
        equal = [a == b and a is not None and ":" not in a for a, b in pairs]
        different += not all(equal)
        print(f"{name:44s} " + " ".join(f"{'equal' if e else 'DIFFERS':12s}" for e in equal))
    print(f"{len({*old, *new})} runs, {different} with differences")
    return int(different > 0)


if __name__ == "__main__":
    main()
