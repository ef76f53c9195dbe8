# `make` alone prints the targets. They work on a fresh machine, because `setup` first creates .venv from the lock.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory
unexport PYTHONDONTWRITEBYTECODE  # a run starts hundreds of processes, and each would compile the package again

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
PYTEST := $(BIN)/pytest
SIDE_BY_SIDE := --numprocesses 5  # more than cores, because tests on a broker mostly wait
ONE_A_CORE := --numprocesses logical
STACK := tests/integration tests/e2e
CELERY_VERSIONS := 5.4 5.5 5.6 5.7
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock"
CODE := streams tests examples benchmarks deploy
COMPILED := build/compiled
COMPILED_QUICKLY := $(COMPILED)-quickly
OF_STORAGES := tests/conformance/test_histories_of_storages.py::test_recorded_histories_are_reproduced_through_storages
OF_EDITION_2 := tests/conformance/test_histories_of_edition_2.py
# Of the recorded histories, all run on the compiled core. Through storages, which are not compiled, some run on it.
NOT_COMPILED := --deselect '$(OF_STORAGES)[random' --deselect '$(OF_EDITION_2)::test_the_model_reproduces' \
	$(foreach file,curated.jsonl-3-100 random_public.jsonl.gz-40-8,--deselect \
	'$(OF_EDITION_2)::test_embedded_storages_reproduce_every_history_that_they_can_carry_out[$(file)-CacheStorageBackend]')
CAN_COMPILE = command -v cc >/dev/null && \
	$(BIN)/python -c 'import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))'

help:  ## Print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Create the virtual environment from the lock

$(STAMP): requirements.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "no Python 3.11 or newer with venv was found: install one, or name it with PYTHON=path" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@echo "== installing $$(grep -c == requirements.lock) packages into $(VENV) ($$($(BIN)/python --version)); this takes a minute"
	@$(PIP) --require-hashes -r requirements.lock
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: setup  ## Run the questionnaire on a real Kafka and check its databases (ARGS="--sessions 2000")
	@$(BIN)/triggers demo $(ARGS)

dev: setup  ## Run a broker, workers and a Celery worker until Ctrl-C
	@$(BIN)/triggers dev $(ARGS)

test: setup lint  ## Run all checks and tests, as CI does before a release
	@started=$$SECONDS; $(MAKE) checks stack && \
	echo && echo "== everything passed after $$((SECONDS - started)) s"

checks: setup  ## Check types and contracts, and run the tests that need no broker, also with compiled modules
	@for step in types contracts unit-compiled unit; do echo "== make $$step"; $(MAKE) $$step; done

tests: setup  ## Run all tests in parallel
	@$(PYTEST) tests $(SIDE_BY_SIDE) --durations 10 $(ARGS)

stack: setup  ## Run the tests that need a real Kafka or the whole stack
	@$(PYTEST) $(STACK) $(SIDE_BY_SIDE) --durations 10 $(ARGS)

test-repeatedly: setup  ## Run `make test` repeatedly on a busy machine and print a table (RUNS=10 LOAD=4)
	@$(BIN)/python -m tests.repeatedly --runs $(or $(RUNS),10) --load $(or $(LOAD),4) $(ARGS)

lint: setup  ## Check style and formatting
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

format: setup  ## Format the code
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

types: setup  ## Run mypy --strict over package and tests
	@$(BIN)/mypy

contracts: setup  ## Check which modules may import which
	@$(BIN)/lint-imports

unit: setup  ## Run the tests that need no broker: unit, contract, property, conformance, docs
	@$(PYTEST) tests $(ONE_A_CORE) $(STACK:%=--ignore %) $(ARGS)

unit-compiled: setup  ## Run the tests of the core and the agent with compiled modules, if there is a C compiler
	@if $(CAN_COMPILE); then $(MAKE) $(COMPILED_QUICKLY)/.built && PYTHONPATH=$(COMPILED_QUICKLY) $(PYTEST) $(ONE_A_CORE) \
		tests/conformance tests/unit/codec tests/unit/core tests/unit/agent tests/unit/store \
		tests/unit/recovery/test_moved_forwards.py tests/unit/recovery/test_refused_events.py tests/unit/recovery/test_unfinished_commands.py \
		tests/property/test_core_against_naive_model.py $(NOT_COMPILED) $(ARGS); \
	else echo "skipped the compiled modules: install a C compiler and Python's headers"; test -z "$${CI:-}"; fi

compiled: setup $(COMPILED)/.built  ## Compile the hot modules to C, in build/; needs a C compiler

