# The verbs of this project; `make help` lists them.
PYTHON ?= python3
BIN := .venv/bin

# Python keeps what it compiled, whatever the shell says: tests start a hundred processes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: gpu help setup demo test test-heavy campaign shuffle coverage check format docs notebook benchmarks clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

setup: .venv/ready ## make .venv and install the package under the pinned constraints, once

# The stamp is written last: a set-up that was interrupted is done again.
.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v < (3, 14) or sys.exit(f"wildsr needs Python 3.11 to 3.13, but $(PYTHON) is {v[0]}.{v[1]}; choose another: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup ## the main job on the embedded photos: python train.py
	$(BIN)/python train.py

# One thread for each process: tiny tensors are quicker so, and sums have one order.
test: setup ## the tests, but for whole runs, on two cores
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# Three at a time on two cores, as many of them wait: for a page, for processes that they start.
test-heavy: setup ## whole runs and whole tables
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal -m 'heavy and not gpu and not slow and not download'

# Kills, full disks, damaged files, odd commands: N of each kind, see docs/reliability.md.
N ?= 200
campaign: setup ## inject faults, N=200 of each kind, and print how many of how many held
	OMP_NUM_THREADS=1 WILDSR_CAMPAIGN=$(N) WILDSR_FUZZ=$(N) $(BIN)/python -m pytest tests/faults -m '' -s

shuffle: setup ## the tests in another order at each call
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -p randomly -n 2

coverage: setup ## all of them, and which branches they reach
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m 'not gpu and not slow and not download' --cov=wildsr --cov-branch --cov-report=term:skip-covered

check: setup ## format, lint, types, and whether the documentation builds
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/mkdocs build --quiet --strict

format: setup ## write the format and what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## the documentation as a site: site/index.html, or, with search, python3 -m http.server -d site
	$(BIN)/mkdocs build --strict

notebook: setup ## run docs/notebooks anew, with its pictures
	$(BIN)/jupyter nbconvert --to notebook --execute --inplace docs/notebooks/*.ipynb

benchmarks: setup ## every figure of the README, quickly
	for script in benchmarks/*.py; do $(BIN)/python $$script --quick || exit 1; done

gpu: setup ## every figure of a GPU in one go: its tests, then 8 minutes; docs/gpu.json and docs/gpu.md
	$(BIN)/python benchmarks/gpu.py

clean: ## remove .venv and caches; runs stay
	rm -rf .venv build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './runs/*' -exec rm -rf {} +
