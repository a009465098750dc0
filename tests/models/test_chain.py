"""The hash chain: whatever is done to it shows, and is told by its row."""

from __future__ import annotations

from hashlib import sha256
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanglou.models.chain import (
    EMPTY,
    GENESIS,
    MOST_BREAKS,
    Head,
    Row,
    Verification,
    digest_of,
    follow,
    hash_of,
    purged,
    verify,
)

CHAIN = "hexing-bank.run"


def build(bodies: list[bytes], kind: str = "mention") -> list[Row]:
    rows, head = [], EMPTY
    for number, body in enumerate(bodies):
        rows.append(follow(head, CHAIN, kind, f"m{number}", 1000 + number, 2000, body))
        head = Head(rows[-1].sequence, rows[-1].hash)
    return rows


def numbered(count: int) -> list[Row]:
    return build([b'{"n":%d}' % number for number in range(count)])


def head_of(rows: list[Row]) -> Head:
    return Head(rows[-1].sequence, rows[-1].hash) if rows else EMPTY


def renumber(rows: list[Row]) -> list[Row]:
    return [row._replace(sequence=number) for number, row in enumerate(rows, 1)]


def relink(rows: list[Row], start: int) -> list[Row]:
    """What one does who can compute hashes: all from the row with index ``start`` on is anew."""
    done = rows[:start]
    head = head_of(done)
    for row in rows[start:]:
        assert row.body is not None
        done.append(follow(head, CHAIN, row.kind, row.id, row.at, row.recorded_at, row.body))
        head = head_of(done)
    return done


def told(found: Verification) -> dict[int, str]:
    return {one.sequence: one.what for one in found.breaks}


def test_a_hash_is_made_of_all_parts_with_their_lengths() -> None:
    body = '{"text":"挤兑"}'.encode()
    digest = sha256(body).digest()
    parts = [GENESIS, b"a.b", b"1", "类".encode(), b"weibo:1", b"-5", b"7", digest]
    expected = sha256(b"".join(b"%d:%s," % (len(part), part) for part in parts)).digest()
    assert hash_of(GENESIS, "a.b", 1, "类", "weibo:1", -5, 7, digest) == expected
    row = follow(EMPTY, "a.b", "类", "weibo:1", -5, 7, body)
    assert row == Row(1, "类", "weibo:1", -5, 7, body, digest, expected)


def test_parts_cannot_be_shifted_into_each_other() -> None:
    digest = digest_of(b"{}")
    assert hash_of(GENESIS, "ab", 1, "c", "d", 1, 1, digest) != hash_of(
        GENESIS, "a", 1, "bc", "d", 1, 1, digest
    )
    assert hash_of(GENESIS, "a", 1, "c", "d", 11, 1, digest) != hash_of(
        GENESIS, "a", 1, "c", "d", 1, 11, digest
    )


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_what_was_appended_is_whole(bodies: list[bytes]) -> None:
    rows = build(bodies)
    found = verify(CHAIN, rows, head_of(rows))
    assert found.is_whole
    assert (found.rows, found.end) == (len(bodies), head_of(rows))


@given(st.data())
def test_a_changed_field_is_told_by_its_row_or_the_next(data: st.DataObject) -> None:
    rows = numbered(data.draw(st.integers(1, 9)))
    index = data.draw(st.integers(0, len(rows) - 1))
    row = rows[index]
    change = data.draw(
        st.sampled_from(
            [
                {"kind": "alert"},
                {"id": "other"},
                {"at": row.at + 1},
                {"recorded_at": row.recorded_at - 1},
                {"digest": bytes(32)},
                {"hash": bytes(32)},
                {"body": b"{}"},
            ]
        )
    )
    wrong = [*rows[:index], row._replace(**change), *rows[index + 1 :]]
    found = told(verify(CHAIN, wrong, head_of(rows)))
    assert index + 1 in found
    assert set(found) <= {index + 1, index + 2}


@pytest.mark.parametrize("first", range(5))
def test_a_removed_row_is_told(first: int) -> None:
    rows = numbered(6)
    wrong = [row for row in rows if row.sequence != first + 1]
    assert told(verify(CHAIN, wrong, head_of(rows))) == {first + 1: "was removed"}


def test_removed_rows_are_told_with_the_last() -> None:
    rows = numbered(9)
    wrong = rows[:2] + rows[5:]
    assert told(verify(CHAIN, wrong, head_of(rows))) == {3: "was removed, as were all up to row 5"}


@pytest.mark.parametrize(
    ("kept", "what"), [(8, "was removed"), (0, "was removed, as were all up to row 9")]
)
def test_rows_cut_off_at_the_end_are_told(kept: int, what: str) -> None:
    rows = numbered(9)
    assert told(verify(CHAIN, rows[:kept], head_of(rows))) == {kept + 1: what}


