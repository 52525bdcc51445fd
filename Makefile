# `make demo` serves the demo application, `make test` checks everything. Each
# makes its own .venv, from the first Python >= 3.11 on PATH, when there is none.

VENV := .venv
BIN := $(VENV)/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
DEMO_PLUGINS := plugins/handlerkit-json-log plugins/handlerkit-problem-json
PROJECTS := pyproject.toml $(wildcard plugins/*/pyproject.toml)
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST_FLAGS ?= -n auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports unit golden bench fuzz docs clean

help: ## Say what there is to make
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.demo ## Serve the demo on http://127.0.0.1:8000 through granian
	$(BIN)/handlerkit serve --config config.example.toml

test: lint types imports unit ## Check everything

lint: $(VENV)/.test ## Style and format
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/.test ## Types
	$(BIN)/mypy handlerkit $(wildcard plugins/*/handlerkit_*)

imports: $(VENV)/.test ## Layers
	$(BIN)/lint-imports --no-cache --no-logo

unit: $(VENV)/.test ## Tests, with branch coverage
	$(BIN)/pytest $(PYTEST_FLAGS) --cov --cov-report=term

golden: $(VENV)/.test ## Write the expected texts of errors; then read git diff
	GOLDEN=write $(BIN)/pytest -q tests/config/test_golden.py

bench: $(VENV)/.test ## Measure, and rewrite benchmarks/RESULTS.md (needs wrk and nginx)
	$(PIP) install -e '.[bench]'
	$(BIN)/python -m benchmarks

fuzz: $(VENV)/.test ## Fuzz the parsers, ten minutes each
	$(BIN)/python -m tests.fuzz fastcgi -max_total_time=600
	$(BIN)/python -m tests.fuzz scgi -max_total_time=600

docs: $(VENV)/.test ## Write the reference pages that follow from the code
	$(BIN)/python docs/generate.py

clean: ## Remove what make made
	rm -rf $(VENV) .coverage .coverage.*

# Editable, so that an installed copy never hides what is in the work tree.
$(VENV)/.demo: $(BIN)/python $(PROJECTS)
	$(PIP) install -e '.[granian,pages]' $(addprefix -e ,$(DEMO_PLUGINS))
	@touch $@

$(VENV)/.test: $(BIN)/python $(PROJECTS)
	$(PIP) install -e '.[dev]' $(addprefix -e ,$(PLUGINS))
	@touch $@

$(BIN)/python:
	@for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	  if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	  then "$$python" -m venv $(VENV) && exit; rm -rf $(VENV); exit 1; fi; \
	done; \
	echo 'handlerkit needs Python 3.11 or newer as python3 on PATH' >&2; exit 1
