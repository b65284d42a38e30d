"""Pure: kept requests before and after a list, and what is said of them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from voltyard.ids import new_id
from voltyard.timetable.vdv463.comparing import Key
from voltyard.timetable.vdv463.model import ChargingRequest, Kept, Presystem, State
from voltyard.timetable.vdv463.resolving import Yard


def over(row: Kept, now: datetime) -> Kept:
    """One that never counted and whose departure has passed is done."""
    if row.state is State.OUTDONE and row.departure_at is not None and row.departure_at <= now:
        return replace(row, state=State.DONE, reason="")
    return row


def with_duty(row: Kept, before: Kept | None) -> Kept:
    """The duty it had, unless that cannot follow: another site or vehicle, or it has departed."""
    same = (
        before is not None
        and before.state is State.STANDING
        and before.duty_id is not None
        and (before.site_id, before.vehicle_id) == (row.site_id, row.vehicle_id)
    )
    if same and before is not None:
        return replace(row, duty_id=before.duty_id)
    return replace(row, duty_id=new_id())


def moved(row: Kept, before: Mapping[Key, Kept]) -> bool:
    """Whether its duty must be saved."""
    former = before.get(row.key)
    if former is None or former.duty_id != row.duty_id:
        return True
    return replace(former, sent=row.sent, reason=row.reason) != row


def refused(
    presystem: Presystem,
    presystem_id: str,
    request: ChargingRequest,
    former: Kept | None,
    why: str,
    yard: Yard,
) -> Kept:
    """What stood goes on standing; a new one is kept only to be shown."""
    if former is not None and former.request is not None:
        return replace(former, sent=request, reason=why)
    return Kept(
        presystem.id, presystem_id, request.request_id, request, None, State.REJECTED, yard.now, why
    )


def named(ids: Sequence[str]) -> str:
    shown = ", ".join(text[:60] for text in ids[:20])
    return shown if len(ids) <= 20 else f"{shown} and {len(ids) - 20} more"


def reasons(rejected: Mapping[str, str]) -> str:
    shown = "; ".join(f"{key[:60]}: {why}" for key, why in list(rejected.items())[:10])
    return shown if len(rejected) <= 10 else f"{shown}; and {len(rejected) - 10} more"


def conditions(row: Kept | None) -> bool:
    return row is not None and row.request is not None and bool(row.request.preconditioning)
