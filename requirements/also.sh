#!/bin/sh
# Pass the tests on the newest other Python that is present, in an environment of its own: .venv-also.
set -eu
cd "$(dirname "$0")/.."
. requirements/environment.sh

OTHER='import sys; sys.exit(sys.version_info[:2] == tuple(map(int, sys.argv[1].split("."))))'
mine=$(.venv/bin/python -c 'import sys; print("%d.%d" % sys.version_info[:2])')
for candidate in python3.13 python3.12 python3.11; do
    if "$candidate" -c "$MINIMUM" 2>/dev/null && "$candidate" -c "$OTHER" "$mine" 2>/dev/null; then
        "$UV" venv --quiet --clear --no-project --python "$(command -v "$candidate")" .venv-also
        "$UV" pip sync --quiet --require-hashes --python .venv-also/bin/python requirements/dev.txt || explain_network
        "$UV" pip install --quiet --no-deps --no-build-isolation --offline --config-settings editable_mode=compat --python .venv-also/bin/python --editable .
        exec .venv-also/bin/python -m pytest -n 3 --dist loadgroup "$@"
    fi
done
echo "Only Python $mine is present: nothing else to test on."
