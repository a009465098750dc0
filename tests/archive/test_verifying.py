"""What someone with the database in their hands does to it shows, and is told by its row."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from ledger_world import CASE, alert, append, mention
from sqlalchemy import Connection, Engine, and_, delete, insert, select, text, update

from wanglou.agents.archive.database import forget_erased, writing
from wanglou.agents.archive.heads import BadHead, check_heads, read_heads, signed_heads
from wanglou.agents.archive.problems import UnknownCase
from wanglou.agents.archive.signing import public_key_of
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import chains, records
from wanglou.agents.archive.verifying import rows, verify_all, verify_chain
from wanglou.models.chain import EMPTY, Head, follow

COUNT = 30


@pytest.fixture
def filled(archive: Archive) -> Archive:
    append(archive, *(mention(number, f"author-{number % 3}") for number in range(COUNT)))
    append(archive, alert(1), chain="other-bank.run")
    return archive


def at(sequence: int) -> Any:
    return and_(records.c.chain == CASE, records.c.sequence == sequence)


def tampered(archive: Archive, change: Callable[[Connection], object]) -> dict[int, str]:
    """What a verification tells of the case after a change; of the other chain it tells nothing."""
    with writing(archive.engine) as connection:
        change(connection)
    found = {one.chain: one for one in verify_all(archive.engine)}
    assert found["other-bank.run"].is_whole
    assert verify_chain(archive.engine, CASE).breaks == found[CASE].breaks
    return {one.sequence: one.what for one in found[CASE].breaks}


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({"body": b"{}"}, {7}),
        ({"body": None}, {7}),
        ({"hash": bytes(32)}, {7}),
        ({"at": 5}, {7}),
        ({"recorded_at": 5}, {7}),
        ({"kind": "page"}, {7}),
        ({"id": "weibo:else"}, {7}),
    ],
)
def test_a_changed_row(filled: Archive, values: dict[str, object], rows: set[int]) -> None:
    statement = update(records).where(at(7)).values(**values)
    assert set(tampered(filled, lambda one: one.execute(statement))) == rows


def test_a_removed_row(filled: Archive) -> None:
    statement = delete(records).where(at(7))
    found = tampered(filled, lambda one: one.execute(statement))
    assert found == {7: "was removed"}


def test_rows_cut_off_at_the_end(filled: Archive) -> None:
    statement = delete(records).where(records.c.chain == CASE, records.c.sequence > 20)
    found = tampered(filled, lambda one: one.execute(statement))
    assert found == {21: f"was removed, as were all up to row {COUNT}"}


def test_rows_that_changed_places(filled: Archive) -> None:
    def swap(connection: Connection) -> None:
        for old, new in ((5, 1000), (9, 5), (1000, 9)):
            connection.execute(update(records).where(at(old)).values(sequence=new))

    found = tampered(filled, swap)
    assert set(found) == {5, 9}
    assert "stands at row 9" in found[5]


def test_an_inserted_row(filled: Archive) -> None:
    def insert_one(connection: Connection) -> None:
        stored = list(rows(connection, CASE))
        foreign = follow(Head(COUNT, stored[-1].hash), CASE, "mention", "foreign", 1, 1, b"{}")
        connection.execute(insert(records).values(chain=CASE, **foreign._asdict()))

    found = tampered(filled, insert_one)
    assert found == {COUNT + 1: f"was inserted: the chain's head is row {COUNT}"}


def test_a_head_that_was_set_back(filled: Archive) -> None:
    statement = update(chains).where(chains.c.id == CASE).values(sequence=3)
    assert set(tampered(filled, lambda one: one.execute(statement))) == {4}


def test_a_row_of_retention_that_nobody_wrote_covers_only_what_is_before_it(
    filled: Archive,
) -> None:
    def purge_unseen(connection: Connection) -> None:
        connection.execute(update(records).where(at(7)).values(body=None))
        says = json.dumps({"kind": "mention", "up_to": COUNT}).encode()
        foreign = follow(EMPTY, CASE, "retention", "foreign", 1, 1, says)
        values = {**foreign._asdict(), "sequence": COUNT + 1}
        connection.execute(insert(records).values(chain=CASE, **values))

    assert COUNT + 1 in tampered(filled, purge_unseen)


def test_a_case_that_is_not_there(filled: Archive) -> None:
    with pytest.raises(UnknownCase, match="no case 'nobody'"):
        verify_chain(filled.engine, "nobody")


def rewrite(engine: Engine) -> None:
    """What only one can do who may write the database and compute hashes: a new history."""
    with writing(engine) as connection:
        head = EMPTY
        for row in list(rows(connection, CASE)):
            body = b"{}" if row.sequence == 7 else row.body or b""
            new = follow(head, CASE, row.kind, row.id, row.at, row.recorded_at, body)
            head = Head(new.sequence, new.hash)
            connection.execute(
                update(records)
                .where(at(row.sequence))
                .values(body=new.body, digest=new.digest, hash=new.hash)
            )
        connection.execute(update(chains).where(chains.c.id == CASE).values(hash=head.hash))


def test_a_head_kept_elsewhere_shows_a_chain_written_anew(filled: Archive, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "heads.json"
    file.write_text(json.dumps(signed_heads(filled, key)))
    append(filled, alert(8))
    heads = read_heads(file, public_key_of(key))
    assert all(one.is_whole for one in check_heads(filled.engine, heads)), "a chain may grow"
    rewrite(filled.engine)
    assert verify_chain(filled.engine, CASE).is_whole, "for itself it is: so heads are kept"
    found = {one.chain: one for one in check_heads(filled.engine, heads)}
    assert found["other-bank.run"].is_whole
    assert [one.sequence for one in found[CASE].breaks] == [COUNT]
    assert "written anew" in found[CASE].breaks[0].what


def test_a_removed_chain_is_missed_by_its_head(filled: Archive, tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    file = tmp_path / "heads.json"
    file.write_text(json.dumps(signed_heads(filled, key)))
    with writing(filled.engine) as connection:
        connection.execute(text("DELETE FROM records WHERE chain = 'other-bank.run'"))
        connection.execute(text("DELETE FROM chains WHERE id = 'other-bank.run'"))
    assert all(one.is_whole for one in verify_all(filled.engine))
    found = {
        one.chain: one for one in check_heads(filled.engine, read_heads(file, public_key_of(key)))
    }
    assert not found["other-bank.run"].is_whole
    assert found[CASE].is_whole


@pytest.mark.parametrize("damage", ["bit", "other key", "unsigned", "no JSON", "list"])
def test_a_file_of_heads_that_was_changed_is_refused(
    filled: Archive, tmp_path: Path, damage: str
) -> None:
    key = Ed25519PrivateKey.generate()
    document = signed_heads(filled, key)
    content = json.dumps(document)
    if damage == "bit":
        content = content.replace('"sequence": 30', '"sequence": 31')
    elif damage == "unsigned":
        content = json.dumps({"heads": document["heads"], "at": document["at"]})
    elif damage == "no JSON":
        content = content[1:]
    elif damage == "list":
        content = "[]"
    elif damage == "other key":
        key = Ed25519PrivateKey.generate()
    file = tmp_path / "heads.json"
    file.write_text(content)
    with pytest.raises(BadHead, match=str(file)):
        read_heads(file, public_key_of(key))


def test_heads_of_a_case_that_is_not_there(filled: Archive) -> None:
    with pytest.raises(UnknownCase):
        signed_heads(filled, Ed25519PrivateKey.generate(), "nobody")


@pytest.mark.parametrize("flips", range(40))
def test_one_flipped_bit_in_the_file_of_sqlite(sqlite_archive: Archive, flips: int) -> None:
    """Wherever it is in the ledger: a bit of a row's body, digest, hash or id in the file."""
    append(sqlite_archive, *(mention(number, "one") for number in range(COUNT)))
    with sqlite_archive.engine.connect() as connection:
        stored = list(connection.execute(select(records).order_by(records.c.sequence)).mappings())
    forget_erased(sqlite_archive.engine)
    sqlite_archive.engine.dispose()
    row = stored[flips % COUNT]
    needle = (row["hash"], row["digest"], row["body"])[flips % 3]
    file = Path(str(sqlite_archive.engine.url.database))
    content = bytearray(file.read_bytes())
    offset = content.index(needle) + flips * 7 % len(needle)
    content[offset] ^= 1 << flips % 8
    file.write_bytes(content)
    found = verify_chain(sqlite_archive.engine, CASE)
    assert row["sequence"] in {one.sequence for one in found.breaks}
    assert len(found.breaks) <= 2


def test_a_page_of_sqlite_that_cannot_be_read_is_told(sqlite_archive: Archive) -> None:
    append(sqlite_archive, *(mention(number, "one") for number in range(COUNT * 10)))
    with sqlite_archive.engine.connect() as connection:
        hash = connection.execute(select(records.c.hash).where(at(150))).scalar()
    forget_erased(sqlite_archive.engine)
    sqlite_archive.engine.dispose()
    assert hash is not None
    file = Path(str(sqlite_archive.engine.url.database))
    content = bytearray(file.read_bytes())
    start = content.index(hash) // 4096 * 4096
    content[start : start + 16] = b"\xff" * 16  # the page's header
    file.write_bytes(content)
    found = verify_chain(sqlite_archive.engine, CASE)
    assert 150 in {one.sequence for one in found.breaks if "cannot be read" in one.what}
    assert 1 not in {one.sequence for one in found.breaks}
