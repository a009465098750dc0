"""Settings: environment over one file over defaults, checked when loaded."""

from __future__ import annotations

import json
import os
import re
import ssl
import tomllib
from dataclasses import fields
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from wanglou.agents.archive.entries import KEPT, Kind
from wanglou.agents.archive.sealing import Keys, MalformedKey, MasterKey, read_master_key
from wanglou.agents.archive.signing import read_signing_key
from wanglou.agents.certificates import show_own, trust_authorities
from wanglou.agents.dead_letter_limit import DeadLetterLimits
from wanglou.agents.stuck import StuckSettings
from wanglou.models.response.draft import Wording, load_wording
from wanglou.models.response.responsibilities import Responsibilities, load_responsibilities
from wanglou.models.response.statements import Statements, load_statements
from wanglou.models.rules import Rules
from wanglou.schemas.problems import describe

PREFIX = "WANGLOU_"
NESTED = "__"
FILE_VARIABLE = "WANGLOU_CONFIG"
DEFAULT_FILES = ("wanglou.toml", "wanglou.yaml")
DEPLOY = Path(str(files("wanglou.deploy")))
WEIGHTS = Path(str(files("wanglou.models"))) / "weights"
MAX_PORT = 65535
LogFormat = Literal["auto", "json", "console"]
"""How log lines are written."""

_ADDRESS = re.compile(r"[A-Za-z0-9.\-\[\]:]+:([0-9]{1,5})")

EMPTY_KEY = "is empty: give a long random key, or leave the setting out"
EMPTY_PASSWORD = "is empty: give the password of username, or leave the setting out"


class SettingsError(ValueError):
    """Settings that cannot be used; the message names setting, value, and what would be right."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class BrokerSettings(_Section):
    """Where Kafka is, and how to be a member of its groups."""

    url: str = Field("127.0.0.1:9092", description="host:port of one or more brokers, by comma.")
    session_timeout_seconds: Annotated[float, Field(ge=1, le=300)] = Field(
        10.0, description="After this without a heartbeat a worker counts as dead."
    )
    request_timeout_seconds: Annotated[float, Field(ge=1, le=300)] = Field(
        30.0, description="After this a request is tried again."
    )
    security: Literal["plaintext", "tls"] = Field(
        "plaintext", description="tls encrypts, and the broker must prove its host name."
    )
    ca_file: Path | None = Field(
        None, description="PEM file of the authorities to trust; without one the system's."
    )
    certificate_file: Path | None = Field(
        None, description="PEM file of the certificate to show, where the broker asks for one."
    )
    key_file: Path | None = Field(
        None, description="PEM file of its key; without one certificate_file has the key too."
    )
    sasl_mechanism: Literal["none", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "none", description="How username and password are proved; none sends neither."
    )
    username: Annotated[str, Field(min_length=1)] | None = None
    password: SecretStr | None = Field(None, description="Or better password_file.")
    password_file: Path | None = Field(None, description="File that holds password.")

    @field_validator("url")
    @classmethod
    def _addresses(cls, url: str) -> str:
        addresses = [address.strip() for address in url.split(",")]
        for address in addresses:
            if "@" in address:
                raise ValueError("must hold no user or password: they are username and password")
            match = _ADDRESS.fullmatch(address)
            if match is None or not 1 <= int(match[1]) <= MAX_PORT:
                raise ValueError(f"{address!r} is not host:port, for example 127.0.0.1:9092")
        return ",".join(addresses)

    @field_validator("ca_file")
    @classmethod
    def _authorities(cls, file: Path | None) -> Path | None:
        if file is not None:
            trust_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), file)
        return file

    @field_validator("password", mode="before")
    @classmethod
    def _text(cls, password: object) -> object:
        """Before pydantic's own check, whose error would show the value."""
        text = password.get_secret_value() if isinstance(password, SecretStr) else password
        if not isinstance(text, str | None):
            raise ValueError("must be text: write it in quotes")
        if text is not None and not text.strip():
            raise ValueError(EMPTY_PASSWORD)
        return password

    @field_validator("password_file")
    @classmethod
    def _password_in(cls, file: Path | None) -> Path | None:
        if file is not None:
            _read_secret(file, EMPTY_PASSWORD)
        return file

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        self._check_certificates()
        self._check_user()
        return self

    def _check_certificates(self) -> None:
        for name in ("ca_file", "certificate_file", "key_file"):
            if getattr(self, name) is not None and self.security == "plaintext":
                raise ValueError(f"{name} is set, but security is plaintext: set security to tls")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file is set without certificate_file: set both, or neither")
        if self.certificate_file is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            show_own(context, self.certificate_file, self.key_file)

    def _check_user(self) -> None:
        if self.password is not None and self.password_file is not None:
            raise ValueError("password and password_file are both set: leave one out")
        has_password = self.password is not None or self.password_file is not None
        if self.sasl_mechanism == "none":
            if self.username is not None or has_password:
                raise ValueError(
                    "username or password is set, but sasl_mechanism is none: set it to "
                    "SCRAM-SHA-512 or SCRAM-SHA-256, as the broker has it"
                )
        elif self.username is None:
            raise ValueError(f"sasl_mechanism {self.sasl_mechanism} needs a username: set username")
        elif not has_password:
            raise ValueError(
                f"sasl_mechanism {self.sasl_mechanism} needs a password: set password_file, or "
                f"password (in the environment {PREFIX}BROKER{NESTED}PASSWORD)"
            )

    def load_password(self) -> str:
        """The password: setting or file. Raises ``SettingsError`` if the file has none any more."""
        if self.password is not None:
            return self.password.get_secret_value()
        if self.password_file is None:
            raise SettingsError("broker.password: is not set")
        try:
            return _read_secret(self.password_file, EMPTY_PASSWORD)
        except ValueError as error:
            raise SettingsError(f"broker.password_file: {error}") from None


