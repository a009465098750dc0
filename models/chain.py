"""A hash chain: no row of it can be changed, removed, inserted or moved without that showing.

The hash of a row is SHA-256 over the hash before it and all that the row says, each part with its
length before it (netstrings), so that no two rows give the same bytes. A row's body goes in by its
digest: a body that was purged leaves the chain whole.

Only Python's standard library: an exported case carries this file with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

GENESIS = bytes(32)
"""What stands before the first row."""

RETENTION = "retention"
"""The kind of a row that says which bodies were purged: ``{"kind": …, "up_to": sequence}``."""

FARTHEST = 20
"""How far rows may have been renumbered for that to be told as such."""

MOST_BREAKS = 50
"""Breaks of one chain that are told one by one; a verification looks for no more."""


class Row(NamedTuple):
    """A row as stored; times in microseconds since the Unix epoch, UTC."""

    sequence: int
    """1, 2, 3 … within the chain."""
    kind: str
    id: str
    at: int
    """When it happened."""
    recorded_at: int
    """When it was recorded."""
    body: bytes | None
    """None where it was purged."""
    digest: bytes
    """SHA-256 of the body."""
    hash: bytes


class Head(NamedTuple):
    """The end of a chain: sequence and hash of its last row."""

    sequence: int
    hash: bytes


EMPTY = Head(0, GENESIS)
"""The head of a chain without rows."""


@dataclass(frozen=True)
class Break:
    """A row that is not as it was written."""

    chain: str
    sequence: int
    what: str

    def __str__(self) -> str:
        return f"{self.chain}, row {self.sequence}: {self.what}"


@dataclass
class Verification:
    """What a walk along a chain found."""

    chain: str
    rows: int = 0
    breaks: list[Break] = field(default_factory=list)
    end: Head = EMPTY
    """The last row met."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.breaks

    def _add(self, sequence: int, what: str) -> None:
        self.breaks.append(Break(self.chain, sequence, what))


def digest_of(body: bytes) -> bytes:
    """The digest of a body."""
    return sha256(body).digest()


def hash_of(
    previous: bytes,
    chain: str,
    sequence: int,
    kind: str,
    id: str,
    at: int,
    recorded_at: int,
    digest: bytes,
) -> bytes:
    """The hash of a row that follows on ``previous``."""
    where, what, name = chain.encode(), kind.encode(), id.encode()
    number, then, now = b"%d" % sequence, b"%d" % at, b"%d" % recorded_at
    return sha256(
        b"32:%b,%d:%b,%d:%b,%d:%b,%d:%b,%d:%b,%d:%b,32:%b,"
        % (
            previous,
            len(where),
            where,
            len(number),
            number,
            len(what),
            what,
            len(name),
            name,
            len(then),
            then,
            len(now),
            now,
            digest,
        )
    ).digest()


def follow(
    head: Head,
    chain: str,
    kind: str,
    id: str,
    at: int,
    recorded_at: int,
    body: bytes,
) -> Row:
    """The row that comes after ``head``.

    >>> first = follow(EMPTY, "hexing-bank.run", "alert", "a1", 0, 0, b"{}")
    >>> second = follow(Head(1, first.hash), "hexing-bank.run", "page", "p1", 0, 0, b"{}")
    >>> verify("hexing-bank.run", [first, second], Head(2, second.hash)).is_whole
    True
    >>> wrong = second._replace(at=1)
    >>> print(*verify("hexing-bank.run", [first, wrong], Head(2, second.hash)).breaks)
    hexing-bank.run, row 2: was changed, or row 1 was and its hash with it
    """
    digest, sequence = digest_of(body), head.sequence + 1
    hash = hash_of(head.hash, chain, sequence, kind, id, at, recorded_at, digest)
    return Row(sequence, kind, id, at, recorded_at, body, digest, hash)


def purged(retentions: Iterable[Row]) -> dict[str, int]:
    """Up to which row the bodies of each kind may be absent, as the rows of retention say."""
    found: dict[str, int] = {}
    for row in retentions:
        if row.body is None:
            continue
        says = json.loads(row.body)
        up_to = says["up_to"]
        if up_to < row.sequence:
            found[says["kind"]] = max(up_to, found.get(says["kind"], 0))
    return found


