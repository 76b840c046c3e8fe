# Every chore. `make` alone lists them; each makes the environment it needs by itself.

.DEFAULT_GOAL := help
.SUFFIXES:
.NOTPARALLEL:

BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest

# Where `make demo` runs: `local` (a control plane as plain processes) or `kind` (real pods).
CLUSTER ?= local
# Further arguments for demo, bench and the tests: make test-fast ARGS='-k grace'
ARGS ?=
# Tests side by side; on clusters one more, for those mostly wait. There each of these starts a
# control plane of its own.
JOBS ?= 2
CLUSTER_JOBS ?= $(shell expr $(JOBS) + 1)
# For `make image`.
BASE_IMAGE ?= python:3.13-slim
IMAGE ?= scaleset-operator:dev
BUILDER ?= docker
# The folder where what is built for clusters is kept; every copy of this repository shares it.
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/scaleset-operator
export CLUSTER

# Folders that come with time are checked as soon as they stand.
CODE := operator tests manifests $(wildcard bench demo)
YAML := .yamllint.yaml .pre-commit-config.yaml $(wildcard crds manifests)

.PHONY: help
help: ## Show this list
	@if [ -t 1 ] && [ -z "$${NO_COLOR:-}" ]; then on=$$(printf '\033[1m'); off=$$(printf '\033[0m'); fi; \
	awk -F ':.*## ' -v on="$$on" -v off="$$off" \
	    '/^[a-z-]+:.*## / { printf "  %s%-18s%s %s\n", on, $$1, off, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Make the environment in .venv; does nothing when it is up to date
	@PYTHON="$(PYTHON)" .ci/setup

.PHONY: format
format: setup ## Format the code and mend what the linter can mend by itself
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

.PHONY: lint
lint: setup ## Check format, style, spelling, YAML and declared dependencies
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/codespell
	$(BIN)/yamllint --strict $(YAML)
	$(BIN)/deptry operator

.PHONY: types
types: setup ## Check types, strictly
	$(BIN)/mypy $(CODE)

.PHONY: imports
imports: setup ## Check that imports follow the drawing in ARCHITECTURE.md
	PYTHONPATH=operator $(BIN)/lint-imports --no-logo

.PHONY: house
house: setup ## Check the rules of the house: sizes, docstrings, names, texts
	$(PYTEST) -q tests/test_house.py tests/test_requirements_map.py

.PHONY: docs
docs: setup ## Build the pages of docs/ into site/; installs the builder the first time
	@$(BIN)/python -c 'import zensical' 2>/dev/null || $(BIN)/python -m pip install --quiet \
	    --disable-pip-version-check --no-input -c requirements.lock -e '.[docs]'
	$(BIN)/zensical build --clean --strict

.PHONY: docs-check
docs-check: setup ## Check the texts: links, anchors, commands, fields and tests that they name
	$(PYTEST) -q tests/test_docs.py

.PHONY: check
check: lint types imports crds-check manifests-check requirements-check house docs-check docs ## All of the above and the generated files: what hooks and CI run

.PHONY: test-fast
test-fast: setup ## Run every test that needs no cluster
	$(PYTEST) --durations 20 -n $(JOBS) --dist worksteal $(ARGS)

.PHONY: model
model: setup ## Explore the states of small sets and print what was looked at (minutes; ARGS=5000 for so many states of each)
	$(BIN)/python -m tests.model $(ARGS)

.PHONY: mutation
mutation: setup ## See whether the tests notice when core is wrong; takes long (ARGS='health doubt')
	nice $(BIN)/python -m tests.mutation $(ARGS)

.PHONY: controlplane
controlplane: setup ## Build the local control plane; minutes the first time, then kept
	$(BIN)/python -m localcluster build

.PHONY: chartrender
chartrender: setup ## Build what renders and installs the Helm chart in tests; minutes the first time, then kept
	$(BIN)/python -m tests.integration.charts

.PHONY: test-cluster
test-cluster: controlplane chartrender ## Run the tests that need the local control plane
	$(PYTEST) --cluster -m cluster --durations 20 -n $(CLUSTER_JOBS) --dist loadfile $(ARGS)

.PHONY: kind
kind: setup ## Make a kind cluster of three nodes, and install the operator in it; minutes the first time
	$(BIN)/python -m localcluster kind up
	$(BIN)/python -m demo.deployment

.PHONY: kind-down
kind-down: setup ## Remove the kind cluster and all that was made for it, but what was built
	$(BIN)/python -m localcluster kind down

.PHONY: test-kind
test-kind: setup ## Run the tests that need real nodes and pods, where containers can run
	$(PYTEST) --kind tests/kind --durations 20 -o cache_dir=.pytest_cache/kind $(ARGS)

.PHONY: test
test: test-fast test-cluster test-kind ## Run everything that can run on this machine, and say what cannot

.PHONY: coverage
coverage: setup ## Measure the fast tests: all of the operator, and core and api without a gap
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --include='*/scaleset_operator/core/*,*/scaleset_operator/api/*' --fail-under=100
	$(BIN)/coverage report

.PHONY: demo
demo: setup ## Watch a set of 40 being broken and repaired (CLUSTER=kind for real pods)
	$(BIN)/python demo/run.py $(ARGS)

.PHONY: bench
bench: setup ## Measure the figures beside their peers; takes long
	$(BIN)/python bench/run.py $(ARGS)

.PHONY: bench-smoke
bench-smoke: setup ## Run every benchmark once at its smallest, to see that it works
	$(BIN)/python bench/run.py --smoke $(ARGS)

.PHONY: crds
crds: setup ## Write crds/ from the models
	$(BIN)/scaleset-operator crds --output crds

.PHONY: crds-check
crds-check: setup ## Check that crds/ is what the models say
	$(BIN)/scaleset-operator crds --output crds --check

.PHONY: manifests
manifests: setup ## Write roles, install.yaml and the Helm chart from the sources in manifests/
	$(BIN)/python -m manifests.generator

.PHONY: manifests-check
manifests-check: setup ## Check that the generated files of manifests/ are what their sources say
	$(BIN)/python -m manifests.generator --check

.PHONY: image
image: ## Build the operator's image (BASE_IMAGE=..., IMAGE=name:tag), with docker or podman
	$(BUILDER) build --build-arg BASE_IMAGE=$(BASE_IMAGE) --tag $(IMAGE) .

.PHONY: requirements
requirements: setup ## Fill the tests into docs/requirements.md
	$(BIN)/python tests/support/requirements_map.py

.PHONY: requirements-check
requirements-check: setup ## Check that docs/requirements.md names the tests that there are
	$(BIN)/python tests/support/requirements_map.py --check

.PHONY: lock
lock: setup ## Resolve the dependencies anew and write requirements.lock
	.ci/lock $(BIN)/python

.PHONY: clean
clean: ## Remove what make made in this folder: environment, caches, reports
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis .mutation
	rm -rf .coverage .coverage.* htmlcov dist build site .cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: clean-cache
clean-cache: ## Remove what was built for clusters, which all copies of this repository share
	@if [ -e "$(CACHE)/kind/state/state.json" ]; then echo "a kind cluster is up: make kind-down" >&2; exit 1; fi
	@echo "removing $(CACHE)"
	rm -rf "$(CACHE)"
