"""Entry of ``python -m amn_core``."""

import sys

from amn_core.cli import main

if __name__ == "__main__":
    sys.exit(main())
