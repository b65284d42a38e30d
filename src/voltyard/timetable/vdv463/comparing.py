"""Pure: a whole list against what stands: what is new, changed, gone; and whose request counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from voltyard.timetable.vdv463.model import ChargingRequest, Instruction, Kept, Kind, State
from voltyard.timetable.vdv463.reading import Asked

LEAST_URGENT = 10_000
"""Counts for a request without priority; 1 is the most urgent."""

Key = tuple[UUID, str, str]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``ended`` are told to end (version 1), ``ignored`` came changed as ``Normal``, which says
    that nothing changed. ``unknown`` should be there and are not: an error."""

    created: tuple[ChargingRequest, ...] = ()
    changed: tuple[ChargingRequest, ...] = ()
    unchanged: tuple[ChargingRequest, ...] = ()
    ignored: tuple[ChargingRequest, ...] = ()
    ended: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def compared(known: Mapping[str, Kept], asked: Sequence[Asked]) -> Comparison:
    """``known`` by request id, of the same presystem. One without anything standing is new."""
    standing = {key: kept.request for key, kept in known.items() if kept.request is not None}
    parts: dict[str, list[ChargingRequest]] = {
        name: [] for name in ("created", "changed", "unchanged", "ignored")
    }
    ended: list[str] = []
    unknown: list[str] = []
    for one in asked:
        wish, stands = one.request, standing.get(one.request.request_id)
        if stands is None and one.instruction in (Instruction.CHANGED, Instruction.TERMINATE):
            unknown.append(wish.request_id)
        elif stands is None:
            parts["created"].append(wish)
        elif one.instruction is Instruction.TERMINATE:
            ended.append(wish.request_id)
        elif stands == wish:
            parts["unchanged"].append(wish)
        elif one.instruction is Instruction.NORMAL:
            parts["ignored"].append(wish)
        else:
            parts["changed"].append(wish)
    named = {one.request.request_id for one in asked}
    gone = tuple(key for key in known if key not in named)
    made = {name: tuple(found) for name, found in parts.items()}
    return Comparison(**made, ended=tuple(ended), deleted=gone, unknown=tuple(unknown))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whose requests count. ``by`` names, for each that does not, the one that goes first."""

    first: frozenset[Key]
    by: Mapping[Key, Key]


def arbitrated(rows: Iterable[Kept], kinds: Mapping[UUID, Kind]) -> Verdict:
    """Of requests of different presystems for one vehicle whose stays meet, the most urgent counts;
    at the same urgency the depot's (BMS), then the one that was there first. Requests of one
    presystem do not outdo each other."""
    claims = [
        row
        for row in rows
        if row.state in (State.STANDING, State.OUTDONE)
        and row.request is not None
        and row.vehicle_id is not None
    ]
    first: dict[UUID, list[Kept]] = {}
    by: dict[Key, Key] = {}
    for row in sorted(claims, key=lambda row: _order(row, kinds)):
        assert row.vehicle_id is not None
        rivals = first.setdefault(row.vehicle_id, [])
        winner = next((rival for rival in rivals if _collide(row, rival)), None)
        if winner is None:
            rivals.append(row)
        else:
            by[row.key] = winner.key
    return Verdict(frozenset(row.key for rows in first.values() for row in rows), by)


def _order(row: Kept, kinds: Mapping[UUID, Kind]) -> tuple[int, bool, object, str]:
    assert row.request is not None
    priority = LEAST_URGENT if row.request.priority is None else row.request.priority
    itcs = kinds.get(row.presystem) is Kind.ITCS
    return (priority, itcs, row.received_at, row.request_id)


def _collide(row: Kept, rival: Kept) -> bool:
    if (row.presystem, row.presystem_id) == (rival.presystem, rival.presystem_id):
        return False
    if not (row.arrival_at and row.departure_at and rival.arrival_at and rival.departure_at):
        return True
    return row.arrival_at < rival.departure_at and rival.arrival_at < row.departure_at


def mapped_priority(priority: int | None, bounds: Sequence[int], *, ad_hoc: bool = False) -> int:
    """A presystem's priority as a duty's, 1 to 9; 5 without one."""
    if ad_hoc:
        return 1
    if priority is None:
        return 5
    return min(9, 1 + sum(priority > bound for bound in bounds))
