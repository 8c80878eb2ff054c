# Everything sets itself up: a virtual environment in .venv, and what pyproject.toml asks for at the versions of
# constraints.txt. Other builds of torch: make demo TORCH="torch==2.13.0 --index-url URL", or a wheel, or a requirement.
PYTHON ?= python3
VENV ?= .venv
TORCH ?= torch==2.13.0
SOURCE ?=
ARGS ?=
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# One thread a test process: two processes of two threads each wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.PHONY: demo test test-all lint format bench install clean

demo: $(VENV)/.run
	$(BIN)/codekiln run quickstart $(foreach source,$(SOURCE),--source "$(source)") $(ARGS)

test: $(VENV)/.dev
	$(PYTEST) -n 2 --dist loadfile -m "not slow and not weights" $(ARGS)

test-all: $(VENV)/.bench
	$(PYTEST) -n 2 --dist loadfile -m "not slow and not weights" $(ARGS)
	$(PYTEST) -m "slow or weights" $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

bench: $(VENV)/.bench
	$(BIN)/python benchmarks/training_cpu.py $(ARGS)

install: $(VENV)/.run

# torch goes first and its installed version becomes the constraint, so that nothing later pulls another build.
$(VENV)/.torch: constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "codekiln needs Python 3.11 or later; set PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install -q $(TORCH)
	grep -v '^torch==' constraints.txt > $(VENV)/constraints.txt
	$(BIN)/python -c 'import importlib.metadata as m; print("torch==" + m.version("torch").split("+")[0])' >> $(VENV)/constraints.txt
	touch $@

$(VENV)/.run: $(VENV)/.torch pyproject.toml
	$(PIP) install -q -c $(VENV)/constraints.txt -e ".[all]"
	touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml
	$(PIP) install -q -c $(VENV)/constraints.txt -e ".[dev]"
	touch $@ $(VENV)/.run

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) install -q -c $(VENV)/constraints.txt -e ".[dev,bench]"
	touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
