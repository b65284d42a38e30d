"""Charging sessions, their curves, and all of them as CSV."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from voltyard.api.caller import Deps, Who
from voltyard.api.deps import ApiDeps
from voltyard.api.wire import In, Limit, Offset, Out, Page, Text, out, page
from voltyard.chargers.model import PowerMode
from voltyard.energy.ordering import Discharge
from voltyard.errors import NotFound
from voltyard.sessions.model import Session, SessionFilter, SessionState
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission


class RepairOut(Out):
    """One correction: what, at which instant of the session, from what to what."""

    what: str
    at: datetime
    was: str | None
    now: str | None


class NeedsOut(Out):
    """What the vehicle asked for (ISO 15118); urgency 1: its driver did, 2: one of ours."""

    told_at: datetime
    transfer: str
    departure_at: datetime | None
    energy_wh: float | None
    max_power_w: float | None
    min_power_w: float | None
    soc_pct: float | None
    target_soc_pct: float | None
    battery_wh: float | None
    dynamic: bool
    urgency: int
    transfers: list[str]
    discharge_max_w: float | None
    discharge_min_w: float | None
    cycling_wh: float | None


class SessionOut(Out):
    """One plug-in and the energy delivered in it."""

    id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    connector_number: int | None
    transaction_ref: str
    state: SessionState
    started_at: datetime
    ended_at: datetime | None
    id_token: str | None
    id_token_kind: str | None
    vehicle_id: UUID | None
    duty_id: UUID | None
    meter_start_wh: float | None
    meter_last_wh: float | None
    energy_wh: float
    soc_start_pct: float | None
    soc_last_pct: float | None
    power_w: float | None
    last_reading_at: datetime | None
    charging_state: str | None
    stop_reason: str | None
    authorisation: str | None
    authorisation_reason: str
    """Why its token was refused, or let in without being known."""
    flags: list[str]
    repairs: list[RepairOut]
    needs: NeedsOut | None = None
    energy_exported_wh: float = 0.0
    operator_id: UUID | None = None
    """The fleet operator whose vehicle it is."""
    charger: str = ""
    """The charger's identity."""
    outlet: str = ""


class SampleOut(Out):
    """One reading, as the charger reported it."""

    at: datetime
    power_w: float | None
    energy_wh: float | None
    soc_pct: float | None
    offered_w: float | None
    context: str


class CurveOut(Out):
    samples: list[SampleOut]


class SessionPriorityIn(In):
    first: bool


class SessionVehicleIn(In):
    vehicle_id: UUID | None


