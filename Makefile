# Two commands for a fresh machine: `make run` and `make test`. The rest is for developers.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
STAMPS := .cache
SECONDS := 60
TARGETS :=
UNIT := $(BIN)/python -m pytest tests/unit --numprocesses auto --dist worksteal
SERVERS := $(BIN)/python -m pytest --ignore tests/unit
# pytest-cov measures the tests' own process; the programs that the servers' tests start measure
# themselves, as the variables ask of them. Those of the unit tests do not: some show what they load.
COVERED := --cov --cov-append --cov-report=
MEASURED := COVERAGE_PROCESS_START=$(CURDIR)/pyproject.toml COVERAGE_FILE=$(CURDIR)/$(STAMPS)/coverage

.DEFAULT_GOAL := help
.PHONY: help run test lint fix unit broker faults fuzz homeassistant nodered processes docker web test-vm \
	bench docs docs-check deb man package lock clean

help: ## what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: $(STAMPS)/run ## install fanwhy here, start it, and watch this machine
	@scripts/run

test: $(STAMPS)/dev ## install what the tests need, then run every check and test
	@scripts/system-packages
	@$(MAKE) --no-print-directory lint docs-check
ifneq ($(WITHOUT_HOMEASSISTANT),1)
	@scripts/homeassistant
endif
	@scripts/node-red >/dev/null
	@scripts/pm2 >/dev/null
	@scripts/axe >/dev/null
	@$(BIN)/coverage erase
	$(UNIT) $(COVERED)
	$(MEASURED) $(SERVERS) $(COVERED)
	@$(BIN)/coverage report

lint: $(STAMPS)/dev ## style, types and the direction of imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

fix: $(STAMPS)/dev ## bring the code into its form, and mend what ruff can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

unit: $(STAMPS)/dev ## the tests that need no server
	$(UNIT)

broker: $(STAMPS)/dev ## the tests with a real mosquitto
	$(BIN)/python -m pytest -m $@

fuzz: $(STAMPS)/dev ## look for what some parser cannot bear, a minute each (SECONDS=60 TARGETS=)
	@$(PIP) install --quiet --only-binary :all: atheris || \
		echo "no atheris for this Python: inputs are made by chance"
	cd tests && ../$(BIN)/python -m fuzz --seconds $(SECONDS) $(TARGETS)

faults: $(STAMPS)/dev ## the tests with injected faults, every one of them (half an hour)
	ALL_FAULTS=1 $(BIN)/python -m pytest -m $@

docs: $(STAMPS)/dev ## write the reference pages anew from the declarations
	$(BIN)/python -m tools.reference docs

docs-check: $(STAMPS)/dev
	$(BIN)/python -m tools.reference docs --check

homeassistant: $(STAMPS)/dev ## the tests with a real Home Assistant, which is made once and kept
	@scripts/system-packages
	@scripts/homeassistant
	$(BIN)/python -m pytest -m homeassistant

nodered: $(STAMPS)/dev ## the tests with a real Node-RED, likewise
	@scripts/system-packages
	$(BIN)/python -m pytest -m nodered

docker: $(STAMPS)/dev ## the tests with a real Docker Engine, which is made once and kept
	@scripts/system-packages
	$(BIN)/python -m pytest -m docker

processes: $(STAMPS)/dev ## the tests that ask about real processes of every kind
	@scripts/system-packages
	$(BIN)/python -m pytest -m processes

web: $(STAMPS)/dev ## the tests of the page in a real browser
	@scripts/system-packages
	$(BIN)/python -m pytest -m $@

test-vm: $(STAMPS)/dev ## boot a virtual machine with real sensor chips and hold the daemon to them
	PYTHON=$(BIN)/python tests/vm/run

bench: $(STAMPS)/dev ## what fanwhy costs, and whether its books balance
	bench/overhead
	bench/ledger-balance

deb: ## the Debian package: built, installed, started, upgraded and purged in a bare root
	packaging/debian/life

man: $(STAMPS)/dev ## write a manual page for each command into dist/man
	$(BIN)/python -m tools.manpages dist/man

package: $(STAMPS)/dev ## build sdist and wheel into dist, and install the wheel to see that it works
	$(BIN)/python -m pytest tests/unit/test_package.py tests/package
	rm -rf dist
	$(BIN)/python -m hatchling build -d dist

lock: $(STAMPS)/dev ## pin every dependency again
	$(PIP) install --quiet uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--no-header --extra embedded --extra notify --extra web pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--no-header --extra embedded --extra notify --extra web --group dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) $(STAMPS) build dist

$(VENV):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "fanwhy needs Python 3.11 or newer; set PYTHON=…" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV) || \
		{ echo "no venv module: apt install python3-venv" >&2; rm -rf $(VENV); exit 1; }

$(STAMPS)/run: pyproject.toml requirements.lock | $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/dev: pyproject.toml requirements-dev.lock | $(VENV)
	$(PIP) install --quiet --require-hashes -r requirements-dev.lock
	$(PIP) install --quiet --no-deps --editable .
	@mkdir -p $(STAMPS) && touch $@ $(STAMPS)/run
