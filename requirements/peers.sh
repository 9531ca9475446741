#!/bin/sh
# Make .venv-peers: what the stack needs, and the stores that `make bench-peers` compares it with.
set -eu
cd "$(dirname "$0")/.."
. requirements/environment.sh

if ! .venv-peers/bin/python -c "$MINIMUM" 2>/dev/null; then
    "$UV" venv --quiet --clear --no-project --python "$PYTHON" .venv-peers
fi
echo "Installing the packages of requirements/deploy.txt and requirements/peers.txt ..."
"$UV" pip sync --quiet --compile-bytecode --require-hashes --python .venv-peers/bin/python \
    requirements/deploy.txt requirements/peers.txt || explain_network
"$UV" pip install --quiet --no-deps --no-build-isolation --offline --config-settings editable_mode=compat --python .venv-peers/bin/python --editable .
cp requirements/peers/package.json requirements/peers/package-lock.json .venv-peers
# message-db is SQL files, nothing that runs here; npm compares it with the hash in its lock.
if command -v npm >/dev/null && npm ci --prefix .venv-peers --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --silent; then
    touch .venv-peers/.ready
else
    echo "message-db is a package of npm and could not be fetched: it has no rows. The next run tries again." >&2
fi
