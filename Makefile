# make demo    see it work          make test    all tests
# make check   lint, types, drift   make bench   speed, as a ratio to a peer
# make dashboards  draws deploy/grafana/*.png from a real Prometheus over a replay of the demo
# make ops     a night on call, with Prometheus and Alertmanager
# make strimzi writes deploy/kubernetes/strimzi from topics and access
# make install only the virtual environment
# make report  the goals on a held-out scenario (ten minutes)    make tune    thresholds from others
# make learn    what tuning from reviewed cases makes of rules that are wrong (half an hour)
# make effects  how right the evaluation of measures is (some minutes)
# On a real Apache Kafka (WANGLOU_KAFKA_HOME, WANGLOU_KAFKA_BOOTSTRAP or ../shared/kafka):
# make test-kafka  one run of each fault    make recovery  seconds after SIGKILL, with much state
# make backlog     memory before a million waiting mentions
# make upgrade [OLD=REVISION]  two releases side by side, and back (deploy/upgrade.md)
# make chaos [FAULTS=100] [SEED=1]  the same faults at random; goes on where it was interrupted
CASCADES ?= ../shared/data/stream/weibo_cascades.jsonl
PYTHON ?= $(shell command -v python3.11 || command -v python3)
PIP_FLAGS ?=
FAULTS ?= 100
SEED ?= 1
OLD ?= HEAD
STRIMZI := deploy/kubernetes/strimzi
PRODUCTION := WANGLOU_TOPICS__PARTITIONS=12 WANGLOU_TOPICS__REPLICATION_FACTOR=3
VENV := .venv
BIN := $(VENV)/bin
# Folders whose time changes when a file comes or goes: the editable install links single files.
FOLDERS := agents agents/archive agents/archive/folder agents/archive/migrations/versions agents/commands models models/response models/response/report models/response/report/templates models/scenario models/training models/tuning models/weights schemas schemas/generated deploy deploy/demo deploy/alertmanager deploy/prometheus/rules deploy/grafana

.PHONY: demo ops test test-kafka chaos recovery backlog upgrade check strimzi dashboards bench report tune learn effects install tools lock clean

demo: install
	$(BIN)/wanglou demo

ops: install
	$(BIN)/wanglou ops

test: install
	$(BIN)/pytest

test-kafka: install
	$(BIN)/pytest -n 0 -m kafka -rs --durations=0 tests/kafka

chaos: install
	$(BIN)/python tests/kafka/chaos.py --faults $(FAULTS) --seed $(SEED)

recovery: install
	$(BIN)/python tests/kafka/recovery.py

backlog: install
	$(BIN)/python tests/kafka/backlog.py

upgrade: install
	$(BIN)/python tests/kafka/upgrade.py --old $(OLD)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/wanglou schema export schemas/generated --check
	$(BIN)/python deploy/demo/generate.py --check
	$(BIN)/python deploy/grafana/generate.py --check
	$(PRODUCTION) $(BIN)/wanglou topics list --format strimzi | diff $(STRIMZI)/topics.yaml -
	$(BIN)/wanglou topics acls --format strimzi | diff $(STRIMZI)/users.yaml -

strimzi: install
	$(PRODUCTION) $(BIN)/wanglou topics list --format strimzi > $(STRIMZI)/topics.yaml
	$(BIN)/wanglou topics acls --format strimzi > $(STRIMZI)/users.yaml

dashboards: install
	$(BIN)/python tests/pipeline/draw_dashboards.py deploy/grafana

bench: install
	$(BIN)/python tests/bench_model.py
	$(BIN)/python tests/kafka/bench_state.py
	PYTHONPATH=. $(BIN)/python tests/archive/bench_archive.py
	PYTHONPATH=.:tests/archive $(BIN)/python tests/archive/bench_report.py

# Prometheus, Alertmanager and PostgreSQL, which tests run; without them those tests skip. Never starts a service.
tools:
	@if command -v promtool >/dev/null && command -v prometheus-alertmanager >/dev/null && ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then echo "tools: all there"; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		printf '#!/bin/sh\nexit 101\n' > /tmp/wanglou-policy-rc.d; chmod +x /tmp/wanglou-policy-rc.d; \
		[ -e /usr/sbin/policy-rc.d ] || { cp /tmp/wanglou-policy-rc.d /usr/sbin/policy-rc.d; made=1; }; \
		apt-get update -qq; apt-get install -qq --no-install-recommends prometheus prometheus-alertmanager postgresql; \
		[ -z "$$made" ] || rm /usr/sbin/policy-rc.d; \
	else echo "tools: put prometheus, promtool and alertmanager of prometheus.io/download, and PostgreSQL's initdb, into PATH"; fi

tune: install
	$(BIN)/python tests/tune.py

report: install
	$(BIN)/python tests/report.py

learn: install
	PYTHONPATH=.:tests/tuning $(BIN)/python tests/tuning/learn.py

effects: install
	$(BIN)/python tests/effects/report_effects.py $(addprefix --cascades ,$(wildcard $(CASCADES)))

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
