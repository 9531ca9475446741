# `make` alone prints the targets. Needs python3 >= 3.11 with pip and venv; everything else lands in .venv and .uv.
.DEFAULT_GOAL := help
# What npm made of a folder's lock; it writes this file itself.
INSTALLED := node_modules/.package-lock.json
.PHONY: help setup demo up images test test-containers also check contracts fmt lock bench bench-peers soak faults drill upgrade load simulate clean
RUN := .venv/.deploy
DEV := .venv/.dev
PEERS := .venv-peers/.ready
SETUP_FILES := pyproject.toml requirements/environment.sh requirements/setup.sh requirements/uv.txt
STORY := tests/stories/parcel_locker.yaml
CONTAINED := tests/ledger tests/history tests/notify tests/stories/test_images.py \
	tests/embedded/test_rights.py tests/embedded/test_bus_users.py tests/embedded/test_credentials.py

help: ## print this help
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s %s\n", $$1, $$2 }' Makefile

setup: $(RUN) ## make .venv with the `tellonce` command

demo: $(RUN) ## play the parcel-locker story on a stack of its own and check it
	@.venv/bin/tellonce story $(STORY)

up: $(RUN) ## run the stack until Ctrl-C and print every address
	@.venv/bin/tellonce up

# What pytest made of the test files is kept for the next run, also where Python is told to keep nothing.
test: $(DEV) ## pass all tests
	@PYTHONDONTWRITEBYTECODE= .venv/bin/python -m pytest -n 4 --dist loadgroup --no-loadscope-reorder $(ARGS)

images: ## build the images of the services and the tools; IMAGES='--build-arg PIP_INDEX_URL=…' for another index
	@deploy/images.sh $(IMAGES)

test-containers: $(DEV) images ## pass the tests of ledger, history, notify and rights on servers in containers, and a story on our images
	@TEST_CONTAINERS=1 .venv/bin/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder $(CONTAINED) $(ARGS)

also: $(DEV) ## pass the tests on another Python (3.13, else 3.12, 3.11) where one is present
	@sh requirements/also.sh $(ARGS)

check: $(DEV) ## format, lint, strict types, import contracts, locks, reference pages
	@sh requirements/check.sh

contracts: requirements/contracts/$(INSTALLED) examples/node/$(INSTALLED) ## validate the published documents, let `make test` run the Node example; needs Node 20
	@node requirements/contracts/validate.js docs/reference

fmt: $(DEV) ## format the code, mend what can be mended
	@.venv/bin/ruff check --quiet --fix-only . && .venv/bin/ruff format .

lock: ## make the hashed locks anew from requirements/*.in
	@sh requirements/lock.sh

bench: $(DEV) ## measure append, projection and end-to-end delay as ratios
	@.venv/bin/python -m tests.bench $(ARGS)

bench-peers: $(PEERS) ## the same events through other stores: a quarter of an hour; ARGS='--events 10000' for less
	@.venv-peers/bin/python -m tests.peers $(ARGS)

soak: $(DEV) ## kill every process before every step of the story: about an hour; ARGS=--needs: the router, in every story of a need
	@.venv/bin/python -m tests.soak $(ARGS)

faults: $(DEV) ## do faults under load and check every invariant; ARGS=--long for all of them
	@.venv/bin/python -m tests.faults $(ARGS)

drill: $(DEV) ## back a stack up, lose it, restore it in an empty one, compare digests
	@.venv/bin/python -m tests.drill $(ARGS)

upgrade: $(DEV) ## exchange every service for an earlier commit's and back, under traffic; ARGS='--from COMMIT'
	@.venv/bin/python -m tests.upgrade $(ARGS)

load: $(DEV) ## a day of a shop in 15 minutes, then a burst; ARGS='--minutes 60 --burst-minutes 10' for all of it
	@.venv/bin/python -m tests.load $(ARGS)

simulate: $(DEV) ## three weeks of a shop against router and notify in memory, every invariant checked; ARGS='--seeds 5 --days 1'
	@.venv/bin/python -m tests.simulation $(ARGS)

clean: ## remove what setup, tests and checks made; the data in .tellonce stays
	rm -rf .venv .venv-also .venv-peers .uv */*/node_modules build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(RUN): requirements/deploy.txt $(SETUP_FILES)
	@sh requirements/setup.sh deploy

$(PEERS): requirements/peers.txt requirements/deploy.txt requirements/peers/package-lock.json requirements/peers.sh $(SETUP_FILES)
	@sh requirements/peers.sh

%/$(INSTALLED): %/package-lock.json
	@npm ci --prefix $* --ignore-scripts --omit-lockfile-registry-resolved --no-audit --no-fund --silent

$(DEV): requirements/dev.txt requirements/deploy.txt $(SETUP_FILES)
	@sh requirements/setup.sh dev
