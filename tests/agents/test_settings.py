"""Settings: environment over file over defaults; what is wrong is named; a secret stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from wanglou.agents.settings import DEPLOY, WEIGHTS, Settings, SettingsError, load_settings

SECRET = "s3cret-of-the-tests"

YAML = """
broker:
  url: file:1
  session_timeout_seconds: 20
worker:
  port: 7001
"""
TOML = """
[broker]
url = "file:1"
session_timeout_seconds = 20
[worker]
port = 7001
"""


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Write a settings file and name it in WANGLOU_CONFIG."""

    def named(name: str, content: str | bytes) -> Path:
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setenv("WANGLOU_CONFIG", str(file))
        return file

    return named


def problem(**overrides: Any) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(**overrides)
    return str(caught.value)


def test_the_built_in_settings_can_be_used() -> None:
    settings = load_settings()
    assert settings.broker.url == "127.0.0.1:9092"
    assert settings.rules.watchlist == DEPLOY / "watchlist.yaml"
    assert settings.model.path == WEIGHTS
    assert settings.author_key is None
    settings.load_rules()


@pytest.mark.parametrize(("name", "content"), [("a.yaml", YAML), ("a.yml", YAML), ("a.toml", TOML)])
def test_a_file_replaces_defaults_and_leaves_the_others(
    write: Any, name: str, content: str
) -> None:
    write(name, content)
    settings = load_settings()
    assert settings.broker.url == "file:1"
    assert settings.broker.session_timeout_seconds == 20
    assert settings.worker.port == 7001
    assert settings.broker.request_timeout_seconds == Settings().broker.request_timeout_seconds


