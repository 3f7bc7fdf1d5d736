"""How the ranks of a job meet, what passes between them, and how they end together."""

from app.distributed.communicator import Communicator, connect, horovod_errors

__all__ = ["Communicator", "connect", "horovod_errors"]
