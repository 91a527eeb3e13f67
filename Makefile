# The tasks of this project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tools of releases, apart from what develops: no test and no build needs them.
SUPPLY := .venv-supply
SUPPLY_TOOLS := uv==0.13.9 pip-audit==2.10.1 cyclonedx-bom==7.5.0
# The tool that builds the distributions.
BUILD := .venv-build
BUILD_TOOLS := build==1.6.1 pyproject_hooks==1.2.0
# What guides the fuzzing of parsers by coverage; it has wheels for some versions of Python only, and no test needs it.
GUIDE := atheris==3.0.0
# The documentation site, apart from the product's packages.
DOCS := .venv-docs
INPUTS := pyproject.toml constraints.txt hatch_build.py $(shell find protos -name '*.proto')
BASELINE = $(shell cat protos/BASELINE)
# The images of a cluster, and the version that they are tagged with.
IMAGES := account token iam gateway edge cli
TAG ?= $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
NEEDS_REGISTRY := test -n "$(REGISTRY)" || { echo "Set REGISTRY to the registry of the images, as in: REGISTRY=registry.example/shop" >&2; exit 2; }
PACKAGES := amazon common client cli devstack account token iam gateway edge simulator
INSTALL := scripts/install.sh $(PYTHON) $(VENV)

# Tests mostly wait, so their files run side by side, the slow ones first. Each worker has servers and a suite of its own.
WORKERS ?= 3
PYTEST := $(BIN)/python -m pytest -q
ALL_TESTS := tests/e2e tests/integration tests/contract tests/unit
SIDE_BY_SIDE := --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Tests and services that are compiled once need not be compiled again by each process.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help run test coverage unit contract integration e2e system fuzz fuzz-parsers simulate plants chaos soak leaks slices results check lint fmt typecheck boundaries places bench bench-quick performance constraints requirements sbom audit protos docs dist images push catalogue install clean

# The order of sets of text must not differ between processes: a history is the same byte for byte.
simulate plants: export PYTHONHASHSEED := 0
SIMULATE := $(BIN)/python -m simulation
SIMULATION_OPTIONS = $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200) --first $(or $(FIRST),1))

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

fuzz: $(VENV)/.dev ## send every RPC and route generated inputs for SECONDS=1800 from SEED=1, with watchdogs, then fuzz-parsers
	$(PYTEST) -s tests/fuzz --fuzz-seconds $(or $(SECONDS),1800) --fuzz-seed $(or $(SEED),1)
	@$(MAKE) --no-print-directory fuzz-parsers

fuzz-parsers: $(VENV)/.dev ## give each parser of foreign bytes mutated inputs, guided by coverage: SECONDS=1800 for all, NAMES="…"
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --only-binary :all: $(GUIDE) >/dev/null 2>&1 || true
	$(BIN)/python -m tests.fuzz.parsers --of $(or $(SECONDS),1800) --seed $(or $(SEED),1) $(NAMES)

leaks: $(VENV)/.dev ## hunt for leaked secrets on every path and in every place, and for each planted leak: PLANTS="<patch> …"
	$(BIN)/python -m leaks $(PLANTS)

slices: $(VENV)/.dev ## run a part of the long checks in some minutes: 200 seeds, 60 s of fuzzing, 8 faults of chaos
	@$(MAKE) --no-print-directory simulate SEEDS=200
	$(PYTEST) tests/fuzz --fuzz-seconds 30
	$(BIN)/python -m chaos --faults 8 || [ $$? -eq 2 ]  # 2: a server is missing, and the command names it

results: $(VENV)/.dev ## write docs/results.md from the results of the long checks in dist/
	@$(BIN)/python -m scripts.make_results

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

simulate: $(VENV)/.dev ## simulate replicas under faults: SEEDS=200 FIRST=1, one SEED=7 with its history, PLANT=<patch>, COVERAGE=1
ifdef PLANT
	$(SIMULATE).planting --seeds $(or $(SEEDS),2000) $(PLANT)
