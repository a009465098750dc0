"""Risk topics (风险类型): how severe each is, and which words show that a text is about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from wanglou.models.phrases import PhraseFinder
from wanglou.models.remember import remembers
from wanglou.models.text import normalise
from wanglou.schemas.base import Share
from wanglou.schemas.problems import Location, Problem, check

MIN_TERM_CHARACTERS = 2

EventType = Literal[
    "其他",
    "信批违规",
    "实控人股东变更",
    "交易违规",
    "涉嫌非法集资",
    "不能履职",
    "重组失败",
    "评级调整",
    "业绩下滑",
    "涉嫌违法",
    "财务造假",
    "涉嫌传销",
    "涉嫌欺诈",
    "资金账户风险",
    "高管负面",
    "资产负面",
    "投诉维权",
    "产品违规",
    "提现困难",
    "失联跑路",
    "歇业停业",
    "公司股市异常",
]
"""What the model tells apart, as the public data (FinESE) names it."""

EVENT_TYPES: tuple[str, ...] = get_args(EventType)
"""All of them, in the order of the model's outputs."""

DECIMALS = 4
"""Digits of a probability."""

OTHER = "other"
"""The topic of what fits no other."""


class Severity(BaseModel):
    """How much a risk topic hurts, each in [0, 1]."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    reputation: Share
    trust: Share = Field(description="Customers' trust: a run is the worst case.")
    regulator: Share

    def times(self, factor: float) -> Severity:
        """Each side times ``factor``, at most 1.

        >>> Severity(reputation=0.5, trust=1, regulator=0.25).times(1.2)
        Severity(reputation=0.6, trust=1.0, regulator=0.3)
        """
        sides = {name: min(1.0, factor * value) for name, value in self}
        return Severity.model_construct(**sides)


class RiskTopic(BaseModel):
    """One risk topic."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    name: Annotated[str, Field(min_length=1)]
    severity: Severity
    terms: tuple[Annotated[str, Field(min_length=MIN_TERM_CHARACTERS)], ...] = ()
    event_types: tuple[str, ...] = Field(
        (), description="Event types that the model knows and that belong to this topic."
    )


class Taxonomy(BaseModel):
    """All risk topics; the last resort is the topic ``other``, which must be there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    topics: tuple[RiskTopic, ...]
    denial_terms: tuple[Annotated[str, Field(min_length=MIN_TERM_CHARACTERS)], ...] = Field(
        (), description="Words that deny a rumour: near-duplicates that differ in them stay apart."
    )

    @model_validator(mode="after")
    def _check_topics(self) -> Self:
        problems: list[Problem] = []
        owners: dict[str, str] = {}
        types: dict[str, str] = {}
        ids: set[str] = set()
        for index, topic in enumerate(self.topics):
            if topic.id in ids:
                problems.append((("topics", index, "id"), f"{topic.id!r} stands twice"))
            ids.add(topic.id)
            for position, term in enumerate(topic.terms):
                here: Location = ("topics", index, "terms", position)
                folded = normalise(term).lower()
                if len(folded) < MIN_TERM_CHARACTERS:
                    problems.append((here, f"{term!r} is too short once normalised"))
                elif (owner := owners.setdefault(folded, topic.id)) != topic.id:
                    problems.append((here, f"{term!r} is also a term of {owner!r}"))
            for position, event_type in enumerate(topic.event_types):
                here = ("topics", index, "event_types", position)
                if event_type not in EVENT_TYPES:
                    choice = ", ".join(EVENT_TYPES)
                    problems.append((here, f"{event_type!r} is none of {choice}"))
                elif (owner := types.setdefault(event_type, topic.id)) != topic.id:
                    problems.append((here, f"{event_type!r} also belongs to {owner!r}"))
        for position, term in enumerate(self.denial_terms):
            if len(normalise(term)) < MIN_TERM_CHARACTERS:
                text = f"{term!r} is too short once normalised"
                problems.append((("denial_terms", position), text))
        if OTHER not in ids:
            problems.append((("topics",), "the topic 'other' is missing"))
        check(problems)
        return self

    def topic(self, topic_id: str) -> RiskTopic:
        """The topic of an id; ``other`` where the id is no longer in the taxonomy."""
        by_id = {topic.id: topic for topic in self.topics}
        return by_id.get(topic_id, by_id[OTHER])


class TopicFinder:
    """Finds the risk topic of a normalised text by its terms, else by the model's event types.

    >>> taxonomy = Taxonomy.model_validate({"topics": [
    ...     {"id": "run", "name": "挤兑", "terms": ["取不出钱", "挤兑"],
    ...      "event_types": ["提现困难"],
    ...      "severity": {"reputation": 0.9, "trust": 1, "regulator": 0.9}},
    ...     {"id": "other", "name": "其他",
    ...      "severity": {"reputation": 0.2, "trust": 0.2, "regulator": 0.1}}]})
    >>> finder = TopicFinder(taxonomy)
    >>> finder.find("听说取不出钱"), finder.find("吓死了", "听说取不出钱"), finder.find("早安")
    ('run', 'run', None)
    >>> finder.probabilities("平台限制提现", None, {"提现困难": 0.75, "涉嫌欺诈": 0.25})
    {'run': 0.75, 'other': 0.25}
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._order = {topic.id: index for index, topic in enumerate(taxonomy.topics)}
        self._terms = PhraseFinder(
            (normalise(term), topic.id) for topic in taxonomy.topics for term in topic.terms
        )
        self._topic_of = {
            event_type: topic.id for topic in taxonomy.topics for event_type in topic.event_types
        }
        self._find_in = remembers(texts=4096)(self._find)

    def find(self, text: str, context: str | None = None) -> str | None:
        """The topic with most terms in the text (ties: the first listed), else in the context."""
        return self._find_in(text) or (None if context is None else self._find_in(context))

    def _find(self, text: str) -> str | None:
        hits = Counter(match.tag for match in self._terms.find(text))
        return min(hits, key=lambda topic: (-hits[topic], self._order[topic]), default=None)

    def probabilities(
        self, text: str, context: str | None, event_types: Mapping[str, float]
    ) -> dict[str, float]:
        """The probability of each risk topic, by id; they sum to 1 as the event types' do.

        A term decides alone, as an analyst chose it. Without one a topic has the sum of its event
        types, and what belongs to no topic is ``other``.
        """
        if (found := self.find(text, context)) is not None:
            return {found: 1.0}
        sums: dict[str, float] = {}
        for event_type, probability in event_types.items():
            topic = self._topic_of.get(event_type, OTHER)
            sums[topic] = sums.get(topic, 0.0) + probability
        # each event type was rounded, so a sum may come out a little above 1
        return {topic: min(1.0, round(value, DECIMALS)) for topic, value in sums.items()}
