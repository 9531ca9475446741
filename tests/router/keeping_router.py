"""The router, which keeps a snapshot as soon as there is anything new."""

import sys

from services.router import dispatcher
from services.router.app import NAME, run
from shared import serving

if __name__ == "__main__":
    dispatcher.KEPT_EVENTS = 1
    dispatcher.KEEP_SECONDS = 0.05
    sys.exit(serving.main(NAME, run))