def _read_secret(file: Path, empty: str) -> str:
    """The text of a file without the end of its line. Raises ``ValueError`` that shows none."""
    try:
        password = file.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError:
        raise ValueError(f"{file}: is not UTF-8") from None
    if not password.strip():
        raise ValueError(f"{file}: {empty}")
    return password


class TopicSettings(_Section):
    """How topics are created."""

    partitions: Annotated[int, Field(ge=1, le=1024)] = Field(
        4, description="Partitions of each topic; more of them let more workers share the load."
    )
    replication_factor: Annotated[int, Field(ge=1, le=9)] = Field(
        1, description="Copies of each partition; 3 in production."
    )


class RulesSettings(_Section):
    """The files that an analyst edits."""

    watchlist: Path = DEPLOY / "watchlist.yaml"
    taxonomy: Path = DEPLOY / "taxonomy.yaml"
    risk: Path = DEPLOY / "risk.yaml"
    playbooks: Path = DEPLOY / "playbooks.yaml"
    regulator: Path = DEPLOY / "regulator.yaml"
    responsibilities: Path = DEPLOY / "responsibilities.yaml"
    statements: Path = DEPLOY / "statements.yaml"
    wording: Path = DEPLOY / "wording.yaml"


class ModelSettings(_Section):
    """The sentiment model."""

    enabled: bool = Field(True, description="False calls every text neutral: to measure the rest.")
    path: Path = Field(WEIGHTS, description="Folder with a transformers configuration and weights.")
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="auto is bfloat16 on a CPU with AMX (or Arm's BF16), else float32; "
        "probabilities differ by up to .01, so name one where the workers' CPUs differ.",
    )
    threads: Annotated[int, Field(ge=1, le=256)] = Field(
        os.cpu_count() or 1, description="Forwards at a time, each on one core."
    )
    batch_messages: Annotated[int, Field(ge=1, le=10_000)] = Field(
        192, description="As worker.batch_messages, of sentiment: with less, forwards are not full."
    )
    long_texts: Literal["name", "head"] = Field(
        "name",
        description="Read a text over 128 pieces around the institution's name, or its head.",
    )


