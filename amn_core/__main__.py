"""Entry of ``python -m amn_core``."""

import os
import sys
from _signal import SIGTERM, default_int_handler, signal  # built in: the module `signal` itself takes time to import

# How often a thread of GNU's OpenMP looks whether there is work again before it sleeps. By default far more often: on
# a machine that does something else too, such as showing the app, a training of many small steps then waits for
# threads that are not running, and crawls. Alone it is about as fast with so few.
SPINS = "5000"


def run() -> int:
    """Run the command line; Ctrl-C while it is still being imported, or while it tidies up, is no traceback."""
    signal(SIGTERM, default_int_handler)  # from the first moment on, as Ctrl-C
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # read when torch is imported, and by processes started here
    try:
        from amn_core.cli import main
        from amn_core.compute.distributed import leave_group

        status = main()
        if status == 0:
            leave_group()
        return status
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr, flush=True)
        return 130
    finally:
        # Python ends by SIGINT, whatever was caught, where an interrupt came while it ran a text, as it does for every
        # dataclass; the next text that it runs makes it forget that (CPython's `unhandled_keyboard_interrupt`).
        exec("")


if __name__ == "__main__":
    sys.exit(run())
