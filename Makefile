# make demo    see it work          make test    all tests
# make check   lint, types, drift   make bench   speed, as a ratio to a peer
# make install only the virtual environment
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
VENV := .venv
BIN := $(VENV)/bin
# Folders whose time changes when a file comes or goes: the editable install links single files.
FOLDERS := agents agents/commands models models/training models/weights schemas schemas/generated deploy deploy/demo

.PHONY: demo test check bench install lock clean

demo: install
	$(BIN)/wanglou demo

test: install
	$(BIN)/pytest

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/wanglou schema export schemas/generated --check
	$(BIN)/python deploy/demo/generate.py --check

bench: install
	$(BIN)/python tests/bench_model.py

install: $(VENV)/linked

$(VENV)/dependencies: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) --constraint constraints.txt --editable '.[dev]' --config-settings editable_mode=strict
	touch $@

$(VENV)/linked: $(VENV)/dependencies $(FOLDERS)
	$(BIN)/pip install --quiet --no-deps --editable . --config-settings editable_mode=strict
	touch $@

# Resolve anew, in a fresh environment, and write what came of it to constraints.txt.
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) --editable '.[dev]' torch==2.13.0
	$(BIN)/pip freeze --exclude-editable | sed -E 's/\+cpu$$//; s/ @ .*torch.*//' > constraints.txt

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
