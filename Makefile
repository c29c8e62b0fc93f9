# Two commands matter: `make demo` and `make test`. Each makes its environment when it is missing.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow conformance bench-ingest bench-rating bench-odoo up lint format lock clean install

help: ## What there is
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(INSTALLED) ## The main job, end to end, in two to three minutes
	@$(BIN)/fusion-billing demo

test: $(INSTALLED) ## The test-suite, on a real PostgreSQL of its own
	@$(BIN)/python -m pytest -q -n 2 --dist loadfile -m "not slow"

test-slow: $(INSTALLED) ## What takes minutes: the fault suites with all their seeds
	@$(BIN)/python -m pytest -q -m slow

conformance: $(INSTALLED) ## Pricing vectors through the real models (VECTORS=file)
	@PYTHONPATH=.:tests/conformance $(BIN)/python tests/conformance/conformance_run.py \
		$(if $(VECTORS),"$(VECTORS)")

up: $(INSTALLED) ## Everything running locally: PostgreSQL, endpoint, Dagster, sandbox Odoo
	@$(BIN)/fusion-billing up

lint: $(INSTALLED) ## ruff, mypy, import-linter, sqlfluff
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/sqlfluff lint dbt/models dbt/tests dbt/macros --disable-progress-bar

format: $(INSTALLED) ## Put code into shape
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/sqlfluff fix dbt/models dbt/tests dbt/macros --disable-progress-bar

lock: $(INSTALLED) ## Make requirements.lock anew from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --quiet -o requirements.lock

bench-ingest: $(INSTALLED) ## The endpoint against COPY, a plain endpoint and an empty handler
	@$(BIN)/python -m bench.ingest

bench-rating: $(INSTALLED) ## The rating against DuckDB, Lago's way and itself
	@$(BIN)/python -m bench.rating

bench-odoo: $(INSTALLED) ## Mirror and push against bare calls, on a real Odoo 19 (ODOO_TEST_URL)
	@$(BIN)/python -m bench.odoo

clean: ## Throw away all local state: databases, exports, the demo's world
	@rm -rf .fusion

install: $(INSTALLED) ## Only make the environment

# --no-deps: the lock is complete, and older pips stumble over extras in hash mode.
$(INSTALLED): requirements.lock pyproject.toml
	@echo "Making $(VENV) from requirements.lock (once) …"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 …")'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
