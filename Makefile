# All of the project's chores. `make` alone lists them.

VENV := .venv
STAMP := $(VENV)/.installed
BIN := $(VENV)/bin
C_FILES = $(shell find tvm_embbert/runtime -name '*.[ch]' 2>/dev/null)
# Which tests `make test` runs, an expression of pytest's -m.
MARKS ?= not board

# The text goes to the demo through the environment and as it was typed: neither make nor the
# shell may expand a $ or a quote in it.
ifdef TEXT
override TEXT := $(value TEXT)
export TEXT
endif

.DEFAULT_GOAL := help
.PHONY: help setup system demo test nightly bench loops lint format clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Install the system's packages that are missing, and the Python packages in .venv

system: # Quiet when nothing is missing, so it is asked every time
	@scripts/system.sh

$(STAMP): pyproject.toml constraints.txt scripts/python.sh scripts/find_python.sh | system
	@scripts/python.sh $(VENV) $(STAMP)

demo: setup ## Compile the model, run it in the emulator and show it all (TEXT="..." for your own text)
	@if [ -n "$$TEXT" ]; then $(BIN)/tvm-embbert demo --text="$$TEXT"; \
	else $(BIN)/tvm-embbert demo; fi

test: lint ## Lint, then all tests: the quick ones first, then those in the emulator
	@$(BIN)/pytest -m "$(MARKS)"

nightly: setup ## Run 100,000 random operator cases (CASES=N, SEED=N, FROM=batch; CASE=address for one)
	@$(BIN)/python tests/strategy/nightly.py $(if $(CASES),--cases $(CASES)) \
	$(if $(SEED),--seed $(SEED)) $(if $(FROM),--first $(FROM)) $(if $(CASE),--case $(CASE))

bench: setup ## Count instructions on every emulated core, compare with those committed, draw plots
	@$(BIN)/python bench/run.py

loops: setup ## Count instructions and products in the kernels' loops, for docs/benchmark.md
	@$(BIN)/python bench/loops.py

lint: setup ## Check style, formatting and types of Python and C
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(if $(C_FILES),$(BIN)/clang-format --dry-run --Werror $(C_FILES))

format: setup ## Format Python and C
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .
	@$(if $(C_FILES),$(BIN)/clang-format -i $(C_FILES))

clean: ## Remove what was built, .venv too
	rm -rf $(VENV) build dist out .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
