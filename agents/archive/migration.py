"""The archive's tables from one release to the next, by Alembic."""

from __future__ import annotations

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from wanglou.agents.archive.database import reading, writing
from wanglou.agents.archive.problems import RevisionProblem

ONE_AT_A_TIME = 0x77616E676C6F75
"""The advisory lock of PostgreSQL under which its tables are changed."""


def upgrade(engine: Engine, revision: str = "head") -> tuple[str | None, str | None]:
    """Bring the tables up to this release, in one transaction; the revision before and after.

    Raises ``RevisionProblem`` if they are of a newer release.
    """
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_AT_A_TIME})
        before = _revision(connection)
        _known(before)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        return before, _revision(connection)


def check_revision(engine: Engine) -> None:
    """Raise ``RevisionProblem`` unless the tables are those of this release."""
    with reading(engine) as connection:
        found = _revision(connection)
    if found is None:
        raise RevisionProblem("the archive has no tables yet: run wanglou archive upgrade")
    _known(found)
    newest = ScriptDirectory.from_config(_config()).get_current_head()
    if found != newest:
        raise RevisionProblem(
            f"the archive's tables are of revision {found}, but this release needs {newest}: "
            "run wanglou archive upgrade"
        )


def _known(revision: str | None) -> None:
    scripts = ScriptDirectory.from_config(_config())
    known = {one.revision for one in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise RevisionProblem(
            f"the archive's tables are of revision {revision}, which this release does not know: "
            "run the release that made them, or a newer one"
        )


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    folder = str(files("wanglou.agents.archive") / "migrations")
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