class WorkerSettings(_Section):
    """One worker process."""

    host: str = Field("127.0.0.1", description="Address of /metrics, /healthz and /readyz.")
    port: Annotated[int, Field(ge=1, le=MAX_PORT)] = 6066
    batch_messages: Annotated[int, Field(ge=1, le=10_000)] = Field(
        64, description="Most messages of a micro-batch: what an agent may repeat after a crash."
    )
    window_messages: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10_000, description="Most messages of a raw partition on their way; others wait in Kafka."
    )
    linger_seconds: Annotated[float, Field(ge=0, le=10)] = Field(
        0.02, description="How long a micro-batch waits for more messages."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        20.0, description="How long batches in work may take to end after SIGTERM."
    )
    state_entries: Annotated[int, Field(ge=1_000, le=1_000_000_000)] = Field(
        250_000,
        description="Entries of a partition's state that the memory is planned for; near it an "
        "alert comes, nothing is dropped.",
    )
    idle_seconds: Annotated[float, Field(ge=0.1, le=60)] = Field(
        1.0, description="A raw partition silent for this long no longer holds up the others."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="SIGUSR2 switches a running worker to debug, and back."
    )
    log_format: LogFormat = Field(
        "auto", description="auto is console where stderr is a terminal, else json."
    )


class PagerSettings(_Section):
    """The pager process."""

    rules: Path = Field(DEPLOY / "pager.yaml", description="Receivers, rota, quiet hours.")
    host: str = Field("127.0.0.1", description="Address of its pages.")
    port: Annotated[int, Field(ge=1, le=MAX_PORT)] = 6067
    url: str | None = Field(
        None, description="Where people reach its pages; without it no page has a link to confirm."
    )
    link_key: SecretStr | None = Field(
        None, description="Key that signs these links; better link_key_file."
    )
    link_key_file: Path | None = Field(None, description="File that holds link_key.")
    link_hours: Annotated[float, Field(gt=0, le=720)] = Field(
        24.0, description="How long a link to confirm is good."
    )
    drain_seconds: Annotated[float, Field(ge=0, le=300)] = Field(
        15.0, description="How long messages being sent may take to end after SIGTERM."
    )

    @model_validator(mode="after")
    def _links_are_signed(self) -> Self:
        if self.url is not None and not self.load_link_key():
            raise ValueError("url is set, but no link_key: set link_key_file to a file with one")
        return self

    def load_link_key(self) -> str:
        """The key of the links, empty if there is none. Raises ``ValueError`` that shows none."""
        if self.link_key_file is not None:
            return _read_secret(self.link_key_file, EMPTY_KEY)
        return "" if self.link_key is None else self.link_key.get_secret_value().strip()


