"""Run by the launcher tests: rank 1 sleeps where rank 0 waits for it.

usage: absent_rank.py [flags of train]
"""

import sys
import time

from app import options
from app.ranks import Ranks
from app.session import Session

SLEEP_S = 120

if __name__ == "__main__":
    ranks = Ranks.from_environment()
    session = Session(options.build(*options.parse(["train", *sys.argv[1:]])), ranks)
    session.communicator.barrier()
    if ranks.rank == 1:
        time.sleep(SLEEP_S)
    session.communicator.barrier()
