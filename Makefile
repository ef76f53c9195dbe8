# `make` alone prints what there is. Everything below works on a fresh machine: `setup` makes .venv from the lock first.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
PYTEST := $(BIN)/pytest
SIDE_BY_SIDE := --numprocesses 5  # tests on a broker wait most of the time
ONE_A_CORE := --numprocesses logical
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"
CODE := streams tests examples benchmarks deploy
COMPILED := build/compiled
CAN_COMPILE = command -v cc >/dev/null && \
	$(BIN)/python -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'

help:  ## Print this
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make the virtual environment from the lock

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer with venv is needed, and none was found" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "== installing $$(grep -c == requirements.lock) packages into $(VENV) ($$($(BIN)/python --version)); this takes a minute"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup  ## Run the questionnaire on a real Kafka and check its databases (ARGS="--sessions 2000")
	@$(BIN)/triggers demo $(ARGS)

dev: setup  ## Run a broker, workers and a Celery worker until Ctrl-C
	@$(BIN)/triggers dev $(ARGS)

test: setup lint  ## Everything a release needs
	@started=$$SECONDS; $(MAKE) -j2 checks tests && \
	echo && echo "== all is well after $$((SECONDS - started)) s"

checks: setup  ## Types, contracts and the compiled modules: what computes while the tests wait
	@for step in types contracts unit-compiled; do echo "== make $$step"; $(MAKE) $$step; done

tests: setup  ## All tests, side by side
	@$(PYTEST) tests $(SIDE_BY_SIDE) --durations 10 $(ARGS)

test-repeatedly: setup  ## `make test` again and again on a busy machine; a table of the runs (RUNS=10 LOAD=4)
	@$(BIN)/python -m tests.repeatedly --runs $(or $(RUNS),10) --load $(or $(LOAD),4) $(ARGS)

lint: setup  ## Style and formatting
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

format: setup  ## Format the code
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

types: setup  ## mypy --strict over package and tests
	@$(BIN)/mypy

contracts: setup  ## Who may import whom
	@$(BIN)/lint-imports

unit: setup  ## Every test that needs no broker: unit, contract, property, conformance, docs
	@$(PYTEST) tests $(ONE_A_CORE) --ignore tests/integration --ignore tests/e2e $(ARGS)

unit-compiled: setup  ## Those of the core and the agent again, compiled; nothing without a C compiler
	@if $(CAN_COMPILE); then $(MAKE) compiled && PYTHONPATH=$(COMPILED) $(PYTEST) $(ONE_A_CORE) tests/conformance tests/unit/codec \
		tests/unit/core tests/unit/processing tests/property/test_core_against_naive_model.py $(ARGS); \
	else echo "not compiled: there is no C compiler, or Python's headers are missing"; test -z "$${CI:-}"; fi

compiled: setup $(COMPILED)/.built  ## The package with its hot modules compiled to C, in build/; needs a C compiler

$(COMPILED)/.built: $(STAMP) deploy/compiled_wheel.py $(shell find streams/triggers -name '*.py')
	@echo "== compiling the core and the agent; this takes a minute"
	@rm -rf build/wheel $(COMPILED)
	@HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m hatchling build -t wheel -d build/wheel >/dev/null
	@$(BIN)/python -m zipfile -e build/wheel/*.whl $(COMPILED)
	@touch $(COMPILED)/.built

integration: setup  ## Tests on a real Kafka
	@$(PYTEST) tests/integration $(SIDE_BY_SIDE) --durations 10 $(ARGS)

e2e: setup  ## The whole stack, and what kills it
	@$(PYTEST) tests/e2e $(SIDE_BY_SIDE) --durations 10 $(ARGS)

bench: setup  ## Measure beside other ways of doing it, in a few minutes (OLD_FRAMEWORK=path, ARGS=...)
	@if $(CAN_COMPILE); then $(MAKE) compiled; fi
	@$(BIN)/python -m benchmarks $(ARGS)

bench-full: setup  ## The same with five rounds and a million sessions; an hour
	@if $(CAN_COMPILE); then $(MAKE) compiled; fi
	@$(BIN)/python -m benchmarks --full $(ARGS)

profile: setup  ## Where the CPU time of an event goes, appended to benchmarks/profile.md (ARGS="--note ...")
	@$(BIN)/python -m benchmarks.profiler $(ARGS)

chaos: setup  ## Break everything by a seeded schedule and check the outcome (SEED=1 DURATION=120 ARGS="--brokers 3")
	@PYTHONPATH=. $(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --duration $(or $(DURATION),120) $(ARGS)

chaos-compare: setup  ## Markdown tables of several campaigns (ARGS="a/report.json b/report.json")
	@PYTHONPATH=. $(BIN)/python -m tests.chaos.compare $(ARGS)

backlog: setup  ## An hour's work all at once: what it takes in memory and time (ARGS="--rate 10")
	@PYTHONPATH=. $(BIN)/python -m tests.chaos.backlog $(ARGS)

chaos-mutations: setup  ## Plant faults in the agents, one at a time: a campaign must catch each of them
	@PYTHONPATH=. $(BIN)/python -m tests.chaos.mutate $(ARGS)

fuzz: setup  ## Mutated records and configurations for a while (DURATION=60, in seconds)
	@end=$$((SECONDS + $${DURATION:-60})); while [ $$SECONDS -lt $$end ]; do \
		$(PYTEST) -q tests/property/test_fuzzed_input.py --hypothesis-seed=$$RANDOM$$RANDOM || exit 1; done

lock: setup  ## Write the locks anew from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(LOCK) pyproject.toml --group dev -o requirements.lock $(ARGS)
	@$(LOCK) pyproject.toml -c requirements.lock -o deploy/requirements.lock
	@$(LOCK) --group build -c requirements.lock -o deploy/build.lock

clean:  ## Remove what was made here
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo dev test checks tests test-repeatedly lint format types contracts unit integration e2e bench chaos chaos-compare backlog chaos-mutations bench-full profile fuzz lock clean compiled unit-compiled