def test_the_environment_replaces_the_file_setting_by_setting(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.yaml", YAML)
    monkeypatch.setenv("WANGLOU_BROKER__URL", "environment:1")
    settings = load_settings()
    assert settings.broker.url == "environment:1"
    assert settings.broker.session_timeout_seconds == 20
    assert settings.worker.port == 7001


def test_the_command_line_replaces_the_environment_setting_by_setting(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    write("a.yaml", YAML)
    monkeypatch.setenv("WANGLOU_BROKER__URL", "environment:1")
    monkeypatch.setenv("WANGLOU_WORKER__PORT", "7002")
    settings = load_settings(broker={"url": "line:1"})
    assert settings.broker.url == "line:1"
    assert settings.broker.session_timeout_seconds == 20
    assert settings.worker.port == 7002


def test_a_section_may_be_one_json_object(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_WORKER", '{"port": 7003}')
    assert load_settings().worker.port == 7003


@pytest.mark.parametrize(("name", "content"), [("wanglou.yaml", YAML), ("wanglou.toml", TOML)])
def test_a_file_in_the_present_folder_is_found(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)  # the tests' present folder
    assert load_settings().worker.port == 7001


@pytest.mark.parametrize(
    ("name", "content"), [("a.yaml", ""), ("a.yaml", "# none\n"), ("a.toml", "")]
)
def test_an_empty_file_changes_nothing(write: Any, name: str, content: str) -> None:
    write(name, content)
    assert load_settings() == Settings()


def test_several_brokers_may_be_named() -> None:
    broker = {"url": "a:1, b.example.com:9092 ,[::1]:9093"}
    assert load_settings(broker=broker).broker.url == "a:1,b.example.com:9092,[::1]:9093"


@pytest.mark.parametrize(
    ("variable", "value", "setting", "right"),
    [
        ("BROKER__URL", "localhost", "broker.url: 'localhost'", "host:port"),
        ("BROKER__URL", "localhost:", "broker.url: 'localhost:'", "host:port"),
        ("BROKER__URL", "h:0", "broker.url: 'h:0'", "host:port"),
        ("BROKER__URL", "h:65536", "broker.url: 'h:65536'", "host:port"),
        ("BROKER__URL", "h:9092/x", "broker.url: 'h:9092/x'", "host:port"),
        ("BROKER__URL", "a:1,", "broker.url: ''", "host:port"),
        ("BROKER__URL", "kafka://h:1", "broker.url: 'kafka://h:1'", "host:port"),
        ("BROKER__SECURITY", "ssl", "broker.security", "'plaintext' or 'tls'"),
        ("BROKER__SASL_MECHANISM", "PLAIN", "broker.sasl_mechanism", "'SCRAM-SHA-512'"),
        ("BROKER__USERNAME", "", "broker.username", "at least 1 character"),
        ("BROKER__PASSWORD_FILE", "/nowhere/pw", "broker.password_file: /nowhere/pw", "No such"),
        ("BROKER__SESSION_TIMEOUT_SECONDS", "0.5", "broker.session_timeout_seconds", "equal to 1"),
        ("BROKER__REQUEST_TIMEOUT_SECONDS", "301", "broker.request_timeout_seconds", "to 300"),
        ("TOPICS__PARTITIONS", "0", "topics.partitions", "greater than or equal to 1"),
        ("TOPICS__PARTITIONS", "four", "topics.partitions", "integer"),
        ("TOPICS__REPLICATION_FACTOR", "10", "topics.replication_factor", "equal to 9"),
        ("MODEL__ENABLED", "perhaps", "model.enabled", "boolean"),
        ("MODEL__PRECISION", "int8", "model.precision", "'auto', 'float32' or 'bfloat16'"),
        ("MODEL__THREADS", "0", "model.threads", "greater than or equal to 1"),
        ("MODEL__LONG_TEXTS", "tail", "model.long_texts", "'name' or 'head'"),
        ("WORKER__PORT", "65536", "worker.port", "equal to 65535"),
        ("WORKER__PORT", "0", "worker.port", "greater than or equal to 1"),
        ("WORKER__BATCH_MESSAGES", "0", "worker.batch_messages", "greater than or equal to 1"),
        ("WORKER__LINGER_SECONDS", "-1", "worker.linger_seconds", "greater than or equal to 0"),
        ("WORKER__LINGER_SECONDS", "nan", "worker.linger_seconds", "equal to 10"),
        ("WORKER__LOG_LEVEL", "loud", "worker.log_level", "'debug', 'info', 'warning' or 'error'"),
        ("AUTHOR_KEY_FILE", "/nowhere/key", "author_key_file: /nowhere/key", "No such file"),
    ],
)
def test_a_bad_value_is_named_with_its_setting_and_what_is_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, setting: str, right: str
) -> None:
    monkeypatch.setenv(f"WANGLOU_{variable}", value)
    line = problem()
    assert line.startswith(setting)
    assert right in line
    assert value in line or value == "a:1,"  # of several addresses the wrong one is named


def test_all_bad_values_are_named_at_once() -> None:
    line = problem(topics={"partitions": 0}, worker={"port": 0})
    assert "topics.partitions" in line
    assert "worker.port" in line


@pytest.mark.parametrize(
    ("content", "setting"),
    [("brocker: {url: 'h:1'}", "brocker"), ("broker: {uri: 'h:1'}", "broker.uri")],
)
def test_an_unknown_setting_in_a_file_is_refused(write: Any, content: str, setting: str) -> None:
    write("a.yaml", content)
    assert problem().startswith(f"{setting}: ")


@pytest.mark.parametrize(
    "variable",
    [
        "WANGLOU_BROCKER__URL",
        "WANGLOU_URL",
        "WANGLOU_",
        "wanglou_brocker__url",
        "wanglou_config",  # the one that is read in capitals only
        "WANGLOU_AUTHOR_KEY__X",
    ],
)
def test_an_unknown_variable_is_refused(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "h:1")
    line = problem()
    assert line.startswith(f"{variable}: is no setting")
    assert "WANGLOU_BROKER" in line


def test_an_unknown_part_of_a_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_BROKER__URI", "h:1")
    assert problem().startswith("broker.uri: ")


def test_variables_of_others_are_none_of_our_business(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOUX", "1")
    monkeypatch.setenv("MY_WANGLOU_URL", "1")
    load_settings()


@pytest.mark.parametrize("value", ["localhost:9092", "{bad", "[]", ""])
def test_a_section_that_is_no_object_is_refused(
    monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("WANGLOU_BROKER", value)
    assert problem() == (
        "WANGLOU_BROKER: is no JSON object; set its parts, for example WANGLOU_BROKER__URL"
    )


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.yaml", "broker: [", "is not YAML at line 1"),
        ("a.yaml", "- broker", "must hold settings by name, not a list"),
        ("a.yaml", "broker", "must hold settings by name, not a str"),
        ("a.yaml", b"broker: \xff", "is not YAML"),
        ("a.toml", "broker: 1", "is not TOML"),
        ("a.toml", b"a = '\xff'", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(
    write: Any, name: str, content: str | bytes, says: str
) -> None:
    file = write(name, content)
    assert problem().startswith(f"{file}: {says}")


def test_a_file_that_is_not_there_or_of_another_kind_is_named(
    monkeypatch: pytest.MonkeyPatch, write: Any
) -> None:
    write("a.ini", "")
    assert "must end in .toml, .yaml or .yml" in problem()
    monkeypatch.setenv("WANGLOU_CONFIG", "/nowhere/a.toml")
    assert problem() == "WANGLOU_CONFIG: there is no file /nowhere/a.toml"


def test_the_author_key_is_that_of_the_setting_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"  key of the file\n")
    assert load_settings().load_author_key() == b"wanglou"
    assert load_settings(author_key_file=file).load_author_key() == b"key of the file"
    both = load_settings(author_key_file=file, author_key=SECRET)
    assert both.load_author_key() == SECRET.encode()


@pytest.mark.parametrize("key", ["", "   "])
def test_an_empty_author_key_protects_nobody_and_is_refused(
    monkeypatch: pytest.MonkeyPatch, key: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("WANGLOU_AUTHOR_KEY", key)
    assert problem().startswith("author_key: is empty")
    monkeypatch.delenv("WANGLOU_AUTHOR_KEY")
    (tmp_path / "key").write_text(key)
    assert problem(author_key_file=tmp_path / "key").startswith("author_key_file: ")


def test_the_author_key_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_AUTHOR_KEY", SECRET)
    settings = load_settings()
    assert isinstance(settings.author_key, SecretStr)
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yaml", f"author_key: [{SECRET}]"),
        ("a.yaml", f"author_key: {{{SECRET}: {SECRET}}}"),
        ("a.yaml", f"author-key: {SECRET}"),  # mistyped
        ("a.yaml", f"worker: {{author_key: {SECRET}}}"),  # misplaced
        ("a.yaml", f"author_key: '{SECRET}"),  # never closed
        ("a.yaml", f"author_key: *{SECRET}"),  # YAML reads an alias
        ("a.yaml", f"author_key: !{SECRET} x"),  # YAML reads a tag
        ("a.yaml", f"author_key={SECRET}"),
        ("a.toml", f"author_key = {SECRET}"),
        ("a.toml", f"author_key = '{SECRET}"),
    ],
)
def test_the_author_key_is_not_shown_in_an_error(write: Any, name: str, content: str) -> None:
    write(name, content)
    with pytest.raises(SettingsError) as caught:
        load_settings(worker={"port": 0})
    assert SECRET not in str(caught.value)


USER = {"sasl_mechanism": "SCRAM-SHA-512", "username": "wanglou-intake"}


def test_the_password_is_that_of_the_setting_or_the_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(f" {SECRET} \r\n")
    assert load_settings(broker={**USER, "password": SECRET}).broker.load_password() == SECRET
    of_file = load_settings(broker={**USER, "password_file": file}).broker
    assert of_file.load_password() == f" {SECRET} "
    file.write_text("another")
    assert of_file.load_password() == "another"
    file.unlink()
    with pytest.raises(SettingsError, match=r"broker\.password_file: .*: No such file"):
        of_file.load_password()


def test_the_broker_has_no_user_unless_told() -> None:
    broker = load_settings().broker
    assert (broker.security, broker.sasl_mechanism, broker.username) == ("plaintext", "none", None)
    with pytest.raises(SettingsError, match=r"broker\.password: is not set"):
        broker.load_password()


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({**USER}, "sasl_mechanism SCRAM-SHA-512 needs a password: set password_file"),
        (
            {"sasl_mechanism": "SCRAM-SHA-256", "password": SECRET},
            "sasl_mechanism SCRAM-SHA-256 needs a username: set username",
        ),
        ({"username": "u"}, "username or password is set, but sasl_mechanism is none"),
        ({"password": SECRET}, "username or password is set, but sasl_mechanism is none"),
        (
            {**USER, "password": SECRET, "password_file": "password"},
            "password and password_file are both set: leave one out",
        ),
        ({"ca_file": "ca.pem"}, "ca_file: ca.pem: No such file or directory"),
        (
            {"key_file": "key.pem", "security": "tls"},
            "key_file is set without certificate_file: set both, or neither",
        ),
        (
            {"certificate_file": "cert.pem"},
            "certificate_file is set, but security is plaintext: set security to tls",
        ),
        (
            {"certificate_file": "cert.pem", "security": "tls"},
            "cert.pem: No such file or directory",
        ),
        ({"url": f"user:{SECRET}@h:1"}, "must hold no user or password"),
    ],
)
def test_a_user_or_certificate_that_does_not_fit_is_named(
    fields: dict[str, str], says: str, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text(SECRET)
    line = problem(broker=fields)
    assert line.startswith("broker")
    assert says in line
    assert SECRET not in line


@pytest.mark.parametrize("password", ["", "  ", "\n"])
def test_an_empty_password_is_refused(password: str, tmp_path: Path) -> None:
    assert "broker.password: is empty" in problem(broker={**USER, "password": password})
    file = tmp_path / "password"
    file.write_text(password)
    says = problem(broker={**USER, "password_file": file})
    assert says.startswith(f"broker.password_file: {file}: is empty")


def test_a_password_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_bytes(b"\xff\xfe")
    assert problem(broker={**USER, "password_file": file}).endswith(f"{file}: is not UTF-8")


def test_the_password_is_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANGLOU_BROKER__PASSWORD", SECRET)
    settings = load_settings(broker=USER)
    assert settings.broker.load_password() == SECRET
    for shown in (repr(settings), str(settings), settings.model_dump_json()):
        assert SECRET not in shown


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.yaml", f"broker: {{password: [{SECRET}]}}"),
        ("a.yaml", f"broker: {{password: {{{SECRET}: 1}}}}"),
        ("a.yaml", f"broker: {{passwort: {SECRET}}}"),  # mistyped
        ("a.yaml", f"broker: {{password: {SECRET}}}"),  # without a user
        ("a.yaml", f"broker: [{SECRET}]"),
        ("a.yaml", f"worker: {{password: {SECRET}}}"),  # misplaced
        ("a.yaml", f"broker: {{password: '{SECRET}"),  # never closed
        ("a.toml", f"[broker]\npassword = {SECRET}"),
    ],
)
def test_the_password_is_not_shown_in_an_error(write: Any, name: str, content: str) -> None:
    write(name, content)
    assert SECRET not in problem()


def test_a_password_that_yaml_reads_as_a_number_is_named(write: Any) -> None:
    write("a.yaml", "broker: {password: 123456}")
    line = problem()
    assert line == "broker.password: must be text: write it in quotes"


def test_the_password_is_not_shown_with_a_section_that_is_no_json(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WANGLOU_BROKER", f'{{"password": "{SECRET}"')
    assert SECRET not in problem()


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load_settings().worker = None  # type: ignore[assignment]
