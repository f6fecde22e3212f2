# `make` alone lists what there is. `make run` and `make test` install what they need.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The index torch comes from; for a machine without a GPU: make run TORCH_INDEX="--index-url https://download.pytorch.org/whl/cpu"
TORCH_INDEX ?=
UV_VERSION := 0.13.9
# A half-made environment has no stamp and is completed by the next call; a changed lock makes a new stamp.
STAMP := $(VENV)/.installed-$(shell cat requirements.txt Makefile 2>/dev/null | cksum | cut -d' ' -f1)
CHROMA := .jeevo/bench/chroma
DEV_STAMP := $(VENV)/.installed-dev-$(shell cat requirements-dev.txt Makefile 2>/dev/null | cksum | cut -d' ' -f1)

.PHONY: help install run stop test check faults bench programs lock clean

help: ## list these commands
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## install what the program needs into .venv

$(VENV)/bin/uv:
	@command -v $(PYTHON) >/dev/null || { echo "Jeevo needs Python 3.11. Install it, or name it: make run PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Making a Python environment in .venv ..."
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

# torch has a step of its own, without hashes: a lock would pin its CUDA packages on every machine.
$(STAMP): $(VENV)/bin/uv
	@echo "Installing torch (the largest part, once) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check torch==2.13.0 $(TORCH_INDEX)
	@echo "Installing the other packages ..."
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r requirements.txt
	@rm -f $(VENV)/.installed-[0-9]*; touch $@

$(DEV_STAMP): $(STAMP)
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --no-deps --require-hashes -r requirements-dev.txt
	@rm -f $(VENV)/.installed-dev-*; touch $@

run: $(STAMP) ## start Jeevo here, with a chat page to try it
	@exec $(BIN)/python -m jeevo.supervisor

stop: $(STAMP) ## finish what is in flight, then stop what `make run` started
	@$(BIN)/python manage.py drain --stop

programs: $(DEV_STAMP)
	@sh .ci/programs

test: $(DEV_STAMP) programs ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(DEV_STAMP) ## lint, types, migrations, deploy check and tests
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy .
	@$(BIN)/python manage.py makemigrations --check --dry-run
	@$(BIN)/python -m tests.deploy_check
	@$(MAKE) --no-print-directory test

faults: $(DEV_STAMP) ## the whole matrix of faults, on real processes
	@JEEVO_FAULTS=all $(BIN)/python -m pytest tests -m 'fault or matrix'

# What search is measured against, apart from the program's own packages.
$(CHROMA)/.installed: | $(DEV_STAMP)
	@echo "Installing Chroma into an environment of its own (once) ..."
	@$(PYTHON) -m venv --clear $(CHROMA)
	@$(BIN)/uv pip install --quiet --python $(CHROMA)/bin/python "chromadb>=1.5,<1.6"
	@touch $@

bench: $(DEV_STAMP) $(if $(JEEVO_CHROMA_PYTHON),,$(CHROMA)/.installed) ## measure speed against named baselines, into docs/benchmarks.md
	@$(BIN)/python -m tests.benchmarks.run

lock: $(DEV_STAMP) ## compile the locks from pyproject.toml
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-package torch --no-emit-package setuptools --python-version 3.11 pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --generate-hashes --no-header --no-emit-package torch --no-emit-package setuptools --python-version 3.11 --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

clean: ## remove the environment and the caches; the data in .jeevo stays
	@rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis staticfiles
