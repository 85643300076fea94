# Two commands matter: `make demo` and `make test`. Both set up what is missing.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
OUT    ?= runs/demo
CORES  ?= $(shell nproc)

.PHONY: setup hooks demo golden fetch test test-slow lint types contracts wheel-smoke check bench-startup bench-score bench-video bench-traceability bench-lfw bench-thesis bench-audit bench-hard-to-fool bench-gate bench-tools clean help

help:            ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: $(STAMP)  ## the environment in .venv, with everything for users and developers

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "torch==2.14.1" "torchvision==0.29.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev]"
	$(BIN)/python -c "import cv2" || { echo "OpenCV needs libGL and GLib; on Debian: apt-get install libgl1 libglib2.0-0"; exit 1; }
	touch $@

hooks: setup     ## checks before each commit (.pre-commit-config.yaml)
	$(BIN)/pre-commit install

demo: setup      ## methods over the quick half of the demo photos, audited, and over two clips; says where the reports lie
	$(BIN)/unmask run --dataset demo-quick=demo:split=quick --audit quick --shard-size 3 --workers $(CORES) --out $(OUT)
	$(BIN)/unmask video --method blur:sigma=0.15 --method dp-att --frames 140 --workers $(CORES) --out $(OUT)-video

golden: demo     ## the demo's numbers against tests/golden; EXACT=1: to the last digit
	$(BIN)/python -m tests.golden.tables compare photos $(OUT) $(if $(EXACT),--exact)
	$(BIN)/python -m tests.golden.tables compare clips $(OUT)-video $(if $(EXACT),--exact)

fetch: setup
	$(BIN)/unmask instruments fetch
	$(BIN)/unmask data fetch demo
	$(BIN)/unmask data fetch demo-clips

# Tests start many processes, each of which would compile all modules anew where bytecode is not to be written.
test: fetch      ## the fast tests; fetches the instruments they need first
	PYTHONDONTWRITEBYTECODE= UNMASK_REQUIRE_WEIGHTS=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(CORES) --dist worksteal $(PYTEST_ARGS)

test-slow: fetch ## the slow and network tests
	UNMASK_REQUIRE_WEIGHTS=1 $(BIN)/python -m pytest -m "slow or network"

lint: setup      ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup     ## mypy --strict
	$(BIN)/mypy

contracts: setup ## import-linter
	$(BIN)/lint-imports

wheel-smoke: setup ## builds the wheel, installs it elsewhere, runs it from another folder
	PYTHON=$(abspath $(BIN))/python .ci/wheel-smoke

check: test lint types contracts wheel-smoke ## everything that CI runs

bench-startup: setup ## CPU seconds of commands that measure nothing: help, lists, doctor, errors
	$(BIN)/python -m tests.benchmarks.startup

bench-score: setup ## faces per second per stage, and the share spent outside networks
	OMP_WAIT_POLICY=passive $(BIN)/python -m tests.benchmarks.score

bench-video: setup ## frames per second per stage over clips, and the memory that a long one takes
	OMP_WAIT_POLICY=passive $(BIN)/python -m tests.benchmarks.video

bench-traceability: setup ## who can still be followed, on pets2009 and surv-fight (needs the data: UNMASK_DATA=...)
	$(BIN)/python -m tests.benchmarks.traceability

bench-lfw: setup ## the claims on lfw (needs the data: UNMASK_DATA=...)
	$(BIN)/python -m tests.benchmarks.lfw

bench-thesis: setup ## the claims about the learned methods, on the thesis's protocol, and sheets of pictures (needs utkface: UNMASK_DATA=...)
	$(BIN)/python -m tests.benchmarks.thesis

bench-audit: setup ## how far attackers who know a method come, on lfw (needs the data: UNMASK_DATA=...)
	$(BIN)/python -m tests.benchmarks.privacy_audit

bench-hard-to-fool: setup ## contestants that protect nobody, and what a run says of them (needs lfw: UNMASK_DATA=...)
	$(BIN)/python -m tests.benchmarks.hard_to_fool

bench-gate: setup ## how long a gate takes, how often it stops an unchanged method, and the smallest loss that it finds
	$(BIN)/python -m tests.benchmarks.gate times
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.benchmarks.gate

bench-tools: setup ## what other people's anonymizers protect, those recipes that are installed (needs lfw: UNMASK_DATA=...)
	$(BIN)/python -m tests.benchmarks.tools

clean:           ## the environment and the demo's runs
	rm -rf $(VENV) $(OUT) $(OUT)-video
