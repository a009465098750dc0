"""wanglou archive run | upgrade | head | check-head | rotate-key | erase | purge | hold | unhold"""

from __future__ import annotations

import json
from pathlib import Path

import click

from wanglou.agents.archive import erasure, migration, retention
from wanglou.agents.archive.heads import check_heads, read_heads, signed_heads
from wanglou.agents.archive.opening import engine_of, open_archive, signing_key
from wanglou.agents.archive.signing import public_key_of
from wanglou.agents.commands.archive_run import archive_run
from wanglou.agents.commands.case_reading import institution_of, tell
from wanglou.agents.commands.shared import EXISTING_FILE, settings_with
from wanglou.agents.settings import ArchiveSettings
from wanglou.models.response.responsibilities import Operation

BY = click.option("--by", metavar="NAME", required=True, help="Who does it: a person's id.")
REASON = click.option("--reason", metavar="TEXT", required=True, help="Why; is recorded.")


@click.group()
def archive() -> None:
    """The archive 档案 of cases: its tables, chains, keys and retention."""


@archive.command()
def upgrade() -> None:
    """Bring the database's tables up to this release."""
    before, after = migration.upgrade(engine_of(_settings()))
    click.echo(f"revision {after}" if before == after else f"revision {before} → {after}")


@archive.command()
@click.argument("case", required=False)
def head(case: str | None) -> None:
    """Print the signed heads of all chains, or of CASE.

    Keep them where nobody changes them.
    """
    settings = _settings()
    opened = open_archive(settings, with_keys=False)
    document = signed_heads(opened, signing_key(settings), case)
    click.echo(json.dumps(document, indent=1))


@archive.command("check-head")
@click.argument("file", type=EXISTING_FILE)
@click.option("--public-key", metavar="HEX", help="Who signed; default is the signing key's.")
def check_head(file: Path, public_key: str | None) -> None:
    """Verify the chains named in FILE.

    And that none was written anew since it was signed.
    """
    settings = _settings()
    signer = public_key or public_key_of(signing_key(settings))
    opened = open_archive(settings, with_keys=False)
    tell(check_heads(opened.engine, read_heads(file, signer)))


@archive.command("rotate-key")
@BY
def rotate_key(by: str) -> None:
    """Wrap all keys anew.

    With archive.key_file; archive.previous_key_file is the one before.
    """
    _may(by, Operation.KEYS)
    opened = open_archive(_settings())
    count = erasure.rotate(opened)
    click.echo(f"{count} keys wrapped anew; archive.previous_key_file is not needed any more")


@archive.command()
@click.argument("person")
@BY
@REASON
def erase(person: str, by: str, reason: str) -> None:
    """Destroy all keys of PERSON.

    PERSON is the hash of an author: what is sealed with the keys is lost.
    """
    _may(by, Operation.ERASURE)
    chains = erasure.erase(open_archive(_settings()), person, by, reason)
    click.echo("\n".join(f"erased from {one}" for one in chains) or "nothing of this person")


@archive.command()
@BY
def purge(by: str) -> None:
    """Purge what is past its retention.

    As archive.retention_days says, of cases that were closed long ago.
    """
    _may(by, Operation.RETENTION)
    settings = _settings()
    opened = open_archive(settings, with_keys=False)
    for one in retention.purge(opened, settings.retention_days):
        click.echo(f"{one.chain}: {one.count} of {one.kind}, up to row {one.up_to}")


@archive.command()
@click.argument("case")
@BY
@REASON
def hold(case: str, by: str, reason: str) -> None:
    """Put CASE on legal hold: nothing of it is purged or erased."""
    _hold(case, True, by, reason)


@archive.command()
@click.argument("case")
@BY
@REASON
def unhold(case: str, by: str, reason: str) -> None:
    """Lift the legal hold of CASE."""
    _hold(case, False, by, reason)


def _hold(case: str, held: bool, by: str, reason: str) -> None:
    _may(by, Operation.HOLD, institution_of(case))
    opened = open_archive(_settings(), with_keys=False)
    changed = retention.set_hold(opened, case, held, by, reason)
    said = "on hold" if held else "not on hold"
    click.echo(f"{case}: {said}{'' if changed else ' already'}")


def _may(by: str, operation: Operation, institution: str | None = None) -> None:
    """Raise ``Forbidden`` unless somebody may do it."""
    settings_with().load_responsibilities().may(by, operation, institution)


def _settings() -> ArchiveSettings:
    return settings_with().archive


archive.add_command(archive_run)
