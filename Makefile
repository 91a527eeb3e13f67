# The tasks of this project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tools of releases, apart from what develops: no test and no build needs them.
SUPPLY := .venv-supply
SUPPLY_TOOLS := uv==0.13.9 pip-audit==2.10.1 cyclonedx-bom==7.5.0
INPUTS := pyproject.toml constraints.txt hatch_build.py $(shell find protos -name '*.proto')
BASELINE = $(shell cat protos/BASELINE)
PACKAGES := amazon common client cli devstack account token iam gateway edge simulator
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

# Tests mostly wait, so their files run side by side, the slow ones first. Each worker has servers and a suite of its own.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest -q
ALL_TESTS := tests/e2e tests/integration tests/contract tests/unit
SIDE_BY_SIDE := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

.PHONY: help run test coverage unit contract integration e2e system fuzz check lint fmt typecheck boundaries places bench bench-quick performance constraints requirements sbom audit protos catalogue install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## start all services on this machine with a demo seller, until Ctrl-C
	@exec $(BIN)/python -m sellergate_devstack

test: $(VENV)/.dev ## run unit, contract, integration and end-to-end tests on real servers
	$(PYTEST) $(SIDE_BY_SIDE) $(ALL_TESTS)

coverage: $(VENV)/.dev ## run the same tests with coverage of every process, which takes a third longer
	$(PYTEST) $(SIDE_BY_SIDE) $(ALL_TESTS) --cov --cov-report=term:skip-covered

unit: $(VENV)/.dev ## run tests of single modules
	$(PYTEST) tests/unit

contract: $(VENV)/.dev ## run tests of ports, Amazon's interfaces and the simulator
	$(PYTEST) $(SIDE_BY_SIDE) tests/contract

integration: $(VENV)/.dev ## run tests of components on real servers
	$(PYTEST) $(SIDE_BY_SIDE) tests/integration

e2e: $(VENV)/.dev ## run tests of the whole suite with all processes
	$(PYTEST) $(SIDE_BY_SIDE) tests/e2e

system: $(VENV)/.dev ## run long tests and tests that need a tool; STRICT=1: a missing tool is an error
	$(PYTEST) tests/system $(if $(STRICT),--strict-tools)

fuzz: $(VENV)/.dev ## send every RPC and route generated inputs for SECONDS=1800 from SEED=1, with watchdogs
	$(PYTEST) -s tests/fuzz --fuzz-seconds $(or $(SECONDS),1800) --fuzz-seed $(or $(SEED),1)

check: lint typecheck boundaries places ## run all static checks: lint, typecheck, boundaries, places

lint: $(VENV)/.dev ## run ruff, codespell and buf; compare contracts with protos/BASELINE
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	$(BIN)/codespell
	@if git cat-file -e "$(BASELINE)^{commit}" 2>/dev/null; then $(BIN)/buf breaking --against ".git#commit=$(BASELINE)"; \
	else echo "NOT RUN: buf breaking needs the commit of protos/BASELINE in the history"; fi

fmt: $(VENV)/.dev ## format the code and sort its imports
	$(BIN)/ruff check --fix --select I .
	$(BIN)/ruff format .
	$(BIN)/buf format --write

typecheck: $(VENV)/.dev ## run mypy
	$(BIN)/mypy $(foreach package,$(PACKAGES),-p sellergate_$(package))

boundaries: $(VENV)/.dev ## check the import rules
	$(BIN)/lint-imports

places: $(VENV)/.dev ## compare the lists of CONTRIBUTING.md with the tree
	$(BIN)/python -m scripts.places

bench: $(VENV)/.dev ## measure all, NAMES=… for some, in about 12 minutes; fails if a promise of docs/performance.md is broken
	@$(BIN)/python -m benches $(NAMES)

bench-quick: $(VENV)/.dev ## measure less, in about 4 minutes
	@$(BIN)/python -m benches --quick $(NAMES)

performance: $(VENV)/.dev ## write docs/performance.md from the results of the last make bench
	@$(BIN)/python -m scripts.make_performance

constraints: ## update the pinned versions and print the changes
	$(PYTHON) scripts/make_constraints.py

requirements: $(SUPPLY)/.done ## update the hashes of all packages, for run time and development
	$(PYTHON) scripts/make_requirements.py $(SUPPLY)/bin/uv

sbom: $(SUPPLY)/.done ## write a bill of materials (CycloneDX) of the run-time packages to dist/
	@mkdir -p dist
	$(SUPPLY)/bin/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o dist/sbom.cdx.json requirements/run.txt

audit: $(SUPPLY)/.done ## look up known vulnerabilities of all packages; NOT RUN if no service responds
	@$(PYTHON) scripts/audit_packages.py $(SUPPLY)/bin/pip-audit requirements/run.txt
	@$(PYTHON) scripts/audit_packages.py $(SUPPLY)/bin/pip-audit requirements/dev.txt

protos: $(VENV)/.run ## compile the contracts (after a change in protos/)
	$(INSTALL) . --no-deps

catalogue: $(VENV)/.run ## generate the catalogue of operations: MODELS=<folder models of Amazon's repository>
	@test -d "$(MODELS)" || { echo "MODELS must name the folder models of Amazon's repository selling-partner-api-models" >&2; exit 2; }
	$(BIN)/sellergate catalogue diff "$(MODELS)"
	$(BIN)/sellergate catalogue make "$(MODELS)" --output libs/amazon/sellergate_amazon/operations.json

install: $(VENV)/.dev ## install everything for development

clean: ## remove installed and built files; keeps the state of local runs
	rm -rf $(VENV) $(SUPPLY) libs/stubs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*

$(SUPPLY)/.done: Makefile
	@test -x $(SUPPLY)/bin/python || $(PYTHON) -m venv $(SUPPLY)
	@$(SUPPLY)/bin/pip install --quiet --disable-pip-version-check $(SUPPLY_TOOLS)
	@touch $@

$(VENV)/.run: $(INPUTS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (about a minute) ..."
	@$(INSTALL) '.[devstack]'
	@touch $@

$(VENV)/.dev: $(INPUTS)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing (about a minute) ..."
	@$(INSTALL) '.[dev]'
	@touch $@ $(VENV)/.run
