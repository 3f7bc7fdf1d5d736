"""How the ranks of a job meet, what passes between them, and how they end together."""

from app.distributed.communicator import Communicator
from app.distributed.connecting import communication_errors, connect

__all__ = ["Communicator", "communication_errors", "connect"]
