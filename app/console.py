"""Entry point of the console script and of `python -m app`."""

from __future__ import annotations

import sys

from app.exit_codes import FAILED, INTERRUPTED
from app.running import streams


def console() -> None:
    """Run the command line, also where the installation is not whole."""
    streams.outlive()
    try:
        from app.main import main
        from app.running.failure import hear_threads

        hear_threads()
        code = main(sys.argv[1:])
    except ImportError as error:
        print(f"finescale: the installation is not whole ({error})", file=sys.stderr)
        code = FAILED
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code)