@get("/sessions", summary="Sessions, newest start first")
async def sessions(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    site_id: FromQuery[UUID | None] = None,
    station_id: FromQuery[UUID | None] = None,
    evse_id: FromQuery[UUID | None] = None,
    vehicle_id: FromQuery[UUID | None] = None,
    duty_id: FromQuery[UUID | None] = None,
    only_state: Annotated[SessionState | None, QueryParameter(name="state")] = None,
    flagged: Annotated[bool | None, QueryParameter(description="With repairs, or without.")] = None,
    since: Annotated[datetime | None, QueryParameter(description="Started at or after.")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Started before.")] = None,
    text: Text = "",
    operator_id: FromQuery[UUID | None] = None,
) -> Page[SessionOut]:
    require(who, Permission.VIEW)
    wanted = SessionFilter(
        site_id=site_id,
        station_id=station_id,
        evse_id=evse_id,
        vehicle_id=vehicle_id,
        duty_id=duty_id,
        state=only_state,
        fleet_org_id=operator_id,
        flagged=flagged,
        from_at=since,
        until_at=until,
        text=text,
    )
    found = await deps.sessions.page(who.org_id, wanted, limit=limit, offset=offset)
    shown = [_session(deps, session) for session in found.sessions]
    return page(SessionOut, shown, found.total, limit=limit, offset=offset)


@get("/sessions.csv", summary="Sessions as CSV, oldest first", media_type="text/csv")
async def sessions_csv(
    deps: Deps,
    who: Who,
    site_id: FromQuery[UUID | None] = None,
    vehicle_id: FromQuery[UUID | None] = None,
    only_state: Annotated[SessionState | None, QueryParameter(name="state")] = None,
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Stream:
    """Streamed: as many rows as there are."""
    require(who, Permission.VIEW)
    wanted = SessionFilter(
        site_id=site_id, vehicle_id=vehicle_id, state=only_state, from_at=since, until_at=until
    )
    return Stream(
        _lines(deps, who.org_id, wanted),
        media_type="text/csv; charset=utf-8",
        headers={"content-disposition": 'attachment; filename="sessions.csv"'},
    )


async def _lines(deps: ApiDeps, org_id: UUID, wanted: SessionFilter) -> AsyncIterator[bytes]:
    async for cells in deps.sessions.csv_rows(org_id, wanted):
        line = io.StringIO(newline="")
        csv.writer(line).writerow(cells)
        yield line.getvalue().encode()


@get("/sessions/{session_id:uuid}", summary="One session")
async def session(deps: Deps, who: Who, session_id: FromPath[UUID]) -> SessionOut:
    require(who, Permission.VIEW)
    return _session(deps, await deps.sessions.session(who.org_id, session_id))


@get("/sessions/{session_id:uuid}/curve", summary="The readings of a session by time")
async def curve(deps: Deps, who: Who, session_id: FromPath[UUID]) -> CurveOut:
    require(who, Permission.VIEW)
    found = await deps.sessions.curve(who.org_id, session_id)
    return CurveOut(samples=[out(SampleOut, sample) for sample in found])


@put("/sessions/{session_id:uuid}/vehicle", summary="Say which vehicle it is")
async def assign_vehicle(
    deps: Deps, who: Who, session_id: FromPath[UUID], data: JSONBody[SessionVehicleIn]
) -> SessionOut:
    """From then on no token changes that; null takes it away."""
    require(who, Permission.SESSIONS_CONTROL)
    vehicle = None
    if data.vehicle_id is not None:
        vehicle = await deps.fleets.vehicle(who, data.vehicle_id)
    return _session(deps, await deps.sessions.assign_vehicle(who, session_id, vehicle))


@put("/sessions/{session_id:uuid}/priority", summary="Charge it before all others")
async def prioritise(
    deps: Deps, who: Who, session_id: FromPath[UUID], data: JSONBody[SessionPriorityIn]
) -> SessionOut:
    """Within the site's limits, as long as its session lasts; false takes it back."""
    require(who, Permission.SESSIONS_CONTROL)
    return _session(deps, await deps.sessions.prioritise(who, session_id, first=data.first))


class DischargeIn(In):
    """So much (W, 0 or more) is to flow back until then, never below that state of charge."""

    power_w: Annotated[float, msgspec.Meta(ge=0, le=1e9)]
    until: Annotated[datetime, msgspec.Meta(tz=True)]
    soc_floor_pct: Annotated[float, msgspec.Meta(ge=0, le=100)]
    mode: PowerMode = PowerMode.SETPOINT


class DischargeOut(Out):
    """``setpoint_w``: what it is told, below 0 to flow back; null while the order rests or was
    only just given. ``why``: what keeps it from more, empty for nothing."""

    power_w: float
    until: datetime
    soc_floor_pct: float
    mode: PowerMode
    set_by: str
    setpoint_w: float | None
    why: str


@get("/sessions/{session_id:uuid}/discharge", summary="The order to discharge and its standing")
async def discharge(deps: Deps, who: Who, session_id: FromPath[UUID]) -> DischargeOut:
    require(who, Permission.VIEW)
    await deps.sessions.session(who.org_id, session_id)
    found = deps.energy.discharge.standing(who.org_id, session_id)
    if found is None:
        raise NotFound("There is no order to discharge.")
    return _discharge(found)


@put("/sessions/{session_id:uuid}/discharge", summary="Have its vehicle discharged")
async def order_discharge(
    deps: Deps, who: Who, session_id: FromPath[UUID], data: JSONBody[DischargeIn]
) -> DischargeOut:
    """As far as charger, vehicle, floor and the departure allow; a later order replaces it."""
    require(who, Permission.SESSIONS_CONTROL)
    await deps.sessions.session(who.org_id, session_id)
    made = await deps.energy.discharge.order(
        who,
        session_id,
        power_w=data.power_w,
        until_at=data.until,
        soc_floor_pct=data.soc_floor_pct,
        mode=data.mode,
    )
    return _discharge(made)


@delete("/sessions/{session_id:uuid}/discharge", summary="Discharge it no more")
async def end_discharge(deps: Deps, who: Who, session_id: FromPath[UUID]) -> None:
    require(who, Permission.SESSIONS_CONTROL)
    await deps.energy.discharge.end(who, session_id)


def _discharge(found: Discharge) -> DischargeOut:
    order = found.order
    return DischargeOut(
        power_w=order.power_w,
        until=order.until_at,
        soc_floor_pct=order.soc_floor_pct,
        mode=order.mode,
        set_by=order.set_by,
        setpoint_w=found.setpoint_w,
        why=found.why.value,
    )


def _session(deps: ApiDeps, session: Session) -> SessionOut:
    station = deps.chargers.station(session.station_id)
    evse = deps.chargers.evse(session.evse_id) if session.evse_id else None
    repairs = [out(RepairOut, repair) for repair in session.repairs]
    needs = None
    if session.needs is not None:
        told = session.needs
        needs = out(NeedsOut, told, urgency=int(told.urgency), transfers=list(told.transfers))
    return out(
        SessionOut,
        session,
        flags=list(session.flags),
        repairs=repairs,
        needs=needs,
        operator_id=session.fleet_org_id,
        charger=station.identity if station else "",
        outlet=evse.name if evse else "",
    )


ROUTER = Router(
    path="/",
    tags=["Sessions"],
    route_handlers=[
        sessions,
        sessions_csv,
        session,
        curve,
        assign_vehicle,
        prioritise,
        discharge,
        order_discharge,
        end_discharge,
    ],
)
