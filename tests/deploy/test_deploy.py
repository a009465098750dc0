"""What is deployed fits the code: settings load, commands parse, ports, paths and names are ours.

Compose's own program reads the compose file, kubectl builds the kustomizations and systemd checks
its unit; the schemas of Kubernetes come with a package. Not covered: what Strimzi and KEDA say of
their resources, and that anything of it starts (deploy/README.md says what was run by hand).
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import click
import kubernetes_validate
import pytest
import trustme
import yaml

from wanglou.agents.app import APP_ID, STAGES
from wanglou.agents.commands import main
from wanglou.agents.commands.shared import ExitCode
from wanglou.agents.pager_rules import load_pager_rules
from wanglou.agents.settings import Settings, WorkerSettings, load_settings
from wanglou.agents.stuck import StuckSettings
from wanglou.schemas.topics import TOPICS

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "wanglou@.service"
DROP_IN = Path("wanglou@archive.service.d/archive.conf")
KUBERNETES_VERSION = "1.33"
SECRETS = ("/run/secrets/", "/etc/wanglou/")
OTHERS = {"pager": ["pager"], "archive": ["archive", "run"]}
"""The commands of processes that run no agent."""

Resource = dict[str, Any]


def run(*command: str | Path) -> str:
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="session")
def services() -> dict[str, Resource]:
    program = Path(sys.executable).with_name("docker-compose")
    file = DEPLOY / "compose.yaml"
    services = json.loads(run(program, "--file", file, "config", "--format", "json"))["services"]
    return dict(services)


@pytest.fixture(scope="session")
def resources() -> list[Resource]:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl, which builds the kustomizations, is not installed")
    return list(yaml.safe_load_all(run(kubectl, "kustomize", DEPLOY / "kubernetes/production")))


def of_kind(resources: list[Resource], kind: str) -> dict[str, Resource]:
    return {one["metadata"]["name"]: one for one in resources if one["kind"] == kind}


def parse(command: list[str]) -> click.Context:
    """A command line as click understands it; raises what click would say."""
    words = list(command)
    part: click.Command = main
    while isinstance(part, click.Group):
        part = part.commands[words.pop(0)]
    return part.make_context(part.name, words)


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Settings of variables as they will be, but for secrets: their files are made here."""

    def settings(variables: Mapping[str, object]) -> Settings:
        for name in [one for one in os.environ if one.startswith("WANGLOU_")]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            text = str(value)
            if name == "WANGLOU_BROKER__CA_FILE":
                text = certificate(tmp_path)
            elif text.startswith(SECRETS):
                text = str(tmp_path / Path(text).name)
                Path(text).write_text(secrets.token_hex(32))
            monkeypatch.setenv(name, text)
        return load_settings()

    return settings


def certificate(folder: Path) -> str:
    file = folder / "ca.crt"
    trustme.CA().cert_pem.write_to_path(file)
    return str(file)


def ours(services: dict[str, Resource]) -> dict[str, Resource]:
    return {name: one for name, one in services.items() if one["image"].startswith("wanglou:")}


def test_compose_runs_every_agent_once_with_settings_that_load(
    services: dict[str, Resource], load: Any
) -> None:
    agents: list[str] = []
    others: list[list[str]] = []
    for one in ours(services).values():
        agents += parse(one["command"]).params.get("agents", ())
        others += [one["command"]] if one["command"][0] != "worker" else []
        assert load(one["environment"]).broker.url == "kafka:9092"
    assert sorted(agents) == sorted(STAGES)
    tasks = [["topics", "create"], ["archive", "upgrade"]]
    assert sorted(others) == sorted([*tasks, *OTHERS.values()])


def test_compose_and_kubernetes_bring_the_tables_up_before_the_archive_runs(
    services: dict[str, Resource], resources: list[Resource], load: Any
) -> None:
    tables = services["archive-tables"]
    assert tables["command"] == ["archive", "upgrade"]
    assert tables["environment"] == services["archive"]["environment"]
    needed = services["archive"]["depends_on"]["archive-tables"]
    assert needed["condition"] == "service_completed_successfully"
    assert load(tables["environment"]).archive.url.split("@")[1].split("/")[0] in services
    pod = of_kind(resources, "Deployment")["wanglou-archive"]["spec"]["template"]["spec"]
    (first,), (archive,) = pod["initContainers"], pod["containers"]
    assert first["args"] == ["archive", "upgrade"]
    assert first["image"] == archive["image"]
    assert first["securityContext"] == archive["securityContext"]
    assert [one for one in archive["env"] if one in first["env"]] == first["env"]


