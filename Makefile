# One target per habit; CONTRIBUTING.md lists them.

PYTHON ?= python3
BIN := .venv/bin
PIP_INSTALL := -m pip --disable-pip-version-check -q install -c constraints.txt
PACKAGES := ermas_envs/pyproject.toml ermas_algos/pyproject.toml
GROUPS := pyproject.toml # its table of dependency groups

LOWEST := tests/envs/base tests/envs/game tests/envs/oracles/test_stage_game_oracle.py tests/envs/oracles/test_oracles.py \
  tests/algos/test_sb3_learner.py tests/algos/test_settings.py tests/algos/test_multipliers.py
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal
TARGETS := venv venv-dev train kernels test test-random test-slow ids digests tree bounds fuzz soak lint types format docs docs-links \
  wheels lowest examples bench clean

# Compiled kernels stay in the checkout: every target finds them, also where there is no home to keep them in.
export NUMBA_CACHE_DIR ?= $(CURDIR)/.venv/kernels

# Python 3.11 reads the .pth files of a venv, which name this directory, in the locale's encoding.
ifneq ($(filter C POSIX,$(LC_ALL)),)
ifneq ($(shell pwd | LC_ALL=C tr -d ' -~\n'),)
export LC_ALL := C.UTF-8
endif
endif

.DEFAULT_GOAL := help
.PHONY: help $(TARGETS)

help:
	@echo "targets: $(TARGETS)"

venv: .venv/.installed
venv-dev: .venv/.installed-dev

.venv/.installed: $(PACKAGES) constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: make PYTHON=/path/to/python3.11 ..." >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python $(PIP_INSTALL) pip # the one of Python 3.11 knows no dependency groups
	$(BIN)/python $(PIP_INSTALL) -e ./ermas_envs -e ./ermas_algos
	@touch $@

.venv/.installed-dev: .venv/.installed $(GROUPS)
	$(BIN)/python $(PIP_INSTALL) --group dev
	@touch $@

.venv/.installed-docs: .venv/.installed-dev
	$(BIN)/python $(PIP_INSTALL) --group docs
	@touch $@

train: venv
	$(BIN)/python examples/train_ermas_sb3.py $(ARGS)
ifeq ($(ARGS),)
	$(BIN)/python examples/train_tax_planner.py
endif

kernels: venv-dev
	@OMP_NUM_THREADS=1 $(BIN)/ermas-envs warm-up

test: kernels
	$(PYTEST) $(ARGS)

test-random: kernels
	$(PYTEST) --random-order-bucket=global --random-order-seed=$(or $(SEED),$(shell date +%s)) $(ARGS)

test-slow: kernels
	$(PYTEST) -m slow -o timeout=3600 $(ARGS)

tree:
	$(PYTHON) tests/module_tree.py

digests: kernels
	@OMP_NUM_THREADS=1 $(BIN)/python tests/digests.py

# Kernels whose every array access is checked: recordings replay, and random games keep within their arrays.
bounds: export NUMBA_BOUNDSCHECK = 1
bounds: venv-dev
	$(BIN)/python -m ermas_envs.replay tests/envs/replay/trajectories/*.json.gz > /dev/null
	$(BIN)/python tests/envs/fuzz.py --constructions 400

fuzz: export NUMBA_BOUNDSCHECK = 1
fuzz: venv-dev
	$(BIN)/python tests/envs/fuzz.py $(ARGS)

soak: kernels
	$(BIN)/python tests/soak.py $(ARGS)

ids: venv-dev
	$(BIN)/python .ci/test_ids.py

lint: venv-dev
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check

types: venv-dev
	$(BIN)/python -m mypy

format: venv-dev
	$(BIN)/python -m ruff check --fix
	$(BIN)/python -m ruff format

# Every warning is an error: a link to nowhere, a page in no shelf, a name that is not there.
docs: .venv/.installed-docs
	$(BIN)/python -m sphinx -q -E -a -W --keep-going -d build/doctrees docs build/docs
	@echo "build/docs/index.html"

docs-links: .venv/.installed-docs
	$(BIN)/python docs/site/external_links.py

# What a user gets: both wheels in a clean environment, imported away from the sources.
define CHECK_WHEELS
import sys
import ermas_envs
assert "torch" not in sys.modules, "importing ermas_envs imports torch"
import ermas_algos
for package in (ermas_envs, ermas_algos):
    assert "site-packages" in package.__file__, package.__file__
    print("installed:", package.__name__, package.__version__, package.__file__)
endef
export CHECK_WHEELS

wheels: venv-dev
	rm -rf dist
	$(BIN)/python -m build --outdir dist ermas_envs
	$(BIN)/python -m build --outdir dist ermas_algos
	$(BIN)/python .ci/distributions.py
	$(BIN)/python -m twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/python -m venv --clear .venv-wheels
	.venv-wheels/bin/python $(PIP_INSTALL) dist/*.whl
	cd / && "$(CURDIR)/.venv-wheels/bin/python" -I -c "$$CHECK_WHEELS"
	cp .ci/downstream.py .venv-wheels/ # away from the sources, where nothing but the wheels has their names
	cd .venv-wheels && ../$(BIN)/python -m mypy --strict --config-file "" --python-executable bin/python downstream.py
	cd .venv-wheels && bin/python -I downstream.py

# The oldest versions that the packages say they work with: installed by lowest.txt, and a sample of the tests.
lowest: venv-dev
	$(BIN)/python -m venv --clear .venv-lowest
	.venv-lowest/bin/python $(PIP_INSTALL) pip
	.venv-lowest/bin/python -m pip --disable-pip-version-check -q install -c .ci/lowest.txt \
	  -e ./ermas_envs -e ./ermas_algos pytest pytest-timeout hypothesis
	OMP_NUM_THREADS=1 .venv-lowest/bin/python -m pytest -p no:cacheprovider $(LOWEST)

examples: venv
	$(BIN)/python examples/train_ermas_sb3.py --quick --out runs/quick
	$(BIN)/python examples/train_tax_planner.py --quick --out runs/quick-taxes

bench: venv-dev
	$(BIN)/python -m ermas_envs.bench bimatrix
	$(BIN)/python -m ermas_envs.bench economy
	$(BIN)/python -m ermas_algos.bench bimatrix
	$(BIN)/python -m ermas_algos.bench economy

clean: # keeps .venv and runs/
	rm -rf build dist .venv-wheels .venv-lowest .mypy_cache .pytest_cache .ruff_cache .hypothesis .benchmarks
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +
