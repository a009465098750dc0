"""Tells one receiver what waits for it. Each receiver has one: a slow one holds up no other.

Before a message goes out it is recorded that it may, and afterwards that it did. So after a crash
in between it is known that the message may have arrived: it is sent again, and where the receiver
cannot tell a repeat, the text says that it may be one.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import NAMESPACE_URL, uuid5

from wanglou.agents.casebook import Casebook
from wanglou.agents.pager_metrics import PagerMetrics
from wanglou.agents.pager_requests import Notice
from wanglou.agents.pager_rules import MAX_BYTES, PagerRules
from wanglou.agents.pager_targets import Outcome, Target
from wanglou.models.case import Case, Delivery, waiting
from wanglou.models.page_plan import backoff, give_up_at, plan
from wanglou.models.page_text import page_text, summary_text
from wanglou.models.pager_clock import PagerClock
from wanglou.schemas.page import PageOutcome, PageRecord

logger = logging.getLogger(__name__)

TOGETHER = 100
"""Most cases that are told in one request."""

LONGEST_REST = timedelta(seconds=1)
"""How long a courier sleeps without news: quiet hours end, and retries fall due."""

Publish = Callable[[Sequence[PageRecord]], Awaitable[None]]
"""Writes to the topic ``pages``; the broker has acknowledged when it returns."""

PutAside = Callable[[Case, str, str], Awaitable[None]]
"""Writes a page to the dead letters: the case, the receiver, the last error."""


class Courier:
    """Tells one receiver."""

    def __init__(
        self,
        name: str,
        rules: PagerRules,
        target: Target,
        casebook: Casebook,
        clock: PagerClock,
        metrics: PagerMetrics,
        link_of: Callable[[Case], str],
        put_aside: PutAside,
        publish: Publish,
    ) -> None:
        self.name = name
        self._rules = rules
        self._receiver = rules.receivers[name]
        self._target = target
        self._casebook = casebook
        self._clock = clock
        self._metrics = metrics
        self._link_of = link_of
        self._put_aside = put_aside
        self._publish = publish
        self._errors: dict[str, str] = {}
        self._failures = 0
        self._rests_until: datetime | None = None
        self._reminded_at: datetime | None = None
        self.stopping = False

    async def run(self) -> None:
        """Tell, until ``stopping``; the message being sent is ended."""
        while not self.stopping:
            if await self.round():
                continue
            try:
                async with asyncio.timeout(LONGEST_REST.total_seconds()):
                    await self._casebook.news.wait()
            except TimeoutError:
                pass

    async def round(self) -> bool:
        """Tell what is due now; whether there may be more."""
        now = self._clock.now()
        await self._give_up(now)
        if self._rests_until is not None and now < self._rests_until:
            return False
        cases = list(self._casebook.ready_cases())
        sent_at = {
            delivery.told_at
            for case in cases
            if (delivery := case.deliveries.get(self.name)) and delivery.told_at
        }
        planned = plan(
            self.name,
            waiting(cases, self.name),
            sent_at,
            self._receiver.max_rate,
            self._rules.quiet,
            now,
            self._clock.wall(),
            updates_at_once=self._target.shows_state,
        )
        if self._target.together:
            groups = [planned.pages[:TOGETHER]] if planned.pages else []
        else:
            groups = [[case] for case in planned.pages[:TOGETHER]]
        for group in groups:
            if self.stopping or self._rests(now):
                return True
            await self._tell(group, [self._notice(case) for case in group])
        if planned.summary and not self.stopping and not self._rests(now):
            await self._tell(planned.summary, [self._summary(planned.summary)])
        await self._remind(cases, now)
        return bool(groups or planned.summary)

    def _rests(self, now: datetime) -> bool:
        return self._rests_until is not None and now < self._rests_until

    def _notice(self, case: Case) -> Notice:
        delivery = case.deliveries[self.name]
        calls = delivery.call > 1 and case.needs_somebody
        notes = [f"第 {delivery.call} 次呼叫"] if calls else []
        if delivery.trying == delivery.wanted and not self._target.knows_repeats:
            notes.append("可能重复")
        link = self._rules.link_of(case.page.event_id, case.page.alert_id)
        text = page_text(
            self._rules.template,
            case.page,
            link,
            self._link_of(case) if case.needs_somebody else "",
            "".join(f"【{note}】" for note in notes),
            MAX_BYTES[self._receiver.kind],
        )
        return Notice(delivery.wanted, text, (case,), link)

    def _summary(self, cases: Sequence[Case]) -> Notice:
        first = cases[0].page
        link = self._rules.link_of(first.event_id, first.alert_id)
        pages = [case.page for case in cases]
        text = summary_text(pages, link, MAX_BYTES[self._receiver.kind])
        wanted = sorted(case.deliveries[self.name].wanted for case in cases)
        return Notice(str(uuid5(NAMESPACE_URL, "\n".join(wanted))), text, tuple(cases), link)

    async def _tell(self, cases: Sequence[Case], notices: Sequence[Notice]) -> None:
        deliveries = [(case, case.deliveries[self.name]) for case in cases]
        for _, delivery in deliveries:
            delivery.trying, delivery.ever_tried = delivery.wanted, True
        told = [delivery.wanted for _, delivery in deliveries]
        if not await self._casebook.record(cases):
            return
        outcome = await self._target.tell(notices)
        in_summary = len(notices) < len(cases)
        if outcome.error is None:  # published before it is recorded: so at least once
            became = PageOutcome.IN_SUMMARY if in_summary else PageOutcome.SENT
            await self._publish([self._page(*one, became) for one in deliveries])
        for (case, delivery), wanted in zip(deliveries, told, strict=True):
            if outcome.error is None:
                self._delivered(case, delivery, wanted, in_summary=in_summary)
            else:
                self._failed(case, delivery, wanted, outcome)
        self._rest(outcome)
        await self._casebook.record(cases)

    def _page(
        self, case: Case, delivery: Delivery, outcome: PageOutcome, error: str | None = None
    ) -> PageRecord:
        """What stands in the topic ``pages``; a repeat has the same id."""
        parts = (case.page.alert_id, str(delivery.call), self.name, outcome.value)
        return PageRecord(
            id=str(uuid5(NAMESPACE_URL, "\n".join(parts))),
            event_id=case.page.event_id,
            alert_id=case.page.alert_id,
            receiver=self.name,
            call=delivery.call,
            outcome=outcome,
            at=self._clock.wall(),
            error=error,
        )

    def _delivered(self, case: Case, delivery: Delivery, wanted: str, *, in_summary: bool) -> None:
        delivery.told, delivery.told_at = wanted, self._clock.now()
        delivery.trying = ""
        self._errors.pop(case.page.event_id, None)
        outcome = "suppressed" if in_summary else "sent"
        self._metrics.pages.labels(self.name, outcome).inc()
        if wanted == case.page.alert_id:
            seconds = (self._clock.wall() - case.written_at).total_seconds()
            self._metrics.page_duration.labels(self.name).observe(max(0.0, seconds))

    def _failed(self, case: Case, delivery: Delivery, wanted: str, outcome: Outcome) -> None:
        self._metrics.pages.labels(self.name, "retried").inc()
        self._errors[case.page.event_id] = outcome.error or ""
        if not outcome.maybe and delivery.trying == wanted:
            delivery.trying = ""
        if delivery.wanted == wanted:
            delivery.attempts += 1
            pause = backoff(delivery.attempts, outcome.retry_after, random.random)
            delivery.try_at = self._clock.now() + pause

    def _rest(self, outcome: Outcome) -> None:
        """Leave a receiver alone that takes nothing for now."""
        if outcome.error is None or not outcome.whole:
            self._failures, self._rests_until = 0, None
        else:
            self._failures += 1
            pause = backoff(self._failures, outcome.retry_after, random.random)
            self._rests_until = self._clock.now() + pause
        if outcome.error is not None:
            logger.warning("receiver %s: %s", self.name, outcome.error)

    async def _give_up(self, now: datetime) -> None:
        quiet, after = self._rules.quiet, self._receiver.give_up
        for case in waiting(list(self._casebook.ready_cases()), self.name):
            if now < give_up_at(case, self.name, after, quiet, now):
                continue
            delivery = case.deliveries[self.name]
            error = self._errors.pop(case.page.event_id, "was not told in time")
            await self._publish([self._page(case, delivery, PageOutcome.GIVEN_UP, error)])
            await self._put_aside(case, self.name, error)
            delivery.given_up = delivery.wanted
            await self._casebook.record([case])
            self._metrics.pages.labels(self.name, "dead_lettered").inc()
            logger.error("receiver %s: page %s given up: %s", self.name, delivery.wanted, error)

    async def _remind(self, cases: Sequence[Case], now: datetime) -> None:
        """Tell what is open again, where a receiver would forget it. Nothing is recorded."""
        if not self._target.together:
            return
        remind = timedelta(seconds=self._receiver.remind_seconds)
        if self._reminded_at is not None and now - self._reminded_at < remind:
            return
        self._reminded_at = now
        open_cases = [
            case
            for case in cases
            if case.is_open
            and (delivery := case.deliveries.get(self.name)) is not None
            and not delivery.waits
            and delivery.told
        ]
        for begin in range(0, len(open_cases), TOGETHER):
            some = open_cases[begin : begin + TOGETHER]
            notices = [self._reminder(case) for case in some]
            outcome = await self._target.tell(notices)
            if outcome.error is not None:
                logger.warning("receiver %s, reminded: %s", self.name, outcome.error)

    def _reminder(self, case: Case) -> Notice:
        notice = self._notice(case)
        return Notice(notice.key, notice.text, notice.cases, notice.link, news=False)