class _Misfit(NamedTuple):
    """A row whose hash does not follow from what stands before it."""

    row: Row
    before: bytes
    """The hash stored before it."""


def verify(
    chain: str, rows: Iterable[Row], head: Head, may_be_absent: Mapping[str, int] | None = None
) -> Verification:
    """Walk along a chain, in flat memory, and compare its end with its head."""
    absent = may_be_absent or {}
    found = Verification(chain)
    misfits: list[_Misfit] = []
    previous, expected, shift = GENESIS, 1, 0
    for row in rows:
        sequence, kind, id, at, recorded_at, body, digest, hash = row
        found.rows += 1
        if sequence != expected:
            if sequence < expected:
                found._add(sequence, "stands twice, or after a row that follows it")
                continue
            found._add(expected, _removed(expected, sequence - 1))
            previous = b""
        if body is None:
            if sequence > absent.get(kind, 0):
                found._add(sequence, "its body is gone, and no row of retention says why")
        elif sha256(body).digest() != digest:
            found._add(sequence, "its body was changed")
        if previous and hash != hash_of(
            previous, chain, sequence + shift, kind, id, at, recorded_at, digest
        ):
            moved = _renumbered(chain, row, previous, shift)
            if moved is None:
                misfits.append(_Misfit(row._replace(body=None), previous))
            else:
                first = _tell_renumbered(found, sequence, moved - shift)
                misfits = [one for one in misfits if one.row.sequence < first]
                shift = moved
        previous, expected = hash, sequence + 1
        if len(found.breaks) + len(misfits) >= MOST_BREAKS:
            break
    else:
        _compare(found, Head(expected - 1, previous), head)
    found.end = Head(expected - 1, previous)
    _explain(found, misfits)
    found.breaks.sort(key=lambda one: one.sequence)
    return found


def _removed(first: int, last: int) -> str:
    return "was removed" if first == last else f"was removed, as were all up to row {last}"


def _renumbered(chain: str, row: Row, previous: bytes, shift: int) -> int | None:
    """How far the row was renumbered, where its hash fits another number near."""
    for distance in range(1, FARTHEST + 1):
        for other in (shift + distance, shift - distance):
            if row.sequence + other > 0 and row.hash == _hash(chain, row, previous, other):
                return other
    return None


def _tell_renumbered(found: Verification, sequence: int, change: int) -> int:
    """Tell that rows were renumbered, where the second one of them was met; from which row on."""
    if change > 0:
        first = sequence - 1
        what = f"{change} before it removed, and the rows from it on renumbered"
    else:
        first = sequence - 1 + change
        what = f"{-change} inserted from it on, and the rows after them renumbered"
    found._add(first, what)
    return first


def _hash(chain: str, row: Row, previous: bytes, shift: int = 0) -> bytes:
    sequence, kind, id, at, recorded_at, _, digest, _ = row
    return hash_of(previous, chain, sequence + shift, kind, id, at, recorded_at, digest)


def _compare(found: Verification, end: Head, head: Head) -> None:
    if end.sequence < head.sequence:
        found._add(end.sequence + 1, _removed(end.sequence + 1, head.sequence))
    elif end.sequence > head.sequence:
        found._add(head.sequence + 1, f"was inserted: the chain's head is row {head.sequence}")
    elif end.hash != head.hash:
        found._add(end.sequence, "the chain's head has another hash")


def _explain(found: Verification, misfits: list[_Misfit]) -> None:
    """Say which of the rows that do not fit were moved, and which were changed.

    A row that only follows on one that is wrong is not told.
    """
    chain = found.chain
    true_hashes: dict[int, tuple[bytes, ...]] = {}
    for misfit in misfits:
        here = misfit.row.sequence
        before = (*true_hashes.get(here - 1, ()), misfit.before)
        places = (
            (other.row, hash)
            for other in misfits
            for hash in before
            if _hash(chain, other.row, hash, here - other.row.sequence) == other.row.hash
        )
        fits, _ = next(places, (None, b""))
        if fits is None:
            found._add(here, f"was changed, or row {here - 1} was and its hash with it")
            true_hashes[here] = (misfit.row.hash, *(_hash(chain, misfit.row, b) for b in before))
            continue
        true_hashes[here] = (fits.hash,)
        if fits.sequence != here:
            found._add(here, f"was moved: what belongs here stands at row {fits.sequence}")
