"""Stations, EVSEs, connectors: approving, editing, reading configuration and the message log."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, Text, out, sliced
from voltyard.chargers.model import (
    ConfigEntry,
    CurrentType,
    Evse,
    EvseStatus,
    FrameFilter,
    LimitHolder,
    Quirks,
    Station,
    StationFilter,
    StationState,
    StationView,
)
from voltyard.errors import NotFound
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

ChargerPassword = Annotated[str, msgspec.Meta(min_length=8, max_length=64)]


class QuirksIO(In):
    """How this make wants its limits; the default suits a charger that follows the standard."""

    unit: Annotated[str, msgspec.Meta(pattern="^[WA]$")] | None = None
    """W or A; null: by current type."""
    phases: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3
    send_phases: bool = False
    stack_level: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1
    stack_level_max: int | None = None
    min_current_a: Annotated[float, msgspec.Meta(ge=0, le=100)] = 6.0
    tx_profile: bool = True
    integer_amps: bool = True
    holder: LimitHolder = LimitHolder.TRANSACTIONS
    periods_max: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    dynamic: bool = True
    pull_s: Annotated[int, msgspec.Meta(ge=10, le=3_600)] | None = None


class ConnectorOut(Out):
    number: int
    status: EvseStatus
    at: datetime | None
    error_code: str | None
    info: str | None


class EvseOut(Out):
    id: UUID
    station_id: UUID
    site_id: UUID | None
    number: int
    name: str
    bay_id: UUID | None
    node_id: UUID | None
    current_type: CurrentType
    max_power_w: float
    min_power_w: float
    phases: int
    phase_rotation: str
    voltage_v: float
    operative: bool
    status: EvseStatus
    status_at: datetime | None
    error_code: str | None
    connectors: list[ConnectorOut]


class FlagOut(Out):
    """An oddity of this charger: how often it was seen, and when last."""

    flag: str
    count: int
    last_at: datetime
    detail: str


class StationOut(Out):
    id: UUID
    identity: str
    name: str
    site_id: UUID | None
    state: StationState
    status: EvseStatus
    connected: bool
    connected_at: datetime | None
    last_seen_at: datetime | None
    booted_at: datetime | None
    ocpp_version: str | None
    vendor: str | None
    model: str | None
    serial: str | None
    firmware: str | None
    has_password: bool
    quirks: QuirksIO
    flags: list[FlagOut]
    evses: list[EvseOut]


class StationIn(In):
    """A station known before it first connects."""

    identity: Annotated[str, msgspec.Meta(min_length=1, max_length=128, examples=["CP-017"])]
    site_id: UUID | None = None
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    password: ChargerPassword | None = None
    quirks: QuirksIO | None = None


class StationPatch(In):
    """What is left out stays as it is."""

    name: Name | None = None
    site_id: UUID | None = None
    quirks: QuirksIO | None = None


class ApproveIn(In):
    site_id: UUID | None = None


class ChargerPasswordIn(In):
    password: ChargerPassword


class EvseIn(In):
    """What is left out stays as it is; a number that is not there yet is created."""

    name: Name | msgspec.UnsetType = msgspec.UNSET
    bay_id: UUID | msgspec.UnsetType | None = msgspec.UNSET
    node_id: UUID | msgspec.UnsetType | None = msgspec.UNSET
    current_type: CurrentType | msgspec.UnsetType = msgspec.UNSET
    max_power_w: float | msgspec.UnsetType = msgspec.UNSET
    min_power_w: float | msgspec.UnsetType = msgspec.UNSET
    phases: int | msgspec.UnsetType = msgspec.UNSET
    phase_rotation: str | msgspec.UnsetType = msgspec.UNSET
    voltage_v: float | msgspec.UnsetType = msgspec.UNSET
    operative: bool | msgspec.UnsetType = msgspec.UNSET


class FrameOut(Out):
    """One OCPP frame; ``direction`` is seen from voltyard."""

    at: datetime
    direction: str
    kind: str
    message_id: str
    action: str
    payload: str
    error_code: str | None
    latency_ms: float | None
    flags: list[str]


class TraitsOut(Out):
    """What a device-model variable is like; limits in ``unit``."""

    mutability: str | None
    persistent: bool
    constant: bool
    unit: str | None
    data_type: str | None
    min_limit: float | None
    max_limit: float | None
    values_list: str | None
    supports_monitoring: bool | None


class ConfigOut(Out):
    """A configuration key (1.6: no component) or a device-model variable (2.0.1)."""

    name: str
    value: str | None
    readonly: bool
    component: str
    instance: str
    evse_number: int | None
    attribute: str
    component_instance: str
    connector_number: int | None
    key: str
    """By which it is read and set."""
    traits: TraitsOut | None
    read_at: datetime
    reboot_needed: bool
    """It was set to this and is so from the charger's next start on."""


@get("/stations", summary="Stations, pending ones first")
async def stations(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    site_id: FromQuery[UUID | None] = None,
    only_state: Annotated[StationState | None, QueryParameter(name="state")] = None,
    connected: FromQuery[bool | None] = None,
    text: Text = "",
) -> Page[StationOut]:
    require(who, Permission.VIEW)
    wanted = StationFilter(site_id, only_state, connected, text)
    found = [_station(view) for view in deps.chargers.list_stations(who.org_id, wanted)]
    return sliced(StationOut, found, limit=limit, offset=offset)


@post("/stations", summary="Create a station")
async def create_station(deps: Deps, who: Who, data: JSONBody[StationIn]) -> StationOut:
    made = await deps.chargers.create_station(
        who,
        data.identity,
        site_id=data.site_id,
        name=data.name,
        password=data.password,
        quirks=_quirks(data.quirks),
    )
    return _station(deps.chargers.station_view(who.org_id, made.id))


