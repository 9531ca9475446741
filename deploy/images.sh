#!/bin/sh
# Build the images of the services, the bootstrap job and the tools: `images.sh [OPTION ...]`; options go to `docker build`,
# for example --build-arg PIP_INDEX_URL=https://index.example/simple, or --network host.
set -eu
cd "$(dirname "$0")/.."
version=$(sed -n 's/^VERSION = "\(.*\)"$/\1/p' shared/__init__.py)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)

build() { # name, target, service, lock, options
    name=$1 target=$2 service=$3 lock=$4
    shift 4
    docker build --quiet --file deploy/Dockerfile --target "$target" --build-arg "SERVICE=$service" --build-arg "LOCK=$lock" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --tag "tellonce-$name:$version" "$@" . >/dev/null
    echo "tellonce-$name:$version"
}

for each in ingest router history notify; do
    build "$each" service "$each" service "$@"
done
build bootstrap bootstrap history service "$@"
# The older builder makes every stage that stands before the wanted one: one service goes by.
build tools tools history tools "$@"
