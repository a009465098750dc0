"""Sealing, a wrong or missing key, rotation, erasure."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from ledger_world import CASE, Clock, alert, append, master_key, mention
from sqlalchemy import select, update

from wanglou.agents.archive.database import reading, writing
from wanglou.agents.archive.entries import Kind
from wanglou.agents.archive.erasure import erase, rotate
from wanglou.agents.archive.problems import KeyProblem
from wanglou.agents.archive.retention import OnHold, set_hold
from wanglou.agents.archive.sealing import ERASED, Keys, MalformedKey, read_master_key
from wanglou.agents.archive.store import Archive
from wanglou.agents.archive.tables import person_keys, records
from wanglou.agents.archive.verifying import verify_all, verify_chain

SECRET = "0123456789abcdef" * 4


def texts(archive: Archive, chain: str = CASE) -> list[object]:
    found = archive.records(chain, [Kind.MENTION])
    return [one.fields["text"] for one in found if one.fields is not None]


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, SECRET[:-2], SECRET + "00"])
def test_what_is_no_key_is_refused_and_not_shown(text: str) -> None:
    with pytest.raises(MalformedKey, match="64 hexadecimal digits") as caught:
        read_master_key(text)
    assert not text or text not in str(caught.value)


def test_a_key_is_never_shown() -> None:
    key = read_master_key(SECRET)
    assert SECRET not in repr(key) + str(vars(key))
    assert bytes.fromhex(SECRET) not in repr(vars(key)).encode("latin-1")
    assert key.fingerprint not in SECRET


def test_the_wrong_key_is_told_with_both_fingerprints(archive: Archive) -> None:
    append(archive, mention(1))
    assert archive.keys is not None
    wrong = Keys(master_key())
    other = Archive(archive.engine, wrong)
    both = f"{archive.keys.current.fingerprint}.*{wrong.current.fingerprint}"
    with pytest.raises(KeyProblem, match=both):
        other.check_keys()
    with pytest.raises(KeyProblem, match=both):
        list(other.records(CASE))
    with pytest.raises(KeyProblem, match=both):
        append(other, mention(2))
    assert append(other, mention(2), chain="new.run") == 1, "what is new is sealed with it"
    with pytest.raises(KeyProblem, match=r"archive\.key_file"):
        Archive(archive.engine, None).check_keys()
    archive_of_both = Archive(archive.engine, Keys(wrong.current, archive.keys.current))
    archive_of_both.check_keys()
    assert len(texts(archive_of_both)) == 1


def test_a_person_has_one_key_in_a_chain(archive: Archive) -> None:
    append(archive, mention(1), mention(2), mention(3, "author-2"))
    append(archive, mention(4))
    append(archive, mention(1), chain="other-bank.run")
    with reading(archive.engine) as connection:
        stored = connection.execute(select(person_keys.c.chain, person_keys.c.person)).all()
    assert sorted(map(tuple, stored)) == [
        (CASE, "author-1"),
        (CASE, "author-2"),
        ("other-bank.run", "author-1"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        lambda key, other: {"wrapped": key[:-1] + bytes([key[-1] ^ 1])},
        lambda key, other: {"wrapped": other},
        lambda key, other: {"chain": "other-bank.run"},
    ],
)
def test_a_changed_or_exchanged_key_is_told(
    archive: Archive, change: Callable[[bytes, bytes], dict[str, object]]
) -> None:
    append(archive, mention(1), mention(2, "author-2"))
    append(archive, alert(1), chain="other-bank.run")
    with writing(archive.engine) as connection:
        stored = connection.execute(select(person_keys).order_by(person_keys.c.person)).all()
        connection.execute(
            update(person_keys)
            .where(person_keys.c.id == stored[0].id)
            .values(**change(stored[0].wrapped, stored[1].wrapped))
        )
    with pytest.raises(KeyProblem, match=f"person key {stored[0].id} .* was changed"):
        list(archive.records(CASE))


def test_a_box_fits_only_its_own_record(archive: Archive) -> None:
    append(archive, mention(1), mention(2))
    with writing(archive.engine) as connection:
        body = connection.execute(select(records.c.body).where(records.c.sequence == 1)).scalar()
        connection.execute(update(records).where(records.c.sequence == 2).values(body=body))
    with pytest.raises(KeyProblem, match="mention weibo:2: its sealed fields were changed"):
        list(archive.records(CASE))


def test_the_master_key_is_rotated_and_the_ledger_untouched(archive: Archive) -> None:
    assert archive.keys is not None
    append(archive, *(mention(number, f"author-{number}") for number in range(1100)))
    before = verify_chain(archive.engine, CASE)
    new = master_key()
    both = Archive(archive.engine, Keys(new, archive.keys.current))
    append(both, mention(5000, "author-new"))
    assert rotate(both) == 1100
    assert rotate(both) == 0
    after = Archive(archive.engine, Keys(new))
    after.check_keys()
    assert len(texts(after)) == 1101
    found = verify_chain(archive.engine, CASE)
    assert found.is_whole
    assert found.rows == before.rows + 1
    with pytest.raises(KeyProblem):
        archive.check_keys()
    with pytest.raises(KeyProblem):
        list(archive.records(CASE))


def test_a_rotation_without_the_key_before_changes_nothing(archive: Archive) -> None:
    append(archive, mention(1))
    with pytest.raises(KeyProblem, match="previous_key_file"):
        rotate(Archive(archive.engine, Keys(master_key())))
    assert len(texts(archive)) == 1


def test_an_erased_person_is_gone_and_the_chain_whole(archive: Archive, clock: Clock) -> None:
    append(archive, mention(1, "gone", "去者"), mention(2, "stays", "留者"), alert(1))
    append(archive, mention(1, "gone"), chain="other-bank.run")
    append(archive, mention(1, "stays"), chain="third-bank.run")
    assert erase(archive, "gone", "王", "本人请求") == [CASE, "other-bank.run"]
    assert texts(archive) == [ERASED, "留者"]
    first = next(archive.records(CASE))
    assert first.fields is not None
    assert first.fields["author"] == first.fields["url"] == ERASED
    assert first.fields["likes"] == 1, "what is not sensitive stays"
    checked = list(verify_all(archive.engine))
    assert [(one.rows, one.is_whole) for one in checked] == [(4, True), (2, True), (1, True)]
    (erasure,) = archive.records(CASE, [Kind.ERASURE])
    assert erasure.fields is not None
    assert (erasure.fields["by"], erasure.fields["reason"]) == ("王", "本人请求")
    with reading(archive.engine) as connection:
        for table in (person_keys, records):
            for row in connection.execute(select(table)):
                assert "gone" not in str(tuple(row))
        emptied = select(person_keys.c.wrapped).where(person_keys.c.erased_at.is_not(None))
        assert list(connection.execute(emptied).scalars()) == [None, None]
    assert erase(archive, "gone", "王", "本人请求") == []


def test_an_erased_person_who_comes_back_has_a_new_key(archive: Archive) -> None:
    append(archive, mention(1, "gone", "旧"))
    erase(archive, "gone", "王", "本人请求")
    append(archive, mention(2, "gone", "新"))
    assert texts(archive) == [ERASED, "新"]
    assert erase(archive, "gone", "王", "本人请求") == [CASE]
    assert texts(archive) == [ERASED, ERASED]
    assert verify_chain(archive.engine, CASE).is_whole


def test_nothing_is_erased_while_one_of_the_cases_is_on_hold(archive: Archive) -> None:
    append(archive, mention(1, "gone", "旧"))
    append(archive, mention(1, "gone", "旧"), chain="other-bank.run")
    set_hold(archive, "other-bank.run", True, "法务", "诉讼")
    with pytest.raises(OnHold, match=r"other-bank\.run"):
        erase(archive, "gone", "王", "本人请求")
    assert texts(archive) == ["旧"]
    set_hold(archive, "other-bank.run", False, "法务", "撤诉")
    assert erase(archive, "gone", "王", "本人请求") == [CASE, "other-bank.run"]


def test_the_file_of_sqlite_keeps_no_destroyed_key(sqlite_archive: Archive) -> None:
    append(sqlite_archive, mention(1, "gone-person"))
    with reading(sqlite_archive.engine) as connection:
        wrapped = connection.execute(select(person_keys.c.wrapped)).scalar()
    assert wrapped is not None
    file = str(sqlite_archive.engine.url.database)

    def on_disk() -> bytes:
        found = b""
        for suffix in ("", "-wal"):
            with open(file + suffix, "rb") as content:
                found += content.read()
        return found

    assert wrapped in on_disk()
    erase(sqlite_archive, "gone-person", "王", "本人请求")
    assert wrapped not in on_disk()
    assert b"gone-person" not in on_disk()
