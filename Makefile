# Everything a developer or CI does goes through these targets; `make help` lists them.
# Needed on the machine: Python 3.11 or newer with venv, make and a C compiler.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
LOCKS := requirements/bootstrap.txt requirements/runtime.txt requirements/dev.txt
# What is done is remembered inside the environment, so that deleting it forgets everything.
LOCKED := $(VENV)/.locked
READY := $(VENV)/.ready

# uv would use the certificates it ships; the machine's own may know a proxy that those do not.
export UV_SYSTEM_CERTS := 1
# Only the environment below the repository is ever written to.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
unexport PYTHONHOME
unexport PYTHONPATH

.PHONY: setup
setup: $(READY) ## Make .venv with the locked dependencies (instant when nothing changed)

$(LOCKED): $(LOCKS)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements/bootstrap.txt
	$(BIN)/uv pip sync --quiet --require-hashes $(LOCKS)
	touch $@

$(READY): $(LOCKED) pyproject.toml clients/python/pyproject.toml
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation -e . -e clients/python
	touch $@

COMPILE := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-annotate --no-header --no-emit-package tradewire-client

.PHONY: lock
lock: $(READY) ## Renew the hashed requirement files to the newest allowed versions
	$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) --group dev -c requirements/runtime.txt -o requirements/dev.txt

IMAGE := proto/gen/tradewire.binpb
BASELINE := proto/baseline.binpb
OPENAPI_BASELINE := proto/baseline.openapi.json

.PHONY: gen
gen: $(READY) ## Generate everything that follows from the contract
	$(BIN)/python proto/generate.py
	$(BIN)/python clients/python/generate_values.py
	$(MAKE) --no-print-directory gen-typescript

.PHONY: gen-typescript
gen-typescript: $(READY) ## Generate the contract of the TypeScript client, where npm is
	@if command -v npm >/dev/null; then \
		$(MAKE) --no-print-directory --silent $(TYPESCRIPT_INSTALLED) || \
		echo "npm has failed: a part of the TypeScript client stays as it is"; \
	fi
	$(BIN)/python clients/typescript/generate.py

.PHONY: baseline
baseline: gen ## Declare the contract published: later changes must not break it
	$(BIN)/buf build $(IMAGE) --path tradewire --exclude-source-info -o $(BASELINE)
	cp proto/gen/openapi.json $(OPENAPI_BASELINE)

.PHONY: format
format: $(READY) ## Format the code and apply the fixes that are safe
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format --quiet .

.PHONY: check
check: $(READY) ## Check generated code, contract, style, types and imports
	$(BIN)/python proto/generate.py --check
	$(BIN)/python clients/python/generate_values.py --check
	$(BIN)/python clients/typescript/generate.py --check
	$(BIN)/buf lint $(IMAGE) --path tradewire
	$(BIN)/buf breaking $(IMAGE) --against $(BASELINE) --path tradewire --exclude-imports
	$(BIN)/python proto/check_openapi.py
	$(BIN)/ruff format --quiet --diff .
	$(BIN)/ruff check --quiet .
	$(BIN)/mypy --no-error-summary
	$(BIN)/lint-imports --no-logo

EXPLORER := gateway/explorer
# Inside what is installed, so that deleting it forgets it.
EXPLORED := $(EXPLORER)/node_modules/.installed

.PHONY: explorer
explorer: ## Install the REST explorer of the documentation, where npm is
	@if ! command -v npm >/dev/null; then \
		echo "npm is not here: the documentation comes without the REST explorer"; \
	else \
		$(MAKE) --no-print-directory --silent $(EXPLORED) || \
		echo "npm has failed: the documentation comes without the REST explorer"; \
	fi

$(EXPLORED): $(EXPLORER)/package.json $(EXPLORER)/package-lock.json
	cd $(EXPLORER) && npm ci --ignore-scripts --loglevel=error
	touch $@

