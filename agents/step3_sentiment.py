"""Agent 3, sentiment: deduped mentions → mentions with polarity, emotion and risk topic."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from wanglou.agents.changelog import Changelog
from wanglou.agents.metrics import Metrics
from wanglou.agents.record import Emission, Record, decode
from wanglou.agents.settings import ModelSettings, Settings
from wanglou.agents.stage import Stage
from wanglou.models.opinion import NoModel, OpinionModel
from wanglou.models.rules import Rules
from wanglou.models.scoring import ScoringStep
from wanglou.models.state import MINUTES_PER_HOUR, KeyedState
from wanglou.schemas.mention import DedupedMention, Polarity, ScoredMention
from wanglou.schemas.topics import ACCEPTED, DEAD_LETTERS, DEDUPED, SCORED, SENTIMENT_STATE


def load_model(settings: ModelSettings) -> OpinionModel:
    """The model of the settings. Raises ``ModelError``."""
    if not settings.enabled:
        return NoModel()
    from wanglou.models.bert_opinion import BertOpinion  # noqa: PLC0415  # torch takes seconds

    return BertOpinion(
        settings.path,
        precision=settings.precision,
        threads=settings.threads,
        long_texts=settings.long_texts,
    )


class Sentiment(Stage[None, None]):
    """Scores micro-batches in a thread of its own, so that the event loop never waits for it.

    It remembers nothing of a mention; its state is only how far it has come.
    """

    name = "sentiment"
    upstream = ACCEPTED
    source = DEDUPED
    output = SCORED
    writes = (SCORED, DEAD_LETTERS)
    state_topic = SENTIMENT_STATE
    outcomes = tuple(Polarity)

    def __init__(
        self, settings: Settings, rules: Rules, metrics: Metrics, counts: Mapping[str, int]
    ) -> None:
        changelog = Changelog(SENTIMENT_STATE, type(None), settings.broker)
        super().__init__(
            metrics, changelog, counts, settings.dead_letters, settings.model.batch_messages
        )
        self._step = ScoringStep(rules.watchlist, rules.taxonomy, load_model(settings.model))
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="model")

    def new_state(self) -> KeyedState[None]:
        return KeyedState(MINUTES_PER_HOUR)

    def new_step(self, state: KeyedState[None]) -> None:
        return None

    async def process(self, records: Sequence[Record]) -> list[Emission]:
        emissions: list[Emission] = []
        readable: list[tuple[Record, DedupedMention]] = []
        for record in records:
            emissions += self.guard(record, partial(self._read, record, readable))
        scored = await self._score([mention for _, mention in readable])
        for (record, _), mention in zip(readable, scored, strict=True):
            emissions += self.guard(record, partial(self._emit, record, mention))
        return emissions

    def _read(
        self, record: Record, readable: list[tuple[Record, DedupedMention]]
    ) -> list[Emission]:
        readable.append((record, decode(record, DedupedMention)))
        return []

    async def _score(
        self, mentions: Sequence[DedupedMention]
    ) -> Sequence[ScoredMention | Exception]:
        """Score a batch; if it fails, each alone, so that one bad text costs no other."""
        try:
            return await self._in_thread(mentions)
        except Exception as error:
            if len(mentions) == 1:
                return [error]
            return [one for mention in mentions for one in await self._score([mention])]

    async def _in_thread(self, mentions: Sequence[DedupedMention]) -> list[ScoredMention]:
        loop = asyncio.get_running_loop()
        with self.metrics.model_duration.time():
            scored = await loop.run_in_executor(self._thread, self._step.process, mentions)
        self.metrics.model_texts.inc(len(mentions))
        return scored

    def _emit(self, record: Record, mention: ScoredMention | Exception) -> list[Emission]:
        if isinstance(mention, Exception):
            raise mention
        self.count(mention.polarity.value)
        return [self.emit_mention(record, mention.institution, mention)]
