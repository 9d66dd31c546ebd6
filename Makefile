PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
INSTALLED = $(VENV)/.installed
BENCH_INSTALLED = $(VENV)/.installed-bench

.PHONY: demo test check lint types audit chaos soak bench pictures format clean

demo: $(INSTALLED)  ## import sample_data into a simulator on this machine
	$(BIN)/certstate demo

test: $(INSTALLED)  ## all tests, on all processors
	$(BIN)/python -m pytest --numprocesses auto

check: lint types audit test  ## all that must be green before a commit

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy

audit: $(INSTALLED)  ## known vulnerabilities of the pinned packages; skipped where nobody can be asked
	$(BIN)/python .ci/audit.py

chaos: $(INSTALLED)  ## kill imports at random moments under all kinds of faults, and count what is left
	$(BIN)/python benchmarks/chaos.py --kills 200

soak: $(INSTALLED)  ## a long import under faults: memory and open files
	$(BIN)/python benchmarks/soak.py

bench: $(BENCH_INSTALLED)  ## all benchmarks, and the figures of docs/performance.md; QUICK=1 tries them, ONLY=quota runs one
	$(BIN)/python benchmarks/run_all.py $(if $(QUICK),--quick) $(if $(ONLY),--only $(ONLY))

pictures: $(INSTALLED)  ## the pictures of the documents, from real runs; needs Chromium
	$(BIN)/python docs/pictures.py

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# The pinned versions are those that the tests passed with.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "certstate needs Python 3.11 or newer; call make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $(INSTALLED)

$(BENCH_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev,bench]' \
	  && touch $(BENCH_INSTALLED) || echo "not all peers could be installed; the benchmarks say which they miss"
