"""Run notify: `python -m services.notify`; exit codes as in `shared.serving.main`."""

import sys

from services.notify.app import NAME, run
from shared.serving import main

if __name__ == "__main__":
    sys.exit(main(NAME, run))
