"""Run ingest: `python -m services.ingest`; exit codes as in `shared.serving.main`."""

import sys

from services.ingest.app import NAME, run
from shared.serving import main

if __name__ == "__main__":
    sys.exit(main(NAME, run))
