#!/bin/sh
# Make .venv with the `tellonce` command: `setup.sh deploy` for the stack, `setup.sh dev` for tests and checks too.
set -eu
cd "$(dirname "$0")/.."
. requirements/environment.sh

wanted=$1
if [ -e .venv/.dev ]; then
    wanted=dev # never take the tools away again
fi
if ! .venv/bin/python -c "$MINIMUM" 2>/dev/null; then
    "$UV" venv --quiet --clear --no-project --python "$PYTHON" .venv
fi
echo "Installing the packages of requirements/$wanted.txt ..."
# Compiled now: every process of the stack would do it again where Python may not keep what it compiled.
"$UV" pip sync --quiet --compile-bytecode --require-hashes --python .venv/bin/python "requirements/$wanted.txt" || explain_network
"$UV" pip install --quiet --no-deps --no-build-isolation --offline --config-settings editable_mode=compat --python .venv/bin/python --editable .
.venv/bin/python -m compileall -q services shared deploy
touch .venv/.deploy
if [ "$wanted" = dev ]; then
    touch .venv/.dev
fi
echo "Ready: .venv/bin/tellonce"