class ArchiveSettings(_Section):
    """The database of cases, and its keys."""

    url: str = Field(
        "sqlite:///wanglou-archive.db",
        description="sqlite:///FILE, or postgresql://USER@HOST/DATABASE without a password.",
    )
    password_file: Path | None = Field(None, description="File that holds USER's password.")
    host: str = Field("127.0.0.1", description="Address of /metrics, /healthz and /readyz.")
    port: Annotated[int, Field(ge=1, le=MAX_PORT)] = 6068
    key: SecretStr | None = Field(
        None, description="Master key, 64 hexadecimal digits; better key_file."
    )
    key_file: Path | None = Field(
        None, description="File that holds key; without one nothing sensitive can be archived."
    )
    previous_key_file: Path | None = Field(
        None, description="File of the key before, until `wanglou archive rotate-key` has run."
    )
    signing_key_file: Path | None = Field(
        None, description="PEM file of the Ed25519 key that signs heads and exports."
    )
    retention_days: dict[Kind, Annotated[int, Field(ge=1, le=36_500)]] = Field(
        {Kind.MENTION: 1095},
        description="Days after a case was closed until the bodies of a kind are purged; kinds "
        "that are not named are kept for good.",
    )

    @field_validator("url")
    @classmethod
    def _database(cls, text: str) -> str:
        try:
            url = make_url(text)
            backend = url.get_backend_name()
        except (ArgumentError, ValueError):
            backend = ""
        if backend not in ("sqlite", "postgresql"):
            raise ValueError("must be sqlite:///FILE or postgresql://USER@HOST/DATABASE")
        if url.password is not None:
            raise ValueError("must hold no password: put it into a file, and set password_file")
        if not url.database:
            raise ValueError("names no file or database after the last /")
        return text

    @field_validator("key", mode="before")
    @classmethod
    def _well_formed(cls, key: object) -> object:
        """Before pydantic's own check, whose error would show the value."""
        text = key.get_secret_value() if isinstance(key, SecretStr) else key
        if not isinstance(text, str | None):
            raise ValueError("must be text: write it in quotes")
        if text is not None:
            read_master_key(text)
        return key

    @field_validator("key_file", "previous_key_file")
    @classmethod
    def _key_in(cls, file: Path | None) -> Path | None:
        if file is not None:
            _read_master_key(file)
        return file

    @field_validator("password_file")
    @classmethod
    def _password_in(cls, file: Path | None) -> Path | None:
        if file is not None:
            _read_secret(file, EMPTY_PASSWORD)
        return file

    @field_validator("signing_key_file")
    @classmethod
    def _signs(cls, file: Path | None) -> Path | None:
        if file is not None:
            read_signing_key(file)
        return file

    @field_validator("retention_days")
    @classmethod
    def _can_be_purged(cls, days: dict[Kind, int]) -> dict[Kind, int]:
        for kind in KEPT & days.keys():
            raise ValueError(f"{kind} cannot be purged: without it the chain cannot be verified")
        return days

    @model_validator(mode="after")
    def _one_key(self) -> Self:
        if self.key is not None and self.key_file is not None:
            raise ValueError("key and key_file are both set: leave one out")
        return self

    def load_url(self) -> URL:
        """The database's address, with its password. Raises ``ValueError`` that shows none."""
        url = make_url(self.url)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if self.password_file is not None:
            url = url.set(password=_read_secret(self.password_file, EMPTY_PASSWORD))
        return url

    def load_keys(self) -> Keys | None:
        """The master keys, None without any. Raises ``ValueError`` that shows none."""
        if self.key is not None:
            current = read_master_key(self.key.get_secret_value())
        elif self.key_file is not None:
            current = _read_master_key(self.key_file)
        else:
            return None
        previous = self.previous_key_file
        return Keys(current, *([] if previous is None else [_read_master_key(previous)]))


def _read_master_key(file: Path) -> MasterKey:
    try:
        return read_master_key(_read_secret(file, EMPTY_KEY))
    except MalformedKey as error:
        raise ValueError(f"{file}: {error}") from None


