# Every target makes .venv with pinned versions first, if it is not there. Start with `make help`.

PYTHON ?= python3
# Where pip should look for torch. On a Linux machine without a GPU, spare the CUDA packages (several GB) with
#   make demo TORCH_PIP_ARGS="--index-url https://download.pytorch.org/whl/cpu"
TORCH_PIP_ARGS ?=
PYTEST_ARGS ?=

# Twice quiet: errors only, no chatter about indexes.
PIP := .venv/bin/python -m pip --disable-pip-version-check install -qq
TORCH := $(shell grep "^torch==" constraints.txt)
RUNTIME := .venv/.runtime-installed
DEV := .venv/.dev-installed

.PHONY: help demo test test-learning lint bench clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

demo: $(RUNTIME) ## Cleanup with LASE, with selfish agents and with a group optimum, compared in runs/demo
	.venv/bin/lase compare cleanup --algos lase,independent,go --seeds 2 --out runs/demo

test: $(DEV) ## all tests but the long ones
	.venv/bin/python -m pytest $(PYTEST_ARGS)

test-learning: $(DEV) ## the long tests, which train until an effect of the paper shows
	.venv/bin/python -m pytest -m learning $(PYTEST_ARGS)

lint: $(DEV) ## ruff (rules and format) and mypy
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy

bench: $(RUNTIME) ## the benchmarks, one table each
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; .venv/bin/python "$$file"; done

clean: ## removes .venv, caches and builds; never runs/
	rm -rf .venv build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch comes first and by itself, so that TORCH_PIP_ARGS touches nothing else.
$(RUNTIME): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("Python %d.%d found, 3.11 or newer needed: make PYTHON=/path/to/python3.11" % sys.version_info[:2])'
	test -x .venv/bin/python || $(PYTHON) -m venv .venv
	$(PIP) -c constraints.txt $(TORCH_PIP_ARGS) $(TORCH)
	$(PIP) -c constraints.txt -e '.[rllib]'
	@touch $@

$(DEV): $(RUNTIME)
	$(PIP) -c constraints.txt -e '.[rllib,dev]'
	@touch $@
