# Two commands for a newcomer: `make demo` and `make test`. `make check` is what CI runs.
NEW     := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON  ?= $(shell for p in python3 python3.11 python3.12 python3.13; do $$p -c '$(NEW)' 2>/dev/null && echo $$p && break; done)
VENV    ?= .venv
BIN     := $(VENV)/bin
PIP     := $(BIN)/pip --disable-pip-version-check
INPUTS  := pyproject.toml constraints.txt
CATALOG ?=
Q       ?=
MAP     ?=

.PHONY: demo test check lint types imports catalog bench soak starter clean help

help:             ## what there is to make
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.base   ## index the sample catalog, search it, ask it (CATALOG=… Q=… MAP="id=Id title=Name" for your own)
	@$(BIN)/sightline demo $(if $(CATALOG),"$(CATALOG)") $(foreach m,$(MAP),--map "$(m)") $(if $(Q),--question "$(Q)")

test: $(VENV)/.test   ## the tests that need no torch and no data
	@$(BIN)/python -m pytest

check: $(VENV)/.check lint types imports   ## every extra, linters, all tests, JOBS=2 at a time: what CI runs
	@SIGHTLINE_CHECK=1 $(BIN)/python -m pytest -n $(or $(JOBS),2) --dist loadfile

lint: $(VENV)/.check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: $(VENV)/.check
	@$(BIN)/mypy

imports: $(VENV)/.check
	@$(BIN)/lint-imports

catalog: $(VENV)/.base   ## draw the sample catalog again, byte for byte
	@$(BIN)/python -m training.renderer --seed 7 --out service/sample

bench: $(VENV)/.check   ## quality and speed on DATA=…, one JSON a run into benchmarks/results
	@$(BIN)/python -m benchmarks --data "$(DATA)" --out benchmarks/results

starter: $(VENV)/.training   ## train the starter encoder again from DATA=… (MINUTES=90 WORK=… OUT=…; OPEN=1: open licences only)
	@$(BIN)/python -m training.starter --data "$(DATA)" --work "$(or $(WORK),.sightline-starter)" $(if $(OUT),--out "$(OUT)") \
	    $(if $(MINUTES),--minutes $(MINUTES)) $(if $(PROCESSES),--processes $(PROCESSES)) $(if $(OPEN),--only-open)

soak: $(VENV)/.test   ## kill writers for minutes and look at what is left (KILLS=400 EACH=20 SEED=1)
	@$(BIN)/python -m tests.soak $(if $(KILLS),--kills $(KILLS)) $(if $(EACH),--each $(EACH)) $(if $(SEED),--seed $(SEED))

clean:            ## remove what make made
	rm -rf $(VENV) .sightline-demo

$(BIN)/pip:   # not python: that is there, without pip, when a first run was broken off
	@$(or $(PYTHON),false) -c '$(NEW)' || { echo "Sightline needs Python 3.11 or newer with venv (Debian: apt install python3-venv). Set PYTHON=… to one."; exit 2; }
	@$(PYTHON) -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) $(VENV)

$(VENV)/.base: $(INPUTS) | $(BIN)/pip
	@echo "Installing Sightline into $(VENV) (once; no torch) …"
	@$(PIP) install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.test: $(INPUTS) | $(BIN)/pip
	@echo "Installing Sightline and its test tools into $(VENV) (once; no torch) …"
	@$(PIP) install --quiet -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.base

$(VENV)/.training: $(INPUTS) | $(BIN)/pip
	@echo "Installing what training needs into $(VENV) (once) …"
	@$(PIP) install --quiet -c constraints.txt -e '.[training]'
	@touch $@ $(VENV)/.base

$(VENV)/.check: $(INPUTS) | $(BIN)/pip
	@echo "Installing Sightline with every extra into $(VENV) (once) …"
	@$(PIP) install --quiet -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.base $(VENV)/.test $(VENV)/.training
