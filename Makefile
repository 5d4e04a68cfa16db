# `make` lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUNBUFFERED := 1
PYTHON ?= python3
# Whether a Python is of a version that all libraries have, and whether .venv was made in this folder:
# a moved or copied one runs the code of its old place. One that is a link is somebody's own.
SUPPORTED := import sys; v = sys.version_info[:2]; sys.exit(not (3, 11) <= v < (3, 14) and \
  "error: Python 3.11, 3.12 or 3.13 is needed and this is %d.%d; name one: make install PYTHON=python3.11" % v)
SOUND := { test -L .venv || grep -qF "$$(pwd -P)/.venv" .venv/bin/activate; } && \
  .venv/bin/python -c '$(SUPPORTED)'
PIP := env -u PYTHONDONTWRITEBYTECODE .venv/bin/python -m pip install --quiet --disable-pip-version-check
# Test files side by side; each keeps to itself what it trains and starts.
PYTEST := python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

.PHONY: help
help:  ## List the targets
	@grep -E '^[a-z-]+: ?.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## */  make \1\t/' | expand -t 16

.PHONY: install
install: .venv/installed  ## Create .venv and install what requirements.lock pins

ifneq ($(shell { $(SOUND); } >/dev/null 2>&1 && echo sound),sound)
.PHONY: .venv/installed
endif

# uv installs in half of pip's time. It comes by pip, checked by the lock's hashes like the rest; where
# it cannot be had or reaches no index (pip's settings are not its own), plain pip does all of it.
# Compiled bytecode saves every stage some seconds.
.venv/installed: requirements.lock pyproject.toml
	@$(PYTHON) -c '$(SUPPORTED)'
	@{ $(SOUND) && { .venv/bin/python -m pip --version || .venv/bin/python -m ensurepip; }; } >/dev/null 2>&1 || \
	  $(PYTHON) -m venv --clear .venv
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.lock > .venv/uv.txt
	@$(PIP) --require-hashes -r .venv/uv.txt && \
	  .venv/bin/uv pip install --quiet --python .venv/bin/python --compile-bytecode --require-hashes -r requirements.lock || \
	  { echo "uv cannot install here; pip does, in twice the time" >&2; $(PIP) --require-hashes -r requirements.lock; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.PHONY: repro
repro: install  ## Train, evaluate and track every variant (what is up to date is skipped)
	branchmark repro
	branchmark results

.PHONY: test
test: install  ## Run all tests, with real trainings, servers and crashes
	$(PYTEST)

.PHONY: test-fast
test-fast: install  ## Run the tests of the logic, in a minute
	$(PYTEST) -m "not slow"

.PHONY: coverage
coverage: install  ## Run all tests and show which lines of stages/ none of them runs
	$(PYTEST) --cov --cov-report=
	coverage report --format=markdown > coverage.md
	coverage report

.PHONY: check
check: install  ## Lint, check formatting, types, and which part may import which
	ruff check .
	ruff format --check .
	mypy
	branchmark check

.PHONY: format
format: install  ## Format the code
	ruff check --fix .
	ruff format .

.PHONY: ui
ui: install  ## Open MLflow's page of this project on this machine
	branchmark ui

.PHONY: bench
bench: install  ## Measure this tree beside an earlier commit: evaluate, a stage by phase, dvc.lock
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python -m benchmarks.bench

.PHONY: lock
lock:  ## Resolve requirements.lock anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --extra dev --extra server --extra cluster --universal --python-version 3.11 --upgrade \
	  --generate-hashes --no-emit-index-url --custom-compile-command "make lock" --quiet -o requirements.lock
