# The same targets serve people and CI. A new machine needs Python 3.11+, pip and make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: help setup demo test test-all check format chromium axe bench bench-peers clean

help:            ## show this list
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

setup: $(VENV)/.installed ## make .venv and install mien with all extras (nothing to do when up to date)

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo "mien needs Python 3.11 or newer; name one with: make setup PYTHON=python3.11"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[all]'
	@touch $@

demo: setup      ## make faces, train on them, compare four methods, recognise a real photo: demo/report.html
	$(BIN)/mien demo demo

# A process for each processor already: threads beside them would wait for one another, and double the time.
test test-all: export OMP_NUM_THREADS = 1

test: setup      ## the quick tests, a process for each processor
	$(BIN)/python -m pytest -n auto --dist worksteal

test-all: setup  ## all tests, the long ones too
	$(BIN)/python -m pytest -m '' -n auto --dist loadfile

check: setup     ## style, types and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup    ## put all files into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chromium:        ## install Debian's Chromium, in which the page is tested
	apt-get install --yes --no-install-recommends chromium

axe: tests/vendor/axe.min.js ## fetch axe-core, which looks for what keeps people out of the page

tests/vendor/axe.min.js:
	mkdir -p tests/vendor
	cd tests/vendor && npm pack --silent axe-core@4.14.1 && tar -xzf axe-core-4.14.1.tgz --strip-components=1 package/axe.min.js
	rm tests/vendor/axe-core-4.14.1.tgz

bench: setup     ## two quick benchmarks that need no other data; benchmarks/ has more
	$(BIN)/python benchmarks/recognition.py
	$(BIN)/python benchmarks/synth.py

bench-peers: .venv-peers/.installed ## recognition beside the PyPI package fer, in an environment of its own
	$(BIN)/python benchmarks/recognition.py

.venv-peers/.installed: benchmarks/peers.txt
	test -x .venv-peers/bin/python || $(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/peers.txt
	@touch $@

clean:           ## remove the demo and caches, keep .venv
	rm -rf demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
