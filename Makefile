# Everything that developers and users of this checkout run. `make help` lists the targets.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
FUZZ_VENV := .venv-fuzz
FUZZ_STAMP := $(FUZZ_VENV)/.installed
FUZZ_S ?= 1800
# Twice as many as there are cores, since tests wait for a real pace, a process, a disk. A worker that is done takes
# tests from another: the long ones lie together, so one worker would end a minute after the others.
WORKERS ?= $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))')
SOURCES := bulkgladly tests benchmarks samples docs

.DEFAULT_GOAL := help
.PHONY: help install test lint types tests format demo migrate soak faults fuzz bench compat dist clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-9s %s\n", $$1, $$2}'

$(STAMP): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

install: $(STAMP) ## create .venv with everything in it

test: lint types tests ## run everything: lint, types, tests

lint: $(STAMP) ## ruff: rules and format
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)

types: $(STAMP) ## mypy and pyright over source, tests and benchmarks
	$(BIN)/mypy
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

tests: $(STAMP) ## the tests alone
	$(BIN)/pytest -n $(WORKERS) --dist worksteal

format: $(STAMP) ## format the code
	$(BIN)/ruff check --fix-only $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

demo: $(STAMP) ## import samples/ into a local emulator at 10/s, killed and resumed, then dump the result
	@$(BIN)/python samples/demo.py

migrate: $(STAMP) ## import a Zendesk export into a local emulator, killed and resumed
	@$(BIN)/python -m samples.migrate

soak: $(STAMP) ## the long tests: a kill at every step, random kills, hours of faults in minutes, many examples
	$(BIN)/pytest -m soak --timeout 3000
	$(BIN)/pytest -n $(WORKERS) -m 'hypothesis and not soak' --hypothesis-profile many --timeout 3000

faults: $(STAMP) ## every kind of request against every reply; writes docs/faults.md
	$(BIN)/python -m tests.faults.table

# The coverage-guided fuzzer exists for some platforms only; without it, hypothesis searches alone.
$(FUZZ_STAMP): pyproject.toml
	$(PYTHON) -m venv $(FUZZ_VENV)
	$(FUZZ_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable . hypothesis
	-$(FUZZ_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary :all: atheris
	@touch $@

fuzz: $(FUZZ_STAMP) ## search for bytes that break a parser, for FUZZ_S seconds in all (default 1800)
	$(FUZZ_VENV)/bin/python -m tests.fuzz.run --seconds $(FUZZ_S)

bench: $(STAMP) ## all measurements, with their bars
	$(BIN)/python -m benchmarks

dist: $(STAMP) ## build wheel and sdist, and test both in clean environments
	$(BIN)/python benchmarks/try_dist.py

compat: $(STAMP) ## the tests with the lowest and the newest packages, and with other installed Pythons
	$(BIN)/python benchmarks/try_compat.py $(CASES)

clean: ## remove what was built; not .venv
	rm -rf build dist .compat .demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