@pytest.mark.parametrize(
    ("rules", "address"),
    [
        ("compose-pager.yaml", "http://alertmanager:9093"),
        ("kubernetes/pager/pager.yaml", "http://alertmanager.monitoring:9093"),
    ],
)
def test_the_pagers_rules_load_and_name_the_alertmanager_beside_it(
    rules: str, address: str
) -> None:
    receivers = load_pager_rules(DEPLOY / rules).receivers.values()
    assert [one.load_url().get_secret_value() for one in receivers] == [address]


def test_compose_gives_workers_time_to_end_their_batches(services: dict[str, Resource]) -> None:
    for name in ("worker", "sentiment"):
        assert seconds(services[name]["stop_grace_period"]) > WorkerSettings().drain_seconds


def seconds(duration: str) -> int:
    minutes, _, rest = duration.rpartition("m")
    return 60 * int(minutes or 0) + int(rest.removesuffix("s"))


def test_compose_gives_every_container_files_that_are_there(services: dict[str, Resource]) -> None:
    for name, one in services.items():
        for volume in one.get("volumes", ()):
            if volume["type"] == "bind":
                assert volume["read_only"], name
                assert Path(volume["source"]).exists(), f"{name}: {volume['source']}"


def test_compose_is_closed_pinned_and_bounded(services: dict[str, Resource]) -> None:
    for name, one in services.items():
        assert one["cap_drop"] == ["ALL"], name
        assert one.get("read_only") or name == "kafka", name
        assert int(one["mem_limit"]) > 0, name
        assert one["image"].rpartition(":")[2][0] in "v0123456789", name
        for port in one.get("ports", ()):
            assert port["host_ip"] == "127.0.0.1", "nothing is open to the network"


def test_the_image_runs_as_nobody_and_its_health_check_asks_our_page() -> None:
    lines = (DEPLOY / "Dockerfile").read_text()
    assert "\nUSER 10001:10001\n" in lines
    assert f"EXPOSE {WorkerSettings().port}" in lines
    assert "/healthz" in lines


def test_the_build_is_given_every_package() -> None:
    top = DEPLOY.parent
    project = tomllib.loads((top / "pyproject.toml").read_text(encoding="utf-8"))
    folders = project["tool"]["setuptools"]["package-dir"].values()
    lines = (top / ".dockerignore").read_text(encoding="utf-8").splitlines()
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}
    kept_out = {line for line in lines if line and not line.startswith(("!", "#", "*"))}
    for folder in map(PurePosixPath, folders):
        assert folder.parts[0] in let_in
        assert kept_out.isdisjoint(str(one) for one in (folder, *folder.parents))


