"""notify, which looks at its streams too seldom to see that one of them went back."""

import sys

from services.notify.app import NAME, run
from shared import serving, watching

if __name__ == "__main__":
    watching.WATCH_SECONDS = 3_600.0
    sys.exit(serving.main(NAME, run))
