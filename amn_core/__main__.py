"""Entry of ``python -m amn_core``."""

import sys

from amn_core.cli import main
from amn_core.distributed import leave_group

if __name__ == "__main__":
    status = main()
    if status == 0:
        leave_group()
    sys.exit(status)
