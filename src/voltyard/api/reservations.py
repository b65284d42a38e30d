"""Reservations of outlets, and the lists of tokens that chargers keep."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Offset, Out, Page, out, page
from voltyard.locallists.model import ListState
from voltyard.reservations.commands import NewReservation
from voltyard.reservations.model import Reservation, ReservationState
from voltyard.sessions.model import TokenKind

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class ReservationIn(In):
    """Keep an outlet for a token. Without ``evse_id`` any outlet of the charger will do."""

    station_id: UUID
    token: Annotated[str, msgspec.Meta(min_length=1, max_length=255, examples=["04A2B1C9"])]
    until_at: Instant
    evse_id: UUID | None = None
    token_kind: TokenKind = TokenKind.RFID
    from_at: Instant | None = None
    """From now on if left out."""
    connector_type: Annotated[str, msgspec.Meta(max_length=20, examples=["cCCS2"])] | None = None


class ReservationOut(Out):
    """``number`` is its id towards the charger, ``word`` what the charger said of it last."""

    id: UUID
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    number: int
    token: str
    token_kind: str
    group_id: str
    vehicle_id: UUID | None
    connector_type: str | None
    from_at: datetime
    until_at: datetime
    state: ReservationState
    word: str
    session_id: UUID | None
    created_by: str
    created_at: datetime
    changed_at: datetime


class LocalListOut(Out):
    """The list of tokens a charger keeps for when it is offline.

    ``left_out``: tokens that do not fit. ``drifts``: how often it held another list than it was
    sent. ``clear_cache``: a token was revoked, and its cache has still to be cleared.
    """

    state: ListState
    version: int
    entries: list[str]
    entries_max: int | None
    per_message: int | None
    left_out: int
    checked_at: datetime | None
    synced_at: datetime | None
    drifts: int
    drifted_at: datetime | None
    failure: str
    clear_cache: bool
    cache_cleared_at: datetime | None
    cache_word: str


@get("/reservations", summary="Reservations, the latest end first")
async def reservations(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    station_id: FromQuery[UUID | None] = None,
    site_id: FromQuery[UUID | None] = None,
    open_only: FromQuery[bool] = False,
) -> Page[ReservationOut]:
    found, total = await deps.reservations.reservations(
        who,
        station_id=station_id,
        site_id=site_id,
        open_only=open_only,
        limit=limit,
        offset=offset,
    )
    return page(ReservationOut, found, total, limit=limit, offset=offset)


@post("/reservations", summary="Reserve an outlet")
async def reserve(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[ReservationIn]
) -> ReservationOut:
    """One that begins now waits for the charger's answer; a later one is told to it in time.

    409 ``conflict``: reserved at that time already. 409 ``occupied``: a vehicle charges there.
    409 ``refused``: by the charger, in its own word. 409 ``charger_offline``.
    """
    new = NewReservation(**{**msgspec.structs.asdict(data), "token_kind": data.token_kind.value})
    return _shown(await deps.reservations.reserve(who, new, remote=remote_of(request)))


@get("/reservations/{reservation_id:uuid}", summary="One reservation")
async def reservation(deps: Deps, who: Who, reservation_id: FromPath[UUID]) -> ReservationOut:
    return _shown(await deps.reservations.reservation(who, reservation_id))


@delete("/reservations/{reservation_id:uuid}", summary="Cancel a reservation", status_code=200)
async def cancel(
    deps: Deps, who: Who, request: AnyRequest, reservation_id: FromPath[UUID]
) -> ReservationOut:
    """At once, also for a charger that is away: it is told when it is back."""
    return _shown(await deps.reservations.cancel(who, reservation_id, remote=remote_of(request)))


@get("/stations/{station_id:uuid}/local-list", summary="The list of tokens a charger keeps")
async def local_list(deps: Deps, who: Who, station_id: FromPath[UUID]) -> LocalListOut:
    found = await deps.local_lists.of_station(who, station_id)
    return out(LocalListOut, found, entries=sorted(found.entries))


@post(
    "/stations/{station_id:uuid}/local-list/resend",
    summary="Bring a charger's list of tokens in step",
    status_code=202,
)
async def resend(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    station_id: FromPath[UUID],
    whole: FromQuery[bool] = True,
) -> None:
    """Replaces it ``whole``, or sends only what differs.

    Returns at once; ``synced_at`` of the list tells when it is done.
    """
    await deps.local_lists.resend(who, station_id, whole=whole, remote=remote_of(request))


def _shown(reservation: Reservation) -> ReservationOut:
    return out(ReservationOut, reservation)


ROUTER = Router(
    path="/",
    tags=["Reservations"],
    route_handlers=[reservations, reserve, reservation, cancel, local_list, resend],
)
