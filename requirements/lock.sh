#!/bin/sh
# Make the hashed locks from the .in files, or with --check compare them: `lock.sh [--check]`.
# A lock names versions and hashes only: no address, no machine. It installs on Python 3.11 to 3.13, Linux and macOS.
set -eu
cd "$(dirname "$0")/.."
. requirements/environment.sh

lock() { # name, folder, what it is made of and further options
    name=$1 folder=$2
    shift 2
    "$UV" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
        --no-header --no-annotate "$@" "requirements/$name.in" --output-file "$folder/$name.txt"
}

folder=requirements
if [ "${1-}" = --check ]; then
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    # With the present pins as the starting point only what the .in files ask for can differ.
    cp requirements/*.txt "$folder"
    set --
else
    set -- --upgrade
fi
lock_all() {
    lock uv "$folder" "$@" && lock service "$folder" "$@" &&
        lock tools "$folder" requirements/service.in --constraint "$folder/service.txt" "$@" &&
        lock deploy "$folder" requirements/service.in requirements/tools.in --constraint "$folder/tools.txt" "$@" &&
        lock dev "$folder" requirements/service.in requirements/tools.in requirements/deploy.in --constraint "$folder/deploy.txt" \
            --excludes requirements/left-out.txt "$@" &&
        lock peers "$folder" --constraint "$folder/deploy.txt" "$@"
}
# What uv remembers is enough for a comparison, mostly; then no network is needed.
if [ "$folder" = requirements ] || ! lock_all --offline 2>/dev/null; then
    lock_all "$@"
fi

for name in uv service tools deploy dev peers; do
    if ! cmp -s "requirements/$name.txt" "$folder/$name.txt"; then
        echo "requirements/$name.txt is not what its .in files ask for: run \`make lock\`." >&2
        exit 1
    fi
    if grep -n '://' "requirements/$name.txt"; then
        echo "requirements/$name.txt holds an address." >&2
        exit 1
    fi
done
