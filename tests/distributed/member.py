"""One rank of the watch tests: come, say what the team is, and then do as told.

usage: member.py FOLDER LAUNCH_TIMEOUT RANK_TIMEOUT leave|wait|fail|interrupted|late [interface]
"""

import json
import os
import sys
import time
from pathlib import Path

from app.distributed.watch import Watch
from app.errors import InputError, RunError
from app.options import LaunchConfig
from app.ranks import Ranks

LIBRARY = "TEST_LIBRARY"  # that joins the ranks
LIFE_S = 60
LATE_S = 2
INTERRUPTED = 3
ENDS = {
    "leave": (0, ""),
    "wait": (0, ""),
    "fail": (1, "no space left on device"),
    "interrupted": (INTERRUPTED, ""),
    "late": (INTERRUPTED, ""),
}


def main(folder: str, launch_timeout: str, rank_timeout: str, act: str, *interface: str) -> int:
    launch = LaunchConfig(*interface or (None,), int(launch_timeout), int(rank_timeout))
    watch = Watch(
        Ranks.from_environment(), Path(folder), launch, os.environ.get(LIBRARY, "horovod")
    )
    try:
        team = watch.gather()
    except (InputError, RunError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        watch.leave(1, str(error))
        return 1
    print(json.dumps(team.to_dict()), flush=True)
    if act == "wait":
        time.sleep(LIFE_S)
    if act == "late":
        time.sleep(LATE_S)
    code, reason = ENDS[act]
    watch.leave(code, reason)
    print(time.time(), flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
