"""Telematics: connections to other systems, observations that are sent, what is known by them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Out
from voltyard.telematics.commands import ConnectionDraft
from voltyard.telematics.model import (
    POSTS,
    Access,
    Asset,
    Charging,
    Departures,
    Flag,
    Health,
    Kind,
    Observation,
    Outcome,
    Result,
    Told,
    View,
)
from voltyard.telematics.reading import Item, told_of
from voltyard.telematics.rule import Origin, Verdict

Text = Annotated[str, msgspec.Meta(max_length=300)]
Secret = Annotated[str, msgspec.Meta(max_length=1_000)]


class AccessIn(In):
    """How the system is reached: ``url`` of Samsara (left out: ``https://api.samsara.com``) and
    rFMS; ``server``, ``database``, ``user`` of Geotab; ``host`` to ``tls``, ``user`` of MQTT; of
    rFMS with ``user`` HTTP Basic, without it the password is sent as a bearer token.

    ``fields`` of MQTT and webhooks: our field to a path in their messages, such as
    ``{"soc_pct": "battery.level"}``. ``soc_from_fuel``: this maker tells charge as fuel level.
    """

    url: Text = ""
    server: Text = ""
    database: Text = ""
    user: Text = ""
    host: Text = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] = 8883
    topic: Text = ""
    tls: bool = True
    fields: Annotated[dict[str, str], msgspec.Meta(max_length=20)] = msgspec.field(
        default_factory=dict
    )
    soc_from_fuel: bool = False


class ConnectionIn(In):
    """``password`` (or token) and ``signing`` (the secret that Samsara shows for its webhook) left
    out: the stored ones stay. ``silent_s`` 0: its silence is no alert.

    ``departures`` says what a departure does that it tells: ``shown`` only; ``new``: a duty for a
    vehicle that has none; ``move``: it also moves duties that others gave. ``site_id`` and
    ``target_soc_pct`` are for such duties.
    """

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100, examples=["Geotab"])]
    kind: Kind
    access: AccessIn = msgspec.field(default_factory=AccessIn)
    enabled: bool = True
    poll_s: float = 60.0
    silent_s: float = 3_600.0
    keep_position: bool = False
    departures: Departures = Departures.SHOWN
    site_id: UUID | None = None
    target_soc_pct: float = 100.0
    password: Secret | None = None
    signing: Secret | None = None


class AccessOut(Out):
    url: str
    server: str
    database: str
    user: str
    host: str
    port: int
    topic: str
    tls: bool
    fields: dict[str, str]
    soc_from_fuel: bool


class ConnectionOut(Out):
    """``alive_at``: it answered or sent something last; ``heard_at``: the newest observation.
    ``address``: where it posts to, of webhooks and Samsara."""

    id: UUID
    name: str
    kind: Kind
    health: Health
    access: AccessOut
    enabled: bool
    poll_s: float
    silent_s: float
    keep_position: bool
    departures: Departures
    site_id: UUID | None
    target_soc_pct: float
    has_secret: bool
    address: str
    alive_at: datetime | None
    heard_at: datetime | None
    asked_at: datetime | None
    next_at: datetime | None
    failures: int
    fault: str
    fault_at: datetime | None
    taken: int
    flagged: int
    unknown: int


class SavedOut(Out):
    """``secret`` of a new webhook is told this once; empty otherwise."""

    connection: ConnectionOut
    secret: str


class SecretOut(Out):
    """Told this once. The one before it counts until the next."""

    secret: str


class TriedOut(Out):
    """``why`` is empty when it worked."""

    ok: bool
    why: str
    vehicles: int
    unknown: int
    observations: int


class AssetOut(Out):
    """A vehicle as the other system names it; ``vehicle_id`` null: none of ours."""

    external_id: str
    label: str
    vin: str
    vehicle_id: UUID | None
    chosen: bool
    seen_at: datetime | None


class ChosenIn(In):
    """``vehicle_id`` null: let VIN and name decide again."""

    external_id: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    vehicle_id: UUID | None = None


class ObservationsIn(In):
    """``source`` is your own word for where they come from. With the vehicle and ``observed_at``
    it makes an observation what it is: sent again, nothing changes."""

    observations: Annotated[list[dict[str, Any]], msgspec.Meta(max_length=1_000)]
    source: Annotated[str, msgspec.Meta(max_length=50)] = "rest"


class OutcomeOut(Out):
    """``flagged``: kept; what ``flags`` are about is not used. ``known``: told before. ``why`` of
    ``invalid``."""

    result: Result
    vehicle_id: UUID | None = None
    flags: list[Flag] = msgspec.field(default_factory=list)
    why: str = ""


class OutcomesOut(Out):
    """One for each observation, in their order."""

    outcomes: list[OutcomeOut]


class ObservationOut(Out):
    source: str
    source_name: str
    observed_at: datetime
    received_at: datetime
    connection_id: UUID | None
    soc_pct: float | None
    odometer_km: float | None
    range_km: float | None
    plugged: bool | None
    charging: Charging | None
    latitude: float | None
    longitude: float | None
    departure_at: datetime | None
    flags: list[Flag]


class ClaimOut(Out):
    """``verdict`` of exactly one is ``used``. ``source_name`` of telematics: the connection."""

    origin: Origin
    verdict: Verdict
    soc_pct: float | None
    at: datetime | None
    source: str
    source_name: str
    flags: list[Flag]


class StandingOut(Out):
    """Who says what of its charge, in the order of belief; what it is planned with at its arrival,
    where telematics says something; and what else telematics told last."""

    vehicle_id: UUID
    claims: list[ClaimOut]
    session_id: UUID | None
    duty_id: UUID | None
    arrival_soc_pct: float | None
    newest: dict[str, ObservationOut]


@get("/telematics/connections", summary="Telematics connections and how they do")
async def connections(deps: Deps, who: Who) -> list[ConnectionOut]:
    return [shown(view) for view in deps.telematics.service.views(who)]


@post("/telematics/connections", summary="Add a telematics connection")
async def add_connection(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[ConnectionIn]
) -> SavedOut:
    view, secret = await deps.telematics.service.save(who, _draft(data), remote=remote_of(request))
    return SavedOut(connection=shown(view), secret=secret)


@get("/telematics/connections/{telematics_id:uuid}", summary="A telematics connection")
async def connection(deps: Deps, who: Who, telematics_id: FromPath[UUID]) -> ConnectionOut:
    return shown(deps.telematics.service.view(who, telematics_id))


@put("/telematics/connections/{telematics_id:uuid}", summary="Change a telematics connection")
async def change_connection(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    telematics_id: FromPath[UUID],
    data: JSONBody[ConnectionIn],
) -> ConnectionOut:
    """Another account or address: its feed is read from the beginning."""
    view, _ = await deps.telematics.service.save(
        who, _draft(data), telematics_id, remote=remote_of(request)
    )
    return shown(view)


@delete(
    "/telematics/connections/{telematics_id:uuid}",
    summary="Remove a telematics connection",
    status_code=204,
)
async def remove_connection(
    deps: Deps, who: Who, request: AnyRequest, telematics_id: FromPath[UUID]
) -> None:
    """What it told stays."""
    await deps.telematics.service.delete(who, telematics_id, remote=remote_of(request))


@post(
    "/telematics/connections/{telematics_id:uuid}/test",
    summary="Ask a telematics connection now",
    status_code=200,
)
async def try_connection(deps: Deps, who: Who, telematics_id: FromPath[UUID]) -> TriedOut:
    """Of MQTT: whether the broker takes the subscription. 409 for webhooks: they tell by
    themselves."""
    view = deps.telematics.service.view(who, telematics_id)
    if view.connection.kind is Kind.MQTT:
        why = await deps.telematics.listener.try_out(who, telematics_id)
        return TriedOut(ok=not why, why=why, vehicles=0, unknown=0, observations=0)
    tried = await deps.telematics.poller.ask(who, telematics_id)
    return TriedOut(
        ok=not tried.why,
        why=tried.why,
        vehicles=tried.vehicles,
        unknown=tried.unknown,
        observations=tried.observations,
    )


@post(
    "/telematics/connections/{telematics_id:uuid}/secret",
    summary="A new secret for a webhook",
    status_code=200,
)
async def renew_secret(
    deps: Deps, who: Who, request: AnyRequest, telematics_id: FromPath[UUID]
) -> SecretOut:
    made = await deps.telematics.service.rotate(who, telematics_id, remote=remote_of(request))
    return SecretOut(secret=made)


@get("/telematics/connections/{telematics_id:uuid}/vehicles", summary="Vehicles it names")
async def named_vehicles(deps: Deps, who: Who, telematics_id: FromPath[UUID]) -> list[AssetOut]:
    return [_asset(one) for one in deps.telematics.service.assets(who, telematics_id)]


@put(
    "/telematics/connections/{telematics_id:uuid}/vehicles",
    summary="Say which vehicles are meant",
)
async def choose_vehicles(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    telematics_id: FromPath[UUID],
    data: JSONBody[list[ChosenIn]],
) -> list[AssetOut]:
    chosen = {one.external_id: one.vehicle_id for one in data}
    found = await deps.telematics.service.choose(
        who, telematics_id, chosen, remote=remote_of(request)
    )
    return [_asset(one) for one in found]


@post("/telematics/observations", summary="Send observations of vehicles", status_code=200)
async def send_observations(deps: Deps, who: Who, data: JSONBody[ObservationsIn]) -> OutcomesOut:
    """Each observation: ``observed_at`` and ``vehicle_id``, ``vin``, ``external_id`` or ``name``;
    then what is known of ``soc_pct``, ``odometer_km``, ``range_km``, ``plugged``, ``charging``
    (none, yes, ac, dc, done, fault), ``latitude``, ``longitude``, ``departure_at``. One that
    cannot be read harms no other."""
    items = [_item(raw) for raw in data.observations]
    told = [item for item in items if isinstance(item, Told)]
    found = iter(await deps.telematics.service.report(who, data.source, told))
    return OutcomesOut(outcomes=[outcome_shown(_next(item, found)) for item in items])


@get("/vehicles/{vehicle_id:uuid}/telematics", summary="What is known of a vehicle's charge")
async def standing(deps: Deps, who: Who, vehicle_id: FromPath[UUID]) -> StandingOut:
    found = await deps.telematics.standing.of_vehicle(who, vehicle_id)
    return StandingOut(
        vehicle_id=vehicle_id,
        claims=[
            ClaimOut(
                origin=claim.origin,
                verdict=claim.verdict,
                soc_pct=claim.soc_pct,
                at=claim.at,
                source=claim.source,
                source_name=found.name(claim.source),
                flags=list(claim.flags),
            )
            for claim in found.claims
        ],
        session_id=found.session_id,
        duty_id=None if found.duty is None else found.duty.id,
        arrival_soc_pct=found.arrival_pct,
        newest={
            name: _observation(seen, found.name(seen.source)) for name, seen in found.newest.items()
        },
    )


@get("/vehicles/{vehicle_id:uuid}/observations", summary="What was observed of a vehicle")
async def observations(
    deps: Deps,
    who: Who,
    vehicle_id: FromPath[UUID],
    before: FromQuery[datetime | None] = None,
    limit: Annotated[int, QueryParameter(ge=1, le=500)] = 100,
) -> list[ObservationOut]:
    """The newest first; those that are not used are flagged."""
    room = deps.telematics.service
    found = await room.history(who, vehicle_id, before=before, limit=limit)
    names = {name for seen in found for name in [seen.org_id]}
    words = {key: word for org_id in names for key, word in room.names(org_id).items()}
    return [_observation(seen, words.get(seen.source, seen.source)) for seen in found]


def _item(raw: dict[str, Any]) -> Told | str:
    try:
        return told_of(msgspec.convert(raw, Item))
    except (msgspec.ValidationError, OverflowError) as error:
        return str(error)[:300]


def _next(item: Told | str, found: Any) -> Outcome | str:
    return item if isinstance(item, str) else next(found)


def outcome_shown(found: Outcome | str) -> OutcomeOut:
    """A text is why an item could not be read."""
    if isinstance(found, str):
        return OutcomeOut(result=Result.INVALID, why=found)
    return OutcomeOut(
        result=found.result, vehicle_id=found.vehicle_id, flags=list(found.flags), why=found.why
    )


def _draft(data: ConnectionIn) -> ConnectionDraft:
    values = msgspec.structs.asdict(data)
    values["access"] = Access(**msgspec.structs.asdict(data.access))
    return ConnectionDraft(**values)


def address_of(kind: Kind, key: str) -> str:
    """Where a connection posts to; empty where it does not."""
    return f"/telematics/in/{key}" if kind in POSTS else ""


def shown(view: View) -> ConnectionOut:
    known, status = view.connection, view.status
    plain = {
        name: getattr(source, name)
        for source in (known, status)
        for name in type(source).__dataclass_fields__
        if name in ConnectionOut.__struct_fields__
    }
    access = {name: getattr(known.access, name) for name in AccessOut.__struct_fields__}
    access["fields"] = dict(known.access.fields)
    return ConnectionOut(
        **plain
        | {
            "health": view.health,
            "has_secret": view.has_secret,
            "address": address_of(known.kind, known.key),
            "access": AccessOut(**access),
        }
    )


def _asset(one: Asset) -> AssetOut:
    return AssetOut(**{name: getattr(one, name) for name in AssetOut.__struct_fields__})


def _observation(seen: Observation, name: str) -> ObservationOut:
    values = {
        field: getattr(seen, field)
        for field in ObservationOut.__struct_fields__
        if field not in ("source_name", "flags")
    }
    return ObservationOut(**values, source_name=name, flags=list(seen.flags))


def routes() -> Sequence[Any]:
    return (
        connections, add_connection, connection, change_connection, remove_connection,
        try_connection, renew_secret, named_vehicles, choose_vehicles, send_observations,
        standing, observations,
    )  # fmt: skip


ROUTER = Router(path="/", tags=["Telematics"], route_handlers=[*routes()])