def test_the_dockerfile_has_nothing_that_hadolint_warns_of() -> None:
    run(Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile")


def test_kubernetes_own_resources_fit_their_schemas(resources: list[Resource]) -> None:
    checked = [one for one in resources if not one["apiVersion"].startswith(("kafka.", "keda."))]
    for one in checked:
        kubernetes_validate.validate(one, KUBERNETES_VERSION, strict=True)
    assert {one["kind"] for one in checked} >= {"Deployment", "NetworkPolicy"}


def test_every_agent_is_deployed_with_settings_that_load(
    resources: list[Resource], load: Any
) -> None:
    deployments = of_kind(resources, "Deployment")
    configs = of_kind(resources, "ConfigMap")
    assert set(deployments) == {f"wanglou-{name}" for name in (*STAGES, *OTHERS)}
    for agent in (*STAGES, *OTHERS):
        pod = deployments[f"wanglou-{agent}"]["spec"]["template"]["spec"]
        (worker,) = pod["containers"]
        command = parse(worker["args"])
        assert worker["args"] == OTHERS.get(agent, worker["args"])
        assert command.params.get("agents", (agent,)) == (agent,)
        (source,) = worker["envFrom"]
        config = configs[source["configMapRef"]["name"]]["data"]
        variables = {one["name"]: one.get("value", 2) for one in worker["env"]}
        settings = load({**config, **variables})
        assert settings.broker.username == f"wanglou-{agent}"
        ours = {"pager": settings.pager, "archive": settings.archive}
        assert ours.get(agent, settings.worker).port == worker["ports"][0]["containerPort"]
        mounts = {one["mountPath"] for one in worker["volumeMounts"]}
        for value in map(str, (*config.values(), *variables.values())):
            if value.startswith("/"):
                assert str(Path(value).parent) in mounts


def test_the_secrets_of_users_are_those_that_strimzi_makes(resources: list[Resource]) -> None:
    users = of_kind(resources, "KafkaUser")
    for name, deployment in of_kind(resources, "Deployment").items():
        volumes = {one["name"]: one for one in deployment["spec"]["template"]["spec"]["volumes"]}
        assert volumes["kafka-user"]["secret"]["secretName"] == name
        assert name in users
    assert of_kind(resources, "KafkaTopic").keys() == {topic.name for topic in TOPICS}


def test_probes_ask_our_pages_and_leave_a_stuck_worker_time_to_say_why(
    resources: list[Resource],
) -> None:
    for deployment in of_kind(resources, "Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        (worker,) = pod["containers"]
        assert worker["readinessProbe"]["httpGet"]["path"] == "/readyz"
        live = worker["livenessProbe"]
        assert live["httpGet"]["path"] == worker["startupProbe"]["httpGet"]["path"] == "/healthz"
        assert live["periodSeconds"] * live["failureThreshold"] > StuckSettings().exit_seconds
        assert pod["terminationGracePeriodSeconds"] > WorkerSettings().drain_seconds


def test_workers_scale_by_the_lag_of_what_they_read(resources: list[Resource]) -> None:
    topics = of_kind(resources, "KafkaTopic")
    scaled = of_kind(resources, "ScaledObject")
    for agent, stage in STAGES.items():
        spec = scaled[f"wanglou-{agent}"]["spec"]
        assert spec["scaleTargetRef"]["name"] == f"wanglou-{agent}"
        (trigger,) = spec["triggers"]
        assert trigger["metadata"]["consumerGroup"] == APP_ID
        assert trigger["metadata"]["topic"] == stage.source.name
        assert spec["maxReplicaCount"] <= topics[stage.source.name]["spec"]["partitions"]


def test_no_secret_is_in_the_tree(resources: list[Resource]) -> None:
    assert of_kind(resources, "Secret") == {}
    for file in DEPLOY.rglob("*.y*ml"):
        assert "stringData" not in file.read_text(encoding="utf-8")


def lines_of(unit: str, name: str) -> Iterator[str]:
    for line in unit.splitlines():
        key, _, value = line.partition("=")
        if key == name:
            yield value


def test_systemd_does_not_restart_what_people_must_repair(load: Any) -> None:
    unit = UNIT.read_text()
    (prevented,) = lines_of(unit, "RestartPreventExitStatus")
    others = (ExitCode.DONE, ExitCode.FAILED, ExitCode.BROKER, ExitCode.ARCHIVE)
    assert prevented.split() == [str(int(one)) for one in ExitCode if one not in others]
    (start,) = lines_of(unit, "ExecStart")
    assert start.endswith("/bin/wanglou $COMMAND"), "without braces, so that systemd splits it"
    assert float(next(lines_of(unit, "TimeoutStopSec"))) > WorkerSettings().drain_seconds
    (variable,) = [one for one in lines_of(unit, "Environment") if one.startswith("WANGLOU_")]
    load({variable.partition("=")[0]: "/run/secrets/author_key"})


def test_systemd_runs_every_agent_once_each_process_on_a_port_of_its_own(load: Any) -> None:
    common = variables_of(UNIT.with_name("wanglou.env"))
    agents: list[str] = []
    ports: set[int] = set()
    for name in ("counting", "sentiment"):
        variables = common | variables_of(UNIT.with_name(f"{name}.env"))
        agents += parse(variables.pop("COMMAND").split()).params["agents"]
        ports.add(load(variables).worker.port)
    for name, command in OTHERS.items():
        variables = variables_of(UNIT.with_name(f"{name}.env"))
        assert variables.pop("COMMAND").split() == command
        parse(command)
        ports.add(getattr(load(common | variables), name).port)
    assert sorted(agents) == sorted(STAGES)
    assert len(ports) == 4


def test_systemd_gives_the_archive_its_secrets_and_tables(load: Any) -> None:
    drop_in = (UNIT.parent / DROP_IN).read_text()
    variables = dict(one.split("=", 1) for one in lines_of(drop_in, "Environment"))
    given = {one.partition(":")[0] for one in lines_of(drop_in, "LoadCredential")}
    assert {one.removeprefix("%d/") for one in variables.values()} == given
    load({name: f"/run/secrets/{Path(value).name}" for name, value in variables.items()})
    (before,) = lines_of(drop_in, "ExecStartPre")
    assert before.endswith("/bin/wanglou archive upgrade")


def variables_of(file: Path) -> dict[str, str]:
    lines = file.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


@pytest.mark.parametrize("instance", ["sentiment", "archive"])
def test_systemd_takes_the_unit(instance: str, tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    file = tmp_path / UNIT.name.replace("@", f"@{instance}")
    (tmp_path / DROP_IN).parent.mkdir()
    for source, copy in ((UNIT, file), (UNIT.parent / DROP_IN, tmp_path / DROP_IN)):
        copy.write_text(source.read_text().replace("/opt/wanglou/bin/wanglou", "/bin/true"))
    command = [program, "verify", "--man=no", file]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout + found.stderr) == (0, ""), "warnings come with 0"
