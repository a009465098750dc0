"""Versions of the rules in the archive: proposed by one, approved by another, and in force.

All three are records of the chain of configurations: ``VERSION/proposed``, ``VERSION/approved``,
and ``VERSION`` once an archive ran with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wanglou.agents.archive.entries import CONFIGURATION_CHAIN, Entry, Kind
from wanglou.agents.archive.store import Archive
from wanglou.models.response.case_file import Refused
from wanglou.models.rules import Rules


def note_in_force(archive: Archive, rules: Rules) -> None:
    """Record the rules that are in force with all that they say, once for each version."""
    _record(archive, rules.version, rules.content())


def record_proposal(archive: Archive, version: str, by: str, proposed: Mapping[str, Any]) -> None:
    """Record that somebody proposes a version, with what it rests on, once."""
    _record(archive, f"{version}/proposed", {"by": by, **proposed})


def approve_version(archive: Archive, version: str, by: str, reason: str) -> str:
    """Record that somebody approves a version; who proposed it.

    Raises ``Refused`` for what nobody proposed, and for one's own proposal.
    """
    proposed_by = _proposals(archive).get(f"{version}/proposed")
    if proposed_by is None:
        raise Refused(
            f"rules version {version} was not proposed: was the file changed since, or another "
            "rules file? wanglou tune propose --write makes a proposal"
        )
    if proposed_by == by:
        raise Refused(f"by: {by} proposed version {version}; a second person approves it")
    _record(archive, f"{version}/approved", {"by": by, "reason": reason})
    return proposed_by


def _proposals(archive: Archive) -> dict[str, str]:
    """Who made each proposal, by the id of its record."""
    kept = archive.records(CONFIGURATION_CHAIN, [Kind.CONFIGURATION])
    return {one.id: one.fields.get("by", "") for one in kept if one.fields is not None}


def _record(archive: Archive, id: str, fields: Mapping[str, Any]) -> None:
    entry = Entry(Kind.CONFIGURATION, id, archive.now(), fields)
    with archive.transaction() as transaction:
        transaction.append(CONFIGURATION_CHAIN, [entry])
