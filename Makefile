# Everything sets itself up on first use. Python 3.11+ must be installed by hand, and Node 18+ for the tests.
SHELL := /bin/bash
# The first of these that really runs (a pyenv shim may exist and not run) and is new enough.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
  "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$p"; break; }; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo serve test pytest lint types generate bench soak lock clean

demo: $(VENV)/.runtime ## emulator, both bots and the playground on http://127.0.0.1:3978/playground
	@exec $(BIN)/crmchat demo $(ARGS)

serve: $(VENV)/.runtime
	@exec $(BIN)/crmchat serve $(ARGS)

test: export PYTHONDONTWRITEBYTECODE := # each of pytest's workers would compile all tests anew, every time
test: $(VENV)/.dev node_modules/.ready ## everything that must hold at every commit
	@$(MAKE) --no-print-directory -j2 lint pytest

pytest: # twice as many workers as the smallest machine has cores: much of it waits for processes
	@$(BIN)/pytest -n 4 --dist worksteal -m "not soak" $(ARGS)

lint: $(VENV)/.dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/mypy

generate: $(VENV)/.dev ## manifests, command reference, golden files
	@$(BIN)/python -m tests.generate

bench: $(VENV)/.dev ## ratios side by side in one run, written to docs/benchmarks.md
	@$(BIN)/python -m tests.bench $(ARGS)

soak: $(VENV)/.dev node_modules/.ready ## the full counts: fuzzing, crashes, load
	@$(BIN)/pytest -m soak --timeout=0 -s $(ARGS)

lock: $(VENV)/.dev ## renew both lock files from pyproject.toml
	@$(BIN)/pip install -q uv
	@$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q --upgrade -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra dev -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header -q -o requirements-dev.lock

clean:
	rm -rf $(VENV) node_modules .crmchat

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "crmchat needs Python 3.11 or newer; found: $$(python3 -V 2>&1 || true). Install a newer one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "crmchat needs Python 3.11 or newer, and $(PYTHON) is not one. Name another: make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Creating the virtual environment in $(VENV) ..."
	@"$(PYTHON)" -m venv $(VENV) || { echo "python3 cannot create a virtual environment; on Debian or Ubuntu: apt-get install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.runtime: requirements.lock pyproject.toml | $(VENV)/.created
	@echo "Installing crmchat's packages (first use or a changed lock file) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps -e .
	@$(BIN)/crmchat --help >/dev/null
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo "Installing the development tools (first use or a changed lock file) ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

node_modules/.ready: package.json package-lock.json
	@command -v node >/dev/null || { echo "The tests need Node.js 18 or newer (cards are checked with Microsoft's own renderer), and no node was found. Install it, then run make again."; exit 1; }
	@node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' || { echo "The tests need Node.js 18 or newer; this is $$(node --version)."; exit 1; }
	@echo "Installing the Node packages the tests use (first use or a changed lock file) ..."
	@npm ci --silent --no-audit --no-fund
	@touch $@