else
	$(if $(COVERAGE),$(BIN)/coverage run --rcfile=simulation/coverage.ini,$(BIN)/python) -m simulation $(SIMULATION_OPTIONS)
	$(if $(COVERAGE),$(BIN)/coverage combine --quiet --rcfile=simulation/coverage.ini && $(BIN)/coverage report --rcfile=simulation/coverage.ini)
endif

plants: $(VENV)/.dev ## simulate each planted fault of simulation/plants, and print which are found
	$(SIMULATE).planting --seeds $(or $(SEEDS),2000)

chaos: $(VENV)/.dev ## run real processes under faults: all, FAULTS=8 of them, NAMES="…", RESUME=1, LIST=1, PLANT=<patch>
	$(BIN)/python -m chaos$(if $(PLANT),.planting $(PLANT)) $(if $(LIST),--list) $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED)) $(if $(RESUME),--resume) $(NAMES)

soak: $(VENV)/.dev ## run a mixed load with faults at random for SECONDS=1800, and print what grows
	$(BIN)/python -m chaos.soak --seconds $(or $(SECONDS),1800) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.dev ## measure all, NAMES=… for some, in about 16 minutes, BUSY=1: on busy cores; fails if a promise is broken
	@$(BIN)/python -m benches $(if $(BUSY),--busy) $(NAMES)

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
	@$(INSTALL) --editable . --no-deps

images: ## build the images of the services and of the command line: REGISTRY=<registry> TAG=<version>
	@$(NEEDS_REGISTRY)
	@for image in $(IMAGES); do docker build --build-arg SERVICE=$$image --tag $(REGISTRY)/sellergate-$$image:$(TAG) . || exit 1; done

push: ## push these images, and fill their names and digests into the production overlay: REGISTRY=<registry> TAG=<version>
	@$(NEEDS_REGISTRY)
	@set -e -o pipefail; for image in $(IMAGES); do \
	docker push --quiet $(REGISTRY)/sellergate-$$image:$(TAG) >&2; \
	echo "$$image $$(docker image inspect --format '{{index .RepoDigests 0}}' $(REGISTRY)/sellergate-$$image:$(TAG))"; \
	done | $(PYTHON) scripts/fill_digests.py

docs: $(DOCS)/.done ## build the documentation site into site/, with every link checked
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/python -m mkdocs build --quiet --clean
	@echo "site/index.html"

dist: ## build the wheel and the source distribution into dist/
	@scripts/install.sh $(PYTHON) $(BUILD) $(BUILD_TOOLS)
	@rm -f dist/sellergate-*
	@PIP_CONSTRAINT=constraints.txt $(BUILD)/bin/python -m build --outdir dist . >$(BUILD).log 2>&1 \
	|| { tail -n 20 $(BUILD).log >&2; exit 1; }
	@rm $(BUILD).log
	@ls dist/sellergate-*

catalogue: $(VENV)/.run ## generate the catalogue of operations: MODELS=<folder models of Amazon's repository>
	@test -d "$(MODELS)" || { echo "MODELS must name the folder models of Amazon's repository selling-partner-api-models" >&2; exit 2; }
	$(BIN)/sellergate catalogue diff "$(MODELS)"
	$(BIN)/sellergate catalogue make "$(MODELS)" --output libs/amazon/sellergate_amazon/operations.json

install: $(VENV)/.dev ## install everything for development

clean: ## remove installed and built files; keeps the state of local runs
	rm -rf $(VENV) $(SUPPLY) $(BUILD) $(DOCS) site libs/stubs .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage*

$(SUPPLY)/.done: Makefile
	@scripts/install.sh $(PYTHON) $(SUPPLY) $(SUPPLY_TOOLS)
	@touch $@

$(DOCS)/.done: $(INPUTS)
	@scripts/install.sh $(PYTHON) $(DOCS) --editable '.[devstack,docs]'
	@touch $@

$(VENV)/.run: $(INPUTS)
	@$(INSTALL) --editable '.[devstack]'
	@touch $@

$(VENV)/.dev: $(INPUTS)
	@$(INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.run
