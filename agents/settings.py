"""Settings: environment over one file over defaults, checked when loaded."""

from __future__ import annotations

import os
import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
    YamlConfigSettingsSource,
)

from wanglou.models.rules import Rules
from wanglou.schemas.problems import describe

FILE_VARIABLE = "WANGLOU_CONFIG"
DEFAULT_FILES = ("wanglou.toml", "wanglou.yaml")
DEPLOY = Path(str(files("wanglou.deploy")))
WEIGHTS = Path(str(files("wanglou.models"))) / "weights"
_ADDRESS = re.compile(r"^[A-Za-z0-9.\-\[\]:]+:\d{1,5}$")


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

    @field_validator("url")
    @classmethod
    def _addresses(cls, url: str) -> str:
        for address in url.split(","):
            if not _ADDRESS.match(address.strip()):
                raise ValueError(f"{address!r} is not host:port, for example 127.0.0.1:9092")
        return url


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


class ModelSettings(_Section):
    """The sentiment model."""

    enabled: bool = Field(True, description="False calls every text neutral: to measure the rest.")
    path: Path = Field(WEIGHTS, description="Folder with a transformers configuration and weights.")
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    batch_size: Annotated[int, Field(ge=1, le=1024)] = Field(32, description="Texts a forward.")
    threads: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None, description="Processor threads of a forward; null leaves it to torch."
    )


class WorkerSettings(_Section):
    """One worker process."""

    host: str = Field("127.0.0.1", description="Address of /metrics, /healthz and /readyz.")
    port: Annotated[int, Field(ge=1, le=65535)] = 6066
    batch_messages: Annotated[int, Field(ge=1, le=10_000)] = Field(
        256, description="Most messages of a micro-batch."
    )
    linger_seconds: Annotated[float, Field(ge=0, le=10)] = Field(
        0.02, description="How long a micro-batch waits for more messages."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(BaseSettings):
    """All settings. ``WANGLOU_BROKER__URL`` in the environment is ``broker.url`` in the file."""

    model_config = SettingsConfigDict(
        env_prefix="WANGLOU_",
        env_nested_delimiter="__",
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
    author_key: SecretStr | None = Field(
        None, description="Secret key of the author hashes; without one they can be recomputed."
    )
    author_key_file: Path | None = Field(None, description="File that holds author_key.")

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
        source = TomlConfigSettingsSource if path.suffix == ".toml" else YamlConfigSettingsSource
        return init_settings, env_settings, source(settings_cls, path)

    def load_author_key(self) -> bytes:
        """The key of the author hashes: setting, file, or a constant that protects nobody."""
        if self.author_key is not None:
            return self.author_key.get_secret_value().encode()
        if self.author_key_file is not None:
            return self.author_key_file.read_bytes().strip()
        return b"wanglou"

    def load_rules(self) -> Rules:
        """The rules files. Raises ``RulesError``."""
        return Rules.load(self.rules.watchlist, self.rules.taxonomy, self.rules.risk)


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
    _refuse_unknown_variables()
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        raise SettingsError(describe(error, hidden=("author_key",))) from error
    except ValueError as error:  # a file that is no TOML or YAML
        raise SettingsError(f"{settings_file()}: {error}") from error
    if settings.author_key_file is not None and not settings.author_key_file.is_file():
        raise SettingsError(f"author_key_file: there is no file {settings.author_key_file}")
    return settings


def _refuse_unknown_variables() -> None:
    known = {FILE_VARIABLE} | {
        f"WANGLOU_{name.upper()}" for name in Settings.model_fields
    }
    for variable in os.environ:
        top = variable.split("__")[0]
        if variable.startswith("WANGLOU_") and top not in known:
            raise SettingsError(
                f"{variable}: is no setting; one of {', '.join(sorted(known))} (nested with __)"
            )
