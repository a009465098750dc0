"""Old rules against new on archived streams: case by case, and what nobody reviewed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from wanglou.models.tuning.course import changes_of
from wanglou.models.tuning.reviewed import Changes, Outcome, Reviewed, levels_off, outcome
from wanglou.schemas.risk import Alert, AlertKind, Level

AlertsByEvent = Mapping[str, Sequence[Alert]]


@dataclass(frozen=True, slots=True)
class Row:
    """A reviewed life under the rules in force, and under changed ones."""

    reviewed: Reviewed
    recorded: Outcome
    """What was, under the rules of then."""
    in_force: Outcome
    changed: Outcome

    @property
    def off_in_force(self) -> float:
        """How many levels the rules in force are off."""
        return levels_off(self.reviewed, self.in_force, self.in_force)

    @property
    def off_changed(self) -> float:
        """How many levels the changed rules are off."""
        return levels_off(self.reviewed, self.changed, self.in_force)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both rules on all that is archived."""

    rows: tuple[Row, ...]
    unreviewed_in_force: Counter[Level]
    """Rises to each level that belong to no reviewed case."""
    unreviewed_changed: Counter[Level]

    @property
    def off_in_force(self) -> float:
        """Levels that all reviewed lives together are off under the rules in force."""
        return sum(row.off_in_force for row in self.rows)

    @property
    def off_changed(self) -> float:
        """The same under the changed rules."""
        return sum(row.off_changed for row in self.rows)

    @property
    def is_better(self) -> bool:
        """Whether the change is better on the cases by more than what it raises beside them."""
        more = self.unreviewed_changed - self.unreviewed_in_force
        return self.off_changed + more.total() < self.off_in_force


def compare(
    reviewed: Sequence[Reviewed],
    recorded: Mapping[str, Changes],
    in_force: AlertsByEvent,
    changed: AlertsByEvent,
) -> Comparison:
    """``recorded`` are the changes of level of each case; the others what back-tests gave."""
    rows = tuple(
        Row(
            one,
            outcome(one, recorded[one.event_id]),
            outcome(one, changes_of(in_force.get(one.event_id, ()))),
            outcome(one, changes_of(changed.get(one.event_id, ()))),
        )
        for one in reviewed
    )
    return Comparison(rows, _unreviewed(reviewed, in_force), _unreviewed(reviewed, changed))


def _unreviewed(reviewed: Iterable[Reviewed], alerts: AlertsByEvent) -> Counter[Level]:
    spans: dict[str, list[Reviewed]] = {}
    for one in reviewed:
        spans.setdefault(one.event_id, []).append(one)
    return Counter(
        alert.level
        for event_id, told in alerts.items()
        for alert in told
        if alert.kind in (AlertKind.RAISED, AlertKind.ESCALATED)
        and alert.level is not None
        and not any(one.has(alert.decided_at) for one in spans.get(event_id, ()))
    )
