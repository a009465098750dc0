from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.models.builders import minute_at, parameters, scored
from wanglou.models.event import EventState, add_mention
from wanglou.models.reach import Audience
from wanglou.models.spread import Spread, spread_at
from wanglou.schemas.mention import ScoredMention

WINDOW = 60
FORMULA = parameters(lateness_minutes=10, reach={"window_minutes": WINDOW})
BOUNDARY = -(-minute_at(0) // WINDOW) * WINDOW - minute_at(0)
"""Minutes from the builders' time to the next beginning of a window."""


def event_of(*mentions: tuple[int, ScoredMention]) -> EventState:
    event = EventState.new(minute_at(0), FORMULA)
    for clock, mention in mentions:
        add_mention(event, mention, clock=minute_at(clock), parameters=FORMULA)
    return event


def at_close_of(event: EventState, minute: int) -> Spread:
    return spread_at(event.spreads, minute_at(minute), WINDOW)


def said(minute: int, author: str = "a", **fields: Any) -> ScoredMention:
    return scored(minute, id=f"{author}{minute}", author={"id": author, "followers": 7}, **fields)


@pytest.mark.parametrize(
    ("minute", "authors"),
    [
        (BOUNDARY, 1),
        (BOUNDARY + WINDOW - 1, 1),
        (BOUNDARY + WINDOW, 1),
        (BOUNDARY + 2 * WINDOW - 1, 1),
        (BOUNDARY + 2 * WINDOW, 0),
    ],
)
def test_mention_counts_in_its_window_and_in_the_next(minute: int, authors: int) -> None:
    event = event_of((BOUNDARY, said(BOUNDARY)))
    assert at_close_of(event, minute).authors.audience().authors == authors


def test_everything_of_a_spread_is_forgotten_with_its_window() -> None:
    loud = said(BOUNDARY, parent_id="p", root_id="r", platform="zhihu", negative=0.9)
    event = event_of((BOUNDARY, loud))
    seen, gone = at_close_of(event, BOUNDARY), at_close_of(event, BOUNDARY + 2 * WINDOW)
    assert (seen.depth, seen.platforms, seen.source_weight) == (2, {"zhihu": 1}, 0.5)
    assert (gone.depth, gone.platforms, gone.source_weight) == (0, {}, 0.0)


def test_who_speaks_on_stays_and_counts_once() -> None:
    days = range(BOUNDARY, BOUNDARY + 10 * WINDOW, 20)
    event = event_of(*((minute, said(minute)) for minute in days))
    assert at_close_of(event, days[-1]).authors.audience() == Audience(1, 7)


def test_no_more_windows_are_kept_than_are_needed() -> None:
    minutes = range(0, 100 * WINDOW, 10)
    event = event_of(*((minute, said(minute, f"{minute}")) for minute in minutes))
    assert len(event.spreads) == 3
    assert at_close_of(event, minutes[-1]).authors.audience().authors == WINDOW / 10 * 2


def test_mention_from_before_all_windows_reaches_nobody() -> None:
    event = event_of((BOUNDARY, said(BOUNDARY)), (BOUNDARY, said(BOUNDARY - 3 * WINDOW, "b")))
    assert at_close_of(event, BOUNDARY).authors.audience() == Audience(1, 7)


@given(st.permutations(range(-90, 10, 7)))
def test_order_does_not_matter(minutes: list[int]) -> None:
    latest = max(minutes)
    forwards, other = (
        event_of(*((latest, said(minute, f"{minute}")) for minute in order))
        for order in (sorted(minutes), minutes)
    )
    assert {number: one.authors.to_bytes() for number, one in forwards.spreads.items()} == {
        number: one.authors.to_bytes() for number, one in other.spreads.items()
    }


def test_spread_comes_back_from_json_as_it_was() -> None:
    codec = TypeAdapter(EventState)
    event = event_of((0, said(0)), (0, said(0, "b")))
    restored = codec.validate_json(codec.dump_json(event))
    assert codec.dump_json(restored) == codec.dump_json(event)
    assert at_close_of(restored, 0).authors.audience() == Audience(2, 14)
