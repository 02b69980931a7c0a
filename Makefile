# Everything a developer does here, with nothing but Python 3.11 or newer, git and make.
# The virtual environment's stamps make a second run instant; `make clean` starts afresh.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --quiet
WORKFLOWS := $(wildcard .github/workflows/*.yml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /make \1\t/' | expand -t 18

.PHONY: demo
demo: .venv/runtime-installed ## the whole story on this machine, in ./demo-site
	$(BIN)/exporter demo ./demo-site

.PHONY: snapshot
snapshot: .venv/runtime-installed ## write content-snapshot/ anew from the demo school
	rm -f demo-site/site.db
	$(BIN)/python -c 'from pathlib import Path; from exporter.demo.site import create_site; \
	    Path("demo-site").mkdir(exist_ok=True); create_site(Path("demo-site/site.db"))'
	$(BIN)/exporter snapshot --no-commit

.PHONY: reference
reference: .venv/dev-installed ## write the generated schemas and docs/json-reference.md anew
	$(BIN)/python -m reference

.PHONY: test
test: .venv/dev-installed ## all tests, against a real git, MariaDB and S3 server
	.ci/install-servers
	$(BIN)/python -m pytest -n 2

.PHONY: bench
bench: .venv/dev-installed ## measure snapshots of 50,000 lessons beside their physical limit
	.ci/install-servers
	$(BIN)/python -m benchmarks.snapshots

.PHONY: bench-quick
bench-quick: .venv/dev-installed ## the same with 5,000 lessons
	.ci/install-servers
	$(BIN)/python -m benchmarks.snapshots --lessons 5000

.PHONY: check
check: .venv/dev-installed ## formatting, rules, types, layers, scripts and workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck .ci/run .ci/install-servers
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/actionlint $(WORKFLOWS)
	$(BIN)/yamllint --strict $(WORKFLOWS) action.yml
	$(BIN)/zizmor --offline --quiet $(WORKFLOWS) action.yml

.PHONY: fix
fix: .venv/dev-installed ## format, and mend what can be mended by rule
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: .venv/dev-installed ## write both lock files anew from pyproject.toml, keeping pins that fit
	$(LOCK) --group build --output-file requirements.lock
	$(LOCK) --group dev --constraints requirements.lock --output-file requirements-dev.lock

.PHONY: clean
clean: ## remove the virtual environment, caches and the demo
	rm -rf .venv .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage \
	    dist demo-site
	find exporter tests -name __pycache__ -prune -exec rm -rf {} +

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "Python 3.11 or newer is needed, but '$(PYTHON)' is" \
	        "$$($(PYTHON) --version 2>/dev/null || echo not there). Install it, or run:" \
	        "make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "Python's venv is missing: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/runtime-installed: requirements.lock pyproject.toml | .venv/bin/python
	$(PIP) install --require-hashes -r requirements.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev-installed: requirements-dev.lock pyproject.toml | .venv/bin/python
	$(PIP) install --require-hashes -r requirements-dev.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@ .venv/runtime-installed
