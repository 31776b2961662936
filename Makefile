# The main targets are `make demo` and `make test`. They do all their own set-up, and need Python 3.11 to 3.13.

# The Python of a new .venv; to change it later: make clean, then make install PYTHON=python3.13
PYTHON ?= python3
VENV ?= .venv
# Arguments for pytest, such as make test ARGS="tests/domain -x", and for the bench
ARGS ?=

RUN := $(VENV)/bin
PIP := $(RUN)/python -m pip --disable-pip-version-check --no-input
STAMP := $(VENV)/botmeter-is-installed
COMPILE := $(or $(UV),uv) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-emit-index-url --no-annotate

.DEFAULT_GOAL := help
.PHONY: help install demo test check format schemas vendor pictures lock bench chaos fuzz mutants clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(STAMP) ## create .venv with botmeter in it, from the hashed locks

demo: $(STAMP) ## the whole system with simulated traffic, on an Apache Kafka of its own
	$(RUN)/botmeter demo

test: $(STAMP) ## all tests, on an Apache Kafka of their own
	$(RUN)/python -m pytest -n 4 --dist loadfile $(ARGS)

check: $(STAMP) ## format, lint, types, import directions
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports

format: $(STAMP) ## format the code and fix what ruff can
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

schemas: $(STAMP) ## generate schemas/, docs/settings.md, docs/metrics.md and the dashboard
	$(RUN)/botmeter schemas export schemas
	$(RUN)/python -m botmeter.settings.page > docs/settings.md
	$(RUN)/python -m botmeter.telemetry.page > docs/metrics.md
	$(RUN)/python -m botmeter.telemetry.dashboard > deploy/grafana-dashboard.json

vendor: ## fetch the page's assets from their npm packages again; needs npm
	$(RUN)/python scripts/vendor_static.py

pictures: $(STAMP) ## regenerate the pictures of docs/ by the tests; needs Chromium
	$(RUN)/python -m pytest -q -m "" tests/web/page/test_states.py
	mkdir -p docs/pictures
	for name in light/near-the-end dark/near-the-end phone/exhausted light/accounts light/settings light/statement \
		light/what-if-too-few; do \
		cp build/pictures/$$name.png docs/pictures/$$(echo $$name | tr / -).png; done
	BOTMETER_TEST_PICTURES=docs/pictures $(RUN)/python -m pytest -q tests/notify/test_pictures.py -k sheet

lock: ## lock the dependencies of pyproject.toml again; needs uv
	$(COMPILE) pyproject.toml --all-extras --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml -o requirements/worker.txt
	$(COMPILE) pyproject.toml --extra web --extra notify --extra traces -c requirements/dev.txt -o requirements/services.txt
	$(COMPILE) --group build -o requirements/build.txt
	$(COMPILE) --group fuzz -o requirements/fuzz.txt
	$(COMPILE) --group mutants -c requirements/dev.txt -o requirements/mutants.txt
	$(COMPILE) tests/bench/peers/quix.in -o tests/bench/peers/quix.txt

bench: $(STAMP) ## benchmark botmeter and other engines; for the options: make bench ARGS=--help
	PYTHONPATH=tests $(RUN)/python -m bench $(ARGS)

chaos: $(STAMP) ## the long tests: three brokers, many kills, many histories, 10,000 alerts through faults
	BOTMETER_TEST_ALERTS=10000 $(RUN)/python -m pytest -n 2 --dist loadfile -m chaos --timeout 1500 $(ARGS)

fuzz: $(STAMP) ## fuzz every decoder, guided by coverage, 20 s each; ARGS="--seconds 300 tape" for one for longer; Linux only
	$(PIP) install --quiet --require-hashes --only-binary :all: -r requirements/fuzz.txt
	PYTHONPATH=tests $(RUN)/python -m fuzz $(ARGS)

mutants: $(STAMP) ## faults planted in the rules and the pure step, one by one; ARGS="botmeter.domain.cycles*" for some
	$(PIP) install --quiet --require-hashes --no-deps -r requirements/mutants.txt
	@# A fault may be an endless loop, or fill the memory: 2 GiB each, and a second of CPU for each example of a test.
	ulimit -v 2097152; export BOTMETER_TEST_EXAMPLES=$${BOTMETER_TEST_EXAMPLES:-20}; \
		PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 BOTMETER_TEST_CPU_S=$$BOTMETER_TEST_EXAMPLES \
		nice -n 15 $(RUN)/mutmut run $(ARGS)
	@$(RUN)/mutmut results | sed '/not checked/d'
	@$(RUN)/mutmut export-cicd-stats && cat mutants/mutmut-cicd-stats.json && echo

clean: ## delete .venv and the tools' caches
	rm -rf $(VENV) .node .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache mutants

# pip is installed last into a new environment, so that an interrupted one is not mistaken for a complete one.
$(RUN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2> /dev/null || { \
		echo "botmeter needs Python 3.11 to 3.13; '$(PYTHON)' is not. Run: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; \
		exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2> /dev/null || { \
		echo "'$(PYTHON)' cannot create environments; on Debian and Ubuntu install the package python3-venv" >&2; \
		exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): requirements/dev.txt pyproject.toml | $(RUN)/pip
	$(PIP) install --quiet --require-hashes -r requirements/dev.txt
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $@
