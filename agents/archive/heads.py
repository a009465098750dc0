"""Signed heads: what shows, kept elsewhere, that a chain was not written anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine, select

from wanglou.agents.archive.database import reading
from wanglou.agents.archive.problems import ArchiveError, UnknownCase
from wanglou.agents.archive.signing import PUBLIC_KEY, is_signed, sign
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import chains, records
from wanglou.agents.archive.verifying import verify_within
from wanglou.models.chain import Break, Head, Verification


class BadHead(ArchiveError):
    """A file of heads that cannot be trusted; the message says why."""


def head_document(heads: Mapping[str, Head], at: str) -> dict[str, Any]:
    """Heads, and when they were taken, as they are signed."""
    listed = [
        {"chain": chain, "sequence": head.sequence, "hash": head.hash.hex()}
        for chain, head in heads.items()
    ]
    return {"heads": listed, "at": at}


def signed_heads(
    archive: Archive, key: Ed25519PrivateKey, chain: str | None = None
) -> dict[str, Any]:
    """The heads of all chains, or of one, signed. Raises ``UnknownCase`` where there is none."""
    query = select(chains).order_by(chains.c.id)
    if chain is not None:
        query = query.where(chains.c.id == chain)
    with reading(archive.engine) as connection:
        heads = {id: Head(sequence, hash) for id, sequence, hash in connection.execute(query)}
    if chain is not None and not heads:
        raise UnknownCase(chain)
    return sign(key, head_document(heads, archive.now().isoformat()))


def read_heads(file: Path, public_key: str) -> dict[str, Head]:
    """The heads in a file, if the key signed them. Raises ``BadHead``."""
    try:
        document = json.loads(file.read_bytes())
        signed = isinstance(document, dict) and is_signed(document)
    except (OSError, ValueError) as error:
        raise BadHead(f"{file}: cannot be read: {error}") from error
    if not signed:
        raise BadHead(f"{file}: its signature is wrong, or there is none: it was changed")
    if document[PUBLIC_KEY] != public_key:
        raise BadHead(
            f"{file}: another key signed it, {document[PUBLIC_KEY]}, and not {public_key}"
        )
    return {
        one["chain"]: Head(one["sequence"], bytes.fromhex(one["hash"])) for one in document["heads"]
    }


def check_heads(engine: Engine, heads: Mapping[str, Head]) -> Iterator[Verification]:
    """Verify the chains, and that each still goes through the head that was signed."""
    with reading(engine) as connection:
        for chain, head in heads.items():
            found = verify_within(connection, chain)
            here = select(records.c.hash).where(
                records.c.chain == chain, records.c.sequence == head.sequence
            )
            stored = connection.execute(here).scalar()
            if head.sequence and stored is None:
                what = "was signed as the chain's head, and is gone"
                found.breaks.append(Break(chain, head.sequence, what))
            elif head.sequence and stored != head.hash:
                what = "had another hash when it was signed: the chain was written anew up to here"
                found.breaks.append(Break(chain, head.sequence, what))
            yield found
