# Read by setup.sh and lock.sh: finds Python and installs the pinned uv into .uv. Nothing is remembered of the machine.

MINIMUM='import sys; sys.exit(sys.version_info < (3, 11))'

find_python() { # prints the first Python of 3.11 or newer
    for candidate in python3 python3.13 python3.12 python3.11; do
        if "$candidate" -c "$MINIMUM" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    echo "Tellonce needs Python 3.11 or newer with pip and venv; none is on the PATH." >&2
    exit 2
}

bootstrap_uv() { # the pinned uv, by this Python's pip
    if cmp -s requirements/uv.txt .uv/uv.txt; then
        return
    fi
    echo "Installing uv ..."
    if ! "$PYTHON" -m pip --version >/dev/null 2>&1; then
        echo "$PYTHON has no pip: install it (Debian: python3-pip and python3-venv) and try again." >&2
        exit 2
    fi
    rm -rf .uv
    if ! PIP_USER=0 PIP_ROOT_USER_ACTION=ignore "$PYTHON" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
        --only-binary :all: --target .uv -r requirements/uv.txt; then
        explain_network
    fi
    cp requirements/uv.txt .uv/uv.txt
}

explain_network() {
    echo "The packages could not be fetched. The package index must be reachable: check the network," >&2
    echo "a proxy (HTTPS_PROXY) or the index that pip is configured with, then run the same command again." >&2
    exit 2
}

PYTHON=$(find_python)
UV=.uv/bin/uv
export UV_SYSTEM_CERTS=1
export UV_PYTHON_DOWNLOADS=never
export UV_NO_PROGRESS=1
bootstrap_uv

# uv does not read pip's configuration; where pip was told another index, use that one.
if [ -z "${UV_DEFAULT_INDEX-}${UV_INDEX_URL-}${UV_INDEX-}" ]; then
    index=${PIP_INDEX_URL-$("$PYTHON" -m pip config get global.index-url 2>/dev/null || true)}
    if [ -n "$index" ]; then
        export UV_DEFAULT_INDEX="$index"
    fi
fi
if [ -z "${UV_CACHE_DIR-}" ] && ! mkdir -p "${XDG_CACHE_HOME-${HOME-/nonexistent}/.cache}/uv" 2>/dev/null; then
    export UV_CACHE_DIR="$PWD/.uv/cache"
fi
