#!/bin/sh
# Everything `make check` checks. Goes on after a finding, so that one run shows all; ends with 1 if there was any.
set -u
cd "$(dirname "$0")/.."
bin=.venv/bin
failed=

check() { # what, command
    what=$1
    shift
    if "$@"; then
        echo "ok      $what"
    else
        echo "FAILED  $what"
        failed="$failed $what"
    fi
}

check format "$bin/ruff" format --quiet --check --diff .
check lint "$bin/ruff" check --quiet .
check types "$bin/mypy"
check imports "$bin/lint-imports" --no-cache --no-logo
check locks sh requirements/lock.sh --check
check reference "$bin/python" -m docs.generate --check
check reference-types "$bin/mypy" --package docs.generate
check example-types env MYPYPATH=examples/python "$bin/mypy" --module consumer --module tellonce_client
if [ -n "$failed" ]; then
    echo "make check:$failed" >&2
    exit 1
fi
