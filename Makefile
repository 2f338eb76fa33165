# The two commands that a newcomer needs are `make demo` and `make test`; both set up what they use.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
# Test processes: half as many again as processors, since much of what is tested waits
WORKERS ?= $(shell echo $$(( ($$(getconf _NPROCESSORS_ONLN) * 3 + 1) / 2 )))
UV := $(shell command -v uv 2>/dev/null || echo $(BIN)/uv)
STAMP := $(VENV)/.synced

.PHONY: demo test test-live lint format bench clean

demo: $(STAMP) sandbox
	$(BIN)/whichquant demo

# Compiled modules are kept, also where the environment says otherwise: these tests start hundreds of processes
test test-live: export PYTHONDONTWRITEBYTECODE :=

test: $(STAMP) sandbox
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# Real servers one after the other, and beside them what waits: see tests/conftest.py
test-live: $(STAMP) sandbox browser
	$(BIN)/python -m pytest -m live -n 2 --dist loadscope --timeout 900 --durations 25

lint: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Beside lm-evaluation-harness, Inspect and bare loops, which are installed into .venv-bench; then parts on their own.
# What takes longer is in docs/performance.md.
bench: $(STAMP) browser
	$(BIN)/python -m tests.bench.peers
	$(BIN)/python -m tests.bench.client
	$(BIN)/python -m tests.bench.startup
	$(BIN)/python -m tests.bench.grading
	$(BIN)/python -m tests.bench.sandbox
	$(BIN)/python -m tests.bench.statistics
	$(BIN)/python -m tests.bench.startup
	$(BIN)/python -m tests.bench.report_page

clean:
	rm -rf $(VENV) .venv-bench

# uv is taken from the machine, else into the project's own virtual environment
$(STAMP): pyproject.toml uv.lock
	@command -v uv >/dev/null 2>&1 || { python3 -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv; }
	UV_PROJECT_ENVIRONMENT=$(VENV) $(UV) sync --quiet --locked --all-extras --inexact
	@touch $@

# bubblewrap runs model-written code where it can do no harm; without it, code questions are not scored
.PHONY: sandbox
sandbox:
	@if [ "$$(uname)" = Linux ] && ! command -v bwrap >/dev/null 2>&1; then \
	  if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    echo "installing bubblewrap"; { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq bubblewrap; } >/dev/null; \
	  elif command -v apt-get >/dev/null 2>&1 && sudo -n true 2>/dev/null; then \
	    echo "installing bubblewrap"; { sudo apt-get update -qq && sudo apt-get install -y -qq bubblewrap; } >/dev/null; \
	  else echo "bubblewrap is not installed: code questions will not be scored (sudo apt install bubblewrap)"; fi; \
	fi

# Chromium opens reports in the tests of `make test-live`; without it these are skipped
.PHONY: browser
browser:
	@if [ "$$(uname)" = Linux ] && ! command -v chromium >/dev/null 2>&1 && ! command -v google-chrome >/dev/null 2>&1; then \
	  if command -v apt-get >/dev/null 2>&1 && [ "$$(id -u)" = 0 ]; then \
	    echo "installing chromium"; { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium; } >/dev/null \
	      || echo "chromium could not be installed: reports are not opened in a browser"; \
	  else echo "chromium is not installed: reports are not opened in a browser (sudo apt install chromium)"; fi; \
	fi
