"""What can be wrong with the archive, in words for who runs it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

FULL = ("disk is full", "no space left", "disk full")
LOCKED = ("database is locked", "lock timeout", "deadlock detected")


class ArchiveError(RuntimeError):
    """Something is wrong with the archive; the message says what, and what to do."""


class Unavailable(ArchiveError):
    """The database does not answer, is full or locked; nothing was written: try again later."""


class Fenced(ArchiveError):
    """Another process has taken over a partition; nothing was written: this one has to stop."""


class UnknownCase(ArchiveError):
    """There is no such case."""

    def __init__(self, case: str) -> None:
        super().__init__(f"the archive has no case {case!r}")


class KeyProblem(ArchiveError):
    """A key is missing, or is not the one."""


class RevisionProblem(ArchiveError):
    """The database's tables are of another release."""


@contextmanager
def explained() -> Iterator[None]:
    """Turn the database's errors into ours. Their texts show neither values nor passwords."""
    try:
        yield
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()
        text = said[0] if said else type(error.orig).__name__
        lower = text.lower()
        if any(one in lower for one in FULL):
            raise Unavailable(f"the archive's disk is full: {text}. Make room") from error
        if any(one in lower for one in LOCKED):
            raise Unavailable(f"the archive is locked by another process: {text}") from error
        if "malformed" in lower or "not a database" in lower:
            raise ArchiveError(
                f"the archive's file is damaged: {text}. Restore it from a backup"
            ) from error
        if "no such table" in lower or "undefinedtable" in type(error.orig).__name__.lower():
            raise RevisionProblem(
                f"the archive has not its tables: {text}. Run wanglou archive upgrade"
            ) from error
        if "readonly" in lower or "read-only" in lower:
            raise Unavailable(f"the archive cannot be written: {text}") from error
        if error.connection_invalidated or "operationalerror" in _names(error.orig):
            raise Unavailable(f"the archive's database does not answer: {text}") from error
        raise


def _names(error: BaseException | None) -> set[str]:
    return {one.__name__.lower() for one in type(error).__mro__}