class Settings(BaseSettings):
    """All settings. ``WANGLOU_BROKER__URL`` in the environment is ``broker.url`` in the file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter=NESTED,
        env_nested_max_split=1,
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    broker: BrokerSettings = BrokerSettings()
    topics: TopicSettings = TopicSettings()
    rules: RulesSettings = RulesSettings()
    model: ModelSettings = ModelSettings()
    worker: WorkerSettings = WorkerSettings()
    dead_letters: DeadLetterLimits = DeadLetterLimits()
    stuck: StuckSettings = StuckSettings()
    pager: PagerSettings = PagerSettings()
    archive: ArchiveSettings = ArchiveSettings()
    author_key: SecretStr | None = Field(
        None, description="Secret key of the author hashes; without one they can be recomputed."
    )
    author_key_file: Path | None = Field(None, description="File that holds author_key.")

    @field_validator("author_key")
    @classmethod
    def _not_empty(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None and not key.get_secret_value().strip():
            raise ValueError(EMPTY_KEY)
        return key

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the caller says, over the environment, over the file."""
        path = settings_file()
        if path is None:
            return init_settings, env_settings
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read(path))

    def load_author_key(self) -> bytes:
        """The key of the author hashes: setting, file, or a constant that protects nobody."""
        if self.author_key is not None:
            return self.author_key.get_secret_value().encode()
        if self.author_key_file is not None:
            return self.author_key_file.read_bytes().strip()
        return b"wanglou"

    def load_rules(self) -> Rules:
        """The rules that decide alerts. Raises ``RulesError``."""
        return Rules.load(**{one.name: getattr(self.rules, one.name) for one in fields(Rules)})

    def load_responsibilities(self) -> Responsibilities:
        """Who may do what. Raises ``RulesError``."""
        return load_responsibilities(self.rules.responsibilities, self.load_rules().watchlist)

    def load_wording(self) -> Wording:
        """What a draft should not say. Raises ``RulesError``."""
        return load_wording(self.rules.wording)

    def load_statements(self) -> Statements:
        """Templates of statements. Raises ``RulesError``."""
        taxonomy = self.load_rules().taxonomy
        return load_statements(self.rules.statements, taxonomy, self.load_wording())


def settings_file() -> Path | None:
    """The settings file: ``WANGLOU_CONFIG``, else ``wanglou.toml`` or ``wanglou.yaml`` here."""
    named = os.environ.get(FILE_VARIABLE)
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"{FILE_VARIABLE}: there is no file {named}")
        if Path(named).suffix not in (".toml", ".yaml", ".yml"):
            raise SettingsError(f"{FILE_VARIABLE}: {named} must end in .toml, .yaml or .yml")
        return Path(named)
    return next((Path(name) for name in DEFAULT_FILES if Path(name).is_file()), None)


def load_settings(**overrides: Any) -> Settings:
    """Settings with overrides. Raises ``SettingsError`` with everything that is wrong."""
    _check_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(describe(error, hidden=("author_key",))) from error
    if settings.author_key_file is not None:
        _check_key_file(settings.author_key_file)
    return settings


def _read(path: Path) -> dict[str, Any]:
    """What a settings file says. Its errors show no line of it, as one may hold a secret."""
    try:
        with path.open(encoding="utf-8") as file:
            toml = path.suffix == ".toml"
            content = tomllib.loads(file.read()) if toml else yaml.safe_load(file)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise SettingsError(f"{path}: is not YAML{where}") from None
    except ValueError as error:
        raise SettingsError(f"{path}: is not {'TOML' if toml else 'YAML'}: {error}") from None
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read: {error.strerror}") from error
    if content is not None and not isinstance(content, dict):
        raise SettingsError(f"{path}: must hold settings by name, not a {type(content).__name__}")
    return content or {}


def _check_key_file(path: Path) -> None:
    try:
        key = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"author_key_file: {path}: {error.strerror}") from error
    if not key.strip():
        raise SettingsError(f"author_key_file: {path} {EMPTY_KEY}")


def _check_variables() -> None:
    """Refuse what pydantic-settings would pass over, or not explain."""
    for variable, value in os.environ.items():
        name = variable.upper()  # as pydantic-settings reads them
        if not name.startswith(PREFIX) or variable == FILE_VARIABLE:
            continue
        top, nested, _ = name.removeprefix(PREFIX).lower().partition(NESTED)
        field = Settings.model_fields.get(top)
        section = field is not None and isinstance(field.default, BaseModel)
        if field is None or (nested and not section):
            known = [FILE_VARIABLE, *(PREFIX + one.upper() for one in Settings.model_fields)]
            raise SettingsError(
                f"{variable}: is no setting; one of {', '.join(known)} (parts of one after __)"
            )
        if section and not nested and not _is_object(value):
            part = next(iter(type(field.default).model_fields)).upper()
            raise SettingsError(
                f"{variable}: is no JSON object; set its parts, for example "
                f"{variable}{NESTED}{part}"
            )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