@get("/stations/{station_id:uuid}", summary="One station")
async def station(deps: Deps, who: Who, station_id: FromPath[UUID]) -> StationOut:
    require(who, Permission.VIEW)
    return _station(deps.chargers.station_view(who.org_id, station_id))


@patch("/stations/{station_id:uuid}", summary="Change a station")
async def change_station(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[StationPatch]
) -> StationOut:
    await deps.chargers.update_station(
        who, station_id, name=data.name, site_id=data.site_id, quirks=_quirks(data.quirks)
    )
    return _station(deps.chargers.station_view(who.org_id, station_id))


@post("/stations/{station_id:uuid}/approve", summary="Let a held station work", status_code=200)
async def approve(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[ApproveIn]
) -> StationOut:
    await deps.chargers.approve(who, station_id, site_id=data.site_id)
    return _station(deps.chargers.station_view(who.org_id, station_id))


@post("/stations/{station_id:uuid}/reject", summary="Refuse a held station", status_code=200)
async def reject(deps: Deps, who: Who, station_id: FromPath[UUID]) -> StationOut:
    await deps.chargers.reject(who, station_id)
    return _station(deps.chargers.station_view(who.org_id, station_id))


@post("/stations/{station_id:uuid}/retire", summary="Retire a station", status_code=200)
async def retire(deps: Deps, who: Who, station_id: FromPath[UUID]) -> StationOut:
    """It may not connect any more; its history stays."""
    await deps.chargers.retire(who, station_id)
    return _station(deps.chargers.station_view(who.org_id, station_id))


@put("/stations/{station_id:uuid}/password", summary="Set a charger's password", status_code=204)
async def set_password(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[ChargerPasswordIn]
) -> None:
    """Takes effect at its next connection (OCPP security profile 1)."""
    await deps.chargers.set_password(who, station_id, data.password)


@get("/stations/{station_id:uuid}/evses", summary="EVSEs of a station")
async def evses(
    deps: Deps, who: Who, station_id: FromPath[UUID], limit: Limit = 100, offset: Offset = 0
) -> Page[EvseOut]:
    require(who, Permission.VIEW)
    found = _station(deps.chargers.station_view(who.org_id, station_id)).evses
    return sliced(EvseOut, found, limit=limit, offset=offset)


@put("/stations/{station_id:uuid}/evses/{number:int}", summary="Create or change an EVSE")
async def save_evse(
    deps: Deps, who: Who, station_id: FromPath[UUID], number: FromPath[int], data: JSONBody[EvseIn]
) -> EvseOut:
    given = msgspec.structs.asdict(data)
    changes = {name: value for name, value in given.items() if value is not msgspec.UNSET}
    await deps.chargers.save_evse(who, station_id, number, **changes)
    shown = _station(deps.chargers.station_view(who.org_id, station_id))
    for evse in shown.evses:
        if evse.number == number:
            return evse
    raise NotFound("There is no such EVSE.")


@get("/stations/{station_id:uuid}/configuration", summary="Configuration as last read")
async def configuration(
    deps: Deps, who: Who, station_id: FromPath[UUID], limit: Limit = 1000, offset: Offset = 0
) -> Page[ConfigOut]:
    require(who, Permission.VIEW)
    entries = await deps.chargers.config(who.org_id, station_id)
    station = deps.chargers.station_view(who.org_id, station_id).station
    shown = [_setting(entry, station) for entry in entries]
    return sliced(ConfigOut, shown, limit=limit, offset=offset)


@get("/stations/{station_id:uuid}/frames", summary="The OCPP message log, newest first")
async def frames(
    deps: Deps,
    who: Who,
    station_id: FromPath[UUID],
    limit: Limit = 100,
    offset: Offset = 0,
    direction: Annotated[str | None, QueryParameter(description="in or out")] = None,
    action: FromQuery[str | None] = None,
    kind: FromQuery[str | None] = None,
    errors_only: FromQuery[bool] = False,
    text: Text = "",
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Page[FrameOut]:
    require(who, Permission.VIEW)
    wanted = FrameFilter(direction, action, kind, errors_only, text, since, until)
    asked = min(limit, 999)
    found = await deps.chargers.frames(
        who.org_id, station_id, wanted, limit=asked + 1, offset=offset
    )
    items = [out(FrameOut, frame, flags=list(frame.flags)) for frame in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


def _setting(entry: ConfigEntry, station: Station) -> ConfigOut:
    traits = entry.row.traits
    return out(
        ConfigOut,
        entry.row,
        traits=None if traits is None else out(TraitsOut, traits),
        read_at=entry.read_at,
        reboot_needed=entry.waits_for_boot(station),
    )


def _quirks(given: QuirksIO | None) -> Quirks | None:
    return None if given is None else Quirks(**msgspec.structs.asdict(given))


def _station(view: StationView) -> StationOut:
    return out(
        StationOut,
        view.station,
        status=view.status,
        has_password=view.has_password,
        quirks=out(QuirksIO, view.station.quirks),
        flags=[out(FlagOut, flag) for flag in view.flags],
        evses=[_evse(evse, view) for evse in view.evses],
    )


def _evse(evse: Evse, view: StationView) -> EvseOut:
    plugs = view.connectors.get(evse.id, ())
    return out(EvseOut, evse, connectors=[out(ConnectorOut, plug) for plug in plugs])


ROUTER = Router(
    path="/",
    tags=["Stations"],
    route_handlers=[
        stations,
        create_station,
        station,
        change_station,
        approve,
        reject,
        retire,
        set_password,
        evses,
        save_evse,
        configuration,
        frames,
    ],
)