def test_a_row_after_the_head_is_told() -> None:
    rows = numbered(4)
    found = told(verify(CHAIN, rows, head_of(rows[:3])))
    assert found == {4: "was inserted: the chain's head is row 3"}


def test_a_changed_head_is_told() -> None:
    rows = numbered(3)
    found = told(verify(CHAIN, rows, Head(3, bytes(32))))
    assert found == {3: "the chain's head has another hash"}


@pytest.mark.parametrize("count", [1, 3])
def test_rows_renumbered_over_removed_ones_are_told_once(count: int) -> None:
    rows = numbered(12)
    wrong = renumber(rows[:3] + rows[3 + count :])
    assert told(verify(CHAIN, wrong, head_of(wrong))) == {
        4: f"{count} before it removed, and the rows from it on renumbered"
    }


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("linked", [True, False])
def test_rows_renumbered_under_inserted_ones_are_told_once(count: int, linked: bool) -> None:
    rows = numbered(12)
    foreign = []
    for number in range(count):
        head = head_of([*rows[:3], *foreign])
        foreign.append(follow(head, CHAIN, "mention", f"foreign{number}", 5, 6, b"{}"))
    if not linked:
        foreign = [row._replace(hash=digest_of(row.hash)) for row in foreign]
    wrong = renumber([*rows[:3], *foreign, *rows[3:]])
    assert told(verify(CHAIN, wrong, head_of(wrong))) == {
        4: f"{count} inserted from it on, and the rows after them renumbered"
    }


@pytest.mark.parametrize(("one", "other"), [(1, 2), (3, 4), (2, 6), (8, 9), (1, 9)])
def test_rows_that_changed_places_are_told(one: int, other: int) -> None:
    rows = numbered(9)
    wrong = list(rows)
    wrong[one - 1], wrong[other - 1] = wrong[other - 1], wrong[one - 1]
    wrong = renumber(wrong)
    found = told(verify(CHAIN, wrong, head_of(rows)))
    assert f"what belongs here stands at row {other}" in found[one]
    assert f"what belongs here stands at row {one}" in found[other]
    assert set(found) <= {one, other, 9}, "rows that only follow on them are not told"


def test_one_who_computes_hashes_is_caught_by_the_head() -> None:
    rows = numbered(5)
    body = b'{"n":"false"}'
    wrong = relink([*rows[:2], rows[2]._replace(body=body), *rows[3:]], 2)
    assert verify(CHAIN, wrong, head_of(wrong)).is_whole, "who also changes the head is not"
    assert told(verify(CHAIN, wrong, head_of(rows))) == {5: "the chain's head has another hash"}


def test_a_body_may_be_gone_where_a_row_of_retention_says_so() -> None:
    rows = numbered(4)
    says = b'{"kind":"mention","up_to":3}'
    rows.append(follow(head_of(rows), CHAIN, "retention", "r", 9, 9, says))
    gone = [row._replace(body=None) if row.sequence <= 3 else row for row in rows]
    may = purged(row for row in gone if row.kind == "retention")
    assert may == {"mention": 3}
    assert verify(CHAIN, gone, head_of(rows), may).is_whole
    more = [row._replace(body=None) if row.sequence <= 4 else row for row in rows]
    assert set(told(verify(CHAIN, more, head_of(rows), may))) == {4}
    other_kind = [row._replace(kind="alert") for row in gone[:1]]
    assert 1 in told(verify(CHAIN, other_kind + gone[1:], head_of(rows), may))


def test_a_row_of_retention_says_nothing_about_rows_after_it() -> None:
    rows = numbered(2)
    says = b'{"kind":"mention","up_to":4}'
    assert purged([follow(head_of(rows), CHAIN, "retention", "r", 9, 9, says)]) == {}


def test_a_chain_that_is_all_wrong_is_left_early() -> None:
    rows = [row._replace(body=b"x") for row in numbered(MOST_BREAKS * 3)]
    found = verify(CHAIN, rows, head_of(rows))
    assert len(found.breaks) == MOST_BREAKS


def test_rows_in_another_order_of_a_file_are_told() -> None:
    rows = numbered(5)
    wrong = [rows[0], rows[2], rows[1], rows[3], rows[4]]
    assert 2 in told(verify(CHAIN, wrong, head_of(rows)))


def test_sequences_of_what_was_appended_have_no_gap() -> None:
    rows = numbered(7)
    assert all(after.sequence - before.sequence == 1 for before, after in pairwise(rows))
