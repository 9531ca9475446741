"""Run the router: `python -m services.router`; exit codes as in `shared.serving.main`."""

import sys

from services.router.app import NAME, run
from shared.serving import main

if __name__ == "__main__":
    sys.exit(main(NAME, run))
