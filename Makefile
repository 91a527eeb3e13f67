# Everything that is done with this project. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt hatch_build.py $(shell find protos -name '*.proto')
PACKAGES := amazon common client cli devstack account token iam gateway edge simulator
INSTALL := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable

.PHONY: help run test check prove bench protos install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(VENV)/.run ## the whole suite on this machine; walks the main job once and stays up until Ctrl-C
	@exec $(BIN)/python -m sellergate_devstack

test: $(VENV)/.dev ## unit, contract, integration and end-to-end tests, on real servers
	$(BIN)/python -m pytest -q tests/unit tests/contract tests/integration tests/e2e \
		--cov --cov-report=term:skip-covered

check: $(VENV)/.dev ## lint, types, import rules, contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(foreach package,$(PACKAGES),-p sellergate_$(package))
	$(BIN)/lint-imports
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code

prove: $(VENV)/.dev ## long checks, and those that need a tool; STRICT=1 makes a missing tool an error
	$(BIN)/python -m pytest -q tests/system $(if $(STRICT),--strict-tools)

bench: $(VENV)/.dev ## measure, as ratios within one run; fails below what was promised
	@missed=0; for bench in tokens gateway edge start; do $(BIN)/python -m benches.bench_$$bench || missed=1; done; exit $$missed

protos: $(VENV)/.run ## compile the contracts again
	$(INSTALL) . --no-deps

install: $(VENV)/.dev ## install everything that developing needs

clean: ## remove what was installed and built; the state of local runs stays
	rm -rf $(VENV) libs/stubs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage

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