TYPESCRIPT := clients/typescript
TERMINAL := clients/terminal
# What each build is made of. What is built stands beside it, and is not committed.
TYPESCRIPT_FILES := $(wildcard $(TYPESCRIPT)/*.json) $(shell find $(TYPESCRIPT)/src -type f 2>/dev/null)
TERMINAL_FILES := $(wildcard $(TERMINAL)/*.json $(TERMINAL)/*.ts $(TERMINAL)/*.html) \
	$(shell find $(TERMINAL)/src $(TERMINAL)/public -type f 2>/dev/null)
TYPESCRIPT_INSTALLED := $(TYPESCRIPT)/node_modules/.installed
TYPESCRIPT_BUILT := $(TYPESCRIPT)/dist/.built
TERMINAL_INSTALLED := $(TERMINAL)/node_modules/.installed
TERMINAL_BUILT := $(TERMINAL)/dist/index.html

.PHONY: typescript
typescript: ## Build the TypeScript client, where npm is
	@if ! command -v npm >/dev/null; then \
		echo "npm is not here: the TypeScript client is not built"; \
	else \
		$(MAKE) --no-print-directory --silent $(TYPESCRIPT_BUILT) || \
		echo "npm has failed: the TypeScript client is not built"; \
	fi

.PHONY: terminal
terminal: ## Build the terminal in the browser, where npm is
	@if ! command -v npm >/dev/null; then \
		echo "npm is not here: the venue comes without the terminal in the browser"; \
	else \
		$(MAKE) --no-print-directory --silent $(TERMINAL_BUILT) || \
		echo "npm has failed: the venue comes without the terminal, or with the one built before"; \
	fi

$(TYPESCRIPT_INSTALLED): $(TYPESCRIPT)/package.json $(TYPESCRIPT)/package-lock.json
	cd $(TYPESCRIPT) && npm ci --ignore-scripts --loglevel=error
	touch $@

$(TYPESCRIPT_BUILT): $(TYPESCRIPT_INSTALLED) $(TYPESCRIPT_FILES)
	cd $(TYPESCRIPT) && npm run --silent build
	touch $@

# It has the client as a link, so that is built first.
$(TERMINAL_INSTALLED): $(TYPESCRIPT_INSTALLED) $(TERMINAL)/package.json $(TERMINAL)/package-lock.json
	cd $(TERMINAL) && npm ci --ignore-scripts --loglevel=error
	touch $@

# Beside the former one, which a venue may be serving, until it is whole.
$(TERMINAL_BUILT): $(TERMINAL_INSTALLED) $(TYPESCRIPT_BUILT) $(TERMINAL_FILES)
	cd $(TERMINAL) && npm run --silent build -- --outDir dist.part --emptyOutDir --logLevel error
	rm -rf $(TERMINAL)/dist
	mv $(TERMINAL)/dist.part $(TERMINAL)/dist
	touch $@

.PHONY: wheel
wheel: $(READY) terminal ## Build the wheels below dist/, with the terminal where npm is
	$(BIN)/uv build --quiet --wheel --no-build-isolation --out-dir dist .
	$(BIN)/uv build --quiet --wheel --no-build-isolation --out-dir dist clients/python

FIX_PEER := tests/support/fix_peers/node
FIX_PEERED := $(FIX_PEER)/node_modules/.installed

.PHONY: fix-peer
fix-peer: ## Install the FIX client of another make that the tests let trade, where npm is
	@if ! command -v npm >/dev/null; then \
		echo "npm is not here: the tests do without the FIX client jspurefix"; \
	else \
		$(MAKE) --no-print-directory --silent $(FIX_PEERED) || \
		echo "npm has failed: the tests do without the FIX client jspurefix"; \
	fi

$(FIX_PEERED): $(FIX_PEER)/package.json $(FIX_PEER)/package-lock.json
	cd $(FIX_PEER) && npm ci --ignore-scripts --loglevel=error
	touch $@

ASYNCAPI_PARSER := tests/support/asyncapi_parser
ASYNCAPI_PARSED := $(ASYNCAPI_PARSER)/node_modules/.installed

.PHONY: asyncapi-parser
asyncapi-parser: ## Install the parser that the AsyncAPI document is checked with, where npm is
	@if ! command -v npm >/dev/null; then \
		echo "npm is not here: the tests do without AsyncAPI's own parser"; \
	else \
		$(MAKE) --no-print-directory --silent $(ASYNCAPI_PARSED) || \
		echo "npm has failed: the tests do without AsyncAPI's own parser"; \
	fi

$(ASYNCAPI_PARSED): $(ASYNCAPI_PARSER)/package.json $(ASYNCAPI_PARSER)/package-lock.json
	cd $(ASYNCAPI_PARSER) && npm ci --ignore-scripts --loglevel=error
	touch $@

.PHONY: test
test: $(READY) explorer terminal fix-peer asyncapi-parser ## Run the tests; ARGS="-k name" chooses
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile $(ARGS)

.PHONY: test-slow
test-slow: $(READY) ## Run the long tests: simulations and soaks
	$(BIN)/python -m pytest -m slow $(ARGS)

.PHONY: schemathesis
schemathesis: $(READY) ## Ask REST at length what its document allows and does not; EXAMPLES=100 SEED=1
	TRADEWIRE_SCHEMATHESIS_EXAMPLES=$(or $(EXAMPLES),100) TRADEWIRE_SCHEMATHESIS_SEED=$(or $(SEED),1) \
		$(BIN)/python -m pytest -m slow tests/acceptance/rest/test_openapi.py $(ARGS)

.PHONY: fuzz
fuzz: $(READY) ## Fuzz the FIX gateway, a minute for each target; ARGS="fix_codec --seconds 3600" chooses
	$(BIN)/python -m tests.fuzz $(ARGS)

.PHONY: bench
bench: $(READY) ## Measure the figures of the design; ARGS chooses
	$(BIN)/python -m tests.bench $(ARGS)

.PHONY: crash
crash: $(READY) ## Kill the venue 20 times under load, check every promise; ARGS="--seed 1" chooses
	$(BIN)/python -m tests.simulation.crash $(ARGS)

.PHONY: up
up: $(READY) explorer terminal ## Run a venue; ARGS="--help" lists what can be set
	$(BIN)/tradewire up $(ARGS)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
