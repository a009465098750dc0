# make demo    see it work          make test    all tests
# make check   lint, types, drift   make bench   speed, as a ratio to a peer
# make ops     a night on call, with Prometheus and Alertmanager
# make install only the virtual environment
# On a real Apache Kafka (WANGLOU_KAFKA_HOME, WANGLOU_KAFKA_BOOTSTRAP or ../shared/kafka):
# make test-kafka  one run of each fault    make recovery  seconds after SIGKILL, with much state
# make backlog     memory before a million waiting mentions
# make chaos [FAULTS=100] [SEED=1]  the same faults at random; goes on where it was interrupted
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
FAULTS ?= 100
SEED ?= 1
VENV := .venv
BIN := $(VENV)/bin
# Folders whose time changes when a file comes or goes: the editable install links single files.
FOLDERS := agents agents/commands models models/scenario models/training models/weights schemas schemas/generated deploy deploy/demo deploy/alertmanager

.PHONY: demo ops test test-kafka chaos recovery backlog check bench install lock clean

demo: install
	$(BIN)/wanglou demo

ops: install
	$(BIN)/wanglou ops

test: install
	$(BIN)/pytest

test-kafka: install
	$(BIN)/pytest -m kafka -rs --durations=0 tests/kafka

chaos: install
	$(BIN)/python tests/kafka/chaos.py --faults $(FAULTS) --seed $(SEED)

recovery: install
	$(BIN)/python tests/kafka/recovery.py

backlog: install
	$(BIN)/python tests/kafka/backlog.py

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/wanglou schema export schemas/generated --check
	$(BIN)/python deploy/demo/generate.py --check

bench: install
	$(BIN)/python tests/bench_model.py
	$(BIN)/python tests/kafka/bench_state.py

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
