# Everything a developer does here, with nothing but Python 3.11 or newer, git and make.
# The virtual environment's stamps make a second run instant; `make clean` starts afresh.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --quiet
WORKFLOWS := $(wildcard .github/workflows/*.yml)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

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
reference: .venv/dev-installed ## write the generated schemas and pages of docs/ anew
	$(BIN)/python -m reference

.PHONY: test
test: .venv/dev-installed ## all tests, against a real git, MariaDB and S3 server
	.ci/install-servers
	$(BIN)/python -m pytest -n 2 --dist worksteal  # neighbours stay together, and share what a module makes

.PHONY: bench
bench: .venv/dev-installed .venv-bench/installed ## measure everything beside its peers, 50,000 lessons
	.ci/install-servers hugo
	$(BIN)/python -m benchmarks

.PHONY: bench-quick
bench-quick: .venv/dev-installed .venv-bench/installed ## the same with 1,000 lessons, in three minutes
	.ci/install-servers hugo
	$(BIN)/python -m benchmarks --lessons 1000 --rounds 1

.PHONY: check
check: .venv/dev-installed ## formatting, rules, types, layers, scripts and workflows
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shellcheck .ci/run .ci/install-servers
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows $(WORKFLOWS)
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/actionlint $(WORKFLOWS)
	$(BIN)/yamllint --strict $(WORKFLOWS) action.yml .pre-commit-hooks.yaml
	$(BIN)/zizmor --offline --quiet $(WORKFLOWS) action.yml

.PHONY: fix
fix: .venv/dev-installed ## format, and mend what can be mended by rule
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: lock
lock: .venv/dev-installed ## write the lock files anew from pyproject.toml, keeping pins that fit
	$(LOCK) pyproject.toml --group build --output-file requirements.lock
	$(LOCK) pyproject.toml --group dev --constraints requirements.lock \
	    --output-file requirements-dev.lock
	$(LOCK) --group bench --output-file requirements-bench.lock

.PHONY: clean
clean: ## remove the virtual environment, caches and the demo
	rm -rf .venv .venv-bench .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage \
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

.venv-bench/installed: requirements-bench.lock | .venv/bin/python
	$(PYTHON) -m venv .venv-bench
	.venv-bench/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes \
	    -r requirements-bench.lock
	@touch $@
