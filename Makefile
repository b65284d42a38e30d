# voltyard: the commands. Everything they need is put inside this folder (.uv, .venv, .voltyard);
# the one exception is Chromium, which `make test` installs by apt-get when it is missing.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# uv: no interpreter is downloaded, the lock is not changed, the system's certificates count.
export UV_CACHE_DIR ?= .uv/cache
export UV_PYTHON_DOWNLOADS := never
export UV_SYSTEM_CERTS := true
export NODE_USE_SYSTEM_CA := 1

RUFF_PATHS := src tests

# make demo
demo_options = $(if $(SPEED),--speed $(SPEED)) $(if $(VEHICLES),--vehicles $(VEHICLES)) \
  $(if $(FAULTS),--faults $(FAULTS)) $(if $(SEED),--seed $(SEED)) $(ARGS)
# make simulate
FILE ?= demo
simulate_options = $(if $(SEED),--seed $(SEED)) $(if $(FAULTS),--faults $(FAULTS)) \
  $(if $(VEHICLES),--vehicles $(VEHICLES)) $(ARGS)
# make test
WORKERS ?= 4
TESTS ?= tests
# make nights
SEEDS ?= 0-199

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

.PHONY: setup
setup: ## bring the tools and the packages (done by every other command)
	@sh scripts/setup.sh

.PHONY: demo
demo: setup ## a depot's night over real sockets; SPEED= VEHICLES= FAULTS= SEED= ARGS=
	@.venv/bin/python -m voltyard.cli demo $(demo_options)

.PHONY: serve
serve: setup ## the charging management system itself; ARGS=
	@.venv/bin/python -m voltyard.cli serve $(ARGS)

.PHONY: simulate
simulate: setup ## a night in virtual time; FILE=demo or a SpiceEV scenario, SEED= FAULTS= ARGS=--json
	@.venv/bin/python -m voltyard.cli simulate "$(FILE)" $(simulate_options)

.PHONY: nights
nights: setup ## SEEDS=0-199 nights with faults in virtual time; a failing seed is printed; ARGS=
	@.venv/bin/python -m voltyard.cli nights --seeds $(SEEDS) --workers $(WORKERS) \
	  $(if $(FAULTS),--faults $(FAULTS)) $(if $(VEHICLES),--vehicles $(VEHICLES)) $(ARGS)

.PHONY: bench
bench: setup ## measure: messages per second, planner, console; ARGS=
	@.venv/bin/python -m voltyard.cli bench $(ARGS)

.PHONY: test
test: setup interop-packages ## the whole suite, Chromium included; TESTS= WORKERS= ARGS="-m long"
	@sh scripts/chromium.sh
	@echo "== the planner is compiled, once for all workers"
	@.venv/bin/python -c "from voltyard.energy.planner import warm_up; warm_up()"
	@echo "== pytest ($(WORKERS) workers)"
	@.venv/bin/python -m pytest $(TESTS) -n $(WORKERS) --dist loadscope --no-loadscope-reorder \
	  $(ARGS)

.PHONY: interop-packages
interop-packages: setup
	@sh scripts/npm.sh tests/interop

.PHONY: check
check: lint ## lint, then the quick tests
	@echo "== tests/unit tests/style"
	@.venv/bin/python -m pytest tests/unit tests/style -n $(WORKERS) $(ARGS)

.PHONY: lint
lint: setup ## ruff format and check, mypy --strict, import-linter, tsc
	@echo "== ruff format --check"
	@.venv/bin/python -m ruff format --check $(RUFF_PATHS)
	@echo "== ruff check"
	@.venv/bin/python -m ruff check $(RUFF_PATHS)
	@echo "== mypy --strict"
	@.venv/bin/python -m mypy
	@echo "== import-linter"
	@.venv/bin/lint-imports --no-logo
	@echo "== tsc"
	@sh scripts/npm.sh web run --silent check

.PHONY: format
format: setup ## write the format that lint wants
	@.venv/bin/python -m ruff check --fix-only --quiet $(RUFF_PATHS)
	@.venv/bin/python -m ruff format $(RUFF_PATHS)

.PHONY: clean
clean: ## remove everything the commands put here, data included
	rm -rf .uv .venv .voltyard .mypy_cache .ruff_cache .pytest_cache .import_linter_cache \
	  web/node_modules tests/interop/node_modules