$(COMPILED_QUICKLY)/.built: export TRIGGERS_C_OPTIMIZATION = 0
$(COMPILED)/.built $(COMPILED_QUICKLY)/.built: $(STAMP) deploy/compiled_wheel.py $(shell find streams/triggers -name '*.py')
	@echo "== compiling the core and the agent; this takes a minute"
	@rm -rf $(@D) $(@D)-wheel
	@HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m hatchling build -t wheel -d $(@D)-wheel >/dev/null
	@$(BIN)/python -m zipfile -e $(@D)-wheel/*.whl $(@D)
	@touch $@

integration: setup  ## Run the tests that need a real Kafka
	@$(PYTEST) tests/integration $(SIDE_BY_SIDE) --durations 10 $(ARGS)

histories: setup  ## Run many recorded histories through every driver, a real Kafka included (HISTORIES=8, or all)
	@HISTORIES=$(or $(HISTORIES),8) $(PYTEST) tests/conformance tests/integration/test_histories_on_the_stream.py \
		tests/integration/test_histories_of_edition_2_on_the_stream.py $(SIDE_BY_SIDE) --durations 10 $(ARGS)

e2e: setup  ## Run the tests of the whole stack, with killed processes
	@$(PYTEST) tests/e2e $(SIDE_BY_SIDE) --durations 10 $(ARGS)

bench: setup  ## Run the benchmark beside other programs; some minutes (OLD_FRAMEWORK=path, ARGS=...)
	@if $(CAN_COMPILE); then $(MAKE) compiled; fi
	@$(BIN)/python -m benchmarks $(ARGS)

bench-full: setup  ## Run the benchmark with five rounds and a million sessions; an hour
	@if $(CAN_COMPILE); then $(MAKE) compiled; fi
	@$(BIN)/python -m benchmarks --full $(ARGS)

bench-recovery: setup  ## Measure rebuild and copy beside an agent (ARGS="--sessions 100000")
	@if $(CAN_COMPILE); then $(MAKE) compiled; fi
	@$(BIN)/python -m benchmarks.recovery $(ARGS)

profile: setup  ## Append the CPU time of an event, by step, to benchmarks/profile.md (ARGS="--note ...")
	@$(BIN)/python -m benchmarks.profiler $(ARGS)

chaos: setup  ## Run a fault campaign and check the outcome (SEED=1 DURATION=120 ARGS="--brokers 3")
	@PYTHONPATH=. $(BIN)/python -m tests.chaos --seed $(or $(SEED),1) --duration $(or $(DURATION),120) $(ARGS)

chaos-compare: setup  ## Print tables that compare campaigns (ARGS="a/report.json b/report.json")
	@PYTHONPATH=. $(BIN)/python -m tests.chaos.compare $(ARGS)

backlog: setup  ## Measure memory and time for an hour's work at once (ARGS="--rate 10")
	@PYTHONPATH=. $(BIN)/python -m tests.chaos.backlog $(ARGS)

chaos-mutations: setup  ## Plant defects in the agents one by one and check that a campaign finds each
	@PYTHONPATH=. $(BIN)/python -m tests.chaos.mutate $(ARGS)

celery-versions: setup  ## Run the tests of the Celery integration with each supported version of Celery
	@for version in $(CELERY_VERSIONS); do echo "== Celery $$version"; \
		$(BIN)/uv pip install -q --python $(BIN)/python --target build/celery/$$version "celery==$$version.*"; \
		PYTHONPATH=build/celery/$$version $(PYTEST) tests/unit/celery $(ARGS); done

fuzz: setup  ## Feed mutated records and configurations to the codecs and the core (DURATION=60 seconds)
	@end=$$((SECONDS + $${DURATION:-60})); while [ $$SECONDS -lt $$end ]; do \
		$(PYTEST) -q tests/property/test_fuzzed_input.py --hypothesis-seed=$$RANDOM$$RANDOM || exit 1; done

fuzz-api: setup  ## Call the HTTP API with what its document allows and mutations of it (DURATION=600 seconds)
	@API_FUZZ_S=$(or $(DURATION),600) $(PYTEST) -q tests/integration/test_api_fuzzed.py $(ARGS)

lock: setup  ## Write the locks again from pyproject.toml (ARGS=--upgrade for newer versions)
	@$(LOCK) pyproject.toml --extra all --group dev -o requirements.lock $(ARGS)
	@$(LOCK) pyproject.toml --extra all --extra otel -c requirements.lock -o deploy/requirements.lock
	@$(LOCK) --group build -c requirements.lock -o deploy/build.lock

clean:  ## Remove everything that make has created
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: celery-versions help setup demo dev test checks tests stack test-repeatedly lint format types contracts unit integration histories e2e bench chaos chaos-compare backlog chaos-mutations bench-full bench-recovery profile fuzz fuzz-api lock clean compiled unit-compiled
