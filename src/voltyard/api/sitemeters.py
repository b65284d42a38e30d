"""Site meters: what is set up, what they read, and readings that somebody sends."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Out
from voltyard.sitemeters.commands import MeterDraft
from voltyard.sitemeters.model import (
    Connection,
    Covers,
    Fallback,
    MeterProtocol,
    MeterState,
    NumberKind,
    Point,
    Quality,
    Quantity,
    Reading,
)

Watts = Annotated[float, msgspec.Meta(ge=-1e9, le=1e9)]


class PointIn(In):
    """One number of a meter: ``raw × scale`` in ``unit``, negated if ``inverted``.

    Positive is towards consumers. Modbus: ``address`` from 0 in ``table`` (holding, input), the
    high word first unless ``swapped``. MQTT: ``path`` into a JSON message, by dots.
    """

    quantity: Quantity
    unit: str = "W"
    scale: float = 1.0
    inverted: bool = False
    address: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    kind: NumberKind = NumberKind.S32
    table: str = "holding"
    swapped: bool = False
    path: Annotated[str, msgspec.Meta(max_length=200)] = ""


class ConnectionIn(In):
    host: Annotated[str, msgspec.Meta(max_length=253)] = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 0
    unit_id: Annotated[int, msgspec.Meta(ge=0, le=255)] = 1
    poll_s: float = 5.0
    topic: Annotated[str, msgspec.Meta(max_length=1_000)] = ""
    tls: bool = False
    username: Annotated[str, msgspec.Meta(max_length=200)] = ""


class MeterIn(In):
    """``margin_w`` counts on top of what is read. ``hold_s`` after the last reading, ``fallback``
    counts: the highest at this time of day over ``days``, or ``reserve_w``; never less than what
    was seen last. ``password`` left out: the stored one stays."""

    node_id: UUID
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100, examples=["Grid connection"])]
    protocol: MeterProtocol
    covers: Covers = Covers.ALL
    connection: ConnectionIn = msgspec.field(default_factory=ConnectionIn)
    points: Annotated[list[PointIn], msgspec.Meta(max_length=20)] = msgspec.field(
        default_factory=list
    )
    enabled: bool = True
    margin_w: float = 5_000.0
    hold_s: float = 60.0
    fallback: Fallback = Fallback.HIGHEST
    reserve_w: float = 0.0
    days: int = 14
    most_w: float = 1e8
    password: Annotated[str, msgspec.Meta(max_length=200)] | None = None


class MeterOut(Out):
    """``quality``: good, held (late, the last reading counts), silent (the fallback counts),
    never, off. ``age_s`` is of the last reading; ``rejected`` readings were beyond belief."""

    id: UUID
    site_id: UUID
    node_id: UUID
    name: str
    protocol: MeterProtocol
    covers: Covers
    connection: Connection
    points: tuple[Point, ...]
    enabled: bool
    margin_w: float
    hold_s: float
    fallback: Fallback
    reserve_w: float
    days: int
    most_w: float
    quality: Quality
    read_at: datetime | None
    age_s: float | None
    power_w: float | None
    phases_w: tuple[float, float, float] | None
    energy_wh: float | None
    fallback_w: float
    fault: str
    rejected: int


class ReadingIn(In):
    """Power through the meter, positive towards consumers. Without ``at``: now."""

    power_w: Watts
    at: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    phases_w: tuple[Watts, Watts, Watts] | None = None
    energy_wh: Annotated[float, msgspec.Meta(ge=0)] | None = None


class TakenOut(Out):
    """How many readings were new and credible."""

    taken: int


class ReadingOut(Out):
    at: datetime
    mean_w: float
    lowest_w: float
    highest_w: float
    readings: int


class LoadOut(Out):
    """A quarter of an hour of load beside chargers."""

    at: datetime
    mean_w: float
    highest_w: float


class ReadingsOut(Out):
    bucket_s: int
    readings: list[ReadingOut]
    other: list[LoadOut]
    """Load beside chargers, by quarter hours."""


@get("/sites/{site_id:uuid}/site-meters", summary="Site meters and their last readings")
async def site_meters(deps: Deps, who: Who, site_id: FromPath[UUID]) -> list[MeterOut]:
    return [_shown(state) for state in await deps.site_meters.meters(who, site_id)]


@post("/sites/{site_id:uuid}/site-meters", summary="Add a site meter")
async def add_site_meter(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[MeterIn]
) -> MeterOut:
    """At most one meter of a node ``covers`` all that flows there (409)."""
    made = await deps.site_meters.save(who, site_id, _draft(data), remote=remote_of(request))
    return _shown(made)


@get("/site-meters/{meter_id:uuid}", summary="A site meter and its last reading")
async def site_meter(deps: Deps, who: Who, meter_id: FromPath[UUID]) -> MeterOut:
    return _shown(await deps.site_meters.meter(who, meter_id))


@put("/site-meters/{meter_id:uuid}", summary="Change a site meter")
async def change_site_meter(
    deps: Deps, who: Who, request: AnyRequest, meter_id: FromPath[UUID], data: JSONBody[MeterIn]
) -> MeterOut:
    known = await deps.site_meters.meter(who, meter_id)
    saved = await deps.site_meters.save(
        who, known.meter.site_id, _draft(data), meter_id, remote=remote_of(request)
    )
    return _shown(saved)


@delete("/site-meters/{meter_id:uuid}", summary="Remove a site meter", status_code=204)
async def remove_site_meter(
    deps: Deps, who: Who, request: AnyRequest, meter_id: FromPath[UUID]
) -> None:
    """With its readings. The load behind it does not count any more."""
    await deps.site_meters.delete(who, meter_id, remote=remote_of(request))


@post("/site-meters/{meter_id:uuid}/readings", summary="Send readings", status_code=200)
async def push_readings(
    deps: Deps, who: Who, meter_id: FromPath[UUID], data: JSONBody[list[ReadingIn]]
) -> TakenOut:
    """For meters of protocol ``push`` (else 409 ``meter_protocol``), at most 1,000 at once."""
    now = deps.clock.now()
    readings = [Reading(r.at or now, r.power_w, r.phases_w, r.energy_wh) for r in data]
    return TakenOut(taken=await deps.site_meters.push(who, meter_id, readings))


@get("/site-meters/{meter_id:uuid}/readings", summary="Readings over time")
async def readings(
    deps: Deps,
    who: Who,
    meter_id: FromPath[UUID],
    since: Annotated[datetime | None, QueryParameter(description="Default: 24 hours ago.")] = None,
    until: FromQuery[datetime | None] = None,
) -> ReadingsOut:
    until = until or deps.clock.now()
    since = since or until - timedelta(hours=24)
    bucket_s, rows = await deps.site_meters.series(who, meter_id, since, until)
    loads = await deps.site_meters.loads(who, meter_id, since, until)
    return ReadingsOut(
        bucket_s=bucket_s,
        readings=[
            ReadingOut(
                at=row["bucket"],
                mean_w=row["mean_w"],
                lowest_w=row["lowest_w"],
                highest_w=row["highest_w"],
                readings=row["readings"],
            )
            for row in rows
        ],
        other=[LoadOut(at=s.at, mean_w=s.mean_w, highest_w=s.highest_w) for s in loads],
    )


def _draft(data: MeterIn) -> MeterDraft:
    values = msgspec.structs.asdict(data)
    values["connection"] = Connection(**msgspec.structs.asdict(data.connection))
    values["points"] = tuple(Point(**msgspec.structs.asdict(p)) for p in data.points)
    return MeterDraft(**values)


def _shown(state: MeterState) -> MeterOut:
    meter, reading = state.meter, state.reading
    plain = {
        name: getattr(meter, name)
        for name in MeterOut.__struct_fields__
        if name in type(meter).__dataclass_fields__
    }
    return MeterOut(
        **plain,
        quality=state.quality,
        read_at=None if reading is None else reading.at,
        age_s=state.age_s,
        power_w=None if reading is None else reading.power_w,
        phases_w=None if reading is None else reading.phases_w,
        energy_wh=None if reading is None else reading.energy_wh,
        fallback_w=state.fallback_w,
        fault=state.fault,
        rejected=state.rejected,
    )


ROUTER = Router(
    path="/",
    tags=["Site meters"],
    route_handlers=[
        site_meters, add_site_meter, site_meter, change_site_meter, remove_site_meter,
        push_readings, readings,
    ],
)  # fmt: skip
