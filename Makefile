# Every command of the house. `make help` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The interpreter that makes the environment: the `python3` that .python-version selects (pyenv), otherwise python3.13.
PYTHON ?= $(shell for p in python3 python3.13; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1; then echo "$$p"; break; fi; done)

BIN := .venv/bin
STAMPS := .venv/stamps
READY := $(STAMPS)/python $(STAMPS)/project $(STAMPS)/azurite
WORKERS ?= 2
# By path, so that they are not even loaded: what is slow throughout, and what has a run of its own (CONTRIBUTING.md).
LEFT_OUT := browser rehearsals scenarios preflight simulator gateways/microsoft
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
COMPILE = $(BIN)/uv pip compile pyproject.toml --quiet --universal --python-version 3.13 --generate-hashes \
	--no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade)

.PHONY: help setup demo test test-fast check format lock bench bench-quick chaos mutants fuzz package docs audit sbom clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Python environment, this project, Azurite; instant when nothing changed

demo: $(READY) ## close a simulated tenant from request to report; the approvals are played
	@$(BIN)/closure demo --approve-all

test: $(READY) $(STAMPS)/chromium ## every test, those in the browser too
	@$(PYTEST) $(ARGS)

test-fast: $(READY) ## every test but rehearsals, browser, simulator and Microsoft's gateways; under a minute
	@$(PYTEST) -m "not slow and not browser and not azurite" $(addprefix --ignore=tests/,$(LEFT_OUT)) $(ARGS)

check: $(READY) ## lint, format, types, import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

format: $(READY) ## mend what ruff can mend
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

lock: $(STAMPS)/python ## write requirements*.txt anew from pyproject.toml (UPGRADE=1: newest versions)
	@$(COMPILE) --output-file requirements.txt
	@$(COMPILE) --all-extras --constraint requirements.txt --output-file requirements-dev.txt
	@for f in requirements.txt requirements-dev.txt; do \
		{ case $$f in \
			requirements.txt) echo "# What runs in Azure, pinned with hashes.";; \
			*) echo "# What develops and tests, pinned with hashes.";; \
		esac; echo "# Made by 'make lock' from pyproject.toml; do not edit."; cat $$f; } > $$f.new; mv $$f.new $$f; \
	done

package: $(READY) ## what is deployed, in build/, and its size (BACKEND=durable-task-scheduler; ARGS=--dependencies)
	@$(BIN)/python -m deployment --backend $(or $(BACKEND),azure-storage) $(ARGS)

bench: $(READY) $(STAMPS)/m365 ## closures beside other tools, with and without a quota; 90 minutes (ARGS="--resume" goes on)
	@$(BIN)/python -m benchmarks $(ARGS)

bench-quick: $(READY) $(STAMPS)/m365 ## the same, each once and small; under five minutes
	@$(BIN)/python -m benchmarks --quick $(ARGS)

chaos: $(READY) ## whole closures under kills, cuts and faults: 200 seeds (SEEDS=n FIRST=n), or SEED=n alone
	@$(BIN)/python -m tests.chaos $(if $(SEED),--seed $(SEED),$(if $(SEEDS),--seeds $(SEEDS)) $(if $(FIRST),--first $(FIRST))) $(ARGS)

fuzz: $(READY) ## what comes from outside, made up at length (EXAMPLES=2000 for each test)
	@EXAMPLES=$(or $(EXAMPLES),2000) $(PYTEST) --timeout 3600 tests/fuzz $(ARGS)

mutants: $(READY) ## change what decides, one slip at a time: a test must notice each (ARGS: modules; ten minutes)
	@$(BIN)/python -m tests.mutation $(ARGS)

docs: $(READY) ## the documentation as a site, build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

audit: $(READY) ## known holes in what runs in Azure and in Azurite; asks the package registries
	@mkdir -p build
	@$(BIN)/pip-audit --require-hashes --disable-pip --progress-spinner off -r requirements.txt 2>build/audit.log || \
		$(call judged,Python packages,Traceback)
	@cd embedded/azurite && npm audit --package-lock-only 2>../../build/audit.log || \
		{ cd ../..; $(call judged,Azurite,audit endpoint|request to); }

# An audit that could not ask is neither good nor bad news; $(1) is what was asked about, $(2) how its log shows that.
judged = { grep -Eq '$(2)' build/audit.log && { echo "$(1): not audited, the registry can't be reached (build/audit.log has" \
	"the reason). Ask again from a machine that has the internet." >&2; exit 2; }; cat build/audit.log >&2; exit 1; }

sbom: $(READY) ## what runs in Azure as a CycloneDX bill of materials, build/sbom.json; needs no network
	@mkdir -p build
	@$(BIN)/python -W ignore -m cyclonedx_py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.json requirements.txt
	@echo "build/sbom.json"

clean: ## remove what the commands made, except the environment
	rm -rf .closure .bench .pytest_cache .mypy_cache .ruff_cache .import_linter_cache build *.egg-info
	find . -name __pycache__ -type d -not -path './.venv/*' -not -path '*/node_modules/*' -prune -exec rm -rf {} +

# --- set-up, one stamp for each part ------------------------------------------------------------------------------------

# Any pip that Python 3.13 ever shipped knows hashes and editable installs, so it is used as it is.
$(STAMPS)/python: requirements-dev.txt
	@if [ -z "$(PYTHON)" ]; then echo "Python 3.13 is missing: install it (pyenv install 3.13, or your system's python3.13)" \
		"or name it with 'make setup PYTHON=/path/to/python3.13'." >&2; exit 2; fi
	@test -x $(BIN)/python || { echo "making .venv with $(PYTHON)"; "$(PYTHON)" -m venv .venv; }
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/project: pyproject.toml $(STAMPS)/python
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(STAMPS)/azurite: embedded/azurite/package-lock.json embedded/azurite/package.json $(STAMPS)/python
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is missing: Azurite, the local storage, runs on it." >&2; exit 2; }
	@cd embedded/azurite && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# What the benchmarks compare with; nothing else needs it.
$(STAMPS)/m365: benchmarks/contenders/m365/package-lock.json benchmarks/contenders/m365/package.json $(STAMPS)/azurite
	@cd benchmarks/contenders/m365 && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# Only the browser tests need it; Playwright's own download would be a second browser to keep up to date.
$(STAMPS)/chromium: | $(STAMPS)/python
	@command -v chromium chromium-browser google-chrome >/dev/null || { \
		command -v apt-get >/dev/null || { echo "Chromium is missing, and there is no apt-get: install it for the browser tests." >&2; exit 2; }; \
		echo "installing chromium"; sudo=$$([ "$$(id -u)" = 0 ] || echo "sudo -n"); \
		{ $$sudo apt-get -qq update && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core >/dev/null; } || \
		{ echo "Chromium could not be installed: install it for the browser tests, or run 'make test-fast'." >&2; exit 2; }; }
	@touch $@
