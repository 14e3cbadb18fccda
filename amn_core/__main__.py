"""Entry of ``python -m amn_core``."""

import sys


def run() -> int:
    """Run the command line; Ctrl-C while it is still being imported, or while it tidies up, is no traceback."""
    try:
        from amn_core.cli import main
        from amn_core.distributed import leave_group

        status = main()
        if status == 0:
            leave_group()
        return status
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(run())
