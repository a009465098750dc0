"""Open the archive that the settings name."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from wanglou.agents.archive.database import new_engine
from wanglou.agents.archive.migration import check_revision
from wanglou.agents.archive.problems import KeyProblem
from wanglou.agents.archive.signing import read_signing_key
from wanglou.agents.archive.store import Archive
from wanglou.agents.settings import ArchiveSettings


def engine_of(settings: ArchiveSettings) -> Engine:
    """The database; nothing is connected yet."""
    return new_engine(settings.load_url())


def open_archive(settings: ArchiveSettings, with_keys: bool = True) -> Archive:
    """The archive, with tables of this release and keys that fit.

    Raises ``RevisionProblem``, ``KeyProblem``, ``Unavailable``. Without keys it can be verified.
    """
    engine = engine_of(settings)
    check_revision(engine)
    archive = Archive(engine, settings.load_keys() if with_keys else None)
    if with_keys:
        archive.check_keys()
    return archive


def signing_key(settings: ArchiveSettings) -> Ed25519PrivateKey:
    """The key that signs heads and exports. Raises ``KeyProblem`` where there is none."""
    if settings.signing_key_file is None:
        raise KeyProblem(
            "no signing key: openssl genpkey -algorithm ed25519 makes one; set "
            "archive.signing_key_file to its file"
        )
    return read_signing_key(settings.signing_key_file)
