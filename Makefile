# Every target makes .venv with pinned versions first, if it is not there. Start with `make help`.

PYTHON ?= python3
# Which torch: cpu is PyTorch's own CPU build, which spares the CUDA packages (several GB), or the package index's
# build where PyTorch's index is out of reach; any is the package index's build, on Linux the one for GPUs.
TORCH_BUILD ?= cpu
PYTEST_ARGS ?=
# Tests at a time; files stay whole, since tests of a file share what they train.
TEST_JOBS ?= 2

# Twice quiet: errors only, no chatter about indexes.
PIP := .venv/bin/python -m pip --disable-pip-version-check install -qq
TORCH := $(shell grep "^torch==" constraints.txt)
# Only torch itself: that index has few other packages, and hardly in the versions of constraints.txt.
TORCH_CPU := $(PIP) --no-deps --retries 0 --timeout 15 --index-url https://download.pytorch.org/whl/cpu $(TORCH)
TORCH_ANY := $(PIP) -c constraints.txt $(TORCH)
RUNTIME := .venv/.runtime-installed
DEV := .venv/.dev-installed

.PHONY: help demo test test-learning lint bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(RUNTIME) ## Cleanup with LASE, with selfish agents and with a group optimum, compared in runs/demo
	.venv/bin/lase compare cleanup --algos lase,independent,go --seeds 2 --out runs/demo

test: $(DEV) ## all tests but the long ones
	.venv/bin/python -m pytest -n $(TEST_JOBS) --dist loadfile $(PYTEST_ARGS)

test-learning: $(DEV) ## the long tests: most train until an effect of the paper shows, some start clusters
	PYTHONHASHSEED=0 .venv/bin/python -m pytest -m "learning or cluster" -rP $(PYTEST_ARGS)

lint: $(DEV) ## ruff (rules and format) and mypy
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

bench: $(RUNTIME) ## how fast the games are, and training against RLlib's PPO and bare torch, in runs/bench/
	.venv/bin/python -m benchmarks.games --json runs/bench/games.json
	.venv/bin/python -m benchmarks.training --json runs/bench/training.json

clean: ## removes .venv, caches and builds; never runs/
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first and by itself, so that TORCH_BUILD touches nothing else.
$(RUNTIME): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python %d.%d found, 3.11 or newer needed: make PYTHON=/path/to/python3.11" % sys.version_info[:2])'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(if $(filter cpu,$(TORCH_BUILD)),$(TORCH_CPU) 2>/dev/null || $(TORCH_ANY),$(TORCH_ANY))
	$(PIP) -c constraints.txt -e '.[rllib]'
	@touch $@

$(DEV): $(RUNTIME)
	$(PIP) -c constraints.txt -e '.[rllib,dev]'
	@touch $@
