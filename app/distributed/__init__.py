"""Ranks: who started us, how many we are, and what passes between us."""

from app.distributed.communicator import Communicator, connect, horovod_errors
from app.distributed.ranks import Ranks

__all__ = ["Communicator", "Ranks", "connect", "horovod_errors"]
