# minewatch: `make demo` runs it, `make test` proves it. Both set everything up by themselves in .venv.
PYTHON ?= python3
BIN := .venv/bin
PAGE := src/minewatch/serve/static/index.html
PAGES := $(shell find dashboards/web -path dashboards/web/node_modules -prune -o -type f -print 2>/dev/null)
PROJECT := pyproject.toml edge/pyproject.toml
ARGS ?=
ONLY ?=

.PHONY: demo test check bench edge pages requirements clean
.DELETE_ON_ERROR:

demo: .venv/run.stamp $(PAGE)
	@$(BIN)/minewatch demo $(ARGS)

# Three workers for two cores: tests of whole systems wait more than they compute. In the order of tests/conftest.py.
test: .venv/dev.stamp $(PAGE)
	@$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder $(ARGS)

check: .venv/dev.stamp $(PAGE)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python hatch_build.py check
	$(BIN)/python -m pytest -q tests/docs

bench: .venv/dev.stamp $(PAGE)
	@$(BIN)/python -m tests.bench $(ONLY)

# The agent as one file and as a Debian package: build/minewatch-edge.pyz, build/minewatch-edge_VERSION_all.deb
edge: .venv/run.stamp
	@$(BIN)/python edge/packaging/build.py

pages: $(PAGE)

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "minewatch needs Python 3.11 or newer: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv

.venv/run.stamp: requirements/run.txt $(PROJECT) | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	MINEWATCH_PAGES=skip $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e edge -e .
	@touch $@

.venv/dev.stamp: requirements/dev.txt .venv/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

$(PAGE): $(PAGES) hatch_build.py | .venv/run.stamp
	$(BIN)/python hatch_build.py
	@touch $@

# Pins are made anew with: make requirements  (needs uv; no registry host may stand in the result)
requirements:
	uv pip compile $(PROJECT) requirements/build.in --extra demo --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-package minewatch-edge -q -o requirements/run.txt
	uv pip compile $(PROJECT) requirements/build.in --extra demo --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-header --no-emit-package minewatch-edge -c requirements/run.txt -q -o requirements/dev.txt

clean:
	rm -rf .venv build dashboards/web/node_modules src/minewatch/serve/static
