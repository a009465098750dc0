"""Playbooks (处置预案): what to do about a risk topic at a level, by whom and by when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from wanglou.models.taxonomy import Taxonomy
from wanglou.schemas.playbook import MeasureKind, PlannedMeasure
from wanglou.schemas.problems import Location, Problem, check
from wanglou.schemas.risk import Level

MAX_MINUTES = 30 * 24 * 60
"""A measure that has more time than a month is no response to an alert."""

MAX_TEXT = 400
"""Characters of a measure: alerts stay small, and are read."""

MAX_MEASURES = 24
"""Measures of a topic at a level."""

Id = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT)]
Department = Annotated[str, Field(min_length=1, max_length=64)]
Minutes = Annotated[int, Field(ge=1, le=MAX_MINUTES)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class Measure(_Section):
    """A measure, complete."""

    id: Id
    kind: MeasureKind
    minutes: Minutes = Field(description="Deadline after the level was entered.")
    department: Department
    text: Text

    def planned(self, at: datetime) -> PlannedMeasure:
        """With its deadline, if the level was entered at a time."""
        return PlannedMeasure(
            kind=self.kind,
            text=self.text,
            department=self.department,
            due_at=at + timedelta(minutes=self.minutes),
        )


class WrittenMeasure(_Section):
    """A measure as a level writes it: complete, or what changes of the one with its id."""

    id: Id
    kind: MeasureKind | None = None
    minutes: Minutes | None = None
    department: Department | None = None
    text: Text | None = None

    def over(self, before: Measure | None) -> tuple[Measure | None, list[Problem]]:
        """The measure that comes of it, and what is wrong; None where too little is said."""
        given = {name: value for name, value in self if value is not None}
        if before is None:
            missing = [name for name in Measure.model_fields if name not in given]
            if missing:
                text = f"is new here, and has no {', '.join(missing)}"
                return None, [(("id",), f"{self.id!r} {text}")]
            return Measure(**given), []
        after = before.model_copy(update=given)
        if after == before:
            text = f"{self.id!r} changes nothing of the measure before: leave it out"
            return after, [(("id",), text)]
        if after.minutes > before.minutes:
            text = f"{after.minutes} is later than the {before.minutes} before it"
            return after, [(("minutes",), f"{text}: a higher level is not slower")]
        return after, []


class LevelPlan(_Section):
    """What a level adds to the lower ones, or changes of them."""

    measures: tuple[WrittenMeasure, ...] = ()


class TopicLevelPlan(LevelPlan):
    """The same for one topic, with what is to be reached."""

    goal: Text


class CommonPlan(_Section):
    """Measures of every topic."""

    blue: LevelPlan = LevelPlan()
    yellow: LevelPlan = LevelPlan()
    orange: LevelPlan = LevelPlan()
    red: LevelPlan = LevelPlan()


class TopicPlan(_Section):
    """The playbook of one topic."""

    blue: TopicLevelPlan
    yellow: TopicLevelPlan
    orange: TopicLevelPlan
    red: TopicLevelPlan


class Playbooks(_Section):
    """The playbooks of all topics.

    The measures of a level are those of the lower level, common ones first, and its own. A measure
    that has the ``id`` of one before replaces the fields that it gives: so a level tightens a
    deadline, or names a higher department.
    """

    common: CommonPlan = CommonPlan()
    topics: dict[str, TopicPlan] = Field(min_length=1)
    _complete: dict[tuple[str, Level], tuple[Measure, ...]] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _put_together(self) -> Self:
        problems: list[Problem] = []
        for topic in self.topics:
            known: dict[str, Measure] = {}
            for level in Level:
                for location, written in self._written(topic, level):
                    measure, wrong = written.over(known.get(written.id))
                    problems.extend(((*location, *field), text) for field, text in wrong)
                    if measure is not None:
                        known[measure.id] = measure
                if len(known) > MAX_MEASURES:
                    where: Location = ("topics", topic, level.label, "measures")
                    problems.append((where, f"{len(known)} measures, at most {MAX_MEASURES}"))
                self._complete[topic, level] = self._ordered(known.values())
        check(dict.fromkeys(problems))
        return self

    def _ordered(self, measures: Iterable[Measure]) -> tuple[Measure, ...]:
        """The most urgent first; of equal ones the topic's own first, as they say more."""
        plans = (plan for _, plan in self.common)
        common = {written.id for plan in plans for written in plan.measures}
        return tuple(sorted(measures, key=lambda one: (one.minutes, one.id in common)))

    def _written(self, topic: str, level: Level) -> Iterator[tuple[Location, WrittenMeasure]]:
        name = level.label
        plans: Mapping[Location, LevelPlan] = {
            ("common", name): getattr(self.common, name),
            ("topics", topic, name): getattr(self.topics[topic], name),
        }
        for where, plan in plans.items():
            for index, measure in enumerate(plan.measures):
                yield (*where, "measures", index), measure

    def problems(self, taxonomy: Taxonomy) -> list[Problem]:
        """What does not fit the taxonomy: a topic without a playbook, and the other way round."""
        names = {topic.id: topic.name for topic in taxonomy.topics}
        missing: list[Problem] = [
            (("topics",), f"no playbook for the topic {id!r} ({name}) of the taxonomy")
            for id, name in names.items()
            if id not in self.topics
        ]
        unknown: list[Problem] = [
            (("topics", id), f"{id!r} is no topic of the taxonomy; those are {', '.join(names)}")
            for id in self.topics
            if id not in names
        ]
        return missing + unknown

    def goal(self, topic: str, level: Level | None) -> str | None:
        """What is to be reached; nothing without a level.

        Raises ``KeyError`` for a topic without a playbook.
        """
        if level is None:
            return None
        plan: TopicLevelPlan = getattr(self.topics[topic], level.label)
        return plan.goal

    def measures(self, topic: str, level: Level | None, at: datetime) -> tuple[PlannedMeasure, ...]:
        """The measures of a topic at a level entered at a time, the most urgent first.

        None without a level. Raises ``KeyError`` for a topic without a playbook.
        """
        if level is None:
            return ()
        return tuple(measure.planned(at) for measure in self._complete[topic, level])
