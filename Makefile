# Every target works as the first and only command in a fresh clone: it makes the environment it needs, once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
SMOKE := .venv-smoke
BIN := $(VENV)/bin
DEMO_OUT ?= demo-output

# Also for what pip installs to build the package.
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export NO_MKDOCS_2_WARNING := 1
# Terminal examples in the documentation are 100 columns wide, and plain.
DOC_ENV := COLUMNS=100 NO_COLOR=1 TERM=dumb PATH="$(CURDIR)/$(BIN):$$PATH"
DOC_PAGES = README.md $(shell find docs -name '*.md')

.PHONY: help
help: ## Show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("segcli needs Python 3.11 or newer; name one: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)

# A stamp for each set of extras, so that a second run installs nothing.
$(VENV)/.installed-%: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing segcli[$*] into $(VENV) ..."
	$(BIN)/python -m pip install -q -e '.[$*]'
	@touch $@

.PHONY: demo
demo: $(VENV)/.installed-demo ## Train a small network on real photographs and run all five commands on it
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash docs/examples/demo.sh "$(DEMO_OUT)"

.PHONY: test
test: $(VENV)/.installed-dev ## Run the tests, with branch coverage
	$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=term --cov-fail-under=$(COVERAGE) $(PYTEST)

# What the suite reaches; it may only rise.
COVERAGE := 100

.PHONY: fuzz
fuzz: $(VENV)/.installed-dev ## Compare a million random expressions with torch and NumPy, and mutate a million checkpoints, from a new seed each time
	$(BIN)/python -m tests.shapes.fuzz --seed $(SEED)
	HYPOTHESIS_PROFILE=fuzz $(BIN)/python -m pytest -q --timeout 7200 tests/shapes/test_batch.py -k any_bytes
	SEGCLI_FUZZ_CASES=1000000 SEGCLI_FUZZ_SEED=$(SEED) SEGCLI_KILLS=100 $(BIN)/python -m pytest -q -n 2 --timeout 7200 tests/ckpt/test_fuzz.py tests/ckpt/test_atomicity.py

# Give the seed of a run that failed to see it fail again.
SEED := $(shell date +%s)

.PHONY: check
check: $(VENV)/.installed-dev ## Check format, lint, types, imports and documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python docs/examples/pictures.py --check
	$(DOC_ENV) cog --check -P -I docs/examples $(DOC_PAGES)
	$(BIN)/mkdocs build --strict --quiet --site-dir "$$(mktemp -d)/site"

.PHONY: fix
fix: $(VENV)/.installed-dev ## Format, and mend what the linter can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

.PHONY: golden
golden: $(VENV)/.installed-dev ## Write anew the snapshots in tests, and the pictures and terminal examples in the documentation; then read the diff
	$(BIN)/python -m pytest -q --snapshot-update $$(grep -rl --include='test_*.py' snapshot tests)
	$(BIN)/python docs/examples/pictures.py
	$(DOC_ENV) cog -r -P -I docs/examples $(DOC_PAGES)

.PHONY: docs
docs: $(VENV)/.installed-dev ## Build the documentation into site/
	$(BIN)/mkdocs build --strict

.PHONY: smoke
smoke: $(VENV)/.installed-dev ## Build the wheel, install it alone in a new environment, run it there
	rm -rf $(SMOKE) dist
	$(BIN)/python -m build --wheel --outdir dist . > /dev/null
	$(PYTHON) -m venv $(SMOKE)
	$(SMOKE)/bin/python -m pip install -q dist/segcli-*.whl
	bash tests/smoke.sh "$(CURDIR)/$(SMOKE)/bin/segcli"

.PHONY: bench
bench: $(VENV)/.installed-dev ## Print speed ratios against peers, each pair measured side by side in one run
	$(BIN)/python -m tests.ratios

.PHONY: clean
clean: ## Remove everything that make made
	rm -rf $(VENV) $(SMOKE) dist build site $(DEMO_OUT)
